"""What a question is: a frozen Query, in the words of Honeycomb's query specification."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

PERCENTILES = {
    "P001": 0.001, "P01": 0.01, "P05": 0.05, "P10": 0.1, "P20": 0.2, "P25": 0.25, "P50": 0.5,
    "P75": 0.75, "P80": 0.8, "P90": 0.9, "P95": 0.95, "P99": 0.99, "P999": 0.999,
}  # fmt: skip
RATES = {"RATE_AVG": "AVG", "RATE_SUM": "SUM", "RATE_MAX": "MAX"}
OPERATIONS = (
    *("COUNT", "CONCURRENCY", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX"),
    *PERCENTILES, "HEATMAP", *RATES,
)  # fmt: skip
WITHOUT_COLUMN = {"COUNT": "counts events", "CONCURRENCY": "counts events under way"}
COMPARISONS = ("=", "!=", ">", ">=", "<", "<=")
TEXT_OPERATORS = (
    "starts-with", "does-not-start-with", "ends-with", "does-not-end-with",
    "contains", "does-not-contain", "matches", "does-not-match",
)  # fmt: skip
FILTER_OPERATORS = (
    *COMPARISONS, *TEXT_OPERATORS, "exists", "does-not-exist", "in", "not-in",
)  # fmt: skip

Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Derived:
    """A field computed from others, under a name of its own."""

    name: str
    expression: str


class QueryError(Exception):
    """The question can't be answered; `field` says which part is why."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Calculation:
    op: str
    column: str | None

    @property
    def key(self) -> str:
        """Its name in the answer: `COUNT`, `P95(duration_ms)`."""
        return self.op if self.column is None else f"{self.op}({self.column})"


@dataclass(frozen=True, slots=True)
class Filter:
    column: str
    op: str
    value: Scalar | tuple[Scalar, ...] | None


@dataclass(frozen=True, slots=True)
class Order:
    """By a calculation or by a breakdown: one of the two is set, as its place in the query."""

    calculation: int | None
    breakdown: int | None
    descending: bool


@dataclass(frozen=True, slots=True)
class Having:
    calculation: int
    op: str
    value: float


@dataclass(frozen=True, slots=True)
class Query:
    calculations: tuple[Calculation, ...]
    filters: tuple[Filter, ...]
    either: int  # of so many of the first filters one is enough; 0 where all must hold
    breakdowns: tuple[str, ...]
    orders: tuple[Order, ...]
    havings: tuple[Having, ...]
    limit: int
    since: datetime
    until: datetime
    granularity_s: int | None
    earlier_s: int | None = None  # compare with as long a time that ended so many seconds before
    derived: tuple[Derived, ...] = ()
    entry_only: bool = False  # only requests entering a service

    def filter_field(self, place: int) -> str:
        """Where a filter stands in the specification."""
        if not self.either or place < self.either:
            return f"filters.{place}"
        return f"required_filters.{place - self.either}"

    @property
    def earlier(self) -> "Query":
        """The same question about the earlier time."""
        by = timedelta(seconds=self.earlier_s or 0)
        return replace(self, since=self.since - by, until=self.until - by, earlier_s=None)
