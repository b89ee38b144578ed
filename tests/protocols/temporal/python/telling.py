"""What a story has at hand: a client, names of its own, and a list of the runs that it started."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from temporalio.api.enums.v1 import EventType, PendingWorkflowTaskState
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError, TemporalError, TimeoutError
from temporalio.service import RPCError

QUEUE = "python"
SECOND = timedelta(seconds=1)
LONG = timedelta(seconds=60)


@dataclass
class Teller:
    """One telling of one story."""

    client: Client
    name: str
    runs: list[tuple[str, str]] = field(default_factory=list)
    follow: bool = True
    """Whether the runs that follow belong to the story as well."""

    def id(self, part: str = "") -> str:
        """A workflow id that only this story uses."""
        return f"python-{self.name}-{part}" if part else f"python-{self.name}"

    async def start(self, workflow: Any, *args: Any, part: str = "", **options: Any) -> WorkflowHandle[Any, Any]:
        """Start a run whose history belongs to the story."""
        options = {"task_queue": QUEUE, "execution_timeout": LONG, **options}
        handle: WorkflowHandle[Any, Any] = await self.client.start_workflow(
            workflow, args=args, id=self.id(part), **options
        )
        self.runs.append((handle.id, handle.result_run_id or ""))
        return handle

    async def run(self, workflow: Any, *args: Any, **options: Any) -> Any:
        """Start a run and wait for its outcome."""
        return await outcome((await self.start(workflow, *args, **options)).result())


Story = Callable[[Teller], Awaitable[Any]]
stories: dict[str, Story] = {}


def story(function: Story) -> Story:
    """Tell of this one too, under its name with dashes."""
    stories[function.__name__.replace("_", "-")] = function
    return function


async def outcome(awaitable: Awaitable[Any]) -> Any:
    """A result, or what failed and why, down to the first cause."""
    try:
        return await awaitable
    except (TemporalError, RPCError) as error:
        return {"failed": chain(error)}


def chain(error: BaseException | None) -> list[dict[str, Any]]:
    """An error and its causes."""
    found = []
    while error is not None:
        found.append(told(error))
        error = error.__cause__
    return found


def told(error: BaseException) -> dict[str, Any]:
    said: dict[str, Any] = {"error": type(error).__name__, "message": str(error)}
    match error:
        case ApplicationError():
            said |= {"type": error.type, "details": list(error.details), "non_retryable": error.non_retryable}
        case ActivityError():
            said |= {"activity": error.activity_type, "id": error.activity_id, "retry_state": str(error.retry_state)}
        case ChildWorkflowError():
            said |= {"workflow": error.workflow_type, "retry_state": str(error.retry_state)}
        case TimeoutError():
            said |= {"type": str(error.type), "details": list(error.last_heartbeat_details)}
        case RPCError():
            said |= {"status": error.status.name}
        case _:
            pass
    return said


async def until(handle: WorkflowHandle[Any, Any], *events: str) -> None:
    """Wait until a run has these events, and nothing is under way in it."""
    wanted = [EventType.Value("EVENT_TYPE_" + name) for name in events]
    while True:
        have = [event.event_type for event in await history(handle)]
        if all(have.count(kind) >= wanted.count(kind) for kind in wanted) and not await working(handle):
            return
        await asyncio.sleep(0.05)


async def history(handle: WorkflowHandle[Any, Any]) -> list[HistoryEvent]:
    """A run's events."""
    return [event async for event in handle.fetch_history_events()]


async def working(handle: WorkflowHandle[Any, Any]) -> bool:
    """Whether a run has a workflow task."""
    pending = (await handle.describe()).raw_description.pending_workflow_task
    return pending.state != PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_UNSPECIFIED


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it holds."""
    while not await condition():
        await asyncio.sleep(0.05)
