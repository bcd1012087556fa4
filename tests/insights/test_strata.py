"""Which of two changes did it: tables with known causes."""

from collections.abc import Callable

import numpy as np
import pytest

from insights.statistics.strata import checked
from insights.statistics.totals import Array

Effect = Callable[[bool, bool], float]


def table(
    effect: Effect, *, correlation: float = 0.5, users: int = 4000, seed: int = 1, mean: bool
) -> tuple[Array, Array]:
    """Users have the change and the other; `effect(change, other)` is their rate or latency."""
    rng = np.random.default_rng(seed)
    change = rng.random(users) < 0.5
    other = np.where(rng.random(users) < correlation, change, rng.random(users) < 0.5)
    requests = rng.poisson(8, users) + 1
    level = np.exp(rng.normal(0, 0.3, users)) if mean else np.ones(users)
    rate = np.array([effect(c, o) for c, o in zip(change, other, strict=True)])
    value = rng.gamma(4, rate * level * requests / 4) if mean else rng.binomial(requests, rate)
    weight, total = np.zeros((2, 2, 1, 100)), np.zeros((2, 2, 1, 100))
    rows = zip(change, other, np.arange(users) % 100, requests, value, strict=True)
    for c, o, bucket, n, y in rows:
        weight[int(c), int(o), 0, bucket] += n
        total[int(c), int(o), 0, bucket] += y
    return weight, total


@pytest.mark.parametrize("mean", [False, True], ids=["errors", "latency"])
@pytest.mark.parametrize(
    ("effect", "correlation", "answer"),
    [
        (lambda c, o: 0.01 + 0.09 * c, 0.5, "independent"),
        (lambda c, o: 0.01 + 0.09 * o, 0.7, "explains"),
        (lambda c, o: 0.01 + 0.09 * (c and o), 0.0, "only_with"),
        (lambda c, o: 0.01 + 0.09 * c, 1.0, "inseparable"),
    ],
    ids=["this one", "the other", "both together", "the same users"],
)
def test_the_cause_is_told(effect: Effect, correlation: float, answer: str, mean: bool) -> None:
    answers = [
        checked(*table(effect, correlation=correlation, seed=seed, mean=mean), mean=mean).answer
        for seed in range(5)
    ]
    assert sum(one == answer for one in answers) >= 4, answers


@pytest.mark.parametrize(
    ("effect", "mean"),
    [(lambda c, o: 0.01 + 0.02 * c + 0.09 * o, False), (lambda c, o: 0.02 * 1.5**c * 9**o, True)],
    ids=["errors", "latency"],
)
def test_an_effect_of_both_is_partly_the_others(effect: Effect, mean: bool) -> None:
    assert checked(*table(effect, correlation=0.8, mean=mean), mean=mean).answer == "partly"


def test_only_with_names_the_value() -> None:
    found = checked(
        *table(lambda c, o: 0.01 + 0.09 * (c and o), correlation=0.0, mean=False), mean=False
    )
    assert found.with_value == 1


def test_nothing_to_compare_is_too_little() -> None:
    empty = np.zeros((2, 1, 1, 100))
    assert checked(empty, empty, mean=False).answer == "too_little"
