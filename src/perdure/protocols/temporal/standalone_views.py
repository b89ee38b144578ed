"""Standalone activities as clients see them: from the run while it is open, from its history once it is closed."""

from collections.abc import Sequence
from typing import Any

import msgspec
from temporalio.api.activity.v1 import message_pb2 as activity_pb
from temporalio.api.enums.v1 import activity_pb2 as enums
from temporalio.api.enums.v1 import workflow_pb2

from perdure.kernel.run import Activity, Run
from perdure.model import events as e
from perdure.model.failures import Failure, FailureKind, RetryState
from perdure.model.options import RunStatus
from perdure.model.payloads import Payload, PayloadMap
from perdure.model.search import AttributeTypes
from perdure.model.service import RunDescription, RunSummary
from perdure.model.standalone import PREFIX, QUEUE_ATTRIBUTE, ActivityOrder, order_of
from perdure.protocols.temporal.failures import failure
from perdure.protocols.temporal.names import activity_type, priority, retry_policy
from perdure.protocols.temporal.payloads import header, payloads, user_metadata
from perdure.protocols.temporal.search_values import search_attributes
from perdure.protocols.temporal.service_describe import activity_state
from perdure.protocols.temporal.times import duration, timestamp

Status = enums.ActivityExecutionStatus
PendingState = workflow_pb2.PendingActivityState

STATUSES = {
    RunStatus.RUNNING: Status.ACTIVITY_EXECUTION_STATUS_RUNNING,
    RunStatus.PAUSED: Status.ACTIVITY_EXECUTION_STATUS_PAUSED,
    RunStatus.COMPLETED: Status.ACTIVITY_EXECUTION_STATUS_COMPLETED,
    RunStatus.FAILED: Status.ACTIVITY_EXECUTION_STATUS_FAILED,
    RunStatus.CANCELED: Status.ACTIVITY_EXECUTION_STATUS_CANCELED,
    RunStatus.TERMINATED: Status.ACTIVITY_EXECUTION_STATUS_TERMINATED,
    RunStatus.TIMED_OUT: Status.ACTIVITY_EXECUTION_STATUS_TIMED_OUT,
}


class Seen(msgspec.Struct):
    """A standalone activity: its run, and the run's history."""

    run: Run
    description: RunDescription
    events: Sequence[e.Event]
    types: AttributeTypes

    @property
    def order(self) -> ActivityOrder:
        """How it was to be scheduled."""
        return order_of(self.run.started.input) or ActivityOrder(self.run.workflow_id.removeprefix(PREFIX), "")

    @property
    def activity(self) -> Activity | None:
        """As long as it has not ended."""
        return next(iter(self.run.activities.values()), None)

    def last(self, *kinds: type[e.Event]) -> Any:
        """The last event of these kinds; None if there is none."""
        return next((event for event in reversed(self.events) if isinstance(event, kinds)), None)


def version_of(run: Run) -> str:
    """Differs whenever anything about the activity does."""
    activity = next(iter(run.activities.values()), None)
    now: tuple[object, ...] = ()
    if activity is not None:
        now = (activity.attempt, activity.started_time, activity.heartbeat_time, activity.paused is not None)
    return ".".join(map(str, (run.next_event_id, run.cancel_requested, *now)))


def outcome(seen: Seen) -> activity_pb.ActivityExecutionOutcome:
    """How it ended."""
    close = seen.run.close
    retry_state = RetryState.UNSPECIFIED
    ended: Failure | None = None
    match close:
        case e.WorkflowExecutionCompleted():
            found = activity_pb.ActivityExecutionOutcome(result=payloads(close.result))
            found.result.SetInParent()  # no value is a result, too
            return found
        case e.WorkflowExecutionCanceled():
            request = seen.last(e.WorkflowExecutionCancelRequested)
            ended = Failure(request.cause if request is not None else "", FailureKind.CANCELED, details=close.details)
        case e.WorkflowExecutionTerminated():
            ended = Failure(close.reason, FailureKind.TERMINATED, identity=close.identity)
        case _:
            end = seen.last(e.ActivityTaskFailed, e.ActivityTaskTimedOut)
            if end is not None:
                ended, retry_state = end.failure, end.retry_state
            elif isinstance(close, e.WorkflowExecutionFailed):
                ended = close.failure
    return activity_pb.ActivityExecutionOutcome(
        failure=failure(ended or Failure("")),
        retry_state=int(retry_state),  # type: ignore[arg-type]  # enums are numbers on the wire
    )


def _own_attributes(values: PayloadMap) -> PayloadMap:
    return {name: value for name, value in values.items() if name != QUEUE_ATTRIBUTE}


def queue_of(values: PayloadMap) -> str:
    """Where the activity's workers are, by its search attributes."""
    found: Payload | None = values.get(QUEUE_ATTRIBUTE)
    try:
        return msgspec.json.decode(found.data, type=str) if found is not None else ""
    except msgspec.DecodeError:
        return ""


