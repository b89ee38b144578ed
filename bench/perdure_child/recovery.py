"""Runs left open by a process that is killed, and the process that takes them up."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from bench.perdure_child.load import do_all, execute_all, opened, percentile
from bench.perdure_child.memory import DAY_SECONDS
from bench.perdure_child.observation import memory, stored_mb
from bench.perdure_child.parent import Parent
from bench.perdure_child.programs import first_starts, nap, patient
from perdure import Client

SPARE_SLOTS = 100
"""For the new runs that are tried beside those that were left open."""


async def leave_open(
    parent: Parent, runs: int, waits_for: str, concurrency: int, quick: int = 0, slow: int = 1, seconds: float = 0.0
) -> None:
    """Says `ready` once all the runs wait, and goes on until it is killed.

    Args:
        waits_for: "timer" for a day, or "activity" for attempts that are under way.
        quick: how many activities each run has completed before.
        slow: how many slow activities each of them is to do, one after another.
        seconds: how long each of these takes.
    """
    async with opened(max_async=runs + SPARE_SLOTS) as client:

        def start(number: int) -> Coroutine[Any, Any, object]:
            parent.progress(number, runs)
            if waits_for == "timer":
                return client.start(nap, DAY_SECONDS, id=f"open-{number}")
            return client.start(patient, number, quick, slow, seconds, id=f"open-{number}")

        await do_all(map(start, range(runs)), concurrency)
        # Looked for rather than told, so that the activity stays as it is.
        while waits_for == "activity" and len(first_starts) < runs:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        parent.say("ready", stored_mb=stored_mb(), memory=memory())
        await asyncio.Event().wait()


async def take_up(parent: Parent, runs: int, waits_for: str, limit_seconds: float) -> None:
    """Opens what was left, tries new runs beside it, and says when the first of the old ones was resumed, and the last.

    Times are ns of the clock that all processes share.
    """
    opening_ns = time.monotonic_ns()
    async with opened(max_async=runs + SPARE_SLOTS) as client:
        opened_ns = time.monotonic_ns()
        trying = asyncio.create_task(try_new_runs(client))
        to_resume = runs if waits_for == "activity" else 0
        while not trying.done() and (not tried or len(first_starts) < to_resume):
            parent.progress(len(first_starts), runs)
            if time.monotonic_ns() - opening_ns > limit_seconds * 1e9:
                break
            await asyncio.sleep(0.02)
        taken_up_memory = memory()
        if waits_for == "timer":
            await asyncio.sleep(1.0)
        trying.cancel()
        await asyncio.wait([trying])
        if not trying.cancelled():
            trying.result()
        parent.say(
            "result",
            opening_ns=opening_ns,
            opened_ns=opened_ns,
            ready_ns=tried[0][0],
            new_run_p50_ms=percentile([ms for _, ms in tried], 50),
            new_run_most_ms=max(ms for _, ms in tried),
            resumed=len(first_starts),
            first_ns=min(first_starts.values(), default=None),
            last_ns=max(first_starts.values(), default=None),
            memory=taken_up_memory,
        )


tried: list[tuple[int, float]] = []
"""The new runs: when each was done, and the milliseconds it took."""


async def try_new_runs(client: Client) -> None:
    """One new run after another, until it is cancelled; the first one's end is when the engine is ready."""
    while True:
        load = await execute_all(client, 1, 1, 1)
        tried.append((time.monotonic_ns(), load.latencies_ms[0]))
        await asyncio.sleep(0.001)
