"""A test whose length is known in advance: fewer restrictions on the future, more power now.

Looks share α by the spending function of Lan and DeMets ("Discrete sequential boundaries for
clinical trials", Biometrika 1983) that resembles O'Brien and Fleming's bounds: by the part t of
the length that has passed, α(t) = 4·(1 − Φ(z₁₋α/₄ / √t)) has been spent, two-sided. Almost nothing
is spent early, and at the end the bound is close to that of a single test. Spending runs in
calendar time (Lan and DeMets, "Group sequential procedures: calendar versus information time",
Statistics in Medicine 1989), so that neither the number of looks nor the information at the end
need be known, only the end; how looks depend on each other is by their information.

Bounds are found by recursive integration over the scores that did not cross before (Armitage,
McPherson, Rowe, "Repeated significance tests on accumulating data", JRSS A 1969). No constant is
kept here: tests hold the bounds against those that gsDesign's manual (`gs_b`, sfLDOF), ldbounds and
RTSA print, against the constants of Jennison and Turnbull ("Group Sequential Methods", 2000, tables
2.1 and 2.3), and against the bivariate normal distribution.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

Array = NDArray[np.float64]
POINTS = 257  # of the grid between the bounds: boundaries are good to four decimals
NEVER = 8.0  # a bound that a score without any effect does not reach in practice


def spent(part: float, alpha: float) -> float:
    """How much of a two-sided α has been spent when this part (0 to 1) of the length has passed."""
    if part <= 0:
        return 0.0
    z = float(ndtri(1 - alpha / 4)) / math.sqrt(min(part, 1.0))
    return 4.0 * float(ndtr(-z))


def bounds(parts: Sequence[float], information: Sequence[float], alpha: float) -> list[float]:
    """The |z| to reach at each look.

    `parts` of the length at the looks, rising to 1 at the end; `information` at them (1/variance,
    in any unit), rising.
    """
    found: list[float] = []
    walk = _Walk()
    before = 0.0
    for part, know in zip(parts, information, strict=True):
        total = spent(part, alpha)
        found.append(walk.look(know, max(total - before, 0.0)))
        before = max(before, total)
    return found


def crossing(at: Sequence[float], information: Sequence[float]) -> float:
    """The chance of reaching one of the bounds `at` at its look when nothing differs."""
    walk = _Walk()
    return sum(walk.pass_(know, bound) for know, bound in zip(information, at, strict=True))


class _Walk:
    """The sub-density of the score's path that has crossed no bound yet, after each look.

    Kept as values of the Brownian path B = z·√information at grid points with their weights.
    """

    def __init__(self) -> None:
        self._know = 0.0
        self._at: Array = np.zeros(1)
        self._mass: Array = np.ones(1)

    def look(self, know: float, chance: float) -> float:
        """The bound that is crossed for the first time at this look with this chance."""
        if chance < 1e-12:
            bound = NEVER
        elif self._beyond(know, 0.0) <= chance:
            bound = 0.0
        else:
            bound = float(
                brentq(lambda z: self._beyond(know, z) - chance, 0.0, NEVER + 2, xtol=1e-7)
            )
        self.pass_(know, bound)
        return bound

    def pass_(self, know: float, bound: float) -> float:
        """Goes on to the next look; returns the chance of crossing `bound` there for the first
        time."""
        crossed = self._beyond(know, bound)
        edge = max(bound, 1e-9) * math.sqrt(know)
        at = np.linspace(-edge, edge, POINTS)
        step = _spread(know - self._know)
        weight = np.full(POINTS, at[1] - at[0])
        weight[1:-1:2] *= 4 / 3  # Simpson's rule
        weight[2:-1:2] *= 2 / 3
        weight[[0, -1]] /= 3
        apart = (at[:, None] - self._at[None, :]) / step
        density = np.exp(-0.5 * apart**2) @ self._mass / (step * math.sqrt(2 * math.pi))
        self._at, self._mass, self._know = at, density * weight, know
        return crossed

    def _beyond(self, know: float, bound: float) -> float:
        edge, step = bound * math.sqrt(know), _spread(know - self._know)
        up, down = (edge - self._at) / step, (-edge - self._at) / step
        return float(self._mass @ (ndtr(-up) + ndtr(down)))


def _spread(information: float) -> float:
    return math.sqrt(max(information, 1e-12))
