"""Nexus operations: attempts for workers, and what became of them."""

from typing import Any

from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.engine.operation_tokens import CallbackToken, NexusToken
from perdure.model.access import Permission
from perdure.model.deployments import version_of
from perdure.protocols.temporal.calls import Call, Methods
from perdure.protocols.temporal.errors import Refused
from perdure.protocols.temporal.nexus_tasks import answered, failed, nexus_task
from perdure.protocols.temporal.nexus_tokens import TASK_GONE
from perdure.protocols.temporal.tokens import MALFORMED
from perdure.protocols.temporal.versions import deployment_of

methods = Methods()


@methods.add
async def poll_nexus_task_queue(call: Call, request: pb.PollNexusTaskQueueRequest) -> pb.PollNexusTaskQueueResponse:
    """An attempt, waiting for one; an empty answer if there is none."""
    namespace = await call.namespace(request.namespace, Permission.WORK)
    if not request.task_queue.name:
        raise Refused.invalid("TaskQueue is not set on request.")
    task = await call.parts.operations.poll(
        namespace,
        request.task_queue.name,
        identity=request.identity,
        timeout_seconds=call.poll_seconds,
        build_id=_build_of(request.deployment_options),
    )
    if task is None:
        return pb.PollNexusTaskQueueResponse()
    scheduled, source, seals = task.operation.scheduled, task.source, call.parts.seals
    token = await seals.seal(NexusToken(namespace, source, scheduled.id, task.attempt, task.of_cancel))
    callback = CallbackToken(source.namespace, source.workflow_id, scheduled.id, scheduled.request_id)
    return nexus_task(task, token, await seals.seal_text(callback), call.parts.now())


def _build_of(options: Any) -> str:
    """A worker's version; empty if it is of none."""
    deployment = deployment_of(options)
    return version_of(deployment, options.build_id) if deployment else ""


async def _named(call: Call, request: Any) -> NexusToken:
    """The attempt that an answer is to. Raises ``Refused``."""
    namespace = await call.namespace(request.namespace, Permission.WORK)
    token = await call.parts.seals.opened(request.task_token)
    if not isinstance(token, NexusToken):
        raise Refused.invalid(MALFORMED)
    if token.namespace != namespace:
        raise Refused.invalid("Token namespace doesn't match request namespace.")
    return token


@methods.add
async def respond_nexus_task_completed(
    call: Call, request: pb.RespondNexusTaskCompletedRequest
) -> pb.RespondNexusTaskCompletedResponse:
    """The operation is done, goes on by itself, or has failed; or it is known that it is to stop."""
    token = await _named(call, request)
    answer = answered(token, request.response)
    if answer is None:
        raise Refused.invalid("The response does not fit the task: it must say how the operation stands.")
    if not await call.parts.operations.answer(token.source, answer):
        raise Refused.not_found(TASK_GONE)
    return pb.RespondNexusTaskCompletedResponse()


@methods.add
async def respond_nexus_task_failed(
    call: Call, request: pb.RespondNexusTaskFailedRequest
) -> pb.RespondNexusTaskFailedResponse:
    """The attempt failed; unless it says that this is final, another one follows."""
    token = await _named(call, request)
    if not await call.parts.operations.answer(token.source, failed(token, request)):
        raise Refused.not_found(TASK_GONE)
    return pb.RespondNexusTaskFailedResponse()
