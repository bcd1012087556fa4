"""Rare outcomes: an exact e-value from units' first errors, where normal theory fails.

Given that a unit errs for the first time, it does so in the candidate with probability equal to
the candidate's share of units when nothing differs. Source: Lindon and Malek, "Anytime-valid
inference for multinomial count data" (NeurIPS 2022), for two cells.
"""

import math

CONCENTRATIONS = (4.0, 40.0)  # of Beta mixtures around the expected share, either way
HARM_ODDS = 20.0  # and one simple alternative: the candidate's units err at 20 times the odds


def log_e_value(baseline: int, candidate: int, share: float) -> float:
    """ln E for units with a first error in each cohort; `share`: the candidate's part of units.

    The mean of three e-values. The one for harm alone needs ten errors, where the mixtures alone
    need fourteen, when a release fails at once and the baseline never did.
    """
    if not 0 < share < 1:
        return 0.0
    rest = share * HARM_ODDS + 1 - share
    fair = candidate * math.log(share) + baseline * math.log1p(-share)
    terms = [candidate * math.log(HARM_ODDS) - (candidate + baseline) * math.log(rest)]
    for k in CONCENTRATIONS:
        mixed = _log_beta(k * share + candidate, k * (1 - share) + baseline)
        terms.append(mixed - _log_beta(k * share, k * (1 - share)) - fair)
    most = max(terms)
    return most + math.log(sum(math.exp(term - most) for term in terms) / len(terms))


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
