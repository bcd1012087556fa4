"""GitHub webhooks: deployments and their statuses, releases, pushed tags.

Signed by HMAC-SHA256 of the raw body in X-Hub-Signature-256, the raw form body too. Payloads:
octokit/webhooks. `inactive` means that a newer deployment took its place: never a roll-back.
"""

from typing import Any

from releases.changes import NewChange
from releases.hooks import signatures
from releases.hooks.frame import Delivery, Heard, Ignored, Provider, Unreadable
from releases.hooks.reading import fields, inner, link, moment, text
from releases.models import Change

STATES = {
    "queued": "created",
    "pending": "created",
    "waiting": "waiting",
    "in_progress": "started",
    "success": "succeeded",
    "failure": "failed",
    "error": "failed",
}


def verify(delivery: Delivery) -> None:
    signatures.hmac_hex(delivery, "X-Hub-Signature-256", prefix="sha256=")


def read(delivery: Delivery) -> list[Heard]:
    event = delivery.header("X-GitHub-Event")
    body = fields(delivery)
    if event == "deployment":
        return [_deployment(delivery, body, "created", inner(body, "deployment"))]
    if event == "deployment_status":
        status = inner(body, "deployment_status")
        state = text(status, "state")
        if state == "inactive":
            raise Ignored("A newer deployment took its place.")
        if state not in STATES:
            raise Ignored(f"The state {state or '(none)'} is not one that changes anything.")
        return [_deployment(delivery, body, STATES[state], status)]
    if event == "release":
        return [_release(delivery, body)]
    if event == "push":
        return [_tag(delivery, body)]
    if event == "ping":
        raise Ignored("GitHub says hello: the hook works.")
    raise Ignored(f"The event {event or '(none)'} tells of no change.")


def _deployment(delivery: Delivery, body: dict[str, Any], state: str, step: Any) -> Heard:
    deployment = inner(body, "deployment")
    number, sha = text(deployment, "id"), text(deployment, "sha")
    if not number or not sha:
        raise Unreadable("deployment.id or deployment.sha is missing.")
    delivery.place.wants(text(deployment, "environment"))
    repository = text(body, "repository", "name")
    service = text(deployment, "payload", "service") or delivery.place.service or repository
    ref = text(deployment, "ref")
    return Heard(
        NewChange(
            environment_id=delivery.place.environment_id,
            kind=Change.Kind.DEPLOY,
            time=moment(inner(step, "created_at"), delivery.now) or delivery.now,
            title=f"{service} build {_short(sha)}" + (f" from {ref}" if ref != sha else ""),
            service=service,
            build_id=sha,
            actor=text(deployment, "creator", "login"),
            url=link(step, "log_url") or link(step, "target_url"),
            source="hook",
            external_id=f"github:{text(body, 'repository', 'id')}:deployment:{number}",
            details={
                "provider": "github",
                "commit": sha,
                "ref": ref,
                "repository": text(body, "repository", "full_name"),
            },
        ),
        state,
    )


def _release(delivery: Delivery, body: dict[str, Any]) -> Heard:
    if text(body, "action") not in ("published", "released"):
        raise Ignored("Only a published release is a change.")
    release = inner(body, "release")
    tag, name = text(release, "tag_name"), text(release, "name")
    at = inner(release, "published_at") or inner(release, "created_at")
    told = f"Release {tag}" + (f": {name}" if name and name != tag else "")
    return _marked(
        delivery,
        body,
        tag,
        "released",
        time=moment(at, delivery.now) or delivery.now,
        title=told,
        actor=text(release, "author", "login"),
        url=link(release, "html_url"),
    )


def _tag(delivery: Delivery, body: dict[str, Any]) -> Heard:
    ref = text(body, "ref")
    if not ref.startswith("refs/tags/"):
        raise Ignored("A push to a branch changes nothing that runs.")
    if inner(body, "deleted") is True:
        raise Ignored("A deleted tag changes nothing that runs.")
    tag = ref.removeprefix("refs/tags/")
    at = inner(body, "repository", "pushed_at")
    return _marked(
        delivery,
        body,
        tag,
        "tagged",
        time=moment(at, delivery.now) or delivery.now,
        title=f"Tag {tag}",
        actor=text(body, "pusher", "name"),
        url=link(body, "compare"),
    )


def _marked(delivery: Delivery, body: dict[str, Any], tag: str, state: str, **told: Any) -> Heard:
    """A tag and the release made of it are one marker."""
    if not tag:
        raise Unreadable("The tag's name is missing.")
    repository = text(body, "repository", "name")
    return Heard(
        NewChange(
            environment_id=delivery.place.environment_id,
            kind=Change.Kind.MARKER,
            marker_kind="release",
            service=delivery.place.service or repository,
            source="hook",
            external_id=f"github:{text(body, 'repository', 'id')}:tag:{tag}"[:200],
            details={"provider": "github", "tag": tag, "repository": repository},
            **told,
        ),
        state,
    )


def _short(sha: str) -> str:
    return sha[:7]


PROVIDER = Provider(
    "github",
    "GitHub",
    verify,
    read,
    signs=True,
    tells="Deployments become deploys, named by their commit; releases and tags become markers.",
    steps=(
        "In the repository or organisation: Settings, Webhooks, Add webhook.",
        "Payload URL: the address. Content type: application/json. Secret: the secret.",
        "Let me select individual events: Deployments, Deployment statuses, Releases, Pushes.",
    ),
)
