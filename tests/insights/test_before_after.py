"""Before and after: what stands out from how much levels move by themselves."""

import numpy as np
import pytest

from insights.statistics.before_after import log_ratio_of_rates, stands_out


def test_rare_failures_that_become_frequent_stand_out() -> None:
    ratio, variance = log_ratio_of_rates((0.004, 0.15), (2250, 2250), 0.0076)
    assert ratio == pytest.approx(np.log(0.15 / 0.004))
    assert stands_out(ratio, variance, 0.5, 0)


def test_the_variance_of_a_ratio_of_rates_is_what_simulation_shows() -> None:
    rng = np.random.default_rng(1)
    n, rates = 20_000, (0.004, 0.06)
    hits = rng.binomial(n, rates, size=(4000, 2))
    errors = np.sqrt((hits / n * (1 - hits / n) / n).sum(axis=1))
    ratios = [
        log_ratio_of_rates((a / n, b / n), (n, n), error)
        for (a, b), error in zip(hits.tolist(), errors.tolist(), strict=True)
    ]
    spread = np.std([ratio for ratio, _ in ratios])
    said = np.sqrt(np.mean([variance for _, variance in ratios]))
    assert said == pytest.approx(spread, rel=0.1)


def test_no_failure_at_all_on_one_side_is_half_a_failure() -> None:
    ratio, variance = log_ratio_of_rates((0.0, 0.01), (1000, 1000), 0.003)
    assert ratio == pytest.approx(np.log(20))
    assert variance > 2
