"""Workflow tasks and queries, for workers."""

from collections.abc import Sequence
from typing import Any, TypeVar

from temporalio.api.enums.v1 import query_pb2
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.engine.turn_desks import StickyQueue
from perdure.engine.turn_polls import TurnName
from perdure.engine.turn_programs import PolledTurn, query_answered
from perdure.model import commands as c
from perdure.model.access import Permission
from perdure.model.failures import Failure
from perdure.protocols.temporal.activity_tasks import expect_eager
from perdure.protocols.temporal.calls import Call, Methods
from perdure.protocols.temporal.commands import NEXUS, BadCommand, bad_command_failure, commands
from perdure.protocols.temporal.errors import Refused
from perdure.protocols.temporal.failures import to_failure
from perdure.protocols.temporal.names import STICKY, camel, turn_failed_name
from perdure.protocols.temporal.payloads import to_payloads
from perdure.protocols.temporal.search_values import typed
from perdure.protocols.temporal.times import ns_of
from perdure.protocols.temporal.tokens import GONE, QueryToken, TurnToken, decode
from perdure.protocols.temporal.turn_tasks import query_task, turn_task
from perdure.protocols.temporal.versions import deployment_of, to_versioning

methods = Methods()

T = TypeVar("T", TurnToken, QueryToken)


@methods.add
async def poll_workflow_task_queue(
    call: Call, request: pb.PollWorkflowTaskQueueRequest
) -> pb.PollWorkflowTaskQueueResponse:
    """A turn or a query, waiting for one; an empty answer if there is none."""
    namespace = await call.namespace(request.namespace, Permission.WORK)
    queue = request.task_queue
    if not queue.name:
        raise Refused.invalid("TaskQueue is not set on request.")
    turns = call.parts.turns
    if queue.kind == STICKY:
        task = await turns.poll_sticky(
            namespace, queue.name, identity=request.identity, timeout_seconds=call.poll_seconds
        )
    else:
        task = await turns.poll(
            namespace,
            queue.name,
            identity=request.identity,
            timeout_seconds=call.poll_seconds,
            build_id=request.deployment_options.build_id or request.worker_version_capabilities.build_id,
            deployment=deployment_of(request.deployment_options),
        )
    if task is None:
        return pb.PollWorkflowTaskQueueResponse()
    return turn_task(task) if isinstance(task, PolledTurn) else query_task(task)


async def _named(call: Call, request: Any, kind: type[T]) -> T:
    """The task that an answer is to. Raises ``Refused``."""
    if request.namespace:
        await call.namespace(request.namespace, Permission.WORK)
    token = decode(request.task_token, kind, request.namespace)
    if not request.namespace:
        await call.namespace(token.namespace, Permission.WORK)
    return token


@methods.add
async def respond_workflow_task_completed(
    call: Call, request: pb.RespondWorkflowTaskCompletedRequest
) -> pb.RespondWorkflowTaskCompletedResponse:
    """A turn is taken."""
    token = await _named(call, request, TurnToken)
    namespace = token.namespace
    turns = call.parts.turns
    name = TurnName(token.address, token.started_event_id, token.attempt)
    build_id = request.deployment_options.build_id or request.worker_version_stamp.build_id
    try:
        run = (await turns.resident(token.address)).run
        asked: Sequence[c.AnyCommand] = commands(
            request.commands,
            request.messages,
            namespace,
            run.started.workflow_run_timeout_ns,
            await call.parts.endpoints.by_name()
            if any(one.command_type == NEXUS for one in request.commands)
            else None,
        )
    except BadCommand as bad:
        failure = bad_command_failure(bad)
        await turns.fail(name, bad.cause, failure, identity=request.identity, build_id=build_id)
        raise Refused.invalid(f"{camel(bad.cause)}: {bad.message}") from None
    asked = await with_types(call, namespace, asked)
    sticky = None
    if request.sticky_attributes.worker_task_queue.name:
        attributes = request.sticky_attributes
        seconds = ns_of(attributes.schedule_to_start_timeout) / 1e9
        sticky = StickyQueue(attributes.worker_task_queue.name, seconds or 5.0)
    with expect_eager(call, namespace, request) as eager:
        result = await turns.complete(
            name,
            asked,
            identity=request.identity,
            build_id=build_id,
            sticky=sticky,
            wants_next=request.return_new_workflow_task,
            forces_next=request.force_create_new_workflow_task,
            sdk_metadata=request.sdk_metadata.SerializeToString() if request.HasField("sdk_metadata") else b"",
            deployment=deployment_of(request.deployment_options),
            versioning=to_versioning(request.versioning_behavior),
        )
        activities = eager.tasks()
    if result.cause:
        raise Refused.invalid(
            "UnhandledCommand" if result.cause == "UNHANDLED_COMMAND" else f"{camel(result.cause)}: {result.message}"
        )
    return pb.RespondWorkflowTaskCompletedResponse(
        workflow_task=turn_task(result.following) if result.following is not None else None,
        activity_tasks=activities,
        reset_history_event_id=result.reset_to,
    )


