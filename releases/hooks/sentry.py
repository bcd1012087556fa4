"""Sentry's generic form of flag changes, signed by X-Sentry-Signature: for any other flag tool.

{"data": [{"action", "change_id", "created_at", "created_by": {"id", "type"}, "flag"}],
 "meta": {"version": 1}}
"""

from releases.hooks import signatures
from releases.hooks.flag_changes import Told, heard
from releases.hooks.frame import Delivery, Heard, Provider, Unreadable
from releases.hooks.reading import fields, inner, text

ACTIONS = {"created": "created", "updated": "changed", "modified": "changed", "deleted": "deleted"}
MOST = 500


def verify(delivery: Delivery) -> None:
    signatures.hmac_hex(delivery, "X-Sentry-Signature")


def read(delivery: Delivery) -> list[Heard]:
    entries = inner(fields(delivery), "data")
    if not isinstance(entries, list) or not entries:
        raise Unreadable("data must be a list of changes.")
    if len(entries) > MOST:
        raise Unreadable(f"data may hold {MOST} changes at most.")
    found = []
    for i, one in enumerate(entries):
        flag, action = text(one, "flag"), text(one, "action")
        if not flag or action not in ACTIONS:
            raise Unreadable(
                f"data[{i}] needs flag, and action as one of {', '.join(sorted(ACTIONS))}."
            )
        number = text(one, "change_id")
        at = inner(one, "created_at") or inner(one, "modified_at")
        found.append(
            heard(
                delivery,
                Told(
                    "sentry",
                    flag,
                    ACTIONS[action],
                    at,
                    actor=text(one, "created_by", "id") or text(one, "modified_by"),
                    ident=number or f"{action} {at}",
                ),
            )
        )
    return found


PROVIDER = Provider(
    "sentry",
    "Sentry's form (any flag tool)",
    verify,
    read,
    signs=True,
    tells="Each change of a flag is on the timeline.",
    steps=(
        "Send what you would send to Sentry's flag change webhook, to the address.",
        "X-Sentry-Signature: the hexadecimal HMAC-SHA256 of the body with the secret.",
    ),
)
