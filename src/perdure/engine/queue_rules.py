"""What is set about a task queue, and what of it is used up now.

How many run is never counted: it is how many permits there are, and each permit is an attempt that lives. How many
have started is a list of times. So neither can drift, and a crash leaves nothing behind: after it there are no attempts
and no times.
"""

from collections import deque

import msgspec

from perdure.engine.breakers import Breaker
from perdure.model.events import ActivityTaskScheduled
from perdure.model.task_queues import HoldReason, TaskQueue

Held = tuple[HoldReason, int]
"""Why nothing may start, and until when (ns since 1970) at least; 0 if no clock ends it."""

_PAUSED = (HoldReason.QUEUE_PAUSED, 0)
_FULL = (HoldReason.CONCURRENCY_LIMIT, 0)


class Permit(msgspec.Struct, eq=False):
    """One attempt that lives: from when it was decided to start it until its code has ended here, or, if it is to be
    completed from outside, until that is done.

    ``older`` is an earlier attempt of the same activity that was given up but has not ended.
    """

    rules: "QueueRules | None"
    breaker: Breaker | None
    limit_key: str
    started: int
    scheduled: ActivityTaskScheduled | None = None
    run_id: str = ""
    attempt: int = 0
    older: "Permit | None" = None
    is_live: bool = True
    is_judged: bool = False
    """Whether the breaker knows how it ended."""


class Starts:
    """When the last attempts started; at most ``rate`` within any ``per_ns``."""

    def __init__(self) -> None:
        self._times: deque[int] = deque()

    def free_at(self, rate: int, per_ns: int, now: int) -> int:
        """When the next may start (ns since 1970); 0 if at once."""
        times = self._times
        while times and times[0] <= now - per_ns:
            times.popleft()
        return 0 if len(times) < rate else times[len(times) - rate] + per_ns

    def add(self, now: int) -> None:
        """One starts."""
        self._times.append(now)

    def take_back(self, time: int) -> None:
        """One that was to start did not."""
        if self._times and self._times[-1] == time:
            self._times.pop()

    def __len__(self) -> int:
        return len(self._times)


class QueueRules:
    """A task queue with settings that are not all defaults."""

    def __init__(self, settings: TaskQueue) -> None:
        self.settings = settings
        self.permits: set[Permit] = set()
        self.permits_by_key: dict[str, set[Permit]] = {}
        self._starts = Starts()
        self._starts_by_key: dict[str, Starts] = {}

    def held(self, now: int) -> Held | None:
        """What holds the whole queue, if anything does."""
        settings = self.settings
        if settings.is_paused:
            return _PAUSED
        if settings.concurrency and len(self.permits) >= settings.concurrency:
            return _FULL
        if settings.rate and (until := self._starts.free_at(settings.rate, settings.per_ns, now)):
            return HoldReason.RATE_LIMIT, until
        return None

    def key_held(self, limit_key: str, now: int) -> Held | None:
        """What holds a limit key, if anything does."""
        settings = self.settings
        if settings.concurrency_per_key:
            permits = self.permits_by_key.get(limit_key)
            if permits is not None and len(permits) >= settings.concurrency_per_key:
                return _FULL
        if settings.rate_per_key:
            starts = self._starts_by_key.get(limit_key)
            if starts is not None and (until := starts.free_at(settings.rate_per_key, settings.per_ns, now)):
                return HoldReason.RATE_LIMIT, until
        return None

    def add(self, permit: Permit) -> None:
        """An attempt lives."""
        self.permits.add(permit)
        limit_key = permit.limit_key
        if limit_key:
            permits = self.permits_by_key.get(limit_key)
            if permits is None:
                permits = self.permits_by_key[limit_key] = set()
            permits.add(permit)

    def note_start(self, permit: Permit) -> None:
        """It starts now, as far as rates go."""
        settings = self.settings
        if settings.rate:
            self._starts.add(permit.started)
        if settings.rate_per_key and permit.limit_key:
            starts = self._starts_by_key.get(permit.limit_key)
            if starts is None:
                self._forget_idle_keys(permit.started)
                starts = self._starts_by_key[permit.limit_key] = Starts()
            starts.add(permit.started)

    def remove(self, permit: Permit) -> None:
        """An attempt lives no more."""
        self.permits.discard(permit)
        permits = self.permits_by_key.get(permit.limit_key)
        if permits is not None:
            permits.discard(permit)
            if not permits:
                del self.permits_by_key[permit.limit_key]

    def take_back(self, permit: Permit) -> None:
        """It lives no more, and never started."""
        self.remove(permit)
        self._starts.take_back(permit.started)
        starts = self._starts_by_key.get(permit.limit_key)
        if starts is not None:
            starts.take_back(permit.started)

    def _forget_idle_keys(self, now: int) -> None:
        """Keys that have not started anything for a while need no list."""
        known = self._starts_by_key
        if len(known) >= 1_000 and len(known) % 1_000 == 0:
            settings = self.settings
            for key in list(known):
                known[key].free_at(settings.rate_per_key, settings.per_ns, now)
                if not len(known[key]):
                    del known[key]


def has_rules(settings: TaskQueue) -> bool:
    """Whether anything about a queue is not the default."""
    plain = TaskQueue(settings.namespace, settings.name, open_breakers=settings.open_breakers)
    return settings != plain
