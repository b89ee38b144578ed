"""Operations: what a program asks of somebody behind an endpoint, in any namespace.

An operation is offered by a message that stays in the outbox until somebody has answered it. The answer is its outcome;
or that it is accepted and goes on by itself, and then its outcome comes later, often from the run that it is
(``OperationClosed``). Who answers is asked at least once, with the same ``request_id`` each time; an answer is taken once.

That an operation is to stop is offered in the same way, once it is accepted.
"""

from collections.abc import Iterator

from perdure.kernel import workflow_task
from perdure.kernel.commit import Commit, Reason, Rejection
from perdure.kernel.operation_offers import cancel_is_offered, cancel_offer, is_offered, offer
from perdure.kernel.run import Operation, OperationCancel, Run
from perdure.model import events as e
from perdure.model.commands import RequestCancelNexusOperation, ScheduleNexusOperation
from perdure.model.errors import InvariantError
from perdure.model.failures import FailedOperation, Failure, FailureKind, TimeoutType
from perdure.model.options import RetryPolicy
from perdure.model.payloads import Payloads
from perdure.model.requests import (
    AcceptOperation,
    CompleteOperation,
    EndOperation,
    FailOperation,
    FailOperationAttempt,
    OfferOperation,
    OperationCancelDelivered,
    OperationClosed,
)

RETRIES = RetryPolicy(initial_ns=1_000_000_000, backoff=2.0, maximum_ns=3_600_000_000_000)
"""Without an end, but for the operation's timeouts."""

UNSUCCESSFUL = "nexus operation completed unsuccessfully"
"""What Temporal says of every operation that did not succeed; the cause says why."""


# --- from the program


def schedule(commit: Commit, command: ScheduleNexusOperation, task_completed_id: int, request_id: str) -> None:
    """The program wants an operation; ``request_id`` names it for whoever may be asked for it twice."""
    run, ref = commit.run, commit.next_id
    commit.record(
        scheduled := e.NexusOperationScheduled(
            ref,
            commit.now,
            command.endpoint,
            command.service,
            command.operation,
            command.namespace,
            command.task_queue,
            request_id,
            command.input,
            command.schedule_to_close_timeout_ns,
            command.schedule_to_start_timeout_ns,
            command.start_to_close_timeout_ns,
            command.nexus_header,
            command.endpoint_id,
            task_completed_id,
            command.user_metadata,
        )
    )
    commit.operations += ((scheduled, scheduled),)
    operation = run.operations[ref]
    if (due := operation_due(operation)) > 0:
        commit.set_timer(due, ref)
    commit.send(offer(operation))


def request_cancel(commit: Commit, command: RequestCancelNexusOperation, task_completed_id: int) -> None:
    """The program no longer wants it. Whoever has it is told once it is accepted."""
    operation = commit.run.operations.get(command.scheduled_event_id)
    commit.record(
        e.NexusOperationCancelRequested(commit.next_id, commit.now, command.scheduled_event_id, task_completed_id)
    )
    if operation is not None and operation.cancel is not None and operation.started_time:
        commit.send(cancel_offer(operation, operation.cancel))


def refuse_offer(commit: Commit, request: OfferOperation) -> Rejection:
    """A run is nobody who serves an endpoint."""
    return Rejection(
        Reason.INVALID, f"Run {commit.run.run_id} takes no operations: they are for those who ask for them."
    )


# --- from whoever serves the endpoint


def _asked(commit: Commit, request: AcceptOperation | CompleteOperation | FailOperation) -> Operation | Rejection:
    """The operation that an answer is about."""
    operation = commit.run.operations.get(request.scheduled_event_id)
    if operation is None or operation.attempt != request.attempt or not is_offered(operation):
        return _stale(commit, request.scheduled_event_id, request.attempt)
    return operation


def accept(commit: Commit, request: AcceptOperation) -> Rejection | None:
    """It goes on by itself."""
    operation = _asked(commit, request)
    if isinstance(operation, Rejection):
        return operation
    _accept(commit, operation, request.token, request.links)
    workflow_task.schedule(commit)
    return None


