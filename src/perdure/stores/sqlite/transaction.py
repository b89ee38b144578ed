"""What one transaction writes: the changes of many batches, merged and sent in as few steps as possible.

Merging is where group commit pays: a run changed twice is written once, a task that came and went is only dropped.

Each step of SQLite releases the interpreter's lock and must win it back from a busy engine, which may take
milliseconds. So what counts is not the number of rows but that of statements: each takes hundreds of rows (see
``queries.py``).

And sqlite3 binds only plain int, str, float and bytearray fast; for bytes, bool, enums and None it first asks whether
they can adapt themselves, which takes ten times as long. So the values are made plain here.
"""

import sqlite3
from collections.abc import Container, Iterable, Sequence
from typing import Any

from perdure.engine.ports import RunRow, TaskRow, Write
from perdure.model.errors import StoreConflictError, StoreError
from perdure.model.search import AttributeType
from perdure.stores.sqlite.queries import execute_rows, fetch_rows, query
from perdure.stores.sqlite.rows import MAX_KEY, MAX_NUMBER, NUMBER_BITS, run_row


class Changes:
    """The merged changes of some batches, as lists of values in the order of the statements' question marks."""

    def __init__(self, batches: Iterable[Sequence[Write]]) -> None:
        self.commits: list[Any] = []
        self.predecessors: list[int] = []
        self.numbers: dict[int, int] = {}
        self.size = 0
        self.created: dict[int, RunRow] = {}
        self.changed: dict[int, RunRow] = {}
        self.tasks: dict[tuple[int, int], TaskRow | None] = {}
        self.timers: dict[tuple[int, int, int], bool] = {}
        self.messages: dict[tuple[int, int], bytes | None] = {}
        self.blobs: dict[bytes, bytes] = {}
        self.blob_refs: dict[tuple[int, bytes], None] = {}
        self.entries: dict[int, Write] = {}
        self.attribute_types: dict[tuple[str, str], AttributeType] = {}
        for batch in batches:
            self._add(batch)

    def _add(self, batch: Sequence[Write]) -> None:
        commits, predecessors, numbers = self.commits, self.predecessors, self.numbers
        created, changed, tasks = self.created, self.changed, self.tasks
        self.size += len(batch)
        for write in batch:
            key = write.key
            number = write.number
            if number:
                if number > MAX_NUMBER or key > MAX_KEY:
                    raise StoreError(
                        f"run {key} can't have commit {number}: a SQLite store holds {MAX_KEY} runs of {MAX_NUMBER} "
                        "commits each; let the workflow continue as new before that"
                    )
                row_id = key << NUMBER_BITS | number
                commits += (row_id, bytearray(write.records))
                previous = numbers.get(key)
                if previous is None:
                    if number > 1:
                        predecessors.append(row_id - 1)
                elif number != previous + 1:
                    raise StoreConflictError(f"commit {number} of run {key} does not follow its commit {previous}")
                numbers[key] = number
            if write.created is not None:
                if key in created or key in changed:
                    raise StoreConflictError(f"run {key} exists already; load it again before writing to it")
                created[key] = write.created
            if write.changed is not None:
                if key in created:
                    created[key] = write.changed
                else:
                    changed[key] = write.changed
            for ref in write.tasks_done:
                tasks[key, ref] = None
            for task in write.tasks:
                tasks[key, task.ref] = task
            if write.timers or write.timers_done:
                for due, ref in write.timers_done:
                    self.timers[due, key, ref] = False
                for due, ref in write.timers:
                    self.timers[due, key, ref] = True
            if write.messages or write.messages_done:
                for ref in write.messages_done:
                    self.messages[key, ref] = None
                for ref, message in write.messages:
                    self.messages[key, ref] = message
            for digest, data in write.blobs:
                self.blobs[digest] = data
                self.size += len(data) >> 10
                self.blob_refs[key, digest] = None
            if write.entries is not None:
                self.entries[key] = write
                self.size += len(write.entries)
            for namespace, name, type in write.attribute_types:
                self.attribute_types.setdefault((namespace, name), type)

    def write(self, connection: sqlite3.Connection) -> None:
        """Write them within the open transaction. Raises ``StoreConflictError`` if they do not fit what is stored."""
        if self.created:
            _create_runs(connection, self.created.values())
        if self.changed:
            _change_runs(connection, self.changed.values())
        if self.commits:
            _add_commits(connection, self.commits, self.predecessors)
        if self.tasks:
            _put_tasks(connection, self.tasks)
        if self.timers:
            _put_timers(connection, self.timers)
        if self.messages:
            _put_messages(connection, self.messages)
        if self.blobs:
            _put_blobs(connection, self.blobs, self.blob_refs)
        if self.attribute_types:
            _put_attribute_types(connection, self.attribute_types)
        if self.entries:
            _put_entries(connection, self.entries, self.created)


