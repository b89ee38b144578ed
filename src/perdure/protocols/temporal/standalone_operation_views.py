"""Standalone operations as clients see them: from the run while it is open, from its history once it is closed."""

from collections.abc import Sequence
from typing import Any

import msgspec
from temporalio.api.common.v1 import message_pb2 as common
from temporalio.api.enums.v1 import nexus_pb2
from temporalio.api.failure.v1 import message_pb2 as failure_pb
from temporalio.api.nexus.v1 import message_pb2 as nexus

from perdure.kernel.run import Operation, Run
from perdure.model import events as e
from perdure.model.failures import Failure, FailureKind
from perdure.model.options import RunStatus
from perdure.model.payloads import NULL, Payload, PayloadMap
from perdure.model.search import AttributeTypes
from perdure.model.service import RunDescription, RunSummary
from perdure.model.standalone_operation import ENDPOINT_ATTRIBUTE, PREFIX, OperationOrder, order_of
from perdure.protocols.temporal.failures import failure
from perdure.protocols.temporal.payloads import payload, user_metadata
from perdure.protocols.temporal.pending_operations import pending_operation
from perdure.protocols.temporal.search_values import search_attributes
from perdure.protocols.temporal.times import duration, timestamp

Status = nexus_pb2.NexusOperationExecutionStatus

STATUSES = {
    RunStatus.RUNNING: Status.NEXUS_OPERATION_EXECUTION_STATUS_RUNNING,
    RunStatus.PAUSED: Status.NEXUS_OPERATION_EXECUTION_STATUS_RUNNING,
    RunStatus.COMPLETED: Status.NEXUS_OPERATION_EXECUTION_STATUS_COMPLETED,
    RunStatus.FAILED: Status.NEXUS_OPERATION_EXECUTION_STATUS_FAILED,
    RunStatus.CANCELED: Status.NEXUS_OPERATION_EXECUTION_STATUS_CANCELED,
    RunStatus.TERMINATED: Status.NEXUS_OPERATION_EXECUTION_STATUS_TERMINATED,
    RunStatus.TIMED_OUT: Status.NEXUS_OPERATION_EXECUTION_STATUS_TIMED_OUT,
}

ENDS = (e.NexusOperationFailed, e.NexusOperationCanceled, e.NexusOperationTimedOut)


class Seen(msgspec.Struct):
    """A standalone operation: its run, and the run's history."""

    run: Run
    description: RunDescription
    events: Sequence[e.Event]
    types: AttributeTypes

    @property
    def order(self) -> OperationOrder:
        """What was asked for."""
        own_id = self.run.workflow_id.removeprefix(PREFIX)
        return order_of(self.run.started.input) or OperationOrder(own_id, "", "", "")

    @property
    def operation(self) -> Operation | None:
        """As long as it has not ended."""
        return next(iter(self.run.operations.values()), None)

    @property
    def token(self) -> str:
        """Its name where it runs; empty if it was never accepted."""
        started = self.last(e.NexusOperationStarted)
        return started.operation_token if started is not None else token_of(self.run)

    def last(self, *kinds: type[e.Event]) -> Any:
        """The last event of these kinds; None if there is none."""
        return next((event for event in reversed(self.events) if isinstance(event, kinds)), None)


def token_of(run: Run) -> str:
    """The name of a run's operation where it runs, while it does."""
    return next((operation.token for operation in run.operations.values()), "")


def version_of(run: Run) -> str:
    """Differs whenever anything about the operation does."""
    now: list[object] = []
    for operation in run.operations.values():
        cancel = operation.cancel
        now += [operation.attempt, operation.next_attempt_time, operation.token]
        now += [cancel.attempt, cancel.next_attempt_time] if cancel is not None else []
    return ".".join(map(str, (run.next_event_id, run.cancel_requested, *now)))