def _accept(commit: Commit, operation: Operation, token: str, links: tuple[bytes, ...]) -> None:
    scheduled, before = operation.scheduled, operation_due(operation)
    if is_offered(operation):
        commit.arrived(scheduled.id)
    commit.occur(
        e.NexusOperationStarted(commit.occurrence_id(), commit.now, scheduled.id, token, scheduled.request_id, links)
    )
    _reset_timer(commit, scheduled.id, before, operation_due(operation))
    if operation.cancel is not None:
        commit.send(cancel_offer(operation, operation.cancel))


def complete(commit: Commit, request: CompleteOperation) -> Rejection | None:
    """It succeeded at once."""
    operation = _asked(commit, request)
    if isinstance(operation, Rejection):
        return operation
    _end_well(commit, operation, request.result, request.links)
    return None


def fail(commit: Commit, request: FailOperation) -> Rejection | None:
    """It failed at once, or was cancelled."""
    operation = _asked(commit, request)
    if isinstance(operation, Rejection):
        return operation
    _end_badly(commit, operation, request.failure, is_cancelled=request.canceled)
    return None


def attempt_failed(commit: Commit, request: FailOperationAttempt) -> Rejection | None:
    """Nobody took it in hand, or note that it is to stop. Another attempt follows unless this one is final."""
    operation = commit.run.operations.get(request.scheduled_event_id)
    of_cancel = request.of_cancel
    cancel = operation.cancel if operation is not None and of_cancel else None
    stands = operation is not None and (
        is_offered(operation) if not of_cancel else cancel is not None and cancel_is_offered(operation, cancel)
    )
    pending = cancel if of_cancel else operation
    if operation is None or pending is None or not stands or pending.attempt != request.attempt:
        return _stale(commit, request.scheduled_event_id, request.attempt)
    if request.final:
        if cancel is None:
            _end_badly(commit, operation, request.failure, is_cancelled=False)
        else:
            _cancel_told(commit, operation, cancel, request.failure)
        return None
    ref = cancel.requested.id if cancel is not None else operation.scheduled.id
    before = due(operation, ref)
    again = commit.now + RETRIES.delay_ns(request.attempt)
    failed = e.OperationAttemptFailed(
        0, commit.now, request.scheduled_event_id, request.attempt, request.failure, again, of_cancel
    )
    commit.record(failed)
    commit.operations += ((operation.scheduled, failed),)
    commit.arrived(ref)
    _reset_timer(commit, ref, before, due(operation, ref))
    return None


def cancel_delivered(commit: Commit, request: OperationCancelDelivered) -> Rejection | None:
    """Whoever carries it out knows that it is to stop."""
    operation = commit.run.operations.get(request.scheduled_event_id)
    cancel = operation.cancel if operation is not None else None
    if (
        operation is None
        or cancel is None
        or cancel.attempt != request.attempt
        or not cancel_is_offered(operation, cancel)
    ):
        return _stale(commit, request.scheduled_event_id, request.attempt)
    _cancel_told(commit, operation, cancel, None)
    return None


def _cancel_told(commit: Commit, operation: Operation, cancel: OperationCancel, failure: Failure | None) -> None:
    requested, ref = cancel.requested.id, operation.scheduled.id
    commit.arrived(requested)
    event_id = commit.occurrence_id()
    if failure is None:
        commit.occur(e.NexusOperationCancelRequestCompleted(event_id, commit.now, requested, ref))
    else:
        commit.occur(e.NexusOperationCancelRequestFailed(event_id, commit.now, requested, ref, failure))
    workflow_task.schedule(commit)


def _stale(commit: Commit, scheduled_event_id: int, attempt: int) -> Rejection:
    return Rejection(
        Reason.STALE,
        f"Run {commit.run.run_id} does not wait for an answer to attempt {attempt} of operation {scheduled_event_id}: it has "
        "ended, was accepted, or is asked for anew.",
    )


# --- from the run that the operation is


