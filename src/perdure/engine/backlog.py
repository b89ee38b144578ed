"""Activities that are ready and wait for a slot, in order, by task queue and type.

Only names are kept here; the runs themselves may be forgotten meanwhile. A name whose activity is no longer ready is
passed over when its turn comes.
"""

from collections import deque

Kind = tuple[str, str]
"""Task queue and activity type."""

Name = tuple[int, int]
"""The run's key and the activity's scheduled event id."""


class Backlog:
    """First come, first served, each kind by itself."""

    def __init__(self) -> None:
        self.waiting: dict[Kind, deque[Name]] = {}
        """Only kinds that have any; read directly where it is asked of every activity whether there is one."""

    def __len__(self) -> int:
        return sum(map(len, self.waiting.values()))

    def has(self, task_queue: str, activity_type: str) -> bool:
        """Whether any of this kind wait."""
        return (task_queue, activity_type) in self.waiting

    def kinds(self) -> list[Kind]:
        """The kinds that have any waiting."""
        return list(self.waiting)

    def add(self, task_queue: str, activity_type: str, key: int, ref: int) -> None:
        """Join the end."""
        self.waiting.setdefault((task_queue, activity_type), deque()).append((key, ref))

    def pop(self, task_queue: str, activity_type: str) -> Name:
        """Take the first."""
        kind = (task_queue, activity_type)
        waiting = self.waiting[kind]
        name = waiting.popleft()
        if not waiting:
            del self.waiting[kind]
        return name
