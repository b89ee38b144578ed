"""What operators do to activities that have not ended: pause, unpause, reset, other options."""

import random
from collections.abc import Mapping
from typing import Any

import msgspec
from temporalio.api.activity.v1 import message_pb2 as activity_pb
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.kernel.activity_options import with_options
from perdure.kernel.run import Activity
from perdure.model.access import Permission
from perdure.model.activity_options import ActivityOptions
from perdure.model.errors import NotFoundError
from perdure.model.ids import RunAddress
from perdure.model.requests import (
    OutsideRequest,
    PauseActivity,
    ResetActivity,
    UnpauseActivity,
    UpdateActivityOptions,
)
from perdure.protocols.temporal.calls import Call, Methods, execution_of
from perdure.protocols.temporal.commands import bounded
from perdure.protocols.temporal.errors import Refused
from perdure.protocols.temporal.names import to_priority
from perdure.protocols.temporal.service_describe import activity_options
from perdure.protocols.temporal.times import ns_of

methods = Methods()

NO_SUCH = "Can't find pending activity with such ID. Invalid activityID or activity already completed"


@methods.add
async def pause_activity(call: Call, request: pb.PauseActivityRequest) -> pb.PauseActivityResponse:
    """No further attempt starts."""
    address, id, type = await _named(call, request)
    await send(call, address, PauseActivity(id, type, request.reason, request.identity))
    return pb.PauseActivityResponse()


@methods.add
async def unpause_activity(call: Call, request: pb.UnpauseActivityRequest) -> pb.UnpauseActivityResponse:
    """Attempts start again."""
    address, id, type = await _named(call, request, "unpause_all")
    asked = UnpauseActivity(
        id, type, request.reset_attempts, request.reset_heartbeat, within(request.jitter), request.identity
    )
    await send(call, address, asked)
    return pb.UnpauseActivityResponse()


@methods.add
async def reset_activity(call: Call, request: pb.ResetActivityRequest) -> pb.ResetActivityResponse:
    """Attempts are counted from 1 again."""
    address, id, type = await _named(call, request, "match_all")
    asked = ResetActivity(
        id,
        type,
        request.reset_heartbeat,
        request.keep_paused,
        request.restore_original_options,
        within(request.jitter),
        request.identity,
    )
    await send(call, address, asked)
    return pb.ResetActivityResponse()


@methods.add
async def update_activity_options(
    call: Call, request: pb.UpdateActivityOptionsRequest
) -> pb.UpdateActivityOptionsResponse:
    """Other options, and those that the activity has then."""
    address, id, type = await _named(call, request, "match_all")
    return pb.UpdateActivityOptionsResponse(activity_options=await change_options(call, request, address, id, type))


async def change_options(
    call: Call, request: Any, address: RunAddress, id: str, type: str
) -> activity_pb.ActivityOptions:
    """Give activities of a run the options that a request with a mask names; those that the first has then."""
    await call.namespace(request.namespace, Permission.OPERATE)
    paths = [_words(path) for path in request.update_mask.paths]
    if request.restore_original and paths:
        raise Refused.invalid("Both UpdateMask and RestoreOriginal are provided")
    if not request.restore_original and not request.HasField("activity_options"):
        raise Refused.invalid("ActivityOptions are not provided")
    run_timeout_ns, present = await _pending(call, address, id, type)
    if request.restore_original:
        await send(call, address, UpdateActivityOptions(id, type, None, request.identity))
    elif not (changed := _changed(request.activity_options, paths)).is_empty:
        for activity in present:
            # What one timeout is to the others is worked out for each, as when it was scheduled.
            options = _bounded(activity, changed, run_timeout_ns)
            asked = UpdateActivityOptions(activity.scheduled.activity_id, "", options, request.identity)
            await send(call, address, asked)
    return activity_options(present[0].scheduled)


