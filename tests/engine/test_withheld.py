"""A decision that handed out a turn waits for its end, and is one commit with it; nobody is told anything before that is
durable, and whatever fails or dies, nothing is lost and nothing runs twice."""

import asyncio

import pytest
from tests.engine.elsewhere import NAMESPACE, FarWorker, World, signal, start

from perdure.engine import encoding
from perdure.model.events import ActivityTaskCompleted, ActivityTaskScheduled, WorkflowExecutionCompleted
from perdure.model.ids import RunAddress
from perdure.model.options import RunStatus
from perdure.model.requests import StartWorkflow, TerminateWorkflow
from perdure.testing.virtual_loop import VirtualLoop

QUICK = (0.0, 0.0001)
MIXED = (0.0, 0.0001, 0.0008, 0.003, 0.03, 0.4)


def in_no_time(story):
    """Run a coroutine on a loop whose time is virtual."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(asyncio.wait_for(story, 100_000))


def test_a_turn_that_ends_at_once_is_one_commit_with_what_made_it_due():
    async def story():
        world = World(1)
        await world.open()
        FarWorker(world, "quick", QUICK).connect()
        await start(world, "x")
        assert len(world.disk.histories[1]) == 1
        assert [event.activity_id for event in world.events("x") if isinstance(event, ActivityTaskScheduled)] == [
            "a",
            "b",
        ]
        while not world.disk.runs[1].close_time:
            await asyncio.sleep(0.01)
        world.check_closed("x")
        last = encoding.decode(world.disk.histories[1][-1:])
        assert isinstance(last[-1], WorkflowExecutionCompleted)
        assert any(isinstance(record, ActivityTaskCompleted) for record in last)
        await world.service.close()

    in_no_time(story())


def test_a_slow_turn_keeps_nobody_waiting():
    async def story():
        world = World(1)
        await world.open()
        FarWorker(world, "slow", (3600.0,)).connect()
        began = world.loop.time()
        await start(world, "x")
        await signal(world, "x", 0)
        assert world.loop.time() - began < 1
        await world.service.close()

    in_no_time(story())


def test_moments_end_on_a_loop_that_counts_in_milliseconds():
    """uvloop calls at once what is due in less than half of one, and gives a handle without a time."""
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not on this system")

    async def story():
        world = World(2)
        failed = []
        world.loop.set_exception_handler(lambda loop, context: failed.append(context))
        await world.open()
        for number in range(2):
            FarWorker(world, f"w{number}", (0.0, 0.0004, 0.0011, 0.0017)).connect()
        names = [f"x{number}" for number in range(300)]
        answers = [world.loop.create_future() for _ in names]
        for number, name in enumerate(names):
            # As a socket does, in the same round of the loop as timers that are due.
            request = StartWorkflow(name, "W", "far", request_id=name)
            world.loop.call_later(
                number * 0.0003, world.service.engine.starts.start, NAMESPACE, request, answers[number].set_result
            )
        await asyncio.gather(*answers)
        while not all(row.close_time for row in world.disk.runs.values()):
            await asyncio.sleep(0.01)
        for name in names:
            world.check_closed(name)
        await world.service.close()
        assert not failed

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(story(), 60))


@pytest.mark.parametrize("asked", ["describe", "explain"])
def test_what_is_told_of_a_run_is_of_the_one_that_is_there_by_then(asked):
    async def story():
        world = World(1)
        await world.open()
        await start(world, "x")
        ended = world.service.request(RunAddress(NAMESPACE, "x"), TerminateWorkflow())
        ending = asyncio.create_task(ended)
        await asyncio.sleep(0)
        asking = asyncio.create_task(getattr(world.service, asked)(RunAddress(NAMESPACE, "x")))
        await asyncio.sleep(0)
        begun = await world.service.start(NAMESPACE, StartWorkflow("x", "W", "far", request_id="again"))
        await ending
        told = await asking
        run_id, status = (
            (told.summary.run_id, told.summary.status) if asked == "describe" else (told.address.run_id, told.status)
        )
        assert (run_id, status) == (begun.run_id, RunStatus.RUNNING)
        await world.service.close()

    in_no_time(story())


@pytest.mark.parametrize("seed", range(80))
def test_nothing_is_lost_and_nothing_runs_twice(seed):
    async def story():
        world = World(seed, failures=(0.0, 0.05, 0.3)[seed % 3])
        await world.open()
        draw = world.draw
        workers = [
            FarWorker(world, f"w{number}", MIXED if draw.random() < 0.7 else QUICK, goes_ahead=draw.random() < 0.7)
            for number in range(2)
        ]
        for worker in workers:
            worker.connect()
        names = [f"x{number}" for number in range(8)]
        callers = []
        for name in names:
            callers.append(asyncio.create_task(start(world, name)))
            for number in range(draw.choice((0, 0, 1, 2))):
                callers.append(asyncio.create_task(signal_later(world, name, number, draw.choice(MIXED))))
        for _ in range(draw.choice((0, 1, 3))):
            await asyncio.sleep(draw.choice(MIXED) * 3)
            if draw.random() < 0.5:
                world.crash()
                world.check_stored()
                for worker in workers:
                    worker.disconnect()
                await world.open()
                for worker in workers:
                    worker.connect()
            else:
                worker = draw.choice(workers)
                worker.disconnect()
                await asyncio.sleep(draw.choice(MIXED))
                worker.connect()
        await asyncio.gather(*callers)
        while not all(row.close_time for row in world.disk.runs.values()):
            await asyncio.sleep(1)
            assert world.loop.time() < 3600, "it does not go on"
        for name in names:
            world.check_closed(name)
        world.check_stored()
        world.store.failures = 0.0
        await world.service.close()

    async def signal_later(world, name, number, seconds):
        await asyncio.sleep(seconds)
        await signal(world, name, number)

    in_no_time(story())
