"""Stories of programs: what happens, and what they ask for."""

import asyncio
from datetime import timedelta

import pytest
from tests.sdk.fake_kernel import FakeKernel

from perdure.model import commands as c
from perdure.model import events as e
from perdure.model.errors import ActivityError, ApplicationError
from perdure.model.failures import Failure, FailureKind, TimeoutType
from perdure.model.ids import RunAddress
from perdure.model.options import SECOND_NS
from perdure.model.program import TurnFailed
from perdure.sdk import workflow
from perdure.sdk.app import App

app = App("test")


@app.activity
async def charge(amount: int) -> str: ...  # type: ignore[empty-body]


@app.activity
async def refund(payment: str) -> None: ...


@app.activity(cancellation="wait")
async def patient(amount: int) -> str: ...  # type: ignore[empty-body]


@app.activity(cancellation="abandon")
async def abandoned(amount: int) -> str: ...  # type: ignore[empty-body]


def types(commands: list[c.AnyCommand]) -> list[str]:
    return [type(command).__name__ for command in commands]


@app.workflow
async def pay(amount: int) -> str:
    return await charge(amount)


def test_an_activity_is_scheduled_and_its_result_returned() -> None:
    run = FakeKernel(pay, 42)
    assert run.turn() == [c.ScheduleActivityTask("1", "charge", "", run.converter.to_payloads([42]))]
    run.complete("charge", "p1")
    run.turn()
    assert run.result == "p1"
    run.check_replay()


def test_a_failed_activity_fails_the_run_with_its_chain_of_causes() -> None:
    run = FakeKernel(pay, 42)
    run.turn()
    run.fail("charge", "no money", "CardDeclined").turn()
    failure = run.failure
    assert failure.kind is FailureKind.ACTIVITY
    assert failure.activity_type == "charge"
    assert failure.activity_id == "1"
    assert failure.cause is not None
    assert (failure.cause.type, failure.cause.message) == ("CardDeclined", "no money")
    run.check_replay()


def test_an_activity_that_timed_out() -> None:
    run = FakeKernel(pay, 42)
    run.turn()
    run.time_out("charge").turn()
    assert run.failure.cause is not None
    assert run.failure.cause.kind is FailureKind.TIMEOUT
    assert run.failure.cause.timeout_type is TimeoutType.START_TO_CLOSE


@app.workflow
async def careful(amount: int) -> str:
    try:
        return await charge(amount)
    except ActivityError as error:
        assert isinstance(error.cause, ApplicationError)
        return f"failed: {error.cause.type}"


def test_a_failed_activity_can_be_caught() -> None:
    run = FakeKernel(careful, 42)
    run.turn()
    run.fail("charge", type="CardDeclined").turn()
    assert run.result == "failed: CardDeclined"


@app.workflow
async def slow() -> float:
    await asyncio.sleep(timedelta(days=30).total_seconds())
    await workflow.sleep(timedelta(milliseconds=1))
    return asyncio.get_running_loop().time()


def test_sleep_is_a_durable_timer() -> None:
    run = FakeKernel(slow)
    assert run.turn() == [c.StartTimer("1", 30 * 86400 * SECOND_NS)]
    assert run.fire().turn() == [c.StartTimer("2", 1_000_000)]
    run.fire().turn()
    assert run.result == 30 * 86400 + 0.001
    run.check_replay()


@app.workflow
async def immediate() -> str:
    await asyncio.sleep(0)
    await asyncio.sleep(-1)
    await workflow.sleep(0)
    return "at once"


def test_no_time_needs_no_timer() -> None:
    run = FakeKernel(immediate)
    assert types(run.turn()) == ["CompleteWorkflowExecution"]


@app.workflow
async def hurried() -> str:
    try:
        async with asyncio.timeout(10):
            return await charge(1)
    except TimeoutError:
        return "too late"


def test_a_timer_is_cancelled_when_the_activity_is_first() -> None:
    run = FakeKernel(hurried)
    assert types(run.turn()) == ["StartTimer", "ScheduleActivityTask"]
    assert types(run.complete("charge", "p").turn()) == ["CancelTimer", "CompleteWorkflowExecution"]
    assert run.result == "p"
    run.check_replay()


def test_an_activity_is_cancelled_when_the_timer_is_first() -> None:
    run = FakeKernel(hurried)
    run.turn()
    assert types(run.fire().turn()) == ["RequestCancelActivityTask", "CompleteWorkflowExecution"]
    assert run.result == "too late"
    run.check_replay()


@app.workflow
async def waited_for() -> str:
    try:
        return await asyncio.wait_for(charge(1), timeout=5)
    except TimeoutError:
        return await charge(2)