def list_info(summary: RunSummary, types: AttributeTypes) -> activity_pb.ActivityExecutionListInfo:
    """As lists show it."""
    return activity_pb.ActivityExecutionListInfo(
        activity_id=summary.workflow_id.removeprefix(PREFIX),
        run_id=summary.run_id,
        activity_type=activity_type(summary.workflow_type),
        schedule_time=timestamp(summary.start_time),
        execution_time=timestamp(summary.start_time),
        close_time=timestamp(summary.close_time),
        status=STATUSES[summary.status],
        search_attributes=search_attributes(_own_attributes(summary.search_attributes), types),
        task_queue=queue_of(summary.search_attributes),
        state_transition_count=summary.history_length,
        execution_duration=duration(summary.close_time - summary.start_time) if summary.close_time else None,
    )


def info(seen: Seen, *, heartbeats: bool, failures: bool) -> activity_pb.ActivityExecutionInfo:
    """Everything about it."""
    run, summary, activity = seen.run, seen.description.summary, seen.activity
    started, order = run.started, seen.order
    scheduled = activity.scheduled if activity is not None else seen.last(e.ActivityTaskScheduled)
    options = scheduled if scheduled is not None else order
    request = seen.last(e.WorkflowExecutionCancelRequested)
    limit = options.schedule_to_close_timeout_ns
    due = started.time + order.start_delay_ns
    found = activity_pb.ActivityExecutionInfo(
        activity_id=order.activity_id,
        run_id=run.run_id,
        activity_type=activity_type(started.workflow_type),
        status=STATUSES[summary.status],
        task_queue=options.task_queue,
        schedule_to_close_timeout=duration(limit),
        schedule_to_start_timeout=duration(options.schedule_to_start_timeout_ns),
        start_to_close_timeout=duration(options.start_to_close_timeout_ns),
        heartbeat_timeout=duration(options.heartbeat_timeout_ns),
        retry_policy=retry_policy(options.retry_policy),
        attempt=1,
        execution_duration=duration(summary.close_time - summary.start_time) if summary.close_time else None,
        schedule_time=timestamp(started.time),
        execution_time=timestamp(due),
        expiration_time=timestamp(due + limit if limit else 0),
        close_time=timestamp(summary.close_time),
        priority=priority(started.priority),
        state_transition_count=summary.history_length,
        state_size_bytes=seen.description.history_size_bytes,
        search_attributes=search_attributes(_own_attributes(summary.search_attributes), seen.types),
        header=header(started.header),
        user_metadata=user_metadata(started.user_metadata) if started.user_metadata is not None else None,
        canceled_reason=request.cause if request is not None else "",
        start_delay=duration(order.start_delay_ns) if order.start_delay_ns else None,
    )
    if run.close is None:
        found.run_state = PendingState.PENDING_ACTIVITY_STATE_SCHEDULED
        if request is not None:
            found.run_state = PendingState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED
    if activity is not None and run.close is None:
        _add_pending(found, activity, heartbeats=heartbeats, failures=failures)
    else:
        _add_last_attempt(found, seen, failures=failures)
    return found


def _add_pending(
    found: activity_pb.ActivityExecutionInfo, activity: Activity, *, heartbeats: bool, failures: bool
) -> None:
    waits = activity.next_attempt_time and not activity.started_time
    found.run_state = activity_state(activity)
    found.attempt = activity.attempt_count
    found.last_worker_identity = activity.identity
    found.MergeFrom(
        activity_pb.ActivityExecutionInfo(
            heartbeat_details=payloads(activity.heartbeat_details) if heartbeats else None,
            last_heartbeat_time=timestamp(activity.heartbeat_time),
            last_started_time=timestamp(activity.started_time),
            last_failure=failure(activity.last_failure) if failures else None,
            last_attempt_complete_time=timestamp(activity.failed_time),
            current_retry_interval=duration(activity.next_attempt_time - activity.failed_time) if waits else None,
            next_attempt_schedule_time=timestamp(activity.next_attempt_time) if waits else None,
        )
    )
    if activity.paused is not None:
        found.status = Status.ACTIVITY_EXECUTION_STATUS_PAUSED


def _add_last_attempt(found: activity_pb.ActivityExecutionInfo, seen: Seen, *, failures: bool) -> None:
    start = seen.last(e.ActivityTaskStarted)
    end = seen.last(e.ActivityTaskCompleted, e.ActivityTaskFailed, e.ActivityTaskTimedOut, e.ActivityTaskCanceled)
    if start is not None:
        found.attempt = start.attempt
        found.last_worker_identity = start.identity
        found.MergeFrom(activity_pb.ActivityExecutionInfo(last_started_time=timestamp(start.time)))
    if end is not None and end.started_event_id:
        found.MergeFrom(activity_pb.ActivityExecutionInfo(last_attempt_complete_time=timestamp(end.time)))
    last = getattr(end, "failure", None) or (start.last_failure if start is not None else None)
    if failures and last is not None:
        found.MergeFrom(activity_pb.ActivityExecutionInfo(last_failure=failure(last)))
