"""What workflow code can call, each as a short story."""

import asyncio
import gc
import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.sdk.fake_kernel import START, FakeKernel

from perdure.model import commands as c
from perdure.model import events as e
from perdure.model.errors import ApplicationError, ChildWorkflowError, InvalidArgumentError
from perdure.model.failures import Failure, FailureKind
from perdure.model.ids import RunAddress
from perdure.model.options import SECOND_NS, ParentClose
from perdure.model.program import TurnFailed
from perdure.sdk import workflow
from perdure.sdk.app import App

app = App("test")


@app.activity
async def work(tag: str) -> str: ...  # type: ignore[empty-body]


@app.activity
async def undo(tag: str) -> None: ...


def types(commands: list[c.AnyCommand]) -> list[str]:
    return [type(command).__name__ for command in commands]


def inputs(run: FakeKernel, commands: list[c.AnyCommand]) -> list[str]:
    """The first arguments of the activities in some commands."""
    return [
        run.converter.from_payload(command.input[0])
        for command in commands
        if isinstance(command, c.ScheduleActivityTask)
    ]


# --- conditions


@app.workflow
async def conditional() -> list[str]:
    log: list[str] = []

    async def wait(name: str, threshold: int) -> None:
        await workflow.wait_condition(lambda: len(log) >= threshold)
        log.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(wait("c", 2))
        group.create_task(wait("b", 1))
        group.create_task(wait("a", 0))
    try:
        await workflow.wait_condition(lambda: False, timeout=timedelta(seconds=3))
    except TimeoutError as error:
        log.append(str(error))
    return log


def test_conditions_are_checked_until_nothing_changes() -> None:
    run = FakeKernel(conditional)
    assert types(run.turn()) == ["StartTimer"]
    run.fire().turn()
    assert run.result == ["a", "b", "c", "the condition did not come true in 3 seconds"]
    run.check_replay()


@app.workflow
async def bad_condition() -> str:
    state: dict[str, int] = {}
    try:
        await asyncio.gather(workflow.wait_condition(lambda: state["x"] > 0 if state else False), fill(state))
    except KeyError as error:
        return f"raised {error}"
    return ""


async def fill(state: dict[str, int]) -> None:
    state["y"] = 1


def test_what_a_condition_raises_is_raised_to_who_waits() -> None:
    run = FakeKernel(bad_condition)
    run.turn()
    assert run.result == "raised 'x'"


@app.workflow
async def scheming_condition() -> None:
    await workflow.wait_condition(lambda: workflow.upsert_memo({"a": 1}))


def test_a_condition_may_only_look() -> None:
    failed = FakeKernel(scheming_condition).try_turn()
    assert isinstance(failed, TurnFailed)
    assert "is not allowed in the condition of wait_condition()" in failed.failure.message


# --- facts


@app.workflow
async def introspective() -> dict[str, Any]:
    info = workflow.info()
    await workflow.sleep(90)
    return {
        "id": info.workflow_id,
        "run": info.run_id,
        "type": info.type,
        "start": info.start_time.isoformat(),
        "now": workflow.now().isoformat(),
        "time": asyncio.get_running_loop().time(),
        "memo": info.memo,
        "found_by": info.search_attributes,
        "length": workflow.info().history_length,
        "timeout": info.run_timeout,
        "in_workflow": workflow.in_workflow(),
    }


def test_a_run_knows_itself() -> None:
    run = FakeKernel(introspective, workflow_run_timeout_ns=SECOND_NS * 3600)
    run.turn()
    run.fire().passes(1.5).turn()
    start = datetime.fromtimestamp(START / SECOND_NS, UTC)
    assert run.result == {
        "id": "w",
        "run": "r",
        "type": "introspective",
        "start": start.isoformat(),
        "now": (start + timedelta(seconds=91.5)).isoformat(),
        "time": 91.5,
        "memo": {},
        "found_by": {},
        "length": 8,
        "timeout": "PT3600S",
        "in_workflow": True,
    }
    run.check_replay()


def test_outside_of_workflows_it_says_so() -> None:
    assert not workflow.in_workflow()
    for call in (workflow.info, workflow.now, workflow.random, workflow.saga, lambda: workflow.patched("x")):
        with pytest.raises(InvalidArgumentError, match="workflow's code"):
            call()


@app.workflow
async def logs(tag: str) -> None:
    workflow.logger.info("%s begins", tag, extra={"tag": tag})
    await work("x")
    workflow.logger.info("%s ends", tag)


