"""A schedule's program, turn by turn."""

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

import perdure
from perdure import App
from perdure.model import commands as c
from perdure.model import events as e
from perdure.model.program import TurnCompleted
from perdure.sdk.converter import Converter
from perdure.sdk.schedules import schedule_app
from perdure.sdk.schedules.definition import (
    COMMAND_SIGNAL,
    REPLACE_UPDATE,
    STATE_QUERY,
    SYSTEM_NAMESPACE,
    WORKFLOW_TYPE,
    Replace,
    Snapshot,
    Trigger,
    schedule_workflow_id,
)
from perdure.testing import environment

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

app = App("jobs")


@app.workflow
async def job(minutes: int) -> None:
    await asyncio.sleep(60 * minutes)


@pytest.fixture(scope="module")
def history() -> perdure.History:
    """Of a schedule that has started two runs and waits for the third time."""

    async def recorded() -> perdure.History:
        async with environment(app, start_time=NEW_YEAR) as env:
            await env.client.schedules.create("s", job, 5, every=HOUR)
            await env.sleep(2.5 * HOUR)
            system = env.client.with_namespace(SYSTEM_NAMESPACE)
            run = system.get(schedule_workflow_id("default", "s"))
            explained = await run.explain()
            assert "its next time, 2026-01-01T03:00:00Z" in str(explained.code)
            return await run.fetch_history()

    return asyncio.run(recorded())


def built(history: perdure.History):
    written = schedule_app(pytest.fail).workflows[WORKFLOW_TYPE].written
    assert written is not None
    return written.create_program(history.address, history.started)


def with_turn(history: perdure.History, *news: e.Event) -> list[e.Event]:
    """The history with something new, and the turn that is for it."""
    events, last = list(history.events), history.events[-1]
    for event in (*news, e.WorkflowTaskScheduled(0, 0, "perdure.system"), e.WorkflowTaskStarted(0, 0, 0)):
        events.append(msgspec.structs.replace(event, id=events[-1].id + 1, time=last.time))
    return events


def told(command) -> e.WorkflowExecutionSignaled:
    return e.WorkflowExecutionSignaled(0, 0, COMMAND_SIGNAL, Converter().to_payloads([command]))


def fired(program) -> int:
    return msgspec.json.decode(program.query(STATE_QUERY, ())[0].data, type=Snapshot).state.counts.fired


def test_each_turn_taken_anew_asks_for_what_it_asked_for(history):
    """Whether the program is kept, or built again before each turn."""
    kept, given, turns = built(history), 0, 0
    for place, event in enumerate(history.events):
        if isinstance(event, e.WorkflowTaskStarted):
            anew = built(history).turn(history.events[: place + 1], ())
            assert kept.turn(history.events[given : place + 1], ()) == anew
            completed = history.events[place + 1]
            assert anew.state == completed.state
            given, turns = place + 1, turns + 1
    assert turns == 7


def test_what_comes_before_a_query_is_not_lost_to_the_turn_after_it(history):
    program, events = built(history), with_turn(history, told(Trigger("k")))
    assert program.catch_up(events[:-2]) is None
    assert fired(program) == 2
    turn = program.turn(events[-2:], ())
    assert isinstance(turn, TurnCompleted)
    assert [type(command) for command in turn.commands] == [c.StartChildWorkflowExecution]


def test_an_update_waits_for_the_end_of_the_step(history):
    program, events = built(history), with_turn(history, told(Trigger("k")))
    (start,) = program.turn(events, ()).commands
    definition = msgspec.json.decode(program.query(STATE_QUERY, ())[0].data, type=Snapshot).state.definition
    asked = Converter().to_payloads([Replace(definition, note="other"), 1])
    updates = [e.UpdateAdmitted(0, 0, "u", REPLACE_UPDATE, asked), e.UpdateAdmitted(0, 0, "v", "unknown")]
    turn = program.turn(events[-1:], updates)
    assert turn.commands[0] == c.AcceptUpdate("u")
    assert isinstance(turn.commands[1], c.RejectUpdate)
    assert "has no update 'unknown'" in turn.commands[1].failure.message
    assert len(turn.commands) == 2
    started = e.ChildWorkflowExecutionStarted(0, events[-1].time, 0, start.workflow_id, "r", "job")
    turn = program.turn([started, events[-1]], ())
    assert c.CompleteUpdate("u", (Converter().to_payload(True),)) in turn.commands
    assert isinstance(turn.commands[0], c.ModifyWorkflowProperties)


def test_a_signal_that_makes_no_sense_changes_nothing(history):
    nonsense = e.WorkflowExecutionSignaled(0, 0, COMMAND_SIGNAL, Converter().to_payloads([7]))
    program = built(history)
    assert program.turn(with_turn(history, nonsense), ()) == TurnCompleted([], b"")


def test_cancelled_it_ends(history):
    cancelled = e.WorkflowExecutionCancelRequested(0, 0)
    program = built(history)
    assert program.turn(with_turn(history, cancelled), ()).commands == [c.CancelWorkflowExecution()]


def test_an_activity_that_is_ended_from_outside_is_no_end_of_the_schedule(history):
    program = built(history)
    running = told(Trigger("k")), told(Trigger("l"))
    commands = program.turn(with_turn(history, *running), ()).commands
    assert [type(command) for command in commands] == [c.StartChildWorkflowExecution]
    time = history.events[-1].time
    started = e.ChildWorkflowExecutionStarted(0, time, 0, commands[0].workflow_id, "r", "job")
    turn = e.WorkflowTaskStarted(0, time, 0)
    (look,) = program.turn([started, turn], ()).commands
    assert look.activity_type == "perdure.schedule.start"
    program.turn([e.ActivityTaskCanceled(0, time, 0, 0), turn], ())
    state = msgspec.json.decode(program.query(STATE_QUERY, ())[0].data, type=Snapshot).state
    assert (state.counts.fired, state.counts.failed) == (3, 1)
    assert "was ended from outside" in state.last_error
