"""Activities by hand: take a task, and say what became of it. So a worker is a loop around ``curl``."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from perdure.model.access import Permission
from perdure.model.errors import NotFoundError, PermissionDeniedError, UnavailableError
from perdure.model.failures import Failure
from perdure.model.program import ActivityTask
from perdure.model.requests import CancelActivity, CompleteActivity, FailActivity, HeartbeatActivity, OutsideRequest
from perdure.model.task_tokens import TaskToken
from perdure.protocols.rest.asking import Asked, Labels, Name, Seconds, WaitSeconds
from perdure.protocols.rest.operations import Call, Document, Nothing, Operations
from perdure.protocols.rest.records import FailureView, failure_view
from perdure.protocols.rest.values import (
    NULL_VALUE,
    Value,
    to_ns,
    to_payload,
    to_payloads,
    to_seconds,
    to_time,
    to_values,
)
from perdure.protocols.rest.waiting import within

operations = Operations("activities")

PATH = "/namespaces/{namespace}/activities/{task_token}"


class PollBody(Asked):
    """Which tasks to take: of these types; without any, of all. ``identity`` is who the worker is, in histories; ``labels``
    are what it is, which tasks may ask for."""

    activity_types: list[Name] = []
    identity: Annotated[str, msgspec.Meta(max_length=1_000)] = ""
    wait_seconds: WaitSeconds = 30
    labels: Labels = {}


class TaskView(msgspec.Struct, frozen=True):
    """One attempt of an activity.

    ``task_token`` names it; ``idempotency_key`` is the same for all attempts of this activity. ``deadline`` is when the
    attempt times out, null for never; with a ``heartbeat_timeout_seconds`` it must be heard of that often.
    ``heartbeat_details`` are what the last attempt reported.
    """

    task_token: str
    namespace: str
    workflow_id: str
    run_id: str
    workflow_type: str
    activity_id: str
    activity_type: str
    task_queue: str
    input: list[Value]
    attempt: int
    max_attempts: int
    idempotency_key: str
    scheduled_time: datetime | None
    started_time: datetime | None
    deadline: datetime | None
    heartbeat_timeout_seconds: float | None
    heartbeat_details: list[Value]
    last_failure: FailureView | None


class CompleteBody(Asked):
    """What the workflow gets."""

    result: Value = msgspec.field(default_factory=lambda: NULL_VALUE)


class FailBody(Asked):
    """Why it failed. ``type`` is the error's own name, which retry policies go by; ``non_retryable`` makes it final;
    ``next_retry_delay_seconds`` overrides the retry policy's next delay."""

    message: Annotated[str, msgspec.Meta(max_length=100_000)]
    type: Annotated[str, msgspec.Meta(max_length=1_000)] = ""
    non_retryable: bool = False
    details: list[Value] = []
    stack_trace: Annotated[str, msgspec.Meta(max_length=100_000)] = ""
    next_retry_delay_seconds: Seconds | None = None


class DetailsBody(Asked):
    """How far it has come, or how it stopped: any values."""

    details: list[Value] = []


class HeartbeatView(msgspec.Struct, frozen=True):
    """Whether the attempt is asked to stop; then stop, and say so with ``cancel``."""

    cancel_requested: bool


@operations.add(
    "POST",
    "/namespaces/{namespace}/task-queues/{task_queue}/activities/poll",
    body=PollBody,
    answer=TaskView,
    other_answers={204: "There was none within `wait_seconds`."},
)
async def poll_activity(call: Call[PollBody, Nothing]) -> TaskView | Document:
    """Take an activity task off a queue, waiting for one.

    The attempt begins with the answer. Say how it ended with ``complete``, ``fail`` or ``cancel``, by its token; if nothing is
    said, its timeouts end it, and the retry policy decides.
    """
    body, namespace, task_queue = call.body, call.namespace, call.path["task_queue"]
    call.require(Permission.WORK)
    if call.parts.poll_activity is None:
        raise UnavailableError("This server hands out no activity tasks.")
    seconds = min(body.wait_seconds, call.parts.bounds.wait_seconds)
    task = await within(
        call,
        seconds + 1,
        call.parts.poll_activity(
            namespace,
            task_queue,
            identity=body.identity or call.identity,
            activity_types=body.activity_types,
            timeout_seconds=seconds,
            labels=body.labels,
        ),
    )
    return Document(b"", "", 204) if task is None else _view(task)


