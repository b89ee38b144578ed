"""The SQLite store: a thread of its own for changes, connections of the engine's thread and of a small pool for reads.

What an engine asks while it handles something (``find``, ``read``, ``blobs``) is answered at once on its own thread,
in some microseconds. What walks over many rows runs in the pool. Every read is its own short transaction, because an
open one would keep the log from starting again.
"""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from perdure.engine.ports import Done, MessageRow, Opened, RunRow, StoredRun, TaskRow, TimerRow, Write
from perdure.model.errors import StoreError
from perdure.model.figures import Figures
from perdure.model.search import AttributeType, AttributeTypes, Group, Place, Query
from perdure.model.service import Namespace
from perdure.model.task_queues import TaskQueue
from perdure.stores.sqlite import rows, search
from perdure.stores.sqlite.connections import connect_reader
from perdure.stores.sqlite.faults import translated
from perdure.stores.sqlite.figures import read_figures
from perdure.stores.sqlite.writer import Writer

P = ParamSpec("P")
T = TypeVar("T")

_POOL_THREADS = 2


class SqliteStore:
    """A ``Store`` in the file at ``path``; the file is made if there is none, its folder is not.

    Beside it there are ``<path>-wal`` and ``<path>-shm`` while it is open, and they belong to it after a crash; and
    ``<path>.lock``, which stays.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        self._writer = Writer(self._path)
        self._reader: sqlite3.Connection | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._of_thread = threading.local()
        self._pooled: list[sqlite3.Connection] = []

    async def open(self) -> Opened:
        if self._reader is not None:
            raise StoreError(f"the store {self._path} is open already; open it once")
        self._writer = Writer(self._path)
        opened = await self._writer.open()
        try:
            self._reader = connect_reader(self._path)
        except BaseException as error:
            await self._writer.close()
            if isinstance(error, sqlite3.Error):
                raise translated(error, self._path, "opening") from error
            raise
        self._pool = ThreadPoolExecutor(_POOL_THREADS, thread_name_prefix="perdure-sqlite-reader")
        return opened

    async def close(self) -> None:
        if self._reader is None or self._pool is None:
            return
        pool, reader = self._pool, self._reader
        self._pool = self._reader = None
        await asyncio.get_running_loop().run_in_executor(None, pool.shutdown)
        # Before the writer's: the last connection to close moves the log into the file.
        reader.close()
        for connection in self._pooled:
            connection.close()
        self._pooled.clear()
        await self._writer.close()

    def write(self, batch: Sequence[Write], done: Done) -> None:
        if self._reader is None:
            asyncio.get_running_loop().call_soon(done, self._not_open())
        else:
            self._writer.write(batch, done)

    def find(
        self, namespace: str, workflow_id: str, run_id: str, then: Callable[[RunRow | StoreError | None], None]
    ) -> None:
        ids = self._writer.workflow_ids
        if self._reader is not None and not ids.may_have(namespace, workflow_id):
            then(None)  # as for nearly every start: no need to ask SQLite
            return
        try:
            found = self._now(rows.find_run, ids, namespace, workflow_id, run_id)
        except rows.TooMany:
            self._call_later(then, rows.find_any_run, namespace, workflow_id, run_id)
        else:
            then(found)

    def read(self, key: int, then: Callable[[StoredRun | StoreError | None], None]) -> None:
        found = self._now(rows.read_run, key)
        then(self._with_rank(found) if isinstance(found, StoredRun) else found)

    def read_many(self, keys: Sequence[int], then: Callable[[Sequence[StoredRun] | StoreError], None]) -> None:
        found = self._now(rows.read_runs, keys)
        then([self._with_rank(stored) for stored in found] if isinstance(found, list) else found)

    def _with_rank(self, stored: StoredRun) -> StoredRun:
        row = stored.row
        is_last = self._writer.workflow_ids.is_last(row.namespace, row.workflow_id, row.key)
        return StoredRun(row, stored.commits, is_last=True) if is_last else stored

    async def history(self, key: int, skipped: int = 0) -> StoredRun | None:
        return await self._later(rows.read_run, key, skipped)

    async def blob(self, digest: bytes) -> bytes | None:
        return await self._later(rows.read_blob, digest)

    def blobs(self, digests: Sequence[bytes], then: Callable[[dict[bytes, bytes] | StoreError], None]) -> None:
        then(self._now(rows.read_blobs, digests))

    async def runs(self, namespace: str, query: Query, after: Place | None, limit: int) -> Sequence[RunRow]:
        return await self._later(search.list_runs, namespace, query, after, limit)

    async def count(self, namespace: str, query: Query) -> Sequence[Group]:
        return await self._later(search.count_runs, namespace, query)

    async def attribute_types(self) -> Mapping[str, AttributeTypes]:
        return await self._later(search.attribute_types)

    async def set_attribute_type(self, namespace: str, name: str, type: AttributeType) -> None:
        await self._written(partial(self._writer.set_attribute_type, namespace, name, type))

    async def tasks(self, after: tuple[int, int], limit: int) -> Sequence[TaskRow]:
        return await self._later(rows.list_tasks, after, limit)

    async def timers(self, until: int, after: TimerRow | None, limit: int) -> Sequence[TimerRow]:
        return await self._later(rows.list_timers, until, after, limit)

    async def messages(self, after: tuple[int, int], limit: int) -> Sequence[MessageRow]:
        return await self._later(rows.list_messages, after, limit)

    async def figures(self, now: int, days: int) -> Figures:
        return await self._later(read_figures, str(self._path), now, days)

    async def closed_before(self, namespace: str, close_time: int, limit: int) -> Sequence[int]:
        return await self._later(rows.list_closed, namespace, close_time, limit)

    def delete(self, keys: Sequence[int], done: Done) -> None:
        if self._reader is None:
            asyncio.get_running_loop().call_soon(done, self._not_open())
        else:
            self._writer.delete(keys, done)

    async def namespaces(self) -> Sequence[Namespace]:
        return await self._later(rows.list_namespaces)

    async def set_namespace(self, namespace: Namespace) -> None:
        await self._written(partial(self._writer.put_namespace, namespace))

    async def delete_namespace(self, name: str) -> None:
        await self._written(partial(self._writer.drop_namespace, name))

    async def task_queues(self) -> Sequence[TaskQueue]:
        return await self._later(rows.list_task_queues)

    async def set_task_queue(self, task_queue: TaskQueue) -> None:
        await self._written(partial(self._writer.put_task_queue, task_queue))

    async def documents(self, kind: str) -> Sequence[tuple[str, bytes]]:
        return await self._later(rows.list_documents, kind)

    async def set_document(self, kind: str, key: str, data: bytes | None) -> None:
        await self._written(partial(self._writer.put_document, kind, key, data))

    async def _written(self, put: Callable[[Done], None]) -> None:
        if self._reader is None:
            raise self._not_open()
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(error: StoreError | None) -> None:
            if written.cancelled():
                pass
            elif error is None:
                written.set_result(None)
            else:
                written.set_exception(error)

        put(done)
        await written

    def _now(
        self, read: Callable[Concatenate[sqlite3.Connection, P], T], *arguments: P.args, **options: P.kwargs
    ) -> T | StoreError:
        if self._reader is None:
            return self._not_open()
        try:
            return read(self._reader, *arguments, **options)
        except sqlite3.Error as error:
            return translated(error, self._path, "reading")

    async def _later(
        self, read: Callable[Concatenate[sqlite3.Connection, P], T], *arguments: P.args, **options: P.kwargs
    ) -> T:
        if self._pool is None:
            raise self._not_open()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, partial(self._in_pool, read, *arguments, **options))

    def _call_later(
        self,
        then: Callable[[T | StoreError], None],
        read: Callable[Concatenate[sqlite3.Connection, P], T],
        *arguments: P.args,
        **options: P.kwargs,
    ) -> None:
        if self._pool is None:
            then(self._not_open())
            return
        loop = asyncio.get_running_loop()

        def run() -> None:
            answer: T | StoreError
            try:
                answer = self._in_pool(read, *arguments, **options)
            except StoreError as error:
                answer = error
            loop.call_soon_threadsafe(then, answer)

        self._pool.submit(run)

    def _in_pool(
        self, read: Callable[Concatenate[sqlite3.Connection, P], T], *arguments: P.args, **options: P.kwargs
    ) -> T:
        try:
            connection: sqlite3.Connection | None = getattr(self._of_thread, "connection", None)
            if connection is None:
                connection = self._of_thread.connection = connect_reader(self._path)
                self._pooled.append(connection)
            return read(connection, *arguments, **options)
        except sqlite3.Error as error:
            raise translated(error, self._path, "reading") from error

    def _not_open(self) -> StoreError:
        return StoreError(f"the store {self._path} is not open; open it first")
