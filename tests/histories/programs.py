"""Programs that together use all that the SDK offers, for histories that must replay for ever.

Code that a recorded history belongs to is never changed: a new feature gets a new workflow here, and a new recording.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from perdure import App, ApplicationError, Retry, activity, workflow

app = App("golden")


@dataclass
class Item:
    name: str
    price: int


@app.activity(retry=Retry(max_attempts=3, initial=timedelta(seconds=1)))
async def price(item: Item) -> int:
    if activity.info().attempt == 1 and item.name == "flaky":
        raise ApplicationError("not now", type="Busy")
    return item.price


@app.activity(retry=Retry(max_attempts=1))
async def refuse(reason: str) -> None:
    raise ApplicationError(reason, type="Refused")


@app.activity
def double(number: int) -> int:
    return number * 2


@app.workflow
async def steps(items: list[Item]) -> int:
    """In sequence, at once, in a group, some at a time; failures that are caught."""
    total = await price(items[0])
    total += sum(await asyncio.gather(*(price(item) for item in items)))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(double(item.price)) for item in items]
    total += sum(task.result() for task in tasks)
    async for more in workflow.map(double, range(5), concurrency=2):
        total += more
    try:
        await refuse("no")
    except Exception:
        total += 1
    return total


@app.workflow
async def waits() -> list[str]:
    """Timers, time-outs, races, chance."""
    seen = []
    await asyncio.sleep(90)
    try:
        async with asyncio.timeout(5):
            await asyncio.sleep(60)
    except TimeoutError:
        seen.append("late")
    first, pending = await asyncio.wait(
        [asyncio.create_task(asyncio.sleep(delay)) for delay in (3, 2, 1)], return_when=asyncio.FIRST_COMPLETED
    )
    for task in pending:
        task.cancel()
    seen += [
        str(len(first)),
        str(workflow.random().randrange(10**9)),
        str(workflow.uuid4()),
        workflow.now().isoformat(),
    ]
    return seen


@app.workflow
class Counter:
    def __init__(self) -> None:
        self.total = 0
        self.is_over = False

    async def run(self, start: int) -> int:
        self.total = start
        await workflow.wait_condition(lambda: self.is_over)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.total

    @workflow.signal
    def add(self, number: int) -> None:
        self.total += number

    @workflow.update
    async def multiply(self, factor: int) -> int:
        await asyncio.sleep(1)
        self.total = await double(self.total) * factor
        return self.total

    @multiply.validator
    def _positive(self, factor: int) -> None:
        if factor < 1:
            raise ValueError("a factor is at least 1")

    @workflow.signal
    def finish(self) -> None:
        self.is_over = True


@app.workflow
async def child(number: int) -> int:
    await asyncio.sleep(number)
    if number == 3:
        raise ApplicationError("three is refused")
    return await double(number)


@app.workflow
async def family() -> list[int]:
    """Children that succeed, fail, are cancelled, are abandoned; signals to them."""
    results = [await child(1)]
    try:
        await child(3)
    except Exception:
        results.append(-1)
    slow = asyncio.create_task(child(500))
    await asyncio.sleep(1)
    slow.cancel()
    try:
        await slow
    except asyncio.CancelledError:
        results.append(-2)
    counter = await workflow.start_child(Counter, 10, id="golden-counter", parent_close="abandon")
    await counter.signal(Counter.add, 5)
    await counter.signal(Counter.finish)
    results.append(await counter)
    return results


@app.workflow
async def undoes() -> str:
    """A saga that fails, and what cleans up when it is cancelled."""
    try:
        async with workflow.saga() as saga:
            await double(1)
            saga.compensate(double, 2)
            await asyncio.sleep(10)
            saga.compensate(double, 3)
            await refuse("too late")
    except Exception as error:
        return type(error).__name__
    return "done"


@app.workflow
async def goes_on(left: int, note: str = "") -> str:
    workflow.upsert_memo({"left": left})
    if workflow.patched("golden-patch"):
        note += "p"
    note += workflow.side_effect(lambda: "s", str)
    if left:
        workflow.continue_as_new(left - 1, note)
    return note


@app.workflow
async def is_cancelled() -> str:
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        await double(21)
        raise
    return ""
