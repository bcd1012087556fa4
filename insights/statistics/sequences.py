"""E-values and intervals that stay valid however often one looks.

An asymptotic confidence sequence in which time runs in information (1/variance) and not in
requests: the mixture boundary of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform
central limit theory and asymptotic confidence sequences" (2024), averaged over three reference
differences so that large effects are found early and small ones still in the end.
"""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

REFERENCE_DIFFERENCES = (0.05, 0.2, 1.0)
TUNING = 0.9276  # √7.9/3.03: tunes the mixture's width to each reference difference
_FAR = 200.0
_DEEPEST = 12.0  # e-folds below its difference that an error is looked for
_HALVINGS = 34


def small_sample(z: float, degrees: float) -> float:
    """The normal score with the tail of |z| under Student's t (Wallace 1959), without its sign."""
    z = abs(z)
    if not math.isfinite(degrees) or degrees > 1e6:
        return z
    if degrees <= 0:
        return 0.0
    factor = (8 * degrees + 1) / (8 * degrees + 3)
    return factor * math.sqrt(degrees * math.log1p(z * z / degrees))


def large_sample(z: float, degrees: float) -> float:
    """The inverse of `small_sample`: the score that few degrees of freedom bring down to `z`."""
    if not math.isfinite(degrees) or degrees > 1e6:
        return z
    if degrees <= 0:
        return math.inf
    factor = (8 * degrees + 1) / (8 * degrees + 3)
    power = (z / factor) ** 2 / degrees
    return math.sqrt(degrees * math.expm1(power)) if power < 100 else math.inf


def _terms(scale: float) -> list[tuple[float, float]]:
    """By reference difference: what z² is multiplied by in ln E, and what is taken from it."""
    found = []
    for reference in REFERENCE_DIFFERENCES:
        x = (TUNING * reference / scale) ** 2
        found.append((x / (2 * (x + 1)), 0.5 * math.log1p(x)))
    return found


def log_e_value(z: float, scale: float) -> float:
    """ln of the e-value of a normal score `z`; `scale` is the standard error as a log ratio.

    The three terms are written out here and below: this is where a look's arithmetic is spent.
    """
    square = z * z
    (slope0, cost0), (slope1, cost1), (slope2, cost2) = _terms(scale)
    first, second, third = (
        slope0 * square - cost0,
        slope1 * square - cost1,
        slope2 * square - cost2,
    )
    most = max(first, second, third)
    total = math.exp(first - most) + math.exp(second - most) + math.exp(third - most)
    return most + math.log(total / 3)


def score_needed(scale: float, log_goal: float) -> float:
    """The score z at which ln E reaches `log_goal`.

    ln E is convex in z²: Newton's method from a point above, where one term is enough alone, comes
    down to the root without overshooting.
    """
    (slope0, cost0), (slope1, cost1), (slope2, cost2) = _terms(scale)
    goal = log_goal + math.log(3)
    square = min((goal + cost0) / slope0, (goal + cost1) / slope1, (goal + cost2) / slope2)
    for _ in range(50):
        first, second, third = (
            slope0 * square - cost0,
            slope1 * square - cost1,
            slope2 * square - cost2,
        )
        most = max(first, second, third)
        part0, part1, part2 = (
            math.exp(first - most),
            math.exp(second - most),
            math.exp(third - most),
        )
        total = part0 + part1 + part2
        over = most + math.log(total) - goal
        square -= over * total / (part0 * slope0 + part1 * slope1 + part2 * slope2)
        if over < 1e-9:
            break
    return math.sqrt(max(square, 0.0))


def half_width(error: float, scale: float, degrees: float, alpha: float) -> float:
    """Half the width of the 1−alpha confidence sequence, in the unit of `error` (a standard error).

    It holds the values whose e-value stays below 1/alpha. Infinite where nothing is excluded.
    """
    if error <= 0 or scale <= 0:
        return math.inf
    z = large_sample(score_needed(scale, -math.log(alpha)), degrees)
    return error * z if z <= _FAR else math.inf


def deciding_variances(
    d: Array, log_goal: Array, per_scale: Array, degrees: Array | float = math.inf
) -> Array:
    """The largest variance at which each difference `d` reaches ln(E) ≥ `log_goal`; 0 if none does.

    `per_scale` turns the standard error of d into one of a log ratio (1 for log ratios). All are
    searched at once, by halving the range of ln of the error below |d|, a 160,000th of it at most.
    """
    size = np.abs(d)
    known = size > 0
    high = np.log(np.where(known, size, 1.0))
    low = high - _DEEPEST

    def reaches(log_error: Array) -> NDArray[np.bool_]:
        error = np.exp(log_error)
        z = _small_samples(np.minimum(size / error, _FAR), degrees)
        return _log_e_values(z, error * per_scale) >= log_goal

    at_once, at_all = reaches(high), reaches(low)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        enough = reaches(middle)
        low, high = np.where(enough, middle, low), np.where(enough, high, middle)
    found = np.exp(2 * np.where(at_once, np.log(np.where(known, size, 1.0)), low))
    return np.where(known & (at_once | at_all), found, 0.0)


def _small_samples(z: Array, degrees: Array | float) -> Array:
    """`small_sample` of many."""
    few = np.clip(degrees, 1e-12, 1e6)
    factor = (8 * few + 1) / (8 * few + 3)
    found = factor * np.sqrt(few * np.log1p(z * z / few))
    return np.where(np.asarray(degrees) > 1e6, z, np.where(np.asarray(degrees) <= 0, 0.0, found))


def _log_e_values(z: Array, scale: Array) -> Array:
    """`log_e_value` of many."""
    x = (TUNING * np.array(REFERENCE_DIFFERENCES)[:, None] / scale) ** 2
    terms = x / (2 * (x + 1)) * (z * z) - 0.5 * np.log1p(x)
    most = terms.max(axis=0)
    found: Array = most + np.log(np.exp(terms - most).mean(axis=0))
    return found
