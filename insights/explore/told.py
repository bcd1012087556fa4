"""An answer in one sentence, computed from its result: what its page says first.

One form for every kind of question: what there is in all, which group stands out and by how much,
how it was earlier, how values are spread, and what the listed events and traces have in common.
"""

from collections.abc import Sequence
from typing import Any

from events.query.calculations import ADDING
from events.query.spec import PERCENTILES, RATES
from insights.explore import units
from insights.explore.question import EARLIER, WINDOWS, Question, split
from web import words

# Fields whose values say by themselves what they are.
BARE = ("service", "name", "route", "method", "http.route", "service.name")
MOST_TEXT = 60
MOST_FILTERS = 3


def sentence(question: Question, given: dict[str, Any]) -> str:
    """The answer of a question that counts, as `events.query.answer` gave it."""
    return _said(question, given, scope(question))


def answer(question: Question, given: dict[str, Any]) -> str:
    """The same without of which events and when, where others say that."""
    return _said(question, given, "")


def _said(question: Question, given: dict[str, Any], which: str) -> str:
    rows = [row["data"] for row in given["results"]]
    shown = [name for name in rows[0] if name not in question.by] if rows else []
    if not rows or (not question.by and all(_none(name, rows[0][name]) for name in shown)):
        return nothing(question, which, shown)
    spoken = question.sort if question.sort in shown else shown[0]
    if not question.by:
        parts = [phrase(name, rows[0][name], question) for name in shown]
        text = f"{_some(parts)}{which}{_earlier(question, given, rows[0], spoken)}"
        return f"{_capital(text)}."
    alone = len(rows) == 1 and not {"other", "compare"} & given.keys() and not question.having
    if alone and all(rows[0][name] is None for name in question.by):
        # As a mistyped flag is: every request is in the group without one.
        parts = [phrase(name, rows[0][name], question) for name in shown]
        named = words.joined([name.removeprefix("flags.") for name in question.by])
        return f"No {_thing(question)} has {named}: {_some(parts)} without it{which}."
    row = _outstanding(question, rows, spoken)
    more = [phrase(name, row[name], question) for name in shown if name != spoken]
    first = f"{group(row, question.by)}: {phrase(spoken, row[spoken], question)}"
    beside = _earlier(question, given, row, spoken) or _beside(question, given, rows, row, spoken)
    also = f" ({_some(more)})" if more else ""
    return f"{first}{also}{beside}{which}."


def of_events(question: Question, took: Sequence[float], failed: int, most: int, what: str) -> str:
    """Of listed events or traces: how many there are, how many failed, and the slowest."""
    if not took:
        return nothing(question, scope(question))
    order = {"slowest": "slowest", "oldest": "oldest"}.get(question.order, "newest")
    if len(took) < most:
        head = words.plural(len(took), what) + scope(question)
    else:
        head = f"The {len(took)} {order} {what}s{scope(question)}"
    bad = f"{words.count(failed)} failed" if failed else "none failed"
    return f"{head}: {bad}, the slowest took {words.milliseconds(max(took))}."


def nothing(question: Question, which: str, shown: Sequence[str] = ()) -> str:
    columns = list(dict.fromkeys(split(name)[1] for name in shown))
    if columns and all(columns) and "duration_ms" not in columns:
        return f"No {_thing(question)} has a value of {words.joined(columns)}{which}."
    return f"No {_thing(question)} matches{which}."


def scope(question: Question) -> str:
    """Of which events: " where route = /export, in the last 2 hours"."""
    if question.since:
        until = f" to {_local(question.until)}" if question.until else ""
        when = f"from {_local(question.since)}{until}"
    else:
        when = f"in the last {WINDOWS[question.window][1]}"
    filters = question.filters_said(lambda one: _short(one.said, MOST_TEXT), MOST_FILTERS)
    if len(filters) > MOST_FILTERS:
        rest = words.count(len(filters) - MOST_FILTERS)
        filters = [*filters[:MOST_FILTERS], f"{rest} more hold"]
    return f" where {' and '.join(filters)}, {when}" if filters else f" {when}"


def phrase(name: str, value: Any, question: Question) -> str:
    """A calculation with its value: "p95 latency 812 ms", "41,200 requests"."""
    op, column = split(name)
    if op == "COUNT":
        return words.plural(value or 0, _thing(question))
    if op == "COUNT_DISTINCT":
        return f"{words.number(value)} distinct {column}"
    if op == "CONCURRENCY":
        return f"{words.plural(value or 0, _thing(question))} under way at once"
    if op == "HEATMAP":
        return _spread(column, value or [], _thing(question))
    return f"{_named(op, column)} {units.text(value, name)}"


