"""What clients do to runs: start, signal, cancel, terminate, reset, delete."""

from temporalio.api.enums.v1 import workflow_pb2
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.model.requests import CancelWorkflow, SignalWorkflow, TerminateWorkflow
from perdure.protocols.temporal.calls import Call, Methods, execution_of
from perdure.protocols.temporal.payloads import to_map, to_payloads
from perdure.protocols.temporal.starting import signal_request, start_request

methods = Methods()

RUNNING = workflow_pb2.WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING


@methods.add
async def start_workflow_execution(
    call: Call, request: pb.StartWorkflowExecutionRequest
) -> pb.StartWorkflowExecutionResponse:
    """A run begins, or one is found, as the policies say."""
    namespace = await call.namespace(request.namespace)
    result = await call.service.start(namespace, start_request(request))
    return pb.StartWorkflowExecutionResponse(
        run_id=result.run_id, first_execution_run_id=result.run_id, started=result.is_new, status=RUNNING
    )


@methods.add
async def signal_workflow_execution(
    call: Call, request: pb.SignalWorkflowExecutionRequest
) -> pb.SignalWorkflowExecutionResponse:
    """A signal for a run."""
    namespace = await call.namespace(request.namespace)
    address = execution_of(namespace, request.workflow_execution)
    await call.service.request(address, signal_request(request))
    return pb.SignalWorkflowExecutionResponse()


@methods.add
async def signal_with_start_workflow_execution(
    call: Call, request: pb.SignalWithStartWorkflowExecutionRequest
) -> pb.SignalWithStartWorkflowExecutionResponse:
    """A signal for a run, which begins if it is not there."""
    namespace = await call.namespace(request.namespace)
    signal = SignalWorkflow(
        request.signal_name,
        to_payloads(request.signal_input),
        to_map(request.header.fields),
        request.request_id,
        request.identity,
    )
    result = await call.service.start(namespace, start_request(request, signal=signal))
    return pb.SignalWithStartWorkflowExecutionResponse(run_id=result.run_id, started=result.is_new)


@methods.add
async def request_cancel_workflow_execution(
    call: Call, request: pb.RequestCancelWorkflowExecutionRequest
) -> pb.RequestCancelWorkflowExecutionResponse:
    """The program is asked to stop."""
    namespace = await call.namespace(request.namespace)
    address = execution_of(namespace, request.workflow_execution)
    await call.service.request(address, CancelWorkflow(request.reason, request.request_id, request.identity))
    return pb.RequestCancelWorkflowExecutionResponse()


@methods.add
async def terminate_workflow_execution(
    call: Call, request: pb.TerminateWorkflowExecutionRequest
) -> pb.TerminateWorkflowExecutionResponse:
    """The run is closed at once."""
    namespace = await call.namespace(request.namespace)
    address = execution_of(namespace, request.workflow_execution)
    await call.service.request(
        address, TerminateWorkflow(request.reason, to_payloads(request.details), request.identity)
    )
    return pb.TerminateWorkflowExecutionResponse()


@methods.add
async def delete_workflow_execution(
    call: Call, request: pb.DeleteWorkflowExecutionRequest
) -> pb.DeleteWorkflowExecutionResponse:
    """The run and its history go for good."""
    namespace = await call.namespace(request.namespace)
    await call.service.delete(execution_of(namespace, request.workflow_execution))
    return pb.DeleteWorkflowExecutionResponse()


@methods.add
async def reset_workflow_execution(
    call: Call, request: pb.ResetWorkflowExecutionRequest
) -> pb.ResetWorkflowExecutionResponse:
    """The run begins again from the turn that an event belongs to."""
    namespace = await call.namespace(request.namespace)
    address = execution_of(namespace, request.workflow_execution)
    # Temporal names the end of the turn that is not to be kept.
    run_id = await call.service.reset(
        address,
        event_id=request.workflow_task_finish_event_id,
        reason=request.reason,
        request_id=request.request_id,
    )
    return pb.ResetWorkflowExecutionResponse(run_id=run_id)
