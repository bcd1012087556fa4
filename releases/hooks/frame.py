"""What every provider's module is given and gives back.

A provider tells of one change in steps (created, started, succeeded), repeats itself and mixes up
the order. So `read()` gives what one delivery says, and `releases.settled` merges it into the
change: whatever the order and however often, the same deliveries end as the same change.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from releases.changes import NewChange


class NotVerified(Exception):
    """The delivery is not from whom it says: signature or token is missing or wrong. 401."""


class Unreadable(Exception):
    """The body is not what this provider sends; the message says why. 400."""


class Ignored(Exception):
    """A good delivery that tells of no change here; the message says why. 200."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which environment a hook feeds, and what its deliveries are filtered and named by.

    `others` are the names of the project's other environments: what a delivery says is for one
    of them is not for this one. `only` is the provider's name for this one where it differs.
    """

    environment_id: int
    names: frozenset[str]
    others: frozenset[str] = frozenset()
    only: str = ""
    service: str = ""

    def wants(self, environment: str) -> None:
        """Raises Ignored where a delivery names an environment that is not this one."""
        named = environment.strip().lower()
        if not named or named in self.names or named == self.only.lower():
            return
        if self.only:
            raise Ignored(f"It is for the environment {environment}; this hook takes {self.only}.")
        if named in self.others:
            raise Ignored(f"It is for {environment}, another environment of this project.")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request to a hook. Header names are lower-case; `secret` is what the two sides share."""

    headers: Mapping[str, str]
    body: bytes
    place: Place
    secret: str
    now: datetime
    rest: str = ""  # what follows the token in the address

    def header(self, name: str) -> str:
        return self.headers.get(name.lower(), "")


@dataclass(frozen=True, slots=True)
class Heard:
    """What one delivery says of one change.

    `state` is a step of it (releases.settled.STATES), and `change.time` when that step was; ""
    for what happened at once. Without `change.external_id` equal bodies within ten minutes are
    one delivery that was repeated. `if_new` leaves out a deploy of the build that runs already:
    for providers that report the same state again and again.
    """

    change: NewChange
    state: str = ""
    if_new: bool = False


Verify = Callable[[Delivery], None]
Read = Callable[[Delivery], list[Heard]]


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider for the endpoint and the settings page. `steps` are what to do over there."""

    slug: str
    name: str
    verify: Verify
    read: Read
    signs: bool  # whether a secret besides the address is needed
    tells: str  # what its deliveries become, in words
    steps: tuple[str, ...] = field(default=())
    snippet: str = ""  # {url} and {secret} are filled in when the hook is made
