"""The address of a page ↔ a Question: what people wrote, not yet checked against the data.

Parts that repeat are parallel lists (`field`, `is`, `value`), which a form without any script
sends just so. `address()` is the one canonical form: no blanks, no defaults.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus

from events.query.parsing import MOST
from insights.annotations import MARKS

WINDOWS = {
    "15m": (900, "15 minutes"),
    "1h": (3600, "hour"),
    "2h": (7200, "2 hours"),
    "6h": (21_600, "6 hours"),
    "24h": (86_400, "24 hours"),
    "3d": (3 * 86_400, "3 days"),
    "7d": (7 * 86_400, "7 days"),
    "14d": (14 * 86_400, "14 days"),
    "30d": (30 * 86_400, "30 days"),
}
EARLIER = {
    "1h": (3600, "an hour earlier"),
    "1d": (86_400, "a day earlier"),
    "7d": (7 * 86_400, "a week earlier"),
    "28d": (28 * 86_400, "four weeks earlier"),
}
VIEWS = ("result", "events", "traces")
CALCULATION = re.compile(r"([A-Z][A-Z_0-9]*|)(?:\((.*)\))?\Z", re.DOTALL)
# One more than the specification takes, so that what is too much is refused and never cut off.
MOST_ROWS = MOST + 1
MOST_TEXT = 66_000
DEFAULT_WINDOW = "2h"
ALSO = "also."  # before the names of filters that must hold beside alternatives


@dataclass(frozen=True, slots=True)
class Where:
    field: str
    op: str
    value: str = ""

    def pairs(self, prefix: str = "") -> list[tuple[str, str]]:
        """Its part of an address."""
        values = (("field", self.field), ("is", self.op), ("value", self.value))
        return [(prefix + name, value) for name, value in values]

    @property
    def said(self) -> str:
        return f"{self.field} {self.op.replace('-', ' ')} {self.value}".strip()


@dataclass(frozen=True, slots=True)
class Having:
    calculation: str
    op: str
    value: str


@dataclass(frozen=True, slots=True)
class Question:
    """What a page asks. All texts as written; `since` and `until` are local times or empty."""

    show: tuple[str, ...] = ()  # "COUNT", "P95(duration_ms)"
    where: tuple[Where, ...] = ()
    any: bool = False  # whether one of them is enough
    also: tuple[Where, ...] = ()  # what must hold all the same, where one of `where` is enough
    by: tuple[str, ...] = ()
    sort: str = ""
    ascending: bool = False
    having: tuple[Having, ...] = ()
    derived: tuple[tuple[str, str], ...] = ()
    limit: str = ""
    window: str = DEFAULT_WINDOW
    since: str = ""
    until: str = ""
    step: str = ""
    earlier: str = ""
    events: str = ""  # "" requests that enter a service, "all" every event
    marks: str = ""
    view: str = "result"
    order: str = ""  # of rows: newest, slowest, oldest
    extra: Mapping[str, str] = field(default_factory=dict)  # of pages that ask about a question

    def address(self, **changes: Any) -> str:
        """The query of its address, "?" not included."""
        asked = self.tidied(**changes) if changes else self
        pairs: list[tuple[str, str]] = []
        for one in asked.show:
            op, column = split(one)
            pairs += [("op", op), ("of", column)]
        for where in asked.where:
            pairs += where.pairs()
        for where in asked.also:
            pairs += where.pairs(ALSO)
        pairs += [("by", name) for name in asked.by]
        for having in asked.having:
            pairs += [
                ("having", having.calculation),
                ("having_is", having.op),
                ("having_value", having.value),
            ]
        for name, expression in asked.derived:
            pairs += [("name", name), ("expression", expression)]
        singles = {
            "any": "1" if asked.any else "",
            "sort": asked.sort,
            "ascending": "1" if asked.ascending else "",
            "limit": asked.limit,
            "window": "" if asked.since or asked.window == DEFAULT_WINDOW else asked.window,
            "since": asked.since,
            "until": asked.until if asked.since else "",
            "step": asked.step,
            "earlier": asked.earlier,
            "events": asked.events,
            "marks": asked.marks,
            "view": "" if asked.view == "result" else asked.view,
            "order": asked.order,
            **asked.extra,
        }
        return encoded([*pairs, *((name, value) for name, value in singles.items() if value)])

    def tidied(self, **changes: Any) -> "Question":
        """The changed question, without order and conditions on what is not shown any more."""
        asked = replace(self, **changes)
        shown = asked.show or ("COUNT",)
        return replace(
            asked,
            sort=asked.sort if asked.sort in (*shown, *asked.by) else "",
            having=tuple(one for one in asked.having if one.calculation in shown),
        )

    def beside(self, *more: Where, **changes: Any) -> "Question":
        """The same question of the events for which these filters hold as well."""
        if self.either:
            return self.tidied(also=(*self.also, *more), **changes)
        return self.tidied(where=(*self.where, *self.also, *more), also=(), any=False, **changes)

    def narrowed(self, *more: Where, **changes: Any) -> "Question":
        """The same, where a filter that stands there already is not doubled."""

        def others(filters: tuple[Where, ...]) -> tuple[Where, ...]:
            return tuple(one for one in filters if one not in more)

        where = self.where if self.either else others(self.where)
        return replace(self, where=where, also=others(self.also)).beside(*more, **changes)

    def fewer(self, **changes: Any) -> Callable[..., str]:
        """Addresses of `narrowed` questions by their filters: a page has hundreds."""
        there = self.also if self.either else (*self.where, *self.also)
        prefix = ALSO if self.either else ""
        mark = Where("\x00", "=")  # no filter of anybody's
        marked = self.narrowed(mark, **changes).address()
        head, _, tail = marked.rpartition(encoded(mark.pairs(prefix)))

        def address(*more: Where) -> str:
            if not more:
                return self.address(**changes)
            if any(one in there for one in more):
                return self.narrowed(*more, **changes).address()
            return head + "&".join(encoded(one.pairs(prefix)) for one in more) + tail

        return address

    @property
    def either(self) -> bool:
        """Whether one of several filters is enough."""
        return self.any and len(self.where) > 1

    def filters_said(
        self, say: Callable[[Where], str] = lambda one: one.said, most: int = MOST
    ) -> list[str]:
        """Its filters in words, all of which hold: alternatives are one of them."""
        where = [say(one) for one in self.where]
        if self.either:
            rest = [f"{len(where) - most} more"] if len(where) > most else []
            alternatives = " or ".join([*where[:most], *rest])
            where = [f"({alternatives})" if self.also else alternatives]
        return [*where, *(say(one) for one in self.also)]


def encoded(pairs: Iterable[tuple[str, str]]) -> str:
    """As urllib's `urlencode`, at a seventh of its cost: a page's addresses differ by little."""
    return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs)


_quoted = lru_cache(maxsize=4096)(quote_plus)


def split(calculation: str) -> tuple[str, str]:
    """ "P95(duration_ms)" → ("P95", "duration_ms"); what is neither is its own operation."""
    found = CALCULATION.match(calculation)
    return (found[1], found[2] or "") if found else (calculation, "")


def written(value: Any) -> str:
    """A value of an answer as a filter has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def key(op: str, column: str) -> str:
    return f"{op}({column})" if column else op


