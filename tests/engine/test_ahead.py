"""A worker takes the turn that follows from an activity's end before it is asked to. The turn counts only if the run comes to
it at once and as the worker thought; whatever happens instead, the history is as if nobody had gone ahead."""

import asyncio
from random import Random

import pytest
from tests.engine.elsewhere import NAMESPACE, STEPS, FarWorker, World, signal, start

from perdure.model import events as e
from perdure.model import workers as w
from perdure.model.errors import PerdureError
from perdure.model.ids import RunAddress
from perdure.model.requests import CancelWorkflow, PauseWorkflow, ResumeWorkflow, SignalWorkflow, TerminateWorkflow
from perdure.testing.virtual_loop import VirtualLoop

MOMENTS = (0.0, 0.0001, 0.0008, 0.003, 0.03, 0.4)
X = RunAddress(NAMESPACE, "x")


def in_no_time(story):
    """Run a coroutine on a loop whose time is virtual."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(asyncio.wait_for(story, 100_000))


class Listener(FarWorker):
    """Notes what it is sent."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.heard = []

    def send(self, message):
        self.heard.append(type(message))
        super().send(message)


def test_a_run_in_sequence_needs_to_be_asked_for_its_first_turn_alone():
    async def story():
        world = World(1)
        await world.open()
        worker = Listener(world, "w", (0.0, 0.01), goes_ahead=True)
        worker.connect()
        await start(world, "x", "Steps")
        await closed(world)
        world.check_closed("x")
        assert worker.heard.count(w.TakeTurn) == 1
        assert worker.went_ahead == STEPS
        assert len(world.disk.histories[1]) == 1 + STEPS, "an end and the turn that follows are one commit"
        await world.service.close()

    in_no_time(story())


def test_a_worker_that_does_not_go_ahead_is_not_given_more_than_its_activity():
    async def story():
        world = World(1)
        await world.open()
        worker = Listener(world, "w", (0.0,))
        worker.connect()
        await start(world, "x", "Steps")
        await closed(world)
        assert worker.heard.count(w.TakeTurn) == 1 + STEPS
        assert not worker.went_ahead
        await world.service.close()

    in_no_time(story())


