"""Task queues: who goes first on them, how much of them may run, and why an attempt waits."""

from collections.abc import Mapping, Sequence
from enum import IntEnum

import msgspec

from perdure.model.affinity import Affinity
from perdure.model.options import SECOND_NS

DEFAULT_PRIORITY = 3
LOWEST_PRIORITY = 5
DEFAULT_AGEING_NS = 60 * SECOND_NS


class Priority(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Who goes first where more wait than can run (Temporal's ``Priority``).

    ``priority_key`` is 1 (first) to 5 (last); 0 is the default, 3. Among equals, each ``fairness_key`` gets a share in
    proportion to its ``fairness_weight``; 0 is the default, 1.
    """

    priority_key: int = 0
    fairness_key: str = ""
    fairness_weight: float = 0.0


class BreakerPolicy(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """When an activity's circuit breaker opens: at ``failures`` failures within ``window_ns``, for ``cool_down_ns``."""

    failures: int
    window_ns: int
    cool_down_ns: int


class Placement(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where an activity stands in its task queue's backlog; all that is needed to order it without reading its run."""

    namespace: str
    priority: Priority | None = None
    limit_key: str = ""
    affinity: Affinity | None = None


class TaskQueue(msgspec.Struct, frozen=True, gc=False):
    """What is set about a task queue of a namespace. Limits of 0 are none.

    At most ``concurrency`` attempts run at once, and ``concurrency_per_key`` of each limit key. At most ``rate`` start
    within any ``per_ns``, and ``rate_per_key`` of each limit key. What has waited longer than ``ageing_ns`` gets a
    share even where more urgent work waits. While it ``is_paused`` nothing starts.
    """

    namespace: str
    name: str
    concurrency: int = 0
    rate: int = 0
    per_ns: int = SECOND_NS
    concurrency_per_key: int = 0
    rate_per_key: int = 0
    ageing_ns: int = DEFAULT_AGEING_NS
    is_paused: bool = False
    pause_reason: str = ""
    open_breakers: Mapping[str, int] = {}
    """The engine's: by activity type, until when (ns since 1970) its circuit breaker is open at least."""


class HoldReason(IntEnum):
    """Why an attempt that could start does not."""

    BREAKER_OPEN = 1
    RATE_LIMIT = 2
    CONCURRENCY_LIMIT = 3
    QUEUE_PAUSED = 4
    NO_WORKER = 5
    NO_FREE_SLOT = 6
    BEHIND_OTHERS = 7
    NO_MATCHING_WORKER = 8

    def __str__(self) -> str:
        return self.name.lower()


class Hold(msgspec.Struct, frozen=True, gc=False):
    """What an attempt waits for. ``until_ns`` (ns since 1970) is when that ends at the earliest, 0 where no clock ends
    it; ``detail`` says it to people."""

    reason: HoldReason
    until_ns: int = 0
    detail: str = ""


class BreakerDescription(msgspec.Struct, frozen=True, gc=False):
    """A circuit breaker as it stands. ``state`` is "closed", "open" or "half-open"; ``recent_failures`` are those
    within its window. ``open_until`` is ns since 1970, 0 unless it is open."""

    activity_type: str
    state: str
    recent_failures: int
    open_until: int


class Poller(msgspec.Struct, frozen=True, gc=False):
    """A worker that serves a task queue.

    ``worker_id``, ``connected_time`` (ns since 1970) and ``activity_slots`` are empty for the worker in the engine's own
    process. ``running`` is how many activities it has now; of one that is connected, from all its queues.
    ``last_poll_time`` is when one that polls has asked last.
    """

    identity: str
    build_id: str
    worker_id: str = ""
    connected_time: int = 0
    running: int = 0
    activity_slots: int = 0
    last_poll_time: int = 0


class TaskQueueDescription(msgspec.Struct, frozen=True, gc=False):
    """A task queue as it stands. ``oldest_wait_ns`` is how long the first of its backlog has waited (0 for none).

    ``holds`` counts the attempts that wait by why; ``is_served`` says whether any worker serves it, and
    ``pollers`` which. How many attempts
    became ready and how many started a second is of the last half minute at most.
    """

    settings: TaskQueue
    is_served: bool
    backlog: int
    oldest_wait_ns: int
    running: int
    running_by_key: Mapping[str, int]
    holds: Mapping[HoldReason, int]
    breakers: Sequence[BreakerDescription]
    added_per_second: float = 0.0
    started_per_second: float = 0.0
    pollers: Sequence[Poller] = ()
