"""Tasks of activities, and of states that wait for a token: taken, and ended, by somebody elsewhere."""

import asyncio
from collections.abc import Callable

from perdure.model.access import Permission
from perdure.model.errors import InvalidArgumentError, NotFoundError, RunClosedError
from perdure.model.failures import Failure
from perdure.model.ids import RunAddress
from perdure.model.payloads import Payload
from perdure.model.requests import CompleteActivity, FailActivity, HeartbeatActivity, OutsideRequest
from perdure.model.task_tokens import TaskToken
from perdure.protocols.stepfunctions.operations import Answer, Call, Operations
from perdure.protocols.stepfunctions.refusals import Refusal

operations = Operations()

SOURCE = "asl"
"""Of failures whose type is the error's name and whose message is its cause, as they are."""

LOOK_SECONDS = 0.05
"""How often it is looked whether a task can be ended by now."""

NOBODY = "perdure.nobody"
"""Who takes a task without saying who they are."""


@operations.add("GetActivityTask")
async def get_activity_task(call: Call) -> Answer:
    """Take a task off an activity's queue, waiting a minute for one; nothing if there was none."""
    call.require(Permission.WORK)
    arn = call.body["activityArn"]
    await call.parts.registry.activity(arn)
    seconds = call.parts.bounds.poll_seconds
    task = await call.within(
        seconds + 1,
        call.parts.poll_activity(
            call.namespace,
            arn,
            identity=call.body.get("workerName") or NOBODY,
            activity_types=(arn,),
            timeout_seconds=seconds,
            labels={},
        ),
    )
    if task is None:
        return {}
    given = task.scheduled.input
    return {"taskToken": TaskToken.of(task).encode(), "input": given[0].data.decode() if given else "{}"}


@operations.add("SendTaskSuccess")
async def send_task_success(call: Call) -> Answer:
    """End a task with what it has made."""
    output = call.body["output"]
    refused = call.parts.language.input_refusal(output)
    if refused is not None:
        raise Refusal("InvalidOutput", f"Invalid Output: '{refused}'")
    result = (Payload(output.encode()),)
    await _hand_in(call, lambda task: CompleteActivity(task[0], task[1], result, call.identity))
    return {}


@operations.add("SendTaskFailure")
async def send_task_failure(call: Call) -> Answer:
    """End a task with an error."""
    failure = Failure(call.body.get("cause", ""), type=call.body.get("error", ""), non_retryable=True, source=SOURCE)
    await _hand_in(call, lambda task: FailActivity(task[0], task[1], failure, call.identity))
    return {}


@operations.add("SendTaskHeartbeat")
async def send_task_heartbeat(call: Call) -> Answer:
    """Say that a task is being worked at."""
    await _hand_in(call, lambda task: HeartbeatActivity(task[0], task[1], (), call.identity))
    return {}


async def _hand_in(call: Call, request: Callable[[tuple[int, int]], OutsideRequest]) -> None:
    """Say something about the attempt that the token names. Raises ``Refusal``."""
    address, number, attempt = await _attempt(call, call.body["taskToken"])
    try:
        await call.service.request(address, request((number, attempt)))
    except (NotFoundError, RunClosedError):
        raise _over() from None


async def _attempt(call: Call, text: str) -> tuple[RunAddress, int, int]:
    known = call.parts.language.task_of(text)
    if known is None:
        try:
            token = TaskToken.decode(text)
        except InvalidArgumentError:
            raise _no_token() from None
        if token.namespace != call.namespace or not token.run_id or token.attempt < 1:
            raise _no_token()
        return token.address, token.scheduled_event_id, token.attempt
    address, activity_id = known
    if address.namespace != call.namespace:
        raise _no_token()
    call.require(Permission.WORK)
    for _ in range(max(1, round(call.parts.bounds.token_seconds / LOOK_SECONDS))):
        try:
            description = await call.service.describe(address)
        except NotFoundError:
            raise _over() from None
        found = next((one for one in description.activities if one.activity_id == activity_id), None)
        if found is None:
            raise _over()
        if found.started_time:
            return address, found.scheduled_event_id, found.attempt
        # Its execution is paused, or the server has just begun: the task is there, and must not be called over.
        await asyncio.sleep(LOOK_SECONDS)
    raise Refusal("ServiceUnavailableException", "The task can't be ended yet. Try again.", 503)


def _over() -> Refusal:
    return Refusal("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")


def _no_token() -> Refusal:
    return Refusal("InvalidToken", "Invalid Token: 'Invalid token'")
