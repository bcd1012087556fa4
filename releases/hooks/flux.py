"""Flux notifications: providers `generic`, and `generic-hmac`, which signs in X-Signature.

An Event of fluxcd/pkg/apis/event/v1beta1; the same one may come again every few minutes.
"""

from typing import Any

from releases.changes import NewChange
from releases.hooks import signatures
from releases.hooks.frame import Delivery, Heard, Ignored, Provider, Unreadable
from releases.hooks.reading import fields, inner, moment, text
from releases.models import Change

DEPLOYED = frozenset(
    {"ReconciliationSucceeded", "InstallSucceeded", "UpgradeSucceeded", "RollbackSucceeded"}
)
FAILED = frozenset(
    {
        *("ReconciliationFailed", "InstallFailed", "UpgradeFailed", "RollbackFailed"),
        *("HealthCheckFailed", "BuildFailed", "ArtifactFailed", "TestFailed"),
    }
)
KINDS = frozenset({"Kustomization", "HelmRelease"})


def verify(delivery: Delivery) -> None:
    """The address is the secret; with `generic-hmac` the signature is checked too."""
    if delivery.header("X-Signature"):
        algorithms = ("sha256", "sha512", "sha384", "sha224")
        signatures.hmac_hex(delivery, "X-Signature", algorithms=algorithms)


def read(delivery: Delivery) -> list[Heard]:
    body = fields(delivery)
    about, reason = inner(body, "involvedObject"), text(body, "reason")
    kind, name = text(about, "kind"), text(about, "name")
    if not kind or not name or not reason:
        raise Unreadable("involvedObject.kind, involvedObject.name or reason is missing.")
    if kind not in KINDS:
        raise Ignored(f"A {kind} runs nothing; Kustomization and HelmRelease do.")
    if reason not in DEPLOYED | FAILED:
        raise Ignored(f"The reason {reason} tells of no change.")
    delivery.place.wants(text(body, "metadata", "environment"))
    revision = _revision(inner(body, "metadata"))
    failed = reason in FAILED
    service = delivery.place.service or name
    at = moment(inner(body, "timestamp"), delivery.now) or delivery.now
    what = f"build {_build(revision)}" if revision else reason
    change = NewChange(
        environment_id=delivery.place.environment_id,
        kind=Change.Kind.DEPLOY if revision else Change.Kind.MARKER,
        marker_kind="" if revision else "flux",
        time=at,
        title=f"{service} {what}"[:280] + (" (failed)" if failed else ""),
        service=service,
        build_id=_build(revision),
        actor="Flux",
        source="hook",
        external_id=f"flux:{text(about, 'namespace')}:{kind}:{name}:{revision}:{at.isoformat()}"[
            -200:
        ],
        details={
            "provider": "flux",
            "revision": revision,
            "reason": reason,
            "state": "failed" if failed else "succeeded",
            "message": text(body, "message", longest=500),
        },
    )
    return [Heard(change, if_new=not failed and bool(revision))]


def _revision(metadata: Any) -> str:
    """`main@sha1:731f…`, or a chart's version; the application's own where it is added."""
    if not isinstance(metadata, dict):
        return ""
    for ending in ("originRevision", "revision"):
        for key in sorted(metadata):
            if key == ending or key.endswith(f"/{ending}"):
                return text(metadata, key)
    return ""


def _build(revision: str) -> str:
    return revision.rpartition(":")[2] if "@sha" in revision or ":" in revision else revision


SNIPPET = """apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Provider
metadata: {{name: flipscope, namespace: flux-system}}
spec:
  type: generic-hmac
  address: {url}
  secretRef: {{name: flipscope}}  # kubectl -n flux-system create secret generic flipscope --from-literal=token={secret}
---
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Alert
metadata: {{name: flipscope, namespace: flux-system}}
spec:
  providerRef: {{name: flipscope}}
  eventSeverity: info
  eventSources: [{{kind: Kustomization, name: "*"}}, {{kind: HelmRelease, name: "*"}}]"""  # noqa: E501  # as kubectl reads it

PROVIDER = Provider(
    "flux",
    "Flux",
    verify,
    read,
    signs=True,
    tells="A reconciled Kustomization or HelmRelease becomes a deploy, named by its revision.",
    steps=("Apply this to the cluster that Flux runs in.",),
    snippet=SNIPPET,
)
