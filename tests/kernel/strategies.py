"""Anything that can be asked, recorded or commanded, for Hypothesis: built from the types, with names and numbers small enough to meet."""

import types
import typing
from enum import IntEnum
from functools import cache
from typing import Any

import msgspec
from hypothesis import strategies as st

from perdure.kernel.run import Operation, Run
from perdure.kernel.timer import deadline
from perdure.model import commands as c
from perdure.model import events as e
from perdure.model import requests as r
from perdure.model.activity_options import ActivityOptions
from perdure.model.failures import Failure
from perdure.model.ids import DetachedStart, RunAddress
from perdure.model.options import SECOND_NS, RetryPolicy
from perdure.model.payloads import Payload

RECORDS = typing.get_args(e.AnyRecord)
COMMANDS = typing.get_args(c.AnyCommand)
CLOSING = (
    e.WorkflowExecutionCompleted,
    e.WorkflowExecutionFailed,
    e.WorkflowExecutionCanceled,
    e.WorkflowExecutionTerminated,
    e.WorkflowExecutionTimedOut,
    e.WorkflowExecutionContinuedAsNew,
)

names = st.one_of(st.sampled_from(("", "a", "b", "c", "r1")), st.text(max_size=5))
numbers = st.one_of(st.integers(-5, 40), st.integers(-(2**63), 2**63 - 1))
counts = st.integers(0, 4)
durations = st.sampled_from((-1, 0, 0, 1, SECOND_NS, 3 * SECOND_NS, 3600 * SECOND_NS, 2**62))
times = st.one_of(st.just(0), st.integers(0, 2**63 - 1))
payload_values = st.builds(
    Payload,
    st.binary(max_size=8),
    st.sampled_from(("json/plain", "binary/null", "binary/plain")),
    st.none() | st.dictionaries(st.text(max_size=3), st.binary(max_size=3), max_size=1),
)


