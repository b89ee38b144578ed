"""Runs as the REST interface shows them."""

from datetime import datetime
from typing import Annotated

import msgspec

from perdure.model import events as e
from perdure.model.affinity import Affinity
from perdure.model.events import Event
from perdure.model.options import RunStatus
from perdure.model.service import PendingActivity, RunDescription, RunSummary
from perdure.protocols.rest.records import FailureView, failure_view
from perdure.protocols.rest.values import (
    NULL_VALUE,
    Value,
    attributes_to_values,
    one_value,
    to_seconds,
    to_time,
    to_value,
    to_value_map,
    to_values,
)

PROGRESS = "__progress"

Status = Annotated[
    str,
    msgspec.Meta(
        description='"running", "paused", "completed", "failed", "canceled", "terminated", "continued_as_new" or "timed_out"'
    ),
]


class ParentView(msgspec.Struct, frozen=True):
    """The run that started this one as a child."""

    namespace: str
    workflow_id: str
    run_id: str


class RunView(msgspec.Struct, frozen=True):
    """One run. ``close_time`` is null while it is open; ``progress`` is what its code last reported."""

    namespace: str
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    status: Status
    start_time: datetime | None
    close_time: datetime | None
    history_length: int
    build_id: str
    memo: dict[str, Value]
    search_attributes: dict[str, Value]
    progress: Value
    parent: ParentView | None


class AffinityView(msgspec.Struct, frozen=True):
    """Which workers a task goes to: only to those with all ``required`` labels, and first to those with the most of the
    ``preferred`` ones."""

    required: dict[str, str]
    preferred: dict[str, str]


class ActivityView(msgspec.Struct, frozen=True):
    """An activity that has not ended. Times are null where they are not so; ``attempt`` counts from the last reset."""

    scheduled_event_id: int
    activity_id: str
    activity_type: str
    task_queue: str
    attempt: int
    max_attempts: int
    scheduled_time: datetime | None
    started_time: datetime | None
    next_attempt_time: datetime | None
    last_heartbeat_time: datetime | None
    heartbeat_details: list[Value]
    last_failure: FailureView | None
    identity: str
    cancel_requested: bool
    affinity: AffinityView | None = None
    paused_time: datetime | None = None
    pause_reason: str = ""
    pause_identity: str = ""


class TimerView(msgspec.Struct, frozen=True):
    """A timer that has not fired."""

    timer_id: str
    started_event_id: int
    due: datetime | None


class ChildView(msgspec.Struct, frozen=True):
    """A child workflow that has not closed. ``run_id`` is empty until it has started."""

    initiated_event_id: int
    workflow_id: str
    run_id: str
    workflow_type: str


class TurnView(msgspec.Struct, frozen=True):
    """A turn that the code has not completed. ``last_failure`` is there when ``attempt`` is above 1."""

    attempt: int
    scheduled_time: datetime | None
    started_time: datetime | None
    next_attempt_time: datetime | None
    last_cause: str
    last_failure: FailureView | None


class DescriptionView(msgspec.Struct, frozen=True):
    """Where a run stands and what it waits for. Timeouts are null where there are none."""

    run: RunView
    first_run_id: str
    attempt: int
    history_size_bytes: int
    execution_timeout_seconds: float | None
    run_timeout_seconds: float | None
    cancel_requested: bool
    pinned_build_id: str
    turn: TurnView | None
    activities: list[ActivityView]
    timers: list[TimerView]
    children: list[ChildView]
    affinity: AffinityView | None = None


class OutcomeView(msgspec.Struct, frozen=True):
    """How a workflow ended, with its ``result`` or ``failure``. While it is open, ``status`` says so and the rest is
    null. ``run_id`` is the last run of its retries and continuations."""

    workflow_id: str
    run_id: str
    status: Status
    close_time: datetime | None
    result: Value
    failure: FailureView | None


