"""Standalone operations of Nexus: those that no workflow asked for. Each is a run (``model.standalone_operation``)."""

import asyncio
from typing import Any

import msgspec
from temporalio.api.enums.v1 import nexus_pb2
from temporalio.api.errordetails.v1 import message_pb2 as details
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.model.access import Permission
from perdure.model.errors import AlreadyExistsError, NotFoundError, RunClosedError
from perdure.model.ids import RunAddress
from perdure.model.options import IdConflict, IdReuse
from perdure.model.requests import CancelWorkflow, OutsideRequest, StartWorkflow, TerminateWorkflow
from perdure.model.standalone_operation import PREFIX, TASK_QUEUE, OperationOrder, request_of
from perdure.protocols.temporal.calls import Call, Methods
from perdure.protocols.temporal.errors import Code, Refused
from perdure.protocols.temporal.filters import operation_filter
from perdure.protocols.temporal.payloads import payload, to_map, to_payload, to_user_metadata
from perdure.protocols.temporal.service_lists import DEFAULT_PAGE, group_values
from perdure.protocols.temporal.standalone_operation_views import Seen, ending, info, list_info, token_of, version_of
from perdure.protocols.temporal.times import ns_of, shortest
from perdure.protocols.temporal.tokens import PageToken, decode, encode

methods = Methods()

Stage = nexus_pb2.NexusOperationWaitStage
BY_USER = "Terminated by user"
LOOK_SECONDS = 0.1
"""How often what is waited for is looked at again: attempts are no events, so nobody is told of them."""

POLICIES = {0: IdConflict.FAIL, 1: IdConflict.FAIL, 2: IdConflict.USE}


@methods.add
async def start_nexus_operation_execution(
    call: Call, request: pb.StartNexusOperationExecutionRequest
) -> pb.StartNexusOperationExecutionResponse:
    """An operation is asked for, or one is found, as the policies say."""
    namespace = await call.namespace(request.namespace, Permission.OPERATE)
    asked = start_request(request)
    if await call.parts.endpoints.named(request.endpoint) is None:
        raise Refused.not_found(f"endpoint not registered: {request.endpoint}")
    try:
        result = await call.service.start(namespace, asked)
    except AlreadyExistsError:
        raise await _taken(call, namespace, asked) from None
    return pb.StartNexusOperationExecutionResponse(run_id=result.run_id, started=result.is_new)


def start_request(request: pb.StartNexusOperationExecutionRequest) -> StartWorkflow:
    """The start of the operation's run. Raises ``Refused`` for what can't be."""
    for name in ("operation_id", "endpoint", "service", "operation"):
        if not getattr(request, name):
            raise Refused.invalid(f"{name} is not set on request.")
    if request.completion_callbacks or request.HasField("on_conflict_options"):
        raise Refused(Code.UNIMPLEMENTED, "completion callbacks of standalone operations are not served by Perdure.")
    to_close, to_start = ns_of(request.schedule_to_close_timeout), ns_of(request.schedule_to_start_timeout)
    start_to_close = ns_of(request.start_to_close_timeout)
    order = OperationOrder(
        request.operation_id,
        request.endpoint,
        request.service,
        request.operation,
        to_close,
        shortest(to_start, to_close) if to_start else 0,
        shortest(start_to_close, to_close) if start_to_close else 0,
        dict(request.nexus_header) or None,
    )
    try:
        reuse, conflict = IdReuse(request.id_reuse_policy or 1), POLICIES[request.id_conflict_policy]
    except (ValueError, KeyError):
        raise Refused.invalid("unknown policy for an operation's id") from None
    return request_of(
        order,
        (to_payload(request.input),) if request.HasField("input") else (),
        request_id=request.request_id,
        id_reuse=reuse,
        id_conflict=conflict,
        search_attributes=to_map(request.search_attributes.indexed_fields),
        identity=request.identity,
        user_metadata=to_user_metadata(request.user_metadata),
    )


