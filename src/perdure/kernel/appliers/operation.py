"""Operations."""

from typing import Any

from perdure.kernel.appliers.applier import Applier
from perdure.kernel.run import Operation, OperationCancel, Run
from perdure.model import events as e


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


APPLIERS: dict[type, Applier] = {
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
}
