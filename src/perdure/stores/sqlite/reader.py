"""Looking into a store file without owning it, also while an engine does: what the command-line tools use.

Synchronous, and it takes no lock that would hold up the engine. Each method reads at one moment; within ``snapshot``
all do.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

from perdure.engine.ports import MessageRow, RunRow, StoredRun, TaskRow, TimerRow
from perdure.engine.verify import Holding
from perdure.model.errors import StoreCorruptError, StoreError
from perdure.model.figures import Figures
from perdure.model.search import EVERYTHING, AttributeTypes, Group, Place, Query
from perdure.model.service import Namespace
from perdure.model.task_queues import TaskQueue
from perdure.stores.sqlite import figures, rows, search
from perdure.stores.sqlite.connections import connect_reader
from perdure.stores.sqlite.faults import translated
from perdure.stores.sqlite.queries import query
from perdure.stores.sqlite.workflow_ids import workflow_hash

P = ParamSpec("P")
T = TypeVar("T")

# What should not be there, by the query that counts it.
_MISFITS = {
    "count_blobs_without_run": "{} large payloads belong to no run",
    "count_refs_without_blob": "{} large payloads that runs name are missing",
    "count_unindexed_runs": "{} runs are missing in the index of workflow ids",
    "count_index_without_run": "{} entries in the index of workflow ids belong to no run",
}


class SqliteReader:
    """A store file, opened for reading. Close it, or use it in a ``with`` statement.

    All methods raise ``StoreError`` when the file can't be read, ``StoreCorruptError`` where it is damaged.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Raises ``StoreError`` if the file is not there or can't be read, ``StoreVersionError`` if it is too new."""
        self._path = os.fspath(path)
        if not os.path.isfile(self._path):
            raise StoreError(f"the store {self._path} can't be read: there is no such file; check the path")
        try:
            self._connection = connect_reader(self._path)
            self._connection.create_function("workflow_hash", 2, workflow_hash, deterministic=True)
        except sqlite3.Error as error:
            raise translated(error, self._path, "opening") from error

    def __enter__(self) -> "SqliteReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything read within is of the moment at which it began.

        Meanwhile the engine's log can't start again and grows, so do not hold it long.
        """
        with self._translating():
            self._connection.execute("BEGIN")
            # The moment is that of the first read.
            self._connection.execute(query("read_epoch")).fetchone()
        try:
            yield
        finally:
            with self._translating():
                self._connection.execute("ROLLBACK")

    def find(self, namespace: str, workflow_id: str, run_id: str = "") -> RunRow | None:
        """A run's row, or None; with an empty ``run_id`` that of the last started run of the workflow id."""
        return self._read(rows.find_any_run, namespace, workflow_id, run_id)

    def read(self, key: int) -> StoredRun | None:
        """A run with its whole history."""
        return self._read(rows.read_run, key)

    history = read

    def blob(self, digest: bytes) -> bytes | None:
        """A large payload."""
        return self._read(rows.read_blob, digest)

    def runs(
        self, namespace: str, query: Query = EVERYTHING, after: Place | None = None, limit: int = 100
    ) -> list[RunRow]:
        """The query's runs in its order, from behind ``after``; without an order the newest first."""
        return self._read(search.list_runs, namespace, query, after, limit)

    def count(self, namespace: str, query: Query = EVERYTHING) -> list[Group]:
        """How many runs the query has, in each of its groups."""
        return self._read(search.count_runs, namespace, query)

    def attribute_types(self) -> dict[str, AttributeTypes]:
        """The types of custom search attributes, by namespace."""
        return self._read(search.attribute_types)

    def tasks(self, after: tuple[int, int] = (0, -1), limit: int = 100) -> list[TaskRow]:
        """Tasks in the order of (key, ref), from behind ``after``."""
        return self._read(rows.list_tasks, after, limit)

    def timers(self, until: int, after: TimerRow | None = None, limit: int = 100) -> list[TimerRow]:
        """Timers due at or before ``until`` (ns since 1970), in order, from behind ``after``."""
        return self._read(rows.list_timers, until, after, limit)

    def messages(self, after: tuple[int, int] = (0, -1), limit: int = 100) -> list[MessageRow]:
        """The outbox in the order of (key, ref), from behind ``after``."""
        return self._read(rows.list_messages, after, limit)

    def documents(self, kind: str) -> list[tuple[str, bytes]]:
        """As ``Store.documents``."""
        return self._read(rows.list_documents, kind)

    def namespaces(self) -> list[Namespace]:
        """All of them, by name."""
        return self._read(rows.list_namespaces)

    def task_queues(self) -> list[TaskQueue]:
        """What is set about task queues, by namespace and name."""
        return self._read(rows.list_task_queues)

    def figures(self, now: int, days: int) -> Figures:
        """What the store holds, in figures, at ``now`` (ns since 1970), with those of the last ``days``. Looks at every
        run."""
        return self._read(figures.read_figures, self._path, now, days)

    def run_count(self) -> int:
        """How many runs there are."""
        return self._read(_number, "count_runs")

    def integrity(self) -> list[str]:
        """What is wrong with the file: damage, and rows that belong to nothing, one sentence each.

        Reads the whole file. That the rows say what the histories say is another question, see ``engine.verify``.
        """
        strays = self._read(_column, "list_stray_keys")
        return [*self.damages(), *(f"there are rows of run {key}, which does not exist" for key in strays)]

    def damages(self) -> Iterator[str]:
        """What is wrong with the file below the level of runs, one sentence each. Reads the whole file."""
        try:
            found = self._read(_column, "check_file")
            yield from (f"SQLite: {problem}" for problem in found if problem != "ok")
            for name, sentence in _MISFITS.items():
                count = self._read(_number, name)
                if count:
                    yield sentence.format(count)
        except StoreCorruptError as error:
            yield str(error)

    def holdings(self) -> Iterator[Holding]:
        """All runs in the order of their keys, then whatever belongs to no run; each as it is at one moment."""
        key = 0
        while True:
            keys = self._read(_column, "list_keys", key)
            if not keys:
                break
            for key in keys:
                holding = self._read(_holding, key)
                if holding.row is not None:
                    yield holding
        for key in self._read(_column, "list_stray_keys"):
            holding = self._read(_holding, key)
            if holding != Holding(key, None):
                yield holding

    def _read(
        self, read: Callable[Concatenate[sqlite3.Connection, P], T], *arguments: P.args, **options: P.kwargs
    ) -> T:
        with self._translating():
            return read(self._connection, *arguments, **options)

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise translated(error, self._path, "reading") from error


