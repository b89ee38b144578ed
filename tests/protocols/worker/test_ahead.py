"""Workers that take a run's next turn before they are asked to, over the wire."""

import asyncio

import msgspec
import pytest
from tests.protocols.worker.conftest import one, raw_worker, report

import perdure
from perdure import App, workflow
from perdure.model.commands import CompleteWorkflowExecution, ScheduleActivityTask, SignalExternalWorkflowExecution
from perdure.model.ids import RunAddress
from perdure.model.payloads import Payload
from perdure.protocols.worker import worker_pb2 as pb
from perdure.protocols.worker.runner import Runner

app = App("chances", task_queue="chances")


SCHEDULE = ScheduleActivityTask("1", "work", "raw", (Payload(b"7"),), start_to_close_timeout_ns=10**12)
DONE = CompleteWorkflowExecution((Payload(b"13"),))


@app.activity
async def keep(value: str) -> str:
    return value


@app.workflow
async def chances(count: int) -> list[str]:
    """Tells what it knows of time and chance, each time by way of an activity."""
    return [await keep(f"{workflow.now()} {workflow.uuid4()} {workflow.random().random()}") for _ in range(count)]


@pytest.fixture
def asked(monkeypatch):
    """The turns that workers of this process are asked to take."""
    turns = []
    take = Runner._take_turn

    def noting(self, turn):
        turns.append(turn)
        take(self, turn)

    monkeypatch.setattr(Runner, "_take_turn", noting)
    return turns


async def test_time_and_chance_are_in_a_replay_what_they_were(client, asked):
    async with perdure.Worker(client, app):
        run = await client.start(chances, 6, id="x")
        told = await run.result()
        history = await run.fetch_history()
    assert len(asked) == 1, "only the first turn is asked for"
    assert len(set(told)) == 6
    perdure.replay(app, history)
    # The results say when the workflow's clock stood where, and a replay comes to the same ones.
    began = [event.time for event in history.events if type(event).__name__ == "WorkflowTaskStarted"]
    times = [event.time for event in history.events]
    assert times == sorted(times)
    assert len(began) == 7
    kinds = [type(event).__name__ for event in history.events]
    async with perdure.open(app) as embedded:
        there = await embedded.start(chances, 6, id="x")
        await there.result()
        assert [type(event).__name__ for event in (await there.fetch_history()).events] == kinds


@app.workflow
async def crowd(count: int) -> list[str]:
    return await asyncio.gather(*(keep(str(number)) for number in range(count)))


async def test_an_activity_that_starts_after_later_turns_comes_without_the_next(client):
    async with perdure.Worker(client, app, max_async=1):
        for count in range(2, 8):
            assert await client.execute(crowd, count) == [str(number) for number in range(count)]


async def test_a_turn_that_nobody_offered_does_not_count(turns, channel):
    ahead = pb.TurnAhead(
        started_event_id=9, time=1, commands=msgspec.msgpack.encode([CompleteWorkflowExecution((Payload(b"13"),))])
    )
    async with raw_worker(channel) as worker:
        await worker.hello(goes_ahead=True)
        run = await turns.start(one, 7, id="x")
        task = await worker.task()
        assert not task.events, "the program is elsewhere"
        await worker.say(activity=report(task, ahead=ahead))
        assert (await worker.acknowledged()).refused == ""
        assert await run.result() == 42


@pytest.fixture
async def raw(client, channel):
    """A worker that has the program, has taken the first turn, and has the activity; its task."""
    async with raw_worker(channel) as worker:
        await worker.hello(
            task_queues=["default", "raw"], workflow_types=["one"], turn_slots=5, goes_ahead=True, build_id="b"
        )
        run = await client.start(one, 7, id="x", task_timeout=5)
        while not isinstance(turn := await worker.hear(), pb.TakeTurn):
            pass
        await worker.say(
            turn=pb.TurnReport(
                run=turn.run,
                started_event_id=turn.started_event_id,
                attempt=turn.attempt,
                token=turn.token,
                commands=msgspec.msgpack.encode([SCHEDULE]),
            )
        )
        yield worker, run, await worker.task()


def turn_ahead(task, *commands, **changes):
    facts = {
        "started_event_id": task.scheduled_event_id + 4,
        "time": task.started_time,
        "commands": msgspec.msgpack.encode(commands),
    }
    return pb.TurnAhead(**facts | changes)


async def test_a_turn_that_was_offered_counts(raw):
    worker, run, task = raw
    assert task.events and not task.activity_type, "what the events say is not said again"
    await worker.say(activity=report(task, ahead=turn_ahead(task, DONE)))
    assert await run.result() == 13


@pytest.mark.parametrize(
    "changes",
    [
        {"started_event_id": 7},
        {"started_event_id": -(2**60)},
        {"time": 0},
        {"time": -(2**60)},
        {"time": 2**62},
    ],
)
async def test_a_turn_that_could_not_be_does_not_count(raw, changes):
    worker, run, task = raw
    await worker.say(activity=report(task, ahead=turn_ahead(task, DONE, **changes)))
    while not isinstance(turn := await worker.hear(), pb.TakeTurn):
        pass
    await worker.say(
        turn=pb.TurnReport(
            run=turn.run,
            started_event_id=turn.started_event_id,
            attempt=turn.attempt,
            token=turn.token,
            cause="RESET_STICKY_TASK_QUEUE",
            failure=pb.Failure(),
        )
    )
    again = turn
    if not turn.is_new:
        while not isinstance(again := await worker.hear(), pb.TakeTurn):
            pass
    assert again.is_new
    assert (again.started_event_id, again.attempt) == (turn.started_event_id, turn.attempt)
    await worker.say(
        turn=pb.TurnReport(
            run=again.run,
            started_event_id=again.started_event_id,
            attempt=again.attempt,
            token=again.token,
            commands=msgspec.msgpack.encode([CompleteWorkflowExecution((Payload(b"42"),))]),
        )
    )
    assert await run.result() == 42
    assert not any("Failed" in type(event).__name__ for event in (await run.fetch_history()).events)


async def test_a_turn_that_reaches_into_another_namespace_does_not_count(raw):
    worker, _, task = raw
    reaching = SignalExternalWorkflowExecution(RunAddress("other", "y"), "go")
    await worker.say(activity=report(task, ahead=turn_ahead(task, reaching)))
    while not isinstance(turn := await worker.hear(), pb.TakeTurn):
        pass
    assert turn.started_event_id == task.scheduled_event_id + 4


async def test_commands_that_are_none_end_the_stream(raw):
    worker, _, task = raw
    await worker.say(activity=report(task, ahead=turn_ahead(task, commands=b"\xc1")))
    assert "INVALID_ARGUMENT" in await worker.refused()


async def test_a_turn_that_fails_ahead_fails_as_any_other(client, asked):
    tries = []
    unsure = App("unsure", task_queue="unsure")

    @unsure.activity
    async def first(value: int) -> int:
        return value

    @unsure.workflow
    async def stumbles(value: int) -> int:
        value = await first(value)
        tries.append(value)
        if len(tries) == 1:
            raise RuntimeError("not yet")
        return value

    async with perdure.Worker(client, unsure):
        run = await client.start(stumbles, 7, id="x")
        assert await run.result() == 7
        failed = [event for event in (await run.fetch_history()).events if type(event).__name__ == "WorkflowTaskFailed"]
    assert [event.failure.message for event in failed] == ["not yet"]
    assert len(tries) == 2