def test_a_line_is_logged_once_however_often_its_turn_is_repeated(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "perdure.workflow"):
        run = FakeKernel(logs, "t")
        run.turn()
        run.evict().complete("work", "y").turn()
    assert [record.getMessage() for record in caplog.records] == ["t begins", "t ends"]
    assert vars(caplog.records[0])["workflow_id"] == "w"
    assert vars(caplog.records[0])["tag"] == "t"


# --- what is written down


@app.workflow
async def writes() -> dict[str, Any]:
    workflow.upsert_search_attributes({"Amount": 5})
    workflow.upsert_memo({"a": 1, "b": 2})
    workflow.upsert_memo({"a": None})
    for n in range(1, 4):
        workflow.progress(n, 3, "counting")
    info = workflow.info()
    await work("x")
    workflow.progress(3)
    return {"memo": info.memo, "found_by": info.search_attributes}


def test_memo_search_attributes_and_progress() -> None:
    run = FakeKernel(writes)
    assert types(run.turn()) == [
        "UpsertWorkflowSearchAttributes",
        "ModifyWorkflowProperties",
        "ModifyWorkflowProperties",
        "ModifyWorkflowProperties",
        "ScheduleActivityTask",
    ]
    assert run.memo["__progress"] == {"done": 3, "total": 3, "label": "counting"}
    run.complete("work", "").turn()
    assert run.result == {"memo": {"b": 2}, "found_by": {"Amount": 5}}
    run.check_replay()


# --- children


@app.workflow(name="child", task_queue="other", run_timeout=5)
async def child(text: str) -> str:
    return text


@app.workflow(name="Nanny")
class Nanny:
    async def run(self, text: str) -> int:
        return 1

    @workflow.signal
    def poke(self, times: int) -> None: ...


@app.workflow
async def parent() -> str:
    return await child.options(id="c", parent_close="abandon")("hello")


def test_a_child_is_started_and_its_result_returned() -> None:
    run = FakeKernel(parent)
    [command] = run.turn()
    assert isinstance(command, c.StartChildWorkflowExecution)
    assert (command.workflow_id, command.workflow_type, command.task_queue) == ("c", "child", "other")
    assert command.parent_close_policy is ParentClose.ABANDON
    assert command.workflow_run_timeout_ns == 5 * SECOND_NS
    run.child_started("c").turn()
    run.child_completed("c", "bye").turn()
    assert run.result == "bye"
    run.check_replay()


@pytest.mark.parametrize(
    ("kind", "values", "cause", "message"),
    [
        (e.ChildWorkflowExecutionFailed, (Failure("boom", type="X"),), FailureKind.APPLICATION, "failed: boom"),
        (e.ChildWorkflowExecutionTimedOut, (), FailureKind.TIMEOUT, "timed out"),
        (e.ChildWorkflowExecutionTerminated, (), FailureKind.TERMINATED, "terminated"),
        (e.ChildWorkflowExecutionCanceled, (), FailureKind.CANCELED, "cancelled"),
    ],
)
def test_a_child_that_fails_fails_its_parent(
    kind: Any, values: tuple[Any, ...], cause: FailureKind, message: str
) -> None:
    run = FakeKernel(parent)
    run.turn()
    run.child_started("c").child_ended("c", kind, *values).turn()
    failure = run.failure
    assert failure.kind is FailureKind.CHILD_WORKFLOW
    assert (failure.workflow_id, failure.workflow_type, failure.run_id) == ("c", "child", "child-run")
    assert message in failure.message
    assert failure.cause is not None
    assert failure.cause.kind is cause
    run.check_replay()


def test_a_child_whose_id_is_taken() -> None:
    run = FakeKernel(parent)
    run.turn()
    run.add(e.StartChildWorkflowExecutionFailed, "c", "child", "WORKFLOW_ALREADY_EXISTS", run.children.pop("c").id)
    run.turn()
    assert "could not start: WORKFLOW_ALREADY_EXISTS" in run.failure.message
    run.check_replay()


@app.workflow
async def attentive_parent() -> list[Any]:
    first = await workflow.start_child(child, "one")
    second = await workflow.start_child(Nanny, "two", id="nanny", cancellation="try")
    await second.signal(Nanny.poke, 3)
    try:
        async with asyncio.timeout(10):
            await second
    except TimeoutError:
        await second.cancel("enough")
    return [first.run_id, await first, await first.result()]