@operations.add("POST", f"{PATH}/complete", body=CompleteBody)
async def complete_activity(call: Call[CompleteBody, Nothing]) -> None:
    """Hand in the result of an attempt."""
    token = _token(call)
    payload = to_payload(call.body.result)
    await _hand_in(call, token, CompleteActivity(token.scheduled_event_id, token.attempt, (payload,), call.identity))


@operations.add("POST", f"{PATH}/fail", body=FailBody)
async def fail_activity(call: Call[FailBody, Nothing]) -> None:
    """Fail an attempt; it is tried again as the retry policy says."""
    token, body = _token(call), call.body
    delay = body.next_retry_delay_seconds
    failure = Failure(
        body.message,
        type=body.type,
        non_retryable=body.non_retryable,
        details=to_payloads(body.details),
        stack_trace=body.stack_trace,
        source="rest",
        next_retry_delay_ns=-1 if delay is None else to_ns(delay),
    )
    await _hand_in(call, token, FailActivity(token.scheduled_event_id, token.attempt, failure, call.identity))


@operations.add("POST", f"{PATH}/cancel", body=DetailsBody)
async def cancel_activity(call: Call[DetailsBody, Nothing]) -> None:
    """Report that an attempt has stopped because it was asked to."""
    token = _token(call)
    details = to_payloads(call.body.details)
    await _hand_in(call, token, CancelActivity(token.scheduled_event_id, token.attempt, details, call.identity))


@operations.add("POST", f"{PATH}/heartbeat", body=DetailsBody, answer=HeartbeatView)
async def heartbeat_activity(call: Call[DetailsBody, Nothing]) -> HeartbeatView:
    """Report that an attempt is alive, and how far it has come; the answer says whether to stop."""
    token = _token(call)
    details = to_payloads(call.body.details)
    await _hand_in(call, token, HeartbeatActivity(token.scheduled_event_id, token.attempt, details, call.identity))
    description = await call.parts.service.describe(token.address)
    return HeartbeatView(
        any(
            activity.scheduled_event_id == token.scheduled_event_id and activity.cancel_requested
            for activity in description.activities
        )
    )


def _token(call: "Call[Any, Nothing]") -> TaskToken:
    token = TaskToken.decode(call.path["task_token"])
    if token.namespace != call.namespace:
        raise PermissionDeniedError(f"The task token is not of namespace {call.namespace!r:.1000}.")
    return token


async def _hand_in(call: "Call[Any, Nothing]", token: TaskToken, request: OutsideRequest) -> None:
    if not token.run_id or token.attempt < 1:
        raise NotFoundError("The task token names no attempt.")
    await call.service.request(token.address, request)


def _view(task: ActivityTask) -> TaskView:
    address, scheduled = task.address, task.scheduled
    ends = [
        begin + limit
        for begin, limit in (
            (task.started_time, scheduled.start_to_close_timeout_ns),
            (scheduled.time, scheduled.schedule_to_close_timeout_ns),
        )
        if limit
    ]
    beat = scheduled.heartbeat_timeout_ns
    return TaskView(
        TaskToken.of(task).encode(),
        address.namespace,
        address.workflow_id,
        address.run_id,
        task.workflow_type,
        scheduled.activity_id,
        scheduled.activity_type,
        scheduled.task_queue,
        to_values(scheduled.input),
        task.attempt_count,
        scheduled.retry_policy.max_attempts,
        task.idempotency_key,
        to_time(scheduled.time),
        to_time(task.started_time),
        to_time(min(ends)) if ends else None,
        to_seconds(beat) if beat else None,
        to_values(task.heartbeat_details),
        failure_view(task.last_failure),
    )
