"""Whose turn it is where several queues wait for the same slots: fairness between namespaces, and within one.

Start-time fair queueing in two levels: the namespace that has had least, counted in starts divided by its share; and of
its queues the one that has had least. Who comes new, or comes back, begins where the others are; so waiting for
something else saves nothing up.
"""

from collections.abc import Callable, Collection
from heapq import heapify, heappop, heapreplace

from perdure.engine.backlog import Line

FORGET_ABOVE = 64


class Shares:
    """``shares`` is what is set for namespaces, for those that have not 1."""

    def __init__(self) -> None:
        self.shares: dict[str, float] = {}
        self._had: dict[str, float] = {}
        self._clock = 0.0
        self._had_of_queue: dict[tuple[str, str], float] = {}
        self._clock_of_queues: dict[str, float] = {}

    def in_turn(self, lines: Collection[Line], start: Callable[[Line], bool]) -> None:
        """Call ``start`` for lines in turn. One for which it says False is left out from then on; ends when all are."""
        if len(lines) == 1:
            (only,) = lines
            while start(only):
                pass
            return
        heap = self._namespaces(lines)
        while heap:
            had, number, namespace, queues = heap[0]
            had_of_queue, place, line = queues[0]
            if start(line):
                self._clock = had
                self._clock_of_queues[namespace] = had_of_queue
                self._had[namespace] = had = had + 1.0 / self.shares.get(namespace, 1.0)
                self._had_of_queue[line.queue] = had_of_queue + 1.0
                heapreplace(queues, (had_of_queue + 1.0, place, line))
                heapreplace(heap, (had, number, namespace, queues))
            else:
                heappop(queues)
                if not queues:
                    heappop(heap)
        self._forget()

    def _namespaces(self, lines: Collection[Line]) -> list[tuple[float, int, str, list[tuple[float, int, Line]]]]:
        """A heap of namespaces, each with a heap of its queues."""
        of: dict[str, list[tuple[float, int, Line]]] = {}
        for place, line in enumerate(lines):
            namespace = line.queue[0]
            floor = self._clock_of_queues.get(namespace, 0.0)
            of.setdefault(namespace, []).append((max(floor, self._had_of_queue.get(line.queue, 0.0)), place, line))
        heap = [
            (max(self._clock, self._had.get(namespace, 0.0)), number, namespace, queues)
            for number, (namespace, queues) in enumerate(of.items())
        ]
        for _, _, _, queues in heap:
            heapify(queues)
        heapify(heap)
        return heap

    def _forget(self) -> None:
        """Those who have had no more than whoever comes new need not be remembered."""
        if len(self._had) > FORGET_ABOVE:
            self._had = {name: had for name, had in self._had.items() if had > self._clock}
            self._clock_of_queues = {name: at for name, at in self._clock_of_queues.items() if name in self._had}
        if len(self._had_of_queue) > FORGET_ABOVE:
            clocks = self._clock_of_queues
            self._had_of_queue = {
                queue: had for queue, had in self._had_of_queue.items() if had > clocks.get(queue[0], had)
            }
