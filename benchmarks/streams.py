"""Open streams of one process: how many it holds, what they cost, and how soon they hear of a flip.

    python -m benchmarks.streams [--sse 1000] [--grpc 500] [--flips 10] [--port 8100]

Starts a stack of its own, opens that many event streams (a connection each, as browsers do) and
flagd syncs (a channel each, as in-process providers do) from two other processes, then flips a flag
by the API again and again. Prints the streams process's memory before and after, its processor
time, and the distribution of (a stream hears of it − the request was sent), over all streams and
flips. All of it shares one machine: the clients' own work is in the times.
"""

import argparse
import asyncio
import json
import math
import multiprocessing
import re
import resource
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.stack import Stack

FLAG = "STREAMED"
APART_S = 2.0
OPENING_S = 120.0
AT_ONCE = 50  # connections that are being opened
Heard = list[tuple[int, float]]  # (what counts the states, when), of one stream in its order


class Shared:
    """What the processes tell each other: streams that are open, news that were heard, the end."""

    def __init__(self) -> None:
        self.open, self.heard = multiprocessing.Value("i"), multiprocessing.Value("i")
        self.over = multiprocessing.Event()


shared: Shared  # in a process of streams


def begin(given: Shared) -> None:
    """Each stream is an open file, here and in the process that holds them."""
    global shared
    shared = given
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65_536), most))


def note(heard: Heard, state: int) -> None:
    """The first news of a stream is what holds as it opens."""
    count = shared.heard if heard else shared.open
    heard.append((state, time.time()))
    with count.get_lock():
        count.value += 1


def together(
    count: int, one: Callable[[Heard, asyncio.Semaphore], Coroutine[Any, Any, None]]
) -> list[Heard]:
    """That many streams until the end; one that ends by itself is an error."""

    async def all_of_them() -> list[Heard]:
        gate, heard = asyncio.Semaphore(AT_ONCE), [Heard() for _ in range(count)]
        running = [asyncio.create_task(one(each, gate)) for each in heard]
        while not shared.over.is_set():
            done, _ = await asyncio.wait(running, timeout=0.1, return_when="FIRST_COMPLETED")
            for task in done:
                task.result()
                raise SystemExit("a stream was ended")
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        return heard

    return asyncio.run(all_of_them())


def sse(count: int, address: str) -> list[Heard]:
    """Event streams, each on a connection of its own."""
    place = urlsplit(address)

    async def one(heard: Heard, gate: asyncio.Semaphore) -> None:
        async with gate:
            reader, writer = await asyncio.open_connection(place.hostname, place.port)
            writer.write(
                f"GET {place.path}?{place.query} HTTP/1.1\r\nHost: {place.netloc}\r\n"
                "Accept: text/event-stream\r\n\r\n".encode()
            )
            await reader.readuntil(b"data: ")
            news(heard, await reader.readline())
        while line := await reader.readline():
            news(heard, line)

    def news(heard: Heard, line: bytes) -> None:
        if found := re.search(rb'"etag":"\\"g(\d+)', line):
            note(heard, int(found[1]))

    return together(count, one)


def syncs(count: int, target: str, key: str) -> list[Heard]:
    """flagd's SyncFlags, each on a channel of its own."""
    import grpc
    from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2, sync_pb2_grpc

    async def one(heard: Heard, gate: asyncio.Semaphore) -> None:
        own = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(target, options=own) as channel:
            stub: Any = sync_pb2_grpc.FlagSyncServiceStub(channel)
            async with gate:
                call = stub.SyncFlags(sync_pb2.SyncFlagsRequest(selector=key))
                news(heard, await call.read())
            while (answer := await call.read()) is not grpc.aio.EOF:
                news(heard, answer)

    def news(heard: Heard, answer: Any) -> None:
        found = re.search(r'"version":"(\d+)"', answer.flag_configuration)
        note(heard, int(found[1]) if found else 0)

    return together(count, one)


