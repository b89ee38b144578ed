"""``client.task_queues``: limits and pauses of task queues, and how they stand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from perdure.model.errors import InvalidArgumentError
from perdure.model.options import SECOND_NS
from perdure.model.service import Service
from perdure.model.task_queues import DEFAULT_AGEING_NS, TaskQueue, TaskQueueDescription
from perdure.sdk.durations import Duration, to_ns


@dataclass(frozen=True)
class TaskQueueSettings:
    """What is set about a task queue. Limits are None where there are none."""

    name: str
    concurrency: int | None
    rate: int | None
    per: timedelta
    concurrency_per_key: int | None
    rate_per_key: int | None
    ageing: timedelta
    paused: bool
    pause_reason: str


@dataclass(frozen=True)
class BreakerInfo:
    """A circuit breaker. ``state`` is "closed", "open" or "half-open"; ``open_until`` is None unless it is open."""

    activity: str
    state: str
    recent_failures: int
    open_until: datetime | None


@dataclass(frozen=True)
class PollerInfo:
    """A worker that serves a task queue, and how many activities it ``running`` has now.

    Of the engine's own process, ``worker_id`` is empty, and ``connected`` and ``activity_slots`` are None.
    """

    identity: str
    build_id: str
    worker_id: str
    connected: datetime | None
    running: int
    activity_slots: int | None


@dataclass(frozen=True)
class TaskQueueInfo:
    """A task queue as it stands.

    ``backlog`` is how many activities are ready and wait, ``oldest_wait`` how long the first of them has, ``holds`` how
    many wait for what: "concurrency_limit", "rate_limit", "queue_paused", "breaker_open", "no_worker", "no_free_slot",
    "behind_others". ``running`` attempts run now, ``running_by_key`` of each limit key. ``served``: whether a worker
    serves the queue; ``pollers`` are these workers. ``added_per_second`` and ``started_per_second`` say how fast
    activities became ready and started in the last half minute: while more are added than started, the backlog grows.
    """

    settings: TaskQueueSettings
    served: bool
    backlog: int
    oldest_wait: timedelta
    running: int
    running_by_key: Mapping[str, int]
    holds: Mapping[str, int]
    breakers: Sequence[BreakerInfo]
    added_per_second: float
    started_per_second: float
    pollers: Sequence[PollerInfo]


class TaskQueues:
    """The task queues of a client's namespace. Their settings are kept in the store, and hold for all activities."""

    def __init__(self, service: Service, namespace: str) -> None:
        self._service = service
        self._namespace = namespace

    async def set(
        self,
        name: str,
        *,
        concurrency: int | None = None,
        rate: int | None = None,
        per: Duration = 1.0,
        concurrency_per_key: int | None = None,
        rate_per_key: int | None = None,
        ageing: Duration = DEFAULT_AGEING_NS / SECOND_NS,
        paused: bool | None = None,
        pause_reason: str = "",
    ) -> None:
        """Set a task queue's limits, in place of those it had; what is left out is not limited. Takes effect at once.

        Lower limits stop nothing that runs: nothing new starts until there is room.

        Args:
            name: the task queue. It need not be in use yet.
            concurrency: how many of its activities may run at once.
            rate: how many may start within any ``per``.
            per: a timedelta or seconds.
            concurrency_per_key: how many may run at once of each ``limit_key``.
            rate_per_key: how many may start within any ``per`` of each ``limit_key``.
            ageing: who has waited longer gets every fourth start, whatever its priority; a timedelta or seconds.
            paused: whether nothing starts at all; None leaves that as it is.
            pause_reason: shown wherever somebody asks why.

        Raises:
            InvalidArgumentError: a limit of zero or below, or another value that makes no sense.
        """
        present = await self._present(name)
        if paused is None:
            is_paused, reason = present.is_paused, present.pause_reason
        else:
            is_paused, reason = paused, pause_reason if paused else ""
        settings = TaskQueue(
            self._namespace,
            name,
            _limit(name, "concurrency", concurrency),
            _limit(name, "rate", rate),
            _ns(name, "per", per),
            _limit(name, "concurrency_per_key", concurrency_per_key),
            _limit(name, "rate_per_key", rate_per_key),
            _ns(name, "ageing", ageing),
            is_paused,
            reason,
        )
        await self._service.set_task_queue(settings)

    async def pause(self, name: str, reason: str = "") -> None:
        """Start none of its activities until ``resume``; those that run go on, and so do workflows.

        Raises:
            NotFoundError: nobody knows of such a queue.
        """
        await self._service.pause_task_queue(self._namespace, name, reason)

    async def resume(self, name: str) -> None:
        """Go on after ``pause``.

        Raises:
            NotFoundError: nobody knows of such a queue.
        """
        await self._service.pause_task_queue(self._namespace, name, None)

    async def describe(self, name: str) -> TaskQueueInfo:
        """How a queue stands.

        Raises:
            NotFoundError: nobody knows of such a queue.
        """
        return _info(await self._service.describe_task_queue(self._namespace, name))

    async def list(self) -> Sequence[TaskQueueSettings]:
        """The settings of all queues that have any, or have something waiting or running; by name."""
        return [_settings(settings) for settings in await self._service.task_queues(self._namespace)]

    async def _present(self, name: str) -> TaskQueue:
        known = await self._service.task_queues(self._namespace)
        return next((one for one in known if one.name == name), TaskQueue(self._namespace, name))


def _limit(name: str, option: str, value: Any) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        hint = "; to start nothing, pause the queue" if value == 0 else ""
        if isinstance(value, float) and option.startswith("rate"):
            hint = "; for a slower rate, make per longer"
        raise InvalidArgumentError(
            f"task queue {name!r}: {option}={value!r} must be a whole number from 1 on, or None for no limit{hint}"
        )
    return value


def _ns(name: str, option: str, value: Duration) -> int:
    try:
        ns = to_ns(value)
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"task queue {name!r}: {option}: {error}") from None
    if ns <= 0:
        raise InvalidArgumentError(f"task queue {name!r}: {option}={value!r} must be above zero")
    return ns


def _settings(settings: TaskQueue) -> TaskQueueSettings:
    return TaskQueueSettings(
        settings.name,
        settings.concurrency or None,
        settings.rate or None,
        timedelta(microseconds=settings.per_ns / 1000),
        settings.concurrency_per_key or None,
        settings.rate_per_key or None,
        timedelta(microseconds=settings.ageing_ns / 1000),
        settings.is_paused,
        settings.pause_reason,
    )


def _info(found: TaskQueueDescription) -> TaskQueueInfo:
    return TaskQueueInfo(
        _settings(found.settings),
        found.is_served,
        found.backlog,
        timedelta(microseconds=found.oldest_wait_ns / 1000),
        found.running,
        found.running_by_key,
        {str(reason): count for reason, count in found.holds.items()},
        [
            BreakerInfo(
                breaker.activity_type,
                breaker.state,
                breaker.recent_failures,
                datetime.fromtimestamp(breaker.open_until / 1e9, UTC) if breaker.open_until else None,
            )
            for breaker in found.breakers
        ],
        found.added_per_second,
        found.started_per_second,
        [
            PollerInfo(
                poller.identity,
                poller.build_id,
                poller.worker_id,
                datetime.fromtimestamp(poller.connected_time / 1e9, UTC) if poller.connected_time else None,
                poller.running,
                poller.activity_slots or None,
            )
            for poller in found.pollers
        ],
    )
