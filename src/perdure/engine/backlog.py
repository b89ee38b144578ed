"""Activities that are ready and wait for a slot, in order, by task queue and type.

Only names are kept here; the runs themselves may be forgotten meanwhile. A name whose activity is no longer ready is passed over when its turn comes.
"""

from collections import deque

Kind = tuple[str, str]
"""Task queue and activity type."""

Name = tuple[int, int]
"""The run's key and the activity's scheduled event id."""


class Backlog:
    """First come, first served, each kind by itself."""

    def __init__(self) -> None:
        self._waiting: dict[Kind, deque[Name]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def has(self, task_queue: str, activity_type: str) -> bool:
        """Whether any of this kind wait."""
        return (task_queue, activity_type) in self._waiting

    def kinds(self) -> list[Kind]:
        """The kinds that have any waiting."""
        return list(self._waiting)

    def add(self, task_queue: str, activity_type: str, key: int, ref: int) -> None:
        """Join the end."""
        self._waiting.setdefault((task_queue, activity_type), deque()).append((key, ref))

    def pop(self, task_queue: str, activity_type: str) -> Name:
        """Take the first."""
        kind = (task_queue, activity_type)
        waiting = self._waiting[kind]
        name = waiting.popleft()
        if not waiting:
            del self._waiting[kind]
        return name
