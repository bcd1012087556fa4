"""LaunchDarkly's webhooks: entries of its audit log, signed by X-LD-Signature.

They "may not be delivered in chronological order": the entry's own date decides, and its _id makes
it count once, so that a replay adds nothing. The signature covers the body alone.
"""

from typing import Any

from releases.hooks import signatures
from releases.hooks.flag_changes import Told, heard, listed
from releases.hooks.frame import Delivery, Heard, Ignored, Place, Provider, Unreadable
from releases.hooks.reading import fields, inner, link, text

VERBS = {
    "updateOn": "turned on or off",
    "createFlag": "created",
    "deleteFlag": "deleted",
    "updateRules": "has new rules",
    "updateFallthrough": "has a new default rule",
    "updateTargets": "has new targets",
    "updateScheduledChanges": "has new scheduled changes",
}


def verify(delivery: Delivery) -> None:
    signatures.hmac_hex(delivery, "X-LD-Signature")


def read(delivery: Delivery) -> list[Heard]:
    return [heard(delivery, entry(fields(delivery), delivery.place))]


def entry(body: dict[str, Any], place: Place) -> Told:
    """An entry of the audit log, as webhooks and the API give it. Raises Ignored, Unreadable."""
    if text(body, "kind") != "flag":
        raise Ignored(f"It is about a {text(body, 'kind') or 'thing'}, not a flag.")
    ident = text(body, "_id")
    if not ident:
        raise Unreadable("_id is missing: this is no entry of LaunchDarkly's audit log.")
    accesses = [one for one in listed(inner(body, "accesses")) if isinstance(one, dict)]
    key, environment = _named(accesses, inner(body, "target", "resources"))
    if not key:
        raise Unreadable("accesses name no flag.")
    place.wants(environment)
    return Told(
        "launchdarkly",
        key,
        _did(body, accesses),
        inner(body, "date"),
        actor=text(body, "member", "email") or text(body, "token", "name"),
        ident=ident,
        url=link(body, "_links", "site", "href"),
        details={"comment": text(body, "comment", longest=1000), "environment": environment},
    )


def _named(accesses: list[dict[str, Any]], resources: Any) -> tuple[str, str]:
    """(flag, environment) of proj/p:env/e:flag/f, the first that names an environment."""
    names = [text(one, "resource") for one in accesses]
    names += [one for one in listed(resources) if isinstance(one, str)]
    found = ("", "")
    for name in names:
        parts = dict(part.split("/", 1) for part in name.split(":") if "/" in part)
        if "flag" in parts:
            key, environment = parts["flag"].partition(";")[0], parts.get("env", "")
            environment = "" if environment == "*" else environment.partition(";")[0]
            if environment or not found[0]:
                found = (key, environment)
            if environment:
                break
    return found


def _did(body: dict[str, Any], accesses: list[dict[str, Any]]) -> str:
    said = text(body, "titleVerb", longest=120)
    for word, did in (("turned on", "turned on"), ("turned off", "turned off")):
        if word in said:
            return did
    action = text(accesses[0], "action") if accesses else ""
    return VERBS.get(action, "changed") + (f" ({said})" if said and action not in VERBS else "")


PROVIDER = Provider(
    "launchdarkly",
    "LaunchDarkly",
    verify,
    read,
    signs=True,
    tells="Each change of a flag is on the timeline, at LaunchDarkly's own time.",
    steps=(
        "In LaunchDarkly: Integrations, Webhooks, Add integration.",
        "URL: the address. Sign this webhook: on, with the secret.",
        "Policy: flags of the environment that this one is (proj/*:env/production:flag/*).",
    ),
)
