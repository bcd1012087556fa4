"""Unleash's webhook addon: events of features. It signs nothing, but sends a header.

It tries once more and then gives up, so an event may be lost; its id makes each count once.
"""

from typing import Any

from releases.hooks import signatures
from releases.hooks.flag_changes import Told, heard
from releases.hooks.frame import Delivery, Heard, Ignored, Place, Provider, Unreadable
from releases.hooks.reading import fields, inner, text

TYPES = {
    "feature-created": "created",
    "feature-updated": "changed",
    "feature-archived": "archived",
    "feature-revived": "revived",
    "feature-environment-enabled": "turned on",
    "feature-environment-disabled": "turned off",
    "feature-strategy-add": "has another strategy",
    "feature-strategy-update": "has a changed strategy",
    "feature-strategy-remove": "lost a strategy",
    "feature-environment-variants-updated": "has new variants",
    "feature-variants-updated": "has new variants",
    "feature-project-change": "moved to another project",
    "change-request-applied": "changed by a change request",
    "change-request-scheduled-application-success": "changed by a scheduled change request",
}


def verify(delivery: Delivery) -> None:
    signatures.shared(delivery, "Authorization")


def read(delivery: Delivery) -> list[Heard]:
    return [heard(delivery, entry(fields(delivery), delivery.place))]


def entry(body: dict[str, Any], place: Place) -> Told:
    """An event, as webhooks and the API give it. Raises Ignored, Unreadable."""
    kind, key = text(body, "type"), text(body, "featureName")
    if not kind:
        raise Unreadable("type is missing: leave the addon's body template empty.")
    if kind not in TYPES or not key:
        raise Ignored(f"The event {kind} changes no flag.")
    environment = text(body, "environment")
    place.wants(environment)
    return Told(
        "unleash",
        key,
        TYPES[kind],
        inner(body, "createdAt"),
        actor=text(body, "createdBy"),
        ident=text(body, "id"),
        details={
            "type": kind,
            "environment": environment,
            "project": text(body, "project"),
            "summary": text(body, "summary", longest=1000),
        },
    )


PROVIDER = Provider(
    "unleash",
    "Unleash",
    verify,
    read,
    signs=True,
    tells="Each change of a feature in this environment is on the timeline, at Unleash's own time.",
    steps=(
        "In Unleash: Integrations, Webhook, New integration.",
        "URL: the address. Authorization: the secret. Leave the body template empty.",
        "Events: all feature events; Environments: the one that this one is.",
    ),
)
