"""One thing done to many runs, told on each store."""

import asyncio

import pytest

import perdure
from perdure import App, RunStatus, workflow
from perdure.sdk.batches.definition import Terminate


@pytest.fixture
def app():
    app = App("many")

    @app.activity
    async def once(number: int) -> int:
        return number

    @app.workflow
    async def waits(number: int = 0) -> object:
        await once(number)
        return await workflow.receive("end", str)

    return app


async def begin(client, count, **options):
    names = [f"w-{number:03d}" for number in range(count)]
    for number, name in enumerate(names):
        await client.start("waits", number, id=name, search_attributes={"Number": number}, **options)
    for name in names:
        async for event in client.get(name).history(follow=True):
            if event.type == "ActivityTaskCompleted":
                break
    return names


async def test_every_open_run_of_the_filter_is_signalled_once(opened, app):
    async with opened(app) as client:
        names = await begin(client, 250)
        await client.get(names[7]).terminate("not this one")
        batch = await client.batches.signal("Number < 240", "end", "now")
        ended = await batch.wait()
        assert (ended.status, ended.operation) == (RunStatus.COMPLETED, "signal")
        assert (ended.total, ended.done, ended.skipped, ended.failed, ended.failures) == (239, 239, 0, 0, ())
        assert await client.get(names[3]).result() == "now"
        assert await client.count("ExecutionStatus = 'Running'") == 10
        [listed] = [found async for found in client.batches.list()]
        assert (listed.id, listed.done, listed.closed) == (batch.id, 239, ended.closed)


async def test_runs_are_cancelled_terminated_reset_and_deleted(opened, app):
    async with opened(app) as client:
        await begin(client, 12)
        cancelled = await (await client.batches.cancel("Number IN (0, 1)", reason="no")).wait()
        assert cancelled.done == 2
        while await client.count("ExecutionStatus = 'Canceled'") < 2:  # their programs have a turn for that
            await asyncio.sleep(0.01)
        terminated = await (await client.batches.terminate("Number IN (1, 2, 3)", reason="no")).wait()
        assert (terminated.total, terminated.done) == (2, 2)
        assert [run.id async for run in client.list("ExecutionStatus = 'Terminated'")] == ["w-003", "w-002"]
        reset = await (await client.batches.reset("Number IN (3, 4)")).wait()
        assert (reset.total, reset.done, reset.failures) == (2, 2, ())
        assert {run.id async for run in client.list("Number IN (3, 4)", status="running")} == {"w-003", "w-004"}
        await (await client.batches.reset("Number = 5", to_last=True)).wait()
        again = [event.type async for event in client.get("w-005").history()]
        assert "ActivityTaskCompleted" in again
        deleted = await (await client.batches.delete("Number >= 6")).wait()
        assert deleted.done == 6 and await client.count("Number >= 6") == 0


async def test_a_slow_batch_is_paused_resumed_and_stopped(opened, app):
    async with opened(app) as client:
        await begin(client, 80)
        batch = await client.batches.signal("", "end", "now", rate=20)
        while not (await batch.describe()).done:
            await asyncio.sleep(0.01)
        await batch.pause("lunch")
        own = client.with_namespace("perdure.system").get(f"batch:default:{batch.id}")
        while (await own.describe()).activities:
            await asyncio.sleep(0.01)  # what has begun may end
        assert (await batch.describe()).status is RunStatus.PAUSED
        while await client.count("ExecutionStatus = 'Running'") != 40:
            await asyncio.sleep(0.01)  # what was signalled still takes its last turn
        await batch.resume()
        while await client.count("ExecutionStatus = 'Running'") == 40:
            await asyncio.sleep(0.01)
        await batch.stop("enough")
        stopped = await batch.wait()
        assert stopped.status is RunStatus.CANCELED and 40 < stopped.done < 80
        while await client.count("ExecutionStatus = 'Running'") != 80 - stopped.done:
            await asyncio.sleep(0.01)
        with pytest.raises(perdure.RunClosedError, match="has ended"):
            await batch.resume()


async def test_what_can_not_be_done_is_counted_with_its_reason(opened, app):
    async with opened(app) as client:
        await client.start("waits", id="early", start_delay=3600)
        ended = await (await client.batches.reset("WorkflowId = 'early'")).wait()
        assert (ended.done, ended.failed) == (0, 1)
        assert ended.failures[0].workflow_id == "early" and "has no turn" in ended.failures[0].reason


async def test_the_same_id_again_is_the_same_batch(opened, app):
    async with opened(app) as client:
        await begin(client, 3)
        first = await client.batches.signal("", "end", "now", id="mine", rate=1)
        await client.batches.signal("", "end", "now", id="mine", rate=1)
        ended = await first.wait()
        assert ended.total == 3 and len([found async for found in client.batches.list()]) == 1
        with pytest.raises(perdure.AlreadyExistsError, match="which has ended"):
            await client.batches.signal("", "end", "now", id="mine")


@pytest.mark.parametrize(
    ("filter", "options", "said"),
    [
        ("Number = ", {}, "The filter can't be used"),
        ("ORDER BY StartTime", {}, "filter"),
        ("GROUP BY WorkflowType", {}, "leave out its GROUP BY"),
        ("", {"rate": -1}, "rate=-1 must be a number"),
        ("", {"rate": float("nan")}, "rate=nan must be a number"),
    ],
)
async def test_a_batch_that_can_not_be_is_refused_at_once(opened, app, filter, options, said):
    async with opened(app) as client:
        with pytest.raises(perdure.InvalidArgumentError, match=said):
            await client.batches.cancel(filter, **options)
        with pytest.raises(perdure.NotFoundError, match="There is no <batch 'x'"):
            await client.batches.get("x").describe()
        assert [found async for found in client.batches.list()] == []


async def test_runs_that_are_named_one_by_one(opened, app):
    async with opened(app) as client:
        names = await begin(client, 4)
        runs = [(names[0], ""), (names[2], ""), ("missing", "")]
        batch = await client.batches.start(Terminate("enough"), runs=runs, reason="a test")
        ended = await batch.wait()
        assert (ended.total, ended.done, ended.skipped, ended.reason) == (3, 2, 1, "a test")
        assert await client.count("ExecutionStatus = 'Running'") == 2
        with pytest.raises(perdure.InvalidArgumentError, match="filter"):
            await client.batches.start(Terminate(), "Number = 1", runs=runs)
