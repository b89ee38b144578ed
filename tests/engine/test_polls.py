"""Those who poll for activities: who gets what, and what comes for somebody who has gone."""

import asyncio

import pytest
from tests.engine.elsewhere import NAMESPACE, FarWorker, World, start

from perdure.engine.polls import START_SECONDS, Polls
from perdure.model.program import ActivityTask
from perdure.model.requests import CompleteActivity
from perdure.testing.virtual_loop import VirtualLoop

QUEUE = "far"


def told(story):
    """Tell a story in a world where activities are polled for, on a loop whose time is virtual."""

    async def all_of_it():
        world = World(1)
        await world.open()
        FarWorker(world, "turns", (0.0,), slots=0).connect()
        await story(world, Polls(world.workers))
        await world.service.close()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(asyncio.wait_for(all_of_it(), 10_000))


def test_whoever_expects_attempts_first_gets_the_first():
    async def story(world: World, polls: Polls) -> None:
        with polls.expect(NAMESPACE, QUEUE, identity="p", count=2) as first:
            with polls.expect(NAMESPACE, QUEUE, identity="p", count=2) as second:
                await start(world, "x")
                while not first.tasks + second.tasks:
                    await asyncio.sleep(0.001)
                assert len(first.tasks) == 2 and not second.tasks

    told(story)


@pytest.mark.parametrize(("late_seconds", "attempt"), [(0.0, 1), (3 * START_SECONDS, 2)])
def test_what_came_for_somebody_who_has_gone_is_the_next_ones(late_seconds, attempt):
    async def story(world: World, polls: Polls) -> None:
        with polls.expect(NAMESPACE, QUEUE, identity="p", count=2) as expected:
            starting = asyncio.create_task(start(world, "x"))
            while not any(worker.used_slots for worker in world.workers.connected):
                await asyncio.sleep(0)
        assert not expected.tasks
        await starting
        await asyncio.sleep(late_seconds)
        attempts: list[int] = []
        while len(attempts) < 3:
            task = await asyncio.wait_for(poll(polls), 100)
            assert task is not None
            attempts.append(task.attempt)
            done = CompleteActivity(task.scheduled.id, task.attempt)
            await world.service.request(task.address, done)
        assert attempts == [attempt, attempt, 1]
        world.check_closed("x")

    told(story)


async def poll(polls: Polls) -> ActivityTask | None:
    return await polls.poll(NAMESPACE, QUEUE, identity="p", activity_types=[], timeout_seconds=60, labels={})
