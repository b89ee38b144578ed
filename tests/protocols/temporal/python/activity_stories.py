"""Activities: retries, failures, timeouts of each kind, heartbeats, cancellation, completion from elsewhere."""

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.client import AsyncActivityHandle, WorkflowHandle
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.workflow import ActivityCancellationType
from tests.protocols.temporal.python import activities
from tests.protocols.temporal.python.telling import LONG, SECOND, Teller, eventually, outcome, story, until

QUICK = RetryPolicy(initial_interval=timedelta(milliseconds=50), maximum_interval=timedelta(milliseconds=100))
ONCE = RetryPolicy(maximum_attempts=1)
TWICE = RetryPolicy(initial_interval=timedelta(milliseconds=50), maximum_attempts=2)
# A workflow can be handed the options of its activity, so one workflow serves most stories.
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {"start_to_close_timeout": LONG},
    "quick": {"start_to_close_timeout": LONG, "retry_policy": QUICK},
    "once": {"start_to_close_timeout": LONG, "retry_policy": ONCE},
    "twice": {"start_to_close_timeout": LONG, "retry_policy": TWICE},
    "known-type": {
        "start_to_close_timeout": LONG,
        "retry_policy": RetryPolicy(non_retryable_error_types=["Broken"]),
    },
    "nobody": {"schedule_to_start_timeout": SECOND, "schedule_to_close_timeout": LONG, "task_queue": "python-nobody"},
    "short": {"start_to_close_timeout": SECOND, "retry_policy": ONCE},
    "short-twice": {"start_to_close_timeout": SECOND, "retry_policy": TWICE},
    "short-in-all": {
        "schedule_to_close_timeout": SECOND * 2,
        "retry_policy": RetryPolicy(initial_interval=SECOND * 3),
    },
    "short-for-one": {"schedule_to_close_timeout": SECOND},
    "heartbeat": {"start_to_close_timeout": LONG, "heartbeat_timeout": SECOND, "retry_policy": ONCE},
    "heartbeat-twice": {"start_to_close_timeout": LONG, "heartbeat_timeout": SECOND, "retry_policy": TWICE},
    "priority": {
        "start_to_close_timeout": LONG,
        "priority": Priority(priority_key=2, fairness_key="tenant", fairness_weight=2.5),
        "summary": "what it is for",
        "activity_id": "my-id",
    },
    "elsewhere": {"start_to_close_timeout": LONG, "heartbeat_timeout": LONG, "retry_policy": ONCE},
}
CANCELS = {
    "try": ActivityCancellationType.TRY_CANCEL,
    "wait": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    "abandon": ActivityCancellationType.ABANDON,
}


@workflow.defn(failure_exception_types=[])
class OneActivity:
    @workflow.run
    async def run(self, activity: str, options: str, args: list[Any]) -> Any:
        return await workflow.execute_activity(activity, args=args, **OPTIONS[options])


@workflow.defn
class CancelledActivity:
    @workflow.run
    async def run(self, kind: str, how: str) -> str:
        handle = workflow.start_activity(
            activities.until_cancelled,
            how,
            start_to_close_timeout=LONG,
            # A worker hears of a cancel when it heartbeats, which it does after four fifths of this.
            heartbeat_timeout=SECOND * 2,
            cancellation_type=CANCELS[kind],
        )
        await workflow.wait_condition(lambda: self.told)
        handle.cancel()
        return await handle

    def __init__(self) -> None:
        self.told = False

    @workflow.signal
    def go(self) -> None:
        self.told = True


@workflow.defn
class UnstartedCancelled:
    @workflow.run
    async def run(self) -> str:
        handle = workflow.start_activity(activities.nothing, start_to_close_timeout=LONG, task_queue="python-nobody")
        await workflow.sleep(0.1)
        handle.cancel()
        try:
            await handle
        except Exception as error:
            return f"{type(error).__name__} {type(error.__cause__).__name__}"
        return "not cancelled"


@workflow.defn
class CancelledAtOnce:
    @workflow.run
    async def run(self) -> str:
        handle = workflow.start_activity(activities.nothing, start_to_close_timeout=LONG)
        await asyncio.sleep(0)
        handle.cancel()
        try:
            await handle
        except Exception as error:
            return f"{type(error).__name__} {type(error.__cause__).__name__}"
        return "not cancelled"


@workflow.defn
class TwoInTurn:
    @workflow.run
    async def run(self) -> list[str]:
        return [
            await workflow.execute_activity(activities.greet, name, start_to_close_timeout=LONG)
            for name in ("one", "two")
        ]


@workflow.defn
class Compensating:
    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.execute_activity(activities.fails_for_good, start_to_close_timeout=LONG)
        except Exception as error:
            done = await workflow.execute_activity(activities.greet, "undo", start_to_close_timeout=LONG)
            raise ApplicationError(f"undone: {done}", type="Undone", non_retryable=True) from error
        return "never"


