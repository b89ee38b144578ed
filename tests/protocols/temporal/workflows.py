"""Workflows and activities by Temporal's own SDK."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

SHORT = timedelta(seconds=20)


@activity.defn
async def greet(name: str) -> str:
    return f"Hello, {name}!"


@activity.defn
async def fail(kind: str) -> None:
    raise ApplicationError("it can't be", {"detail": 1}, type=kind, non_retryable=True)


@activity.defn
async def flaky() -> int:
    if activity.info().attempt < 3:
        raise ApplicationError("not yet", type="Again")
    return activity.info().attempt


@activity.defn
async def beats_until_cancelled() -> None:
    while True:
        activity.heartbeat("alive")
        await asyncio.sleep(0.05)


@activity.defn
async def left_to_others() -> str:
    activity.raise_complete_async()


@workflow.defn
class Account:
    """Signals, queries, updates, a timer and a child."""

    @workflow.init
    def __init__(self, balance: int) -> None:
        self.balance = balance
        self.closed = False

    @workflow.run
    async def run(self, balance: int) -> int:
        await workflow.wait_condition(lambda: self.closed and workflow.all_handlers_finished())
        return self.balance

    @workflow.signal
    def deposit(self, amount: int) -> None:
        self.balance += amount

    @workflow.signal
    def close(self) -> None:
        self.closed = True

    @workflow.query
    def seen(self) -> int:
        return self.balance

    @workflow.update
    async def withdraw(self, amount: int) -> int:
        await workflow.sleep(0.01)
        self.balance -= amount
        return self.balance

    @withdraw.validator
    def enough(self, amount: int) -> None:
        if amount > self.balance:
            raise ApplicationError("not enough", type="Overdrawn")


@workflow.defn
class Steps:
    """One thing after the other, as the test names them."""

    @workflow.run
    async def run(self, step: str) -> Any:  # every case ends it
        match step:
            case "activity":
                return await workflow.execute_activity(greet, "you", start_to_close_timeout=SHORT)
            case "local":
                return await workflow.execute_local_activity(greet, "here", start_to_close_timeout=SHORT)
            case "retry":
                policy = RetryPolicy(initial_interval=timedelta(milliseconds=20))
                return await workflow.execute_activity(flaky, start_to_close_timeout=SHORT, retry_policy=policy)
            case "fails":
                return await workflow.execute_activity(fail, "Bad", start_to_close_timeout=SHORT)
            case "cancelled":
                handle = workflow.start_activity(
                    beats_until_cancelled,
                    start_to_close_timeout=SHORT,
                    heartbeat_timeout=SHORT,
                    cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
                )
                await workflow.sleep(0.2)
                handle.cancel()
                try:
                    await handle
                except Exception as error:
                    return type(error).__name__
                return "not cancelled"
            case "outside":
                return await workflow.execute_activity(
                    left_to_others, start_to_close_timeout=SHORT, activity_id="outside"
                )
            case "timer":
                await workflow.sleep(0.05, summary="a rest")
                return "rested"
            case "child":
                return await workflow.execute_child_workflow(
                    Steps.run, "activity", id=f"{workflow.info().workflow_id}-child"
                )
            case "continue":
                return workflow.continue_as_new("timer")
            case "patched":
                return "new" if workflow.patched("a-patch") else "old"
            case _:
                raise ApplicationError(f"no such step: {step}", type="NoSuchStep")


ACTIVITIES: list[Callable[..., Any]] = [greet, fail, flaky, beats_until_cancelled, left_to_others]
WORKFLOWS = [Account, Steps]
