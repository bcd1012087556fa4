"""The statistics on invented traffic: what is found, what is not, how often it is wrong."""

import math
from dataclasses import replace

import numpy as np
import pytest

from insights.cohorts import Scope
from insights.deltas import Delta, deltas
from insights.examine import Plan, judged_side_by_side
from insights.findings import findings
from insights.health import Health
from insights.statistics import sample_ratio
from insights.verdicts import Judged, family_weights, joint_weights, judge
from tests.insights.simulate import ROUTES, Effect, requests, totals

EXPORT = Scope("shop", "/export")


def judged(seed: int = 1, until: float = 1.0, **options: object) -> list[Judged]:
    found = totals(requests(seed, **options), until)  # type: ignore[arg-type]  # passed through
    return judge(deltas(found), "randomised", elapsed_s=3600 * until)


def one(of: list[Judged], measure: str, scope: Scope) -> Judged:
    return next(j for j in of if j.delta.measure == measure and j.delta.scope == scope)


def test_three_times_slower_with_402s_is_found_with_its_size() -> None:
    found = judged(effects=(Effect("/export", 3.0, 402, 0.1),))
    mean = one(found, "latency_mean", EXPORT)
    assert mean.verdict == "worse"
    assert mean.delta.ratio == pytest.approx(3.0, rel=0.15)
    assert mean.delta.ratio_interval is not None
    assert mean.delta.ratio_interval[0] < 3.0 < mean.delta.ratio_interval[1]
    status = one(found, "status_code:402", EXPORT)
    assert status.verdict == "worse"
    assert status.delta.candidate == pytest.approx(0.1, abs=0.02)
    assert status.delta.baseline == 0.0


def test_other_routes_are_not_blamed() -> None:
    found = judged(effects=(Effect("/export", 3.0, 402, 0.1),))
    blamed = {j.delta.scope.route for j in found if j.verdict == "worse"} - {"", "/export"}
    assert not blamed


def test_the_route_is_told_and_the_whole_is_folded_into_it() -> None:
    found = totals(requests(1, effects=(Effect("/export", 3.0, 402, 0.1),)))
    told = findings(judge(deltas(found), "randomised", elapsed_s=3600), found)
    assert told[0].delta.scope == EXPORT
    assert told[0].delta.measure == "latency_mean"
    assert [other.delta.measure for other in told[0].also] == ["status_code:402"]
    assert all(not finding.delta.scope.whole for finding in told)


def test_faster_is_better() -> None:
    found = judged(users=3000, effects=(Effect("/search", 0.6),))
    assert one(found, "latency_mean", Scope("shop", "/search")).verdict == "better"


def test_large_samples_without_effect_have_no_difference_somewhere_and_nothing_worse() -> None:
    found = judged(users=60_000, per_user=6.0)
    verdicts = {j.verdict for j in found}
    assert "worse" not in verdicts
    assert one(found, "latency_p50", Scope()).verdict == "no_difference"


@pytest.mark.parametrize("share", [0.5, 0.05], ids=["even split", "5% canary"])
def test_flags_that_do_nothing_are_hardly_ever_called_worse_or_better(share: float) -> None:
    wrong = 0
    for seed in range(16):
        traffic = requests(1000 + seed, users=800, candidate_share=share)
        for until in (0.1, 0.3, 0.6, 1.0):
            found = judge(deltas(totals(traffic, until)), "randomised", elapsed_s=1)
            if any(j.verdict in ("worse", "better") for j in found):
                wrong += 1
                break
    assert wrong <= 2  # 16 days of 4 looks; the recipe allows 5% of them


def test_sample_rates_are_weights_and_change_no_verdict() -> None:
    effect = (Effect("/export", 3.0),)
    plain = judged(effects=effect)
    weighted = judged(effects=effect, weight=20.0)
    for left, right in zip(plain, weighted, strict=True):
        assert left.verdict == right.verdict
        assert right.delta.candidate == pytest.approx(left.delta.candidate) or (
            left.delta.measure == "traffic"
        )
        assert right.delta.error == pytest.approx(left.delta.error, rel=1e-6)


SAMPLINGS: dict[str, dict[str, object]] = {
    "fast ones 1 in 20": {"fast_kept": 20},
    "rates of 1, 5, 20 and 100": {"kept": (1, 5, 20, 100)},
}


@pytest.mark.parametrize("sampling", SAMPLINGS.values(), ids=list(SAMPLINGS))
def test_intervals_of_sampled_events_hold_the_truth(sampling: dict[str, object]) -> None:
    """12 days of 6 looks. Without the weights of rare heavy events a status code misses in 4."""
    missed: dict[str, int] = {}
    asked = 0
    for seed in range(12):
        effect = (Effect("/export", 1.5, 503, 0.01),)
        day = requests(7_000_003 + seed, users=1500, spread=0.8, effects=effect, **sampling)  # type: ignore[arg-type]  # passed through
        wrong = set()
        for until in (1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1.0):
            for delta in deltas(totals(day, until)):
                if delta.scope != EXPORT or not delta.tested:
                    continue
                bounds, truth = delta.ratio_interval, 1.5
                if delta.measure == "status_code:503":
                    bounds, truth = delta.difference_interval, 0.01
                elif not delta.is_latency:
                    continue
                asked += 1
                if bounds and not bounds[0] <= truth <= bounds[1]:
                    wrong.add(delta.measure)
        for measure in wrong:
            missed[measure] = missed.get(measure, 0) + 1
    assert asked > 50
    assert max(missed.values(), default=0) <= 1