def _of(hint: Any, name: str) -> st.SearchStrategy[Any]:
    if hint == e.AnyRecord:
        return st.one_of(*map(structs, CLOSING)) if name == "closing" else st.one_of(*map(structs, RECORDS))
    if hint == e.Event:
        return st.one_of(*map(structs, typing.get_args(e.Event)))
    if hint == r.Request:
        return st.one_of(
            *map(structs, (r.StartWorkflow, r.SignalWorkflow, r.CancelWorkflow, r.TerminateWorkflow, r.ChildClosed))
        )
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*(st.none() if argument is type(None) else _of(argument, name) for argument in arguments))
    if origin is tuple and arguments[-1] is not ...:
        return st.tuples(*(_of(argument, name) for argument in arguments))
    if origin is tuple:
        return st.lists(_of(arguments[0], name), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(st.sampled_from(("a", "b", "c")), _of(arguments[1], name), max_size=2)
    if hint is bool:
        return st.booleans()
    if hint is int:
        return (
            durations
            if name.endswith("_ns")
            else times
            if name.endswith("time")
            else counts
            if "attempt" in name
            else numbers
        )
    if hint is float:
        return st.sampled_from((0.0, 0.5, 1.0, 2.0, 1e300))
    if hint is str:
        return names
    if hint is bytes:
        return st.binary(max_size=4)
    if hint is Payload:
        return payload_values
    if issubclass(hint, IntEnum):
        return st.sampled_from(list(hint))
    return structs(hint)


@cache
def structs(struct: type) -> st.SearchStrategy[Any]:
    """Any value of a struct; most of its optional fields have their defaults."""
    if struct is Failure:
        return st.deferred(lambda: _build(Failure))
    return st.deferred(lambda: _build(struct))


@cache
def _build(struct: type) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(struct)
    required: dict[str, Any] = {}
    optional: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        strategy = _of(hints[field.name], field.name)
        has_default = field.default is not msgspec.NODEFAULT or field.default_factory is not msgspec.NODEFAULT
        (optional if has_default else required)[field.name] = strategy
    if not optional:
        return st.fixed_dictionaries(required).map(lambda values: struct(**values))
    chosen = st.dictionaries(st.sampled_from(sorted(optional)), st.none(), max_size=3).flatmap(
        lambda some: st.fixed_dictionaries({name: optional[name] for name in some})
    )
    return st.tuples(st.fixed_dictionaries(required), chosen).map(lambda both: struct(**both[0], **both[1]))


records = st.one_of(*map(structs, RECORDS))
commands = st.one_of(*map(structs, COMMANDS))


@st.composite
def commands_for(draw: Any, run: Run) -> tuple[c.AnyCommand, ...]:
    """What a program may ask for, much of which fits the run."""
    asked: list[c.AnyCommand] = []
    for _ in range(draw(st.integers(0, 4))):
        kind = draw(st.integers(0, 13))
        if kind in (2, 12, 13) and run.updates:
            update_id = draw(st.sampled_from(sorted(run.updates)))
            asked += [c.AcceptUpdate(update_id)] if run.updates[update_id].admitted else []
            asked += [c.CompleteUpdate(update_id)] if draw(st.booleans()) else []
        elif kind == 0 and run.activities:
            asked.append(c.RequestCancelActivityTask(draw(st.sampled_from(sorted(run.activities)))))
        elif kind == 1 and run.timers:
            asked.append(c.CancelTimer(draw(st.sampled_from(sorted(run.timers)))))
        elif kind in (4, 5) and run.operations:
            asked.append(c.RequestCancelNexusOperation(draw(st.sampled_from(sorted(run.operations)))))
        elif kind == 2:
            asked += [c.RejectUpdate(name, Failure("no")) for name, update in run.updates.items() if update.admitted]
        elif kind == 3:
            asked.append(draw(commands))
        elif kind == 4:
            asked.append(
                draw(
                    st.sampled_from(
                        (
                            c.RecordMarker("note", {}),
                            c.UpsertWorkflowSearchAttributes({"a": Payload(b"1")}),
                            c.ModifyWorkflowProperties({"a": Payload(b"", "binary/null")}),
                        )
                    )
                )
            )
        elif kind == 5 and draw(st.integers(0, 2)) == 0:
            asked.append(
                draw(
                    st.sampled_from(
                        (
                            c.CompleteWorkflowExecution(),
                            c.FailWorkflowExecution(Failure("no")),
                            c.CancelWorkflowExecution(),
                            c.TimeOutWorkflowExecution(),
                            c.ContinueAsNewWorkflowExecution(),
                        )
                    )
                )
            )
            break
        else:
            name = f"{run.next_event_id}-{len(asked)}"
            asked.append(
                draw(
                    st.sampled_from(
                        (
                            c.ScheduleActivityTask(name, "work", "", retry_policy=RetryPolicy(max_attempts=1)),
                            c.ScheduleActivityTask(name, "work", "", start_to_close_timeout_ns=SECOND_NS),
                            c.ScheduleActivityTask(name, "work", ""),
                            c.StartTimer(name, SECOND_NS),
                            c.StartChildWorkflowExecution(name, "Child", ""),
                            c.StartChildWorkflowExecution(name, "Job", "", detached=DetachedStart()),
                            c.SignalExternalWorkflowExecution(RunAddress("", "a"), "go"),
                            c.RequestCancelExternalWorkflowExecution(RunAddress("", "a")),
                            c.ScheduleNexusOperation("e", "s", "o", "b", "q"),
                            c.ScheduleNexusOperation("e", "s", "o", "b", "q", (), 5 * SECOND_NS, SECOND_NS, SECOND_NS),
                        )
                    )
                )
            )
    return tuple(asked)


def _fitting(run: Run) -> list[type | r.Request]:
    """Requests that fit what the run waits for, and the types of those that always may come."""
    fitting: list[Any] = [r.SignalWorkflow, r.UpdateWorkflow, r.UpdateWorkflow, r.CancelWorkflow, r.PauseWorkflow]
    fitting.append(r.UpdateWorkflowOptions)
    if run.close is not None:
        return [*fitting, r.TerminateWorkflow]
    if run.is_paused:
        fitting += [r.ResumeWorkflow()] * 6
    task = run.workflow_task
    if task is not None and task.started_time:
        fitting += [r.CompleteWorkflowTask] * 12
        fitting.append(r.FailWorkflowTask(task.started_event_id, task.attempt, "WORKFLOW_WORKER_UNHANDLED_FAILURE"))
    elif task is not None:
        fitting += [r.StartWorkflowTask("worker", run.pinned_build_id)] * 12
        fitting.append(r.UnstickWorkflow())
    for ref, activity in run.activities.items():
        if activity.started_time:
            fitting += [r.CompleteActivity(ref, activity.attempt)]
            fitting += [
                kind(ref, activity.attempt)
                for kind in (r.CompleteActivity, r.CancelActivity, r.HeartbeatActivity, r.LoseActivity)
            ]
            fitting.append(r.FailActivity(ref, activity.attempt, Failure("no")))
        else:
            fitting += [r.StartActivity(ref, activity.attempt)] * 5
        fitting.append(r.FireTimer(ref))
        fitting += about_activity(activity.scheduled.activity_id)
    fitting += [r.FireTimer(ref) for ref in run.timer_ids]
    fitting += [r.FireTimer(key) for key in (-1, -2, -3, -4) if deadline(run, key)]
    for ref in run.children:
        fitting += [
            r.ChildStarted(ref, "c1"),
            r.ChildStarted(ref, "c1"),
            r.ChildStartFailed(ref, "WORKFLOW_ALREADY_EXISTS"),
        ]
        fitting += [ChildClosing(ref)] * 2
    fitting += [r.ExternalSignalDelivered(ref, cause) for ref in run.external_signals for cause in ("", "NOT_FOUND")]
    fitting += [r.ExternalCancelDelivered(ref, cause) for ref in run.external_cancels for cause in ("", "NOT_FOUND")]
    for ref, operation in run.operations.items():
        fitting += about_operation(ref, operation)
    return fitting


def about_operation(ref: int, operation: Operation) -> list[Any]:
    """What those who serve an endpoint say, and the clock."""
    attempt, failure, cancel = operation.attempt, Failure("no"), operation.cancel
    found: list[Any] = [
        r.FireTimer(ref),
        r.AcceptOperation(ref, attempt, "token"),
        r.AcceptOperation(ref, attempt, "token"),
        r.CompleteOperation(ref, attempt),
        r.FailOperation(ref, attempt, failure, canceled=attempt % 2 == 0),
        r.FailOperationAttempt(ref, attempt, failure),
        r.FailOperationAttempt(ref, attempt, failure, final=True),
        RunClosing(ref, operation.scheduled.request_id),
    ]
    if cancel is not None:
        found += [
            r.FireTimer(cancel.requested.id),
            r.OperationCancelDelivered(ref, cancel.attempt),
            r.FailOperationAttempt(ref, cancel.attempt, failure, of_cancel=True),
            r.FailOperationAttempt(ref, cancel.attempt, failure, of_cancel=True, final=True),
        ]
    return found


class RunClosing:
    """Stands for the end of the run that an operation is."""

    def __init__(self, ref: int, request_id: str) -> None:
        self.ref = ref
        self.request_id = request_id


def about_activity(activity_id: str) -> list[r.Request]:
    """What people do to an activity that has not ended."""
    options = ActivityOptions("other", start_to_close_timeout_ns=5 * SECOND_NS, retry_initial_ns=2 * SECOND_NS)
    return [
        r.PauseActivity(activity_id),
        r.UnpauseActivity(activity_id, delay_ns=SECOND_NS),
        r.UnpauseActivity(activity_type="work", resets_attempts=True, resets_heartbeat=True),
        r.ResetActivity(activity_id, resets_heartbeat=True, keeps_paused=True),
        r.ResetActivity(restores_options=True),
        r.UpdateActivityOptions(activity_id, options=options),
        r.UpdateActivityOptions(activity_id),
    ]


class ChildClosing:
    """Stands for the end of a child, whatever that is."""

    def __init__(self, ref: int) -> None:
        self.ref = ref


@st.composite
def requests_for(draw: Any, run: Run) -> Any:
    """Anything that can be asked of a run; most of it fits."""
    if draw(st.integers(0, 14)) == 14:
        return draw(st.one_of(*map(structs, ASKABLE)))
    chosen = draw(st.sampled_from(_fitting(run)))
    if isinstance(chosen, ChildClosing):
        return r.ChildClosed(chosen.ref, "c1", draw(st.one_of(*map(structs, CLOSING))))
    if isinstance(chosen, RunClosing) and draw(st.booleans()):
        failure = draw(st.sampled_from((None, Failure("broke"))))
        return r.EndOperation(chosen.ref, chosen.request_id, "token", (), failure, draw(st.booleans()))
    if isinstance(chosen, RunClosing):
        closing = draw(st.one_of(*map(structs, CLOSING)))
        return r.OperationClosed(chosen.ref, chosen.request_id, closing, "token")
    if chosen is r.CompleteWorkflowTask:
        task = run.workflow_task
        assert task is not None
        return r.CompleteWorkflowTask(task.started_event_id, task.attempt, draw(commands_for(run)), "worker")
    if chosen is r.SignalWorkflow or chosen is r.CancelWorkflow or chosen is r.TerminateWorkflow:
        return msgspec.structs.replace(
            draw(structs(chosen)), child_of=draw(st.sampled_from(("", "", "", "p1", "stranger")))
        )
    return draw(structs(chosen)) if isinstance(chosen, type) else chosen


ASKABLE = tuple(kind for kind in typing.get_args(r.Request) if kind not in (r.StartWorkflow, r.ForkWorkflow))
