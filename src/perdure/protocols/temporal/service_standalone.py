"""Standalone activities: those that no workflow asked for. Each is a run of one activity (``model.standalone``)."""

import asyncio
from typing import Any

import msgspec
from temporalio.api.errordetails.v1 import message_pb2 as details
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.model.access import Permission
from perdure.model.commands import ScheduleActivityTask
from perdure.model.errors import AlreadyExistsError, NotFoundError, RunClosedError
from perdure.model.ids import RunAddress
from perdure.model.options import IdConflict, IdReuse
from perdure.model.requests import CancelWorkflow, OutsideRequest, StartWorkflow, TerminateWorkflow
from perdure.model.standalone import PREFIX, TASK_QUEUE, ActivityOrder, request_of
from perdure.protocols.temporal.activity_tasks import activity_task
from perdure.protocols.temporal.calls import Call, Methods
from perdure.protocols.temporal.commands import DEFAULT_RETRY, bounded
from perdure.protocols.temporal.errors import Code, Refused
from perdure.protocols.temporal.names import to_priority, to_retry_policy
from perdure.protocols.temporal.payloads import payloads, to_map, to_payloads, to_user_metadata
from perdure.protocols.temporal.standalone_views import Seen, info, outcome, version_of
from perdure.protocols.temporal.times import ns_of
from perdure.protocols.temporal.tokens import PageToken, decode, encode

methods = Methods()

BY_USER = "Terminated by user"
"""How often a description that is waited for is looked at again."""


@methods.add
async def start_activity_execution(
    call: Call, request: pb.StartActivityExecutionRequest
) -> pb.StartActivityExecutionResponse:
    """An activity begins, or one is found, as the policies say."""
    namespace = await call.namespace(request.namespace, Permission.OPERATE)
    order, asked = start_request(request)
    eager = int(request.request_eager_execution and not order.start_delay_ns)
    with call.parts.polls.expect(namespace, order.task_queue, identity=request.identity, count=eager) as expected:
        try:
            result = await call.service.start(namespace, asked)
        except AlreadyExistsError:
            raise await _taken(call, namespace, asked) from None
    task = next((activity_task(task) for task in expected.tasks), None)
    return pb.StartActivityExecutionResponse(run_id=result.run_id, started=result.is_new, eager_activity_task=task)


def start_request(request: Any) -> tuple[ActivityOrder, StartWorkflow]:
    """How the activity is scheduled, and the start of its run. Raises ``Refused`` for what can't be."""
    if not request.activity_id:
        raise Refused.invalid("ActivityId is not set on request.")
    if not request.activity_type.name:
        raise Refused.invalid("ActivityType is not set on request.")
    if not request.task_queue.name:
        raise Refused.invalid("TaskQueue is not set on request.")
    to_close, to_start = ns_of(request.schedule_to_close_timeout), ns_of(request.schedule_to_start_timeout)
    start_to_close, heartbeat = ns_of(request.start_to_close_timeout), ns_of(request.heartbeat_timeout)
    if not to_close and not start_to_close:
        raise Refused.invalid(
            "A valid StartToClose or ScheduleToCloseTimeout is not set on StartActivityExecution. "
            f"ActivityId={request.activity_id} ActivityType={request.activity_type.name}"
        )
    priority = to_priority(request.priority)
    if priority is not None and not 0 <= priority.priority_key <= 5:
        raise Refused.invalid(f"priority key must be between 1 and 5, not {priority.priority_key}")
    named = ScheduleActivityTask("", "", "", (), to_close, to_start, start_to_close, heartbeat)
    order = ActivityOrder(
        request.activity_id,
        request.task_queue.name,
        **bounded(named, 0),  # type: ignore[arg-type]  # the names of timeouts alone
        retry_policy=to_retry_policy(request.retry_policy) if request.HasField("retry_policy") else DEFAULT_RETRY,
        start_delay_ns=ns_of(request.start_delay),
    )
    return order, request_of(
        order,
        request.activity_type.name,
        to_payloads(request.input),
        request_id=request.request_id,
        id_reuse=_one_of(IdReuse, request.id_reuse_policy),
        id_conflict=_one_of(IdConflict, request.id_conflict_policy),
        header=to_map(request.header.fields),
        search_attributes=to_map(request.search_attributes.indexed_fields),
        identity=request.identity,
        priority=priority,
        user_metadata=to_user_metadata(request.user_metadata),
    )


def _one_of(policies: Any, number: int) -> Any:
    """Their numbers are ours; the first is meant where nothing is said."""
    try:
        return policies(number or 1)
    except ValueError:
        raise Refused.invalid(f"unknown policy {number}") from None


async def _taken(call: Call, namespace: str, asked: StartWorkflow) -> Refused:
    run = (await call.parts.turns.resident(RunAddress(namespace, asked.workflow_id))).run
    activity_id = asked.workflow_id.removeprefix(PREFIX)
    state = "is already running" if run.close is None else "already finished"
    return Refused(
        Code.ALREADY_EXISTS,
        f"Activity execution {state}. ActivityId: {activity_id}, RunId: {run.run_id}.",
        details.ActivityExecutionAlreadyStartedFailure(start_request_id=run.started.request_id, run_id=run.run_id),
    )


