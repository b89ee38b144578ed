"""What clients do to runs: start, signal, cancel, terminate, reset, delete."""

from temporalio.api.enums.v1 import event_type_pb2, reset_pb2, workflow_pb2
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.model.access import Permission
from perdure.model.errors import AlreadyExistsError, RunClosedError
from perdure.model.ids import RunAddress
from perdure.model.requests import CancelWorkflow, PauseWorkflow, ResumeWorkflow, TerminateWorkflow
from perdure.protocols.temporal.calls import Call, Methods, execution_of
from perdure.protocols.temporal.completion_callbacks import with_callbacks
from perdure.protocols.temporal.errors import Refused
from perdure.protocols.temporal.nexus_links import event_link
from perdure.protocols.temporal.payloads import to_payloads
from perdure.protocols.temporal.start_checks import check_links
from perdure.protocols.temporal.starting import signal_request, start_request, taken
from perdure.protocols.temporal.turn_tasks import turn_task

methods = Methods()

Reapply, Exclude = reset_pb2.ResetReapplyType, reset_pb2.ResetReapplyExcludeType

BY_USER = "terminated by user via frontend"
FRONTEND = "frontend-service"
"""Who ended a run if nobody says so, as by Temporal's server."""
STARTED = event_type_pb2.EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
RUNNING = workflow_pb2.WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING


@methods.add
async def start_workflow_execution(
    call: Call, request: pb.StartWorkflowExecutionRequest
) -> pb.StartWorkflowExecutionResponse:
    """A run begins, or one is found, as the policies say."""
    namespace = await call.namespace(request.namespace, Permission.OPERATE)
    asked = await with_callbacks(call, namespace, request.completion_callbacks, start_request(request))
    # Who hears of the end is for the server to say, which has seen that they may.
    service = call.parts.service if asked.completion_callbacks else call.service
    with call.parts.turns.expect(
        namespace, asked.task_queue, asked.workflow_id if asked.is_eager else "", identity=request.identity
    ) as expected:
        try:
            result = await service.start(namespace, asked)
        except AlreadyExistsError:
            raise await taken(call, namespace, asked) from None
    turn = expected.turn
    is_repeat, status = False, int(RUNNING)
    if not result.is_new:
        run = (await call.parts.turns.resident(RunAddress(namespace, asked.workflow_id, result.run_id))).run
        is_repeat, status = bool(asked.request_id) and run.started.request_id == asked.request_id, run.status.value
    return pb.StartWorkflowExecutionResponse(
        run_id=result.run_id,
        started=result.is_new or is_repeat,
        status=status,  # type: ignore[arg-type]
        link=event_link(namespace, asked.workflow_id, result.run_id, 1, STARTED),
        eager_workflow_task=turn_task(turn) if turn is not None else None,
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
    asked = start_request(request, signal=signal_request(request))
    try:
        result = await call.service.start(namespace, asked)
    except AlreadyExistsError:
        raise await taken(call, namespace, asked) from None
    return pb.SignalWithStartWorkflowExecutionResponse(run_id=result.run_id, started=result.is_new)


@methods.add
async def request_cancel_workflow_execution(
    call: Call, request: pb.RequestCancelWorkflowExecutionRequest
) -> pb.RequestCancelWorkflowExecutionResponse:
    """The program is asked to stop."""
    namespace = await call.namespace(request.namespace)
    address = execution_of(namespace, request.workflow_execution)
    try:
        if request.first_execution_run_id:
            address = await _of_chain(call, address, request.first_execution_run_id)
        await call.service.request(address, CancelWorkflow(request.reason, request.request_id, request.identity))
    except RunClosedError:
        pass  # it has stopped already
    return pb.RequestCancelWorkflowExecutionResponse()


async def _of_chain(call: Call, address: RunAddress, first_run_id: str) -> RunAddress:
    """The run that is meant, which goes back to this first one. Raises ``Refused`` if it does not."""
    run = (await call.parts.turns.resident(address)).run
    if run.started.first_execution_run_id != first_run_id:
        raise Refused.not_found("workflow execution not found")
    return RunAddress(address.namespace, address.workflow_id, run.run_id)


@methods.add
async def terminate_workflow_execution(
    call: Call, request: pb.TerminateWorkflowExecutionRequest
) -> pb.TerminateWorkflowExecutionResponse:
    """The run is closed at once."""
    namespace = await call.namespace(request.namespace)
    check_links(request.links)
    address = execution_of(namespace, request.workflow_execution)
    if request.first_execution_run_id:
        address = await _of_chain(call, address, request.first_execution_run_id)
    await call.service.request(
        address,
        TerminateWorkflow(request.reason or BY_USER, to_payloads(request.details), request.identity or FRONTEND),
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
    length = (await call.service.describe(address)).summary.history_length
    if not 1 < request.workflow_task_finish_event_id <= length:
        raise Refused.invalid("Workflow task finish ID must be > 1 && <= workflow last event ID.")
    # It names the end of the turn that is taken again; the engine finds the turn by any of its events.
    run_id = await call.service.reset(
        address,
        event_id=request.workflow_task_finish_event_id,
        reason=request.reason,
        request_id=request.request_id,
        leaves_out=_not_reapplied(request),
    )
    return pb.ResetWorkflowExecutionResponse(run_id=run_id)


def _not_reapplied(request: pb.ResetWorkflowExecutionRequest) -> list[str]:
    """What does not come again in the run that begins there; nobody is asked to stop there in any case."""
    kind, excluded = request.reset_reapply_type, request.reset_reapply_exclude_types
    left_out = []
    if kind == Reapply.RESET_REAPPLY_TYPE_NONE or Exclude.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL in excluded:
        left_out.append("signals")
    if (
        kind in (Reapply.RESET_REAPPLY_TYPE_NONE, Reapply.RESET_REAPPLY_TYPE_SIGNAL)
        or Exclude.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE in excluded
    ):
        left_out.append("updates")
    return left_out


@methods.add
async def pause_workflow_execution(
    call: Call, request: pb.PauseWorkflowExecutionRequest
) -> pb.PauseWorkflowExecutionResponse:
    """Nothing new starts until the run is resumed."""
    namespace = await call.namespace(request.namespace)
    address = execution_of(namespace, request)
    await call.service.request(address, PauseWorkflow(request.reason, request.identity, request.request_id))
    return pb.PauseWorkflowExecutionResponse()


@methods.add
async def unpause_workflow_execution(
    call: Call, request: pb.UnpauseWorkflowExecutionRequest
) -> pb.UnpauseWorkflowExecutionResponse:
    """The run goes on."""
    namespace = await call.namespace(request.namespace)
    address = execution_of(namespace, request)
    await call.service.request(address, ResumeWorkflow(request.reason, request.identity, request.request_id))
    return pb.UnpauseWorkflowExecutionResponse()
