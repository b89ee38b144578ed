"""Carrying out a program's commands, which ``command_checks`` has looked at."""

from collections.abc import Callable
from typing import Any

from perdure.kernel import activity, child, external, lifecycle, operation, timer, update
from perdure.kernel.commit import Commit
from perdure.model import commands as c
from perdure.model import events as e


def carry_out(commit: Commit, command: c.AnyCommand, task_completed_id: int) -> None:
    """Do what a checked command asks for. ``task_completed_id`` is the number of the turn's
    ``WorkflowTaskCompleted``."""
    ACTIONS[command.__class__](commit, command, task_completed_id)


def _complete(commit: Commit, command: c.CompleteWorkflowExecution, completed_id: int) -> None:
    lifecycle.complete(commit, command.result, completed_id)


def _fail(commit: Commit, command: c.FailWorkflowExecution, completed_id: int) -> None:
    lifecycle.fail(commit, command.failure, completed_id)


def _cancel(commit: Commit, command: c.CancelWorkflowExecution, completed_id: int) -> None:
    lifecycle.cancel(commit, command.details, completed_id)


def _time_out(commit: Commit, command: c.TimeOutWorkflowExecution, completed_id: int) -> None:
    lifecycle.close(commit, e.WorkflowExecutionTimedOut(commit.next_id, commit.now, command.retry_state))


def _continue_as_new(commit: Commit, command: c.ContinueAsNewWorkflowExecution, completed_id: int) -> None:
    run, started = commit.run, commit.run.started
    run_timeout, task_timeout = command.workflow_run_timeout_ns, command.workflow_task_timeout_ns
    event = e.WorkflowExecutionContinuedAsNew(
        commit.next_id,
        commit.now,
        lifecycle.derived_run_id(run.run_id, "next"),
        command.workflow_type or started.workflow_type,
        command.task_queue or started.task_queue,
        command.input,
        started.workflow_run_timeout_ns if run_timeout < 0 else run_timeout,
        started.workflow_task_timeout_ns if task_timeout < 0 else task_timeout,
        completed_id,
        command.backoff_start_interval_ns,
        command.initiator,
        header=started.header if command.header is None else command.header,
        memo=run.memo if command.memo is None else command.memo,
        search_attributes=run.search_attributes if command.search_attributes is None else command.search_attributes,
    )
    lifecycle.continue_as_new(commit, event, command.retry_policy)


def _marker(commit: Commit, command: c.RecordMarker, completed_id: int) -> None:
    commit.record(
        e.MarkerRecorded(
            commit.next_id,
            commit.now,
            command.marker_name,
            command.details,
            completed_id,
            command.header,
            command.failure,
        )
    )


def _search_attributes(commit: Commit, command: c.UpsertWorkflowSearchAttributes, completed_id: int) -> None:
    commit.record(e.UpsertWorkflowSearchAttributes(commit.next_id, commit.now, command.search_attributes, completed_id))
    commit.is_visible = True
    commit.is_found_by_other_values = True


def _properties(commit: Commit, command: c.ModifyWorkflowProperties, completed_id: int) -> None:
    commit.record(e.WorkflowPropertiesModified(commit.next_id, commit.now, command.upserted_memo, completed_id))
    commit.is_visible = True


def _accept_update(commit: Commit, command: c.AcceptUpdate, completed_id: int) -> None:
    # The update was brought behind all events before the turn's start.
    update.accept(commit, command, completed_id - 2)


def _reject_update(commit: Commit, command: c.RejectUpdate, completed_id: int) -> None:
    update.reject(commit, command)


def _complete_update(commit: Commit, command: c.CompleteUpdate, completed_id: int) -> None:
    update.complete(commit, command)


def _schedule_operation(commit: Commit, command: c.ScheduleNexusOperation, completed_id: int) -> None:
    request_id = lifecycle.derived_run_id(commit.run.run_id, f"operation/{commit.next_id}")
    operation.schedule(commit, command, completed_id, request_id)


ACTIONS: dict[type, Callable[[Commit, Any, int], None]] = {
    c.ScheduleActivityTask: activity.schedule,
    c.RequestCancelActivityTask: activity.request_cancel,
    c.StartTimer: timer.start,
    c.CancelTimer: timer.cancel,
    c.CompleteWorkflowExecution: _complete,
    c.FailWorkflowExecution: _fail,
    c.CancelWorkflowExecution: _cancel,
    c.TimeOutWorkflowExecution: _time_out,
    c.ContinueAsNewWorkflowExecution: _continue_as_new,
    c.StartChildWorkflowExecution: child.initiate,
    c.SignalExternalWorkflowExecution: external.signal,
    c.RequestCancelExternalWorkflowExecution: external.request_cancel,
    c.RecordMarker: _marker,
    c.UpsertWorkflowSearchAttributes: _search_attributes,
    c.ModifyWorkflowProperties: _properties,
    c.AcceptUpdate: _accept_update,
    c.RejectUpdate: _reject_update,
    c.CompleteUpdate: _complete_update,
    c.ScheduleNexusOperation: _schedule_operation,
    c.RequestCancelNexusOperation: operation.request_cancel,
}
