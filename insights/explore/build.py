"""The form of a question: every row asked, each with the address without it, and a blank one."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo

from events.query.spec import COMPARISONS, FILTER_OPERATORS, OPERATIONS
from insights.annotations import MARKS
from insights.explore.question import EARLIER, WINDOWS, Question, Where, split

GROUPS = (
    ("How many", ("COUNT", "COUNT_DISTINCT", "CONCURRENCY")),
    ("How much", ("SUM", "AVG", "MIN", "MAX")),
    ("Percentiles", tuple(op for op in OPERATIONS if op.startswith("P"))),
    ("Spread", ("HEATMAP",)),
    ("Change from step to step", ("RATE_AVG", "RATE_SUM", "RATE_MAX")),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the form; `without` is the address of the question without it."""

    place: int
    parts: tuple[str, ...]
    without: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    calculations: tuple[Line, ...]
    filters: tuple[Line, ...]
    also: tuple[Line, ...]
    breakdowns: tuple[Line, ...]
    havings: tuple[Line, ...]
    derived: tuple[Line, ...]
    shown: tuple[str, ...]  # calculations that are a single number
    sorts: tuple[str, ...]
    more: bool  # whether anything of the folded part is used
    windows: dict[str, tuple[int, str]]
    earlier: dict[str, tuple[int, str]]
    marks: dict[str, str]
    groups: tuple[tuple[str, tuple[str, ...]], ...]
    operators: tuple[str, ...]
    comparisons: tuple[str, ...]
    now: str  # as a local time, for the fields of a time of one's own
    hour_ago: str
    earlier_window: str
    later_window: str


def form_of(question: Question, now: datetime, zone: tzinfo) -> Form:
    """Everything that the form shows."""
    show = question.show or ("COUNT",)
    asked = replace(question, show=show)
    shown = tuple(one for one in show if not one.startswith(("HEATMAP", "RATE", "(")))
    local = now.astimezone(zone).replace(second=0, microsecond=0, tzinfo=None)
    return Form(
        calculations=_lines(
            [split(one) for one in show],
            [asked.address(show=_but(show, place)) for place in range(len(show))],
            ("", ""),
        ),
        filters=_lines(
            [(one.field, one.op, one.value) for one in question.where],
            [question.address(where=_but(question.where, at)) for at in range(len(question.where))],
            ("", "=", ""),
        ),
        also=_lines(
            [(one.field, one.op, one.value) for one in question.also],
            [question.address(also=_but(question.also, at)) for at in range(len(question.also))],
            ("", "=", ""),
        ),
        breakdowns=_lines(
            [(name,) for name in question.by],
            [question.address(by=_but(question.by, place)) for place in range(len(question.by))],
            ("",),
        ),
        havings=_lines(
            [(one.calculation, one.op, one.value) for one in question.having],
            [
                question.address(having=_but(question.having, place))
                for place in range(len(question.having))
            ],
            ("", ">", ""),
        ),
        derived=_lines(
            list(question.derived),
            [
                question.address(derived=_but(question.derived, place))
                for place in range(len(question.derived))
            ],
            ("", ""),
        ),
        shown=shown,
        sorts=(*shown, *question.by),
        more=bool(
            question.having
            or question.derived
            or question.sort
            or question.limit
            or question.step
            or question.earlier
            or question.since
            or question.marks
            or question.events
        ),
        windows=WINDOWS,
        earlier=EARLIER,
        marks=MARKS,
        groups=GROUPS,
        operators=FILTER_OPERATORS,
        comparisons=COMPARISONS,
        now=local.isoformat(timespec="minutes"),
        hour_ago=(local - timedelta(hours=1)).isoformat(timespec="minutes"),
        earlier_window=_moved(question, local, -1),
        later_window=_moved(question, local, 1),
    )


def _moved(question: Question, local: datetime, by: int) -> str:
    """The address of the window before this one or after it; "" where that is in the future."""
    try:
        if question.since:
            since = datetime.fromisoformat(question.since).replace(tzinfo=None)
            until = (
                datetime.fromisoformat(question.until).replace(tzinfo=None)
                if question.until
                else local
            )
        else:
            until = local
            since = local - timedelta(seconds=WINDOWS[question.window][0])
        length = until - since
        since, until = since + by * length, until + by * length
        if since >= local or length <= timedelta(0):
            return ""
    except (ValueError, OverflowError):
        return ""
    return question.address(
        since=since.isoformat(timespec="seconds"), until=until.isoformat(timespec="seconds")
    )


def _but(values: tuple, place: int) -> tuple:  # type: ignore[type-arg]  # of any one kind
    return values[:place] + values[place + 1 :]


def _lines(
    rows: list[tuple[str, ...]], without: list[str], blank: tuple[str, ...]
) -> tuple[Line, ...]:
    made = [
        Line(place, row, address)
        for place, (row, address) in enumerate(zip(rows, without, strict=True))
    ]
    return (*made, Line(len(made), blank))


def where_lines(filters: tuple[Where, ...]) -> tuple[Line, ...]:
    """Filters of a form that holds several questions: rows and a blank."""
    rows = [(one.field, one.op, one.value) for one in filters]
    made = [Line(place, row) for place, row in enumerate(rows)]
    return (*made, Line(len(made), ("", "=", "")))
