"""Updates, for clients: alone, with a start, and asked for again."""

import asyncio

import grpc
import msgspec
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from temporalio.api.common.v1 import message_pb2 as common
from temporalio.api.enums.v1 import update_pb2, workflow_pb2
from temporalio.api.errordetails.v1 import message_pb2 as details
from temporalio.api.failure.v1 import message_pb2 as failure_pb
from temporalio.api.update.v1 import message_pb2 as update_pb
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.kernel.update import NEVER_COMPLETED
from perdure.model.access import Permission
from perdure.model.errors import AlreadyExistsError, NotFoundError, PerdureError, RunClosedError
from perdure.model.events import WorkflowExecutionUpdateAccepted
from perdure.model.ids import RunAddress
from perdure.model.requests import UpdateWorkflow
from perdure.model.service import UpdateOutcome, UpdateStage
from perdure.protocols.temporal.calls import Call, Methods, execution_of
from perdure.protocols.temporal.completion_callbacks import update_callbacks
from perdure.protocols.temporal.errors import Code, Refused, refused
from perdure.protocols.temporal.failures import failure
from perdure.protocols.temporal.names import execution
from perdure.protocols.temporal.payloads import payloads
from perdure.protocols.temporal.starting import start_request, taken, update_request

methods = Methods()

LONG_POLL_SECONDS = 20.0

Stage = update_pb2.UpdateWorkflowExecutionLifecycleStage
RUNNING = workflow_pb2.WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING

STAGES = {
    Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_UNSPECIFIED: UpdateStage.ACCEPTED,
    Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED: UpdateStage.ADMITTED,
    Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED: UpdateStage.ACCEPTED,
    Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED: UpdateStage.COMPLETED,
}


NOT_ADMITTED = "UpdateWorkflowExecution issued asynchronously and waiting on update admitted is not supported."


def _outcome(value: UpdateOutcome) -> update_pb.Outcome | None:
    """What an update came to; None while it has not."""
    if value.stage is not UpdateStage.COMPLETED:
        return None
    if value.failure is not None:
        return update_pb.Outcome(failure=failure(value.failure))
    return update_pb.Outcome(success=payloads(value.result) or common.Payloads())


async def _within(call: Call, address: RunAddress, asked: UpdateWorkflow, wait: UpdateStage) -> UpdateOutcome:
    """How far an update has come: as far as is waited for, or what there is in time."""
    reached = UpdateOutcome(UpdateStage.ADMITTED)
    # Whom the end concerns is for the server to say, which has seen that it may.
    service = call.parts.service if asked.callbacks else call.service
    try:
        async with asyncio.timeout(min(LONG_POLL_SECONDS, call.poll_seconds)):
            reached = await service.update(address, asked, min(wait, UpdateStage.ACCEPTED))
            if wait > reached.stage:
                reached = await service.update(address, asked, wait)
    except TimeoutError:
        return reached
    except RunClosedError:
        if reached.stage is UpdateStage.ACCEPTED:
            return UpdateOutcome(UpdateStage.COMPLETED, failure=NEVER_COMPLETED)
        raise
    return reached


async def _exact(call: Call, address: RunAddress) -> RunAddress:
    if address.run_id:
        return address
    run = (await call.parts.turns.resident(address)).run
    return RunAddress(address.namespace, address.workflow_id, run.run_id)


def _reference(address: RunAddress, update_id: str) -> update_pb.UpdateRef:
    return update_pb.UpdateRef(workflow_execution=execution(address.workflow_id, address.run_id), update_id=update_id)


def _response(address: RunAddress, update_id: str, value: UpdateOutcome) -> pb.UpdateWorkflowExecutionResponse:
    return pb.UpdateWorkflowExecutionResponse(
        update_ref=_reference(address, update_id),
        outcome=_outcome(value),
        stage=int(value.stage),  # type: ignore[arg-type]
    )


@methods.add
async def update_workflow_execution(
    call: Call, request: pb.UpdateWorkflowExecutionRequest
) -> pb.UpdateWorkflowExecutionResponse:
    """Ask the program for a change, and wait until it has come as far as the caller wants."""
    namespace = await call.namespace(request.namespace, Permission.OPERATE)
    address = await _exact(call, execution_of(namespace, request.workflow_execution))
    first = request.first_execution_run_id
    if first and (await call.parts.turns.resident(address)).run.started.first_execution_run_id != first:
        raise Refused.not_found("workflow execution not found")
    asked = update_request(request)
    if request.wait_policy.lifecycle_stage == Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED:
        raise Refused(Code.PERMISSION_DENIED, NOT_ADMITTED, details.PermissionDeniedFailure())
    if given := request.request.completion_callbacks:
        told = await update_callbacks(call, given, request.request.request_id)
        asked = msgspec.structs.replace(asked, callbacks=told)
    wait = STAGES.get(request.wait_policy.lifecycle_stage, UpdateStage.ACCEPTED)
    return _response(address, asked.update_id, await _within(call, address, asked, wait))


