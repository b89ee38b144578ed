"""Offers of operations: the messages to whoever serves an endpoint, and whether one still stands."""

from collections.abc import Iterator

from perdure.kernel.commit import Message
from perdure.kernel.run import Operation, OperationCancel, Run
from perdure.model.ids import RunAddress
from perdure.model.requests import OfferOperation


def offer(operation: Operation) -> Message:
    """What offers an operation to whoever serves its endpoint."""
    scheduled = operation.scheduled
    return Message(
        scheduled.id,
        RunAddress(scheduled.namespace, ""),
        OfferOperation(scheduled.task_queue, scheduled.id, operation.attempt),
        wants_reply=True,
    )


def cancel_offer(operation: Operation, cancel: OperationCancel) -> Message:
    """What tells whoever has an operation that it is to stop."""
    scheduled = operation.scheduled
    return Message(
        cancel.requested.id,
        RunAddress(scheduled.namespace, ""),
        OfferOperation(scheduled.task_queue, scheduled.id, cancel.attempt, of_cancel=True),
        wants_reply=True,
    )


def offered(run: Run, request: OfferOperation) -> Operation | None:
    """The operation of an offer, if it still stands."""
    operation = run.operations.get(request.scheduled_event_id)
    if operation is None:
        return None
    if not request.of_cancel:
        return operation if is_offered(operation) and operation.attempt == request.attempt else None
    cancel = operation.cancel
    is_good = cancel is not None and cancel_is_offered(operation, cancel) and cancel.attempt == request.attempt
    return operation if is_good else None


def is_offered(operation: Operation) -> bool:
    """Whether somebody is to take it in hand now."""
    return not operation.started_time and not operation.next_attempt_time


def cancel_is_offered(operation: Operation, cancel: OperationCancel) -> bool:
    """Whether somebody is to take note now that it is to stop."""
    return operation.started_time > 0 and not cancel.is_told and not cancel.next_attempt_time


def messages(run: Run) -> Iterator[Message]:
    """What the run's operations wait for an answer to."""
    for operation in run.operations.values():
        cancel = operation.cancel
        if is_offered(operation):
            yield offer(operation)
        if cancel is not None and cancel_is_offered(operation, cancel):
            yield cancel_offer(operation, cancel)
