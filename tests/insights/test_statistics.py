"""The arithmetic alone: published numbers, coverage, and behaviour at the edges."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from insights.statistics import before_after, counts, multiple, quantiles, sample_ratio, sequences
from insights.statistics.totals import Arm, compare_means, compare_rates


def arm(weight: Sequence[ArrayLike], value: Sequence[ArrayLike]) -> Arm:
    return Arm(np.array(weight, dtype=np.float64), np.array(value, dtype=np.float64))


def test_means_of_one_stratum_are_plain_ratios() -> None:
    found = compare_means(arm([[10, 20]], [[100, 240]]), arm([[15, 15]], [[300, 330]]))
    assert found is not None
    assert found.baseline == pytest.approx(340 / 30)
    assert found.candidate == pytest.approx(630 / 30)
    assert found.d == pytest.approx(math.log(630 / 340))


def test_variance_of_a_mean_is_the_delta_methods() -> None:
    rng = np.random.default_rng(3)
    n0, n1 = rng.poisson(20, 100) + 1.0, rng.poisson(20, 100) + 1.0
    s0, s1 = n0 * rng.gamma(5, 2, 100), n1 * rng.gamma(5, 2, 100)
    found = compare_means(arm([n0], [s0]), arm([n1], [s1]))
    assert found is not None
    r0, r1 = s0.sum() / n0.sum(), s1.sum() / n1.sum()
    v0 = 100 / 99 * ((s0 - r0 * n0) ** 2).sum() / n0.sum() ** 2
    v1 = 100 / 99 * ((s1 - r1 * n1) ** 2).sum() / n1.sum() ** 2
    assert found.variance == pytest.approx(v0 / r0**2 + v1 / r1**2)


def test_weights_enter_twice_and_cancel() -> None:
    plain = compare_rates(arm([[10, 20, 30]], [[1, 2, 5]]), arm([[12, 18, 30]], [[4, 2, 9]]))
    tenfold = compare_rates(
        arm([[100, 200, 300]], [[10, 20, 50]]), arm([[120, 180, 300]], [[40, 20, 90]])
    )
    assert plain is not None
    assert tenfold is not None
    assert tenfold.d == pytest.approx(plain.d)
    assert tenfold.variance == pytest.approx(plain.variance)
    assert tenfold.units == pytest.approx(plain.units)


def test_nothing_in_common_is_no_comparison() -> None:
    apart = arm([[5, 5], [0, 0]], [[9, 9], [0, 0]]), arm([[0, 0], [5, 5]], [[0, 0], [9, 9]])
    assert compare_means(*apart) is None
    assert compare_rates(*apart) is None


@given(st.floats(0.001, 2.0), st.floats(0, 50))
def test_the_e_value_grows_with_the_score(scale: float, z: float) -> None:
    assert sequences.log_e_value(z + 0.1, scale) >= sequences.log_e_value(z, scale)


@given(st.floats(0.001, 1.0), st.floats(5, 500))
def test_the_interval_holds_what_the_e_value_does_not_reject(se: float, df: float) -> None:
    half = sequences.half_width(se, se, df, 0.05)
    if not math.isfinite(half):
        return
    z = sequences.small_sample(half / se, df)
    assert sequences.log_e_value(z, se) == pytest.approx(math.log(20), abs=1e-3)
    assert half > 1.96 * se  # looking often costs width


def test_intervals_cover_the_truth_at_all_looks() -> None:
    """300 days of 40 looks: at most 5% of days may ever miss; fixed intervals miss in a third."""
    rng = np.random.default_rng(11)
    missed = missed_fixed = 0
    for _ in range(300):
        steps = rng.normal(0, 1, 40).cumsum()
        ever = ever_fixed = False
        for look in range(1, 41):
            se = 0.3 / math.sqrt(look)
            d = 0.3 * steps[look - 1] / look
            ever |= abs(d) > sequences.half_width(se, se, 1e9, 0.05)
            ever_fixed |= abs(d) > 1.96 * se
        missed += ever
        missed_fixed += ever_fixed
    assert missed <= 15
    assert missed_fixed > 60


def test_first_errors_as_coin_tosses() -> None:
    assert counts.log_e_value(0, 0, 0.5) == pytest.approx(0.0)
    assert counts.log_e_value(20, 20, 0.5) < 0
    assert counts.log_e_value(0, 12, 0.05) > math.log(1e6)
    assert counts.log_e_value(3, 1, 0.0) == 0.0


def test_sample_ratio_fires_on_a_real_mismatch_only() -> None:
    assert not sample_ratio.test((5030, 4970), (50, 50)).mismatch
    assert sample_ratio.test((5500, 4500), (50, 50)).mismatch
    assert not sample_ratio.test((1, 0), (50, 50)).mismatch
    assert sample_ratio.test((0, 10), (100, 0)).mismatch


def test_e_bh_rejects_the_largest_that_hold_together() -> None:
    answers, _ = multiple.rejected([math.log(1000), math.log(45), 0.0], [0.5, 0.5, 1e-9])
    assert answers == [True, True, False]
    alone, goal = multiple.rejected([math.log(30), 0.0], [0.5, 0.5])
    assert alone == [False, False]
    assert goal == pytest.approx(math.log(20))


def test_quantiles_from_bins_are_within_a_bin_of_the_exact_ones() -> None:
    rng = np.random.default_rng(2)
    values = np.exp(rng.normal(5, 1, 50_000))
    bins = np.floor(np.log(values) * quantiles.BINS_PER_E).astype(np.int64)
    histogram = quantiles.histogram(bins, np.ones(len(values)))
    for share in (0.05, 0.5, 0.95, 0.99):
        exact = math.log(float(np.quantile(values, share)))
        assert histogram.log_quantile(share) == pytest.approx(exact, abs=0.02)
        assert histogram.share_above(exact) == pytest.approx(1 - share, abs=0.005)


def test_drift_is_learned_from_quiet_times() -> None:
    assert before_after.drift([], 0.1) == pytest.approx(0.1)
    calm = before_after.drift([before_after.Placebo(0.01, 0.0)] * 30, 0.1)
    wild = before_after.drift([before_after.Placebo(0.5, 0.0)] * 30, 0.1)
    assert calm < 0.1 < wild
    assert before_after.stands_out(0.6, 0.001, calm, 30)
    assert not before_after.stands_out(0.6, 0.001, wild, 30)


@pytest.mark.parametrize("scale", [0.3, 1.0, 25.0])
@pytest.mark.parametrize("size", [0.002, 0.05, 0.7])
def test_the_largest_deciding_variance_is_where_the_evidence_is_just_enough(
    size: float, scale: float
) -> None:
    goals = np.array([3.0, 6.9, 9.2])
    found = np.sqrt(sequences.deciding_variances(np.full(3, -size), goals, np.full(3, scale)))
    for error, goal in zip(found.tolist(), goals.tolist(), strict=True):
        assert sequences.log_e_value(size / error, error * scale) == pytest.approx(goal, abs=1e-6)
        assert sequences.log_e_value(size / error / 1.01, error * 1.01 * scale) < goal


@pytest.mark.parametrize("degrees", [12.0, 60.0, math.inf])
def test_an_interval_fits_where_what_it_leaves_out_is_just_excluded(degrees: float) -> None:
    room = np.array([0.001, 0.03, 0.4])
    found = sequences.deciding_variances(
        room, np.full(3, -math.log(0.1)), np.ones(3), np.full(3, degrees)
    )
    for error, own in zip(np.sqrt(found).tolist(), room.tolist(), strict=True):
        assert sequences.half_width(error, error, degrees, 0.1) == pytest.approx(own, rel=1e-6)


def test_no_variance_decides_what_is_no_difference_or_beyond_reach() -> None:
    none = sequences.deciding_variances(
        np.array([0.0, 0.1]), np.array([5.0, 1e9]), np.ones(2), np.array([math.inf, 3.0])
    )
    assert none.tolist() == [0.0, 0.0]