@methods.add
async def poll_workflow_execution_update(
    call: Call, request: pb.PollWorkflowExecutionUpdateRequest
) -> pb.PollWorkflowExecutionUpdateResponse:
    """How far an update has come that was asked for before, waiting as the caller wants."""
    namespace = await call.namespace(request.namespace, Permission.OPERATE)
    if not request.HasField("update_ref"):
        raise Refused.invalid("UpdateRef is not set on request.")
    reference = request.update_ref
    try:
        address = await _exact(call, execution_of(namespace, reference.workflow_execution))
    except NotFoundError:
        raise Refused.not_found(f"workflow not found for ID: {reference.workflow_execution.workflow_id}") from None
    run = (await call.parts.turns.resident(address)).run
    if reference.update_id not in run.updates:
        if run.close is not None and await _was_accepted(call, address, reference.update_id):
            lost = UpdateOutcome(UpdateStage.COMPLETED, failure=NEVER_COMPLETED)
            return pb.PollWorkflowExecutionUpdateResponse(
                outcome=_outcome(lost),
                stage=int(lost.stage),  # type: ignore[arg-type]
                update_ref=_reference(address, reference.update_id),
            )
        raise Refused.not_found(f'update "{reference.update_id}" not found')
    # Asked for with the same id it is the same one; its name is not looked at again.
    asked = UpdateWorkflow(reference.update_id, "poll")
    unspecified = request.wait_policy.lifecycle_stage == 0
    wait = (
        UpdateStage.ADMITTED if unspecified else STAGES.get(request.wait_policy.lifecycle_stage, UpdateStage.ACCEPTED)
    )
    value = await _within(call, address, asked, wait)
    return pb.PollWorkflowExecutionUpdateResponse(
        outcome=_outcome(value),
        stage=int(value.stage),  # type: ignore[arg-type]
        update_ref=_reference(address, reference.update_id),
    )


async def _was_accepted(call: Call, address: RunAddress, update_id: str) -> bool:
    """Whether a closed run had accepted an update."""
    after, is_closed = 0, False
    while not is_closed:
        page = await call.service.history(address, after=after, limit=1_000, wait=False)
        if any(
            isinstance(e, WorkflowExecutionUpdateAccepted) and e.protocol_instance_id == update_id for e in page.events
        ):
            return True
        is_closed = page.is_closed or not page.events
        after = page.events[-1].id if page.events else after
    return False


# --- with a start


@methods.add
async def execute_multi_operation(
    call: Call, request: pb.ExecuteMultiOperationRequest
) -> pb.ExecuteMultiOperationResponse:
    """Start a run, or find it, and update it, in one step."""
    namespace = await call.namespace(request.namespace, Permission.OPERATE)
    kinds = [operation.WhichOneof("operation") for operation in request.operations]
    if kinds != ["start_workflow", "update_workflow"]:
        raise Refused.invalid("Operations have to be exactly [Start, Update].")
    start, update = request.operations[0].start_workflow, request.operations[1].update_workflow
    for operation in (start, update):
        if operation.namespace not in ("", namespace):
            raise Refused.invalid("Namespace of an operation doesn't match the request's.")
    _check_together(start, update)
    try:
        asked = update_request(update)
    except Refused as refusal:
        raise _failed(refusal, 1, is_started=False) from None
    try:
        beginning = start_request(start, update=asked)
    except Refused as refusal:
        raise _failed(refusal, 0) from None
    try:
        started = await call.service.start(namespace, beginning)
    except AlreadyExistsError:
        raise _failed(await taken(call, namespace, beginning), 0) from None
    except PerdureError as error:
        raise _failed(refused(error), 0) from None
    address = RunAddress(namespace, start.workflow_id, started.run_id)
    wait = STAGES.get(update.wait_policy.lifecycle_stage, UpdateStage.ACCEPTED)
    try:
        value = await _within(call, address, asked, wait)
    except PerdureError as error:
        raise _failed(refused(error), 1) from None
    Response = pb.ExecuteMultiOperationResponse.Response  # noqa: N806  # a class
    return pb.ExecuteMultiOperationResponse(
        responses=[
            Response(
                start_workflow=pb.StartWorkflowExecutionResponse(
                    run_id=started.run_id, started=started.is_new, status=RUNNING
                )
            ),
            Response(update_workflow=_response(address, asked.update_id, value)),
        ]
    )


def _check_together(start: pb.StartWorkflowExecutionRequest, update: pb.UpdateWorkflowExecutionRequest) -> None:
    """What a start and an update may not say if they come together. Raises ``Refused``."""
    for is_wrong, message in (
        (start.cron_schedule, "CronSchedule is not allowed."),
        (start.request_eager_execution, "RequestEagerExecution is not supported."),
        (start.HasField("workflow_start_delay"), "WorkflowStartDelay is not supported."),
    ):
        if is_wrong:
            raise _failed(Refused.invalid(message), 0)
    for is_wrong, message in (
        (update.workflow_execution.run_id, "RunId is not allowed."),
        (update.first_execution_run_id, "FirstExecutionRunId is not allowed."),
        (
            update.workflow_execution.workflow_id != start.workflow_id,
            "WorkflowId is not consistent with previous operation(s).",
        ),
    ):
        if is_wrong:
            raise _failed(Refused.invalid(message), 1, is_started=False)


def _failed(refusal: Refused, at: int, *, is_started: bool = True) -> Refused:
    """The status of the whole, with that of each operation."""
    Status = details.MultiOperationExecutionFailure.OperationStatus  # noqa: N806  # a class
    aborted = Status(
        code=grpc.StatusCode.ABORTED.value[0],
        message="Operation was aborted.",
        details=[_wrapped(failure_pb.MultiOperationExecutionAborted())],
    )
    own = Status(
        code=refusal.code.value[0],
        message=refusal.message,
        details=[] if refusal.detail is None else [_wrapped(refusal.detail)],
    )
    statuses = [own, aborted] if at == 0 else [Status() if is_started else aborted, own]
    return Refused(
        refusal.code,
        "Update-with-Start could not be executed.",
        details.MultiOperationExecutionFailure(statuses=statuses),
    )


def _wrapped(message: Message) -> AnyMessage:
    wrapped = AnyMessage()
    wrapped.Pack(message)
    return wrapped