def told(kind: str, streams: list[Heard], flips: list[float]) -> dict[str, Any]:
    """The distribution of one kind; the last states are those of the flips, in their order."""
    states = sorted({state for heard in streams for state, _ in heard})
    begun = dict(zip(states[-len(flips) :], flips, strict=True))
    late = sorted(at - begun[state] for heard in streams for state, at in heard if state in begun)

    def ms(share: float) -> int:
        return round(late[max(math.ceil(len(late) * share) - 1, 0)] * 1000)

    return {
        "kind": kind,
        "streams": len(streams),
        "flips": len(flips),
        "heard": len(late),
        "missed": len(streams) * len(flips) - len(late),
        "went_back": sum([state for state, _ in heard] != in_order(heard) for heard in streams),
        "p50_ms": ms(0.5),
        "p99_ms": ms(0.99),
        "max_ms": ms(1.0),
    }


def in_order(heard: Heard) -> list[int]:
    """Its states, each once, as they came to be."""
    return sorted({state for state, _ in heard})


def memory_mb(stack: Stack) -> float:
    """Resident memory of the streams process and its children."""
    found = 0
    for pid in stack.pids("streams"):
        status = Path(f"/proc/{pid}/status").read_text()
        found += int(re.search(r"VmRSS:\s+(\d+)", status)[1])  # type: ignore[index]  # Linux has it
    return round(found / 1024, 1)


def flip(stack: Stack, number: int) -> float:
    """The other variant for everyone; when it was asked for."""
    at = time.time()
    stack.api("PATCH", f"/flags/{FLAG}", {"default_variant": "off" if number % 2 else "on"})
    return at


def wait_for(count: Any, wanted: int, at_most_s: float) -> None:
    """`count` is a value that other processes raise."""
    deadline = time.monotonic() + at_most_s
    while count.value < wanted and time.monotonic() < deadline:
        time.sleep(0.05)


def run(sse_count: int, grpc_count: int, flips: int, port: int, apart_s: float) -> list[Any]:
    """What each kind heard, and what it cost the process. A flip follows the one before it when all
    have heard of that, but not sooner than APART_S and not later than `apart_s`."""
    given, every = Shared(), sse_count + grpc_count
    stack = Stack(port)
    try:
        keys = stack.boot["environments"]["production"]
        stack.api("POST", "/flags", {"key": FLAG, "type": "boolean", "enabled": True})
        address = stack.stream(keys["client_key"])
        before = memory_mb(stack)
        with ProcessPoolExecutor(2, initializer=begin, initargs=(given,)) as pool:
            running = [
                pool.submit(sse, sse_count, address),
                pool.submit(syncs, grpc_count, f"127.0.0.1:{port + 15}", keys["server_key"]),
            ]
            try:
                wait_for(given.open, every, OPENING_S)
                after, used, sent = memory_mb(stack), stack.cpu_s("streams"), []
                for number in range(flips):
                    sent.append(flip(stack, number))
                    wait_for(given.heard, every * (number + 1), apart_s)
                    time.sleep(max(sent[-1] + APART_S - time.time(), 0))
                used = stack.cpu_s("streams") - used
            finally:
                given.over.set()
            of_sse, of_grpc = (one.result() for one in running)
        cost = {
            "streams_process_mb": [before, after],
            "kb_a_stream": round((after - before) * 1024 / every, 1),
            "cpu_ms_a_flip": round(used * 1000 / flips),
        }
        return [told("event streams", of_sse, sent), told("flagd sync", of_grpc, sent), cost]
    finally:
        stack.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sse", type=int, default=1000)
    parser.add_argument("--grpc", type=int, default=500)
    parser.add_argument("--flips", type=int, default=10)
    parser.add_argument("--port", type=int, default=8100)
    arguments = parser.parse_args()
    for line in run(arguments.sse, arguments.grpc, arguments.flips, arguments.port, APART_S):
        print(json.dumps(line))


if __name__ == "__main__":
    main()
