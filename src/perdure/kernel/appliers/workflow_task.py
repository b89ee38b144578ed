"""Workflow tasks."""

from typing import Any

from perdure.kernel.appliers.applier import Applier
from perdure.kernel.appliers.workflow import pin, pin_of
from perdure.kernel.run import Run, WorkflowTask
from perdure.model import events as e


def _task_requested(run: Run, record: e.WorkflowTaskRequested) -> None:
    run.workflow_task = WorkflowTask(0, record.time)


def _task_scheduled(run: Run, event: e.WorkflowTaskScheduled) -> None:
    task = run.workflow_task
    if task is None:
        run.workflow_task = WorkflowTask(event.id, event.time)
    else:
        task.scheduled_event_id = event.id
        if task.attempt > event.attempt == 1:
            task.attempt, task.scheduled_time = 1, event.time


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
        pinned = pin_of(run, event.build_id, event.versioning)
        if pinned != run.pinned_build_id:
            pin(run, pinned)


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
    if event.started_event_id:
        _next_task_attempt(run, "TIMEOUT", event)
    else:  # nobody came for it
        run.workflow_task = None
        run.sticky_queue = ""


def _sticky_queue_dropped(run: Run, record: e.StickyQueueDropped) -> None:
    run.sticky_queue = ""


def _next_task_attempt(run: Run, cause: str, event: Any) -> None:
    task = run.workflow_task
    assert task is not None
    task.attempt += 1
    task.failed_before = run.next_event_id
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


APPLIERS: dict[type, Applier] = {
    e.WorkflowTaskScheduled: _task_scheduled,
    e.WorkflowTaskStarted: _task_started,
    e.WorkflowTaskCompleted: _task_completed,
    e.WorkflowTaskTimedOut: _task_timed_out,
    e.WorkflowTaskFailed: _task_failed,
    e.WorkflowTaskAttemptStarted: _task_attempt_started,
    e.WorkflowTaskAttemptFailed: _task_attempt_failed,
    e.WorkflowTaskRetryScheduled: _task_retry_scheduled,
    e.WorkflowTaskDropped: _task_dropped,
    e.StickyQueueDropped: _sticky_queue_dropped,
    e.WorkflowTaskRequested: _task_requested,
}
