"""The shop's past: its own code, answering on a virtual clock, a day in a minute.

Runs as a process of its own, at a low priority, told what to do as JSON on its standard input.
One request of many is simulated, and its telemetry says for how many it stands, as a shop that
samples would send it; around incidents and in the last hour more are kept.
"""

import json
import os
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from opentelemetry.sdk.trace.export import BatchSpanProcessor

from demo import flags, story, telemetry
from demo.clock import NANOSECONDS, VirtualClock
from demo.people import Directory
from demo.shop.fleet import Fleet, Foundry
from demo.traffic import Demand, Visitors

USUALLY_ONE_IN = 128
CLOSELY_ONE_IN = 16
STEP_S = 900  # of history between two looks at how far it is
BATCH = 2_048
QUEUE = 60_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write; times are seconds since the epoch."""

    url: str
    ingest_key: str
    document: flags.Json
    begin_s: float
    end_s: float
    start_s: float  # when live traffic began: what the story's hours count from
    hours: float
    rate: float
    seed: int
    progress: str  # file that says how far it is
    versions: dict[str, str] | None = None  # a gap: these ran, and nothing happened

    def between(self, begin_s: float, end_s: float) -> "Plan":
        """The same for these hours only."""
        return replace(self, begin_s=begin_s, end_s=end_s)

    def quiet(self, versions: dict[str, str], progress: Path) -> "Plan":
        """The same for hours in which nothing happened."""
        return replace(self, versions=versions, progress=str(progress))

    def story(self) -> story.Story:
        return story.Story(datetime.fromtimestamp(self.start_s, UTC), self.hours)


class History:
    """Writes a plan's hours, oldest first."""

    def __init__(self, plan: Plan, processor: BatchSpanProcessor) -> None:
        self.plan = plan
        self.story = plan.story()
        self.requests = 0
        self._processor = processor
        self._clock = VirtualClock()
        self._chance = random.Random(f"history {plan.seed} {plan.begin_s}")
        self._sampler = telemetry.Thinned(USUALLY_ONE_IN)
        self._demand = Demand(plan.rate, plan.start_s)
        directory = Directory(seed=plan.seed)
        self._visitors = Visitors(directory, self._chance)
        quiet = plan.versions is not None
        document = plan.document
        if not quiet:
            document = flags.before_launch(document, [flags.USE_CACHING])
        self._flags_now = flags.local(document)
        self._flags_then = flags.local(
            flags.before_launch(document, [flags.NEW_SEARCH]), domain="history before"
        )
        self._launch_s = 0.0 if quiet else self.story.search_launch.timestamp()
        foundry = Foundry(
            processor,
            clock=self._clock,
            flags=self._flags_now,
            directory=directory,
            chance=self._chance,
            sampler=self._sampler,
        )
        ran = story.told(self.story) if plan.versions is None else story.quiet(plan.versions)
        self._fleet = Fleet(foundry, ran)

    def write(self) -> Iterator[float]:
        """Write it step by step; yields the time reached, once all before it is stored."""
        now_s = self.plan.begin_s
        while now_s < self.plan.end_s:
            until_s = min(now_s + STEP_S, self.plan.end_s)
            self._stretch(now_s, until_s)
            self._processor.force_flush(600_000)
            now_s = until_s
            yield now_s

    def _stretch(self, now_s: float, until_s: float) -> None:
        while True:
            at = story.utc(now_s)
            closely = self.plan.versions is None and self.story.looked_at_closely(at)
            one_in = CLOSELY_ONE_IN if closely else USUALLY_ONE_IN
            now_s += self._chance.expovariate(self._demand.at(now_s) / one_in)
            if now_s >= until_s:
                return
            self._sampler.keep(one_in)
            self._fleet.use(self._flags_then if now_s < self._launch_s else self._flags_now)
            self._clock.set(int(now_s * NANOSECONDS))
            self._fleet.ask("shop", self._visitors.next(now_s))
            self.requests += 1


def run(plan: Plan, out: TextIO) -> int:
    """Write all of a plan, with its progress on `out`; 0 when nothing was lost."""
    exporter = telemetry.Patient(plan.url, plan.ingest_key)
    processor = BatchSpanProcessor(exporter, max_queue_size=QUEUE, max_export_batch_size=BATCH)
    history = History(plan, processor)
    begun, bar = time.monotonic(), Bar(out, plan.begin_s, plan.end_s)
    for reached_s in history.write():
        Path(plan.progress).write_text(json.dumps({"until_s": reached_s}))
        bar.show(reached_s)
    processor.shutdown()  # type: ignore[no-untyped-call]  # the SDK's
    took_s = time.monotonic() - begun
    hours = (plan.end_s - plan.begin_s) / 3600
    lost = f", {exporter.lost:,} lost" if exporter.lost else ""
    print(
        f"history: {hours:.1f} hours are in: {history.requests:,} requests kept of many, "
        f"{exporter.spans:,} events{lost}, in {took_s:.0f} s",
        file=out,
        flush=True,
    )
    return 1 if exporter.lost else 0


class Bar:
    """How far it is: redrawn on a terminal, a line each tenth elsewhere."""

    WIDTH = 30

    def __init__(self, out: TextIO, begin_s: float, end_s: float) -> None:
        self._out = out
        self._begin_s, self._span_s = begin_s, max(end_s - begin_s, 1)
        self._begun = time.monotonic()
        self._tenths = -1

    def show(self, reached_s: float) -> None:
        share = (reached_s - self._begin_s) / self._span_s
        left_s = (time.monotonic() - self._begun) * (1 - share) / share
        full = int(share * self.WIDTH)
        line = (
            f"history [{'#' * full}{'.' * (self.WIDTH - full)}] {share:4.0%}, {left_s:.0f} s left"
        )
        if self._out.isatty():
            print(f"\r{line}  ", end="\n" if share >= 1 else "", file=self._out, flush=True)
        elif int(share * 10) > self._tenths:
            self._tenths = int(share * 10)
            print(line, file=self._out, flush=True)


def packed(plan: Plan) -> str:
    return json.dumps(asdict(plan))


if __name__ == "__main__":
    os.nice(10)
    sys.exit(run(Plan(**json.load(sys.stdin)), sys.stdout))