def group(row: dict[str, Any], by: Sequence[str]) -> str:
    """A group for people: "GET /export", "build_id = b3", "no plan"."""
    parts = [_value(name, row[name]) for name in by]
    alone = all(name in BARE for name in by) and None not in [row[name] for name in by]
    return (" " if alone else ", ").join(parts)


def _value(name: str, value: Any) -> str:
    if value is None:
        return f"no {name.removeprefix('flags.')}"
    text = _short(units.text(value), MOST_TEXT)
    return text if name in BARE else f"{name.removeprefix('flags.')} = {text}"


def _named(op: str, column: str) -> str:
    if column == "duration_ms" and op in (*PERCENTILES, "AVG", "MIN", "MAX"):
        return {"AVG": "mean latency", "MIN": "least latency", "MAX": "longest"}.get(
            op, f"{op.lower()} latency"
        )
    return units.named(f"{op}({column})")


def _spread(column: str, bins: Sequence[Sequence[float]], thing: str) -> str:
    """Half below and 99 of 100 below, each the upper edge of its bin."""
    total = sum(one[2] for one in bins)
    if not total:
        return f"no {thing} with a number in {column}"

    def below(share: float) -> str:
        seen = 0.0
        for _, high, count in bins:
            seen += count
            if seen >= share * total:
                return units.text(high, f"MAX({column})")
        return units.text(bins[-1][1], f"MAX({column})")

    what = "take" if column == "duration_ms" else f"have {column}"
    if total == 1:
        what = "takes" if column == "duration_ms" else f"has {column}"
    return (
        f"{words.plural(total, thing)} {what} up to {below(0.5)} in half of cases,"
        f" up to {below(0.99)} in 99%"
    )


def _outstanding(question: Question, rows: list[dict[str, Any]], spoken: str) -> dict[str, Any]:
    """The first row; in an order by a field, the one that the calculation puts first."""
    if question.sort not in question.by:
        return rows[0]
    return max(rows, key=lambda row: _size(row[spoken]))


def _beside(
    question: Question,
    given: dict[str, Any],
    rows: list[dict[str, Any]],
    row: dict[str, Any],
    spoken: str,
) -> str:
    """How much of the whole it is, or how it stands to the next group."""
    other = given.get("other")
    groups = len(rows) + (other["groups"] if other else 0)
    if groups < 2:
        return ""
    op, _ = split(spoken)
    value = row[spoken]
    if op in ADDING and op not in RATES and op != "AVG" and not question.having:
        values = [one[spoken] or 0 for one in rows] + (
            [other["data"][spoken] or 0] if other else []
        )
        if value and sum(values) and min(values) >= 0:
            share = words.percent(value / sum(values))
            return f", {share} of all in {words.number(groups)} groups"
    if question.sort in question.by:
        shown = f"{words.number(len(rows))} shown of " if other else ""
        return f", the most of {shown}{words.number(groups)} groups"
    after = rows[1] if row is rows[0] else None
    if after is None or op == "HEATMAP":
        return f", of {words.number(groups)} groups"
    other_value = after[spoken]
    if not (_number(value) and _number(other_value)) or min(value, other_value) <= 0:
        return f", of {words.number(groups)} groups"
    text = f", {_times(value / other_value)} that of {group(after, question.by)}"
    return f"{text}, the next of {words.number(groups)} groups" if groups > 2 else text


def _earlier(question: Question, given: dict[str, Any], row: dict[str, Any], spoken: str) -> str:
    if "compare" not in given or not question.earlier:
        return ""
    when = EARLIER[question.earlier][1]
    key = [row[name] for name in question.by]
    before = next(
        (
            one["data"][spoken]
            for one in given["compare"]["results"]
            if [one["data"][name] for name in question.by] == key
        ),
        None,
    )
    if before is None or _none(spoken, before):
        return f", nothing {when}"
    if split(spoken)[0] == "HEATMAP":
        return ""
    text = units.text(before, spoken)
    value = row[spoken]
    if not _number(value) or value <= 0 or before <= 0:
        return f", {text} {when}"
    return f", {_times(value / before)} that of {when} ({text})"


def _times(ratio: float) -> str:
    return "the same as" if words.is_same(ratio) else words.ratio(ratio)


def _thing(question: Question) -> str:
    return "event" if question.events == "all" else "request"


def _some(parts: list[str], most: int = 3) -> str:
    return words.joined(parts if len(parts) <= most else [*parts[:most], "more"])


def _none(name: str, value: Any) -> bool:
    """Whether a value says that nothing matched; a sum of 0 says something."""
    return value is None or value == [] or (value == 0 and name in ("COUNT", "CONCURRENCY"))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _size(value: Any) -> float:
    return float(value) if _number(value) else float("-inf")


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _local(text: str) -> str:
    return text.replace("T", " ")


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
