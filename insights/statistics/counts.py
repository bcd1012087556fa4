"""Rare outcomes: an exact e-value from units' first errors, where normal theory fails.

Given that a unit errs for the first time, it does so in the candidate with probability equal to
the candidate's share of units when nothing differs. Source: Lindon and Malek, "Anytime-valid
inference for multinomial count data" (NeurIPS 2022), for two cells.
"""

import math

from scipy.special import betaln, logsumexp

CONCENTRATIONS = (4.0, 40.0)


def log_e_value(baseline: int, candidate: int, share: float) -> float:
    """ln E for units with a first error in each cohort; `share`: the candidate's part of units."""
    if not 0 < share < 1:
        return 0.0
    terms = [
        float(betaln(k * share + candidate, k * (1 - share) + baseline))
        - float(betaln(k * share, k * (1 - share)))
        - candidate * math.log(share)
        - baseline * math.log1p(-share)
        for k in CONCENTRATIONS
    ]
    return float(logsumexp(terms)) - math.log(len(terms))
