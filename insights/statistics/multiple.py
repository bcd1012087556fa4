"""Many questions at once: weighted e-BH.

Source: Wang and Ramdas, "False discovery rate control with e-values" (JRSS B, 2022). It holds
under any dependence between the questions and at any stopping time.
"""

import math
from collections.abc import Sequence

RATE = 0.05


def rejected(
    log_e: Sequence[float], weights: Sequence[float], rate: float = RATE
) -> tuple[list[bool], float]:
    """Which questions are answered, and ln of the weighted e-value each of them had to reach.

    `weights` sum to 1 (each question's part of the family); with none rejected, the second value
    is what a single rejection would need.
    """
    count = len(log_e)
    total = sum(weights)
    scaled = [
        e + math.log(w / total * count) if w > 0 else -math.inf
        for e, w in zip(log_e, weights, strict=True)
    ]
    order = sorted(range(count), key=lambda i: -scaled[i])
    passed = 0
    for rank, index in enumerate(order, start=1):
        if scaled[index] >= math.log(count / (rate * rank)):
            passed = rank
    answers = [False] * count
    for index in order[:passed]:
        answers[index] = True
    return answers, math.log(1 / (rate * max(passed, 1)))
