"""Where an effect is, what else changed, each build and the mix of traffic, word for word."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from insights import build_words, mix, reason_words
from insights.cohorts import Comparison, Scope, Variants
from insights.delta import Delta
from insights.mix import Mix, Moved
from insights.overlaps import Other, Overlap
from insights.scan import OTHER_ROUTES
from insights.statistics.excess import Excess
from insights.statistics.strata import Answer, Checked
from insights.where import Segment, Term, Where
from tests.insights.test_sentences import judged

AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CACHE = Comparison(1, Variants("CACHE", "off", "on"), AT - timedelta(hours=1), AT)
SLOWER = judged("latency_mean", 200, 600, (2.8, 3.2)).delta
FASTER = judged("latency_mean", 200, 50, (0.2, 0.3), verdict="better").delta
TAIL = judged("latency_p95", 400, 1200, (2.8, 3.2)).delta
FAILING = judged("error_rate", 0.01, 0.1, (0.08, 0.1)).delta
MENDED = judged("error_rate", 0.1, 0.01, (-0.1, -0.08), verdict="better").delta
REFUSED = judged("status_code:402", 0.0, 0.1, (0.08, 0.12)).delta
SPARED = judged("status_code:402", 0.1, 0.0, (-0.12, -0.08), verdict="better").delta


def excess(part: float, *levels: float) -> Excess:
    own, now, before, after = levels
    return Excess(0.1, 0.05, 0.15, 0.5, part, own, now, (before, after), 0.3)


def ms(*values: float) -> tuple[float, ...]:
    return tuple(math.log1p(value) for value in values)


FREE = Term("plan", "=", ("free",))
BIG = Term("export_rows", ">", ("10000",))


@pytest.mark.parametrize(
    ("found", "delta", "said"),
    [
        (
            Where((Segment((FREE,), excess(0.97, *ms(200, 600, 198, 199))),), ("country",), 40),
            SLOWER,
            "Nearly all of the slow-down is where plan = free (typically 200 ms → 600 ms; elsewhere"
            " 198 ms → 199 ms). It is the same for all values of country.",
        ),
        (
            Where(
                (
                    Segment(
                        (FREE, BIG), excess(0.6, 0.0, 0.3, 0.01, 0.02), (Term("trial", "absent"),)
                    ),
                ),
                ("app.version", "country", "browser"),
                40,
            ),
            FAILING,
            "About 60% of the extra failures are where plan = free and export_rows over 10,000 (the"
            " same requests as no trial) (0% → 30.0%; elsewhere 1.0% → 2.0%). It is the same"
            " for all"
            " values of app.version, country and browser.",
        ),
        (
            Where((Segment((FREE,), excess(0.5, *ms(200, 50, 198, 199))),), (), 40),
            FASTER,
            "About 50% of the speed-up is where plan = free (typically 200 ms → 50 ms; elsewhere"
            " 198 ms → 199 ms).",
        ),
        (
            Where((Segment((FREE,), excess(0.5, 0.05, 0.4, 0.05, 0.06)),), (), 40),
            TAIL,
            "About 50% of the slow-down is where plan = free (5.0% → 40.0%; elsewhere 5.0% →"
            " 6.0%).",
        ),
        (
            Where((), ("country",), 1),
            REFUSED,
            "No narrower part of these requests holds it: 1 value of their fields was looked"
            " at, and"
            " none stands out. It is the same for all values of country.",
        ),
        (
            Where((), (), 1200),
            REFUSED,
            "No narrower part of these requests holds it: 1,200 values of their fields were looked"
            " at, and none stands out.",
        ),
    ],
    ids=["nearly all", "two deep", "speed-up", "tail", "one value", "many values"],
)
def test_where_it_is(found: Where, delta: Delta, said: str) -> None:
    assert reason_words.where(found, delta) == said


@pytest.mark.parametrize(
    ("delta", "said"),
    [
        (MENDED, "the failures that went away are"),
        (REFUSED, "the extra 402s are"),
        (SPARED, "the 402s that went away are"),
    ],
)
def test_what_is_where(delta: Delta, said: str) -> None:
    found = Where((Segment((FREE,), excess(0.5, 0.1, 0.2, 0.3, 0.4)),), (), 9)
    assert said in reason_words.where(found, delta)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (Term("plan", "=", ("",)), "plan = (empty)"),
        (Term("plan", "absent"), "no plan"),
        (Term("plan", "in", ("free", "pro")), "plan is free or pro"),
        (Term("país", "in", ("NZ", "日本", "AU", "US")), "país is NZ, 日本, AU or 1 other value"),
        (Term("n", "in", tuple("abcdef")), "n is a, b, c or 3 other values"),
        (Term("rows", "≤", ("0.04321",)), "rows at most 0.043"),
        (Term("rows", ">", ("-1234567",)), "rows over −1,234,567"),
    ],
)
def test_terms(one: Term, said: str) -> None:
    assert reason_words.term(one) == said


def overlap(
    answer: Answer, overall: float, within: float | None, *, build: bool = False
) -> Overlap:
    other = Other("build", "shop", 7) if build else Other("flag", "TWIN")
    return Overlap(other, Checked(answer, overall, within, 0.4), "on" if not build else "b2")


@pytest.mark.parametrize(
    ("one", "delta", "said"),
    [
        (
            overlap("explains", math.log(3), 0.0),
            SLOWER,
            "Explains it: with TWIN=on held fixed, 3.0× becomes 1.00×.",
        ),
        (
            overlap("explains", math.log(0.25), math.log(0.97), build=True),
            FASTER,
            "Explains it: with the builds of shop held fixed, 0.25× becomes 0.97×.",
        ),
        (
            overlap("partly", 0.09, 0.03),
            FAILING,
            "Part of it: with TWIN=on held fixed, +9.0 points become +3.0 points.",
        ),
        (
            overlap("explains", 0.3, -0.00001),
            TAIL,
            "Explains it: with TWIN=on held fixed, +30.0 points of slow requests become 0 points of"
            " slow requests.",
        ),
        (
            overlap("only_with", 0.09, 0.09, build=True),
            FAILING,
            "The effect is there only with shop build b2: the two act together.",
        ),
        (
            overlap("too_little", 0.09, None),
            FAILING,
            "Too few requests had one without the other to tell yet.",
        ),
        (
            overlap("independent", 0.09, 0.09),
            FAILING,
            "The effect is the same with and without it, so it is not the cause.",
        ),
    ],
)
def test_what_another_change_has_to_do_with_it(one: Overlap, delta: Delta, said: str) -> None:
    assert reason_words.overlap(one, delta) == said


def test_what_cannot_be_told_apart_says_how_to_stagger_them() -> None:
    told = reason_words.overlap(overlap("inseparable", 0.09, None), FAILING)
    assert told.startswith("Cannot be told apart: hardly any request had one without the other.")
    assert told.endswith("Take one back for a while, or next time leave an hour between them.")


HOME, SEARCH = Scope("shop", "/"), Scope("shop", "/search")


@pytest.mark.parametrize(
    ("moved", "said"),
    [
        (
            (Moved(HOME, 0.2, 0.5), Moved(SEARCH, 0.6, 0.3)),
            "Traffic moved from /search to / (share of requests with it off → with CACHE=on:"
            " / 20.0% → 50.0%, /search 60.0% → 30.0%).",
        ),
        (
            (Moved(Scope("shop", OTHER_ROUTES), 0.0, 1.0),),
            "More of the traffic is to other routes of shop (share of requests with it off → with"
            " CACHE=on: other routes of shop 0% → 100%).",
        ),
        (
            (Moved(HOME, 0.05, 0.01),),
            "Less of the traffic is to / (share of requests with it off → with CACHE=on: / 5.0% →"
            " 1.0%).",
        ),
    ],
    ids=["from one to another", "more", "less"],
)
def test_a_shift_of_traffic(moved: tuple[Moved, ...], said: str) -> None:
    assert mix.said(Mix(moved, 1.0), CACHE, None) == said


@pytest.mark.parametrize(
    ("crude", "ratio", "bounds", "said"),
    [
        (1.31, 1.3, (1.2, 1.4), " It changes the mean of all requests by little."),
        (
            0.25,
            1.01,
            (0.97, 1.05),
            " With that in it the mean reads 4.0× lower; with the mix held fixed, as everywhere"
            " here, no difference is seen (3.0% lower to 5.0% higher).",
        ),
        (
            1.0,
            1.3,
            (1.2, 1.4),
            " With that in it the mean reads the same; with the mix held fixed, as everywhere here,"
            " it is 30% higher (20–40%).",
        ),
    ],
    ids=["little", "a shift alone", "hidden by it"],
)
def test_what_a_shift_does_to_the_mean(
    crude: float, ratio: float, bounds: tuple[float, float], said: str
) -> None:
    mean = judged("latency_mean", 200, 200 * ratio, bounds).delta
    told = mix.said(Mix((Moved(HOME, 0.05, 0.2),), crude), CACHE, mean)
    assert told.partition(").")[2] == said


def built(measure: str, build: str, ratio: float, bounds: tuple[float, float]) -> Delta:
    before = 0.1 if measure == "error_rate" else 200.0
    return judged(measure, before, before * ratio, bounds, scope=Scope("shop", build)).delta


def test_an_effect_build_by_build() -> None:
    old = built("latency_p95", "b1", 1.0, (0.97, 1.03))
    new = built("latency_p95", "b2", 3.0, (2.8, 3.2))
    fails = built("error_rate", "b2", 1.98, (0.08, 0.12))
    builds = (old.scope, new.scope)
    assert build_words.said([old, new], new, builds) == (
        "Only with shop build b2: p95 3.0× higher (2.8–3.2×) there, and not with shop build b1."
    )
    assert build_words.said([old, fails], fails, builds) == (
        "Only with shop build b2: errors +9.8 points (+8.0 to +12.0 points) there, and"
        " not with shop"
        " build b1."
    )
    assert build_words.said([old, new], None, builds) == (
        "Not the same with every build: 3.0× higher (2.8–3.2×) with shop build b2, the same"
        " (3.0% lower to 3.0% higher) with shop build b1."
    )
    assert build_words.said([new, new], None, builds) == "Much the same with both builds."
    assert build_words.said([new], None, builds) == (
        "Too few requests with shop build b1 to compare builds yet."
    )
