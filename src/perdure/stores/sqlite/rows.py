"""Reading: from SQLite's rows to the port's structs, and how the rows of a history are numbered."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from perdure.engine.ports import MessageRow, RunRow, StoredRun, TaskRow, TimerRow
from perdure.model.errors import StoreCorruptError
from perdure.model.namespaces import Namespace, Quota
from perdure.model.options import RunStatus
from perdure.model.task_queues import TaskQueue
from perdure.stores.sqlite.queries import fetch_rows, query
from perdure.stores.sqlite.workflow_ids import WorkflowIds, workflow_hash

# A history row's id is (key << 23) | number: one integer is found and compared faster than two columns.
NUMBER_BITS = 23
MAX_NUMBER = (1 << NUMBER_BITS) - 1
MAX_KEY = (1 << (63 - NUMBER_BITS)) - 1

# So many runs of one workflow id may be looked at while the engine waits, at some microseconds each.
_FEW = 16

_decode_quota = msgspec.msgpack.Decoder(Quota).decode
_decode_task_queue = msgspec.msgpack.Decoder(TaskQueue).decode

_STATUSES = {int(status): status for status in RunStatus}


def run_row(row: tuple[Any, ...]) -> RunRow:
    """A row of ``SELECT * FROM runs``."""
    key, namespace, workflow_id, run_id, workflow_type, task_queue, status, *rest = row
    known = _STATUSES.get(status)
    if known is None:
        raise StoreCorruptError(
            f"Run {run_id} has the status {status}, which no run has. Restore the store from a backup."
        )
    return RunRow(key, namespace, workflow_id, run_id, workflow_type, task_queue, known, *rest)


def task_row(row: tuple[Any, ...]) -> TaskRow:
    """A row of ``SELECT * FROM tasks``."""
    key, ref, task_queue, type, started, due, placement = row
    return TaskRow(key, ref, task_queue, type, bool(started), due, placement or b"")


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """All reads within are of one moment. Inside another one, it is the other's moment."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


class TooMany(Exception):
    """The workflow id has had so many runs that looking through them takes long."""


def find_run(
    connection: sqlite3.Connection, ids: WorkflowIds, namespace: str, workflow_id: str, run_id: str
) -> RunRow | None:
    """The row of a run, of the last started one of the workflow id if ``run_id`` is empty. Raises ``TooMany``."""
    hash = workflow_hash(namespace, workflow_id)
    for count, key in enumerate(ids.recent(hash)):
        if count == _FEW:
            raise TooMany
        row = connection.execute(query("read_run"), (key,)).fetchone()
        if row is not None and row[1] == namespace and row[2] == workflow_id and (not run_id or row[3] == run_id):
            return run_row(row)
    if not ids.may_be_stored(hash):
        return None
    wanted = {"hash": hash, "namespace": namespace, "workflow_id": workflow_id, "run_id": run_id, "limit": _FEW}
    row = connection.execute(query("find_indexed"), wanted).fetchone()
    if row is not None:
        return run_row(row)
    if connection.execute(query("count_indexed"), (hash, _FEW)).fetchone()[0] == _FEW:
        raise TooMany
    return None


def find_any_run(connection: sqlite3.Connection, namespace: str, workflow_id: str, run_id: str) -> RunRow | None:
    """The same from the file alone, however many there are."""
    hash = workflow_hash(namespace, workflow_id)
    wanted = {"hash": hash, "namespace": namespace, "workflow_id": workflow_id, "run_id": run_id}
    row = connection.execute(query("find_any"), wanted).fetchone()
    return None if row is None else run_row(row)


def read_run(connection: sqlite3.Connection, key: int, skipped: int = 0) -> StoredRun | None:
    """A run's row and history, without its first ``skipped`` commits."""
    first = key << NUMBER_BITS
    bounds = (key, first + skipped + 1, first | MAX_NUMBER)
    found = connection.execute(query("read_run_and_commits"), bounds).fetchall()
    if not found or found[0][0]:
        return None
    return StoredRun(run_row(found[0][1:]), [commit[1] for commit in found[1:]])


def read_runs(connection: sqlite3.Connection, keys: Sequence[int]) -> list[StoredRun]:
    """Some runs' rows and histories; those that are not there are left out."""
    found: list[StoredRun] = []
    commits: list[bytes] = []
    for key, id, *rest in fetch_rows(connection, "read_runs_and_commits", [*keys]):
        if not id:
            commits = []
            found.append(StoredRun(run_row((key, *rest)), commits))
        else:
            commits.append(rest[0])
    return found


def numbered_commits(connection: sqlite3.Connection, key: int) -> list[tuple[int, bytes]]:
    """A run's history with the commits' numbers, for those who check that none is missing."""
    first = key << NUMBER_BITS
    return connection.execute(query("numbered_commits"), (first, first | MAX_NUMBER)).fetchall()


def read_blob(connection: sqlite3.Connection, digest: bytes) -> bytes | None:
    """A large payload."""
    row = connection.execute(query("read_blob"), (digest,)).fetchone()
    return None if row is None else row[0]


def read_blobs(connection: sqlite3.Connection, digests: Iterable[bytes]) -> dict[bytes, bytes]:
    """Large payloads; those that are not there are left out."""
    found = ((digest, read_blob(connection, digest)) for digest in digests)
    return {digest: data for digest, data in found if data is not None}


def list_tasks(connection: sqlite3.Connection, after: tuple[int, int], limit: int) -> list[TaskRow]:
    """A page of tasks."""
    return [task_row(row) for row in connection.execute(query("list_tasks"), (*after, limit))]


def list_timers(connection: sqlite3.Connection, until: int, after: TimerRow | None, limit: int) -> list[TimerRow]:
    """A page of timers due."""
    bound = (-1, -1, -1) if after is None else (after.due, after.key, after.ref)
    return [TimerRow(*row) for row in connection.execute(query("list_timers"), (until, *bound, limit))]


def list_messages(connection: sqlite3.Connection, after: tuple[int, int], limit: int) -> list[MessageRow]:
    """A page of the outbox."""
    return [MessageRow(*row) for row in connection.execute(query("list_messages"), (*after, limit))]


def list_closed(connection: sqlite3.Connection, namespace: str, close_time: int, limit: int) -> list[int]:
    """Keys of runs closed before a time, for each status the longest started first."""
    keys: list[int] = []
    for status in RunStatus:
        if status.is_closed:
            for key, started, closed in connection.execute(query("list_closed"), (namespace, int(status))):
                if started >= close_time or len(keys) == limit:
                    break
                if 0 < closed < close_time:
                    keys.append(key)
    return keys


def list_task_queues(connection: sqlite3.Connection) -> list[TaskQueue]:
    """The settings of task queues, by namespace and name."""
    try:
        return [_decode_task_queue(settings) for (settings,) in connection.execute(query("list_task_queues"))]
    except msgspec.DecodeError as error:
        raise StoreCorruptError(
            f"The settings of a task queue can't be read: {error}. Restore the store from a backup."
        ) from error


def list_namespaces(connection: sqlite3.Connection) -> list[Namespace]:
    """All namespaces, by name."""
    return [
        Namespace(name, retention_ns, description, _decode_quota(quota) if quota else Quota(), bool(is_deleted))
        for name, retention_ns, description, quota, is_deleted in connection.execute(query("list_namespaces"))
    ]


def list_documents(connection: sqlite3.Connection, kind: str) -> list[tuple[str, bytes]]:
    """The documents of a kind, by key."""
    return connection.execute(query("list_documents"), (kind,)).fetchall()