def ending(seen: Seen) -> tuple[common.Payload | None, failure_pb.Failure | None]:
    """The result of one that succeeded, or how it did not."""
    close = seen.run.close
    if isinstance(close, e.WorkflowExecutionCompleted):
        return payload(close.result[0] if close.result else Payload(b"", NULL)), None
    if isinstance(close, e.WorkflowExecutionTerminated):
        return None, failure(Failure(close.reason, FailureKind.TERMINATED, identity=close.identity))
    end = seen.last(*ENDS)
    found = (end.failure.cause or end.failure) if end is not None else getattr(close, "failure", None)
    if found is None:
        found = Failure("operation canceled", FailureKind.CANCELED)
    return None, failure(found)


def _own_attributes(values: PayloadMap) -> PayloadMap:
    return {name: value for name, value in values.items() if name != ENDPOINT_ATTRIBUTE}


def list_info(summary: RunSummary, types: AttributeTypes) -> nexus.NexusOperationExecutionListInfo:
    """As lists show it."""
    service, _, operation = summary.workflow_type.partition("/")
    endpoint: Payload | None = summary.search_attributes.get(ENDPOINT_ATTRIBUTE)
    return nexus.NexusOperationExecutionListInfo(
        operation_id=summary.workflow_id.removeprefix(PREFIX),
        run_id=summary.run_id,
        endpoint=msgspec.json.decode(endpoint.data, type=str) if endpoint is not None else "",
        service=service,
        operation=operation,
        schedule_time=timestamp(summary.start_time),
        close_time=timestamp(summary.close_time),
        status=STATUSES[summary.status],
        search_attributes=search_attributes(_own_attributes(summary.search_attributes), types),
        state_transition_count=summary.history_length,
        execution_duration=duration(summary.close_time - summary.start_time) if summary.close_time else None,
    )


def info(seen: Seen, blocked: str) -> nexus.NexusOperationExecutionInfo:
    """Everything about it; ``blocked`` is why nobody is asked for it for the time being."""
    run, summary, operation, order = seen.run, seen.description.summary, seen.operation, seen.order
    started, limit = run.started, order.schedule_to_close_timeout_ns
    found = nexus.NexusOperationExecutionInfo(
        operation_id=order.operation_id,
        run_id=run.run_id,
        endpoint=order.endpoint,
        service=order.service,
        operation=order.operation,
        status=STATUSES[summary.status],
        schedule_to_close_timeout=duration(limit),
        schedule_to_start_timeout=duration(order.schedule_to_start_timeout_ns),
        start_to_close_timeout=duration(order.start_to_close_timeout_ns),
        attempt=1,
        schedule_time=timestamp(started.time),
        expiration_time=timestamp(started.time + limit if limit else 0),
        close_time=timestamp(summary.close_time),
        execution_duration=duration(summary.close_time - summary.start_time) if summary.close_time else None,
        request_id=started.request_id,
        operation_token=seen.token,
        state_transition_count=summary.history_length,
        search_attributes=search_attributes(_own_attributes(summary.search_attributes), seen.types),
        nexus_header=order.headers,
        user_metadata=user_metadata(started.user_metadata) if started.user_metadata is not None else None,
        identity=started.identity,
        state_size_bytes=seen.description.history_size_bytes,
    )
    if operation is not None and run.close is None:
        pending = pending_operation(operation, blocked)
        for name in ("state", "attempt", "blocked_reason"):
            setattr(found, name, getattr(pending, name))
        for name in ("last_attempt_complete_time", "last_attempt_failure", "next_attempt_schedule_time"):
            if pending.HasField(name):  # type: ignore[arg-type]  # they are fields
                getattr(found, name).CopyFrom(getattr(pending, name))
    _add_cancellation(found, seen)
    return found


def _add_cancellation(found: nexus.NexusOperationExecutionInfo, seen: Seen) -> None:
    request = seen.last(e.WorkflowExecutionCancelRequested)
    if request is None:
        return
    told = found.cancellation_info
    told.requested_time.CopyFrom(timestamp(request.time))  # type: ignore[arg-type]
    told.reason = request.cause
    operation = seen.operation
    if operation is None or operation.cancel is None:
        return
    pending = pending_operation(operation).cancellation_info
    told.state, told.attempt = pending.state, pending.attempt
    if pending.HasField("last_attempt_failure"):
        told.last_attempt_failure.CopyFrom(pending.last_attempt_failure)
