"""Batch operations, on Perdure's own batches."""

from collections.abc import Awaitable, Mapping
from typing import Any

from temporalio.api.batch.v1 import message_pb2 as batch_pb
from temporalio.api.enums.v1 import batch_operation_pb2 as enums
from temporalio.api.enums.v1 import reset_pb2
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.model.access import Permission
from perdure.model.errors import NotFoundError, RunClosedError
from perdure.model.options import RunStatus
from perdure.protocols.temporal.calls import Call, Methods
from perdure.protocols.temporal.errors import Code, Refused
from perdure.protocols.temporal.filters import filter_of
from perdure.protocols.temporal.payloads import to_map, to_payloads
from perdure.protocols.temporal.schedule_times import ns
from perdure.protocols.temporal.times import timestamp
from perdure.protocols.temporal.tokens import PageToken, decode, encode

methods = Methods()

DEFAULT_PAGE = 1_000

State = enums.BatchOperationState

TYPES: Mapping[str, int] = {
    "terminate": enums.BatchOperationType.BATCH_OPERATION_TYPE_TERMINATE,
    "cancel": enums.BatchOperationType.BATCH_OPERATION_TYPE_CANCEL,
    "signal": enums.BatchOperationType.BATCH_OPERATION_TYPE_SIGNAL,
    "delete": enums.BatchOperationType.BATCH_OPERATION_TYPE_DELETE,
    "reset": enums.BatchOperationType.BATCH_OPERATION_TYPE_RESET,
}
"""The numbers of today's servers; the newer ones for workflows mean the same."""


async def _about(job_id: str, work: Awaitable[Any]) -> Any:
    try:
        return await work
    except (NotFoundError, RunClosedError):
        raise Refused.not_found(f"workflow not found for ID: {job_id}") from None


@methods.add
async def start_batch_operation(call: Call, request: pb.StartBatchOperationRequest) -> pb.StartBatchOperationResponse:
    """Do one thing to all runs of a filter, or to those that are named."""
    namespace = await call.namespace(request.namespace, Permission.OPERATE)
    if not request.job_id:
        raise Refused.invalid("JobId is not set on request.")
    runs = [(one.workflow_id, one.run_id) for one in request.executions]
    if getattr(request, "target_executions", ()):
        runs += [(one.business_id, one.run_id) for one in request.target_executions]
    if not request.visibility_query and not runs:
        raise Refused.invalid("VisibilityQuery or Executions must be set on request.")
    if request.visibility_query and runs:
        raise Refused.invalid("VisibilityQuery and Executions are mutually exclusive.")
    if not request.reason:
        raise Refused.invalid("Reason is not set on request.")
    options: dict[str, Any] = {
        "filter": filter_of(request.visibility_query),
        "runs": runs,
        "reason": request.reason,
        "rate": max(0.0, request.max_operations_per_second),
        "id": request.job_id,
    }

    async def start() -> None:
        await _start(call.parts.batches(namespace, _identity(request)), request, options)

    details = {"namespace": namespace, "batch_id": request.job_id, "reason": request.reason}
    await call.session.perform("create_batch", start, **details)
    return pb.StartBatchOperationResponse()


def _identity(request: pb.StartBatchOperationRequest) -> str:
    kind = request.WhichOneof("operation")
    return getattr(getattr(request, kind), "identity", "") if kind else ""


async def _start(batches: Any, request: pb.StartBatchOperationRequest, options: dict[str, Any]) -> None:
    match request.WhichOneof("operation"):
        case "termination_operation":
            await batches.terminate(to_payloads(request.termination_operation.details), **options)
        case "cancellation_operation":
            await batches.cancel(**options)
        case "signal_operation":
            asked = request.signal_operation
            if not asked.signal:
                raise Refused.invalid("SignalName is not set on request.")
            await batches.signal(asked.signal, to_payloads(asked.input), to_map(asked.header.fields), **options)
        case "deletion_operation":
            await batches.delete(**options)
        case "reset_operation":
            await batches.reset(to_last=_is_to_last(request.reset_operation), **options)
        case None:
            raise Refused.invalid("The operation type is not set on request.")
        case other:
            raise Refused(Code.UNIMPLEMENTED, f"StartBatchOperation with {other} is not served by Perdure.")


