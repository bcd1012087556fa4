"""Wall-clock times → instants, with the hours that a zone skips or has twice (pure).

Kept with a plan: what was written, the zone, the instant, and which edition of the time zone
database said so.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import metadata
from typing import Any
from zoneinfo import ZoneInfo

from flags.wrong import DefinitionError

LONGEST_AHEAD = timedelta(days=5 * 366)
FOLDS = ("earlier", "later")


@dataclass(frozen=True, slots=True)
class Wall:
    """A time as a person wrote it, and the instant it is."""

    text: str
    timezone: str
    at: datetime
    tzdata: str

    @property
    def second(self) -> int:
        return int(self.at.timestamp())


def tzdata_version() -> str:
    """The edition of the time zone database in use, as told by its package."""
    try:
        return metadata.version("tzdata")
    except metadata.PackageNotFoundError:
        return "the system's"


def zone_of(name: Any, field: str = "timezone") -> ZoneInfo:
    """The zone of an IANA name. Raises DefinitionError."""
    try:
        if not isinstance(name, str) or not name:
            raise ValueError
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise DefinitionError(
            field, f"There is no time zone {name!s:.60}. Write for example Europe/Berlin or UTC."
        ) from None


def read_wall(field: str, value: Any, timezone: str | None, fold: str | None = None) -> Wall:
    """A wall-clock time in a zone ("2026-12-01T10:00:00"), or an instant with an offset; a part
    of a second makes it the next whole one.

    `fold` chooses "earlier" or "later" where clocks show the time twice. Raises DefinitionError
    where they never show it.
    """
    try:
        if not isinstance(value, str):
            raise ValueError
        found = datetime.fromisoformat(value)
    except ValueError:
        raise DefinitionError(
            field, f'{field} must be a time such as "2026-12-01T10:00:00", with its timezone.'
        ) from None
    try:
        found = _whole(found)
    except OverflowError:
        raise DefinitionError(field, f"{field} is out of range.") from None
    if found.tzinfo is not None:
        zone = zone_of(timezone) if timezone else ZoneInfo("UTC")
        try:
            at = found.astimezone(UTC)
            local = at.astimezone(zone)
        except OverflowError:
            raise DefinitionError(field, f"{field} is out of range.") from None
        return Wall(local.replace(tzinfo=None).isoformat(), str(zone), at, tzdata_version())
    if not timezone:
        raise DefinitionError("timezone", "timezone is missing: whose clock shows that time?")
    zone = zone_of(timezone)
    try:
        at = _instant(field, found, zone, fold)
    except OverflowError:
        raise DefinitionError(field, f"{field} is out of range.") from None
    return Wall(found.isoformat(), timezone, at, tzdata_version())


def _whole(time: datetime) -> datetime:
    """Evaluators know whole seconds: the next one, so that nothing happens before its time."""
    return time.replace(microsecond=0) + timedelta(seconds=1 if time.microsecond else 0)


def check_ahead(field: str, wall: Wall, now: datetime) -> None:
    """Raises DefinitionError for what has passed, or is years away."""
    if wall.at <= now:
        raise DefinitionError(
            field,
            f"{wall.text} in {wall.timezone} has passed (it is {now:%Y-%m-%d %H:%M:%S} UTC now). "
            "Choose a time to come, or change the flag at once.",
        )
    if wall.at > now + LONGEST_AHEAD:
        raise DefinitionError(field, f"{field} is more than five years ahead.")


def _instant(field: str, wall: datetime, zone: ZoneInfo, fold: str | None) -> datetime:
    if fold is not None and fold not in FOLDS:
        raise DefinitionError("fold", "fold must be earlier or later.")
    first, second = (wall.replace(tzinfo=zone, fold=number).astimezone(UTC) for number in (0, 1))
    if first == second:
        return first
    if first.astimezone(zone).replace(tzinfo=None) != wall:  # a gap: neither reading comes back
        before, after = sorted((first.astimezone(zone), second.astimezone(zone)))
        raise DefinitionError(
            field,
            f"{wall:%H:%M:%S} does not exist on {wall.day} {wall:%B %Y} in {zone}: clocks are put "
            f"forward. Choose {before:%H:%M:%S} or {after:%H:%M:%S}.",
        )
    if fold is None:
        raise DefinitionError(
            "fold" if field == "at" else field,
            f"{wall:%H:%M:%S} comes twice on {wall.day} {wall:%B %Y} in {zone}, at "
            f"{first:%H:%M:%S} and at {second:%H:%M:%S} UTC: clocks are put back. "
            'Choose the earlier or the later one (fold: "earlier" or "later").',
        )
    return first if fold == "earlier" else second
