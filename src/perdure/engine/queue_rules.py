"""What is set about a task queue, and what of it is used up now.

How many run is never counted: it is how many permits there are, and each permit is an attempt that lives. How many
have started is a list of times. So neither can drift, and a crash leaves nothing behind: after it there are no attempts
and no times.

While no limit is near, attempts need no permits: it is known how many may start before one could be reached, and then
those that live are looked at.
"""

import sys
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence

import msgspec

from perdure.model.task_queues import HoldReason, TaskQueue

Held = tuple[HoldReason, int]
"""Why nothing may start, and until when (ns since 1970) at least; 0 if no clock ends it."""

_PAUSED = (HoldReason.QUEUE_PAUSED, 0)
_FULL = (HoldReason.CONCURRENCY_LIMIT, 0)
_NO_LIMIT = sys.maxsize

_FEW = 16
"""A limit that so many starts would reach is looked at with each of them."""

_MOST_NOTED = 2_000
"""So many starts are put down before they are seen to, where there is a rate: that takes a millisecond. More only where
seeing who lives takes as long."""


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
    use: "Use | None" = None
    """What of its limit key is used up."""


class Use(msgspec.Struct, eq=False, gc=False):
    """What of a limit is used up: the attempts that live, when the last ``rate`` attempts started, and, if those are as
    many as may, when there is room again."""

    permits: set[Permit]
    starts: deque[int]
    free_at: int = 0

    def note_start(self, now: int, per_ns: int) -> None:
        """An attempt starts."""
        starts = self.starts
        starts.append(now)
        if len(starts) == starts.maxlen:
            self.free_at = starts[0] + per_ns

    def note_starts(self, times: Sequence[int], per_ns: int) -> None:
        """Attempts have started, fewer than could be too many."""
        self.forget(times[-1] - per_ns)
        starts = self.starts
        starts.extend(times)
        if len(starts) == starts.maxlen:
            self.free_at = starts[0] + per_ns

    def forget(self, old: int) -> None:
        """What started at ``old`` or earlier is not asked for any more."""
        starts = self.starts
        while starts and starts[0] <= old:
            starts.popleft()

    def take_back(self, started: int) -> None:
        """An attempt that was to start did not. If others have started since, its place is lost."""
        if self.starts and self.starts[-1] == started:
            self.starts.pop()
            self.free_at = 0

    def change(self, rate: int, per_ns: int) -> None:
        """From now on this is the limit."""
        starts = self.starts = deque(self.starts, rate)
        self.free_at = starts[0] + per_ns if starts and len(starts) == rate else 0


