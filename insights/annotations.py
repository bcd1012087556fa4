"""The environment's changes on a picture over time: shape and colour tell the kind, a verdict of
worse or better has its own colour, and marks that would lie on each other become one with a number:
here for the widest picture, in static/js/crowded.js for the width that there is. Every chart over
time in the product draws its changes with this module.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import urlencode

from insights import axes
from insights.changes import Told, told
from releases.changes import timeline
from web import words
from web.charts import Mark

KIND_COLOURS = {"deploy": "@deploy", "flag": "@flag", "marker": "@marker"}
KIND_NAMES = {"deploy": "deploy", "flag": "flag change", "marker": "marker"}
SHAPES = {"deploy": "squares", "flag": "diamonds", "marker": "triangles"}
MARKS = {  # kinds of changes, joined by "-"
    "": "All changes",
    "deploy-flag": "Deploys and flag changes",
    "deploy-marker": "Deploys and markers",
    "flag-marker": "Flag changes and markers",
    "deploy": "Deploys only",
    "flag": "Flag changes only",
    "marker": "Markers only",
    "none": "No changes",
}
PANEL, LANE = [0.13, 1], [0, 0.07]  # of the picture's height: the lines, their marks below
STRONG = ("@worse", "@better")
MOST_RULES = 60  # vertical lines; beyond it only those of worse and better
APART = 0.016  # of the picture's width, where two marks would touch on the widest screen
MOST = 1000
MOST_LISTED = 100
HOVERED = 8


@dataclass(frozen=True, slots=True)
class Group:
    """Changes of one kind that stand so close that they are drawn as one."""

    kind: str
    told: tuple[Told, ...]

    @property
    def at(self) -> datetime:
        times = [one.change.time for one in self.told]
        return times[0] + (times[-1] - times[0]) / 2

    @property
    def colour(self) -> str:
        verdicts = {one.verdict for one in self.told}
        for verdict in axes.TOLD:
            if verdict in verdicts:
                return axes.COLOURS[verdict]
        return KIND_COLOURS.get(self.kind, "@marker")


def changes(
    environment_id: int, since: datetime, until: datetime, show: str, service: str = ""
) -> list[Told]:
    """What changed in a window, oldest first; `show` is one of MARKS, else all."""
    if show == "none":
        return []
    found = timeline(
        environment_id,
        since=since,
        until=until,
        kinds=_kinds(show),
        service=service or None,
        limit=MOST,
    )
    return told(found[::-1])


def of_kinds(known: Sequence[Told], show: str) -> list[Told]:
    """Those of the kinds that were chosen; `show` is one of MARKS, else all. Pure."""
    kinds = _kinds(show)
    return [one for one in known if not kinds or one.change.kind in kinds]


def _kinds(show: str) -> tuple[str, ...]:
    """The kinds that one of MARKS names; none named are all."""
    return tuple(show.split("-")) if show and show in MARKS else ()


def grouped(marks: Sequence[Told], since: datetime, until: datetime) -> list[Group]:
    """Groups by kind in order of time. Pure."""
    width = (until - since) * APART
    groups: list[Group] = []
    for kind in KIND_COLOURS:
        near: list[Told] = []
        for one in sorted(
            (one for one in marks if one.change.kind == kind), key=lambda one: one.change.time
        ):
            if near and one.change.time - near[0].change.time > width:
                groups.append(Group(kind, tuple(near)))
                near = []
            near.append(one)
        if near:
            groups.append(Group(kind, tuple(near)))
    return sorted(groups, key=lambda group: group.at)


def trace(
    groups: Sequence[Group],
    *,
    zone: tzinfo,
    base: str,
    yaxis: str,
    lanes: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The marks in a lane of their own, or each kind in one of `lanes`, names on that axis.

    Each leads to its change, or to the timeline.

    `customdata` and `meta` say what crowded.js needs to put several together.
    """
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": "changes",
        "x": [axes.x(group.at) for group in groups],
        "y": [lanes[group.kind] if lanes else 0 for group in groups],
        "yaxis": yaxis,
        "customdata": [[_link(group, base), group.kind, _after(group)] for group in groups],
        "meta": {"timeline": f"{base}/timeline"},
        "hovertext": [_hover(group, zone) for group in groups],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "text": [str(len(group.told)) if len(group.told) > 1 else "" for group in groups],
        "textposition": "middle center",
        "textfont": {"color": "@surface", "size": 10},
        "marker": {
            "symbol": [axes.SYMBOLS.get(group.kind, "triangle-up") for group in groups],
            "size": [18 if len(group.told) > 1 else 12 for group in groups],
            "color": [group.colour for group in groups],
            "line": {"width": 0},
            "opacity": 1,
        },
        "cliponaxis": False,
    }


