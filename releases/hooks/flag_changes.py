"""A change of a flag that lives in another tool, as one entry of the timeline.

Senders repeat themselves and mix up the order: an entry is placed by the sender's own time and
counted once by its own id, or, where it has none, by a hash of what it says.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from releases.changes import NewChange
from releases.hooks.frame import Delivery, Heard
from releases.hooks.reading import moment
from releases.models import Change


@dataclass(frozen=True, slots=True)
class Told:
    """What a provider says of one flag. `at` is its own time, `ident` its own id or ""."""

    provider: str
    flag: str
    did: str  # "turned on", "changed: …"
    at: Any
    actor: str = ""
    ident: str = ""
    url: str = ""
    details: dict[str, Any] = field(default_factory=dict)


def listed(value: Any) -> list[Any]:
    """A list as it is; anything else is none."""
    return value if isinstance(value, list) else []


def heard(delivery: Delivery, told: Told) -> Heard:
    """The entry, in the hook's environment."""
    time = moment(told.at, delivery.now) or delivery.now
    ident = told.ident or hashlib.sha256(delivery.body).hexdigest()[:40]
    return Heard(
        NewChange(
            environment_id=delivery.place.environment_id,
            kind=Change.Kind.FLAG,
            time=time,
            title=f"{told.flag} {told.did}"[:300],
            service=delivery.place.service,
            flag=told.flag[:200],
            actor=(told.actor or f"somebody in {told.provider}")[:254],
            url=told.url,
            source="hook",
            external_id=f"{told.provider}:{told.flag}:{ident}"[:200],
            details={"provider": told.provider, **told.details},
        )
    )
