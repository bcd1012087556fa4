"""Argo CD notifications: the body is a template of the user's, and this is the one we print.

`revision` is the commit of the manifests, not of the application, so the image's tag names the
build. Triggers: notifications_catalog on-deployed, on-sync-failed; it is told of a revision again
after a repeated sync, which is why a build that runs already is left out.
"""

import re
from typing import Any

from releases.changes import NewChange
from releases.hooks.frame import Delivery, Heard, Ignored, Provider, Unreadable
from releases.hooks.reading import fields, inner, link, moment, text
from releases.models import Change

FAILED = frozenset({"failed", "error", "degraded"})


def verify(_delivery: Delivery) -> None:
    """The address is the secret; Argo CD signs nothing."""


def read(delivery: Delivery) -> list[Heard]:
    body = fields(delivery)
    app, revision = text(body, "app"), text(body, "revision")
    if not app or not (revision or inner(body, "images")):
        raise Unreadable("app, and revision or images, are missing: use the template as printed.")
    delivery.place.wants(text(body, "environment"))
    phase = text(body, "phase").lower() or "succeeded"
    if phase in ("running", "terminating"):
        raise Ignored(f"The sync is {phase}; its end will be told.")
    failed = phase in FAILED or text(body, "health").lower() in FAILED
    service = delivery.place.service or app
    build = _build(inner(body, "images"), service) or revision
    finished = moment(inner(body, "finishedAt"), delivery.now) or delivery.now
    begun = moment(inner(body, "startedAt"), delivery.now) or finished
    change = NewChange(
        environment_id=delivery.place.environment_id,
        kind=Change.Kind.DEPLOY,
        time=begun,
        end_time=max(finished, begun),
        title=f"{service} build {build[:60]}" + (" (failed)" if failed else ""),
        service=service,
        build_id=build,
        actor="Argo CD",
        url=link(body, "url"),
        source="hook",
        external_id=f"argocd:{app}:{build}:{begun.isoformat()}"[-200:],
        details={
            "provider": "argocd",
            "revision": revision,
            "state": "failed" if failed else "succeeded",
            "message": text(body, "message", longest=500),
        },
    )
    return [Heard(change, if_new=not failed)]


def _build(images: Any, service: str) -> str:
    """The tag, else the digest, of the image that is named as the service, else of the first."""
    found = [image for image in images if isinstance(image, str)] if type(images) is list else []
    named = [image for image in found if service in image] or found
    if not named:
        return ""
    image = named[0]
    name, _, digest = image.partition("@")
    tag = re.search(r":([\w][\w.-]{0,127})$", name)
    return tag[1] if tag else digest.removeprefix("sha256:")[:64]


SNIPPET = """# argocd-notifications-cm
service.webhook.flipscope: |
  url: {url}
  headers: [{{name: Content-Type, value: application/json}}]
template.flipscope: |
  webhook:
    flipscope:
      method: POST
      body: |
        {{"app": {{{{toJson .app.metadata.name}}}},
         "revision": {{{{toJson .app.status.operationState.syncResult.revision}}}},
         "images": {{{{toJson .app.status.summary.images}}}},
         "phase": {{{{toJson .app.status.operationState.phase}}}},
         "health": {{{{toJson .app.status.health.status}}}},
         "startedAt": {{{{toJson .app.status.operationState.startedAt}}}},
         "finishedAt": {{{{toJson .app.status.operationState.finishedAt}}}},
         "message": {{{{toJson .app.status.operationState.message}}}},
         "url": "{{{{.context.argocdUrl}}}}/applications/{{{{.app.metadata.name}}}}"}}
trigger.flipscope: |
  - when: app.status.operationState != nil and app.status.operationState.phase in ['Succeeded'] and app.status.health.status == 'Healthy'
    oncePer: app.status.operationState?.syncResult?.revision
    send: [flipscope]
  - when: app.status.operationState != nil and app.status.operationState.phase in ['Error', 'Failed']
    oncePer: app.status.operationState.startedAt
    send: [flipscope]
# and on each Application:
#   notifications.argoproj.io/subscribe.flipscope.flipscope: \"\""""  # noqa: E501  # as Argo CD reads it

PROVIDER = Provider(
    "argocd",
    "Argo CD",
    verify,
    read,
    signs=False,
    tells="A finished sync becomes a deploy of the application, named by its image's tag.",
    steps=("Add this to the notifications' ConfigMap, and subscribe the applications.",),
    snippet=SNIPPET,
)
