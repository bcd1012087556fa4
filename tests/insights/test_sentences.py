"""What is said of each kind of finding, word for word."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from insights.cohorts import Builds, Callers, Comparison, Instances, Moment, Scope, Variants
from insights.delta import Delta
from insights.findings import Finding
from insights.scan import OTHER_ROUTES
from insights.sentences import no_difference, not_known, sentence, unnamed
from insights.verdicts import Judged

Cohorts = Variants | Builds | Callers | Instances | Moment
AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CACHE = Variants("CACHE", "off", "on")
EXPORT = Scope("shop", "/export")
RATES = ("error_rate", "status_code:402", "status_code:503")


def judged(
    measure: str, before: float, after: float, bounds: tuple[float, float], **more: Any
) -> Judged:
    """`bounds` of the ratio of a latency, of the difference of a rate."""
    rate = measure in RATES
    given: dict[str, Any] = {
        "scope": EXPORT,
        "events": (20_600, 20_600),
        "units": (1950, 1950),
        "ratio": after / before if before else None,
        "ratio_interval": None if rate else bounds,
        "difference_interval": bounds if rate else None,
    }
    verdict = more.pop("verdict", "worse")
    told = {name: more.pop(name) for name in ("reason", "more_s") if name in more}
    delta = Delta(
        measure=measure,
        baseline=before,
        candidate=after,
        difference=after - before,
        d=after - before if rate else math.log(after / before),
        error=0.01,
        scale=1.0,
        degrees=200.0,
        log_e=9.0,
        tested=True,
        **given | more,
    )
    return Judged(delta, verdict, "randomised", **told)


def said(one: Judged, *also: Judged, cohorts: Cohorts = CACHE) -> str:
    comparison = Comparison(1, cohorts, AT - timedelta(hours=1), AT + timedelta(hours=1))
    return sentence(Finding(one, also), comparison)


SLOWER = judged("latency_mean", 200, 600, (2.8, 3.2))
PAYMENT = judged("status_code:402", 0.0, 0.1, (0.08, 0.12))
COUNTS = "41,200 requests of 3,900 users"


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            said(SLOWER, PAYMENT),
            "requests to /export with CACHE=on are 3.0× slower than with it off (95% interval"
            f" 2.8–3.2×; {COUNTS}), and 10.0% of them now return 402",
        ),
        (
            said(SLOWER, judged("error_rate", 0.02, 0.1, (0.06, 0.1))),
            "requests to /export with CACHE=on are 3.0× slower than with it off (95% interval"
            f" 2.8–3.2×; {COUNTS}), and 10.0% of them now fail (2.0% with it off)",
        ),
        (
            said(
                judged("latency_mean", 200, 150, (0.7, 0.8), verdict="better"),
                judged("status_code:503", 0.03, 0.01, (-0.03, -0.01), verdict="better"),
            ),
            "requests to /export with CACHE=on are 25.0% faster than with it off (95% interval"
            f" 20.0–30.0%; {COUNTS}), and only 1.0% of them return 503 (3.0% with it off)",
        ),
        (
            said(judged("latency_mean", 200, 276, (1.3, 1.46), events=(1, 0), units=(1, 0))),
            "requests to /export with CACHE=on are 38.0% slower than with it off (95% interval"
            " 30.0–46.0%; 1 request of 1 user)",
        ),
        (
            said(judged("latency_mean", 200, 230, (0.95, 1.4))),
            "requests to /export with CACHE=on are 15.0% slower than with it off (95% interval"
            f" 0.95–1.40×; {COUNTS})",
        ),
        (
            said(judged("latency_p95", 412.3, 1890, (4, 5))),
            "p95 of requests to /export with CACHE=on is 4.6× higher than with it off"
            f" (412 ms → 1,890 ms; 95% interval 4.0–5.0×; {COUNTS})",
        ),
        (
            said(judged("latency_p99", 40, 20, (0.4, 0.6), verdict="better", scope=Scope())),
            "p99 of requests with CACHE=on is 50.0% lower than with it off (40 ms → 20 ms;"
            f" 95% interval 40.0–60.0%; {COUNTS})",
        ),
        (
            said(judged("error_rate", 0.0043, 0.0543, (0.03, 0.07))),
            "5.4% of requests to /export with CACHE=on fail, against 0.43% with it off"
            f" (95% interval +3.0 to +7.0 points; {COUNTS})",
        ),
        (
            said(judged("error_rate", 0.05, 0.04, (-0.02, -0.001), verdict="better")),
            "4.0% of requests to /export with CACHE=on fail, against 5.0% with it off"
            f" (95% interval −2.0 to −0.10 points; {COUNTS})",
        ),
        (
            said(PAYMENT),
            "10.0% of requests to /export with CACHE=on return 402, which never occurs with it off"
            f" (95% interval +8.0 to +12.0 points; {COUNTS})",
        ),
        (
            said(
                judged(
                    *("latency_mean", 200, 600, (2.8, 3.2)),
                    scope=Scope("shop", OTHER_ROUTES),
                    unit="user or trace,users or traces",
                )
            ),
            "requests to less busy routes of shop with CACHE=on are 3.0× slower than with it off"
            " (95% interval 2.8–3.2×; 41,200 requests of 3,900 users or traces)",
        ),
    ],
    ids=[
        *("slower and refused", "slower and failing", "faster and fewer", "one request"),
        *("across no difference", "p95", "p99 lower", "failing", "failing less", "a new code"),
        "no users",
    ],
)
def test_a_finding_in_one_sentence(told: str, words: str) -> None:
    assert told == words


@pytest.mark.parametrize(
    ("cohorts", "words"),
    [
        (Builds("shop", "b41", "b42"), "in build b42 are 3.0× slower than in build b41"),
        (
            Callers("shop", "b41", "b42"),
            "through shop build b42 are 3.0× slower than through build b41",
        ),
        (Moment(AT, "shop"), "since then are 3.0× slower than in the hour before"),
        (
            Instances("shop", AT, "b42"),
            "in instances started since build b42 are 3.0× slower than in older ones",
        ),
    ],
    ids=["builds", "callers", "before and after", "instances"],
)
def test_cohorts_are_named_for_what_they_are(cohorts: Cohorts, words: str) -> None:
    assert words in said(SLOWER, cohorts=cohorts)


def whole(measure: str, bounds: tuple[float, float], **more: Any) -> Judged:
    level = 0.02 if measure in RATES else 200.0
    return judged(measure, level, level, bounds, scope=Scope(), **more)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            [
                whole("latency_p95", (0.99, 1.03), verdict="no_difference"),
                whole("error_rate", (-0.0004, 0.0008), verdict="no_difference"),
                judged("latency_p50", 200, 201, (0.9, 1.1), verdict="no_difference"),
            ],
            "No meaningful difference: p95 within ±3.0%, errors within ±0.08 points",
        ),
        ([whole("traffic", (0.9, 1.1), verdict="no_difference")], "No meaningful difference"),
    ],
    ids=["what is excluded", "nothing to name"],
)
def test_no_difference_says_what_is_excluded(given: list[Judged], words: str) -> None:
    assert no_difference(given) == words


def waiting(*more_s: tuple[float, float | None]) -> list[Judged]:
    return [whole("latency_p50", (0.9, 1.2), verdict="unknown", more_s=one) for one in more_s]


FEW = "too few users on one side so far: at least 20 are needed"


@pytest.mark.parametrize(
    ("given", "now", "over"),
    [
        (
            waiting((1800, 3000), (1200, 90_000)),
            "Not known yet; about 30 to 50 min to go",
            "It ended before an answer was known: that would have taken about 30 to 50 min longer",
        ),
        (
            waiting((7200, None)),
            "Not known yet; 2 h or more to go",
            "It ended before an answer was known: that would have taken at least 2 h longer",
        ),
        (
            [whole("latency_p50", (0.9, 1.2), verdict="unknown", reason=FEW)],
            f"Not known yet: {FEW}",
            f"It ended before an answer was known: {FEW}",
        ),
        ([], "Not known yet", "It ended before an answer was known"),
    ],
    ids=["a range", "at least", "too few", "nothing"],
)
def test_not_known_says_how_long_or_why_and_promises_nothing_of_what_ended(
    given: list[Judged], now: str, over: str
) -> None:
    assert not_known(given) == now
    assert not_known(given, over=True) == over
    assert not_known(given, left_s=10_000) == now


def test_what_will_end_before_an_answer_is_known_says_so() -> None:
    assert not_known(waiting((7200, 40_000)), left_s=1500) == (
        "Not known yet, and hardly before it ends: that takes about 2 to 11 h longer"
    )


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "no request names a user"), (0.25, "75.0% of requests name no user")],
    ids=["none", "some"],
)
def test_traffic_without_users_is_told_as_it_is(share: float, words: str) -> None:
    why = "so each of their traces counts as one and intervals may be too narrow"
    assert unnamed(share) == f"{words}, {why}"
