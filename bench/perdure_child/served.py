"""The server form: a server, workers and callers, each in a process of its own."""

import asyncio
import os
import time
from contextlib import suppress
from typing import Any

import httpx

import perdure
from bench.perdure_child.load import STORE, execute_all, percentile, warm_up
from bench.perdure_child.parent import Parent
from bench.perdure_child.programs import app
from perdure.app.server import Server
from perdure.app.serving import allow_connections

SETTLE_SECONDS = 2.0


async def serve(parent: Parent) -> None:
    """A server over the file in the working folder, until the bench ends it."""
    allow_connections()
    server = Server(STORE, rest_address="127.0.0.1:0", grpc_address="127.0.0.1:0")
    await server.open()
    parent.say("ready", url=server.url, pid=os.getpid())
    await asyncio.Event().wait()


async def work(parent: Parent, url: str) -> None:
    """A worker with all workflows and activities."""
    async with await perdure.connect(url) as client, perdure.Worker(client, app):
        parent.say("ready")
        await asyncio.Event().wait()


async def call(parent: Parent, url: str, activities: int, concurrency: int, seconds: float) -> None:
    """As many runs as take about ``seconds``, with ``concurrency`` in flight, from here."""
    async with await perdure.connect(url, app) as client:
        rate = await warm_up(client, concurrency, activities, seconds)
        runs = max(2 * concurrency, round(rate * seconds))
        load = await execute_all(client, runs, concurrency, activities)
        parent.say("result", **load.report())


async def idle_workers(parent: Parent, url: str, workers: int) -> None:
    """Workers that are connected and have nothing to do, each over a connection of its own."""
    clients, connected = [], []
    allow_connections()
    for number in range(workers):
        client = await perdure.connect(url)
        worker = perdure.Worker(client, app, identity=f"idle-{number}")
        await worker.open()
        clients.append(client)
        connected.append(worker)
        parent.progress(number, workers)
    parent.say("result", workers=len(connected))
    await asyncio.Event().wait()


async def rest_starts(parent: Parent, url: str, pid: int, starts: int) -> None:
    """Runs started over REST, one after the other, over one connection; they wait for a worker that never comes. What the
    server does behind the answer counts with the next start."""
    took_ms, server_ms = [], []
    spent_ns = processor_ns(pid)
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        path = "/api/v1/namespaces/default/workflows"
        for number in range(starts):
            body = {"workflow_id": f"rest-{number}", "workflow_type": "nobody", "task_queue": "none", "input": [number]}
            began = time.perf_counter()
            answer = await http.post(path, json=body)
            took_ms.append((time.perf_counter() - began) * 1000)
            answer.raise_for_status()
            before_ns, spent_ns = spent_ns, processor_ns(pid)
            server_ms.append((spent_ns - before_ns) / 1e6)
    parent.say(
        "result",
        p50_ms=percentile(took_ms, 50),
        p99_ms=percentile(took_ms, 99),
        server_ms=percentile(server_ms, 50),
        server_p99_ms=percentile(server_ms, 99),
    )


async def look(parent: Parent, pid: int, seconds: float) -> None:
    """What another process uses: memory in MB, and the processor's seconds in each second."""
    if seconds:
        await asyncio.sleep(SETTLE_SECONDS)
    before, began = processor_seconds(pid), time.monotonic()
    await asyncio.sleep(seconds)
    share = (processor_seconds(pid) - before) / (time.monotonic() - began)
    parent.say(
        "result", **memory_of(pid), processor_share=share if seconds else None, processor_seconds=processor_seconds(pid)
    )


def processor_ns(pid: int) -> int:
    """Of a process, all its threads together, to the nanosecond."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        # One may end meanwhile.
        with suppress(OSError), open(f"/proc/{pid}/task/{thread}/schedstat") as file:
            total += int(file.read().split()[0])
    return total


def processor_seconds(pid: int) -> float:
    """Of a process, all its threads together."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> dict[str, Any]:
    """As ``memory``, of another process."""
    with open(f"/proc/{pid}/status") as file:
        status = dict(line.split(":", 1) for line in file)
    return {"resident_mb": int(status["VmRSS"].split()[0]) * 1024 / 1e6}
