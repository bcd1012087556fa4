"""GrowthBook's event webhooks, signed by X-GrowthBook-Signature. A hash of the body is the id."""

from releases.hooks import signatures
from releases.hooks.flag_changes import Told, heard, listed
from releases.hooks.frame import Delivery, Heard, Ignored, Provider, Unreadable
from releases.hooks.reading import fields, inner, text

EVENTS = {
    "feature.created": "created",
    "feature.updated": "changed",
    "feature.deleted": "deleted",
    "feature.saferollout.ship": "shipped by its safe rollout",
    "feature.saferollout.rollback": "rolled back by its safe rollout",
    "feature.rampSchedule.actions.started": "begins its ramp",
    "feature.rampSchedule.actions.step.advanced": "goes a step further on its ramp",
    "feature.rampSchedule.actions.completed": "has ended its ramp",
    "feature.rampSchedule.actions.rolledBack": "has its ramp rolled back",
    "feature.revision.published": "has a new revision",
    "feature.revision.reverted": "reverted",
}
EFFECT = "feature.updated"
ALONE = ("feature.created", "feature.deleted")  # every other event comes with an update


def verify(delivery: Delivery) -> None:
    signatures.hmac_hex(delivery, "X-GrowthBook-Signature")


def read(delivery: Delivery) -> list[Heard]:
    body = fields(delivery)
    event = text(body, "event")
    if event not in EVENTS:
        raise Ignored(f"The event {event or '(none)'} changes no feature.")
    feature = inner(body, "data", "object")
    key = text(feature, "id") or text(feature, "featureId")
    if not key:
        raise Unreadable("data.object.id is missing.")
    environments = [one for one in listed(inner(body, "environments")) if isinstance(one, str)]
    if len(environments) == 1:
        delivery.place.wants(environments[0])
    return [
        heard(
            delivery,
            Told(
                "growthbook",
                key,
                EVENTS[event],
                inner(body, "created"),
                actor=text(body, "user", "email") or text(body, "user", "name"),
                by_time=True,
                details={
                    "event": event,
                    "half": "" if event in ALONE else "effect" if event == EFFECT else "cause",
                    "environments": environments,
                    "revision": text(feature, "revision", "version") or text(feature, "version"),
                    "comment": text(feature, "revision", "comment", longest=1000)
                    or text(feature, "comment", longest=1000),
                },
            ),
        )
    ]


PROVIDER = Provider(
    "growthbook",
    "GrowthBook",
    verify,
    read,
    signs=True,
    tells="Each change of a feature is on the timeline, at GrowthBook's own time.",
    steps=(
        "In GrowthBook: Settings, Webhooks, Event webhooks, Create.",
        "Endpoint: the address. Events: feature.*. Environments: the one that this one is.",
        "Copy the webhook's secret (ewhk_…) into the secret here.",
    ),
)
