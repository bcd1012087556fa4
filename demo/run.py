"""From nothing to a shop that tells its story: what `python -m demo` does, in order."""

import random
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from opentelemetry.sdk.trace.export import BatchSpanProcessor

from demo import flags, flipscope, history, story, telemetry
from demo.clock import WorkClock
from demo.flipscope import ROOT, Flipscope, Keys
from demo.live import Team, Traffic
from demo.memory import GAP_S, Memory, reached
from demo.people import Directory
from demo.shop.fleet import Foundry
from demo.shop.server import Cluster
from demo.traffic import Demand, Visitors
from demo.up import Up, end_with_parent

REMEMBER_EACH_S = 10.0
HISTORY = "demo-history"
GAP = "demo-gap"


class Stopped(Exception):
    """The demo was asked to stop, or what it stands on did."""


class Demo:
    """One run, from starting Flipscope to stopping it."""

    def __init__(self, *, port: int, data: Path, hours: float, rate: float, seed: int) -> None:
        self.port = port
        self.data = data
        self.hours = hours
        self.rate = rate
        self.seed = seed
        self._stop = threading.Event()
        self._writers: list[subprocess.Popen[str]] = []

    def run(self) -> int:
        """Run until asked to stop; the exit status."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._asked_to_stop)
        up = Up(port=self.port, data=self.data)
        try:
            while not up.ready(0.1):
                self._check(up)
            self._play(up)
        except Stopped:
            pass
        except flipscope.Refusal as refused:
            say(f"demo: {refused}")
            return 1
        finally:
            self._end_writers()
            up.stop()
        return 0 if self._stop.is_set() else up.status or 1

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()

    def _check(self, up: Up) -> None:
        if self._stop.is_set() or up.status is not None:
            raise Stopped

    def _play(self, up: Up) -> None:
        memory = Memory.read(self.data)
        memory.write(self.data)
        keys = flipscope.bootstrap(self.data, memory.password)
        self._check(up)
        product = Flipscope(up.url, keys)
        caching_is_on = self._create_flags(product)
        plans = self._begin(memory, product)
        say(f"demo: open {up.url} and sign in as {flipscope.EMAIL}, password {memory.password}")
        exporter = telemetry.Patient(up.url, keys.ingest)
        processor = BatchSpanProcessor(exporter, max_queue_size=20_000, schedule_delay_millis=1_000)
        cluster, traffic = self._open_shop(up, keys, processor, memory)
        team = Team(product, cluster, memory.versions, say)
        try:
            traffic.start()
            team.start(turn_caching_on=not caching_is_on)
            say(f"demo: traffic is live, about {self.rate:.0f} requests a second")
            for name, plan in plans:
                self._write(name, plan)
            while not self._stop.wait(REMEMBER_EACH_S):
                memory.seen_s = time.time()
                memory.versions = team.versions
                memory.write(self.data)
                if all(writer.poll() is not None for writer in self._writers):
                    team.history_is_in()
                self._check(up)
        finally:
            team.stop()
            traffic.stop()
            cluster.stop()
            self._end_writers()
            if up.status is None:
                processor.shutdown()  # type: ignore[no-untyped-call]  # the SDK's
            say(f"demo: {traffic.sent:,} requests went through the shop")

    def _create_flags(self, product: Flipscope) -> bool:
        """Create the flags that are not there; whether USE_CACHING is on for some already."""
        known = {flag["key"]: flag for flag in product.flags()}
        for wanted in flags.WANTED:
            if wanted.key not in known:
                product.create_flag(
                    {
                        "key": wanted.key,
                        "type": "boolean",
                        "enabled": True,
                        "default_variant": "off",
                        "rules": wanted.rules,
                        "tags": list(wanted.tags),
                    }
                )
        return bool(known.get(flags.USE_CACHING, {}).get("rules"))

    def _begin(self, memory: Memory, product: Flipscope) -> list[tuple[str, history.Plan]]:
        """Settle when the story is told from, and which of its hours are still to write."""
        now_s = time.time()
        document = product.document()
        first = memory.start_s == 0
        if first:
            past = story.Story(datetime.fromtimestamp(now_s, UTC), self.hours)
            memory.start_s, memory.hours, memory.rate = now_s, self.hours, self.rate
            memory.versions = story.told(past).last()
            past.announce(product)
        plan = history.Plan(
            url=product.url,
            ingest_key=product.keys.ingest,
            document=document,
            begin_s=memory.start_s - memory.hours * 3600,
            end_s=memory.start_s,
            start_s=memory.start_s,
            hours=memory.hours,
            rate=memory.rate,
            seed=self.seed,
            progress=str(self.data / f"{HISTORY}.json"),
        )
        plans = []
        written_s = reached(self.data, HISTORY) or plan.begin_s
        if written_s < plan.end_s:
            plans.append((HISTORY, plan.between(written_s, plan.end_s)))
        else:
            say(f"demo: the first {memory.hours:g} hours are in already")
        if not first and now_s - memory.seen_s > GAP_S:
            begin_s = max(memory.seen_s, now_s - self.hours * 3600)
            say(f"demo: filling the {(now_s - begin_s) / 3600:.1f} hours since it last ran")
            gap = plan.between(begin_s, now_s).quiet(memory.versions, self.data / f"{GAP}.json")
            plans.append((GAP, gap))
        memory.seen_s = now_s
        memory.write(self.data)
        return plans

    def _open_shop(
        self, up: Up, keys: Keys, processor: BatchSpanProcessor, memory: Memory
    ) -> tuple[Cluster, Traffic]:
        directory = Directory(seed=self.seed)
        foundry = Foundry(
            processor,
            clock=WorkClock(),
            flags=flags.remote(up.url, keys.server),
            directory=directory,
            chance=random.Random(),
        )
        visitors = Visitors(directory, random.Random())
        demand = Demand(self.rate, time.time())
        cluster = Cluster(foundry, memory.versions)
        return cluster, Traffic(cluster, visitors, demand, self.seed)

    def _write(self, name: str, plan: history.Plan) -> None:
        """Write a piece of history in a process of its own, beside the live traffic."""
        writer = subprocess.Popen(
            [sys.executable, "-m", "demo.history"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            text=True,
            preexec_fn=end_with_parent,
            start_new_session=True,
        )
        self._writers.append(writer)
        if writer.stdin:
            writer.stdin.write(history.packed(plan))
            writer.stdin.close()

    def _end_writers(self) -> None:
        for writer in self._writers:
            if writer.poll() is None:
                writer.terminate()
                writer.wait(10)


def say(line: str) -> None:
    """Print a line; on a terminal over the progress bar, which is drawn again below."""
    print(f"\r{line:<78}" if sys.stdout.isatty() else line, flush=True)