def test_a_child_can_be_held_on_to() -> None:
    run = FakeKernel(attentive_parent)
    [command] = run.turn()
    assert isinstance(command, c.StartChildWorkflowExecution)
    assert command.workflow_id == "r_1"
    run.child_started("r_1", "run-1").turn()
    run.child_started("nanny", "run-2")
    assert run.turn() == [
        c.SignalExternalWorkflowExecution(
            RunAddress("", "nanny", "run-2"), "poke", run.converter.to_payloads([3]), True
        )
    ]
    run.child_completed("r_1", "ONE").delivered().turn()
    commands = run.fire().turn()
    # Once because the wait was cancelled, and once because the code says so.
    assert types(commands) == ["RequestCancelExternalWorkflowExecution"] * 2
    assert commands[1] == c.RequestCancelExternalWorkflowExecution(RunAddress("", "nanny", "run-2"), True, "enough")
    run.delivered().delivered().turn()
    assert run.result == ["run-1", "ONE", "ONE"]
    run.check_replay()


@app.workflow
async def cancels_child() -> str:
    task = asyncio.create_task(child.options(id="c")("x"))
    await workflow.sleep(1)
    task.cancel()
    try:
        return await task
    except asyncio.CancelledError:
        return "cancelled"
    except ChildWorkflowError as error:
        return str(error)


def test_by_default_a_cancelled_wait_waits_for_the_child() -> None:
    run = FakeKernel(cancels_child)
    run.turn()
    run.child_started("c").turn()
    assert types(run.fire().turn()) == ["RequestCancelExternalWorkflowExecution"]
    run.delivered().turn()
    run.child_ended("c", e.ChildWorkflowExecutionCanceled).turn()
    assert run.result == "cancelled"
    run.check_replay()


def test_and_takes_its_result_if_there_is_one_after_all() -> None:
    run = FakeKernel(cancels_child)
    run.turn()
    run.child_started("c").fire().turn()
    run.delivered("EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND").child_completed("c", "too late").turn()
    assert run.result == "too late"
    run.check_replay()


# --- other runs


@app.workflow
async def meddles() -> str:
    other = workflow.external("other")
    await other.signal("hello", 1)
    await other.cancel("go away")
    try:
        await workflow.external("nobody", "run").signal("hello")
    except ApplicationError as error:
        return f"{error.type}: {error}"
    return ""


def test_other_runs_are_signalled_and_cancelled() -> None:
    run = FakeKernel(meddles)
    assert run.turn() == [
        c.SignalExternalWorkflowExecution(RunAddress("default", "other"), "hello", run.converter.to_payloads([1]))
    ]
    assert run.delivered().turn() == [
        c.RequestCancelExternalWorkflowExecution(RunAddress("default", "other"), reason="go away")
    ]
    run.delivered().turn()
    run.delivered("NOT_FOUND").turn()
    assert run.result == "NOT_FOUND: signal 'hello' to workflow 'nobody' could not be delivered: NOT_FOUND"
    run.check_replay()


# --- sagas


@app.workflow
async def books(trouble: str) -> str:
    async with workflow.saga() as saga:
        for step in ("flight", "hotel", "car"):
            await work(step)
            saga.compensate(undo, step)
        if trouble == "continue":
            workflow.continue_as_new("none")
        if trouble == "fail":
            raise ApplicationError("no weather")
        if trouble == "wait":
            await workflow.sleep(100)
    return "booked"


def _book(trouble: str) -> FakeKernel:
    run = FakeKernel(books, trouble)
    run.turn()
    run.complete("work", "").turn()
    run.complete("work", "").turn()
    return run.complete("work", "")


def test_a_saga_that_succeeds_undoes_nothing() -> None:
    run = _book("none")
    run.turn()
    assert run.result == "booked"
    run = _book("continue")
    assert types(run.turn()) == ["ContinueAsNewWorkflowExecution"]
    run.check_replay()


def test_a_saga_that_fails_undoes_newest_first() -> None:
    run = _book("fail")
    undone = [*inputs(run, run.turn())]
    for _ in range(2):
        undone += inputs(run, run.complete("undo").turn())
    run.complete("undo").turn()
    assert undone == ["car", "hotel", "flight"]
    assert run.failure.message == "no weather"
    run.check_replay()


def test_a_compensation_that_fails_does_not_stop_the_others() -> None:
    run = _book("fail")
    run.turn()
    run.fail("undo", "still raining").turn()
    run.complete("undo").turn()
    run.complete("undo").turn()
    assert run.failure.message.startswith("no weather")
    assert "still raining" in run.failure.message + run.failure.stack_trace
    run.check_replay()


