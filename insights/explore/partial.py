"""The newest part of a long answer, shown while all of it is under way: exact for that part.

A question that takes long asks the same of the last thirty-second of its time, then of the last
eighth; both are replaced by the exact answer. What is asked beside costs a part of what is waited
for, and short questions never ask it: the page waits before it does.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from events.query.answer import begun, completed
from events.query.catalog import Known
from insights.explore import told, units
from insights.explore.answers import Ask
from insights.explore.frame import Frame
from insights.explore.meant import meant
from insights.explore.pictures import MOST_LINES, group_name, pictures
from insights.explore.question import Question
from projects.models import Environment
from web.charts import Chart

ONE_IN = (32, 8)  # of the time asked for, the first part and the next
MOST_ROWS = 10


@dataclass(frozen=True, slots=True)
class Part:
    """The answer for the newest part of the time, drawn on the whole of it."""

    told: str
    since: datetime
    until: datetime
    one_in: int
    pictures: tuple[Chart, ...]
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def seconds(self) -> float:
        return (self.until - self.since).total_seconds()


def part_of(
    environment: Environment,
    question: Question,
    known: Iterable[Known],
    number: int,
    *,
    now: datetime,
    ask: Ask,
) -> Part:
    """`number` is a place in ONE_IN. Raises as `answers.answer_of` does."""
    asked = meant(question, known, now=now, zone=environment.zone)
    since = newest(asked.since, asked.until, ONE_IN[number], asked.query.granularity_s or 60)
    query = replace(asked.query, since=since, earlier_s=None)
    most = None if any(one.op == "HEATMAP" for one in query.calculations) else MOST_LINES
    given, missing = begun(environment.id, query, ask, most_lines=most)
    completed(given, missing, ask)
    frame = Frame(
        since=asked.since,
        until=asked.until,
        step_s=query.granularity_s or 60,
        zone=environment.zone,
        base="",
        prefix="part-",
        read_since=since,
    )
    keys = [one.key for one in query.calculations]
    rows = [row["data"] for row in given["results"][:MOST_ROWS]]
    return Part(
        told=told.answer(replace(question, earlier=""), given),
        since=since,
        until=asked.until,
        one_in=ONE_IN[number],
        pictures=tuple(pictures(given, question.by, frame)) if rows else (),
        heads=(", ".join(question.by), *(units.named(one) for one in keys)),
        rows=tuple(
            (group_name(row, question.by), *(units.text(row[one], one) for one in keys))
            for row in rows
        )
        if question.by
        else (),
    )


def newest(since: datetime, until: datetime, one_in: int, step_s: int) -> datetime:
    """Where the newest part begins: with a step, so that none is half there. Pure."""
    wanted = until.timestamp() - (until - since).total_seconds() / one_in
    start = since + timedelta(seconds=wanted // step_s * step_s - since.timestamp())
    return max(start, since)
