"""Which changes did it: environments of 20 flags and 5 deploys at once, three of them real causes.

    python -m benchmarks.attribution --environments 500 [--seed 1]

Flags are split by user; some share their users with others (by four fifths, or all but a few), and
deploys roll out over an hour while flags ramp. Compared: the plain comparison of each change by
itself, and the same with each finding checked within every other change.
"""

import argparse
import math
import time
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from insights.statistics import multiple, sequences
from insights.statistics.strata import checked
from insights.statistics.totals import Arm, compare_means, compare_rates

FLAGS, DEPLOYS, CAUSES = 20, 5, 3
SLICES, BUCKETS = 12, 100
USERS, REQUESTS = 3000, 60_000
SAID = {"explains": "explained", "inseparable": "inseparable"}


@dataclass(frozen=True, slots=True)
class World:
    factors: list[NDArray[np.int64]]  # 0 or 1 of each request: flag on, or the new build
    causes: set[int]
    slice: NDArray[np.int64]
    bucket: NDArray[np.int64]
    ms: NDArray[np.float64]
    failed: NDArray[np.float64]


def world(seed: int) -> World:
    rng = np.random.default_rng(seed)
    user = (USERS * rng.random(REQUESTS) ** 1.5).astype(np.int64)
    at = np.sort(rng.random(REQUESTS))
    assigned: list[NDArray[np.bool_]] = []
    for number in range(FLAGS):
        own = rng.random(USERS) < rng.choice([0.5, 0.5, 0.2])
        if number >= FLAGS - 8:  # behind nearly the same rule as an earlier one
            like = assigned[number - (FLAGS - 8)]
            own = np.where(rng.random(USERS) < rng.choice([0.6, 0.8, 0.97]), like, own)
        assigned.append(own)
    factors = [own[user].astype(np.int64) for own in assigned]
    for _ in range(DEPLOYS):
        start, length = rng.uniform(0.05, 0.8), rng.uniform(0.05, 0.2)
        share = np.clip((at - start) / length, 0, 1)
        factors.append((rng.random(REQUESTS) < share).astype(np.int64))
    causes = set(rng.choice(FLAGS + DEPLOYS, CAUSES, replace=False).tolist())
    ln_ms = rng.normal(0, 0.4, USERS)[user] + rng.normal(0, 0.7, REQUESTS) + 0.2 * np.sin(7 * at)
    rate = np.full(REQUESTS, 0.01)
    for place, cause in enumerate(sorted(causes)):
        if place % 2:
            rate = rate + 0.04 * factors[cause]
        else:
            ln_ms = ln_ms + math.log(1.6) * factors[cause]
    failed = (rng.random(REQUESTS) < rate).astype(np.float64)
    slice = np.floor(at * SLICES).astype(np.int64)
    return World(factors, causes, slice, user % BUCKETS, np.exp(ln_ms + 4), failed)


def grids(of: World, first: int, value: NDArray[np.float64], other: int | None = None):  # type: ignore[no-untyped-def]  # two arrays
    """Σ1 and Σy by (cohort, value of the other, slice, bucket)."""
    also = of.factors[other] if other is not None else np.zeros(REQUESTS, dtype=np.int64)
    shape = (2, 2 if other is not None else 1, SLICES, BUCKETS)
    key = np.ravel_multi_index((of.factors[first], also, of.slice, of.bucket), shape)
    size = int(np.prod(shape))
    weight = np.bincount(key, minlength=size).reshape(shape).astype(np.float64)
    return weight, np.bincount(key, weights=value, minlength=size).reshape(shape)


def found(of: World) -> dict[int, tuple[bool, NDArray[np.float64]]]:
    """Changes that a comparison by themselves calls different: by latency (mean) or failures."""
    answers: dict[int, tuple[bool, NDArray[np.float64]]] = {}
    capped = np.minimum(of.ms, np.quantile(of.ms, 0.99))
    for factor in range(FLAGS + DEPLOYS):
        log_e = []
        for mean, value in ((True, capped), (False, of.failed)):
            weight, total = (grid[:, 0] for grid in grids(of, factor, value))
            compare = compare_means if mean else compare_rates
            one = compare(Arm(weight[0], total[0]), Arm(weight[1], total[1]))
            if one is None or min(one.units) < 20:
                log_e.append(-math.inf)
                continue
            error = math.sqrt(one.null_variance)
            z = sequences.small_sample(abs(one.d) / error, one.degrees)
            log_e.append(sequences.log_e_value(z, error if mean else error / one.pooled))
        told, _ = multiple.rejected(log_e, [0.5, 0.5])
        if any(told):
            mean = log_e[0] >= log_e[1]
            answers[factor] = (mean, capped if mean else of.failed)
    return answers


def attributed(of: World, claims: dict[int, tuple[bool, NDArray[np.float64]]]) -> dict[int, str]:
    """What is said of each: "own", "explained" or "inseparable"."""
    said = {}
    for factor, (mean, value) in claims.items():
        answers = Counter(
            checked(*grids(of, factor, value, other), mean=mean).answer
            for other in range(FLAGS + DEPLOYS)
            if other != factor
        )
        said[factor] = (
            "explained"
            if answers["explains"]
            else "inseparable"
            if answers["inseparable"]
            else "own"
        )
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environments", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began = time.monotonic()
    plain, checks = Counter[str](), Counter[str]()
    for number in range(given.environments):
        of = world(given.seed * 1_000_033 + number)
        claims = found(of)
        said = attributed(of, claims)
        named = {factor for factor, what in said.items() if what == "own"}
        for counts, told in ((plain, set(claims)), (checks, named)):
            counts["true"] += len(told & of.causes)
            counts["told"] += len(told)
            counts["causes"] += len(of.causes)
        checks["inseparable"] += sum(what == "inseparable" for what in said.values())
        checks["causes not separable"] += sum(
            what == "inseparable" for factor, what in said.items() if factor in of.causes
        )
        checks["causes explained away"] += sum(
            what == "explained" for factor, what in said.items() if factor in of.causes
        )
    for name, counts in (("each change by itself", plain), ("checked within others", checks)):
        print(
            f"{name:24} precision {counts['true'] / max(counts['told'], 1):6.1%}"
            f"   recall {counts['true'] / counts['causes']:6.1%}   ({counts['told']} told)"
        )
    print(
        f"said to be inseparable: {checks['inseparable']}, of them causes"
        f" {checks['causes not separable']}; causes explained away:"
        f" {checks['causes explained away']} of {checks['causes']}"
    )
    print(f"{given.environments} environments, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
