"""What operators do to activities that have not ended: pause, unpause, reset, other options."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.json_format import MessageToDict
from temporalio import activity, workflow
from temporalio.api.activity.v1 import ActivityOptions
from temporalio.api.common.v1 import RetryPolicy as RetryPolicyMessage
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import (
    PauseActivityRequest,
    ResetActivityRequest,
    UnpauseActivityRequest,
    UpdateActivityOptionsRequest,
)
from temporalio.client import WorkflowHandle
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from tests.protocols.temporal.python.telling import LONG, QUEUE, SECOND, Teller, eventually, outcome, story

HOUR = timedelta(hours=1)
tries: dict[str, list[int]] = {}


@activity.defn
async def notes_attempts(name: str) -> list[int]:
    """Fails until it has been tried three times; all attempts' numbers."""
    tried = tries.setdefault(name, [])
    tried.append(activity.info().attempt)
    if len(tried) < 3:
        raise ApplicationError("not yet")
    return tried


@activity.defn
async def stops_when_told() -> list[Any]:
    """Why the first attempt was told to stop."""
    if activity.info().attempt > 1:
        return list(activity.info().heartbeat_details)
    try:
        while True:
            activity.heartbeat("working")
            await asyncio.sleep(0.05)
    except asyncio.CancelledError:
        details = activity.cancellation_details()
        raise ApplicationError("paused" if details is not None and details.paused else "something else") from None


@workflow.defn
class Controlled:
    @workflow.run
    async def run(self, name: str, args: list[Any], queue: str, retry_hours: int) -> Any:
        return await workflow.execute_activity(
            name,
            args=args,
            activity_id="controlled",
            task_queue=queue or None,
            start_to_close_timeout=LONG * 60,
            heartbeat_timeout=SECOND * 2,
            retry_policy=RetryPolicy(
                initial_interval=HOUR * retry_hours or SECOND / 20, maximum_attempts=2, backoff_coefficient=1.0
            ),
        )


WORKFLOWS = [Controlled]
ACTIVITIES: list[Callable[..., Any]] = [notes_attempts, stops_when_told]


def named(handle: WorkflowHandle[Any, Any], **more: Any) -> dict[str, Any]:
    return {
        "namespace": "default",
        "execution": WorkflowExecution(workflow_id=handle.id),
        "identity": "operator",
        **({"id": "controlled"} | more),
    }


async def pending(handle: WorkflowHandle[Any, Any]) -> PendingActivityInfo | None:
    found = (await handle.describe()).raw_description.pending_activities
    return found[0] if found else None


def shown(info: PendingActivityInfo | None) -> dict[str, Any]:
    """What is the same each time."""
    assert info is not None
    said = MessageToDict(info)
    options = said.get("activityOptions", {})
    return {
        **{name: said.get(name) for name in ("state", "attempt", "paused", "maximumAttempts")},
        "pausedBy": said.get("pauseInfo", {}).get("manual"),
        "queue": options.get("taskQueue", {}).get("name"),
        **{name: options.get(name) for name in ("startToCloseTimeout", "heartbeatTimeout", "retryPolicy")},
    }


async def waits_for_retry(handle: WorkflowHandle[Any, Any]) -> None:
    async def waits() -> bool:
        info = await pending(handle)
        return info is not None and info.HasField("next_attempt_schedule_time")

    await eventually(waits)


@story
async def activity_paused_and_moved(teller: Teller) -> Any:
    service = teller.client.workflow_service
    handle = await teller.start(Controlled, "notes_attempts", ["moved"], "python-nobody", 0)

    async def is_pending() -> bool:
        return await pending(handle) is not None

    await eventually(is_pending)
    said = [shown(await pending(handle))]
    await service.pause_activity(PauseActivityRequest(**named(handle), reason="a rest"))
    said.append(shown(await pending(handle)))
    changed = await service.update_activity_options(
        UpdateActivityOptionsRequest(
            **named(handle),
            activity_options=ActivityOptions(
                task_queue=TaskQueue(name=QUEUE),
                heartbeat_timeout=Duration(seconds=9000),
                retry_policy=RetryPolicyMessage(maximum_attempts=3),
            ),
            update_mask=FieldMask(paths=["taskQueue.name", "heartbeat_timeout", "retry_policy.maximum_attempts"]),
        )
    )
    said.append(MessageToDict(changed))
    said.append(shown(await pending(handle)))
    await service.unpause_activity(UnpauseActivityRequest(**named(handle)))
    return [*said, await outcome(handle.result())]


