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
import re
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.stack import Stack

FLAG = "STREAMED"
APART_S = 2.0
OPENING_S = 45.0
AT_ONCE = 50  # connections that are being opened
Heard = list[tuple[str, float]]  # (what names the state, when), of all streams


def more_files() -> None:
    """Each stream is an open file, here and in the process that holds them."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65_536), most))


def sse(count: int, address: str, until: float) -> Heard:
    """Event streams, each on a connection of its own."""
    more_files()
    place, heard = urlsplit(address), Heard()
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with gate:
            reader, writer = await asyncio.open_connection(place.hostname, place.port)
            writer.write(
                f"GET {place.path}?{place.query} HTTP/1.1\r\nHost: {place.netloc}\r\n"
                "Accept: text/event-stream\r\n\r\n".encode()
            )
            await reader.readuntil(b"data: ")
        while (left := until - time.time()) > 0:
            try:
                line = await asyncio.wait_for(reader.readline(), left)
            except TimeoutError:
                break
            if not line:
                raise SystemExit("a stream was ended")
            if found := re.search(rb'"etag":"\\"(g\d+)', line):
                heard.append((found[1].decode(), time.time()))
        writer.close()

    async def all_of_them() -> None:
        await asyncio.gather(*(one() for _ in range(count)))

    asyncio.run(all_of_them())
    return heard


def syncs(count: int, target: str, key: str, until: float) -> Heard:
    """flagd's SyncFlags, each on a channel of its own."""
    import grpc
    from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2, sync_pb2_grpc

    more_files()
    heard = Heard()
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        own = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(target, options=own) as channel:
            stub: Any = sync_pb2_grpc.FlagSyncServiceStub(channel)
            async with gate:
                call = stub.SyncFlags(
                    sync_pb2.SyncFlagsRequest(selector=key), timeout=until - time.time()
                )
                first = await call.read()
            try:
                while True:
                    found = re.search(r'"version":"(\d+)"', first.flag_configuration)
                    heard.append((f"v{found[1] if found else 0}", time.time()))
                    first = await call.read()
            except grpc.aio.AioRpcError as error:
                if error.code() != grpc.StatusCode.DEADLINE_EXCEEDED:
                    raise

    async def all_of_them() -> None:
        await asyncio.gather(*(one() for _ in range(count)))

    asyncio.run(all_of_them())
    return heard


def told(kind: str, count: int, heard: Heard, flips: list[float]) -> dict[str, Any]:
    """The distribution of one kind; the last states are those of the flips, in their order."""
    states = sorted({state for state, _ in heard}, key=lambda state: int(state[1:]))
    begun = dict(zip(states[-len(flips) :], flips, strict=True))
    late = sorted(at - begun[state] for state, at in heard if state in begun)

    def ms(share: float) -> int:
        return round(late[max(math.ceil(len(late) * share) - 1, 0)] * 1000)

    return {
        "kind": kind,
        "streams": count,
        "flips": len(flips),
        "heard": len(late),
        "missed": count * len(flips) - len(late),
        "p50_ms": ms(0.5),
        "p99_ms": ms(0.99),
        "max_ms": ms(1.0),
    }


def memory_mb(stack: Stack) -> float:
    """Resident memory of the streams process and its children."""
    found = 0
    for pid in stack.pids("streams"):
        status = Path(f"/proc/{pid}/status").read_text()
        found += int(re.search(r"VmRSS:\s+(\d+)", status)[1])  # type: ignore[index]  # Linux has it
    return round(found / 1024, 1)


def run(sse_count: int, grpc_count: int, flips: int, port: int, opening_s: float) -> list[Any]:
    """What each kind heard, and what it cost the process."""
    more_files()
    stack = Stack(port)
    try:
        keys = stack.boot["environments"]["production"]
        stack.api("POST", "/flags", {"key": FLAG, "type": "boolean", "enabled": True})
        address = stack.stream(keys["client_key"])
        before = memory_mb(stack)
        until = time.time() + opening_s + flips * APART_S + 5
        with ProcessPoolExecutor(2) as pool:
            running = [
                pool.submit(sse, sse_count, address, until),
                pool.submit(syncs, grpc_count, f"127.0.0.1:{port + 15}", keys["server_key"], until),
            ]
            time.sleep(opening_s)
            after, used, sent = memory_mb(stack), stack.cpu_s("streams"), []
            for number in range(flips):
                sent.append(time.time())
                variant = "off" if number % 2 else "on"
                stack.api("PATCH", f"/flags/{FLAG}", {"default_variant": variant})
                time.sleep(max(sent[-1] + APART_S - time.time(), 0))
            used = stack.cpu_s("streams") - used
            of_sse, of_grpc = (one.result() for one in running)
        cost = {
            "streams_process_mb": [before, after],
            "kb_a_stream": round((after - before) * 1024 / (sse_count + grpc_count), 1),
            "cpu_ms_a_flip": round(used * 1000 / flips),
        }
        return [
            told("event streams", sse_count, of_sse, sent),
            told("flagd sync", grpc_count, of_grpc, sent),
            cost,
        ]
    finally:
        stack.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sse", type=int, default=1000)
    parser.add_argument("--grpc", type=int, default=500)
    parser.add_argument("--flips", type=int, default=10)
    parser.add_argument("--port", type=int, default=8100)
    arguments = parser.parse_args()
    for line in run(arguments.sse, arguments.grpc, arguments.flips, arguments.port, OPENING_S):
        print(json.dumps(line))


if __name__ == "__main__":
    main()
