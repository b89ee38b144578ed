"""Task queues: their limits, and how they stand."""

from datetime import datetime
from typing import Annotated

import msgspec

from perdure.model.task_queues import DEFAULT_AGEING_NS, TaskQueue, TaskQueueDescription
from perdure.protocols.rest.asking import Asked, Limit, Reason
from perdure.protocols.rest.operations import Call, Nothing, Operations
from perdure.protocols.rest.paging import PageQuery, page_of
from perdure.protocols.rest.values import to_ns, to_seconds, to_time

operations = Operations("task queues")

PATH = "/namespaces/{namespace}/task-queues/{task_queue}"

Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000, description="Null or left out for no limit.")]


class TaskQueueBody(Asked):
    """Limits of a task queue, in place of those it had.

    At most ``concurrency`` activities run at once and ``rate`` start within any ``per_seconds``; the same of each limit key
    with ``..._per_key``. Who has waited longer than ``ageing_seconds`` gets every fourth start.
    """

    concurrency: Count | None = None
    rate: Count | None = None
    per_seconds: Limit = 1.0
    concurrency_per_key: Count | None = None
    rate_per_key: Count | None = None
    ageing_seconds: Limit = DEFAULT_AGEING_NS / 1e9


class TaskQueueView(msgspec.Struct, frozen=True):
    """What is set about a task queue; limits are null where there are none."""

    name: str
    concurrency: int | None
    rate: int | None
    per_seconds: float
    concurrency_per_key: int | None
    rate_per_key: int | None
    ageing_seconds: float
    is_paused: bool
    pause_reason: str


class TaskQueuesView(msgspec.Struct, frozen=True):
    """A page of all that are known of, by name; ``next_cursor`` is empty on the last one."""

    task_queues: list[TaskQueueView]
    next_cursor: str = ""


class BreakerView(msgspec.Struct, frozen=True):
    """A circuit breaker; ``state`` is "closed", "open" or "half-open"."""

    activity_type: str
    state: str
    recent_failures: int
    open_until: datetime | None


class PollerView(msgspec.Struct, frozen=True):
    """A worker that serves a queue; of one in the server's own process there is no id, time or number of slots."""

    identity: str
    build_id: str
    worker_id: str
    connected_time: datetime | None
    running: int
    activity_slots: int | None


class TaskQueueDescriptionView(msgspec.Struct, frozen=True):
    """A task queue as it stands. ``holds`` counts those that wait by what they wait for; ``is_served``: whether there is
    a worker. How many became ready and started a second is of the last half minute."""

    settings: TaskQueueView
    is_served: bool
    backlog: int
    oldest_wait_seconds: float
    running: int
    running_by_key: dict[str, int]
    holds: dict[str, int]
    breakers: list[BreakerView]
    added_per_second: float
    started_per_second: float
    pollers: list[PollerView]


class PauseBody(Asked):
    """Why."""

    reason: Reason = ""


@operations.add("GET", "/namespaces/{namespace}/task-queues", query=PageQuery, answer=TaskQueuesView)
async def list_task_queues(call: Call[None, PageQuery]) -> TaskQueuesView:
    """The settings of all task queues that are known of."""
    found = await call.service.task_queues(call.namespace)
    page, next_cursor = page_of(found, lambda one: (one.name,), call.query)
    return TaskQueuesView([_settings(one) for one in page], next_cursor)


@operations.add("GET", PATH, answer=TaskQueueDescriptionView)
async def describe_task_queue(call: Call[None, Nothing]) -> TaskQueueDescriptionView:
    """How a task queue stands."""
    return _description(await call.service.describe_task_queue(call.namespace, call.path["task_queue"]))


@operations.add("PUT", PATH, body=TaskQueueBody, answer=TaskQueueView)
async def set_task_queue(call: Call[TaskQueueBody, Nothing]) -> TaskQueueView:
    """Set a task queue's limits; they take effect at once. Whether it is paused stays as it is."""
    body, namespace, name = call.body, call.namespace, call.path["task_queue"]
    present = next(
        (one for one in await call.service.task_queues(namespace) if one.name == name), TaskQueue(namespace, name)
    )
    settings = TaskQueue(
        namespace,
        name,
        body.concurrency or 0,
        body.rate or 0,
        to_ns(body.per_seconds) or 1000,
        body.concurrency_per_key or 0,
        body.rate_per_key or 0,
        to_ns(body.ageing_seconds) or 1000,
        present.is_paused,
        present.pause_reason,
    )
    await call.service.set_task_queue(settings)
    return _settings(settings)


@operations.add("POST", f"{PATH}/pause", body=PauseBody)
async def pause_task_queue(call: Call[PauseBody, Nothing]) -> None:
    """Start none of a queue's activities until it is resumed; those that run go on, and so do workflows."""
    await call.service.pause_task_queue(call.namespace, call.path["task_queue"], call.body.reason)


@operations.add("POST", f"{PATH}/resume")
async def resume_task_queue(call: Call[None, Nothing]) -> None:
    """Let a queue go on after a pause."""
    await call.service.pause_task_queue(call.namespace, call.path["task_queue"], None)


def _settings(settings: TaskQueue) -> TaskQueueView:
    return TaskQueueView(
        settings.name,
        settings.concurrency or None,
        settings.rate or None,
        to_seconds(settings.per_ns),
        settings.concurrency_per_key or None,
        settings.rate_per_key or None,
        to_seconds(settings.ageing_ns),
        settings.is_paused,
        settings.pause_reason,
    )


def _description(found: TaskQueueDescription) -> TaskQueueDescriptionView:
    return TaskQueueDescriptionView(
        _settings(found.settings),
        found.is_served,
        found.backlog,
        to_seconds(found.oldest_wait_ns),
        found.running,
        dict(found.running_by_key),
        {str(reason): count for reason, count in found.holds.items()},
        [
            BreakerView(one.activity_type, one.state, one.recent_failures, to_time(one.open_until))
            for one in found.breakers
        ],
        round(found.added_per_second, 3),
        round(found.started_per_second, 3),
        [
            PollerView(
                one.identity,
                one.build_id,
                one.worker_id,
                to_time(one.connected_time),
                one.running,
                one.activity_slots or None,
            )
            for one in found.pollers
        ],
    )