class Slow(FarWorker):
    """While it is busy, what it is sent waits, and what its activities do does not."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.is_free = asyncio.Event()
        self.is_free.set()
        self.is_told = asyncio.Event()
        self.ends = asyncio.Event()

    async def _run(self, task):
        if task.scheduled.activity_id.startswith("1."):
            self.is_told.set()
            await self.ends.wait()
        await super()._run(task)

    async def _obey(self, connection):
        while True:
            message = await self.inbox.get()
            await self.is_free.wait()
            self.obey(message)


async def nothing(world):
    """Nothing happens."""


async def a_signal(world):
    await world.service.request(X, SignalWorkflow("go", request_id="s"))


async def two_signals(world):
    await a_signal(world)
    await world.service.request(X, SignalWorkflow("go", request_id="t"))


async def a_cancellation(world):
    await world.service.request(X, CancelWorkflow())


async def a_pause(world):
    await world.service.request(X, PauseWorkflow())


async def a_pause_that_ends(world):
    await a_pause(world)
    await world.service.request(X, ResumeWorkflow())


async def an_end(world):
    await world.service.request(X, TerminateWorkflow())


@pytest.mark.parametrize(
    "happens",
    [nothing, a_signal, two_signals, a_cancellation, a_pause, a_pause_that_ends, an_end],
    ids=lambda f: f.__name__,
)
def test_a_turn_that_does_not_count_leaves_the_history_that_there_would_be_without(happens):
    """The activity ends while news are on their way to the worker."""

    async def story(goes_ahead):
        world = World(1)
        await world.open()
        worker = Slow(world, "w", (0.0,), goes_ahead=goes_ahead)
        worker.connect()
        await start(world, "x", "Steps")
        await worker.is_told.wait()
        worker.is_free.clear()
        await happens(world)
        worker.ends.set()
        await asyncio.sleep(1)
        worker.is_free.set()
        await asyncio.sleep(1)
        if happens is a_pause:
            await world.service.request(X, ResumeWorkflow())
        await closed(world)
        world.check_closed("x")
        world.check_stored()
        events = world.events("x")
        await world.service.close()
        return worker.went_ahead, [(type(event), event.id, getattr(event, "scheduled_event_id", 0)) for event in events]

    ahead, with_it = in_no_time(story(goes_ahead=True))
    _, without = in_no_time(story(goes_ahead=False))
    assert ahead >= 2, "it did not go ahead"
    assert with_it == without
    assert not any(kind is e.WorkflowTaskFailed for kind, *_ in with_it) or happens is an_end


@pytest.mark.parametrize("happens", [nothing, a_signal, a_pause], ids=lambda f: f.__name__)
def test_a_query_is_answered_by_what_has_happened_alone(happens):
    async def story():
        world = World(1)
        await world.open()
        worker = Slow(world, "w", (0.0,), goes_ahead=True)
        worker.connect()
        await start(world, "x", "Steps")
        await worker.is_told.wait()
        worker.is_free.clear()
        asking = asyncio.create_task(world.service.query(X, "turns", ()))
        await asyncio.sleep(0)
        await happens(world)
        worker.ends.set()
        await asyncio.sleep(0.1)
        worker.is_free.set()
        (answer,) = await asking
        turns = [event for event in world.events("x") if isinstance(event, e.WorkflowTaskStarted)]
        assert 2 <= int(answer.data) <= len(turns)
        if happens is a_pause:
            await world.service.request(X, ResumeWorkflow())
        await closed(world)
        world.check_closed("x")
        await world.service.close()

    in_no_time(story())


@pytest.mark.parametrize("seed", range(60))
def test_whatever_happens_meanwhile_histories_add_up(seed):
    pause = Random(seed)

    async def story():
        world = World(seed, failures=(0.0, 0.0, 0.1)[seed % 3])
        await world.open()
        draw = world.draw
        delays = MOMENTS if seed % 2 else MOMENTS[:4]
        workers = [FarWorker(world, f"w{number}", delays, goes_ahead=draw.random() < 0.8) for number in range(2)]
        for worker in workers:
            worker.connect()
        names = [f"x{number}" for number in range(8)]
        callers = []
        for name in names:
            callers.append(asyncio.create_task(start(world, name, "Steps")))
            for number in range(draw.choice((0, 1, 3))):
                callers.append(asyncio.create_task(later(signal(world, name, number))))
            for request in draw.sample(
                (CancelWorkflow(), PauseWorkflow(), TerminateWorkflow()), draw.choice((0, 0, 1))
            ):
                callers.append(asyncio.create_task(later(asked(world, name, request))))
        for _ in range(draw.choice((0, 1, 2))):
            await asyncio.sleep(draw.choice(MOMENTS) * 3)
            if draw.random() < 0.5:
                world.crash()
                world.check_stored()
                for worker in workers:
                    worker.disconnect()
                await world.open()
            else:
                workers[0].disconnect()
                await asyncio.sleep(draw.choice(MOMENTS))
            for worker in workers:
                if not worker.remote.is_connected:
                    worker.connect()
        await asyncio.gather(*callers)
        world.store.failures = 0.0
        await closed(world)
        for name in names:
            world.check_closed(name)
        world.check_stored()
        await world.service.close()

    async def later(story):
        await asyncio.sleep(pause.choice(MOMENTS) * 2)
        await story

    in_no_time(story())


async def asked(world, name, request):
    """A caller who asks until it is answered; a pause ends after a while."""
    requests = [request, ResumeWorkflow()] if isinstance(request, PauseWorkflow) else [request]
    for each in requests:
        while True:
            try:
                await asyncio.wait_for(world.service.request(RunAddress(NAMESPACE, name), each), 5)
                break
            except (PerdureError, TimeoutError) as error:
                if type(error).__name__ not in ("StoreError", "TimeoutError", "NotFoundError"):
                    return
                await asyncio.sleep(0.5)
        await asyncio.sleep(0.1)


async def closed(world):
    """Wait until all runs are."""
    while not all(row.close_time for row in world.disk.runs.values()):
        await asyncio.sleep(0.01)
        assert world.loop.time() < 3600, "it does not go on"
