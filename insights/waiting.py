"""How much longer until "not known yet" becomes an answer: all deltas of a comparison at once."""

import math
from collections.abc import Sequence

import numpy as np

from insights.delta import Delta
from insights.statistics.sequences import deciding_variances

NO_DIFFERENCE_ALPHA = 0.10
Wait = tuple[float, float | None]


def remaining(
    deltas: Sequence[Delta], goals: Sequence[float], margins: Sequence[float], elapsed_s: float
) -> list[Wait | None]:
    """(At least, at most) so many seconds; None where unknown.

    `goals` are the ln E that each has to reach, `margins` the smallest differences that matter.
    Information grows with traffic: 1/V rises by its mean slope so far. The answer comes between
    where |d| + se and |d| − 0.7·se would decide, or where the interval fits the margin. At most is
    None where the lower figure never decides.
    """
    known = [
        index
        for index, delta in enumerate(deltas)
        if delta.tested and delta.error > 0 and math.isfinite(delta.error) and elapsed_s > 0
    ]
    answers: list[Wait | None] = [None] * len(deltas)
    if not known:
        return answers
    d, error, scale, degrees = (
        np.array([getattr(deltas[index], name) for index in known])
        for name in ("d", "error", "scale", "degrees")
    )
    goal, margin = (np.array([one[index] for index in known]) for one in (goals, margins))
    size = np.abs(d)
    by_itself = np.array([deltas[index].by_itself(NO_DIFFERENCE_ALPHA) for index in known])
    room = np.maximum(margin - size, 0.0)
    room = np.sqrt(np.maximum(room**2 - by_itself**2, 0.0))
    # The interval fits the margin where the room's own e-value passes what the interval excludes.
    excluded = np.full(len(known), -math.log(NO_DIFFERENCE_ALPHA))
    sure = np.full(len(known), math.inf)
    needed = deciding_variances(
        np.concatenate([size + error, np.maximum(size - 0.7 * error, 0.0), room]),
        np.concatenate([goal, goal, excluded]),
        np.tile(scale, 3),
        np.concatenate([sure, sure, degrees]),
    ).reshape(3, -1)
    longer = np.maximum(error**2 / np.where(needed > 0, needed, 1.0) - 1.0, 0.0) * elapsed_s
    for index, waits, reached in zip(
        known, longer.T.tolist(), (needed > 0).T.tolist(), strict=True
    ):
        early, late, fit = (
            wait if there else math.inf for wait, there in zip(waits, reached, strict=True)
        )
        if (soonest := min(early, fit)) < math.inf:
            latest = min(late, fit)
            answers[index] = (soonest, latest if latest < math.inf else None)
    return answers
