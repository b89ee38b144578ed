"""What a ``MemoryStore`` holds, apart from the store, so that it can outlive one.

A test crashes an engine by dropping it, calls ``Disk.crash()``, and opens a new store over the same disk.
"""

import copy
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence, Set
from typing import TypeVar

from perdure.engine.ports import RunRow, TaskRow, TimerRow, Write
from perdure.model.errors import StoreConflictError
from perdure.model.options import DEFAULT_NAMESPACE
from perdure.model.search import AttributeType
from perdure.model.service import Namespace
from perdure.model.task_queues import TaskQueue

T = TypeVar("T")


class Disk:
    """Rows, and who owns them. Every change is checked first and then made, so it happens as a whole or not at all."""

    def __init__(self) -> None:
        self.epoch = 0
        self.is_owned = False
        self.last_key = 0
        self.runs: dict[int, RunRow] = {}
        self.keys: list[int] = []
        self.keys_of_workflow: dict[tuple[str, str], list[int]] = {}
        self.histories: dict[int, list[bytes]] = {}
        self.tasks: dict[int, dict[int, TaskRow]] = {}
        self.timers: list[TimerRow] = []
        self.messages: dict[int, dict[int, bytes]] = {}
        self.blobs: dict[bytes, bytes] = {}
        self.blob_holders: dict[bytes, set[int]] = {}
        self.blobs_held: dict[int, set[bytes]] = {}
        self.entries: dict[int, Set[tuple[str, str | int | float]]] = {}
        self.attribute_types: dict[str, dict[str, AttributeType]] = {}
        self.namespaces: dict[str, Namespace] = {DEFAULT_NAMESPACE: Namespace(DEFAULT_NAMESPACE)}
        self.task_queues: dict[tuple[str, str], TaskQueue] = {}
        self.documents: dict[tuple[str, str], bytes] = {}

    def crash(self) -> None:
        """Take the disk from its owner without asking, as when its process dies: from here on its writes fail."""
        self.epoch += 1
        self.is_owned = False

    def check(self, batch: Sequence[Write]) -> None:
        """Raise ``StoreConflictError`` if the batch does not fit what is here."""
        created: set[int] = set()
        commits: dict[int, int] = {}
        for write in batch:
            key = write.key
            if write.created is not None:
                if key in self.runs or key in created:
                    raise StoreConflictError(f"run {key} exists already; load it again before writing to it")
                created.add(key)
            if write.changed is not None and key not in self.runs and key not in created:
                raise StoreConflictError(f"run {key} does not exist, so its row can't change; it may have been deleted")
            if write.number:
                held = commits.get(key)
                if held is None:
                    held = len(self.histories.get(key, ()))
                if write.number != held + 1:
                    raise StoreConflictError(
                        f"commit {write.number} of run {key} does not follow the {held} that are stored; "
                        "load the run again before writing to it"
                    )
                commits[key] = write.number

    def apply(self, batch: Sequence[Write]) -> None:
        """Make the changes of a batch that ``check`` let pass."""
        for write in batch:
            key = write.key
            if write.created is not None:
                self._add_run(key, write.created)
            if write.changed is not None:
                _update(self.runs[key], write.changed)
            if write.number:
                self.histories.setdefault(key, []).append(write.records)
            _put(self.tasks, key, write.tasks_done, ((task.ref, task) for task in write.tasks))
            _put(self.messages, key, write.messages_done, write.messages)
            for due, ref in write.timers_done:
                self._drop_timer(TimerRow(due, key, ref))
            for due, ref in write.timers:
                self._drop_timer(TimerRow(due, key, ref))
                insort(self.timers, TimerRow(due, key, ref))
            for digest, data in write.blobs:
                self.blobs.setdefault(digest, data)
                self.blob_holders.setdefault(digest, set()).add(key)
                self.blobs_held.setdefault(key, set()).add(digest)
            if write.entries is not None:
                self.entries[key] = write.entries
            for namespace, name, type in write.attribute_types:
                self.attribute_types.setdefault(namespace, {}).setdefault(name, type)

    def delete(self, keys: Sequence[int]) -> None:
        """Remove runs and all that belongs to them. Keys that are not there are no error."""
        gone = set(keys)
        for key in gone:
            row = self.runs.pop(key, None)
            if row is not None:
                siblings = self.keys_of_workflow[row.namespace, row.workflow_id]
                siblings.remove(key)
                if not siblings:
                    del self.keys_of_workflow[row.namespace, row.workflow_id]
            self.histories.pop(key, None)
            self.tasks.pop(key, None)
            self.messages.pop(key, None)
            self.entries.pop(key, None)
            for digest in self.blobs_held.pop(key, ()):
                self.blob_holders[digest].discard(key)
                if not self.blob_holders[digest]:
                    del self.blob_holders[digest], self.blobs[digest]
        self.keys = [key for key in self.keys if key not in gone]
        self.timers = [timer for timer in self.timers if timer.key not in gone]

    def _add_run(self, key: int, row: RunRow) -> None:
        self.runs[key] = copy.copy(row)
        insort(self.keys, key)
        insort(self.keys_of_workflow.setdefault((row.namespace, row.workflow_id), []), key)
        self.last_key = max(self.last_key, key)

    def _drop_timer(self, timer: TimerRow) -> None:
        place = bisect_left(self.timers, timer)
        if place < len(self.timers) and self.timers[place] == timer:
            del self.timers[place]


def _update(row: RunRow, new: RunRow) -> None:
    row.status = new.status
    row.close_time = new.close_time
    row.history_length = new.history_length
    row.memo = new.memo
    row.search_attributes = new.search_attributes
    row.build_id = new.build_id


def _put(table: dict[int, dict[int, T]], key: int, done: Iterable[int], new: Iterable[tuple[int, T]]) -> None:
    rows = table.setdefault(key, {})
    for ref in done:
        rows.pop(ref, None)
    rows.update(new)
    if not rows:
        del table[key]
