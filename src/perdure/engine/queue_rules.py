"""What is set about a task queue, and what of it is used up now.

How many run is never counted: it is how many permits there are, and each permit is an attempt that lives. How many
have started is a list of times. So neither can drift, and a crash leaves nothing behind: after it there are no attempts
and no times.
"""

from collections import deque

import msgspec

from perdure.model.task_queues import HoldReason, TaskQueue

Held = tuple[HoldReason, int]
"""Why nothing may start, and until when (ns since 1970) at least; 0 if no clock ends it."""

_PAUSED = (HoldReason.QUEUE_PAUSED, 0)
_FULL = (HoldReason.CONCURRENCY_LIMIT, 0)


class Permit(msgspec.Struct, eq=False, gc=False):
    """One attempt that lives: from when it was decided to start it until its code has ended here, or, if it is to be
    completed from outside, until that is done.

    ``older`` is an earlier attempt of the same activity that was given up but has not ended.
    """

    rules: "QueueRules | None"
    limit_key: str
    started: int
    run_id: str = ""
    ref: int = 0
    attempt: int = 0
    older: "Permit | None" = None
    is_live: bool = True


class QueueRules:
    """A task queue with settings that are not all defaults."""

    def __init__(self, settings: TaskQueue) -> None:
        self.permits: set[Permit] = set()
        """The attempts that live, if there is a limit to how many may."""
        self.permits_by_key: dict[str, set[Permit]] = {}
        self._starts: deque[int] = deque()
        """When the last ``rate`` attempts started; the oldest of them says when there is room."""
        self._starts_by_key: dict[str, deque[int]] = {}
        self.change(settings)

    def change(self, settings: TaskQueue) -> None:
        """From now on these are the settings."""
        self.settings = settings
        self.limits_living = bool(settings.concurrency or settings.concurrency_per_key)
        self.limits_starts = bool(settings.rate or settings.rate_per_key)
        self._starts = deque(self._starts, settings.rate)
        self._starts_by_key = {key: deque(starts, settings.rate_per_key) for key, starts in self._starts_by_key.items()}
        if not self.limits_living:
            self.permits.clear()
            self.permits_by_key.clear()

    def held(self, now: int) -> Held | None:
        """What holds the whole queue, if anything does."""
        settings = self.settings
        if settings.is_paused:
            return _PAUSED
        if settings.concurrency and len(self.permits) >= settings.concurrency:
            return _FULL
        if settings.rate:
            starts = self._starts
            if len(starts) >= settings.rate and (until := starts[0] + settings.per_ns) > now:
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
            if starts and len(starts) >= settings.rate_per_key and (until := starts[0] + settings.per_ns) > now:
                return HoldReason.RATE_LIMIT, until
        return None

    def note_start(self, limit_key: str, now: int) -> None:
        """An attempt starts."""
        settings = self.settings
        if settings.rate:
            self._starts.append(now)
        if limit_key and settings.rate_per_key:
            starts = self._starts_by_key.get(limit_key)
            if starts is None:
                self._forget_idle_keys(now)
                starts = self._starts_by_key[limit_key] = deque(maxlen=settings.rate_per_key)
            starts.append(now)

    def take_back(self, limit_key: str, started: int) -> None:
        """An attempt that was to start did not. If others have started since, its place is lost."""
        for starts in (self._starts, self._starts_by_key.get(limit_key)):
            if starts and starts[-1] == started:
                starts.pop()

    def add(self, permit: Permit) -> None:
        """An attempt lives."""
        self.permits.add(permit)
        limit_key = permit.limit_key
        if limit_key:
            permits = self.permits_by_key.get(limit_key)
            if permits is None:
                permits = self.permits_by_key[limit_key] = set()
            permits.add(permit)

    def remove(self, permit: Permit) -> None:
        """An attempt lives no more."""
        self.permits.discard(permit)
        limit_key = permit.limit_key
        if limit_key and (permits := self.permits_by_key.get(limit_key)) is not None:
            permits.discard(permit)
            if not permits:
                del self.permits_by_key[limit_key]

    def _forget_idle_keys(self, now: int) -> None:
        """Keys that have not started anything for a while need no list."""
        known = self._starts_by_key
        if len(known) >= 1_000 and len(known) % 1_000 == 0:
            old = now - self.settings.per_ns
            self._starts_by_key = {key: starts for key, starts in known.items() if starts and starts[-1] > old}


def has_rules(settings: TaskQueue) -> bool:
    """Whether anything about a queue is not the default."""
    plain = TaskQueue(settings.namespace, settings.name, open_breakers=settings.open_breakers)
    return settings != plain
