"""Activities that are ready and wait, in order, by task queue.

Only names are kept here; the runs themselves may be forgotten meanwhile. A name whose activity is no longer ready is
passed over when its turn comes.

Who comes next in a queue:

1. The lowest priority key. But every fourth start goes to the priority whose first has waited longest, if that is
   longer than the queue's ageing time: urgent work is never more than one start away, and nothing waits for ever.
2. Within a priority, the fairness key that has had least, counted in starts divided by weight (start-time fair
   queueing). A key that comes new, or comes back, begins where the others are.
3. Within a key, who came first.

Activities that differ in type, limit key or the labels that they ask for stand in lanes of their own, since one may be
held while the other goes on.
"""

from collections import deque
from collections.abc import Callable, Iterator
from heapq import heappop, heappush, heapreplace

import msgspec

from perdure.engine.flows import Flows
from perdure.model.affinity import Affinity
from perdure.model.task_queues import DEFAULT_AGEING_NS, DEFAULT_PRIORITY, Priority

QueueName = tuple[str, str]
"""Namespace and task queue."""

Name = tuple[int, int]
"""The run's key and the activity's scheduled event id."""

Item = tuple[Name, int, "Line"]
"""Who waits, since when (ns since 1970), and where."""

AGEING_SHARE = 4
"""One start of so many is for who has waited too long."""

Kind = tuple[str, Affinity | None]
"""What a worker must run to take an activity, and what is asked of the worker: those of one kind wait for the same
workers."""

LaneKey = tuple[Kind, Priority | None, str]
"""With whom an activity stands in one lane: kind, priority and limit key."""

HeldUntil = Callable[[str], int]
"""Until when (ns since 1970) a limit key is held, 0 if no clock ends it; FREE if it is not held."""

FREE = -1


class Lane(msgspec.Struct, eq=False):
    """Those of one kind, priority, fairness key and limit key, first come first."""

    number: int
    key: LaneKey
    priority_key: int
    fairness_key: str
    share: float
    """What one start costs the fairness key: 1 / weight."""
    limit_key: str
    items: deque[Item] = msgspec.field(default_factory=deque)

    @property
    def kind(self) -> Kind:
        """What their worker must run, and be."""
        return self.key[0]

    @property
    def activity_type(self) -> str:
        """What their worker must run."""
        return self.key[0][0]

    @property
    def affinity(self) -> Affinity | None:
        """What is asked of their worker."""
        return self.key[0][1]


Entry = tuple[float, int, int, Lane]
"""A lane in the order of its level: how much its key has had, since when its first waits, its number."""


class Level(msgspec.Struct, eq=False):
    """Those of one priority. ``had`` is how much each fairness key has had; ``clock`` how much those have had who are
    in turn."""

    had: dict[str, float] = {}
    clock: float = 0.0
    heaps: dict[Kind, list[Entry]] = {}
    """By kind. Each lane that has any and is not parked is in one of them, once."""
    arrivals: deque[Item] = msgspec.field(default_factory=deque)