def address_of(namespace: str, request: Any) -> RunAddress:
    """The activity that a request names. Raises ``Refused``."""
    if not request.activity_id:
        raise Refused.invalid("ActivityId is not set on request.")
    return RunAddress(namespace, f"{PREFIX}{request.activity_id}", request.run_id)


async def seen(call: Call, address: RunAddress) -> Seen:
    """A standalone activity as it stands. Raises ``Refused`` if there is none."""
    try:
        description = await call.service.describe(address)
        if description.summary.task_queue != TASK_QUEUE:
            raise _unknown(address)
        exact = RunAddress(address.namespace, address.workflow_id, description.summary.run_id)
        run = (await call.parts.turns.resident(exact)).run
        page = await call.service.history(exact, after=0, limit=1_000, wait=False)
    except NotFoundError:
        raise _unknown(address) from None
    return Seen(run, description, page.events, await call.service.search_attributes(address.namespace))


def _unknown(address: RunAddress) -> Refused:
    return Refused.not_found(f"activity not found for ID: {address.workflow_id.removeprefix(PREFIX)}")


@methods.add
async def describe_activity_execution(
    call: Call, request: pb.DescribeActivityExecutionRequest
) -> pb.DescribeActivityExecutionResponse:
    """Where an activity stands; with a token, once that is not as it was any more."""
    namespace = await call.namespace(request.namespace)
    address = address_of(namespace, request)
    if request.long_poll_token and not request.run_id:
        raise Refused.invalid("RunId is not set on request.")
    known = decode(request.long_poll_token, PageToken).cursor if request.long_poll_token else ""
    until = asyncio.get_running_loop().time() + call.poll_seconds
    found = await seen(call, address)
    while known and version_of(found.run) == known:
        grown = await call.parts.turns.growth(address)
        if version_of((await call.parts.turns.resident(address)).run) == known:
            await asyncio.wait([grown], timeout=max(0.0, until - asyncio.get_running_loop().time()))
            if not grown.done():
                grown.cancel()
                return pb.DescribeActivityExecutionResponse()
        grown.cancel()
        found = await seen(call, address)
    is_closed = found.run.close is not None
    return pb.DescribeActivityExecutionResponse(
        run_id=found.run.run_id,
        info=info(found, heartbeats=request.include_heartbeat_details, failures=request.include_last_failure),
        input=payloads(found.run.started.input[1:]) if request.include_input else None,
        outcome=outcome(found) if request.include_outcome and is_closed else None,
        long_poll_token=b"" if is_closed else encode(PageToken(version_of(found.run))),
    )


@methods.add
async def poll_activity_execution(
    call: Call, request: pb.PollActivityExecutionRequest
) -> pb.PollActivityExecutionResponse:
    """How an activity ended, once it has; an empty answer if that takes too long."""
    namespace = await call.namespace(request.namespace)
    found = await seen(call, address_of(namespace, request))
    address = RunAddress(namespace, found.run.workflow_id, found.run.run_id)
    if found.run.close is None:
        try:
            async with asyncio.timeout(call.poll_seconds):
                await call.service.wait_closed(address, follow=False)
        except TimeoutError:
            return pb.PollActivityExecutionResponse()
        found = await seen(call, address)
    return pb.PollActivityExecutionResponse(run_id=found.run.run_id, outcome=outcome(found))


async def _send(call: Call, request: Any, asked: OutsideRequest) -> None:
    namespace = await call.namespace(request.namespace, Permission.OPERATE)
    address = address_of(namespace, request)
    found = await seen(call, address)
    try:
        await call.service.request(RunAddress(namespace, address.workflow_id, found.run.run_id), asked)
    except RunClosedError:
        raise Refused.not_found("activity execution already completed") from None


@methods.add
async def request_cancel_activity_execution(
    call: Call, request: pb.RequestCancelActivityExecutionRequest
) -> pb.RequestCancelActivityExecutionResponse:
    """The attempt is asked to stop; one that has not started never will."""
    await _send(call, request, CancelWorkflow(request.reason, request.request_id, request.identity))
    return pb.RequestCancelActivityExecutionResponse()


@methods.add
async def terminate_activity_execution(
    call: Call, request: pb.TerminateActivityExecutionRequest
) -> pb.TerminateActivityExecutionResponse:
    """The activity is over at once, whatever its attempt does."""
    await _send(call, request, TerminateWorkflow(request.reason or BY_USER, (), request.identity))
    return pb.TerminateActivityExecutionResponse()


@methods.add
async def delete_activity_execution(
    call: Call, request: pb.DeleteActivityExecutionRequest
) -> pb.DeleteActivityExecutionResponse:
    """The activity and its history go for good."""
    namespace = await call.namespace(request.namespace, Permission.OPERATE)
    address = address_of(namespace, request)
    found = await seen(call, address)
    await call.service.delete(msgspec.structs.replace(address, run_id=found.run.run_id))
    return pb.DeleteActivityExecutionResponse()
