"""When a level moved, over series that are made up."""

import numpy as np
import pytest

from insights.statistics.steps import steps


def series(place: int, *, size: float = 1.0, noise: float = 0.1, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    level: np.ndarray = rng.normal(10, noise, 60)
    level[place:] += size
    return level


@pytest.mark.parametrize("place", [10, 30, 50])
def test_the_best_step_is_where_the_level_moved(place: int) -> None:
    found = steps(np.ones(60), series(place))
    assert found.best == place
    assert found.fits(place)
    assert found.fits(place - 0.4)  # the cause came within the slice before
    assert not found.fits(place - 8)
    assert not found.fits(place + 8)


def test_noise_has_no_clear_step() -> None:
    found = steps(np.ones(60), series(30, size=0.0))
    assert found.best is None
    assert not found.fits(30)


def test_a_slope_is_no_step_at_its_ends() -> None:
    found = steps(np.ones(60), np.linspace(10, 12, 60))
    assert not found.fits(5)
    assert not found.fits(55)


def test_slices_without_traffic_and_constant_levels_say_nothing() -> None:
    assert steps(np.zeros(60), np.zeros(60)).best is None
    assert steps(np.ones(60), np.ones(60)).best is None
    assert steps(np.ones(2), np.array([1.0, 2.0])).best is None
