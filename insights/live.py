"""A launch while it happens: what its page asks every second, and what a little less often.

Everybody who looks shares one answer. It is kept a 600th of the time it covers, and a second at
least: the first minutes are counted anew each second, and what runs for hours costs no more.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from django.core.cache import cache

from events.query.flags import variant_of_trace
from events.store.client import StoreUnavailable
from events.store.read import Statement, moment, run
from flags.models import Launch, Plan
from flags.plan_words import percent_now
from flags.upcoming import serving
from flags.words import state, state_in_words
from flags.wrong import DefinitionError
from insights.reach import Spread, spread

WATCHED = timedelta(minutes=30)  # after the end: then the page is a record
SHARE_KEPT = 600
EVIDENCE_S = 5
NOT_BEGUN = ("cancelled", "expired", "waiting", "paused")
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Cohort:
    """What users of one variant got since the launch began. Latency in ms, rates 0 to 1."""

    variant: str
    requests: float
    users: int
    error_rate: float
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class LivePart:
    """One flag of a launch at this second; `spread` is None while the store is away."""

    plan: Plan
    variant: str  # what is new
    now: str
    percent: float | None
    spread: Spread | None

    @property
    def step_at(self) -> datetime:
        return self.plan.at


def begun(plan: Plan, now: datetime) -> bool:
    """Whether users get, or got, something of it."""
    return plan.at <= now and plan.status not in NOT_BEGUN


def watched(plans: list[Plan], now: datetime) -> bool:
    """Whether it is worth a look each second: under way, or over for less than half an hour."""
    return any(begun(plan, now) and (plan.until or plan.at) + WATCHED > now for plan in plans)


def parts(
    launch: Launch, variants: Callable[[Plan], tuple[str, str]], now: datetime
) -> list[LivePart]:
    """What has begun of a launch. `variants` tells a plan's (old, new) variant."""
    plans = launch.plans.select_related("flag", "launch__environment__project")
    return [
        part(plan, variants(plan)[1], now)
        for plan in plans.order_by("at", "id")
        if begun(plan, now)
    ]


def part(plan: Plan, variant: str, now: datetime) -> LivePart:
    percent = percent_now(plan, now) if plan.status in ("running", "paused") else None
    found = None
    if variant:
        try:
            found = arrivals(plan, variant, now)
        except StoreUnavailable:
            found = None
    return LivePart(plan, variant, serves(plan, now), percent, found)


def serves(plan: Plan, now: datetime) -> str:
    """What users get of its flag at this second, written down or not."""
    try:
        return state(serving(plan.flag, now))
    except DefinitionError:
        return state_in_words(plan.flag)


def arrivals(plan: Plan, variant: str, now: datetime) -> Spread:
    """How far the new variant has come. Raises StoreUnavailable."""
    until = min(now, (plan.until or plan.at) + WATCHED)
    return _kept(
        ("arrivals", plan, variant),
        until,
        1,
        lambda: spread(plan.launch.environment_id, plan.flag.key, variant, plan.at, until),
    )


def cohorts(plan: Plan, now: datetime) -> list[Cohort]:
    """Both cohorts since it began, the busiest first. Raises StoreUnavailable."""
    until = min(now, (plan.until or plan.at) + WATCHED)
    return _kept(("cohorts", plan, ""), until, EVIDENCE_S, lambda: _cohorts(plan, until))


def _kept(
    name: tuple[str, Plan, str], until: datetime, least_s: int, asked: Callable[[], Found]
) -> Found:
    what, plan, variant = name
    place = f"{plan.launch.environment_id} {plan.flag.key} {plan.at.isoformat()} {variant}"
    key = f"live:{what}:{hashlib.sha256(place.encode()).hexdigest()[:32]}"
    known: tuple[Found] | None = cache.get(key)
    if known is not None:
        return known[0]
    found = asked()
    cache.set(key, (found,), max(least_s, int((until - plan.at).total_seconds()) // SHARE_KEPT))
    return found


def _cohorts(plan: Plan, until: datetime) -> list[Cohort]:
    rows = run(
        Statement(
            f"""SELECT seen.variant AS variant, sum(sample_rate) AS n,
                uniqIf(user_id, user_id != '') AS users,
                sum(sample_rate * error) / n AS error_rate,
                quantilesTDigestWeighted(0.5, 0.95)(
                    duration_ms, toUInt32(greatest(round(least(sample_rate, 4e6) * 100), 1))
                ) AS q
            FROM {variant_of_trace()} AS seen INNER JOIN (
                SELECT trace, user_id, sample_rate, error, duration_ms FROM events
                WHERE environment = {{environment:UInt32}} AND entry
                AND time >= {{since:DateTime64(6, 'UTC')}}
                AND time < {{until:DateTime64(6, 'UTC')}}) AS hit ON seen.trace = hit.trace
            GROUP BY variant ORDER BY n DESC LIMIT 6""",  # noqa: S608  # constants only
            {
                "environment": plan.launch.environment_id,
                "flag": plan.flag.key,
                "since": moment(plan.at),
                "until": moment(until),
            },
        )
    ).rows
    return [
        Cohort(
            str(row["variant"]),
            float(row["n"]),
            int(row["users"]),
            float(row["error_rate"]),
            float(row["q"][0]),
            float(row["q"][1]),
        )
        for row in rows
    ]
