"""Queries and updates, for clients."""

from temporalio.api.common.v1 import message_pb2 as common
from temporalio.api.enums.v1 import query_pb2, update_pb2
from temporalio.api.query.v1 import message_pb2 as query_pb
from temporalio.api.update.v1 import message_pb2 as update_pb
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.model.ids import RunAddress
from perdure.model.options import RunStatus
from perdure.model.service import UpdateOutcome, UpdateStage
from perdure.protocols.temporal.calls import Call, Methods, execution_of
from perdure.protocols.temporal.failures import failure
from perdure.protocols.temporal.names import execution
from perdure.protocols.temporal.payloads import payloads, to_payloads
from perdure.protocols.temporal.starting import update_request

methods = Methods()

Reject = query_pb2.QueryRejectCondition
Stage = update_pb2.UpdateWorkflowExecutionLifecycleStage


@methods.add
async def query_workflow(call: Call, request: pb.QueryWorkflowRequest) -> pb.QueryWorkflowResponse:
    """Ask a run's program, open or closed."""
    namespace = await call.namespace(request.namespace)
    address = execution_of(namespace, request.execution)
    condition = request.query_reject_condition
    if condition not in (Reject.QUERY_REJECT_CONDITION_NONE, Reject.QUERY_REJECT_CONDITION_UNSPECIFIED):
        status = (await call.service.describe(address)).summary.status
        fine = (RunStatus.RUNNING, RunStatus.PAUSED)
        if condition == Reject.QUERY_REJECT_CONDITION_NOT_COMPLETED_CLEANLY:
            fine = (*fine, RunStatus.COMPLETED)  # type: ignore[assignment]
        if status not in fine:
            return pb.QueryWorkflowResponse(
                query_rejected=query_pb.QueryRejected(status=int(status))  # type: ignore[arg-type]
            )
    query = request.query
    answer = await call.service.query(address, query.query_type, to_payloads(query.query_args))
    return pb.QueryWorkflowResponse(query_result=payloads(answer) or common.Payloads())


STAGES = {
    Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_UNSPECIFIED: UpdateStage.ACCEPTED,
    Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED: UpdateStage.ADMITTED,
    Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED: UpdateStage.ACCEPTED,
    Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED: UpdateStage.COMPLETED,
}


def outcome(value: UpdateOutcome) -> update_pb.Outcome | None:
    """What an update came to; None while it has not."""
    if value.stage is not UpdateStage.COMPLETED:
        return None
    if value.failure is not None:
        return update_pb.Outcome(failure=failure(value.failure))
    return update_pb.Outcome(success=payloads(value.result) or common.Payloads())


def update_response(
    run_id: str, address: RunAddress, update_id: str, value: UpdateOutcome
) -> pb.UpdateWorkflowExecutionResponse:
    """How far an update has come."""
    return pb.UpdateWorkflowExecutionResponse(
        update_ref=update_pb.UpdateRef(workflow_execution=execution(address.workflow_id, run_id), update_id=update_id),
        outcome=outcome(value),
        stage=int(value.stage),  # type: ignore[arg-type]
    )


@methods.add
async def update_workflow_execution(
    call: Call, request: pb.UpdateWorkflowExecutionRequest
) -> pb.UpdateWorkflowExecutionResponse:
    """Ask the program for a change, and wait until it has come as far as the caller wants."""
    namespace = await call.namespace(request.namespace)
    address = execution_of(namespace, request.workflow_execution)
    asked = update_request(request)
    wait = STAGES.get(request.wait_policy.lifecycle_stage, UpdateStage.ACCEPTED)
    value = await call.service.update(address, asked, wait)
    run_id = address.run_id or (await call.service.describe(address)).summary.run_id
    return update_response(run_id, address, asked.update_id, value)
