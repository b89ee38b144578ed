"""Alarms: what must happen at a time, held in memory only while it is near.

Durable timers sleep in the store and cost nothing there; ``Engine`` brings in those of the next minute. Alarms for
activities' timeouts are all held here, and most are cancelled long before they are due, so setting and cancelling one
costs two dictionary operations: alarms wait unsorted in one bucket a second, and only the present second's are put in
order.

Thousands may be due at one instant. They stand in line and fire in short goes, between which everything else has its turn.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from perdure.engine.ports import Clock

BUCKET_NS = 1_000_000_000

SLICE = 16
"""So many alarms at most are fired in one go, if more are due: each may be a turn of a program. Then whatever else has come
has its turn before the next go."""

SLICE_NS = 3_000_000
"""Nor does a go last longer than this, by more than one alarm: everybody else waits for several of them."""

AHEAD = 1
"""So many goes there are to a transaction at most, and nobody waits for a large transaction. With more of them the next ones
decide while one is written: 10,000 schedules start their runs a sixth sooner then, and others wait twice as long."""

SHARE = 8
"""Where transactions are large, because much else happens, one decision of so many may be an alarm's, and so much of the
time."""

ALONE = 4
"""So few that come due between two goes do not stand behind thousands."""

PIECE = 1024
"""So many of a second's alarms at most are put in order at a time. The rest of them follow at once, behind whatever else has
come: ten thousand together would hold up the loop for as long as several goes."""

CROWD = 256
"""So many that are due join the line at a time."""

READ_AHEAD = 32
"""So many of those next in line are prepared together."""

Key = tuple[int, int]
"""The run's key and the deadline's name in it."""

Entry = tuple[int, int, int]
"""When it is due, and its ``Key``. One whose alarm was moved or cancelled stays where it is, and is passed over there."""


class Alarms:
    """Calls ``fire(key, ref)`` once for each alarm, at its time or just after it. Setting one again moves it.

    ``is_idle`` says whether everything decided is written and acted on; where it is not, whoever writes calls ``go_on``.
    ``prepare`` is told the keys of those that are about to fire.
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
        self.goes = 0
        """How many there have been since the last transaction. If it is not 0, ``go_on`` must be called after the next."""
        self._due: dict[Key, int] = {}
        self._buckets: dict[int, dict[Key, int]] = {}
        self._bucket_order: list[int] = []
        self._near: list[Entry] = []
        self._near_end = clock.now_ns() // BUCKET_NS + 1
        self._line: deque[Entry] = deque()
        """Those that are due, in the order in which they fire."""
        self._alone = 0
        """So many of them, the first, are not of a crowd."""
        self._coming: deque[Iterator[tuple[Key, int]]] = deque()
        """Those of the present second, and of seconds past, that are not in ``_near`` yet."""
        self._is_joining = False
        """Whether more of those that are due have yet to join the line."""
        self._behind: list[Entry] = []
        """They do so when those have."""
        self.is_crowd = False
        """Whether what fires now is one of a crowd, and others stand in line behind it."""
        self._prepared = 0
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

    def set_last(self, key: int, ref: int) -> None:
        """Fire when all that stand in line have fired."""
        self.cancel(key, ref)
        now = self._due[key, ref] = self._clock.now_ns()
        (self._behind if self._is_joining else self._line).append((now, key, ref))
        if not self._armed:
            self._arm(now)

    def cancel(self, key: int, ref: int) -> None:
        """Forget it, if it is set."""
        name = (key, ref)
        due = self._due.pop(name, 0)
        if due:
            bucket = self._buckets.get(due // BUCKET_NS)
            if bucket is not None:
                bucket.pop(name, None)

    def go_on(self, decisions: int) -> None:
        """A transaction with so many decisions has been written and acted on."""
        is_held = self.goes >= AHEAD
        self.goes = 0
        self._slice = max(SLICE, decisions // SHARE)
        if is_held:
            self._arm_next()

    def close(self) -> None:
        """Fire no more."""
        if self._disarm is not None:
            self._disarm()
        self._due.clear()
        self._buckets.clear()
        self._near.clear()
        self._line.clear()
        self._coming.clear()
        self._behind.clear()

    def _arm(self, due: int) -> None:
        if self._disarm is not None:
            self._disarm()
        self._armed = due
        self._disarm = self._clock.call_at(due, self._tick)

    def _arm_next(self) -> None:
        near, due = self._near, 0
        while near and self._due.get(near[0][1:]) != near[0][0]:
            heapq.heappop(near)
        if self._is_joining:
            due = self._clock.now_ns()
        elif self._line:
            due = self._line[0][0]
        elif near:
            due = near[0][0]
        elif self._bucket_order:
            due = self._bucket_order[0] * BUCKET_NS
        if due and (not self._armed or due < self._armed):
            self._arm(due)

    def _tick(self) -> None:
        self._armed = 0
        self._disarm = None
        is_held = self.goes >= AHEAD
        if is_held and not self._is_joining:
            return
        now, left = self._clock.now_ns(), self._slice
        end = now + (max(SLICE_NS, (now - self._ended) // SHARE) if self._ended else SLICE_NS)
        self._bring_near(now)
        self._stand_in_line(now)
        if not is_held:
            self._go(left, end)
            is_held = self.goes >= AHEAD
        if not is_held or self._is_joining:
            self._arm_next()

    def _go(self, left: int, end: int) -> None:
        """Fire so many at most, and until then."""
        line = self._line
        while line:
            if not self._prepared:
                self._prepare_next()
            due, key, ref = line.popleft()
            self._prepared -= 1
            is_alone = self._alone > 0
            self._alone -= is_alone
            if self._due.get((key, ref)) == due:
                del self._due[key, ref]
                self.is_crowd = not is_alone and len(line) > 0
                self._fire(key, ref)
                left -= 1
                if not left or self._clock.now_ns() > end:
                    break
        self.is_crowd = False
        self._ended = self._clock.now_ns() if line else 0
        if line and not self._is_idle():
            self.goes += 1

    def _prepare_next(self) -> None:
        following = list(islice(self._line, READ_AHEAD))
        self._prepared = len(following)
        if len(following) > 1:
            self._prepare([key for _, key, _ in following])

    def _bring_near(self, now: int) -> None:
        """Put alarms of the seconds up to this one in order, some at a time."""
        self._near_end = max(self._near_end, now // BUCKET_NS + 1)
        while self._bucket_order and self._bucket_order[0] < self._near_end:
            # Nobody else has the bucket from now on.
            self._coming.append(iter(self._buckets.pop(heapq.heappop(self._bucket_order)).items()))
        left = PIECE
        while self._coming and left:
            piece = list(islice(self._coming[0], left))
            for (key, ref), due in piece:
                heapq.heappush(self._near, (due, key, ref))
            left -= len(piece)
            if left:
                self._coming.popleft()

    def _stand_in_line(self, now: int) -> None:
        """Let those that have come due join the line, many of them some at a time; a few need not stand at its end."""
        near, came, line = self._near, list[Entry](), self._line
        while near and near[0][0] <= now and len(came) < CROWD:
            came.append(heapq.heappop(near))
        was_joining, self._is_joining = self._is_joining, bool(self._coming or (near and near[0][0] <= now))
        if line and len(came) <= ALONE and not (was_joining or self._is_joining):
            line.rotate(-self._alone)
            line.extendleft(reversed(came))
            line.rotate(self._alone)
            self._alone += len(came)
            self._prepared += len(came)
        else:
            line.extend(came)
        if self._behind and not self._is_joining:
            line.extend(self._behind)
            self._behind.clear()
