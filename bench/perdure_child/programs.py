"""The workflows that are measured. Their activities do next to nothing, so that what is left is the engine."""

import asyncio
import time

from perdure import App, workflow

app = App("bench")

first_starts: dict[int, int] = {}
"""When `slow` first began in this process, by its value, in ns of the clock that all processes share."""

step_times: list[float] = []
"""When each `marked_step` ran, by `perf_counter`."""


@app.activity
async def step(value: int) -> int:
    return value


@app.workflow
async def sequence(value: int, activities: int) -> int:
    """As the peers' workflow: activities in sequence, each returning its input."""
    for _ in range(activities):
        value = await step(value)
    return value


@app.activity
async def marked_step(value: int) -> int:
    step_times.append(time.perf_counter())
    return value


@app.workflow
async def marked_sequence(value: int, activities: int) -> int:
    for _ in range(activities):
        value = await marked_step(value)
    return value


@app.activity
async def slow(value: int, seconds: float) -> int:
    first_starts.setdefault(value, time.monotonic_ns())
    await asyncio.sleep(seconds)
    return value


@app.workflow
async def patient(value: int, quick_activities: int, slow_activities: int, seconds: float) -> int:
    """Quick activities, then slow ones."""
    for _ in range(quick_activities):
        value = await step(value)
    for _ in range(slow_activities):
        value = await slow(value, seconds)
    return value


@app.workflow
async def nap(seconds: float) -> None:
    await asyncio.sleep(seconds)


@app.workflow
class Approval:
    """Waits for a person."""

    def __init__(self) -> None:
        self.is_approved: bool | None = None

    async def run(self, amount: int) -> bool:
        await workflow.wait_condition(lambda: self.is_approved is not None)
        return bool(self.is_approved)

    @workflow.signal
    def decide(self, is_approved: bool) -> None:
        self.is_approved = is_approved