def closed(commit: Commit, request: OperationClosed) -> Rejection | None:
    """The run has closed. Its message may overtake the answer of whoever started it."""
    operation = _awaited(commit, request.scheduled_event_id, request.request_id)
    if isinstance(operation, Rejection):
        return operation
    if not operation.started_time:
        _accept(commit, operation, request.token, ())
    match request.closing:
        case e.WorkflowExecutionCompleted(result=result):
            _end_well(commit, operation, result[:1], ())
        case e.WorkflowExecutionFailed(failure=failure):
            _end_badly(commit, operation, failure, is_cancelled=False)
        case e.WorkflowExecutionUpdateCompleted(result=result, failure=None):
            _end_well(commit, operation, result[:1], ())
        case e.WorkflowExecutionUpdateCompleted(failure=Failure() as failure):
            _end_badly(commit, operation, failure, is_cancelled=False)
        case e.WorkflowExecutionCanceled(details=details):
            failure = Failure("operation canceled", FailureKind.CANCELED, details=details)
            _end_badly(commit, operation, failure, is_cancelled=True)
        case e.WorkflowExecutionTerminated():
            failure = Failure("operation terminated", FailureKind.TERMINATED)
            _end_badly(commit, operation, failure, is_cancelled=False)
        case e.WorkflowExecutionTimedOut():
            failure = Failure("operation timed out", FailureKind.TIMEOUT, timeout_type=TimeoutType.START_TO_CLOSE)
            _end_badly(commit, operation, failure, is_cancelled=False)
        case e.WorkflowExecutionContinuedAsNew():
            failure = Failure("the run went on in another one", FailureKind.SERVER)
            _end_badly(commit, operation, failure, is_cancelled=False)
        case other:
            raise InvariantError(f"{other.__class__.__name__} does not close a run.")
    return None


def _awaited(commit: Commit, scheduled_event_id: int, request_id: str) -> Operation | Rejection:
    operation = commit.run.operations.get(scheduled_event_id)
    if operation is None or operation.scheduled.request_id != request_id:
        return Rejection(Reason.STALE, f"Run {commit.run.run_id} does not wait for an operation {scheduled_event_id}.")
    return operation


# --- from whoever else carries it out


def ended(commit: Commit, request: EndOperation) -> Rejection | None:
    """It has ended. That may be said before whoever was asked for it has answered."""
    operation = _awaited(commit, request.scheduled_event_id, request.request_id)
    if isinstance(operation, Rejection):
        return operation
    if not operation.started_time:
        _accept(commit, operation, request.token, request.links)
    if request.failure is None:
        _end_well(commit, operation, request.result, ())
    else:
        _end_badly(commit, operation, request.failure, is_cancelled=request.canceled)
    return None


# --- from the clock


def operation_due(operation: Operation) -> int:
    """When something must happen to it: its next attempt or a timeout (ns since 1970); 0 for never."""
    scheduled, started = operation.scheduled, operation.started_time
    found = [operation.next_attempt_time] if operation.next_attempt_time else []
    if scheduled.schedule_to_close_timeout_ns:
        found.append(scheduled.time + scheduled.schedule_to_close_timeout_ns)
    if scheduled.schedule_to_start_timeout_ns and not started:
        found.append(scheduled.time + scheduled.schedule_to_start_timeout_ns)
    if scheduled.start_to_close_timeout_ns and started:
        found.append(started + scheduled.start_to_close_timeout_ns)
    return min(found, default=0)


def due(operation: Operation, ref: int) -> int:
    """When something must happen under a name of the operation's: its own, or that of its cancellation."""
    if ref == operation.scheduled.id:
        return operation_due(operation)
    cancel = operation.cancel
    return cancel.next_attempt_time if cancel is not None and cancel.requested.id == ref else 0


def named(run: Run, ref: int) -> Operation | None:
    """The operation that a deadline or a message is about: its own, or its cancellation's."""
    operation = run.operations.get(ref)
    if operation is not None:
        return operation
    for other in run.operations.values():
        if other.cancel is not None and other.cancel.requested.id == ref:
            return other
    return None


def timers(run: Run) -> Iterator[tuple[int, int]]:
    """All ``(due, ref)`` pairs of the run's operations."""
    for ref, operation in run.operations.items():
        cancel = operation.cancel
        for name in (ref, cancel.requested.id if cancel is not None else 0):
            if name and (when := due(operation, name)):
                yield when, name