def read(get: Mapping[str, Any], prefix: str = "") -> Question:
    """A Question from a QueryDict; `prefix` where one address holds several. Never fails."""

    def many(name: str) -> list[str]:
        values: Sequence[str] = get.getlist(prefix + name)  # type: ignore[attr-defined]  # QueryDict
        return [value[:MOST_TEXT].strip() for value in values[:MOST_ROWS]]

    def one(name: str) -> str:
        return str(get.get(prefix + name, ""))[:MOST_TEXT].strip()

    def table(*names: str) -> list[tuple[str, ...]]:
        columns = [many(name) for name in names]
        longest = max(map(len, columns))
        filled = [column + [""] * (longest - len(column)) for column in columns]
        return list(zip(*filled, strict=True))

    def filters(before: str = "") -> tuple[Where, ...]:
        rows = table(f"{before}field", f"{before}is", f"{before}value")
        # A line that is half filled is kept, so that it is said and not silently left out.
        return tuple(Where(row[0], row[1] or "=", row[2]) for row in rows if row[0] or row[2])

    window, since = one("window"), one("since")
    view = one("view")
    where, also, either = filters(), filters(ALSO), one("any") == "1"
    if not either:
        where, also = (*where, *also), ()
    return Question(
        show=tuple(dict.fromkeys(key(op, of) for op, of in table("op", "of") if op or of)),
        where=where,
        any=either,
        also=also,
        by=tuple(dict.fromkeys(name for name in many("by") if name)),
        sort=one("sort"),
        ascending=one("ascending") == "1",
        having=tuple(
            Having(*row) for row in table("having", "having_is", "having_value") if row[0] or row[2]
        ),
        derived=tuple((row[0], row[1]) for row in table("name", "expression") if any(row)),
        limit=one("limit"),
        window=window if window in WINDOWS and not since else DEFAULT_WINDOW,
        since=since,
        until=one("until"),
        step=one("step"),
        earlier=one("earlier") if one("earlier") in EARLIER else "",
        events="all" if one("events") == "all" else "",
        marks=one("marks") if one("marks") in MARKS else "",
        view=view if view in VIEWS else "result",
        order=one("order"),
        extra={"before": one("before")} if one("before") else {},
    )
