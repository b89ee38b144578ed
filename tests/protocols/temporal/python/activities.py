"""The activities of all stories."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NoReturn

from temporalio import activity
from temporalio.exceptions import ApplicationError, CancelledError
from tests.protocols.temporal.python.headers import seen

tokens: dict[str, bytes] = {}
"""Of activities that are completed from elsewhere, by workflow id."""


@activity.defn
async def greet(name: str) -> str:
    return f"hello {name}"


@activity.defn
async def nothing() -> None:
    return None


@activity.defn
async def third_time(what: str) -> str:
    attempt = activity.info().attempt
    if attempt < 3:
        raise ApplicationError(f"not yet: {attempt}", {"attempt": attempt}, type="NotYet")
    return f"{what} at attempt {attempt}"


@activity.defn
async def always_fails(message: str) -> NoReturn:
    try:
        raise ValueError("the root of it")
    except ValueError as error:
        raise ApplicationError(message, "detail", 7, type="Broken") from error


@activity.defn
async def fails_for_good() -> NoReturn:
    raise ApplicationError("no use", type="Hopeless", non_retryable=True)


@activity.defn
async def fails_with_delay() -> str:
    if activity.info().attempt == 1:
        raise ApplicationError("soon", type="Later", next_retry_delay=timedelta(milliseconds=200))
    return "after the delay"


@activity.defn
async def sleeps(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "slept"


@activity.defn
async def hangs_after_heartbeat(details: list[Any]) -> str:
    if activity.info().attempt > 1:
        return f"found {list(activity.info().heartbeat_details)}"
    activity.heartbeat(*details)
    await asyncio.sleep(30)
    return "never"


@activity.defn
async def fails_after_heartbeat() -> Any:
    info = activity.info()
    if info.attempt > 1:
        return list(info.heartbeat_details)
    activity.heartbeat("so far", 3)
    # Heartbeats are throttled, and flushed by a failure.
    raise ApplicationError("again, please")


@activity.defn
async def until_cancelled(how: str) -> str:
    try:
        while True:
            activity.heartbeat("alive")
            await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        if how == "completes":
            return "completed in spite of it"
        if how == "fails":
            raise ApplicationError("failed on cancel", type="Cleanup", non_retryable=True) from None
        raise CancelledError("told to stop", "cleaned up") from None


@activity.defn
async def elsewhere() -> NoReturn:
    info = activity.info()
    tokens[info.workflow_id or ""] = info.task_token
    activity.raise_complete_async()


@activity.defn
async def header() -> Any:
    return seen.get(activity.info().workflow_id or "")


@activity.defn
async def about_me() -> dict[str, Any]:
    info = activity.info()
    return {
        "activity_id": info.activity_id,
        "activity_type": info.activity_type,
        "attempt": info.attempt,
        "is_local": info.is_local,
        "namespace": info.namespace,
        "task_queue": info.task_queue,
        "workflow_id": info.workflow_id,
        "workflow_type": info.workflow_type,
        "start_to_close": str(info.start_to_close_timeout),
        "schedule_to_close": str(info.schedule_to_close_timeout),
        "heartbeat": str(info.heartbeat_timeout),
        "priority": [info.priority.priority_key, info.priority.fairness_key, info.priority.fairness_weight],
    }


ALL: list[Callable[..., Any]] = [
    about_me,
    always_fails,
    elsewhere,
    fails_after_heartbeat,
    fails_for_good,
    fails_with_delay,
    greet,
    hangs_after_heartbeat,
    header,
    nothing,
    sleeps,
    third_time,
    until_cancelled,
]