def clock(commit: Commit, operation: Operation, ref: int) -> None:
    """What is due under this name by now."""
    now, scheduled, before = commit.now, operation.scheduled, due(operation, ref)
    of_cancel = ref != scheduled.id
    started = operation.started_time
    to_close, to_start = scheduled.schedule_to_close_timeout_ns, scheduled.schedule_to_start_timeout_ns
    if not of_cancel and to_close and now >= scheduled.time + to_close:
        _time_out(commit, operation, TimeoutType.SCHEDULE_TO_CLOSE)
    elif not of_cancel and not started and to_start and now >= scheduled.time + to_start:
        _time_out(commit, operation, TimeoutType.SCHEDULE_TO_START)
    elif not of_cancel and started and scheduled.start_to_close_timeout_ns and before <= now:
        _time_out(commit, operation, TimeoutType.START_TO_CLOSE)
    else:
        commit.record(e.OperationOffered(0, now, scheduled.id, of_cancel))
        _reset_timer(commit, ref, before, due(operation, ref))
        cancel = operation.cancel
        commit.send(cancel_offer(operation, cancel) if of_cancel and cancel is not None else offer(operation))


def _time_out(commit: Commit, operation: Operation, timeout_type: TimeoutType) -> None:
    cause = Failure("operation timed out", FailureKind.TIMEOUT, timeout_type=timeout_type)
    _let_go(commit, operation)
    scheduled = operation.scheduled
    _occur(
        commit,
        scheduled,
        e.NexusOperationTimedOut(
            commit.occurrence_id(), commit.now, scheduled.id, _of(operation, cause), scheduled.request_id
        ),
    )


# --- what they share


def _end_well(commit: Commit, operation: Operation, result: Payloads, links: tuple[bytes, ...]) -> None:
    scheduled = operation.scheduled
    _let_go(commit, operation)
    event_id = commit.occurrence_id()
    event = e.NexusOperationCompleted(event_id, commit.now, scheduled.id, result, scheduled.request_id, links)
    _occur(commit, scheduled, event)


def _end_badly(commit: Commit, operation: Operation, cause: Failure, *, is_cancelled: bool) -> None:
    scheduled, failure = operation.scheduled, _of(operation, cause)
    _let_go(commit, operation)
    kind = e.NexusOperationCanceled if is_cancelled else e.NexusOperationFailed
    _occur(commit, scheduled, kind(commit.occurrence_id(), commit.now, scheduled.id, failure, scheduled.request_id))


def _occur(commit: Commit, scheduled: e.NexusOperationScheduled, event: e.Event) -> None:
    """The operation has ended."""
    commit.occur(event)
    commit.operations += ((scheduled, event),)
    workflow_task.schedule(commit)


def _of(operation: Operation, cause: Failure) -> Failure:
    scheduled = operation.scheduled
    return Failure(
        UNSUCCESSFUL,
        FailureKind.OPERATION,
        cause=cause,
        scheduled_event_id=scheduled.id,
        operation=FailedOperation(scheduled.endpoint, scheduled.service, scheduled.operation, operation.token),
    )


def _let_go(commit: Commit, operation: Operation) -> None:
    """It ends: nobody need be asked any more, and no clock looked at."""
    ref, cancel = operation.scheduled.id, operation.cancel
    if (when := operation_due(operation)) > 0:
        commit.drop_timer(when, ref)
    if is_offered(operation):
        commit.arrived(ref)
    if cancel is not None:
        if cancel.next_attempt_time:
            commit.drop_timer(cancel.next_attempt_time, cancel.requested.id)
        if cancel_is_offered(operation, cancel):
            commit.arrived(cancel.requested.id)


def let_all_go(commit: Commit) -> None:
    """The run closes: whoever carries out its operations may go on, and nobody hears of it."""
    for operation in commit.run.operations.values():
        _let_go(commit, operation)


def _reset_timer(commit: Commit, ref: int, before: int, after: int) -> None:
    if before != after:
        if before:
            commit.drop_timer(before, ref)
        if after:
            commit.set_timer(after, ref)
