"""Restate's server, its service and the load: its setting is in restate_server.py, the conversation in process.py."""

import asyncio
import contextlib
import gc
import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import uvloop

from bench.peers.ingress import Ingress
from bench.peers.process import Bench, environment
from bench.peers.restate_server import server
from bench.peers.result import Result

START_SECONDS = 60.0
WARM_UP_RUNS = 500
WARM_UP_CONCURRENCY = 50

# One for every two cores, because the service takes about as much of the processor as the server does.
SHARE = max(1, (os.cpu_count() or 2) // 2)


def main(folder: Path) -> None:
    ingress, admin, node, service = free_ports(4)
    with Bench(folder) as bench, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        gc.set_threshold(50_000, 50, 100)
        bench.start("server", [str(server()), "--no-logo"], settings(folder, ingress, admin, node))
        bench.start("service", hypercorn(service), environment())
        deadline = time.monotonic() + START_SECONDS
        until_answered(f"http://127.0.0.1:{service}/health", deadline)
        until_answered(f"http://127.0.0.1:{admin}/health", deadline)
        until_answered(f"http://127.0.0.1:{ingress}/restate/health", deadline)
        deployment = json.dumps({"uri": f"http://127.0.0.1:{service}"}).encode()
        until_answered(f"http://127.0.0.1:{admin}/deployments", deadline, deployment)

        def measure(runs: int, activities: int, concurrency: int) -> Result:
            return runner.run(load(ingress, runs, activities, concurrency))

        measure(WARM_UP_RUNS, 1, WARM_UP_CONCURRENCY)
        bench.answer(measure)


def settings(folder: Path, ingress: int, admin: int, node: int) -> dict[str, str]:
    """Where the server works and listens, and how many partitions it has; all else is as Restate has it."""
    return environment() | {
        "RESTATE_BASE_DIR": str(folder / "restate"),
        "RESTATE_NODE_NAME": "bench",
        "RESTATE_LISTEN_MODE": "tcp",
        "RESTATE_BIND_ADDRESS": f"127.0.0.1:{node}",
        "RESTATE_ADVERTISED_ADDRESS": f"http://127.0.0.1:{node}",
        "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
        "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
        "RESTATE_DEFAULT_NUM_PARTITIONS": str(min(SHARE, 24)),
        "RESTATE_DISABLE_TELEMETRY": "true",
        "RESTATE_LOG_FILTER": "warn,octocrab=off",  # a client of GitHub's, which logs an error where it cannot connect
        "RESTATE_LOG_DISABLE_ANSI_CODES": "true",
    }


def hypercorn(port: int) -> list[str]:
    config = Path(__file__).with_name("hypercorn.toml")
    command = [sys.executable, "-m", "hypercorn", "--config", str(config), "--workers", str(SHARE)]
    return [*command, "--bind", f"127.0.0.1:{port}", "bench.peers.restate_service:app"]


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that are free now, and differ because they are all held until the last is found."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def until_answered(url: str, deadline: float, body: bytes | None = None) -> None:
    """Returns once `url` answers with success; raises the last error if it does not by `deadline` (monotonic)."""
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        try:
            with direct.open(request, timeout=10):
                return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)


async def load(port: int, runs: int, activities: int, concurrency: int) -> Result:
    """Each of `concurrency` connections asks for one run after another, until all are done."""
    loop = asyncio.get_running_loop()
    connections = [(await loop.create_connection(Ingress, "127.0.0.1", port))[1] for _ in range(min(runs, concurrency))]
    values = iter(range(runs))
    latencies_ms: list[float] = []

    async def call(connection: Ingress) -> None:
        for value in values:
            body = json.dumps({"value": value, "activities": activities}).encode()
            asked = time.perf_counter()
            answer = await connection.post("/bench/run", body)
            latencies_ms.append((time.perf_counter() - asked) * 1000)
            if int(answer) != value:
                raise ValueError("a run returned another value than its own")

    began = time.perf_counter()
    async with asyncio.timeout(30 + runs * max(activities, 1) / 5):
        await asyncio.gather(*map(call, connections))
    seconds = time.perf_counter() - began
    for connection in connections:
        connection.close()
    return Result(runs, activities, seconds, latencies_ms)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