async def with_types(call: Call, namespace: str, asked: Sequence[c.AnyCommand]) -> Sequence[c.AnyCommand]:
    """The same commands, with the types of search attributes."""
    if not any(command.__class__ is c.UpsertWorkflowSearchAttributes for command in asked):
        return asked
    types = await call.service.search_attributes(namespace)
    return [
        c.UpsertWorkflowSearchAttributes(typed(command.search_attributes, types) or {})
        if isinstance(command, c.UpsertWorkflowSearchAttributes)
        else command
        for command in asked
    ]


@methods.add
async def respond_workflow_task_failed(
    call: Call, request: pb.RespondWorkflowTaskFailedRequest
) -> pb.RespondWorkflowTaskFailedResponse:
    """A turn could not be taken."""
    token = await _named(call, request, TurnToken)
    await call.parts.turns.fail(
        TurnName(token.address, token.started_event_id, token.attempt),
        turn_failed_name(request.cause),
        to_failure(request.failure) if request.HasField("failure") else None,
        identity=request.identity,
        build_id=request.deployment_options.build_id or request.worker_version.build_id,
    )
    return pb.RespondWorkflowTaskFailedResponse()


@methods.add
async def respond_query_task_completed(
    call: Call, request: pb.RespondQueryTaskCompletedRequest
) -> pb.RespondQueryTaskCompletedResponse:
    """A query is answered."""
    token = await _named(call, request, QueryToken)
    if request.completed_type == query_pb2.QueryResultType.QUERY_RESULT_TYPE_ANSWERED:
        known = query_answered(token.query_id, token.namespace, to_payloads(request.query_result))
    else:
        failure = to_failure(request.failure) if request.HasField("failure") else Failure(request.error_message)
        known = query_answered(token.query_id, token.namespace, failure)
    if not known:
        raise Refused.not_found(GONE[QueryToken])
    return pb.RespondQueryTaskCompletedResponse()


@methods.add
async def reset_sticky_task_queue(
    call: Call, request: pb.ResetStickyTaskQueueRequest
) -> pb.ResetStickyTaskQueueResponse:
    """The run's next turn is anybody's."""
    namespace = await call.namespace(request.namespace, Permission.WORK)
    await call.parts.turns.unstick(namespace, request.execution.workflow_id, request.execution.run_id)
    return pb.ResetStickyTaskQueueResponse()


@methods.add
async def shutdown_worker(call: Call, request: pb.ShutdownWorkerRequest) -> pb.ShutdownWorkerResponse:
    """A worker ends; what it kept is anybody's from now on."""
    namespace = await call.namespace(request.namespace, Permission.WORK)
    if request.sticky_task_queue:
        call.parts.turns.worker_goes(namespace, request.sticky_task_queue)
    return pb.ShutdownWorkerResponse()
