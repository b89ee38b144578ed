"""Activities: tasks for workers, and what became of them, by token or by id."""

from typing import Any

from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.model.access import Permission
from perdure.model.errors import InvalidArgumentError, NotFoundError, RunClosedError
from perdure.model.ids import RunAddress
from perdure.model.payloads import Payloads
from perdure.model.requests import CancelActivity, CompleteActivity, FailActivity, HeartbeatActivity, OutsideRequest
from perdure.model.standalone import PREFIX
from perdure.protocols.temporal.activity_tasks import activity_task
from perdure.protocols.temporal.calls import Call, Methods
from perdure.protocols.temporal.errors import Refused
from perdure.protocols.temporal.failures import to_failure
from perdure.protocols.temporal.payloads import to_payloads
from perdure.protocols.temporal.tokens import GONE, ActivityToken, decode
from perdure.protocols.temporal.versions import deployment_of

methods = Methods()


@methods.add
async def poll_activity_task_queue(
    call: Call, request: pb.PollActivityTaskQueueRequest
) -> pb.PollActivityTaskQueueResponse:
    """An attempt, waiting for one; an empty answer if there is none."""
    namespace = await call.namespace(request.namespace, Permission.WORK)
    if not request.task_queue.name:
        raise Refused.invalid("TaskQueue is not set on request.")
    options = request.deployment_options
    if deployment := deployment_of(options):
        call.parts.deployments.seen(namespace, deployment, options.build_id, request.task_queue.name, activities=True)
    task = await call.parts.polls.poll(
        namespace,
        request.task_queue.name,
        identity=request.identity or "unknown",
        activity_types=(),
        labels={},
        timeout_seconds=call.poll_seconds,
    )
    return pb.PollActivityTaskQueueResponse() if task is None else activity_task(task)


async def _by_token(call: Call, request: Any) -> ActivityToken:
    if request.namespace:
        await call.namespace(request.namespace, Permission.WORK, Permission.OPERATE)
    token = decode(request.task_token, ActivityToken, request.namespace)
    await call.namespace(token.namespace, Permission.WORK, Permission.OPERATE)
    return token


async def _by_id(call: Call, request: Any) -> ActivityToken:
    """The attempt that runs of an activity that is named by its id."""
    namespace = await call.namespace(request.namespace, Permission.WORK, Permission.OPERATE)
    workflow_id, activity_id = request.workflow_id, request.activity_id
    if not activity_id:
        raise Refused.invalid("ActivityId is not set on request.")
    # Without a workflow it is a standalone one.
    workflow_id = workflow_id or f"{PREFIX}{activity_id}"
    pending = await call.parts.turns.pending_activity(namespace, workflow_id, request.run_id, activity_id)
    if pending is None:
        description = await call.service.describe(RunAddress(namespace, workflow_id, request.run_id))
        if description.summary.status.is_closed:
            raise Refused.not_found("workflow execution already completed")
        raise Refused.not_found(
            f"cannot find pending activity with ActivityID {activity_id}, check workflow execution history for more details"
        )
    run_id, activity = pending
    return ActivityToken(namespace, workflow_id, run_id, activity.scheduled.id, activity.attempt, activity_id)


async def _hand_in(call: Call, token: ActivityToken, request: OutsideRequest) -> None:
    if not token.run_id or token.attempt < 1:
        raise Refused.invalid("The task token names no attempt.")
    try:
        await call.service.request(token.address, request)
    except (NotFoundError, RunClosedError) as error:
        if isinstance(error, RunClosedError):
            raise Refused.not_found("workflow execution already completed") from None
        raise Refused.not_found(GONE[ActivityToken]) from None


async def _completed(call: Call, token: ActivityToken, request: Any) -> None:
    result = to_payloads(request.result)
    await _hand_in(call, token, CompleteActivity(token.scheduled_event_id, token.attempt, result, request.identity))


