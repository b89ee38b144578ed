"""Throughput with task queues' limits, priorities and circuit breakers, and without."""

import perdure
from bench.perdure_child.load import STORE, execute_all
from bench.perdure_child.parent import Parent
from perdure import App, Breaker

app = App("queued")

PLENTY = 1_000_000
"""A limit that is looked at and never reached."""

TENANTS = 20


@app.activity
async def step(value: int) -> int:
    return value


step_with_all = step.options(priority=2, fairness_weight=2, breaker=Breaker(failures=5))


@app.workflow
async def sequence(value: int, activities: int) -> int:
    for _ in range(activities):
        value = await step(value)
    return value


@app.workflow
async def sequence_with_all(value: int, activities: int) -> int:
    tenant = f"tenant-{value % TENANTS}"
    one = step_with_all.options(fairness_key=tenant, limit_key=tenant)
    for _ in range(activities):
        value = await one(value)
    return value


async def queued(
    parent: Parent, activities: int, concurrency: int, seconds: float, is_used: bool, slots: int, limit: int
) -> None:
    """As many runs as take about `seconds`. `slots` are the worker's; with `is_used`, everything is set that can be, and
    at most `limit` activities run at once."""
    workflow = sequence_with_all if is_used else sequence
    async with perdure.open(app, store=STORE, max_async=slots) as client:
        if is_used:
            await client.task_queues.set(
                "default", concurrency=limit, rate=PLENTY, concurrency_per_key=PLENTY, rate_per_key=PLENTY
            )
        runs = 2 * concurrency
        for share in (0.5, 1.0):
            load = await execute_all(client, runs, concurrency, activities, workflow=workflow)
            runs = max(runs, round(load.runs / load.seconds * seconds * share))
        load = await execute_all(client, runs, concurrency, activities, workflow=workflow)
        parent.say("result", **load.report())
