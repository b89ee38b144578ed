"""The writer: one thread, one connection, every change.

The engine queues jobs; the writer takes whatever is queued, all of its batches into one transaction (group commit),
and reports back once for all of it. It never polls: it sleeps in the queue until there is something.
"""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from functools import partial
from queue import Empty, SimpleQueue

import msgspec

from perdure.engine.ports import Done, Opened, RunRow, Write
from perdure.model.errors import StoreConflictError, StoreError
from perdure.model.namespaces import Namespace, Quota
from perdure.model.search import AttributeType
from perdure.model.task_queues import TaskQueue
from perdure.stores.sqlite import faults
from perdure.stores.sqlite.connections import connect_writer
from perdure.stores.sqlite.lock import FileLock
from perdure.stores.sqlite.log import WriteAheadLog
from perdure.stores.sqlite.queries import query
from perdure.stores.sqlite.retyping import retype
from perdure.stores.sqlite.transaction import Changes, delete_runs
from perdure.stores.sqlite.workflow_ids import WorkflowIds

# The first with UPDATE ... FROM.
_OLDEST_SQLITE = (3, 33, 0)

# Deleting takes some microseconds for each row of a run; between two chunks others get their turn.
_DELETE_CHUNK = 64


class _Batch(msgspec.Struct, frozen=True):
    writes: Sequence[Write]
    done: Done


class _Delete(msgspec.Struct, frozen=True):
    keys: Sequence[int]
    done: Done


class _Put(msgspec.Struct, frozen=True):
    """A row of a small table, by the queries that create, replace or remove it."""

    queries: tuple[str, ...]
    values: tuple[str | int | bytes, ...]
    done: Done


class _Retype(msgspec.Struct, frozen=True):
    """Another type of a search attribute."""

    namespace: str
    name: str
    type: AttributeType
    done: Done


_Job = _Batch | _Delete | _Put | _Retype
_Reports = list[tuple[Done, StoreError | None]]