async def _named(call: Call, request: Any, all_word: str = "") -> tuple[RunAddress, str, str]:
    namespace = await call.namespace(request.namespace)
    address = execution_of(namespace, request.execution)
    chosen = request.WhichOneof("activity")
    if chosen == "id" and request.id:
        return address, request.id, ""
    if chosen == "type" and request.type:
        return address, "", request.type
    if chosen is not None and chosen == all_word:
        return address, "", ""
    raise Refused.invalid("Either Activity.Id or Activity.Type should be set on request.")


async def _pending(call: Call, address: RunAddress, id: str, type: str) -> tuple[int, list[Activity]]:
    run = (await call.parts.turns.resident(address)).run
    if run.close is not None:
        raise Refused.not_found("workflow execution already completed")
    present = [
        activity
        for activity in run.activities.values()
        if (not id or activity.scheduled.activity_id == id) and (not type or activity.scheduled.activity_type == type)
    ]
    if not present:
        raise Refused.not_found(NO_SUCH)
    return run.started.workflow_run_timeout_ns, present


async def send(call: Call, address: RunAddress, request: OutsideRequest) -> None:
    """Do something to activities of a run. Raises ``Refused`` if there are no such ones."""
    try:
        await call.service.request(address, request)
    except NotFoundError:
        # A run that is not there says so for itself.
        await call.service.describe(address)
        raise Refused.not_found(NO_SUCH) from None


def within(jitter: Any) -> int:
    """A time of this length at most, in ns."""
    return int(random.random() * ns_of(jitter))


def _words(path: str) -> str:
    """``retryPolicy.maximumAttempts`` is written as ``retry_policy.maximum_attempts``, too."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in path)


_FIELDS: Mapping[str, tuple[str, Any]] = {
    "task_queue.name": ("task_queue", lambda given: given.task_queue.name),
    "schedule_to_close_timeout": ("schedule_to_close_timeout_ns", lambda given: ns_of(given.schedule_to_close_timeout)),
    "schedule_to_start_timeout": ("schedule_to_start_timeout_ns", lambda given: ns_of(given.schedule_to_start_timeout)),
    "start_to_close_timeout": ("start_to_close_timeout_ns", lambda given: ns_of(given.start_to_close_timeout)),
    "heartbeat_timeout": ("heartbeat_timeout_ns", lambda given: ns_of(given.heartbeat_timeout)),
    "priority": ("priority", lambda given: to_priority(given.priority)),
    "retry_policy.initial_interval": ("retry_initial_ns", lambda given: ns_of(given.retry_policy.initial_interval)),
    "retry_policy.backoff_coefficient": ("retry_backoff", lambda given: given.retry_policy.backoff_coefficient),
    "retry_policy.maximum_interval": ("retry_maximum_ns", lambda given: ns_of(given.retry_policy.maximum_interval)),
    "retry_policy.maximum_attempts": ("retry_max_attempts", lambda given: given.retry_policy.maximum_attempts),
}
"""What each path of a mask changes. Paths that are not here change nothing, as with Temporal's server."""


def _changed(given: Any, paths: list[str]) -> ActivityOptions:
    fields = {}
    if "retry_policy" in paths:
        paths = [*paths, *(path for path in _FIELDS if path.startswith("retry_policy."))]
    for path in paths:
        if path not in _FIELDS:
            continue
        if path.startswith("retry_policy.") and not given.HasField("retry_policy"):
            raise Refused.invalid("RetryPolicy is not provided")
        if path.startswith("task_queue.") and not given.HasField("task_queue"):
            raise Refused.invalid("TaskQueue is not provided")
        name, value = _FIELDS[path]
        fields[name] = value(given)
    return ActivityOptions(**fields)


def _bounded(activity: Activity, changed: ActivityOptions, run_timeout_ns: int) -> ActivityOptions:
    scheduled = with_options(activity.scheduled, changed)
    if not scheduled.schedule_to_close_timeout_ns and not scheduled.start_to_close_timeout_ns:
        raise Refused.invalid(
            "A valid StartToClose or ScheduleToCloseTimeout is not set on ScheduleActivityTaskCommand. "
            f"ActivityId={scheduled.activity_id} ActivityType={scheduled.activity_type}"
        )
    return msgspec.structs.replace(changed, **bounded(scheduled, run_timeout_ns))