def test_wait_for() -> None:
    run = FakeKernel(waited_for)
    assert run.turn()[0] == c.StartTimer("1", 5 * SECOND_NS)
    assert types(run.fire().turn()) == ["RequestCancelActivityTask", "ScheduleActivityTask"]
    run.cancelled("charge").complete("charge", "second").turn()
    assert run.result == "second"
    run.check_replay()


@app.workflow
async def changes_its_mind() -> str:
    task = asyncio.create_task(charge(1))
    other = asyncio.create_task(asyncio.sleep(5))
    await asyncio.sleep(0)
    task.cancel()
    other.cancel()
    await asyncio.wait([task, other])
    assert task.cancelled()
    return await charge(2)


def test_what_is_cancelled_in_the_same_turn_leaves_no_trace() -> None:
    run = FakeKernel(changes_its_mind)
    commands = run.turn()
    assert types(commands) == ["ScheduleActivityTask"]
    run.complete("charge", "x").turn()
    assert run.result == "x"
    run.check_replay()


@app.workflow
async def cancels(which: str) -> str:
    activity = {"try": charge, "wait": patient, "abandon": abandoned}[which]
    try:
        async with asyncio.timeout(1):
            return await activity(1)
    except TimeoutError:
        return "timed out"


def test_cancellation_that_does_not_wait() -> None:
    run = FakeKernel(cancels, "try")
    run.turn()
    assert types(run.fire().turn()) == ["RequestCancelActivityTask", "CompleteWorkflowExecution"]
    run.check_replay()


def test_cancellation_that_waits() -> None:
    run = FakeKernel(cancels, "wait")
    run.turn()
    assert types(run.fire().turn()) == ["RequestCancelActivityTask"]
    run.cancelled("patient").turn()
    assert run.result == "timed out"
    run.check_replay()


def test_cancellation_that_waits_and_gets_a_result_after_all() -> None:
    run = FakeKernel(cancels, "wait")
    run.turn()
    run.fire().turn()
    run.complete("patient", "done anyway").turn()
    assert run.result == "done anyway"
    run.check_replay()


def test_cancellation_that_does_not_even_ask() -> None:
    run = FakeKernel(cancels, "abandon")
    run.turn()
    assert types(run.fire().turn()) == ["CompleteWorkflowExecution"]
    run.check_replay()


@app.workflow
async def cleans_up() -> str:
    payment = await charge(1)
    try:
        await charge(2)
    finally:
        await refund(payment)
    return "never"


def test_a_cancelled_run_cleans_up_first() -> None:
    run = FakeKernel(cleans_up)
    run.turn()
    run.complete("charge", "p1").turn()
    assert types(run.cancel().turn()) == ["RequestCancelActivityTask", "ScheduleActivityTask"]
    assert types(run.complete("refund").turn()) == ["CancelWorkflowExecution"]
    run.check_replay()


def test_a_run_cancelled_before_its_first_turn_begins_nonetheless() -> None:
    run = FakeKernel(cleans_up).cancel()
    assert types(run.turn()) == ["CancelWorkflowExecution"]
    run.check_replay()


@app.workflow
async def ignores_cancellation() -> str:
    try:
        await charge(1)
    except asyncio.CancelledError:
        return "so what"
    return "done"


def test_a_run_need_not_obey() -> None:
    run = FakeKernel(ignores_cancellation)
    run.turn()
    run.cancel().turn()
    assert run.result == "so what"
    run.check_replay()


@app.workflow
async def buggy() -> None:
    await charge(1)
    raise KeyError("bug")


def test_a_bug_fails_the_turn_and_not_the_run() -> None:
    run = FakeKernel(buggy)
    run.turn()
    failed = run.complete("charge").try_turn()
    assert isinstance(failed, TurnFailed)
    assert failed.cause == "WORKFLOW_WORKER_UNHANDLED_FAILURE"
    assert failed.failure.type == "KeyError"
    assert "buggy" in failed.failure.stack_trace
    # And again, on a fresh program, as often as it takes.
    assert isinstance(run.try_turn(), TurnFailed)
    run.check_replay()


class OutOfStock(Exception):
    pass


@app.workflow(failure_types=(OutOfStock,))
async def declared(kind: str) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(fails(kind))
        group.create_task(asyncio.sleep(100))


async def fails(kind: str) -> None:
    await charge(1)
    match kind:
        case "declared":
            raise OutOfStock("none left")
        case "timeout":
            raise TimeoutError("late")
        case "application":
            raise ApplicationError("on purpose", type="Business")
        case _:
            raise RuntimeError("a bug")


