"""Days on which nothing was changed: how many show any false verdict, beside other methods.

    python -m benchmarks.aa --days 1000 --looks 60 [--seed 1] [--keep results.jsonl]

A day is one flag that does nothing, watched from its first minute on: heavy-tailed latency, users
who differ in level and in activity, five routes, all measures. Looks stand closer together in the
first hour and are then even; `--looks 1440` looks every minute. With `--keep` every day is kept as
a line, days that are there are not done again, and what is known so far is printed: a run that was
cut goes on where it was, and several can share the days by `--first`. A day is false for Flipscope
if any measure of any route is called worse or better at any look; "known end" is the same where the
day's end is known in advance. The other methods test a single measure, the mean latency of all
requests, on the same requests at the same looks.
"""

import argparse
import json
import math
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from insights import fixed_length
from insights.deltas import deltas
from insights.statistics import multiple, sequences
from insights.verdicts import claimed, family_weights, within_margin
from tests.insights.simulate import Requests, requests, totals

# name, part of the days, what the traffic is
WORLDS: tuple[tuple[str, float, dict[str, Any]], ...] = (
    ("1,000 users, even split", 0.35, {"users": 1000}),
    ("1,000 users, fast requests sampled 1 in 20", 0.10, {"users": 1000, "fast_kept": 20}),
    ("1,000 users, rates of 1 to 100 mixed", 0.05, {"users": 1000, "kept": (1, 5, 20, 100)}),
    ("200 users, even split", 0.15, {"users": 200}),
    ("2,000 users, 5% canary", 0.35, {"users": 2000, "candidate_share": 0.05}),
)
START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
METHODS = ("flipscope", "known end", "welch", "clustered", "per request, sequential")


def looks(count: int) -> list[float]:
    """Parts of the day: a quarter of the looks in its first hour, the others even after it."""
    early = max(count // 4, 1)
    first = [(i + 1) / early / 24 for i in range(early)]
    return first + [1 / 24 + 23 / 24 * (i + 1) / (count - early) for i in range(count - early)]


def false_alarms(day: Requests, at: list[float]) -> dict[str, Any]:
    """Which methods were wrong at some look of this day, and what Flipscope was wrong about."""
    wrong: dict[str, Any] = dict.fromkeys(METHODS, False)
    plan = fixed_length.FixedLength(START, START + DAY, START)
    for until in at:
        seen = day.time < until
        sizes = [int((seen & (day.arm == arm)).sum()) for arm in (0, 1)]
        if min(sizes) < 2:
            continue
        found = deltas(totals(day, until))
        weights = family_weights(found)
        plan = fixed_length.looked(replace(plan, now=START + DAY * until), found, weights)
        half = claimed(found, weights, multiple.RATE - fixed_length.ALPHA)
        for method, claims in (
            ("flipscope", claimed(found, weights)),
            ("known end", half | fixed_length.claimed(plan, found)),
        ):
            for one in (found[index] for index in claims):
                if not (one.tested and within_margin(one)):  # "no difference" wins
                    wrong[method] = True
                    wrong.setdefault("about", f"{one.measure} {one.scope.route or 'everything'}")
        mean = next((one for one in found if one.measure == "latency_mean"), None)
        if mean is None:
            continue
        if mean.error > 0 and abs(mean.d) > 1.96 * mean.error:
            wrong["clustered"] = True
        z, scale = _per_request(day, seen)
        wrong["welch"] |= z > 1.96
        wrong["per request, sequential"] |= sequences.log_e_value(z, scale) >= math.log(20)
    return wrong


def _per_request(day: Requests, seen: np.ndarray) -> tuple[float, float]:
    """Welch's statistic as if requests were independent, and the standard error of ln ratio."""
    arms = [day.duration_ms[seen & (day.arm == arm)] for arm in (0, 1)]
    means = [float(arm.mean()) for arm in arms]
    variances = [float(arm.var(ddof=1)) / len(arm) for arm in arms]
    scale = math.sqrt(sum(v / m**2 for v, m in zip(variances, means, strict=True)))
    return abs(means[1] - means[0]) / math.sqrt(sum(variances)), scale


def world_of(number: int) -> tuple[str, dict[str, Any]]:
    """Which of WORLDS this day is, in even rotation of their parts."""
    place = (number * 0.6180339887) % 1.0
    for name, part, options in WORLDS:
        if place < part:
            return name, options
        place -= part
    return WORLDS[-1][0], WORLDS[-1][2]


def told(results: list[dict[str, Any]]) -> str:
    counts: dict[str, Counter[str]] = {}
    for one in results:
        for name in (one["world"], "all days"):
            own = counts.setdefault(name, Counter())
            own["days"] += 1
            own.update(method for method in METHODS if one[method])
    lines = [f"{'days with a false verdict':44}{'days':>6}" + "".join(f"{m:>26}" for m in METHODS)]
    for name, own in sorted(counts.items(), key=lambda item: item[0] == "all days"):
        shares = "".join(f"{own[m] / own['days']:>25.1%} " for m in METHODS)
        lines.append(f"{name:44}{own['days']:>6}{shares}")
    about = Counter(one["about"] for one in results if "about" in one)
    lines.append("false about: " + (", ".join(f"{k} ×{n}" for k, n in about.most_common()) or "–"))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="number of the first day")
    parser.add_argument("--looks", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="keep each day as a line of JSON, and go on")
    given = parser.parse_args()
    began = time.monotonic()
    at = looks(given.looks)
    kept = given.keep.read_text().splitlines() if given.keep and given.keep.exists() else []
    results = [json.loads(line) for line in kept]
    if any((one["seed"], one["looks"]) != (given.seed, given.looks) for one in results):
        raise SystemExit(f"{given.keep} holds days of another seed or number of looks")
    done = {one["day"] for one in results}
    for number in range(given.first, given.first + given.days):
        if number in done:
            continue
        name, options = world_of(number)
        day = requests(given.seed * 1_000_003 + number, spread=0.8, errors=0.01, **options)
        about = {"day": number, "seed": given.seed, "looks": given.looks, "world": name}
        results.append(about | false_alarms(day, at))
        if given.keep:
            with given.keep.open("a") as file:
                file.write(json.dumps(results[-1], default=bool) + "\n")
            if len(results) % 100 == 0:
                print(told(results), flush=True)
    print(told(results))
    print(f"{given.looks} looks a day, seed {given.seed}, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
