"""Histories kept in files, and code that no longer does what they say."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.sdk.fake_kernel import FakeKernel

from perdure.model import events as e
from perdure.model.errors import InvalidArgumentError, NonDeterminismError
from perdure.model.failures import Failure, FailureKind, TimeoutType
from perdure.model.ids import ParentLink
from perdure.model.options import RetryPolicy
from perdure.model.payloads import Payload
from perdure.model.program import TurnFailed
from perdure.sdk import workflow
from perdure.sdk.app import App
from perdure.sdk.replay import History, replay

app = App("test")


@app.activity
async def charge(amount: int) -> str: ...  # type: ignore[empty-body]


@app.activity
async def ship(payment: str) -> None: ...


@app.workflow(name="child")
async def child() -> None: ...


async def _original() -> str:
    payment = await charge(1)
    await asyncio.sleep(5)
    await ship(payment)
    return payment


async def _other_activity() -> str:
    await ship("x")
    return ""


async def _other_duration() -> str:
    payment = await charge(1)
    await asyncio.sleep(6)
    return payment


async def _nothing_more() -> str:
    payment = await charge(1)
    await workflow.wait_condition(lambda: False)
    return payment


async def _something_more() -> str:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(charge(1))
        group.create_task(ship("y"))
    return task.result()


async def _ends_early() -> str:
    return "early"


async def _child_instead() -> None:
    await child()


async def _signals_instead() -> None:
    await workflow.external("other").signal("hey")


async def _raises() -> str:
    await charge(1)
    raise KeyError("new bug")


def history() -> History:
    original: Any = App("original").workflow(name="pay")(_original)
    run = FakeKernel(original)
    run.turn()
    run.complete("charge", "p").turn()
    run.fire().turn()
    run.complete("ship").turn()
    run.check_replay()
    return run.history


def today(code: Callable[[], Coroutine[Any, Any, Any]]) -> App:
    app = App("today")
    app.workflow(name="pay")(code)
    return app


def test_unchanged_code_replays() -> None:
    replay(today(_original), history())


DIFFERENCES: dict[Callable[[], Coroutine[Any, Any, Any]], str] = {
    _other_activity: (
        "At event 5, the history has ActivityTaskScheduled(activity_id='1', activity_type='charge'), "
        "but the code asked for ScheduleActivityTask(activity_id='1', activity_type='ship')."
    ),
    _other_duration: (
        "At event 11, the history has TimerStarted(timer_id='2', start_to_fire_timeout_ns=5000000000), "
        "but the code asked for StartTimer(timer_id='2', start_to_fire_timeout_ns=6000000000)."
    ),
    _nothing_more: "At event 11, the history has TimerStarted(timer_id='2', start_to_fire_timeout_ns=5000000000), "
    "but the code asked for nothing more in that turn.",
    _something_more: (
        "Before event 9 (WorkflowTaskStarted), the code asked for "
        "ScheduleActivityTask(activity_id='2', activity_type='ship'), but the history has no such event."
    ),
    _ends_early: "At event 5, the history has ActivityTaskScheduled(activity_id='1', activity_type='charge'), "
    "but the code asked for CompleteWorkflowExecution().",
    _child_instead: "but the code asked for StartChildWorkflowExecution(workflow_id='r_1', workflow_type='child')",
    _signals_instead: "SignalExternalWorkflowExecution(workflow_id='other', signal_name='hey')",
    _raises: "now raises what it did not raise before: KeyError: 'new bug'",
}


@pytest.mark.parametrize("code", DIFFERENCES, ids=lambda code: code.__name__)
def test_the_first_difference_is_named(code: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    with pytest.raises(NonDeterminismError) as raised:
        replay(today(code), history())
    assert DIFFERENCES[code] in str(raised.value)


def test_a_live_turn_on_a_history_that_does_not_match_fails() -> None:
    run = FakeKernel(App("a").workflow(name="pay")(_original))
    run.turn()
    run.definition = today(_other_activity).workflows["pay"]
    run.evict()
    failed = run.complete("charge", "p").try_turn()
    assert isinstance(failed, TurnFailed)
    assert failed.cause == "NON_DETERMINISTIC_ERROR"
    assert "At event 5" in failed.failure.message


def test_a_history_is_the_same_after_a_file() -> None:
    before = history()
    after = History.from_json(before.to_json())
    assert after.events == before.events
    assert (after.workflow_id, after.run_id, after.namespace) == ("w", "r", "default")
    assert b'"type": "ActivityTaskScheduled"' in before.to_json()
    replay([app, child] and today(_original), after)


def test_every_kind_of_value_survives_a_file() -> None:
    payloads = (Payload(b"\xff\x00"), Payload(b"1", metadata={"k": b"\xfe"}))
    failure = Failure(
        "m", FailureKind.TIMEOUT, details=payloads, cause=Failure("c"), timeout_type=TimeoutType.HEARTBEAT
    )
    started = e.WorkflowExecutionStarted(
        1,
        2,
        "w",
        "t",
        "q",
        payloads,
        continued_failure=failure,
        retry_policy=RetryPolicy(non_retryable=("A", "B")),
        memo={"a": payloads[0]},
        parent=ParentLink("n", "w", "r", 5),
    )
    marker = e.MarkerRecorded(2, 3, "m", {"id": payloads, "empty": ()})
    events = (started, marker, e.ActivityTaskScheduled(3, 4, "1", "a", "q", retry_policy=RetryPolicy(backoff=1.5)))
    assert History.from_json(History("w", "r", events).to_json()).events == events


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[]", "this is not a history"),
        (b"nonsense", "this is not a history"),
        (b'{"workflow_id": "w", "run_id": "r", "events": []}', "begins with the event WorkflowExecutionStarted"),
        (b'{"workflow_id": "w", "run_id": "r", "events": [{"type": "Unheard"}]}', "no known type"),
        (
            b'{"workflow_id": "w", "run_id": "r", "events": [{"type": "TimerFired", "x": 1}]}',
            "TimerFired cannot be read",
        ),
    ],
)
def test_what_is_no_history(data: bytes, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        History.from_json(data)


def test_a_workflow_that_is_not_there() -> None:
    with pytest.raises(InvalidArgumentError, match="no workflow 'pay' to replay it with, only: child"):
        replay([child], history())
