"""What operators do to one activity, of a run or standalone: pause, unpause, reset, other options.

The same as the calls of ``service_activity_control``, which only know activities of runs, under newer names."""

from typing import Any

from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.model.ids import RunAddress
from perdure.model.requests import OutsideRequest, PauseActivity, ResetActivity, UnpauseActivity
from perdure.protocols.temporal import service_activity_control as control
from perdure.protocols.temporal.calls import Call, Methods
from perdure.protocols.temporal.errors import Refused
from perdure.protocols.temporal.service_standalone import address_of, seen

methods = Methods()


async def _named(call: Call, request: Any) -> RunAddress:
    """The run that the activity is of."""
    namespace = await call.namespace(request.namespace)
    if not request.activity_id:
        raise Refused.invalid("ActivityId is not set on request.")
    if request.workflow_id:
        return RunAddress(namespace, request.workflow_id, request.run_id)
    address = address_of(namespace, request)
    found = await seen(call, address)
    return RunAddress(namespace, address.workflow_id, found.run.run_id)


async def _send(call: Call, request: Any, asked: OutsideRequest) -> None:
    await control.send(call, await _named(call, request), asked)


@methods.add
async def pause_activity_execution(
    call: Call, request: pb.PauseActivityExecutionRequest
) -> pb.PauseActivityExecutionResponse:
    """No further attempt starts."""
    await _send(call, request, PauseActivity(request.activity_id, "", request.reason, request.identity))
    return pb.PauseActivityExecutionResponse()


@methods.add
async def unpause_activity_execution(
    call: Call, request: pb.UnpauseActivityExecutionRequest
) -> pb.UnpauseActivityExecutionResponse:
    """Attempts start again."""
    delay_ns = control.within(request.jitter)
    await _send(call, request, UnpauseActivity(request.activity_id, "", delay_ns=delay_ns, identity=request.identity))
    return pb.UnpauseActivityExecutionResponse()


@methods.add
async def reset_activity_execution(
    call: Call, request: pb.ResetActivityExecutionRequest
) -> pb.ResetActivityExecutionResponse:
    """Attempts are counted from 1 again."""
    asked = ResetActivity(
        request.activity_id,
        "",
        request.reset_heartbeat,
        request.keep_paused,
        request.restore_original_options,
        control.within(request.jitter),
        request.identity,
    )
    await _send(call, request, asked)
    return pb.ResetActivityExecutionResponse()


@methods.add
async def update_activity_execution_options(
    call: Call, request: pb.UpdateActivityExecutionOptionsRequest
) -> pb.UpdateActivityExecutionOptionsResponse:
    """Other options, and those that the activity has then."""
    address = await _named(call, request)
    options = await control.change_options(call, request, address, request.activity_id, "")
    return pb.UpdateActivityExecutionOptionsResponse(activity_options=options)