def run_view(summary: RunSummary) -> RunView:
    """A run in a list."""
    parent = summary.parent
    progress = summary.memo.get(PROGRESS)
    return RunView(
        summary.namespace,
        summary.workflow_id,
        summary.run_id,
        summary.workflow_type,
        summary.task_queue,
        str(summary.status),
        to_time(summary.start_time),
        to_time(summary.close_time),
        summary.history_length,
        summary.build_id,
        to_value_map(summary.memo),
        attributes_to_values(summary.search_attributes),
        NULL_VALUE if progress is None else to_value(progress),
        None if parent is None else ParentView(parent.namespace, parent.workflow_id, parent.run_id),
    )


def description_view(found: RunDescription) -> DescriptionView:
    """Everything about a run but its history."""
    turn = found.turn
    return DescriptionView(
        run_view(found.summary),
        found.first_run_id,
        found.attempt,
        found.history_size_bytes,
        _limit(found.execution_timeout_ns),
        _limit(found.run_timeout_ns),
        found.cancel_requested,
        found.pinned_build_id,
        None
        if turn is None
        else TurnView(
            turn.attempt,
            to_time(turn.scheduled_time),
            to_time(turn.started_time),
            to_time(turn.next_attempt_time),
            turn.last_cause,
            failure_view(turn.last_failure),
        ),
        [_activity(activity) for activity in found.activities],
        [TimerView(timer.timer_id, timer.started_event_id, to_time(timer.due)) for timer in found.timers],
        [
            ChildView(child.initiated_event_id, child.workflow_id, child.run_id, child.workflow_type)
            for child in found.children
        ],
        _affinity(found.affinity),
    )


def _activity(activity: PendingActivity) -> ActivityView:
    return ActivityView(
        activity.scheduled_event_id,
        activity.activity_id,
        activity.activity_type,
        activity.task_queue,
        activity.attempt,
        activity.max_attempts,
        to_time(activity.scheduled_time),
        to_time(activity.started_time),
        to_time(activity.next_attempt_time),
        to_time(activity.last_heartbeat_time),
        to_values(activity.heartbeat_details),
        failure_view(activity.last_failure),
        activity.identity,
        activity.cancel_requested,
        _affinity(activity.affinity),
        to_time(activity.paused_time),
        activity.pause_reason,
        activity.pause_identity,
    )


def _affinity(affinity: Affinity | None) -> AffinityView | None:
    return None if affinity is None else AffinityView(dict(affinity.required), dict(affinity.preferred))


def _limit(ns: int) -> float | None:
    return to_seconds(ns) if ns else None


_CLOSED_AS: dict[type[Event], RunStatus] = {
    e.WorkflowExecutionCompleted: RunStatus.COMPLETED,
    e.WorkflowExecutionFailed: RunStatus.FAILED,
    e.WorkflowExecutionTimedOut: RunStatus.TIMED_OUT,
    e.WorkflowExecutionCanceled: RunStatus.CANCELED,
    e.WorkflowExecutionTerminated: RunStatus.TERMINATED,
    e.WorkflowExecutionContinuedAsNew: RunStatus.CONTINUED_AS_NEW,
}


def outcome_view(workflow_id: str, run_id: str, closing: Event) -> OutcomeView:
    """What a run's last event says."""
    result, failure = NULL_VALUE, None
    status = _CLOSED_AS[type(closing)]
    match closing:
        case e.WorkflowExecutionCompleted():
            result = one_value(closing.result)
        case e.WorkflowExecutionFailed():
            failure = failure_view(closing.failure)
        case e.WorkflowExecutionTerminated():
            failure = FailureView(closing.reason, "terminated", details=to_values(closing.details))
        case e.WorkflowExecutionCanceled():
            failure = FailureView("cancelled", "canceled", details=to_values(closing.details))
        case e.WorkflowExecutionTimedOut():
            failure = FailureView("it took longer than its execution timeout or run timeout", "timeout")
        case _:
            pass
    return OutcomeView(workflow_id, run_id, str(status), to_time(closing.time), result, failure)


def open_outcome(workflow_id: str, run_id: str, status: RunStatus) -> OutcomeView:
    """What there is to say of a run that is open."""
    return OutcomeView(workflow_id, run_id, str(status), None, NULL_VALUE, None)
