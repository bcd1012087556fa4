"""GitLab webhooks: deployments, pipelines, releases, pushed tags.

X-Gitlab-Token carries the secret itself; newer GitLab signs by the Standard Webhooks
specification instead. Times are `2021-04-28 21:50:00 +0200`; the full commit stands only at the end
of `commit_url`. Fields: GitLab's documentation of webhook events.
"""

from typing import Any

from releases.changes import NewChange
from releases.hooks import signatures
from releases.hooks.frame import Delivery, Heard, Ignored, Provider, Unreadable
from releases.hooks.reading import fields, inner, link, moment, text
from releases.models import Change

DEPLOYMENT = {
    "created": "created",
    "blocked": "waiting",
    "running": "started",
    "success": "succeeded",
    "failed": "failed",
    "canceled": "cancelled",
}
PIPELINE = {
    "running": "started",
    "success": "succeeded",
    "failed": "failed",
    "canceled": "cancelled",
}


def verify(delivery: Delivery) -> None:
    if delivery.header("webhook-signature"):
        signatures.standard_webhook(delivery)
    else:
        signatures.shared(delivery, "X-Gitlab-Token")


def read(delivery: Delivery) -> list[Heard]:
    body = fields(delivery)
    kind = text(body, "object_kind")
    if kind == "deployment":
        return [_deployment(delivery, body)]
    if kind == "pipeline":
        return [_pipeline(delivery, body)]
    if kind == "release":
        return [_release(delivery, body)]
    if kind == "tag_push":
        return [_tag(delivery, body)]
    raise Ignored(f"The event {kind or '(none)'} tells of no change.")


def _deployment(delivery: Delivery, body: dict[str, Any]) -> Heard:
    number, status = text(body, "deployment_id"), text(body, "status")
    sha = text(body, "commit_url").rpartition("/")[2] or text(body, "short_sha")
    if not number or not sha:
        raise Unreadable("deployment_id, or short_sha and commit_url, are missing.")
    delivery.place.wants(text(body, "environment"))
    if status not in DEPLOYMENT:
        raise Ignored(f"The status {status or '(none)'} is not one that changes anything.")
    service = delivery.place.service or text(body, "project", "name")
    short = text(body, "short_sha") or sha[:8]
    return Heard(
        NewChange(
            kind=Change.Kind.DEPLOY,
            time=moment(inner(body, "status_changed_at"), delivery.now) or delivery.now,
            title=f"{service} build {short}",
            build_id=sha,
            actor=text(body, "user", "username") or text(body, "user", "name"),
            url=link(body, "deployable_url"),
            details={
                "provider": "gitlab",
                "commit": sha,
                "ref": text(body, "ref"),
                "commit_title": text(body, "commit_title"),
                "repository": text(body, "project", "path_with_namespace"),
            },
            **_common(delivery, body, f"deployment:{number}"),
        ),
        DEPLOYMENT[status],
    )


def _pipeline(delivery: Delivery, body: dict[str, Any]) -> Heard:
    """A marker, not a deploy: a pipeline may have built and tested only."""
    about = inner(body, "object_attributes")
    number, status, ref = text(about, "id"), text(about, "status"), text(about, "ref")
    if not number:
        raise Unreadable("object_attributes.id is missing.")
    if status not in PIPELINE:
        raise Ignored(f"The status {status or '(none)'} is not one that changes anything.")
    default = text(body, "project", "default_branch")
    if inner(about, "tag") is not True and default and ref != default:
        raise Ignored(f"Only pipelines of {default} and of tags are kept; this one is of {ref}.")
    at = "created_at" if status == "running" else "finished_at"
    service = delivery.place.service or text(body, "project", "name")
    return Heard(
        NewChange(
            kind=Change.Kind.MARKER,
            marker_kind="pipeline",
            time=moment(inner(about, at), delivery.now) or delivery.now,
            title=f"Pipeline of {service}, {ref} at {text(about, 'sha')[:8]}"[:300],
            actor=text(body, "user", "username") or text(body, "user", "name"),
            url=link(about, "url")
            or (f"{web}/-/pipelines/{number}" if (web := link(body, "project", "web_url")) else ""),
            details={"provider": "gitlab", "commit": text(about, "sha"), "ref": ref},
            **_common(delivery, body, f"pipeline:{number}"),
        ),
        PIPELINE[status],
    )


def _release(delivery: Delivery, body: dict[str, Any]) -> Heard:
    if text(body, "action") == "delete":
        raise Ignored("A deleted release changes nothing that runs.")
    tag, name = text(body, "tag"), text(body, "name")
    return _marked(
        delivery,
        body,
        tag,
        "released",
        time=moment(inner(body, "released_at"), delivery.now)
        or moment(inner(body, "created_at"), delivery.now)
        or delivery.now,
        title=f"Release {tag}" + (f": {name}" if name and name != tag else ""),
        url=link(body, "url"),
    )


def _tag(delivery: Delivery, body: dict[str, Any]) -> Heard:
    if not text(body, "after").strip("0"):
        raise Ignored("A deleted tag changes nothing that runs.")
    tag = text(body, "ref").removeprefix("refs/tags/")
    actor = text(body, "user_username") or text(body, "user_name")
    return _marked(
        delivery, body, tag, "tagged", time=delivery.now, title=f"Tag {tag}", actor=actor
    )


def _marked(delivery: Delivery, body: dict[str, Any], tag: str, state: str, **told: Any) -> Heard:
    if not tag:
        raise Unreadable("The tag's name is missing.")
    common = _common(delivery, body, f"tag:{tag}")
    details = {"provider": "gitlab", "tag": tag}
    return Heard(
        NewChange(
            kind=Change.Kind.MARKER, marker_kind="release", details=details, **told, **common
        ),
        state,
    )


def _common(delivery: Delivery, body: dict[str, Any], what: str) -> dict[str, Any]:
    return {
        "environment_id": delivery.place.environment_id,
        "service": delivery.place.service or text(body, "project", "name"),
        "source": "hook",
        "external_id": f"gitlab:{text(body, 'project', 'id')}:{what}"[:200],
    }


PROVIDER = Provider(
    "gitlab",
    "GitLab",
    verify,
    read,
    signs=True,
    tells="Deployments become deploys, named by their commit; pipelines of the default branch, "
    "releases and tags become markers.",
    steps=(
        "In the project or group: Settings, Webhooks, Add new webhook.",
        "URL: the address. Secret token: the secret.",
        "Trigger: Deployment events; if wanted Pipeline, Releases and Tag push events too.",
    ),
)