async def _failed(call: Call, token: ActivityToken, request: Any) -> None:
    details: Payloads | None = None
    if request.HasField("last_heartbeat_details"):
        details = to_payloads(request.last_heartbeat_details)
    await _hand_in(
        call,
        token,
        FailActivity(token.scheduled_event_id, token.attempt, to_failure(request.failure), request.identity, details),
    )


async def _canceled(call: Call, token: ActivityToken, request: Any) -> None:
    details = to_payloads(request.details)
    try:
        await _hand_in(call, token, CancelActivity(token.scheduled_event_id, token.attempt, details, request.identity))
    except InvalidArgumentError:
        # As Temporal: nobody asked it to stop, so this is not an end; the attempt's timeouts are.
        raise Refused.invalid(
            "unable to mark activity as canceled without activity being request canceled first"
        ) from None


async def _beat(call: Call, token: ActivityToken, request: Any) -> dict[str, bool]:
    """Why the attempt is to stop, if it is."""
    details = to_payloads(request.details)
    await _hand_in(call, token, HeartbeatActivity(token.scheduled_event_id, token.attempt, details, request.identity))
    activity = await call.parts.turns.activity(token.address, token.scheduled_event_id)
    if activity is None:
        return {}
    return {
        "cancel_requested": activity.cancel_requested_event_id > 0,
        "activity_paused": activity.paused is not None,
        "activity_reset": activity.reset is not None,
    }


@methods.add
async def respond_activity_task_completed(
    call: Call, request: pb.RespondActivityTaskCompletedRequest
) -> pb.RespondActivityTaskCompletedResponse:
    """It succeeded."""
    await _completed(call, await _by_token(call, request), request)
    return pb.RespondActivityTaskCompletedResponse()


@methods.add
async def respond_activity_task_completed_by_id(
    call: Call, request: pb.RespondActivityTaskCompletedByIdRequest
) -> pb.RespondActivityTaskCompletedByIdResponse:
    """It succeeded."""
    await _completed(call, await _by_id(call, request), request)
    return pb.RespondActivityTaskCompletedByIdResponse()


@methods.add
async def respond_activity_task_failed(
    call: Call, request: pb.RespondActivityTaskFailedRequest
) -> pb.RespondActivityTaskFailedResponse:
    """The attempt failed."""
    await _failed(call, await _by_token(call, request), request)
    return pb.RespondActivityTaskFailedResponse()


@methods.add
async def respond_activity_task_failed_by_id(
    call: Call, request: pb.RespondActivityTaskFailedByIdRequest
) -> pb.RespondActivityTaskFailedByIdResponse:
    """The attempt failed."""
    await _failed(call, await _by_id(call, request), request)
    return pb.RespondActivityTaskFailedByIdResponse()


@methods.add
async def respond_activity_task_canceled(
    call: Call, request: pb.RespondActivityTaskCanceledRequest
) -> pb.RespondActivityTaskCanceledResponse:
    """It stopped, as it was asked to."""
    await _canceled(call, await _by_token(call, request), request)
    return pb.RespondActivityTaskCanceledResponse()


@methods.add
async def respond_activity_task_canceled_by_id(
    call: Call, request: pb.RespondActivityTaskCanceledByIdRequest
) -> pb.RespondActivityTaskCanceledByIdResponse:
    """It stopped, as it was asked to."""
    await _canceled(call, await _by_id(call, request), request)
    return pb.RespondActivityTaskCanceledByIdResponse()


@methods.add
async def record_activity_task_heartbeat(
    call: Call, request: pb.RecordActivityTaskHeartbeatRequest
) -> pb.RecordActivityTaskHeartbeatResponse:
    """It is alive; the answer says whether to stop."""
    return pb.RecordActivityTaskHeartbeatResponse(**await _beat(call, await _by_token(call, request), request))


@methods.add
async def record_activity_task_heartbeat_by_id(
    call: Call, request: pb.RecordActivityTaskHeartbeatByIdRequest
) -> pb.RecordActivityTaskHeartbeatByIdResponse:
    """It is alive; the answer says whether to stop."""
    return pb.RecordActivityTaskHeartbeatByIdResponse(**await _beat(call, await _by_id(call, request), request))
