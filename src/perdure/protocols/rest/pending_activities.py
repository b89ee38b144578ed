"""What can be done to activities of a run that have not ended: the one with an id, all of a type, or all."""

from typing import Annotated, Any

import msgspec

from perdure.model.activity_options import ActivityOptions
from perdure.model.errors import InvalidArgumentError
from perdure.model.requests import (
    OutsideRequest,
    PauseActivity,
    ResetActivity,
    UnpauseActivity,
    UpdateActivityOptions,
)
from perdure.model.task_queues import Priority
from perdure.protocols.rest.asking import Asked, Name, OfRun, Reason, RetryBody, Seconds, retry_policy
from perdure.protocols.rest.operations import Call, Operations
from perdure.protocols.rest.runs import PATH
from perdure.protocols.rest.values import to_ns

operations = Operations("activities")

MaybeName = Annotated[str, msgspec.Meta(max_length=1_000)]


class WhichActivities(Asked):
    """One, by its ``activity_id``; all of an ``activity_type``; without both, all of the run."""

    activity_id: MaybeName = ""
    activity_type: MaybeName = ""


class PauseActivityBody(WhichActivities):
    """Why they are paused."""

    reason: Reason = ""


class UnpauseActivityBody(WhichActivities):
    """How they go on: the next attempt waits ``delay_seconds`` at least; ``reset_attempts`` counts from 1 again,
    ``reset_heartbeat`` forgets what attempts have reported."""

    reset_attempts: bool = False
    reset_heartbeat: bool = False
    delay_seconds: Seconds = 0


class ResetActivityBody(WhichActivities):
    """How they begin again. Paused ones go on unless ``keep_paused``; ``restore_options`` gives back the options with
    which the workflow asked for them."""

    reset_heartbeat: bool = False
    keep_paused: bool = False
    restore_options: bool = False
    delay_seconds: Seconds = 0


class ActivityOptionsBody(WhichActivities):
    """What changes; null or left out stays. 0 seconds are no limit. ``retry`` keeps the present ``non_retryable``.
    ``restore`` gives back the options with which the workflow asked for them, and goes with nothing else."""

    task_queue: Name | None = None
    schedule_to_close_seconds: Seconds | None = None
    schedule_to_start_seconds: Seconds | None = None
    start_to_close_seconds: Seconds | None = None
    heartbeat_seconds: Seconds | None = None
    retry: RetryBody | None = None
    priority: Annotated[int, msgspec.Meta(ge=1, le=5)] | None = None
    restore: bool = False


@operations.add("POST", f"{PATH}/activities/pause", body=PauseActivityBody, query=OfRun)
async def pause_activities(call: Call[PauseActivityBody, OfRun]) -> None:
    """Start no further attempt of activities until they are unpaused; an attempt that runs may finish.

    While an activity waits so, none of its timeouts passes.
    """
    body = call.body
    await _send(call, PauseActivity(body.activity_id, body.activity_type, body.reason, call.identity))


@operations.add("POST", f"{PATH}/activities/unpause", body=UnpauseActivityBody, query=OfRun)
async def unpause_activities(call: Call[UnpauseActivityBody, OfRun]) -> None:
    """Let paused activities go on."""
    body = call.body
    await _send(
        call,
        UnpauseActivity(
            body.activity_id,
            body.activity_type,
            body.reset_attempts,
            body.reset_heartbeat,
            to_ns(body.delay_seconds),
            call.identity,
        ),
    )


@operations.add("POST", f"{PATH}/activities/reset", body=ResetActivityBody, query=OfRun, remembers=True)
async def reset_activities(call: Call[ResetActivityBody, OfRun]) -> None:
    """Count attempts of activities from 1 again; those that wait for their next attempt get it now."""
    body = call.body
    await _send(
        call,
        ResetActivity(
            body.activity_id,
            body.activity_type,
            body.reset_heartbeat,
            body.keep_paused,
            body.restore_options,
            to_ns(body.delay_seconds),
            call.identity,
        ),
    )


@operations.add("POST", f"{PATH}/activities/options", body=ActivityOptionsBody, query=OfRun)
async def update_activity_options(call: Call[ActivityOptionsBody, OfRun]) -> None:
    """Change options of activities that have not ended. A retry that waits, waits as the new retry policy says."""
    body = call.body
    options = _options(body)
    if body.restore:
        if not options.is_empty:
            raise InvalidArgumentError("restore gives back all options: say nothing else with it.")
        await _send(call, UpdateActivityOptions(body.activity_id, body.activity_type, None, call.identity))
    else:
        await _send(call, UpdateActivityOptions(body.activity_id, body.activity_type, options, call.identity))


def _options(body: ActivityOptionsBody) -> ActivityOptions:
    options = ActivityOptions(
        body.task_queue,
        _ns(body.schedule_to_close_seconds),
        _ns(body.schedule_to_start_seconds),
        _ns(body.start_to_close_seconds),
        _ns(body.heartbeat_seconds),
        priority=None if body.priority is None else Priority(body.priority),
    )
    policy = retry_policy(body.retry)
    return options if policy is None else options.retried(policy)


def _ns(seconds: float | None) -> int | None:
    return None if seconds is None else to_ns(seconds)


async def _send(call: "Call[Any, OfRun]", request: OutsideRequest) -> None:
    if call.body.activity_id and call.body.activity_type:
        raise InvalidArgumentError("Name an activity by activity_id, or all of an activity_type, not both.")
    await call.service.request(call.address, request)
