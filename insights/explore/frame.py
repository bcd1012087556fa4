"""What every picture of one answer shares: its time, its steps, its marked changes, its lanes."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from insights import axes
from insights.explore import annotations
from insights.explore.annotations import Group

PANEL, LANE = [0.13, 1], [0, 0.07]


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
        starts = [datetime.fromtimestamp(at, UTC) for at in range(first, last, self.step_s)]
        return Steps(
            starts,
            [axes.x(start) for start in starts],
            [f"{start.astimezone(self.zone):%H:%M:%S}" for start in starts],
        )


@dataclass(frozen=True, slots=True)
class Steps:
    """Where the steps of a picture begin: as times, as Plotly reads them, on the local clock."""

    starts: list[datetime]
    xs: list[str]
    clocks: list[str]


def x_of(time: str) -> str:
    """A time of an answer, always UTC and whole seconds, as `axes.x` writes it."""
    return time.removesuffix("Z")


def layout_of(frame: Frame) -> dict[str, Any]:
    """A time axis, the lane of changes below, and their lines."""
    return {
        "xaxis": axes.time_axis(frame.since, frame.until, frame.zone, anchor="y2"),
        "yaxis2": {"domain": LANE, "range": [-1, 1], "visible": False},
        "hovermode": "closest",
        "shapes": annotations.rules(frame.groups),
        "margin": {"l": 70, "r": 14, "t": 10, "b": 34},
    }
