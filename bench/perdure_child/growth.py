"""What becomes of the speed as the store grows, and as a history grows."""

import time
from itertools import count, pairwise
from random import Random

from bench.perdure_child.load import execute_all, opened, percentile, warm_up
from bench.perdure_child.observation import stored_mb
from bench.perdure_child.parent import Parent
from bench.perdure_child.programs import marked_sequence, step_times

WARM_UP_RUNS = 200
SEGMENTS = 10


async def closing(
    parent: Parent,
    runs: int,
    window: int,
    windows_after: int,
    concurrency: int,
    is_random: bool,
    seconds: float,
    limit_seconds: float,
) -> None:
    """One-activity runs close in windows, until `runs` have, and some windows more; or until the time is up.

    The caller chooses the workflow ids.
    """
    draw, numbers = Random(1), count()

    def random_id() -> str:
        return f"order-{draw.getrandbits(64):016x}"

    def next_id() -> str:
        return f"order-{next(numbers):09}"

    windows = []
    async with opened() as client:
        await warm_up(client, concurrency, 1, seconds)
        began = time.perf_counter()
        closed = 0
        wanted = runs + windows_after * window
        while closed < wanted and time.perf_counter() - began < limit_seconds:
            load = await execute_all(client, window, concurrency, 1, random_id if is_random else next_id)
            windows.append(load.report())
            closed += window
            parent.progress(closed, wanted)
    parent.say("result", windows=windows, closed=closed, stored_mb=stored_mb())


async def long_history(parent: Parent, long: int, short: int, rounds: int) -> None:
    """One long run after as many activities in short runs, again and again; always one run at a time."""
    short_us, long_us, short_cpu_us, long_cpu_us = [], [], [], []
    segments_us: list[list[float]] = []
    async with opened() as client:

        async def run(activities: int, times: int) -> tuple[float, float]:
            step_times.clear()
            began, cpu = time.perf_counter(), time.process_time()
            for _ in range(times):
                await client.execute(marked_sequence, 7, activities)
            done, cpu_done = time.perf_counter(), time.process_time()
            return (done - began) / activities / times * 1e6, (cpu_done - cpu) / activities / times * 1e6

        await run(1, WARM_UP_RUNS)
        for number in range(rounds):
            us, cpu_us = await run(short, max(1, long // short))
            short_us.append(us)
            short_cpu_us.append(cpu_us)
            us, cpu_us = await run(long, 1)
            long_us.append(us)
            long_cpu_us.append(cpu_us)
            size = long // SEGMENTS
            ends = [step_times[min(number * size, long - 1)] for number in range(SEGMENTS + 1)]
            segments_us.append([(b - a) / size * 1e6 for a, b in pairwise(ends)])
            parent.progress(number + 1, rounds)
    parent.say(
        "result",
        short_us=percentile(short_us, 50),
        long_us=percentile(long_us, 50),
        short_cpu_us=percentile(short_cpu_us, 50),
        long_cpu_us=percentile(long_cpu_us, 50),
        segments_us=[percentile(times, 50) for times in zip(*segments_us, strict=True)],
    )
