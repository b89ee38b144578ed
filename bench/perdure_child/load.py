"""Load on an engine in this process, timed where its caller stands."""

import asyncio
import gc
import math
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import perdure
from bench.perdure_child.observation import syncs
from bench.perdure_child.programs import app, sequence
from perdure import Client

STORE = "sqlite:///store.db"

WARM_UP_SECONDS = 1.0
"""An engine's first second is not measured: the log's file gets its size, the interpreter specializes the code."""


@asynccontextmanager
async def opened(max_async: int = 1000) -> AsyncIterator[Client]:
    """The engine as an application opens it, over the file in the working folder."""
    async with perdure.open(app, store=STORE, max_async=max_async) as client:
        yield client


@dataclass(frozen=True, slots=True)
class Load:
    """What a load took. `loop_seconds` is the processor's time of the event loop's thread, `cpu_seconds` of them all.

    `latencies_ms` holds, for each run, the milliseconds from asking for it to having its result. `syncs` are the
    machine's, None where they cannot be told.
    """

    runs: int
    seconds: float
    cpu_seconds: float
    loop_seconds: float
    syncs: int | None
    latencies_ms: list[float]

    def report(self) -> dict[str, Any]:
        """In the units that are printed."""
        return {
            "runs": self.runs,
            "seconds": self.seconds,
            "runs_per_second": self.runs / self.seconds,
            "p50_ms": percentile(self.latencies_ms, 50),
            "p99_ms": percentile(self.latencies_ms, 99),
            "cpu_us": self.cpu_seconds / self.runs * 1e6,
            "loop_us": self.loop_seconds / self.runs * 1e6,
            "loop_share": self.loop_seconds / self.seconds,
            "runs_per_sync": self.runs / self.syncs if self.syncs else None,
        }


async def execute_all(
    client: Client,
    runs: int,
    concurrency: int,
    activities: int,
    new_id: Callable[[], str] | None = None,
    workflow: Callable[[int, int], Coroutine[Any, Any, int]] = sequence,
) -> Load:
    """Each of `concurrency` callers executes one run after another, until `runs` are done; all results are checked."""
    values = iter(range(runs))
    latencies_ms: list[float] = []
    clock = time.perf_counter

    async def call() -> None:
        for value in values:
            asked = clock()
            if new_id is None:
                answer = await client.execute(workflow, value, activities)
            else:
                answer = await client.execute(workflow, value, activities, id=new_id())
            latencies_ms.append((clock() - asked) * 1000)
            if answer != value:
                raise ValueError("a run returned another value than its own")

    gc.collect()
    callers = [call() for _ in range(min(runs, concurrency))]
    syncs_before = syncs()
    began, cpu, loop = clock(), time.process_time(), time.thread_time()
    await asyncio.gather(*callers)
    seconds, cpu, loop = clock() - began, time.process_time() - cpu, time.thread_time() - loop
    syncs_after = syncs()
    synced = None if syncs_before is None or syncs_after is None else syncs_after - syncs_before
    return Load(runs, seconds, cpu, loop, synced or None, latencies_ms)


async def warm_up(client: Client, concurrency: int, activities: int, seconds: float) -> float:
    """Executes runs for about so long; the runs per second in the end."""
    deadline = time.perf_counter() + min(WARM_UP_SECONDS, seconds)
    while True:
        load = await execute_all(client, max(concurrency, 20), concurrency, activities)
        if time.perf_counter() > deadline:
            return load.runs / load.seconds


async def do_all(jobs: Iterable[Coroutine[Any, Any, object]], concurrency: int) -> None:
    """Awaits all of the coroutines, so many at a time. They are made as they are needed."""
    remaining = iter(jobs)

    async def work() -> None:
        for job in remaining:
            await job

    await asyncio.gather(*(work() for _ in range(concurrency)))


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of them do not exceed (the nearest-rank method)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
