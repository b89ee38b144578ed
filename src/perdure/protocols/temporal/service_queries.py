"""Queries, for clients."""

from temporalio.api.common.v1 import message_pb2 as common
from temporalio.api.enums.v1 import query_pb2, update_pb2
from temporalio.api.errordetails.v1 import message_pb2 as details
from temporalio.api.query.v1 import message_pb2 as query_pb
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.model.options import RunStatus
from perdure.protocols.temporal.calls import Call, Methods, execution_of
from perdure.protocols.temporal.errors import Code, Refused
from perdure.protocols.temporal.payloads import payloads, to_map, to_payloads

methods = Methods()

Reject = query_pb2.QueryRejectCondition
Stage = update_pb2.UpdateWorkflowExecutionLifecycleStage


@methods.add
async def query_workflow(call: Call, request: pb.QueryWorkflowRequest) -> pb.QueryWorkflowResponse:
    """Ask a run's program, open or closed."""
    namespace = await call.namespace(request.namespace)
    address = execution_of(namespace, request.execution)
    if not request.HasField("query"):
        raise Refused.invalid("WorkflowQuery is not set on request.")
    if not request.query.query_type:
        raise Refused.invalid("QueryType is not set on request.")
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
    run = await call.parts.turns.await_somebody(address)
    if run.first_task_pending and run.close is None:
        raise Refused(
            Code.FAILED_PRECONDITION, "Workflow task is not scheduled yet.", details.WorkflowNotReadyFailure()
        )
    answer = await call.service.query(
        address, query.query_type, to_payloads(query.query_args), to_map(query.header.fields)
    )
    return pb.QueryWorkflowResponse(query_result=payloads(answer) or common.Payloads())
