"""Which of two changes did it: tables with known causes."""

from collections.abc import Callable
from typing import Any

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


def over_time(share_of_new: Callable[[int], float], rate: Callable[[int, bool], float]) -> Any:
    """Sixty slices, the second half of which is "after": a build takes over by `share_of_new`."""
    rng = np.random.default_rng(3)
    weight, total = np.zeros((2, 2, 60, 100)), np.zeros((2, 2, 60, 100))
    for part in range(60):
        for _ in range(400):
            new = rng.random() < share_of_new(part)
            at = (int(part >= 30), int(new), part, rng.integers(100))
            weight[at] += 1
            total[at] += rng.random() < rate(part, new)
    return weight, total


@pytest.mark.parametrize(
    ("share_of_new", "rate", "answer"),
    [
        (lambda n: n >= 24, lambda n, new: 0.1 if n >= 18 else 0.01, "too_little"),
        (lambda n: n >= 36, lambda n, new: 0.1 if n >= 36 else 0.01, "too_little"),
        (lambda n: n >= 30, lambda n, new: 0.1 if new else 0.01, "inseparable"),
        (lambda n: (n - 26) / 14, lambda n, new: 0.1 if new else 0.01, "explains"),
        (lambda n: 0.5 * (n >= 30), lambda n, new: 0.1 if new else 0.01, "explains"),
    ],
    ids=["just after it moved", "as it moved", "as the time begins", "rolled out", "for half"],
)
def test_before_and_after_only_what_is_there_at_the_same_time_explains(
    share_of_new: Callable[[int], float], rate: Callable[[int, bool], float], answer: str
) -> None:
    """Whatever comes with time goes with a difference between two times."""
    weight, total = over_time(share_of_new, rate)
    assert checked(weight, total, mean=False, by_time=True).answer == answer


def test_nothing_to_compare_is_too_little() -> None:
    empty = np.zeros((2, 1, 1, 100))
    assert checked(empty, empty, mean=False).answer == "too_little"
