"""Operations that a run waits for, as its description shows them."""

from temporalio.api.enums.v1 import common_pb2
from temporalio.api.workflow.v1 import message_pb2 as workflow

from perdure.kernel.run import Operation, OperationCancel
from perdure.protocols.temporal.failures import failure
from perdure.protocols.temporal.times import duration, timestamp

State = common_pb2.PendingNexusOperationState
CancelState = common_pb2.NexusOperationCancellationState


def pending_operation(operation: Operation, blocked: str = "") -> workflow.PendingNexusOperationInfo:
    """One of them; ``blocked`` is why nobody is asked for it for the time being."""
    scheduled, cancel = operation.scheduled, operation.cancel
    state = State.PENDING_NEXUS_OPERATION_STATE_SCHEDULED
    if operation.started_time:
        state = State.PENDING_NEXUS_OPERATION_STATE_STARTED
    elif operation.next_attempt_time:
        state = State.PENDING_NEXUS_OPERATION_STATE_BACKING_OFF
    elif blocked:
        state = State.PENDING_NEXUS_OPERATION_STATE_BLOCKED
    return workflow.PendingNexusOperationInfo(
        endpoint=scheduled.endpoint,
        service=scheduled.service,
        operation=scheduled.operation,
        operation_id=operation.token,
        operation_token=operation.token,
        schedule_to_close_timeout=duration(scheduled.schedule_to_close_timeout_ns),
        schedule_to_start_timeout=duration(scheduled.schedule_to_start_timeout_ns),
        start_to_close_timeout=duration(scheduled.start_to_close_timeout_ns),
        scheduled_time=timestamp(scheduled.time),
        state=state,
        attempt=operation.attempt,
        last_attempt_complete_time=timestamp(operation.failed_time),
        last_attempt_failure=failure(operation.last_failure),
        next_attempt_schedule_time=timestamp(operation.next_attempt_time),
        scheduled_event_id=scheduled.id,
        blocked_reason=blocked if state == State.PENDING_NEXUS_OPERATION_STATE_BLOCKED else "",
        cancellation_info=_cancellation(operation, cancel) if cancel is not None else None,
    )


def _cancellation(operation: Operation, cancel: OperationCancel) -> workflow.NexusOperationCancellationInfo:
    if not operation.started_time:
        state = CancelState.NEXUS_OPERATION_CANCELLATION_STATE_UNSPECIFIED
    elif cancel.is_told:
        state = (
            CancelState.NEXUS_OPERATION_CANCELLATION_STATE_SUCCEEDED
            if cancel.last_failure is None
            else CancelState.NEXUS_OPERATION_CANCELLATION_STATE_FAILED
        )
    elif cancel.next_attempt_time:
        state = CancelState.NEXUS_OPERATION_CANCELLATION_STATE_BACKING_OFF
    else:
        state = CancelState.NEXUS_OPERATION_CANCELLATION_STATE_SCHEDULED
    return workflow.NexusOperationCancellationInfo(
        requested_time=timestamp(cancel.requested.time),
        state=state,
        attempt=cancel.attempt if operation.started_time else 0,
        last_attempt_complete_time=timestamp(cancel.failed_time),
        last_attempt_failure=failure(cancel.last_failure),
        next_attempt_schedule_time=timestamp(cancel.next_attempt_time),
    )
