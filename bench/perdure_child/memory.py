"""What runs that wait cost."""

import asyncio
import gc
import time
from collections.abc import Coroutine, Iterator
from typing import Any

from bench.perdure_child.load import do_all, execute_all, opened
from bench.perdure_child.observation import memory, stored_mb
from bench.perdure_child.parent import Parent
from bench.perdure_child.programs import Approval, nap

DAY_SECONDS = 86_400.0
SETTLE_SECONDS = 0.5
SIGNALLED_RUNS = 100


async def waiting(parent: Parent, runs: int, concurrency: int) -> None:
    """Runs that wait for a signal, against the same engine before they came."""
    async with opened() as client:
        # What the first runs cost, imports and caches, is not the waiting runs' doing.
        await execute_all(client, 100, 10, 1)
        idle = await settled()
        began = time.perf_counter()
        await do_all((client.start(Approval, number, id=f"approval-{number}") for number in range(runs)), concurrency)
        seconds = time.perf_counter() - began
        full = await settled()
        began = time.perf_counter()
        answers = 0
        for number in range(0, runs, max(1, runs // SIGNALLED_RUNS)):
            run = client.get(f"approval-{number}")
            await run.signal(Approval.decide, True)
            answers += await run.result() is True
        answered_ms = (time.perf_counter() - began) * 1000 / answers
        parent.say("result", idle=idle, full=full, starts_per_second=runs / seconds, answered_ms=answered_ms)


async def sleeping(parent: Parent, runs: int, concurrency: int, limit_seconds: float) -> None:
    """Runs that sleep for a day: started until there are `runs` of them, or the time is up."""
    began = time.perf_counter()
    started = 0

    async with opened() as client:
        idle = await settled()

        def starts() -> Iterator[Coroutine[Any, Any, object]]:
            nonlocal started
            while started < runs and time.perf_counter() - began < limit_seconds:
                yield client.start(nap, DAY_SECONDS, id=f"nap-{started}")
                started += 1
                if started % 1000 == 0:
                    parent.progress(started, runs)

        began = time.perf_counter()
        await do_all(starts(), concurrency)
        seconds = time.perf_counter() - began
        full = await settled()
    parent.say("result", runs=started, idle=idle, full=full, starts_per_second=started / seconds, stored_mb=stored_mb())


async def sleeping_again(parent: Parent) -> None:
    """The same file, opened by another process."""
    began = time.perf_counter()
    async with opened() as client:
        await execute_all(client, 1, 1, 1)
        ready_seconds = time.perf_counter() - began
        parent.say("result", ready_seconds=ready_seconds, full=await settled())


async def settled() -> dict[str, float]:
    """The memory once all is written and the collector has been."""
    await asyncio.sleep(SETTLE_SECONDS)
    gc.collect()
    return memory()