def lane() -> dict[str, Any]:
    """The axis of a lane under the lines, for `trace`."""
    return {"domain": LANE, "range": [-1, 1], "visible": False}


def rules(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """One line each, solid for deploys, dotted for flags, dashed for markers."""
    dashes = {"deploy": "solid", "flag": "dot", "marker": "dash"}
    crowded = len(groups) > MOST_RULES
    return [
        axes.rule(
            group.at,
            colour=group.colour if group.colour in STRONG else "@line-strong",
            dash=dashes[group.kind],
        )
        for group in groups
        if not crowded or group.colour in STRONG
    ]


def said(groups: Sequence[Group]) -> str:
    """ "Marked: 3 deploys (squares), 1 flag change (diamonds)." """
    parts = []
    for kind, name in KIND_NAMES.items():
        count = sum(len(group.told) for group in groups if group.kind == kind)
        if count:
            parts.append(f"{words.plural(count, name)} ({SHAPES[kind]})")
    if not parts:
        return ""
    count = sum(len(group.told) for group in groups)
    head = f"Marked, the newest {words.number(MOST)} alone" if count >= MOST else "Marked"
    return f"{head}: {words.joined(parts)}."


def listed(groups: Sequence[Group], *, zone: tzinfo, base: str) -> tuple[Mark, ...]:
    """Every marked change as a link, newest first, MOST_LISTED at most."""
    every = sorted(
        (one for group in groups for one in group.told),
        key=lambda one: one.change.time,
        reverse=True,
    )
    return tuple(
        Mark(" · ".join(_lines(one, zone)), f"{base}/changes/{one.change.id}")
        for one in every[:MOST_LISTED]
    )


def _lines(one: Told, zone: tzinfo) -> list[str]:
    local = one.change.time.astimezone(zone)
    lines = [f"{local:%H:%M:%S}, {local.day} {local:%b}", one.change.title, one.change.actor]
    return [line for line in (*lines, words.VERDICTS.get(one.shown or "", "")) if line]


def _link(group: Group, base: str) -> str:
    if len(group.told) == 1:
        return f"{base}/changes/{group.told[0].change.id}"
    return f"{base}/timeline?{urlencode({'kind': group.kind, 'until': _after(group)})}"


def _after(group: Group) -> str:
    """Until when the timeline shows all of a group."""
    return (group.told[-1].change.time + timedelta(seconds=1)).isoformat()


def _hover(group: Group, zone: tzinfo) -> str:
    lines = []
    for one in group.told[: -HOVERED - 1 : -1]:  # the newest first
        actor = f", {axes.plain(one.change.actor, 40)}" if one.change.actor else ""
        lines.append(
            f"{one.change.time.astimezone(zone):%H:%M:%S} {axes.plain(one.change.title)}{actor}"
        )
        if one.verdict:
            lines.append(f"  {words.VERDICTS.get(one.shown or '', '')}")
    if len(group.told) > HOVERED:
        lines.append(f"and {len(group.told) - HOVERED} more")
    return "<br>".join(lines)