class QueueRules:
    """A task queue with settings that are not all defaults. While it ``is_far`` from its limits, so many attempts may start
    as there is ``room`` for, whatever they are, and need no permits; then it has to ``look_again``. If there is a rate,
    ``times`` and ``keys`` are when they started (ns since 1970) and their limit keys."""

    def __init__(self, settings: TaskQueue) -> None:
        self._all = Use(set(), deque())
        self._of_keys: dict[str, Use] = {}
        self.times: list[int] = []
        self.keys: list[str] = []
        self.change(settings)

    def change(self, settings: TaskQueue) -> None:
        """From now on these are the settings. Each attempt that lives has a permit, if there was a limit to how many."""
        self.settings = settings
        self.is_far = False
        self.room = self._looks_in = 0
        self.limits_living = bool(settings.concurrency or settings.concurrency_per_key)
        self.limits_starts = bool(settings.rate or settings.rate_per_key)
        self._limits_keys = self.limits_living or bool(settings.rate_per_key)
        self._most = 0 if settings.is_paused else settings.concurrency or _NO_LIMIT
        self._rate, self._rate_per_key, self._per_ns = settings.rate, settings.rate_per_key, settings.per_ns
        self._most_per_key = settings.concurrency_per_key or _NO_LIMIT
        self._all.change(settings.rate, settings.per_ns)
        for use in self._of_keys.values():
            use.change(settings.rate_per_key, settings.per_ns)
        if not self.limits_living:
            for use in (self._all, *self._of_keys.values()):
                use.permits.clear()

    @property
    def permits(self) -> Collection[Permit]:
        """The attempts that live and have a permit, if there is a limit to how many may."""
        return self._all.permits

    @property
    def living(self) -> int:
        """How many attempts live, if there is a limit to how many may."""
        return len(self._all.permits)

    @property
    def living_by_key(self) -> Mapping[str, int]:
        """How many of them have each limit key."""
        return {key: len(use.permits) for key, use in self._of_keys.items() if use.permits}

    def admit(self, permit: Permit) -> bool:
        """Whether an attempt may start, at ``permit.started``. If so it has; else nothing has happened."""
        now, limit_key, all, use = permit.started, permit.limit_key, self._all, None
        living = all.permits
        if now < all.free_at or len(living) >= self._most:
            return False
        if limit_key and self._limits_keys:
            use = self._of_keys.get(limit_key)
            if use is None:
                use = self._new_key(limit_key, now)
            elif now < use.free_at or len(use.permits) >= self._most_per_key:
                return False
            permit.use = use
        # As ``_enter``, written out here because every attempt comes this way.
        if self.limits_living:
            living.add(permit)
            if use is not None:
                use.permits.add(permit)
        rate = self._rate
        if rate:
            starts = all.starts
            starts.append(now)
            if len(starts) == rate:
                all.free_at = starts[0] + self._per_ns
        rate = self._rate_per_key
        if rate and use is not None:
            starts = use.starts
            starts.append(now)
            if len(starts) == rate:
                use.free_at = starts[0] + self._per_ns
        return True

    def look(self, now: int, seen: int) -> None:
        """See whether no limit is near, unless one was just before. To see again who lives is to look at some ``seen``
        attempts, of any queue."""
        if self._looks_in:
            self._looks_in -= 1
            return
        uses, living = self._of_keys.values(), len(self._all.permits)
        most = max((len(use.permits) for use in uses), default=0)
        if not self._make_room(now, living, most, max(seen, living)):
            self._looks_in = max(_FEW, len(uses))

    def look_again(self, now: int, living: Sequence[str], seen: int) -> bool:
        """See whether there is still no limit near. ``living`` are the limit keys of all attempts that live, if there is a
        limit to how many; to find them was to look at some ``seen``."""
        self._note_starts()
        of_keys = Counter(living)
        del of_keys[""]
        return self._make_room(now, len(living), max(of_keys.values(), default=0), seen)

    def _make_room(self, now: int, living: int, most_of_a_key: int, seen: int) -> bool:
        """Whether so many may start before any limit could be reached that it is worth the effort of looking then."""
        settings, uses = self.settings, self._of_keys.values()
        effort = len(uses) + (seen if self.limits_living else 0)
        room = min(self._most - living, self._most_per_key - most_of_a_key)
        if self.limits_starts:
            old = now - settings.per_ns
            for use in (self._all, *uses):
                use.forget(old)
            room = min(room, max(_MOST_NOTED, 2 * effort))
            if settings.rate:
                room = min(room, settings.rate - len(self._all.starts))
            if settings.rate_per_key:
                room = min(room, settings.rate_per_key - max((len(use.starts) for use in uses), default=0))
        self.is_far = room > max(_FEW, effort)
        self.room = room if self.is_far else 0
        return self.is_far

    def come_near(self, seen: int) -> None:
        """From now on each attempt has a permit. Those that live already get one now, which is to look at some ``seen``."""
        self._note_starts()
        self.is_far = False
        self.room = 0
        self._looks_in = seen if self.limits_living else 0

    def _note_starts(self) -> None:
        """Attempts have started within ``room``, in this order."""
        if not self.times:
            return
        times, self.times = self.times, []
        keys, self.keys = self.keys, []
        settings = self.settings
        if settings.rate:
            self._all.note_starts(times, settings.per_ns)
        if settings.rate_per_key:
            of_keys: dict[str, list[int]] = {}
            for key, started in zip(keys, times, strict=True):
                if key in of_keys:
                    of_keys[key].append(started)
                elif key:
                    of_keys[key] = [started]
            for key, started_times in of_keys.items():
                use = self._of_keys.get(key) or self._new_key(key, times[-1])
                use.note_starts(started_times, settings.per_ns)

    def enter(self, permit: Permit) -> None:
        """An attempt starts, which may."""
        permit.use = self._use_of(permit.limit_key, permit.started)
        self._enter(permit, self._all, permit.use)

    def _enter(self, permit: Permit, all: Use, of_key: Use | None) -> None:
        settings = self.settings
        if self.limits_living:
            all.permits.add(permit)
            if of_key is not None:
                of_key.permits.add(permit)
        if settings.rate:
            all.note_start(permit.started, settings.per_ns)
        if settings.rate_per_key and of_key is not None:
            of_key.note_start(permit.started, settings.per_ns)

    def add(self, permit: Permit) -> None:
        """An attempt lives, whose start is noted, or was before there were these limits."""
        self._all.permits.add(permit)
        permit.use = self._use_of(permit.limit_key, permit.started)
        if permit.use is not None:
            permit.use.permits.add(permit)

    def remove(self, permit: Permit) -> None:
        """An attempt lives no more."""
        self._all.permits.discard(permit)
        if permit.use is not None:
            permit.use.permits.discard(permit)

    def take_back(self, permit: Permit) -> None:
        """An attempt that was to start did not."""
        self._all.take_back(permit.started)
        if permit.use is not None:
            permit.use.take_back(permit.started)

    def held(self, now: int) -> Held | None:
        """What holds the whole queue, if anything does."""
        if self.settings.is_paused:
            return _PAUSED
        if len(self._all.permits) >= self._most:
            return _FULL
        return (HoldReason.RATE_LIMIT, self._all.free_at) if now < self._all.free_at else None

    def key_held(self, limit_key: str, now: int) -> Held | None:
        """What holds a limit key, if anything does."""
        use = self._of_keys.get(limit_key)
        if use is None:
            return None
        if len(use.permits) >= self._most_per_key:
            return _FULL
        return (HoldReason.RATE_LIMIT, use.free_at) if now < use.free_at else None

    def _use_of(self, limit_key: str, now: int) -> Use | None:
        if not limit_key or not self._limits_keys:
            return None
        return self._of_keys.get(limit_key) or self._new_key(limit_key, now)

    def _new_key(self, limit_key: str, now: int) -> Use:
        known = self._of_keys
        if len(known) >= 1_000 and len(known) % 1_000 == 0:
            # Keys that have not started anything for a while need not be remembered.
            old = now - self.settings.per_ns
            known = self._of_keys = {
                key: use for key, use in known.items() if use.permits or (use.starts and use.starts[-1] > old)
            }
        use = known[limit_key] = Use(set(), deque(maxlen=self.settings.rate_per_key))
        return use


def has_rules(settings: TaskQueue) -> bool:
    """Whether anything about a queue is not the default."""
    plain = TaskQueue(settings.namespace, settings.name, open_breakers=settings.open_breakers)
    return settings != plain