@story
async def activity_reset(teller: Teller) -> Any:
    handle = await teller.start(Controlled, "notes_attempts", ["reset"], "", 1, execution_timeout=HOUR * 9)
    await waits_for_retry(handle)
    said = [shown(await pending(handle))]
    service = teller.client.workflow_service
    await service.reset_activity(ResetActivityRequest(**named(handle)))
    await waits_for_retry(handle)
    said.append(shown(await pending(handle)))
    await service.pause_activity(PauseActivityRequest(**named(handle)))
    await service.reset_activity(ResetActivityRequest(**named(handle), keep_paused=True))
    said.append(shown(await pending(handle)))
    await service.reset_activity(ResetActivityRequest(**named(handle)))
    return [*said, await outcome(handle.result())]


@story
async def activity_paused_while_it_runs(teller: Teller) -> Any:
    handle = await teller.start(Controlled, "stops_when_told", [], "", 0)
    # Temporal's server forgets why the attempt before failed when an activity is unpaused.
    teller.runs.clear()

    async def beats() -> bool:
        info = await pending(handle)
        return info is not None and info.HasField("last_heartbeat_time")

    await eventually(beats)
    service = teller.client.workflow_service
    await service.pause_activity(PauseActivityRequest(**named(handle)))

    async def rests() -> bool:
        info = await pending(handle)
        return info is not None and info.attempt == 2

    await eventually(rests)
    info = await pending(handle)
    assert info is not None
    said = [shown(info), info.last_failure.message]
    await service.unpause_activity(UnpauseActivityRequest(**named(handle), reset_heartbeat=True))
    return [*said, await outcome(handle.result())]


@story
async def activity_control_refused(teller: Teller) -> Any:
    handle = await teller.start(Controlled, "notes_attempts", ["refused"], "", 1, execution_timeout=HOUR * 9)
    await waits_for_retry(handle)
    service = teller.client.workflow_service
    nowhere: dict[str, Any] = {
        "namespace": "default",
        "execution": WorkflowExecution(workflow_id="python-nowhere"),
        "id": "a",
    }
    empty: dict[str, Any] = {"namespace": "default", "execution": WorkflowExecution(workflow_id=handle.id)}
    options = ActivityOptions(heartbeat_timeout=Duration(seconds=7))
    said: list[Any] = []
    asked: list[tuple[Any, Any]] = [
        (service.pause_activity, PauseActivityRequest(**named(handle, id="nothing"))),
        (service.pause_activity, PauseActivityRequest(**empty, type="nothing")),
        (service.pause_activity, PauseActivityRequest(**empty)),
        (service.pause_activity, PauseActivityRequest(**nowhere)),
        (service.pause_activity, PauseActivityRequest(namespace="default", id="a")),
        (service.unpause_activity, UnpauseActivityRequest(**named(handle, id="nothing"))),
        (service.unpause_activity, UnpauseActivityRequest(**named(handle))),
        (service.unpause_activity, UnpauseActivityRequest(**empty)),
        (service.reset_activity, ResetActivityRequest(**empty)),
        (service.reset_activity, ResetActivityRequest(**named(handle, id="nothing"))),
        (service.update_activity_options, UpdateActivityOptionsRequest(**empty)),
        (service.update_activity_options, UpdateActivityOptionsRequest(**named(handle))),
        (
            service.update_activity_options,
            UpdateActivityOptionsRequest(
                **named(handle), restore_original=True, update_mask=FieldMask(paths=["heartbeat_timeout"])
            ),
        ),
        (
            service.update_activity_options,
            UpdateActivityOptionsRequest(
                **named(handle), activity_options=options, update_mask=FieldMask(paths=["start_to_close_timeout"])
            ),
        ),
        (
            service.update_activity_options,
            UpdateActivityOptionsRequest(
                **named(handle), activity_options=options, update_mask=FieldMask(paths=["nothing"])
            ),
        ),
    ]
    for call, request in asked:
        answer = await outcome(call(request))
        said.append(answer if isinstance(answer, dict) else MessageToDict(answer))
    await handle.terminate()
    said.append(await outcome(service.pause_activity(PauseActivityRequest(**named(handle)))))
    return said