async def _taken(call: Call, namespace: str, asked: StartWorkflow) -> Refused:
    run = (await call.parts.turns.resident(RunAddress(namespace, asked.workflow_id))).run
    state = "is already running" if run.close is None else "already finished"
    return Refused(
        Code.ALREADY_EXISTS,
        f"Nexus operation execution {state}. OperationId: {asked.workflow_id.removeprefix(PREFIX)}, RunId: {run.run_id}.",
        details.NexusOperationExecutionAlreadyStartedFailure(
            start_request_id=run.started.request_id, run_id=run.run_id
        ),
    )


def _address(namespace: str, request: Any) -> RunAddress:
    if not request.operation_id:
        raise Refused.invalid("operation_id is not set on request.")
    return RunAddress(namespace, f"{PREFIX}{request.operation_id}", request.run_id)


async def _seen(call: Call, address: RunAddress) -> Seen:
    """An operation as it stands. Raises ``Refused`` if there is none."""
    unknown = Refused.not_found(f"operation not found for ID: {address.workflow_id.removeprefix(PREFIX)}")
    try:
        description = await call.service.describe(address)
        if description.summary.task_queue != TASK_QUEUE:
            raise unknown
        exact = RunAddress(address.namespace, address.workflow_id, description.summary.run_id)
        run = (await call.parts.turns.resident(exact)).run
        page = await call.service.history(exact, after=0, limit=1_000, wait=False)
    except NotFoundError:
        raise unknown from None
    return Seen(run, description, page.events, await call.service.search_attributes(address.namespace))


@methods.add
async def describe_nexus_operation_execution(
    call: Call, request: pb.DescribeNexusOperationExecutionRequest
) -> pb.DescribeNexusOperationExecutionResponse:
    """Where an operation stands; with a token, once that is not as it was any more."""
    namespace = await call.namespace(request.namespace)
    address = _address(namespace, request)
    if request.long_poll_token and not request.run_id:
        raise Refused.invalid("run_id is not set on request.")
    known = decode(request.long_poll_token, PageToken).cursor if request.long_poll_token else ""
    found = await _seen(call, address)
    if known and not await _waited(call, address, lambda run: version_of(run) != known):
        return pb.DescribeNexusOperationExecutionResponse()
    if known:
        found = await _seen(call, address)
    run = found.run
    operation = found.operation
    blocked = ""
    if operation is not None:
        endpoint = await call.parts.endpoints.named(operation.scheduled.endpoint)
        blocked = call.parts.operations.blocked.get(endpoint.queue, "") if endpoint is not None else ""
    is_closed = run.close is not None
    answer = pb.DescribeNexusOperationExecutionResponse(
        run_id=run.run_id,
        info=info(found, blocked),
        input=payload(run.started.input[1]) if request.include_input and len(run.started.input) > 1 else None,
        long_poll_token=b"" if is_closed else encode(PageToken(version_of(run))),
    )
    if request.include_outcome and is_closed:
        result, failure = ending(found)
        answer.MergeFrom(pb.DescribeNexusOperationExecutionResponse(result=result, failure=failure))
    return answer


async def _waited(call: Call, address: RunAddress, is_so: Any) -> bool:
    """Whether something came to be so before the caller goes."""
    until = asyncio.get_running_loop().time() + call.poll_seconds
    while not is_so((await call.parts.turns.resident(address)).run):
        if asyncio.get_running_loop().time() >= until:
            return False
        await asyncio.sleep(LOOK_SECONDS)
    return True


