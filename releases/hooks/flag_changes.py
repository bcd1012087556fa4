"""A change of a flag that lives in another tool, as one entry of the timeline.

Senders repeat themselves and mix up the order: an entry is placed by the sender's own time and
counted once by its own id, or, where it has none, by a hash of what it says. What is told in two
ways, by a webhook and by the tool's own history, is one entry: see releases.elsewhere.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from releases.changes import NewChange
from releases.hooks.frame import Delivery, Heard, Place
from releases.hooks.reading import moment
from releases.models import Change


@dataclass(frozen=True, slots=True)
class Told:
    """What a provider says of one flag. `at` is its own time, `ident` its own id or "".

    `by_time` where the webhook and the history have no id in common: then the time tells that
    both speak of the same change."""

    provider: str
    flag: str
    did: str  # "turned on", "changed: …"
    at: Any
    actor: str = ""
    ident: str = ""
    url: str = ""
    by_time: bool = False
    details: dict[str, Any] = field(default_factory=dict)


def listed(value: Any) -> list[Any]:
    """A list as it is; anything else is none."""
    return value if isinstance(value, list) else []


def heard(delivery: Delivery, told: Told) -> Heard:
    """The entry of a delivery, in the hook's environment."""
    ident = told.ident or hashlib.sha256(delivery.body).hexdigest()[:40]
    return Heard(new_change(told, ident, delivery.place, delivery.now, source="hook"))


def new_change(told: Told, ident: str, place: Place, now: datetime, *, source: str) -> NewChange:
    """The entry, however it came: `source` is hook or poll."""
    details: dict[str, Any] = {"provider": told.provider, **told.details}
    if told.by_time:
        details["same_by"] = "time"
    return NewChange(
        environment_id=place.environment_id,
        kind=Change.Kind.FLAG,
        time=moment(told.at, now) or now,
        title=f"{told.flag} {told.did}"[:300],
        service=place.service,
        flag=told.flag[:200],
        actor=(told.actor or f"somebody in {told.provider}")[:254],
        url=told.url,
        source=source,
        external_id=f"{told.provider}:{told.flag}:{ident}"[:200],
        details=details,
    )