WORKFLOWS = [OneActivity, CancelledActivity, UnstartedCancelled, CancelledAtOnce, TwoInTurn, Compensating]


def single(name: str, activity: str, options: str, *args: Any) -> None:
    """A story of one activity."""

    async def tell(teller: Teller) -> Any:
        return await teller.run(OneActivity.run, activity, options, list(args))

    tell.__name__ = name
    story(tell)


single("activity", "greet", "plain", "world")
single("activity_without_result", "nothing", "plain")
single("activity_info", "about_me", "priority")
single("activity_retry", "third_time", "quick", "done")
single("activity_fails", "always_fails", "once", "out of luck")
single("activity_fails_for_good", "fails_for_good", "quick")
single("activity_non_retryable_type", "always_fails", "known-type", "a known kind")
single("activity_maximum_attempts", "always_fails", "twice", "twice is enough")
single("activity_schedule_to_start_timeout", "greet", "nobody", "anybody")
single("activity_start_to_close_timeout", "sleeps", "short", 8)
single("activity_start_to_close_timeout_twice", "sleeps", "short-twice", 8)
single("activity_schedule_to_close_timeout", "sleeps", "short-for-one", 8)
single("activity_without_time_to_retry", "always_fails", "short-in-all", "no time left")
single("activity_heartbeat_timeout", "hangs_after_heartbeat", "heartbeat", ["last", 1])
single("activity_heartbeat_timeout_then_details", "hangs_after_heartbeat", "heartbeat-twice", ["last", 1])
single("activity_heartbeat_details", "fails_after_heartbeat", "quick")
single("activity_next_retry_delay", "fails_with_delay", "plain")
single("activity_unknown", "no_such_activity", "once")


@story
async def activities_in_turn(teller: Teller) -> Any:
    return await teller.run(TwoInTurn.run)


@story
async def activity_compensated(teller: Teller) -> Any:
    return await teller.run(Compensating.run)


def cancelled(kind: str, how: str) -> None:
    """A story of an activity that is cancelled while it runs."""

    async def tell(teller: Teller) -> Any:
        handle = await teller.start(CancelledActivity.run, kind, how)
        await started(handle)
        await handle.signal(CancelledActivity.go)
        return await outcome(handle.result())

    tell.__name__ = f"activity_cancel_{kind}_{how}"
    story(tell)


cancelled("wait", "stops")
cancelled("wait", "completes")
cancelled("wait", "fails")
cancelled("try", "stops")
cancelled("abandon", "stops")


@story
async def activity_cancelled_before_start(teller: Teller) -> Any:
    return await teller.run(UnstartedCancelled.run)


@story
async def activity_cancelled_at_once(teller: Teller) -> Any:
    return await teller.run(CancelledAtOnce.run)


async def started(handle: WorkflowHandle[Any, Any]) -> None:
    """Wait until the run's activity is with a worker."""
    await until(handle, "ACTIVITY_TASK_SCHEDULED")

    async def is_started() -> bool:
        pending = (await handle.describe()).raw_description.pending_activities
        return bool(pending) and pending[0].state == 2

    await eventually(is_started)


async def left(teller: Teller, by_id: bool) -> tuple[WorkflowHandle[Any, Any], AsyncActivityHandle]:
    """A run whose activity waits to be completed."""
    handle = await teller.start(OneActivity.run, "elsewhere", "elsewhere", [])
    await started(handle)
    while handle.id not in activities.tokens:
        await asyncio.sleep(0.02)
    if by_id:
        return handle, teller.client.get_async_activity_handle(
            workflow_id=handle.id, run_id=handle.result_run_id, activity_id="1"
        )
    return handle, teller.client.get_async_activity_handle(task_token=activities.tokens[handle.id])


@story
async def activity_completed_by_token(teller: Teller) -> Any:
    handle, activity = await left(teller, by_id=False)
    await activity.heartbeat("half way")
    await activity.complete("from elsewhere")
    return [await handle.result(), await outcome(activity.complete("again"))]


@story
async def activity_completed_by_id(teller: Teller) -> Any:
    handle, activity = await left(teller, by_id=True)
    await activity.heartbeat("half way")
    await activity.complete({"by": "id"})
    return [await handle.result(), await outcome(activity.complete("again"))]


@story
async def activity_failed_by_id(teller: Teller) -> Any:
    handle, activity = await left(teller, by_id=True)
    await activity.fail(ApplicationError("from elsewhere", "why", type="Elsewhere"), last_heartbeat_details=["last"])
    return await outcome(handle.result())


@story
async def activity_cancelled_by_id(teller: Teller) -> Any:
    handle, activity = await left(teller, by_id=True)
    refused = await outcome(activity.report_cancellation("too early"))
    await handle.cancel()
    await until(handle, "ACTIVITY_TASK_CANCEL_REQUESTED")
    return [refused, await outcome(handle.result())]