@methods.add
async def poll_nexus_operation_execution(
    call: Call, request: pb.PollNexusOperationExecutionRequest
) -> pb.PollNexusOperationExecutionResponse:
    """How an operation ended, or that it was accepted, once that is so; an answer without if that takes too long."""
    namespace = await call.namespace(request.namespace)
    found = await _seen(call, _address(namespace, request))
    address = RunAddress(namespace, found.run.workflow_id, found.run.run_id)
    if request.wait_stage == Stage.NEXUS_OPERATION_WAIT_STAGE_STARTED:
        await _waited(call, address, lambda run: run.close is not None or bool(token_of(run)))
    elif found.run.close is None:
        try:
            async with asyncio.timeout(call.poll_seconds):
                await call.service.wait_closed(address, follow=False)
        except TimeoutError:
            return pb.PollNexusOperationExecutionResponse()
    found = await _seen(call, address)
    answer = pb.PollNexusOperationExecutionResponse(run_id=address.run_id, operation_token=found.token)
    if found.run.close is not None:
        result, failure = ending(found)
        answer.MergeFrom(pb.PollNexusOperationExecutionResponse(result=result, failure=failure))
        answer.wait_stage = Stage.NEXUS_OPERATION_WAIT_STAGE_CLOSED
    elif found.token:
        answer.wait_stage = Stage.NEXUS_OPERATION_WAIT_STAGE_STARTED
    return answer


async def _send(call: Call, request: Any, asked: OutsideRequest) -> None:
    namespace = await call.namespace(request.namespace, Permission.OPERATE)
    address = _address(namespace, request)
    found = await _seen(call, address)
    try:
        await call.service.request(msgspec.structs.replace(address, run_id=found.run.run_id), asked)
    except RunClosedError:
        raise Refused.not_found("operation execution already completed") from None


@methods.add
async def request_cancel_nexus_operation_execution(
    call: Call, request: pb.RequestCancelNexusOperationExecutionRequest
) -> pb.RequestCancelNexusOperationExecutionResponse:
    """Whoever carries the operation out is asked to stop."""
    await _send(call, request, CancelWorkflow(request.reason, request.request_id, request.identity))
    return pb.RequestCancelNexusOperationExecutionResponse()


@methods.add
async def terminate_nexus_operation_execution(
    call: Call, request: pb.TerminateNexusOperationExecutionRequest
) -> pb.TerminateNexusOperationExecutionResponse:
    """The operation is over here at once, whatever whoever carries it out does."""
    await _send(call, request, TerminateWorkflow(request.reason or BY_USER, (), request.identity))
    return pb.TerminateNexusOperationExecutionResponse()


@methods.add
async def delete_nexus_operation_execution(
    call: Call, request: pb.DeleteNexusOperationExecutionRequest
) -> pb.DeleteNexusOperationExecutionResponse:
    """The operation and its history go for good."""
    namespace = await call.namespace(request.namespace, Permission.OPERATE)
    address = _address(namespace, request)
    found = await _seen(call, address)
    await call.service.delete(msgspec.structs.replace(address, run_id=found.run.run_id))
    return pb.DeleteNexusOperationExecutionResponse()


@methods.add
async def list_nexus_operation_executions(
    call: Call, request: pb.ListNexusOperationExecutionsRequest
) -> pb.ListNexusOperationExecutionsResponse:
    """Those of a filter."""
    namespace = await call.namespace(request.namespace)
    page = await call.service.list(
        namespace,
        filter=operation_filter(request.query),
        statuses=(),
        workflow_type="",
        cursor=decode(request.next_page_token, PageToken).cursor if request.next_page_token else "",
        limit=request.page_size or DEFAULT_PAGE,
    )
    types = await call.service.search_attributes(namespace)
    return pb.ListNexusOperationExecutionsResponse(
        operations=[list_info(run, types) for run in page.runs],
        next_page_token=encode(PageToken(page.next_cursor)) if page.next_cursor else b"",
    )


@methods.add
async def count_nexus_operation_executions(
    call: Call, request: pb.CountNexusOperationExecutionsRequest
) -> pb.CountNexusOperationExecutionsResponse:
    """How many a filter has, and of each group."""
    namespace = await call.namespace(request.namespace)
    count = await call.service.count(namespace, filter=operation_filter(request.query), statuses=(), workflow_type="")
    Group = pb.CountNexusOperationExecutionsResponse.AggregationGroup  # noqa: N806  # a class
    found = [Group(group_values=group_values(count.attributes, group), count=group.count) for group in count.groups]
    return pb.CountNexusOperationExecutionsResponse(count=count.total, groups=found if count.attributes else [])
