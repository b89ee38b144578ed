"""Time that stands still until it is moved."""

import heapq
from collections.abc import Callable
from itertools import count


class VirtualClock:
    """A ``Clock`` that only ``advance_to`` moves."""

    def __init__(self, start_ns: int) -> None:
        self._now = start_ns
        self._calls: list[tuple[int, int, Callable[[], None]]] = []
        self._cancelled: set[int] = set()
        self._numbers = count()

    def now_ns(self) -> int:
        """Now, in ns since 1970."""
        return self._now

    def call_at(self, due_ns: int, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back when the clock is moved to ``due_ns`` or beyond."""
        number = next(self._numbers)
        heapq.heappush(self._calls, (due_ns, number, callback))
        return lambda: self._cancelled.add(number)

    def has_due(self) -> bool:
        """Whether something is to be called now, without moving on."""
        self._forget_cancelled()
        return bool(self._calls) and self._calls[0][0] <= self._now

    def next_due(self) -> int:
        """When the next call is to be made (ns since 1970); 0 if there is none."""
        self._forget_cancelled()
        return self._calls[0][0] if self._calls else 0

    def advance_to(self, time_ns: int) -> None:
        """Move on to ``time_ns``, if that is later, calling back what comes due on the way, each at its time."""
        while True:
            self._forget_cancelled()
            if not self._calls or self._calls[0][0] > max(time_ns, self._now):
                break
            due, _, callback = heapq.heappop(self._calls)
            self._now = max(self._now, due)
            callback()
        self._now = max(self._now, time_ns)

    def _forget_cancelled(self) -> None:
        while self._calls and self._calls[0][1] in self._cancelled:
            self._cancelled.discard(heapq.heappop(self._calls)[1])
