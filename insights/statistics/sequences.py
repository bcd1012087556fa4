"""E-values and intervals that stay valid however often one looks.

An asymptotic confidence sequence in which time runs in information (1/variance) and not in
requests: the mixture boundary of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform
central limit theory and asymptotic confidence sequences" (2024), averaged over three reference
differences so that large effects are found early and small ones still in the end.
"""

import math

from scipy.optimize import brentq

REFERENCE_DIFFERENCES = (0.05, 0.2, 1.0)
TUNING = 0.9276  # √7.9/3.03: tunes the mixture's width to each reference difference
_FAR = 200.0


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


def largest_deciding_variance(d: float, log_goal: float, per_scale: float = 1.0) -> float:
    """The largest variance at which a difference `d` reaches ln(E) ≥ `log_goal`; 0 if none does.

    `per_scale` turns the standard error of d into one of a log ratio (1 for log ratios).
    """
    if d == 0:
        return 0.0
    high = 1.0  # ln of the standard error, searched downwards from the size of d itself
    low = math.log(abs(d)) - 12

    def excess(log_error: float) -> float:
        error = math.exp(log_error)
        return log_e_value(min(abs(d) / error, _FAR), error * per_scale) - log_goal

    high = math.log(abs(d))
    if excess(high) >= 0:
        return math.exp(2 * high)
    if excess(low) < 0:
        return 0.0
    return math.exp(2 * float(brentq(excess, low, high, xtol=1e-6)))