@pytest.mark.parametrize("kind", ["declared", "timeout", "application"])
def test_a_group_of_failures_fails_the_run(kind: str) -> None:
    run = FakeKernel(declared, kind)
    run.turn()
    run.complete("charge").turn()
    assert run.failure.type == "ExceptionGroup"
    assert run.timers == {}
    run.check_replay()


def test_a_group_with_a_bug_fails_the_turn() -> None:
    run = FakeKernel(declared, "bug")
    run.turn()
    assert isinstance(run.complete("charge").try_turn(), TurnFailed)


@app.workflow
async def counts(done: int) -> int:
    try:
        for _ in range(2):
            await charge(done)
            done += 1
        if done < 4:
            workflow.continue_as_new(done)
    except Exception:
        return -1
    return done


def test_continue_as_new_passes_through_except_exception() -> None:
    run = FakeKernel(counts, 0)
    run.turn()
    run.complete("charge", "").turn()
    commands = run.complete("charge", "").turn()
    assert commands == [c.ContinueAsNewWorkflowExecution(input=run.converter.to_payloads([2]))]
    run.check_replay()


@app.workflow
async def continues_in_a_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(charge(1))
        await asyncio.sleep(1)
        workflow.continue_as_new()


def test_continue_as_new_in_a_task_group() -> None:
    run = FakeKernel(continues_in_a_group)
    run.turn()
    assert types(run.fire().turn()) == ["RequestCancelActivityTask", "ContinueAsNewWorkflowExecution"]
    run.check_replay()


@app.workflow
async def fan_out(count: int) -> list[str]:
    return await asyncio.gather(*(charge(n) for n in range(count)))


def test_gather_schedules_all_at_once() -> None:
    run = FakeKernel(fan_out, 3)
    assert [command.activity_id for command in run.turn()] == ["1", "2", "3"]  # type: ignore[union-attr]
    run.complete("2", "b").turn()
    run.complete("3", "c").complete("1", "a").turn()
    assert run.result == ["a", "b", "c"]
    run.check_replay()


def test_eviction_in_the_middle_changes_nothing() -> None:
    run = FakeKernel(fan_out, 2)
    run.turn()
    run.evict().complete("2", "b").turn()
    run.evict().complete("1", "a").turn()
    assert run.result == ["a", "b"]
    run.check_replay()


def test_a_failed_turn_is_not_repeated() -> None:
    run = FakeKernel(pay, 1)
    run.turn()
    scheduled = run.add(e.WorkflowTaskScheduled, "default")
    started = run.add(e.WorkflowTaskStarted, scheduled.id)
    run.add(e.WorkflowTaskFailed, scheduled.id, started.id, "RESET_WORKFLOW", Failure("x"))
    scheduled = run.add(e.WorkflowTaskScheduled, "default")
    started = run.add(e.WorkflowTaskStarted, scheduled.id)
    run.add(e.WorkflowTaskTimedOut, scheduled.id, started.id)
    run.evict().complete("charge", "p").turn()
    assert run.result == "p"
    run.check_replay()


@app.workflow(name="lucky child")
async def lucky_child() -> float: ...  # type: ignore[empty-body]


@app.workflow
async def lucky() -> list[str]:
    drawn = []
    for _ in range(2):
        drawn.append(str(workflow.uuid4()))
        await lucky_child()
    return drawn


def _children_run(run: FakeKernel) -> FakeKernel:
    while run.closing is None:
        run.turn()
        for workflow_id in list(run.children):
            run.child_started(workflow_id).child_completed(workflow_id, 0.5)
    return run


def test_a_copy_repeats_the_original_up_to_the_fork_and_then_goes_its_own_way() -> None:
    original = _children_run(FakeKernel(lucky))
    copy = FakeKernel(lucky)
    copy.address = RunAddress("default", "w", "r2")
    # As the kernel forks: the events up to the second turn, which is then begun anew.
    second = [event for event in original.events if isinstance(event, e.WorkflowTaskStarted)][1]
    copy.events = original.events[: second.id]
    copy.add(e.WorkflowTaskFailed, second.id - 1, second.id, "RESET_WORKFLOW", None, base_run_id="r", new_run_id="r2")
    copy.evict()
    _children_run(copy)
    assert copy.result[0] == original.result[0]
    assert copy.result[1] != original.result[1]
    ids = [event.workflow_id for event in copy.events if isinstance(event, e.StartChildWorkflowExecutionInitiated)]
    assert ids == ["r_1", "r2_2"]
    assert copy.new_program().catch_up(copy.events) is None
    copy.check_replay()