_EMPTY = bytearray()
_DELETIONS = (
    "delete_commits",
    "delete_tasks",
    "delete_timers",
    "delete_messages",
    "delete_blob_refs",
    "drop_attribute_values",
    "delete_runs",
)


def _plain(data: bytes) -> bytearray:
    return bytearray(data) if data else _EMPTY


def _create_runs(connection: sqlite3.Connection, rows: Iterable[RunRow]) -> None:
    flat: list[Any] = []
    for row in rows:
        flat += (
            row.key,
            row.namespace,
            row.workflow_id,
            row.run_id,
            row.workflow_type,
            row.task_queue,
            row.status + 0,
            row.start_time,
            row.close_time,
            row.history_length,
            _plain(row.memo),
            _plain(row.search_attributes),
            _plain(row.parent),
            row.build_id,
        )
    execute_rows(connection, "add_runs", flat)


def _change_runs(connection: sqlite3.Connection, rows: Iterable[RunRow]) -> None:
    flat: list[Any] = []
    count = 0
    for row in rows:
        flat += (
            row.key,
            row.status + 0,
            row.close_time,
            row.history_length,
            _plain(row.memo),
            _plain(row.search_attributes),
            row.build_id,
        )
        count += 1
    if execute_rows(connection, "change_runs", flat) != count:
        raise StoreConflictError("a run does not exist, so its row can't change; it may have been deleted")


def _add_commits(connection: sqlite3.Connection, commits: list[Any], predecessors: list[Any]) -> None:
    execute_rows(connection, "add_commits", commits)
    expected = len(predecessors)
    if sum(count for (count,) in fetch_rows(connection, "count_commits", predecessors)) != expected:
        raise StoreConflictError(
            "a commit does not follow those that are stored; load the run again before writing to it"
        )


def _put_tasks(connection: sqlite3.Connection, tasks: dict[tuple[int, int], TaskRow | None]) -> None:
    done: list[Any] = []
    new: list[Any] = []
    for place, task in tasks.items():
        if task is None:
            done += place
        else:
            placement = _plain(task.placement)
            new += (task.key, task.ref, task.task_queue, task.type, task.started + 0, task.due, placement)
    execute_rows(connection, "drop_tasks", done)
    execute_rows(connection, "put_tasks", new)


def _put_timers(connection: sqlite3.Connection, timers: dict[tuple[int, int, int], bool]) -> None:
    done: list[Any] = []
    new: list[Any] = []
    for timer, is_set in timers.items():
        if is_set:
            new += timer
        else:
            done += timer
    execute_rows(connection, "drop_timers", done)
    execute_rows(connection, "put_timers", new)


def _put_messages(connection: sqlite3.Connection, messages: dict[tuple[int, int], bytes | None]) -> None:
    done: list[Any] = []
    new: list[Any] = []
    for place, message in messages.items():
        if message is None:
            done += place
        else:
            new += (*place, bytearray(message))
    execute_rows(connection, "drop_messages", done)
    execute_rows(connection, "put_messages", new)


def _put_blobs(connection: sqlite3.Connection, blobs: dict[bytes, bytes], refs: Iterable[tuple[int, bytes]]) -> None:
    new: list[Any] = []
    for digest, data in blobs.items():
        new += (digest, data)
    execute_rows(connection, "put_blobs", new)
    new = []
    for key, digest in refs:
        new += (key, digest)
    execute_rows(connection, "put_blob_refs", new)


def _put_attribute_types(connection: sqlite3.Connection, types: dict[tuple[str, str], AttributeType]) -> None:
    new: list[Any] = []
    for place, type in types.items():
        new += (*place, type + 0)
    execute_rows(connection, "put_attribute_types", new)


def _put_entries(connection: sqlite3.Connection, writes: dict[int, Write], created: Container[int]) -> None:
    execute_rows(connection, "drop_attribute_values", [key for key in writes if key not in created])
    new: list[Any] = []
    for key, write in writes.items():
        row = write.created or write.changed
        if row is None:
            raise StoreError(f"run {key} can't be found by other values without its row; write that with them")
        for name, value in write.entries or ():
            new += (row.namespace, name, value, row.start_time, key)
    execute_rows(connection, "put_attribute_values", new)


def delete_runs(connection: sqlite3.Connection, keys: Sequence[int]) -> list[RunRow]:
    """Remove runs and all that belongs to them, within the transaction that is open. The rows that there were."""
    deleted = [run_row(row) for row in fetch_rows(connection, "read_runs", [*keys])]
    connection.execute(query("keep_last_key"), (max((row.key for row in deleted), default=0),))
    digests: list[Any] = [bytearray(digest) for (digest,) in fetch_rows(connection, "read_blob_refs", [*keys])]
    for name in _DELETIONS:
        execute_rows(connection, name, [*keys])
    execute_rows(connection, "delete_blobs", digests)
    return deleted
