"""A run that was exported from one engine goes on, or is looked at, in another one."""

import asyncio

import msgspec
import pytest
from tests.e2e.conftest import events_of

import perdure
from perdure import App, RunStatus, workflow

app = App("moving")


@app.activity
async def double(value: int) -> int:
    return 2 * value


@app.activity
async def never(value: int) -> int:
    if not never_ends:
        return value
    await asyncio.Event().wait()
    return value


never_ends: list[bool] = []


@app.workflow
class Counter:
    def __init__(self) -> None:
        self.total = 0

    @workflow.query
    def now(self) -> int:
        return self.total

    async def run(self, start: int) -> int:
        self.total = await double(start)
        self.total += await workflow.receive("more", int)
        return self.total


@app.workflow
async def through_an_activity(value: int) -> int:
    await asyncio.sleep(0.01)
    return await never(value)


@app.workflow
async def parent(value: int) -> None:
    await through_an_activity(value)


async def elsewhere(start):
    """The history of a run in another engine, which is gone."""
    async with perdure.open(app, store="memory://") as client:
        return await start(client)


async def exported(run, until):
    async for event in run.history(follow=True):
        if event.type == until:
            break
    return perdure.History.from_json((await run.fetch_history()).to_json())


async def test_a_closed_run_comes_as_it_was(opened):
    async def run(client):
        started = await client.start(Counter, 4, id="c", memo={"a": 1}, search_attributes={"Size": 4})
        await started.signal("more", 1)
        await started.result()
        return await started.fetch_history()

    history = await elsewhere(run)
    async with opened(app) as client:
        imported = await client.import_history(history)
        assert (imported.id, imported.run_id) == ("c", history.run_id)
        assert await imported.result() == 9 and await imported.query("now") == 9
        assert (await imported.fetch_history()).to_json() == history.to_json()
        [found] = [found async for found in client.list("Size = 4")]
        assert found.status is RunStatus.COMPLETED and found.memo == {"a": 1}
        with pytest.raises(perdure.AlreadyExistsError, match="is here already"):
            await client.import_history(history)
        again = await imported.reset(history.events[-1].id)
        assert (await again.result()) == 9


async def test_an_open_run_goes_on_from_its_last_event(opened):
    async def run(client):
        return await exported(await client.start(Counter, 4, id="c"), "ActivityTaskCompleted")

    history = await elsewhere(run)
    async with opened(app) as client:
        imported = await client.import_history(history)
        await imported.signal("more", 2)
        assert await imported.result() == 10
        assert (await events_of(imported)).count("ActivityTaskScheduled") == 1, "what had ended does not run again"


async def test_an_activity_that_had_not_ended_is_tried_anew_and_timers_that_are_due_fire(opened):
    never_ends.append(True)

    async def run(client):
        return await exported(await client.start(through_an_activity, 7, id="a"), "ActivityTaskScheduled")

    async def asleep(client):
        return await exported(await client.start(through_an_activity, 8, id="t"), "TimerStarted")

    histories = [await elsewhere(run), await elsewhere(asleep)]
    never_ends.clear()
    async with opened(app) as client:
        runs = [await client.import_history(history) for history in histories]
        assert [await run.result() for run in runs] == [7, 8]


async def test_what_can_not_be_brought_in_is_refused(opened):
    never_ends.append(True)

    async def waiting(client):
        return await exported(await client.start(parent, 7, id="p"), "ChildWorkflowExecutionStarted")

    async def counting(client):
        return await exported(await client.start(Counter, 4, id="c"), "ActivityTaskCompleted")

    family, counter = await elsewhere(waiting), await elsewhere(counting)
    never_ends.clear()
    async with opened(app) as client:
        with pytest.raises(perdure.InvalidArgumentError, match="waits for children that are not here"):
            await client.import_history(family)
        gap = [*counter.events[:2], *counter.events[3:]]
        with pytest.raises(perdure.InvalidArgumentError, match="can't stand at place 3"):
            await client.import_history(perdure.History("c", counter.run_id, gap))
        [ended] = [event for event in counter.events if type(event).__name__ == "ActivityTaskCompleted"]
        orphan = [counter.events[0], msgspec.structs.replace(ended, id=2)]
        with pytest.raises(perdure.InvalidArgumentError, match="does not fit those before it"):
            await client.import_history(perdure.History("c", counter.run_id, orphan))
        with pytest.raises(perdure.InvalidArgumentError, match="is of workflow 'c'"):
            await client.import_history(perdure.History("other", counter.run_id, counter.events))
        assert [found async for found in client.list()] == []
        await client.start(Counter, 1, id="c")
        with pytest.raises(perdure.AlreadyExistsError, match="is running as"):
            await client.import_history(counter)
