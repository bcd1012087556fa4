"""Flagsmith's webhooks, signed by X-Flagsmith-Signature. A hash of the body is the id."""

from typing import Any

from releases.hooks import signatures
from releases.hooks.flag_changes import Told, heard
from releases.hooks.frame import Delivery, Heard, Ignored, Provider, Unreadable
from releases.hooks.reading import fields, inner, text


def verify(delivery: Delivery) -> None:
    signatures.hmac_hex(delivery, "X-Flagsmith-Signature")


def read(delivery: Delivery) -> list[Heard]:
    body = fields(delivery)
    event = text(body, "event_type")
    if event not in ("FLAG_UPDATED", "FLAG_DELETED"):
        raise Ignored(f"The event {event or '(none)'} tells of no single flag.")
    data = inner(body, "data")
    state = inner(data, "new_state") or inner(data, "previous_state")
    key = text(state, "feature", "name")
    if not key:
        raise Unreadable("data.new_state.feature.name is missing.")
    if text(state, "identity_identifier"):
        raise Ignored("It is an override for one identity, not a change for users.")
    delivery.place.wants(text(state, "environment", "name"))
    deleted = event == "FLAG_DELETED"
    return [
        heard(
            delivery,
            Told(
                "flagsmith",
                key,
                "deleted" if deleted else _did(inner(data, "previous_state"), state),
                inner(data, "timestamp"),
                actor=text(data, "changed_by"),
                by_time=True,
                details={"event": event, "environment": text(state, "environment", "name")},
            ),
        )
    ]


def _did(before: Any, after: Any) -> str:
    where = text(after, "feature_segment", "segment", "name")
    whom = f" for {where}" if where else ""
    was, now = inner(before, "enabled"), inner(after, "enabled")
    if was != now and isinstance(now, bool):
        return f"turned {'on' if now else 'off'}{whom}"
    value = text(after, "feature_state_value", longest=60)
    if value and value != text(before, "feature_state_value", longest=60):
        return f"now {value}{whom}"
    return f"changed{whom}"


PROVIDER = Provider(
    "flagsmith",
    "Flagsmith",
    verify,
    read,
    signs=True,
    tells="Each change of a flag in this environment is on the timeline, at Flagsmith's own time.",
    steps=(
        "In Flagsmith: the environment's settings, Webhooks, Create webhook.",
        "URL: the address. Secret: the secret.",
    ),
)
