"""How fast activities come to each task queue, and how fast they start.

Totals are counted as it happens; a rate is the difference between now and a mark of 15 to 30 seconds ago, so nothing has
to wake up to keep it.
"""

WINDOW_NS = 15_000_000_000

MANY = 10_000
"""With so many queues, those that are quiet are forgotten; their totals begin anew when they are used again."""

Mark = tuple[int, int, int]
"""A time (ns since 1970), and the totals then."""


class Flow:
    """Of one task queue, since the engine was opened: how many attempts became ready, and how many of them started."""

    __slots__ = ("_earlier", "_latest", "_next_mark", "added", "started")

    def __init__(self, now: int) -> None:
        self.added = 0
        self.started = 0
        self._earlier: Mark = (now, 0, 0)
        self._latest: Mark = (now, 0, 0)
        self._next_mark = now + WINDOW_NS

    def add(self, now: int) -> None:
        """An attempt is ready."""
        if now >= self._next_mark:
            self._mark(now)
        self.added += 1

    def start(self, now: int) -> None:
        """One that was added has a worker."""
        if now >= self._next_mark:
            self._mark(now)
        self.started += 1

    def rates(self, now: int) -> tuple[float, float]:
        """How many were added and started a second, lately."""
        if now >= self._next_mark:
            self._mark(now)
        since, added, started = self._earlier
        seconds = max(now - since, 1_000_000_000) / 1e9
        return (self.added - added) / seconds, (self.started - started) / seconds

    def is_quiet(self, now: int) -> bool:
        """Whether nothing has happened for a while."""
        return now >= self._next_mark + WINDOW_NS

    def _mark(self, now: int) -> None:
        present = (now, self.added, self.started)
        # After a long silence the earlier mark would spread what comes now over all of it.
        self._earlier = present if self.is_quiet(now) else self._latest
        self._latest = present
        self._next_mark = now + WINDOW_NS


class Flows(dict[tuple[str, str], Flow]):
    """All flows, by namespace and task queue; one is made when it is first asked for."""

    def of(self, queue: tuple[str, str], now: int) -> Flow:
        """The flow of a queue."""
        flow = self.get(queue)
        if flow is None:
            if len(self) >= MANY:
                for quiet in [name for name, other in self.items() if other.is_quiet(now)]:
                    del self[quiet]
            flow = self[queue] = Flow(now)
        return flow