def test_a_cancelled_saga_undoes_and_cannot_be_interrupted() -> None:
    run = _book("wait")
    run.turn()
    assert inputs(run, run.cancel().turn()) == ["car"]
    assert inputs(run, run.complete("undo").turn()) == ["hotel"]
    # Cancelled again meanwhile: it goes on.
    assert run.cancel().turn() == []
    assert inputs(run, run.complete("undo").turn()) == ["flight"]
    assert types(run.complete("undo").turn()) == ["CancelWorkflowExecution"]
    run.check_replay()


@app.workflow
async def buggy_undo() -> None:
    async def broken() -> None:
        raise KeyError("bug")

    async with workflow.saga() as saga:
        saga.compensate(undo, "first")
        saga.compensate(broken)
        raise ApplicationError("no")


def test_a_bug_in_a_compensation_fails_the_turn_so_that_nothing_is_left_undone() -> None:
    failed = FakeKernel(buggy_undo).try_turn()
    assert isinstance(failed, TurnFailed)
    assert failed.failure.type == "KeyError"


# --- map


@app.workflow
async def maps(count: int, stop_after: int) -> list[str]:
    results: list[str] = []
    async for result in workflow.map(work, [str(n) for n in range(count)], concurrency=2):
        results.append(result)
        if len(results) == stop_after:
            break
    await asyncio.sleep(0)
    return results


def test_map_gives_results_in_order_with_bounded_concurrency() -> None:
    run = FakeKernel(maps, 20, -1)
    assert inputs(run, run.turn()) == ["0", "1"]
    # The first is slow; others go on, but only so far ahead.
    begun = ["0", "1"]
    for number in range(2, 30):
        waiting = [id for id, event in run.activities.items() if event.input != run.converter.to_payloads(["0"])]
        if not waiting:
            break
        run.complete(waiting[0], f"r{number}")
        begun += inputs(run, run.turn())
    assert begun == [str(n) for n in range(8)]
    run.complete("1", "r0")
    while run.closing is None:
        run.turn()
        for id in list(run.activities):
            assert len(run.activities) <= 2
            run.complete(id, "r")
    assert len(run.result) == 20
    assert run.result[:3] == ["r0", "r2", "r3"]
    run.check_replay()


def test_leaving_the_loop_cancels_what_is_not_done() -> None:
    run = FakeKernel(maps, 20, 1)
    run.turn()
    commands = run.complete("1", "a").turn()
    assert types(commands) == ["RequestCancelActivityTask", "CompleteWorkflowExecution"]
    assert run.result == ["a"]
    run.check_replay()


@app.workflow
async def maps_all() -> list[str]:
    return [part async for part in workflow.map(work, "abc")]


def test_without_a_limit_all_start_at_once() -> None:
    run = FakeKernel(maps_all)
    assert inputs(run, run.turn()) == ["a", "b", "c"]
    run.fail("2").turn()
    run.complete("1", "A").turn()
    assert run.failure.kind is FailureKind.ACTIVITY
    run.check_replay()


# --- patches and side effects


async def _patched() -> list[str]:
    taken: list[str] = []
    for _ in range(2):
        if workflow.patched("p"):
            await work("new")
            taken.append("new")
        else:
            await work("old")
            taken.append("old")
        await workflow.sleep(1)
    return taken


async def _deprecated() -> list[str]:
    workflow.deprecate_patch("p")
    for _ in range(2):
        await work("new")
        await workflow.sleep(1)
    return ["new"]


async def _clean() -> list[str]:
    for _ in range(2):
        await work("new")
        await workflow.sleep(1)
    return ["new"]


async def _original() -> list[str]:
    for _ in range(2):
        await work("old")
        await workflow.sleep(1)
    return ["old"]


original, patched, deprecated, clean = (
    App(f.__name__).workflow(name="versioned")(f) for f in (_original, _patched, _deprecated, _clean)
)


def _play(workflow_: Any) -> FakeKernel:
    run = FakeKernel(workflow_)
    while run.closing is None:
        run.turn()
        for id in list(run.activities):
            run.complete(id, "")
        if run.timers:
            run.fire()
    return run


def _go_on(run: FakeKernel, workflow_: Any) -> FakeKernel:
    """The same run, from now on with other code."""
    run.definition = workflow_.__perdure_workflow__
    run.evict()
    while run.closing is None:
        for id in list(run.activities):
            run.complete(id, "")
        if run.timers:
            run.fire()
        run.turn()
    return run


