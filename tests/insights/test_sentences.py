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
            "requests to /export with CACHE=on are 25% faster than with it off (95% interval"
            f" 20–30%; {COUNTS}), and only 1.0% of them return 503 (3.0% with it off)",
        ),
        (
            said(judged("latency_mean", 200, 276, (1.3, 1.46), events=(1, 0), units=(1, 0))),
            "requests to /export with CACHE=on are 38% slower than with it off (95% interval"
            " 30–46%; 1 request of 1 user)",
        ),
        (
            said(judged("latency_mean", 200, 230, (0.95, 1.4))),
            "requests to /export with CACHE=on are 15% slower than with it off (95% interval"
            f" 5.0% faster to 40% slower; {COUNTS})",
        ),
        (
            said(judged("latency_p95", 412.3, 1890, (4, 5))),
            "p95 of requests to /export with CACHE=on is 4.6× higher than with it off"
            f" (412 ms → 1,890 ms; 95% interval 4.0–5.0×; {COUNTS})",
        ),
        (
            said(judged("latency_p99", 40, 20, (0.4, 0.6), verdict="better", scope=Scope())),
            "p99 of requests with CACHE=on is 2.0× lower than with it off (40 ms → 20 ms;"
            f" 95% interval 1.7–2.5×; {COUNTS})",
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
            "10.0% of requests to /export with CACHE=on return 402, against none with it off"
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


MEAN, P95 = "latency_mean", "latency_p95"
FEWER = {"verdict": "better"}


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            said(judged(MEAN, 200, 200.08, (0.93, 1.08))),
            "are as fast as with it off (95% interval 7.0% faster to 8.0% slower;",
        ),
        (
            said(judged(MEAN, 200, 50, (0.23, 0.27), **FEWER)),
            "are 4.0× faster than with it off (95% interval 3.7–4.3×;",
        ),
        (
            said(judged(MEAN, 200, 0.2, (0.0009, 0.0011), **FEWER)),
            "are 1,000× faster than with it off (95% interval 909–1,111×;",
        ),
        (
            said(judged(MEAN, 200, 246_800, (1148, 1333))),
            "are 1,234× slower than with it off (95% interval 1,148–1,333×;",
        ),
        (
            said(judged(MEAN, 200, 400, (1.96, 2.04))),
            "are 2.0× slower than with it off (95% interval 1.96–2.04×;",
        ),
        (
            said(judged(MEAN, 200, 399.2, (1.8, 2.2))),
            "are 2.0× slower than with it off (95% interval 1.8–2.2×;",
        ),
        (
            said(judged(MEAN, 200, 210, (1.0, 1.1))),
            "are 5.0% slower than with it off (95% interval 0–10%;",
        ),
        (
            said(judged(MEAN, 200, 300, (1, 2), ratio_interval=None)),
            "are 50% slower than with it off (no interval yet;",
        ),
        (
            said(judged("latency_p50", 200, 300, (1.4, 1.6))),
            "requests to /export with CACHE=on are 50% slower than with it off (",
        ),
        (
            said(judged("error_rate", 0.0, 0.001, (0.00001, 0.0021))),
            "0.10% of requests to /export with CACHE=on fail, against none with it off"
            " (95% interval 0 to +0.21 points;",
        ),
        (
            said(judged("error_rate", 0.0, 1.0, (0.9, 1.0))),
            "all requests to /export with CACHE=on fail, against none with it off (",
        ),
        (
            said(judged("status_code:503", 1.0, 0.0, (-1.0, -0.9), **FEWER)),
            "no requests to /export with CACHE=on return 503, against all with it off"
            " (95% interval −100.0 to −90.0 points;",
        ),
        (
            said(judged("error_rate", 0.1006, 0.1014, (0.0002, 0.0014))),
            "10.14% of requests to /export with CACHE=on fail, against 10.06% with it off",
        ),
        (
            said(judged("error_rate", 0.1, 0.4, (0, 1), difference_interval=None)),
            "40.0% of requests to /export with CACHE=on fail, against 10.0% with it off"
            " (no interval yet;",
        ),
        (said(PAYMENT, judged(P95, 200, 1000, (4.9, 5.1))), "), and their p95 is 5.0× higher"),
        (
            said(SLOWER, judged("error_rate", 0.02, 1.0, (0.9, 1.0)), PAYMENT),
            "), all of them now fail (2.0% with it off) and 10.0% of them now return 402",
        ),
        (
            said(
                judged(MEAN, 200, 150, (0.7, 0.8), **FEWER),
                judged("error_rate", 1.0, 0.0, (-1.0, -0.9), **FEWER),
            ),
            "), and none of them fail (all with it off)",
        ),
        (
            said(PAYMENT, cohorts=Variants("Ж-кэш " * 30, "выкл", "вкл")),
            "=вкл return 402, against none with it выкл (95% interval",
        ),
    ],
)
def test_extremes_read_as_what_they_are(told: str, words: str) -> None:
    assert words in told


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
        (
            [
                whole("latency_p95", (0.9999, 1.0404), verdict="no_difference"),
                whole("error_rate", (-0.00001, 0.00002), verdict="no_difference"),
            ],
            "No meaningful difference: p95 within ±4.1%, errors within ±0.01 points",
        ),
        ([whole("traffic", (0.9, 1.1), verdict="no_difference")], "No meaningful difference"),
    ],
    ids=["what is excluded", "rounded up", "nothing to name"],
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
        (
            waiting((1e9, None)),
            "Not known yet; a year or more to go",
            "It ended before an answer was known: that would have taken at least a year longer",
        ),
        ([], "Not known yet", "It ended before an answer was known"),
    ],
    ids=["a range", "at least", "too few", "years", "nothing"],
)
def test_not_known_says_how_long_or_why_and_promises_nothing_of_what_ended(
    given: list[Judged], now: str, over: str
) -> None:
    assert not_known(given) == now
    assert not_known(given, over=True) == over
    assert not_known(given, left_s=2e9) == now


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
