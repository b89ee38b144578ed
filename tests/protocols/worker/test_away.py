"""Workers that go away, come back, or keep what they were given; told on a clock that stands still until it is moved."""

import asyncio

import pytest
from tests.protocols.worker.conftest import one, raw_worker, report

import perdure
from perdure import App, workflow
from perdure.app.server import Server
from perdure.model.options import SECOND_NS
from perdure.protocols.worker import worker_pb2 as pb
from perdure.protocols.worker.connection import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, Backoff
from perdure.protocols.worker.runner import Runner
from perdure.testing.clock import VirtualClock

LEASE_NS = 30 * SECOND_NS


@pytest.fixture
async def clock():
    """What is due now is called; time itself goes on by hand alone."""
    clock = VirtualClock(1_800_000_000 * SECOND_NS)

    async def call_what_is_due():
        while True:
            clock.advance_to(clock.now_ns())
            await asyncio.sleep(0.001)

    calling = asyncio.create_task(call_what_is_due())
    yield clock
    calling.cancel()


@pytest.fixture
async def server(clock):
    settings = perdure.Settings(worker_lease_ns=LEASE_NS)
    server = Server("memory://", settings, rest_address="127.0.0.1:0", grpc_address="127.0.0.1:0", clock=clock)
    await server.open()
    yield server
    await server.close()


async def until(condition):
    """Wait for something, which comes within a moment."""
    async with asyncio.timeout(100):
        while not await condition():
            await asyncio.sleep(0.005)


async def connected(client, identity, expected=True):
    """Wait until a worker is connected, or is no longer."""

    async def as_expected():
        return any(worker.identity == identity for worker in await client.service.workers("default")) is expected

    await until(as_expected)


@pytest.fixture
async def attempt(turns, channel):
    """A run whose activity a worker has begun that is gone since, the run's client, and the attempt."""
    async with raw_worker(channel) as gone:
        await gone.hello("gone")
        run = await turns.start(one, 7, id="x")
        task = await gone.task()
    await connected(turns, "gone", expected=False)
    return run, task


async def test_what_a_worker_had_goes_on_elsewhere_when_its_lease_has_ended(turns, clock, channel, attempt):
    run, task = attempt
    async with raw_worker(channel) as other:
        await other.hello("other")
        await connected(turns, "other")
        clock.advance_to(clock.now_ns() + LEASE_NS - 1)
        assert (await turns.task_queues.describe("raw")).running == 1, "it may still come back"
        clock.advance_to(clock.now_ns() + 1)
        again = await other.task()
        assert (again.scheduled_event_id, again.attempt) == (task.scheduled_event_id, 2)
        await other.say(activity=report(again))
        assert await run.result() == 42


async def test_a_worker_that_comes_back_within_its_lease_goes_on(turns, clock, channel, attempt):
    run, task = attempt
    clock.advance_to(clock.now_ns() + LEASE_NS - SECOND_NS)
    async with raw_worker(channel) as back:
        running = pb.Attempt(run_id=task.run.run_id, scheduled_event_id=task.scheduled_event_id, attempt=1)
        await back.hello("gone", running=[running])
        await connected(turns, "gone")
        clock.advance_to(clock.now_ns() + 2 * SECOND_NS)
        await back.say(activity=report(task))
        assert (await back.acknowledged()).refused == ""
        assert await run.result() == 42


async def test_a_worker_that_comes_back_without_its_attempt_has_lost_it(turns, clock, channel, attempt):
    run, _ = attempt
    async with raw_worker(channel) as back:
        await back.hello("gone")
        again = await back.task()
        assert again.attempt == 2
        await back.say(activity=report(again))
        assert await run.result() == 42


async def test_a_turn_that_a_worker_keeps_goes_to_another_when_its_time_is_up(client, clock, channel):
    facts = {"task_queues": ["default"], "workflow_types": ["one"], "turn_slots": 1, "groups": []}
    async with raw_worker(channel) as stuck, raw_worker(channel) as other:
        await stuck.hello("stuck", **facts)
        await connected(client, "stuck")
        await other.hello("other", **facts)
        await connected(client, "other")
        run = await client.start(one, 7, id="x", task_timeout=20)
        while not isinstance(await stuck.hear(), pb.TakeTurn):
            pass
        clock.advance_to(clock.now_ns() + 20 * SECOND_NS)

        async def timed_out():
            return [event.type async for event in run.history()][-1] == "WorkflowTaskTimedOut"

        await until(timed_out)
        clock.advance_to(clock.now_ns() + SECOND_NS)  # its retry waits so long
        while not isinstance(turn := await other.hear(), pb.TakeTurn):
            pass
        assert (turn.run.workflow_id, turn.is_new) == ("x", True)
        # What the first says by now changes nothing.
        await stuck.say(turn=pb.TurnReport(run=turn.run, started_event_id=3, attempt=1, commands=b"\x90"))
        await run.terminate("seen enough")


# --- programs that stay where they are


conversation = App("conversation")


@conversation.workflow
async def listens() -> list[str]:
    said: list[str] = []
    while not said or said[-1] != "bye":
        said.append(await workflow.receive("say", str))
    return said


async def test_turns_go_to_the_worker_that_has_the_program_with_new_events_alone(server, monkeypatch):
    turns = []
    take = Runner._take_turn

    def noting(runner, turn):
        turns.append((runner, turn.is_new, turn.events[0].id, turn.events[-1].id))
        take(runner, turn)

    monkeypatch.setattr(Runner, "_take_turn", noting)

    async def say(word):
        taken = len(turns)
        await run.signal("say", word)
        async with asyncio.timeout(100):
            while len(turns) == taken or (await run.describe()).turn is not None:
                await asyncio.sleep(0.005)

    async with await perdure.connect(server.url, conversation) as client:
        workers = {}
        for name in ("a", "b"):
            worker = perdure.Worker(client, conversation, identity=name)
            await worker.open()
            workers[worker._runner] = worker
        run = await client.start("listens", id="talk", result_type=list)
        for word in ("one", "two", "three"):
            await say(word)
        first, *later = turns
        assert first[1] and first[2] == 1
        assert {(runner, is_new) for runner, is_new, *_ in later} == {(first[0], False)}
        ends = [end for *_, end in turns]
        assert [begin for _, _, begin, _ in later] > ends[:-1], "each turn begins behind the one before"
        assert server.service.engine.replays == 0

        await workers.pop(first[0]).close()
        await say("four")
        (_, other) = next(iter(workers.items()))
        assert turns[-1][:3] == (other._runner, True, 1), "the other has the whole history"
        await run.signal("say", "bye")
        assert await run.result() == ["one", "two", "three", "four", "bye"]
        assert turns[-1][:2] == (other._runner, False)
        assert server.service.engine.replays == 1
        await other.close()


# --- how long until the next try


def test_a_back_off_grows_to_a_limit_with_jitter_and_begins_anew():
    backoffs = [Backoff() for _ in range(50)]
    longest = FIRST_WAIT_SECONDS
    for _ in range(9):
        waits = [backoff.next_seconds() for backoff in backoffs]
        assert all(longest / 2 <= wait <= longest for wait in waits)
        assert len(set(waits)) > 40, "who was cut off at once does not come back at once"
        longest = min(2 * longest, LONGEST_WAIT_SECONDS)
    assert longest == LONGEST_WAIT_SECONDS
    backoffs[0].reset()
    assert backoffs[0].next_seconds() <= FIRST_WAIT_SECONDS