def _is_to_last(asked: batch_pb.BatchOperationReset) -> bool:
    if asked.post_reset_operations:
        raise Refused(Code.UNIMPLEMENTED, "post_reset_operations are not served by Perdure.")
    if not asked.HasField("options"):
        kinds = reset_pb2.ResetType
        if asked.reset_type == kinds.RESET_TYPE_FIRST_WORKFLOW_TASK:
            return False
        if asked.reset_type == kinds.RESET_TYPE_LAST_WORKFLOW_TASK:
            return True
        raise Refused.invalid("reset_type is not set on request.")
    match asked.options.WhichOneof("target"):
        case "first_workflow_task":
            return False
        case "last_workflow_task":
            return True
        case None:
            raise Refused.invalid("The reset's target is not set on request.")
        case other:
            raise Refused(Code.UNIMPLEMENTED, f"A batch that resets to {other} is not served by Perdure.")


@methods.add
async def stop_batch_operation(call: Call, request: pb.StopBatchOperationRequest) -> pb.StopBatchOperationResponse:
    """End it; what is done stays done."""
    namespace = await call.namespace(request.namespace, Permission.OPERATE)
    batch = call.parts.batches(namespace, request.identity).get(request.job_id)
    details = {"namespace": namespace, "batch_id": request.job_id, "reason": request.reason}
    await call.session.perform("stop_batch", lambda: _about(request.job_id, batch.stop(request.reason)), **details)
    return pb.StopBatchOperationResponse()


def _state(status: RunStatus) -> Any:
    match status:
        case RunStatus.RUNNING | RunStatus.PAUSED:
            return State.BATCH_OPERATION_STATE_RUNNING
        case RunStatus.COMPLETED:
            return State.BATCH_OPERATION_STATE_COMPLETED
        case _:
            return State.BATCH_OPERATION_STATE_FAILED


@methods.add
async def describe_batch_operation(
    call: Call, request: pb.DescribeBatchOperationRequest
) -> pb.DescribeBatchOperationResponse:
    """How far it has come. Runs that were closed or gone when it was their turn count as done."""
    namespace = await call.namespace(request.namespace, Permission.READ)
    found = await _about(request.job_id, call.parts.batches(namespace, "").get(request.job_id).describe())
    return pb.DescribeBatchOperationResponse(
        operation_type=TYPES[found.operation],  # type: ignore[arg-type]  # enums are numbers on the wire
        job_id=found.id,
        state=_state(found.status),
        start_time=timestamp(ns(found.started)),
        close_time=None if found.closed is None else timestamp(ns(found.closed)),
        total_operation_count=max(0, found.total),
        complete_operation_count=found.done + found.skipped,
        failure_operation_count=found.failed,
        identity=found.identity,
        reason=found.reason,
        query=found.filter,
    )


@methods.add
async def list_batch_operations(call: Call, request: pb.ListBatchOperationsRequest) -> pb.ListBatchOperationsResponse:
    """A page of batches, the newest first."""
    namespace = await call.namespace(request.namespace, Permission.READ)
    before = 0
    if request.next_page_token:
        cursor = decode(request.next_page_token, PageToken).cursor
        if not cursor.isdecimal():
            raise Refused.invalid("Failed to deserialize token.")
        before = int(cursor)
    after = before + (request.page_size or DEFAULT_PAGE)
    shown, is_more = [], False
    place = 0
    async for found in call.parts.batches(namespace, "").list():
        if place >= after:
            is_more = True
            break
        if place >= before:
            shown.append(_listed(found))
        place += 1
    return pb.ListBatchOperationsResponse(
        operation_info=shown, next_page_token=encode(PageToken(str(after))) if is_more else b""
    )


def _listed(found: Any) -> batch_pb.BatchOperationInfo:
    message = batch_pb.BatchOperationInfo(
        job_id=found.id,
        state=_state(found.status),
        start_time=timestamp(ns(found.started)),
        close_time=None if found.closed is None else timestamp(ns(found.closed)),
    )
    if "operation_type" in message.DESCRIPTOR.fields_by_name:
        message.operation_type = TYPES[found.operation]  # type: ignore[assignment]
    return message