def test_users_are_not_counted_where_slow_requests_are_kept_more_often() -> None:
    """The slow cohort's users are seen more often: no mismatch, and no traffic per user."""
    slower = tuple(Effect(route, 3.0) for route in ROUTES)
    found = totals(requests(1, users=4000, per_user=2.0, effects=slower, fast_kept=100))
    plan = Plan(split=True, shares=(50.0, 50.0))
    assert sample_ratio.test(found.units.whole, (50, 50)).mismatch
    result = judged_side_by_side(found, plan, Health())
    assert result.ratio is None
    assert "can't be checked" in result.note
    assert one(result.judged, "latency_mean", Scope()).verdict == "worse"
    assert one(result.judged, "traffic", Scope()).delta.reason.startswith("sampling keeps some")


def test_a_ramp_does_not_mistake_the_hour_for_the_variant() -> None:
    """Latency doubles over the day while the share rises: compared within slices, all is well."""
    traffic = requests(5, users=4000)
    rng = np.random.default_rng(9)
    threshold = rng.random(4000)
    arm = (threshold[traffic.user] < 0.1 + 0.8 * traffic.time).astype(np.int64)
    drifting = traffic.duration_ms * np.exp(traffic.time * math.log(2))
    ramp = type(traffic)(
        traffic.time, traffic.user, arm, traffic.route, drifting, traffic.status, traffic.weight
    )
    pooled = judge(deltas(totals(ramp)), "randomised", elapsed_s=1)
    assert one(pooled, "latency_mean", Scope()).verdict == "worse"
    sliced = judge(deltas(totals(ramp, slices=24)), "randomised", elapsed_s=1)
    assert one(sliced, "latency_mean", Scope()).verdict in ("unknown", "no_difference")
    ratio = one(sliced, "latency_mean", Scope()).delta.ratio
    assert ratio == pytest.approx(1.0, abs=0.08)


def test_a_mismatch_withholds_every_claim() -> None:
    found = totals(requests(1, effects=(Effect("/export", 3.0),)))
    told = judge(deltas(found), "concurrent", elapsed_s=1, withheld="the split is off")
    assert {j.verdict for j in told} == {"unknown"}
    assert one(told, "latency_mean", EXPORT).reason == "the split is off"


def test_a_handful_of_users_decides_nothing() -> None:
    found = judged(users=20, per_user=100.0, effects=(Effect("/export", 3.0),))
    assert all(j.verdict == "unknown" for j in found if j.delta.is_latency)


def test_unknown_says_how_much_longer_as_a_range() -> None:
    found = judged(users=400, effects=(Effect("/search", 1.15),))
    waiting = one(found, "latency_p50", Scope("shop", "/search"))
    assert waiting.verdict == "unknown"
    assert waiting.more_s is not None
    low, high = waiting.more_s
    assert low >= 0
    assert high is None or high >= low


def test_every_measure_of_every_scope_is_there() -> None:
    found: list[Delta] = deltas(totals(requests(1)))
    measures = {delta.measure for delta in found if delta.scope.whole}
    assert measures == {
        *("latency_mean", "latency_p50", "latency_p95", "latency_p99"),
        *("error_rate", "status_code:200", "status_code:500", "traffic"),
    }
    assert {delta.scope.route for delta in found} == {
        *("", "/", "/search", "/export", "/login", "/payment")
    }


def test_fast_failures_are_no_speed_up() -> None:
    """Half of the exports now fail at once: the rest are as fast as ever, and nothing is better."""
    traffic = requests(3, effects=(Effect("/export", 1.0, 503, 0.5),))
    failing = (traffic.status == 503) & (traffic.arm == 1)
    quick = replace(traffic, duration_ms=np.where(failing, 1.0, traffic.duration_ms))
    found = totals(quick)
    told = findings(judge(deltas(found), "randomised", elapsed_s=3600), found)
    assert [(one.delta.measure, one.judged.verdict) for one in told] == [("error_rate", "worse")]


def test_latency_of_successes_is_given_where_failures_differ() -> None:
    found = totals(requests(1, effects=(Effect("/export", 3.0, 402, 0.1),)))
    told = findings(judge(deltas(found), "randomised", elapsed_s=3600), found)
    assert told[0].successes is not None
    ratio, low, high = told[0].successes
    assert low < 3.0 < high
    assert ratio == pytest.approx(3.0, rel=0.2)


def test_cohorts_that_share_no_route_have_no_delta_and_no_error() -> None:
    traffic = requests(2, users=6, per_user=2.0)
    apart = replace(traffic, arm=(traffic.route > 2).astype(np.int64))
    assert deltas(totals(apart)) == []


def test_a_deploy_and_its_callers_are_one_family() -> None:
    own = deltas(totals(requests(1)))
    callers = [deltas(totals(requests(seed, users=200 * seed))) for seed in (2, 3)]
    weights = joint_weights(own, callers)
    assert len(weights) == len(own) + sum(map(len, callers))
    assert sum(joint_weights(own, [])) == pytest.approx(sum(family_weights(own)))
    assert sum(weights) == pytest.approx(sum(family_weights(own)))
    assert sum(weights[: len(own)]) == pytest.approx(0.7 * sum(family_weights(own)))
    first = sum(weights[len(own) :][: len(callers[0])])
    assert first < sum(weights[len(own) + len(callers[0]) :])  # the busier has more


def test_harmless_deploys_of_called_services_are_blamed_as_rarely_as_others() -> None:
    """20 deploys with a caller each, one family: 5% of them may be wrong."""
    wrong = 0
    for seed in range(20):
        own = deltas(totals(requests(700 + seed, users=300)))
        caller = deltas(totals(requests(800 + seed, users=300)))
        told = judge(
            [*own, *caller], "concurrent", elapsed_s=60, weights=joint_weights(own, [caller])
        )
        wrong += any(one.verdict in ("worse", "better") for one in told)
    assert wrong <= 2
