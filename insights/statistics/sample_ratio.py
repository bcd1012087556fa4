"""Did the split come out as planned? A sequential test on units, valid at every look.

Source: Lindon and Malek, "Anytime-valid inference for multinomial count data" (NeurIPS 2022):
the Dirichlet-multinomial mixture against the planned shares.
"""

import math
from dataclasses import dataclass

from scipy.special import gammaln

ALPHA = 0.001
CONCENTRATION = 100.0


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Units seen and shares planned, in one order; `mismatch` when chance explains it no more."""

    units: tuple[int, ...]
    planned: tuple[float, ...]
    log_e: float
    mismatch: bool


def test(units: tuple[int, ...], planned: tuple[float, ...]) -> SampleRatio:
    """`planned` shares need not sum to 1; a planned share of 0 with units is a mismatch."""
    total = sum(planned)
    shares = [share / total for share in planned] if total > 0 else []
    if not shares or any(share <= 0 for share in shares):
        seen = bool(shares) and any(n for n, share in zip(units, shares, strict=True) if share <= 0)
        return SampleRatio(units, planned, math.inf if seen else 0.0, seen)
    k, n = CONCENTRATION, sum(units)
    log_e = float(gammaln(k) - gammaln(k + n))
    for count, share in zip(units, shares, strict=True):
        log_e += float(gammaln(k * share + count) - gammaln(k * share)) - count * math.log(share)
    return SampleRatio(units, tuple(shares), log_e, log_e >= -math.log(ALPHA))
