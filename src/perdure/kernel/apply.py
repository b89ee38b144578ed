"""The only code that changes a run.

One small function per record type, in a table. Appliers never decide, never look at the clock and never fail:
whatever led to the record was decided in ``transition``. The same functions run when a decision is made and when a
history is read back.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from perdure.kernel.run import Activity, Child, Operation, OperationCancel, Run, Timer, Update, WorkflowTask
from perdure.model import events as e
from perdure.model.activity_options import ActivityOptions
from perdure.model.errors import InvariantError
from perdure.model.options import RetryPolicy, RunStatus, Versioning
from perdure.model.payloads import JSON, NULL, Payload, PayloadMap
from perdure.model.search import PINNED_BUILD_ID


def fold(namespace: str, run_id: str, records: Iterable[e.AnyRecord]) -> Run:
    """The state that a history gives. Raises ``InvariantError`` if it does not begin with its start or skips a
    number."""
    remaining = iter(records)
    started = next(remaining, None)
    if not isinstance(started, e.WorkflowExecutionStarted):
        raise InvariantError(f"The history of run {run_id} does not begin with WorkflowExecutionStarted.")
    run = Run(namespace, run_id, started)
    apply(run, started)
    for record in remaining:
        apply(run, record)
    return run


def apply(run: Run, record: e.AnyRecord) -> None:
    """Let one record take effect. Raises ``InvariantError`` if it is an event whose number is not the next one."""
    number = record.id
    if number:
        if number != run.next_event_id:
            raise out_of_order(run, record)
        run.next_event_id = number + 1
    APPLIERS[record.__class__](run, record)


def out_of_order(run: Run, record: e.AnyRecord) -> InvariantError:
    """What is wrong with a record whose number is not the next one."""
    return InvariantError(
        f"Run {run.run_id}: event {record.__class__.__name__} has number {record.id}, expected {run.next_event_id}."
    )


def _nothing(run: Run, record: Any) -> None:
    """The record only informs."""


# --- the run itself


def _started(run: Run, event: e.WorkflowExecutionStarted) -> None:
    run.first_task_pending = event.first_workflow_task_backoff_ns > 0
    if event.memo:
        run.memo = event.memo
    if event.search_attributes:
        run.search_attributes = event.search_attributes
    if event.completion_callback is not None or event.completion_callbacks:
        first = () if event.completion_callback is None else (event.completion_callback,)
        run.callbacks = [*first, *event.completion_callbacks]
    if event.pinned_build_id:
        run.pin_override = event.pinned_build_id
        _pin(run, event.pinned_build_id)


def _first_task_ready(run: Run, record: e.FirstTaskReady) -> None:
    run.first_task_pending = False


def _closed(status: RunStatus) -> Callable[[Run, Any], None]:
    def closed(run: Run, event: Any) -> None:
        run.status = status
        run.close = event
        run.workflow_task = None
        run.first_task_pending = False
        for pending in (
            run.activities,
            run.activity_ids,
            run.timers,
            run.timer_ids,
            run.children,
            run.external_signals,
            run.external_cancels,
            run.operations,
        ):
            if pending:
                pending.clear()
        if run.updates:
            run.updates = {name: update for name, update in run.updates.items() if update.completed}

    return closed


def _cancel_requested(run: Run, event: e.WorkflowExecutionCancelRequested) -> None:
    run.cancel_requested = True
    if event.request_id:
        run.request_ids.add(event.request_id)


def _signaled(run: Run, event: e.WorkflowExecutionSignaled) -> None:
    if event.request_id:
        run.request_ids.add(event.request_id)


def _paused(run: Run, event: e.WorkflowExecutionPaused) -> None:
    run.status = RunStatus.PAUSED
    run.paused = event


def _unpaused(run: Run, event: e.WorkflowExecutionUnpaused) -> None:
    run.status = RunStatus.RUNNING
    run.paused = None


def _options_updated(run: Run, event: e.WorkflowExecutionOptionsUpdated) -> None:
    if event.attached_callbacks:
        run.callbacks = [*run.callbacks, *event.attached_callbacks]
        return
    run.pin_override = event.pinned_build_id
    _pin(run, run.pin_override or (run.build_id if run.versioning is Versioning.PINNED else ""))


def _pin(run: Run, build_id: str) -> None:
    run.pinned_build_id = build_id
    found_by = Payload(msgspec.json.encode(build_id), JSON) if build_id else Payload(b"", NULL)
    run.search_attributes = _merged(run.search_attributes, {PINNED_BUILD_ID: found_by})


def _merged(old: PayloadMap, new: PayloadMap) -> PayloadMap:
    """``new`` over ``old``; a null payload removes its key. Never changes ``old``, which an event may own."""
    merged = {**old, **new}
    return {key: value for key, value in merged.items() if value.encoding != NULL}


def _search_attributes(run: Run, event: e.UpsertWorkflowSearchAttributes) -> None:
    run.search_attributes = _merged(run.search_attributes, event.search_attributes)


def _properties(run: Run, event: e.WorkflowPropertiesModified) -> None:
    run.memo = _merged(run.memo, event.upserted_memo)


# --- workflow tasks


def _task_requested(run: Run, record: e.WorkflowTaskRequested) -> None:
    run.workflow_task = WorkflowTask(0, record.time)


def _task_scheduled(run: Run, event: e.WorkflowTaskScheduled) -> None:
    task = run.workflow_task
    if task is None:
        run.workflow_task = WorkflowTask(event.id, event.time)
    else:
        task.scheduled_event_id = event.id


def _task_started(run: Run, event: e.WorkflowTaskStarted) -> None:
    task = run.workflow_task
    assert task is not None
    task.started_event_id = event.id
    task.started_time = event.time
    task.identity = event.identity
    if run.updates:
        _deliver_updates(run)


def _task_attempt_started(run: Run, record: e.WorkflowTaskAttemptStarted) -> None:
    task = run.workflow_task
    assert task is not None
    # The numbers that its Scheduled and Started events will get: nothing else is numbered while the turn is in hand.
    task.started_event_id = run.next_event_id + (0 if task.scheduled_event_id else 1)
    task.started_time = record.time
    task.identity = record.identity
    if run.updates:
        _deliver_updates(run)


def _deliver_updates(run: Run) -> None:
    for update in run.updates.values():
        update.is_delivered = True


def _task_completed(run: Run, event: e.WorkflowTaskCompleted) -> None:
    run.workflow_task = None
    run.build_id = event.build_id
    run.last_turn_time = event.time
    run.last_started_event_id = event.started_event_id
    run.sticky_queue = event.sticky_queue
    if event.versioning or run.versioning:
        run.versioning, run.deployment = event.versioning, event.deployment
        pinned = run.pin_override or (event.build_id if event.versioning is Versioning.PINNED else "")
        if pinned != run.pinned_build_id:
            _pin(run, pinned)


def _task_dropped(run: Run, record: e.WorkflowTaskDropped) -> None:
    run.workflow_task = None


def _task_failed(run: Run, event: e.WorkflowTaskFailed) -> None:
    if event.base_run_id:  # a fork: the copied turn begins anew
        run.workflow_task = None
        run.sticky_queue = ""
    else:
        _next_task_attempt(run, event.cause, event)


def _task_attempt_failed(run: Run, record: e.WorkflowTaskAttemptFailed) -> None:
    _next_task_attempt(run, record.cause, record)


def _task_timed_out(run: Run, event: e.WorkflowTaskTimedOut) -> None:
    _next_task_attempt(run, "TIMEOUT", event)


def _next_task_attempt(run: Run, cause: str, event: Any) -> None:
    task = run.workflow_task
    assert task is not None
    task.attempt += 1
    run.sticky_queue = ""
    task.scheduled_event_id = 0
    task.started_event_id = 0
    task.started_time = 0
    task.identity = ""
    task.scheduled_time = event.time
    task.last_cause = cause
    task.last_failure = getattr(event, "failure", None)


def _task_retry_scheduled(run: Run, record: e.WorkflowTaskRetryScheduled) -> None:
    task = run.workflow_task
    assert task is not None
    task.next_attempt_time = record.next_attempt_time


def _buffered(run: Run, record: e.EventBuffered) -> None:
    run.buffered.append(record.event)
    APPLIERS[record.event.__class__](run, record.event)


def _flushed(run: Run, record: e.EventFlushed) -> None:
    event = record.event
    if event.id != run.next_event_id:
        raise InvariantError(f"Run {run.run_id}: buffered event got number {event.id}, expected {run.next_event_id}.")
    run.next_event_id += 1
    del run.buffered[0]
    # Its effect came with EventBuffered; only what is named by its number is still to be told.
    if event.__class__ is e.ChildWorkflowExecutionStarted:
        child = run.children.get(event.initiated_event_id)
        if child is not None:
            child.started_event_id = event.id


# --- activities


def _activity_scheduled(run: Run, event: e.ActivityTaskScheduled) -> None:
    run.activities[event.id] = Activity(event, attempt_scheduled_time=event.time)
    run.activity_ids[event.activity_id] = event.id


def _attempt_started(run: Run, record: e.ActivityAttemptStarted) -> None:
    activity = run.activities[record.scheduled_event_id]
    activity.started_time = record.time
    activity.identity = record.identity
    activity.worker_id = record.worker_id
    activity.next_attempt_time = 0
    activity.heartbeat_time = 0


def _attempt_failed(run: Run, record: e.ActivityAttemptFailed) -> None:
    activity = run.activities[record.scheduled_event_id]
    activity.attempt = record.attempt + 1
    activity.started_time = 0
    activity.is_outside = False
    activity.identity = ""
    activity.last_failure = record.failure
    activity.next_attempt_time = record.next_attempt_time
    activity.attempt_scheduled_time = record.next_attempt_time
    activity.failed_time = record.time
    if activity.reset is not None:
        if activity.reset.resets_heartbeat:
            activity.heartbeat_details = ()
        activity.reset = None


def _heartbeat(run: Run, record: e.ActivityHeartbeatRecorded) -> None:
    activity = run.activities[record.scheduled_event_id]
    activity.heartbeat_time = record.time
    activity.heartbeat_details = record.details
    activity.is_outside = activity.is_outside or record.is_outside


def _activity_cancel_requested(run: Run, event: e.ActivityTaskCancelRequested) -> None:
    activity = run.activities.get(event.scheduled_event_id)
    if activity is not None:  # else it ended while the turn that no longer wants it was taken
        activity.cancel_requested_event_id = event.id


def _activity_paused(run: Run, record: e.ActivityPaused) -> None:
    run.activities[record.scheduled_event_id].paused = record


def _activity_unpaused(run: Run, record: e.ActivityUnpaused) -> None:
    activity = run.activities[record.scheduled_event_id]
    activity.paused = None
    if record.resets_attempts:
        activity.first_attempt = activity.attempt
    if record.resets_heartbeat:
        activity.heartbeat_details = ()
    _retry_at(activity, record.next_attempt_time)


def _activity_reset(run: Run, record: e.ActivityReset) -> None:
    activity = run.activities[record.scheduled_event_id]
    activity.first_attempt = activity.attempt
    if not record.keeps_paused:
        activity.paused = None
    if activity.started_time:
        activity.reset = record
    elif record.resets_heartbeat:
        activity.heartbeat_details = ()
    _retry_at(activity, record.next_attempt_time)


def _activity_options(run: Run, record: e.ActivityOptionsUpdated) -> None:
    activity = run.activities[record.scheduled_event_id]
    original = activity.original or activity.scheduled
    if record.options is None:
        activity.scheduled, activity.original = original, None
    else:
        activity.scheduled, activity.original = with_options(activity.scheduled, record.options), original
    _retry_at(activity, record.next_attempt_time)


def _retry_at(activity: Activity, time: int) -> None:
    if time:
        activity.next_attempt_time = activity.attempt_scheduled_time = time


def with_options(scheduled: e.ActivityTaskScheduled, options: ActivityOptions) -> e.ActivityTaskScheduled:
    """An activity as it would be if it had been scheduled with these options."""
    policy = scheduled.retry_policy
    changed = {name: value for name in _SCHEDULED_WITH if (value := getattr(options, name)) is not None}
    parts = (options.retry_initial_ns, options.retry_backoff, options.retry_maximum_ns, options.retry_max_attempts)
    if any(part is not None for part in parts):
        present = (policy.initial_ns, policy.backoff, policy.maximum_ns, policy.max_attempts)
        initial, backoff, maximum, most = (old if new is None else new for new, old in zip(parts, present, strict=True))
        changed["retry_policy"] = RetryPolicy(initial, backoff, maximum, most, policy.non_retryable)  # type: ignore[arg-type]
    return msgspec.structs.replace(scheduled, **changed)


_SCHEDULED_WITH = tuple(name for name in ActivityOptions.__struct_fields__ if not name.startswith("retry_"))


def _activity_ended(run: Run, event: Any) -> None:
    activity = run.activities.pop(event.scheduled_event_id)
    del run.activity_ids[activity.scheduled.activity_id]


# --- timers


def _timer_started(run: Run, event: e.TimerStarted) -> None:
    run.timers[event.timer_id] = Timer(event.id, event.time + event.start_to_fire_timeout_ns, event.time)
    run.timer_ids[event.id] = event.timer_id


def _timer_ended(run: Run, event: Any) -> None:
    del run.timers[event.timer_id]
    del run.timer_ids[event.started_event_id]


def _timer_canceled(run: Run, event: e.TimerCanceled) -> None:
    if event.started_event_id in run.timer_ids:
        _timer_ended(run, event)
    else:  # it fired while the turn that cancels it was taken: that never becomes an event
        run.buffered = [
            other
            for other in run.buffered
            if not (isinstance(other, e.TimerFired) and other.started_event_id == event.started_event_id)
        ]


# --- children and other runs


def _child_initiated(run: Run, event: e.StartChildWorkflowExecutionInitiated) -> None:
    run.children[event.id] = Child(event)


def _child_started(run: Run, event: e.ChildWorkflowExecutionStarted) -> None:
    child = run.children[event.initiated_event_id]
    if child.initiated.detached is not None:
        del run.children[event.initiated_event_id]
        return
    child.run_id = event.run_id
    child.started_event_id = event.id


def _child_ended(run: Run, event: Any) -> None:
    del run.children[event.initiated_event_id]


def _signal_initiated(run: Run, event: e.SignalExternalWorkflowExecutionInitiated) -> None:
    run.external_signals[event.id] = event


def _signal_ended(run: Run, event: Any) -> None:
    del run.external_signals[event.initiated_event_id]


def _cancel_initiated(run: Run, event: e.RequestCancelExternalWorkflowExecutionInitiated) -> None:
    run.external_cancels[event.id] = event


def _cancel_ended(run: Run, event: Any) -> None:
    del run.external_cancels[event.initiated_event_id]


# --- operations


def _operation_scheduled(run: Run, event: e.NexusOperationScheduled) -> None:
    run.operations[event.id] = Operation(event)


def _operation_started(run: Run, event: e.NexusOperationStarted) -> None:
    operation = run.operations[event.scheduled_event_id]
    operation.started_time = event.time
    operation.token = event.operation_token
    operation.next_attempt_time = 0


def _operation_ended(run: Run, event: Any) -> None:
    del run.operations[event.scheduled_event_id]


def _operation_cancel_requested(run: Run, event: e.NexusOperationCancelRequested) -> None:
    operation = run.operations.get(event.scheduled_event_id)
    if operation is not None:  # else it ended while the turn that no longer wants it was taken
        operation.cancel = OperationCancel(event)


def _operation_cancel_told(run: Run, event: Any) -> None:
    cancel = run.operations[event.scheduled_event_id].cancel
    assert cancel is not None
    cancel.is_told = True
    cancel.last_failure = getattr(event, "failure", None)


def _operation_attempt_failed(run: Run, record: e.OperationAttemptFailed) -> None:
    operation = run.operations[record.scheduled_event_id]
    pending = operation.cancel if record.of_cancel else operation
    assert pending is not None
    pending.attempt = record.attempt + 1
    pending.last_failure = record.failure
    pending.failed_time = record.time
    pending.next_attempt_time = record.next_attempt_time


def _operation_offered(run: Run, record: e.OperationOffered) -> None:
    operation = run.operations[record.scheduled_event_id]
    pending = operation.cancel if record.of_cancel else operation
    assert pending is not None
    pending.next_attempt_time = 0


# --- updates


def _update_admitted(run: Run, record: e.UpdateAdmitted) -> None:
    run.updates[record.update_id] = Update(record, callbacks=record.callbacks)


def _update_rejected(run: Run, record: e.UpdateRejected) -> None:
    del run.updates[record.update_id]


def _update_accepted(run: Run, event: e.WorkflowExecutionUpdateAccepted) -> None:
    update = run.updates.get(event.protocol_instance_id)
    if update is None:  # a fork's history begins without the admission
        update = run.updates[event.protocol_instance_id] = Update(None, callbacks=event.callbacks)
    update.admitted = None
    update.accepted_event_id = event.id


def _update_completed(run: Run, event: e.WorkflowExecutionUpdateCompleted) -> None:
    run.updates[event.update_id].completed = event


APPLIERS: dict[type, Callable[[Run, Any], None]] = {
    e.WorkflowExecutionStarted: _started,
    e.WorkflowExecutionCompleted: _closed(RunStatus.COMPLETED),
    e.WorkflowExecutionFailed: _closed(RunStatus.FAILED),
    e.WorkflowExecutionTimedOut: _closed(RunStatus.TIMED_OUT),
    e.WorkflowExecutionContinuedAsNew: _closed(RunStatus.CONTINUED_AS_NEW),
    e.WorkflowExecutionCanceled: _closed(RunStatus.CANCELED),
    e.WorkflowExecutionTerminated: _closed(RunStatus.TERMINATED),
    e.WorkflowExecutionCancelRequested: _cancel_requested,
    e.WorkflowExecutionSignaled: _signaled,
    e.WorkflowExecutionPaused: _paused,
    e.WorkflowExecutionUnpaused: _unpaused,
    e.WorkflowExecutionOptionsUpdated: _options_updated,
    e.WorkflowTaskScheduled: _task_scheduled,
    e.WorkflowTaskStarted: _task_started,
    e.WorkflowTaskCompleted: _task_completed,
    e.WorkflowTaskTimedOut: _task_timed_out,
    e.WorkflowTaskFailed: _task_failed,
    e.ActivityTaskScheduled: _activity_scheduled,
    e.ActivityTaskStarted: _nothing,
    e.ActivityTaskCompleted: _activity_ended,
    e.ActivityTaskFailed: _activity_ended,
    e.ActivityTaskTimedOut: _activity_ended,
    e.ActivityTaskCancelRequested: _activity_cancel_requested,
    e.ActivityTaskCanceled: _activity_ended,
    e.TimerStarted: _timer_started,
    e.TimerFired: _timer_ended,
    e.TimerCanceled: _timer_canceled,
    e.MarkerRecorded: _nothing,
    e.UpsertWorkflowSearchAttributes: _search_attributes,
    e.WorkflowPropertiesModified: _properties,
    e.StartChildWorkflowExecutionInitiated: _child_initiated,
    e.StartChildWorkflowExecutionFailed: _child_ended,
    e.ChildWorkflowExecutionStarted: _child_started,
    e.ChildWorkflowExecutionCompleted: _child_ended,
    e.ChildWorkflowExecutionFailed: _child_ended,
    e.ChildWorkflowExecutionCanceled: _child_ended,
    e.ChildWorkflowExecutionTimedOut: _child_ended,
    e.ChildWorkflowExecutionTerminated: _child_ended,
    e.SignalExternalWorkflowExecutionInitiated: _signal_initiated,
    e.SignalExternalWorkflowExecutionFailed: _signal_ended,
    e.ExternalWorkflowExecutionSignaled: _signal_ended,
    e.RequestCancelExternalWorkflowExecutionInitiated: _cancel_initiated,
    e.RequestCancelExternalWorkflowExecutionFailed: _cancel_ended,
    e.ExternalWorkflowExecutionCancelRequested: _cancel_ended,
    e.WorkflowExecutionUpdateAccepted: _update_accepted,
    e.WorkflowExecutionUpdateCompleted: _update_completed,
    e.NexusOperationScheduled: _operation_scheduled,
    e.NexusOperationStarted: _operation_started,
    e.NexusOperationCompleted: _operation_ended,
    e.NexusOperationFailed: _operation_ended,
    e.NexusOperationCanceled: _operation_ended,
    e.NexusOperationTimedOut: _operation_ended,
    e.NexusOperationCancelRequested: _operation_cancel_requested,
    e.NexusOperationCancelRequestCompleted: _operation_cancel_told,
    e.NexusOperationCancelRequestFailed: _operation_cancel_told,
    e.OperationAttemptFailed: _operation_attempt_failed,
    e.OperationOffered: _operation_offered,
    e.ActivityAttemptStarted: _attempt_started,
    e.ActivityAttemptFailed: _attempt_failed,
    e.ActivityHeartbeatRecorded: _heartbeat,
    e.WorkflowTaskAttemptStarted: _task_attempt_started,
    e.WorkflowTaskAttemptFailed: _task_attempt_failed,
    e.WorkflowTaskRetryScheduled: _task_retry_scheduled,
    e.WorkflowTaskDropped: _task_dropped,
    e.WorkflowTaskRequested: _task_requested,
    e.UpdateAdmitted: _update_admitted,
    e.UpdateRejected: _update_rejected,
    e.FirstTaskReady: _first_task_ready,
    e.EventBuffered: _buffered,
    e.EventFlushed: _flushed,
    e.ActivityPaused: _activity_paused,
    e.ActivityUnpaused: _activity_unpaused,
    e.ActivityReset: _activity_reset,
    e.ActivityOptionsUpdated: _activity_options,
}