class Line:
    """The backlog of one task queue. ``names`` are all backlogs' names that still wait."""

    def __init__(self, queue: QueueName, names: dict[Name, Item]) -> None:
        self.queue = queue
        self.ageing_ns = DEFAULT_AGEING_NS
        self.is_placed = False
        """Whether any here have a place of their own, so that kinds must not overtake each other."""
        self.count = 0
        """How many wait here."""
        self._names = names
        self._levels: dict[int, Level] = {}
        self._lanes: dict[LaneKey, Lane] = {}
        self._parked: dict[str, list[Lane]] = {}
        self._parked_until: list[tuple[int, str]] = []
        self._picks = 0
        self._next_number = 0

    def __bool__(self) -> bool:
        return bool(self._lanes)

    def lanes(self) -> Iterator[tuple[Lane, int]]:
        """All lanes, and how many wait in each."""
        names = self._names
        for lane in self._lanes.values():
            yield lane, sum(names.get(item[0]) is item for item in lane.items)

    def oldest(self) -> int:
        """Since when the first has waited (ns since 1970); 0 if none waits."""
        return min((level.arrivals[0][1] for level in self._levels.values() if self._tidy(level)), default=0)

    def has(self, kind: Kind) -> bool:
        """Whether any of a kind wait that are not held by their limit key."""
        return any(kind in level.heaps for level in self._levels.values())

    def has_any(self) -> bool:
        """Whether any wait that are not held by their limit key."""
        return any(level.heaps for level in self._levels.values())

    def add(self, item: Item, lane_key: LaneKey) -> None:
        """Join the end of a lane."""
        lane = self._lanes.get(lane_key)
        if lane is None:
            lane = self._lanes[lane_key] = self._new_lane(lane_key)
            lane.items.append(item)
            self._queue_up(lane)
        else:
            lane.items.append(item)
        self._levels[lane.priority_key].arrivals.append(item)

    def in_order(self, now: int, held_until: HeldUntil | None) -> Iterator[Entry]:
        """The lanes to start from, the first of each kind on each level, in order; those whose limit key is held are
        parked. Nobody may come or go until the last one is taken from it."""
        for level in self._in_turn(now):
            heads = [self._head(level, kind, held_until) for kind in list(level.heaps)]
            yield from sorted(entry for entry in heads if entry is not None)

    def take(self, entry: Entry) -> Name:
        """Take the first of a lane that ``in_order`` gave."""
        had, _, number, lane = entry
        level = self._levels[lane.priority_key]
        name = lane.items.popleft()[0]
        del self._names[name]
        self.count -= 1
        level.clock = max(level.clock, had)
        had += lane.share
        level.had[lane.fairness_key] = had
        heap = level.heaps[lane.kind]
        if lane.items:
            heapreplace(heap, (had, lane.items[0][1], number, lane))
        else:
            heappop(heap)
            self._remove(lane, level)
        self._tidy(level)
        self._picks += 1
        return name

    def free_key(self, limit_key: str) -> None:
        """A limit key may no longer be held."""
        for lane in self._parked.pop(limit_key, ()):
            self._queue_up(lane)

    def free_due_keys(self, now: int) -> None:
        """Limit keys that were held until now are free."""
        while self._parked_until and self._parked_until[0][0] <= now:
            self.free_key(heappop(self._parked_until)[1])

    def free_all_keys(self) -> None:
        """What holds limit keys has changed."""
        for limit_key in list(self._parked):
            self.free_key(limit_key)
        self._parked_until.clear()

    @property
    def next_due(self) -> int:
        """When the next limit key is free (ns since 1970); 0 if no clock says so."""
        return self._parked_until[0][0] if self._parked_until else 0

    # --- inside

    def _new_lane(self, key: LaneKey) -> Lane:
        _, priority, limit_key = key
        self._next_number += 1
        if priority is None:
            return Lane(self._next_number, key, DEFAULT_PRIORITY, "", 1.0, limit_key)
        self.is_placed = True
        return Lane(
            self._next_number,
            key,
            priority.priority_key or DEFAULT_PRIORITY,
            priority.fairness_key,
            1.0 / (priority.fairness_weight or 1.0),
            limit_key,
        )

    def _queue_up(self, lane: Lane) -> None:
        level = self._levels.get(lane.priority_key)
        if level is None:
            level = self._levels[lane.priority_key] = Level()
        had = max(level.had.get(lane.fairness_key, 0.0), level.clock)
        level.had[lane.fairness_key] = had
        heap = level.heaps.setdefault(lane.kind, [])
        heappush(heap, (had, lane.items[0][1], lane.number, lane))

    def _in_turn(self, now: int) -> list[Level]:
        levels = self._levels
        if len(levels) == 1:
            return list(levels.values())
        order = sorted(levels)
        if self._picks % AGEING_SHARE == 0:
            waiting = [(levels[key].arrivals[0][1], key) for key in order if self._tidy(levels[key])]
            if waiting and now - min(waiting)[0] > self.ageing_ns:
                _, oldest = min(waiting)
                order.remove(oldest)
                order.insert(0, oldest)
        return [levels[key] for key in order]

    def _head(self, level: Level, kind: Kind, held_until: HeldUntil | None) -> Entry | None:
        """The first lane of a kind that can start, as far as its limit key goes."""
        heap, names = level.heaps[kind], self._names
        while heap:
            entry = heap[0]
            had, since, number, lane = entry
            items = lane.items
            while items and names.get(items[0][0]) is not items[0]:
                items.popleft()  # it ended while it waited
            if not items:
                heappop(heap)
                self._remove(lane, level)
                if kind not in level.heaps:
                    return None
                continue
            if held_until is not None and lane.limit_key and (until := held_until(lane.limit_key)) != FREE:
                heappop(heap)
                self._parked.setdefault(lane.limit_key, []).append(lane)
                if until:
                    heappush(self._parked_until, (until, lane.limit_key))
                continue
            # Others with the same fairness key may have had something since.
            present = level.had[lane.fairness_key]
            if present == had and items[0][1] == since:
                return entry
            heapreplace(heap, (present, items[0][1], number, lane))
        del level.heaps[kind]
        return None

    def _remove(self, lane: Lane, level: Level) -> None:
        """A lane is empty, and out of its heap."""
        del self._lanes[lane.key]
        if not level.heaps[lane.kind]:
            del level.heaps[lane.kind]
        if len(level.had) > 2 * len(self._lanes) + 64:
            level.had = {key: had for key, had in level.had.items() if had > level.clock}
            for other in self._lanes.values():
                level.had.setdefault(other.fairness_key, level.clock)
        if not self._lanes:
            self.is_placed = False

    def _tidy(self, level: Level) -> bool:
        """Forget who no longer waits at the head of the arrivals. Whether any wait."""
        arrivals, names = level.arrivals, self._names
        while arrivals and names.get(arrivals[0][0]) is not arrivals[0]:
            arrivals.popleft()
        return bool(arrivals)


