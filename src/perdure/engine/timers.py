"""Alarms: what must happen at a time, held in memory only while it is near.

Durable timers sleep in the store and cost nothing there; ``Engine`` brings in those of the next minute. Alarms for
activities' timeouts are all held here, and most are cancelled long before they are due, so setting and cancelling one
costs two dictionary operations: alarms wait unsorted in one bucket a second, and only the present second's are put in
order.
"""

import heapq
from collections.abc import Callable, Sequence

from perdure.engine.ports import Clock

BUCKET_NS = 1_000_000_000

SLICE = 12
"""So many alarms at most are fired in one go, if more are due. Then what they have decided is written and acted on before
the next go, and whatever else has come meanwhile. Thousands may be due at one instant, and each may be a turn of a
program."""

SLICE_NS = 4_000_000
"""Nor does a go last longer than this, by more than one alarm: everybody else waits for several of them."""

SHARE = 8
"""Where transactions are large, because much else happens, one decision of so many may be an alarm's, and so much of the
time."""

Key = tuple[int, int]
"""The run's key and the deadline's name in it."""


class Alarms:
    """Calls ``fire(key, ref)`` once for each alarm, at its time or just after it. Setting one again moves it.

    ``is_idle`` says whether everything decided is written and acted on; where it is not, whoever writes calls ``go_on``.
    ``prepare`` is told the keys of those that are about to fire together.
    """

    def __init__(
        self,
        clock: Clock,
        fire: Callable[[int, int], None],
        is_idle: Callable[[], bool] = lambda: True,
        prepare: Callable[[Sequence[int]], None] = lambda keys: None,
    ) -> None:
        self._clock = clock
        self._fire = fire
        self._is_idle = is_idle
        self._prepare = prepare
        self._slice = SLICE
        self._ended = 0
        self.are_held = False
        """Whether alarms are due that wait for ``go_on``."""
        self._due: dict[Key, int] = {}
        self._buckets: dict[int, dict[Key, int]] = {}
        self._bucket_order: list[int] = []
        self._near: list[tuple[int, int, int]] = []
        self._near_end = clock.now_ns() // BUCKET_NS + 1
        self._armed = 0
        self._disarm: Callable[[], None] | None = None

    def __len__(self) -> int:
        return len(self._due)

    def set(self, key: int, ref: int, due: int) -> None:
        """Fire at ``due`` (ns since 1970) instead of whenever it was set to."""
        name = (key, ref)
        old = self._due.get(name)
        if old == due:
            return
        if old is not None:
            self.cancel(key, ref)
        self._due[name] = due
        second = due // BUCKET_NS
        if second < self._near_end:
            heapq.heappush(self._near, (due, key, ref))
            if not self._armed or due < self._armed:
                self._arm(due)
            return
        bucket = self._buckets.get(second)
        if bucket is None:
            self._buckets[second] = {name: due}
            heapq.heappush(self._bucket_order, second)
            start = second * BUCKET_NS
            if not self._armed or start < self._armed:
                self._arm(start)
        else:
            bucket[name] = due

    def cancel(self, key: int, ref: int) -> None:
        """Forget it, if it is set."""
        name = (key, ref)
        due = self._due.pop(name, 0)
        if due:
            bucket = self._buckets.get(due // BUCKET_NS)
            if bucket is not None:
                bucket.pop(name, None)

    def next_due(self) -> int:
        """When the next alarm fires (ns since 1970), 0 if none is set."""
        while self._near and self._due.get(self._near[0][1:]) != self._near[0][0]:
            heapq.heappop(self._near)
        if self._near:
            return self._near[0][0]
        for second in sorted(self._bucket_order):
            bucket = self._buckets.get(second)
            if bucket:
                return min(bucket.values())
        return 0

    def go_on(self, decisions: int) -> None:
        """So many decisions have been written and acted on: time for those that are due."""
        self.are_held = False
        self._slice = max(SLICE, decisions // SHARE)
        if self._near:
            self._arm(self._near[0][0])

    def close(self) -> None:
        """Fire no more."""
        if self._disarm is not None:
            self._disarm()
        self._due.clear()
        self._buckets.clear()
        self._near.clear()

    def _arm(self, due: int) -> None:
        if self._disarm is not None:
            self._disarm()
        self._armed = due
        self._disarm = self._clock.call_at(due, self._tick)

    def _tick(self) -> None:
        self._armed = 0
        self._disarm = None
        if self.are_held:
            return
        now = self._clock.now_ns()
        self._bring_near(now)
        near, left = self._near, self._slice
        end = now + (max(SLICE_NS, (now - self._ended) // SHARE) if self._ended else SLICE_NS)
        going: list[tuple[int, int, int]] = []
        while near and near[0][0] <= now and len(going) < left:
            due, key, ref = heapq.heappop(near)
            if self._due.get((key, ref)) == due:
                going.append((due, key, ref))
        if len(going) > 1:
            self._prepare([key for _, key, _ in going])
        for index, (due, key, ref) in enumerate(going):
            if self._due.get((key, ref)) == due:
                del self._due[key, ref]
                left -= 1
                self._fire(key, ref)
                if self._clock.now_ns() > end:
                    left = 0
                    for waiting in going[index + 1 :]:
                        heapq.heappush(near, waiting)
                    break
        self._ended = 0
        while near and self._due.get(near[0][1:]) != near[0][0]:
            heapq.heappop(near)
        if near and not left and not self._is_idle():
            self.are_held = True
            self._ended = self._clock.now_ns()
        elif near:
            if not self._armed or near[0][0] < self._armed:
                self._arm(near[0][0])
        elif self._bucket_order:
            start = self._bucket_order[0] * BUCKET_NS
            if not self._armed or start < self._armed:
                self._arm(start)

    def _bring_near(self, now: int) -> None:
        """Put the alarms of the seconds up to this one in order."""
        self._near_end = max(self._near_end, now // BUCKET_NS + 1)
        while self._bucket_order and self._bucket_order[0] < self._near_end:
            bucket = self._buckets.pop(heapq.heappop(self._bucket_order))
            for (key, ref), due in bucket.items():
                heapq.heappush(self._near, (due, key, ref))