class Writer:
    """Owns the file from ``open`` to ``close``."""

    def __init__(self, path: str) -> None:
        self.workflow_ids = WorkflowIds()
        # SQLite, too, puts the log beside the file that a symbolic link leads to.
        self._path = path = os.path.realpath(path)
        self._lock = FileLock(path + ".lock")
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._epoch = 0

    async def open(self) -> Opened:
        """Lock the file, bring it up to date, raise its epoch, start the thread."""
        self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[Opened] = self._loop.create_future()
        self._closed: asyncio.Future[None] = self._loop.create_future()
        threading.Thread(target=self._run, args=(opened,), name="perdure-sqlite-writer", daemon=True).start()
        try:
            return await opened
        except asyncio.CancelledError:
            self._queue.put(None)
            raise

    async def close(self) -> None:
        """Write what is queued, then let go of the file."""
        self._queue.put(None)
        await self._closed

    def write(self, batch: Sequence[Write], done: Done) -> None:
        """Queue a batch."""
        self._queue.put(_Batch(batch, done))

    def delete(self, keys: Sequence[int], done: Done) -> None:
        """Queue the deletion of runs."""
        self._queue.put(_Delete(keys, done))

    def put_namespace(self, namespace: Namespace, done: Done) -> None:
        """Queue a namespace's creation or replacement."""
        quota = b"" if namespace.quota == Quota() else msgspec.msgpack.encode(namespace.quota)
        values = (namespace.name, namespace.retention_ns, namespace.description, quota, int(namespace.is_deleted))
        self._queue.put(_Put(("put_namespace",), values, done))

    def drop_namespace(self, name: str, done: Done) -> None:
        """Queue a namespace's removal, with what is set about it."""
        self._queue.put(_Put(("drop_attribute_types_of", "drop_task_queues_of", "drop_namespace"), (name,), done))

    def put_task_queue(self, task_queue: TaskQueue, done: Done) -> None:
        """Queue the creation or replacement of a task queue's settings."""
        values = (task_queue.namespace, task_queue.name, msgspec.msgpack.encode(task_queue))
        self._queue.put(_Put(("put_task_queue",), values, done))

    def put_document(self, kind: str, key: str, data: bytes | None, done: Done) -> None:
        """Queue a document's creation, replacement or removal."""
        if data is None:
            self._queue.put(_Put(("drop_document",), (kind, key), done))
        else:
            self._queue.put(_Put(("put_document",), (kind, key, data), done))

    def set_attribute_type(self, namespace: str, name: str, type: AttributeType, done: Done) -> None:
        """Queue another type for a search attribute, and what is found by it then."""
        self._queue.put(_Retype(namespace, name, type, done))

    # On the writer's thread from here on

    def _run(self, opened: "asyncio.Future[Opened]") -> None:
        try:
            self._check_path()
            self._lock.take()
            self._connection = connect_writer(self._path)
            self._log = WriteAheadLog(self._path, self._connection)
            result = self._take()
        except Exception as error:
            self._let_go()
            self._tell(_fail, opened, self._ours(error, "opening"))
            return
        self._tell(_succeed, opened, result)
        try:
            while self._handle(self._jobs()):
                pass
            self._move_all()
        finally:
            self._let_go()
            self._tell(self._closed.set_result, None)

    def _check_path(self) -> None:
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            oldest = ".".join(map(str, _OLDEST_SQLITE))
            raise StoreError(
                f"opening {self._path} failed: this Python comes with SQLite {sqlite3.sqlite_version}, and {oldest} or newer "
                "is needed; use a newer Python or system"
            )
        folder = os.path.dirname(self._path)
        if not os.path.isdir(folder):
            raise StoreError(
                f"opening {self._path} failed: there is no folder {folder}; create it, or use another path"
            )
        # SQLite would find out too, but leave files behind that are as read-only as this one, and stay so.
        if os.path.exists(self._path) and not os.access(self._path, os.W_OK):
            raise StoreError(f"opening {self._path} failed: {faults.READ_ONLY}")

    def _take(self) -> Opened:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(query("take_shard"))
        self._epoch = connection.execute(query("read_epoch")).fetchone()[0]
        next_key = connection.execute(query("read_next_key")).fetchone()[0]
        connection.execute("COMMIT")
        self.workflow_ids.load(connection)
        return Opened(self._epoch, next_key)

    def _let_go(self) -> None:
        try:
            for name in ("_log", "_connection"):
                if hasattr(self, name):
                    getattr(self, name).close()
        except sqlite3.Error:
            pass  # what is left in the log is found there by the next opening
        finally:
            self._lock.release()

    def _jobs(self) -> list[_Job | None]:
        """Whatever is queued; waits until something is. None is the last job ever."""
        jobs = [self._queue.get()]
        try:
            while True:
                jobs.append(self._queue.get_nowait())
        except Empty:
            return jobs

    def _handle(self, jobs: list[_Job | None]) -> bool:
        """Do the jobs in order, report, and say whether to go on."""
        reports: _Reports = []
        batches: list[_Batch] = []
        for job in jobs:
            if isinstance(job, _Batch):
                batches.append(job)
                continue
            if batches:
                self._write(batches, reports)
                batches = []
            if isinstance(job, _Delete):
                self._delete(job, reports)
            elif isinstance(job, _Put):
                reports.append((job.done, self._put(job)))
            elif isinstance(job, _Retype):
                retyping = partial(retype, namespace=job.namespace, name=job.name, type=job.type)
                reports.append((job.done, self._transact(retyping)))
        if batches:
            self._write(batches, reports)
        if reports:
            self._tell(_report, reports)
        self._log.tend()
        if None not in jobs:
            return True
        if self._queue.empty():
            return False
        # The rest of a deletion was queued behind the end.
        self._queue.put(None)
        return True

    def _write(self, batches: list[_Batch], reports: _Reports) -> None:
        changes: Changes
        moved = 0

        def work(connection: sqlite3.Connection) -> None:
            nonlocal changes, moved
            changes = Changes([batch.writes for batch in batches])
            changes.write(connection)
            self.workflow_ids.store_late(connection, changes.created.values())
            moved = self.workflow_ids.move(connection)

        error = self._transact(work)
        if error is None:
            self.workflow_ids.moved(moved)
            if changes.created:
                self.workflow_ids.created(changes.created.values())
            self._log.wrote(changes.size)
        elif len(batches) > 1:
            # Maybe only one of them is to blame: let the others through.
            for batch in batches:
                self._write([batch], reports)
            return
        for batch in batches:
            reports.append((batch.done, error))

    def _delete(self, job: _Delete, reports: _Reports) -> None:
        chunk, rest = job.keys[:_DELETE_CHUNK], job.keys[_DELETE_CHUNK:]

        deleted: list[RunRow] = []

        def work(connection: sqlite3.Connection) -> None:
            deleted.extend(delete_runs(connection, chunk))
            for row in deleted:
                self.workflow_ids.forget(connection, row)

        error = self._transact(work)
        if error is None:
            self.workflow_ids.deleted(deleted)
            self._log.wrote(len(chunk))
        if error is None and rest:
            self._queue.put(_Delete(rest, job.done))
        else:
            reports.append((job.done, error))

    def _put(self, job: _Put) -> StoreError | None:
        def work(connection: sqlite3.Connection) -> None:
            for name in job.queries:
                connection.execute(query(name), job.values)

        return self._transact(work)

    def _move_all(self) -> None:
        """Spare the next opening the reading of many workflow ids."""
        ids = self.workflow_ids
        moved = 0

        def work(connection: sqlite3.Connection) -> None:
            nonlocal moved
            moved = ids.move(connection, everything=True)

        while ids.is_long:
            if not ids.is_moving:
                ids.begin_move()
            if self._transact(work) is not None:
                return  # the next opening reads them then
            ids.moved(moved)

    def _transact(self, work: Callable[[sqlite3.Connection], object]) -> StoreError | None:
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            epoch = connection.execute(query("read_epoch")).fetchone()[0]
            if epoch != self._epoch:
                raise StoreConflictError(
                    f"{self._path} was taken by another engine (epoch {epoch}, ours is {self._epoch}), so nothing was "
                    "written; stop this engine"
                )
            work(connection)
            connection.execute("COMMIT")
        except Exception as error:
            try:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            except sqlite3.Error:
                pass  # the first error is the one to tell, and the next BEGIN fails if the transaction is still there
            return self._ours(error, "writing to")
        return None

    def _ours(self, error: Exception, doing: str) -> StoreError:
        if isinstance(error, StoreError):
            # The traceback would keep all that was being written alive as long as the caller keeps the error.
            return error.with_traceback(None)
        if isinstance(error, (sqlite3.Error, OSError)):
            return faults.translated(error, self._path, doing)
        if isinstance(error, (TypeError, ValueError, OverflowError)):
            return StoreError(f"{doing} {self._path} failed: a value can't be stored; correct it ({error!r})")
        return StoreError(
            f"{doing} {self._path} failed in a way that should be impossible; please report it ({error!r})"
        )

    def _tell(self, callback: Callable[..., object], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:
            pass  # the loop is closed: nobody is left to hear of it


def _succeed(opened: "asyncio.Future[Opened]", result: Opened) -> None:
    if not opened.cancelled():
        opened.set_result(result)


def _fail(opened: "asyncio.Future[Opened]", error: StoreError) -> None:
    if not opened.cancelled():
        opened.set_exception(error)


def _report(reports: _Reports) -> None:
    for count, (done, error) in enumerate(reports, 1):
        try:
            done(error)
        except BaseException:
            # The event loop says what went wrong; the others must hear of their batches all the same.
            asyncio.get_running_loop().call_soon(_report, reports[count:])
            raise