class Backlog:
    """All lines, by namespace and task queue; read directly where it is asked of every activity whether there is
    one."""

    def __init__(self) -> None:
        self.waiting: dict[QueueName, Line] = {}
        self._names: dict[Name, Item] = {}
        self.flows = Flows()
        """How fast activities come and start, also those that need not wait here."""

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: Name) -> bool:
        return name in self._names

    def is_behind(self, queue: QueueName, kind: Kind, *, is_ruled: bool) -> bool:
        """Whether an activity that is ready now must wait behind others: of its kind, or of any where the queue has
        limits or an order."""
        line = self.waiting.get(queue)
        if line is None:
            return False
        return line.has_any() if is_ruled or line.is_placed else line.has(kind)

    def add(
        self,
        queue: QueueName,
        activity_type: str,
        name: Name,
        since: int,
        priority: Priority | None = None,
        limit_key: str = "",
        affinity: Affinity | None = None,
    ) -> Line:
        """Join a line, ``since`` ns since 1970; whoever stands in it stays where it is. The queue's line."""
        line = self.waiting.get(queue)
        if line is None:
            line = self.waiting[queue] = Line(queue, self._names)
        present = self._names.get(name)
        if present is not None and present[2] is not line:
            self.discard(name)  # it was moved to another task queue
            present = None
        if present is None:
            item = self._names[name] = (name, since, line)
            line.count += 1
            line.add(item, ((activity_type, affinity), priority, limit_key))
            self.flows.of(queue, since).add(since)
        return line

    def discard(self, name: Name) -> None:
        """An activity has ended while it waited, if it did."""
        item = self._names.pop(name, None)
        if item is not None:
            item[2].count -= 1

    def tidy(self, line: Line) -> None:
        """Forget a line in which nobody waits."""
        if not line:
            self.waiting.pop(line.queue, None)
