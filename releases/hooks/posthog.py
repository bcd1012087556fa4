"""PostHog's activity log as a destination sends it (`$activity_log_entry_created`).

The template of the destination is one's own: the entry may stand at the top, in `activity` or in
`event.properties`. The secret is sent in the Authorization header.
"""

from typing import Any

from releases.hooks import signatures
from releases.hooks.flag_changes import Told, heard, listed
from releases.hooks.frame import Delivery, Heard, Ignored, Provider, Unreadable
from releases.hooks.reading import fields, inner, text

PLACES = ((), ("activity",), ("event", "properties"), ("properties",))


def verify(delivery: Delivery) -> None:
    signatures.shared(delivery, "Authorization")


def read(delivery: Delivery) -> list[Heard]:
    body = fields(delivery)
    found = next((one for path in PLACES if text(one := inner(body, *path), "scope")), None)
    if found is None:
        raise Unreadable("scope is missing: send the entry of the activity log as it is.")
    return [heard(delivery, entry(found))]


def entry(found: dict[str, Any]) -> Told:
    """An entry of the activity log, as it is sent and as the API gives it. Raises Ignored,
    Unreadable."""
    if text(found, "scope") != "FeatureFlag":
        raise Ignored(f"It is about a {text(found, 'scope')}, not a flag.")
    key = text(found, "detail", "name") or text(found, "detail", "short_id")
    if not key:
        raise Unreadable("detail.name is missing.")
    changes = [one for one in listed(inner(found, "detail", "changes")) if isinstance(one, dict)]
    return Told(
        "posthog",
        key,
        _did(text(found, "activity"), changes),
        inner(found, "created_at"),
        actor=text(found, "user", "email"),
        ident=text(found, "id"),
        details={"fields": [text(one, "field") for one in changes][:20]},
    )


def _did(activity: str, changes: list[dict[str, Any]]) -> str:
    for one in changes:
        if text(one, "field") == "active" and isinstance(after := inner(one, "after"), bool):
            return f"turned {'on' if after else 'off'}"
    names = ", ".join(filter(None, (text(one, "field") for one in changes)))[:120]
    if activity in ("created", "deleted"):
        return activity
    return f"changed: {names}" if names else "changed"


PROVIDER = Provider(
    "posthog",
    "PostHog",
    verify,
    read,
    signs=True,
    tells="Each change of a feature flag is on the timeline, at PostHog's own time.",
    steps=(
        "In PostHog: Data pipelines, Destinations, HTTP webhook, for activity log entries.",
        "URL: the address. Header Authorization: the secret. Body: the entry as it is.",
        "Filter: scope is FeatureFlag.",
    ),
)
