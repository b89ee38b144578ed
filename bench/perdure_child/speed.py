"""Throughput, and runs alone."""

from bench.perdure_child.load import execute_all, opened, warm_up
from bench.perdure_child.parent import Parent


async def throughput(parent: Parent, activities: int, concurrency: int, seconds: float) -> None:
    """As many runs as take about `seconds`, with `concurrency` in flight."""
    async with opened() as client:
        rate = await warm_up(client, concurrency, activities, seconds)
        runs = max(2 * concurrency, round(rate * seconds))
        load = await execute_all(client, runs, concurrency, activities)
        parent.say("result", **load.report())