def test_new_runs_take_the_patch_and_record_it() -> None:
    run = FakeKernel(patched)
    assert types(run.turn()) == ["RecordMarker", "ScheduleActivityTask"]
    run = _play(patched)
    assert run.result == ["new", "new"]
    run.check_replay()


def test_old_runs_go_on_as_they_began() -> None:
    run = FakeKernel(original)
    run.turn()
    _go_on(run, patched)
    assert run.result == ["old", "old"]
    assert run.new_program().catch_up(run.events) is None


def test_patched_runs_survive_the_deprecation_and_deprecated_ones_the_removal() -> None:
    run = _play(patched)
    run.definition = deprecated.__perdure_workflow__
    assert run.new_program().catch_up(run.events) is None
    run = _play(deprecated)
    run.check_replay()
    run.definition = clean.__perdure_workflow__
    assert run.new_program().catch_up(run.events) is None
    run = _play(clean)
    run.definition = deprecated.__perdure_workflow__
    assert run.new_program().catch_up(run.events) is None


def test_removing_a_patch_too_early_is_noticed() -> None:
    run = _play(patched)
    run.definition = clean.__perdure_workflow__
    failed = run.new_program().catch_up(run.events)
    assert failed is not None
    assert failed.cause == "NON_DETERMINISTIC_ERROR"
    assert "MarkerRecorded(marker_name='patch', id='p')" in failed.failure.message


effects: list[int] = []


@app.workflow
async def has_side_effects() -> list[int]:
    def effect() -> int:
        effects.append(len(effects))
        return effects[-1]

    first = workflow.side_effect(effect, int)
    await work("x")
    return [first, workflow.side_effect(effect, int), workflow.side_effect(effect)]


def test_a_side_effect_happens_once() -> None:
    effects.clear()
    run = FakeKernel(has_side_effects)
    assert types(run.turn()) == ["RecordMarker", "ScheduleActivityTask"]
    run.evict().complete("work", "").turn()
    assert run.result == [0, 1, 2]
    assert run.new_program().catch_up(run.events) is None
    assert effects == [0, 1, 2]


# --- continuing


@app.workflow
async def counts_on(n: int, limit: int = 5) -> None:
    workflow.continue_as_new(n + 1, limit, task_queue="q", run_timeout=7, memo={"n": n})


def test_continue_as_new_with_options() -> None:
    run = FakeKernel(counts_on, 1)
    [command] = run.turn()
    assert command == c.ContinueAsNewWorkflowExecution(
        task_queue="q",
        input=run.converter.to_payloads([2, 5]),
        workflow_run_timeout_ns=7 * SECOND_NS,
        memo=run.converter.to_payload_map({"n": 1}),
    )


@app.workflow
async def forgets_arguments(n: int) -> None:
    workflow.continue_as_new()


def test_continue_as_new_checks_the_arguments() -> None:
    failed = FakeKernel(forgets_arguments, 1).try_turn()
    assert isinstance(failed, TurnFailed)
    assert "missing a required argument: 'n'" in failed.failure.message


async def _silent() -> None:
    await work("x")
    workflow.upsert_memo({"a": 1})
    await work("y")


async def _talkative() -> None:
    workflow.progress(0)
    await work("x")
    workflow.progress(1)
    workflow.upsert_memo({"a": 1})
    await work("y")
    workflow.progress(2)


silent, talkative = (App(f.__name__).workflow(name="reports")(f) for f in (_silent, _talkative))


@pytest.mark.parametrize(("before", "after"), [(silent, talkative), (talkative, silent)])
def test_reporting_progress_may_be_added_and_removed_at_any_time(before: Any, after: Any) -> None:
    run = _play(before)
    run.definition = after.__perdure_workflow__
    assert run.new_program().catch_up(run.events) is None


def test_a_wait_that_is_over_leaves_nothing_for_the_garbage_collector() -> None:
    @app.workflow(name="impatient")
    async def impatient() -> None:
        while True:
            with suppress(TimeoutError):
                await workflow.wait_condition(lambda: False, timeout=1)

    def late() -> int:
        """How many there are, whoever left them."""
        return sum(type(one) is TimeoutError and "did not come true" in str(one) for one in gc.get_objects())

    kernel = FakeKernel(impatient)
    gc.collect()
    gc.disable()
    try:
        others = late()
        for _ in range(5):
            kernel.turn()
            kernel.fire()
        assert late() <= others
    finally:
        gc.enable()
