"""What every picture of one answer shares: its time, its steps, its marked changes, its lanes."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any

from insights import annotations, axes
from insights.annotations import Group


@dataclass(frozen=True, slots=True)
class Frame:
    """What every picture of one answer shares."""

    since: datetime
    until: datetime
    step_s: int
    zone: tzinfo
    base: str
    groups: tuple[Group, ...] = ()
    prefix: str = ""  # of the pictures' ids, where a page has several answers
    read_since: datetime | None = None  # where only the steps from there on are known

    def steps(self) -> "Steps":
        """Every step of the window, so that a line shows where nothing came in."""
        first = int((self.read_since or self.since).timestamp()) // self.step_s * self.step_s
        # The step under way is left out, so that no line ends in a drop that is not there.
        last = int(self.until.timestamp()) - self.step_s + 1
        return _steps(first, last, self.step_s, self.zone)


@dataclass(frozen=True, slots=True)
class Steps:
    """Where the steps of a picture begin: as times, as Plotly reads them, in words."""

    starts: tuple[datetime, ...]
    xs: tuple[str, ...]
    clocks: tuple[str, ...]  # local: "07:42:00"
    texts: tuple[str, ...]  # of the table's rows


@lru_cache(maxsize=64)  # each picture of a page asks again, and so does who looks again
def _steps(first: int, last: int, step_s: int, zone: tzinfo) -> Steps:
    starts = [datetime.fromtimestamp(at, UTC) for at in range(first, last, step_s)]
    return Steps(
        tuple(starts),
        tuple(axes.x(start) for start in starts),
        tuple(f"{start.astimezone(zone):%H:%M:%S}" for start in starts),
        tuple(axes.time_text(start, zone) for start in starts),
    )


def x_of(time: str) -> str:
    """A time of an answer, always UTC and whole seconds, as `axes.x` writes it."""
    return time.removesuffix("Z")


def layout_of(frame: Frame) -> dict[str, Any]:
    """A time axis, the lane of changes below, and their lines."""
    return {
        "xaxis": axes.time_axis(frame.since, frame.until, frame.zone, anchor="y2"),
        "yaxis2": annotations.lane(),
        "hovermode": "closest",
        "shapes": annotations.rules(frame.groups),
        "margin": {"l": 70, "r": 14, "t": 10, "b": 34},
    }