def _number(connection: sqlite3.Connection, name: str) -> int:
    count: int = connection.execute(query(name)).fetchone()[0]
    return count


def _column(connection: sqlite3.Connection, name: str, *values: int) -> list[Any]:
    return [value for (value,) in connection.execute(query(name), values)]


def _holding(connection: sqlite3.Connection, key: int) -> Holding:
    with rows.snapshot(connection):
        row = connection.execute(query("read_run"), (key,)).fetchone()
        return Holding(
            key,
            None if row is None else rows.run_row(row),
            rows.numbered_commits(connection, key),
            [rows.task_row(row) for row in connection.execute(query("tasks_of_run"), (key,))],
            [TimerRow(*row) for row in connection.execute(query("timers_of_run"), (key,))],
            [MessageRow(*row) for row in connection.execute(query("messages_of_run"), (key,))],
            [digest for (digest,) in connection.execute(query("blobs_of_run"), (key,))],
            set(connection.execute(query("attribute_values_of_run"), (key,))),
            _types(connection, row),
        )


def _types(connection: sqlite3.Connection, row: tuple[Any, ...] | None) -> AttributeTypes:
    """The types of the attributes of a run that has any."""
    if row is None or not row[11]:
        return {}
    return search.attribute_types(connection).get(row[1], {})
