"""The board that each service has by itself: traffic, failures, latency, what is slow, builds."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from events.store.read import Statement, moment, run
from insights.explore.question import Question, Where

SEEN_WITHIN = timedelta(hours=24)
MOST = 100


@dataclass(frozen=True, slots=True)
class Shown:
    """A panel as a board shows it; `id` is 0 for those made automatically."""

    title: str
    address: str
    note: str = ""
    id: int = 0


def services(environment_id: int, now: datetime) -> list[str]:
    """Services with requests in the last day, busiest first."""
    rows = run(
        Statement(
            """SELECT service FROM events WHERE environment = {environment:UInt32} AND entry
                AND time >= {since:DateTime64(6, 'UTC')}
            GROUP BY service ORDER BY sum(sample_rate) DESC, service LIMIT {most:UInt32}""",
            {
                "environment": environment_id,
                "since": moment(now - SEEN_WITHIN),
                "most": MOST,
            },
        )
    ).rows
    return [row["service"] for row in rows if row["service"]]


def is_heard(environment_id: int, service: str, now: datetime) -> bool:
    """Whether any request of a service came in the last day, listed above or not."""
    return bool(
        run(
            Statement(
                """SELECT 1 AS found FROM events WHERE environment = {environment:UInt32} AND entry
                    AND time >= {since:DateTime64(6, 'UTC')} AND service = {service:String}
                LIMIT 1""",
                {
                    "environment": environment_id,
                    "since": moment(now - SEEN_WITHIN),
                    "service": service,
                },
            )
        ).rows
    )


def panels(service: str, window: str, fields: Collection[str] = ()) -> list[Shown]:
    """The panels of one service's board; `fields` are the attributes that it sends."""
    base = Question(where=(Where("service", "=", service),), window=window)

    def of(*show: str, **more: object) -> str:
        return base.address(show=show, **more)

    kinds = ("route", *(name for name in ("exception.type", "error.type") if name in fields))[:2]
    failing = base.narrowed(Where("error", "=", "true"))
    return [
        Shown("Requests by status code", of("COUNT", by=("status_code",))),
        Shown("Share of requests that fail", of("AVG(error)")),
        Shown("Latency", of("HEATMAP(duration_ms)")),
        Shown("Latency p95 by build", of("P95(duration_ms)", by=("build_id",))),
        Shown("Slowest routes", of("P95(duration_ms)", by=("method", "route"))),
        Shown("What fails", failing.address(show=("COUNT",), by=kinds)),
        Shown("Requests under way at once", of("CONCURRENCY")),
        Shown("Users", of("COUNT_DISTINCT(user_id)")),
    ]
