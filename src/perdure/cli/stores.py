"""Opening a store file, and finding a run in it; or saying what is wrong in words that help.

A store is only read here, beside an engine that may be using it.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Protocol

import msgspec

from perdure.app import open_reader
from perdure.engine import encoding
from perdure.engine.ports import RunRow, StoredRun
from perdure.engine.search.evaluate import place_of
from perdure.engine.search.parse import parse
from perdure.engine.verify import HoldingsReader
from perdure.kernel.apply import fold
from perdure.kernel.run import Run
from perdure.model.errors import InvalidArgumentError, NotFoundError, StoreCorruptError, StoreError
from perdure.model.events import AnyRecord, Event
from perdure.model.figures import Figures
from perdure.model.options import RunStatus
from perdure.model.program import numbered
from perdure.model.search import (
    AttributeTypes,
    Group,
    Place,
    Query,
    narrowed,
)
from perdure.model.service import Namespace

_PAGE = 500
_RECENT = 5_000
_SUGGESTIONS = 3
# Files beside a store that belong to it.
_COMPANIONS = ("-wal", "-shm", "-journal", ".lock")


class Reader(HoldingsReader, Protocol):
    """What the commands need of a store's reader."""

    def find(self, namespace: str, workflow_id: str, run_id: str) -> RunRow | None:
        """A run's row, or None; with an empty ``run_id`` that of the last started run of the workflow id."""
        ...

    def figures(self, now: int, days: int) -> Figures:
        """What the store holds, in figures."""
        ...

    def read(self, key: int) -> StoredRun | None:
        """A run with its whole history."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """Everything read within is of one moment."""
        ...

    def runs(self, namespace: str, query: Query, after: Place | None, limit: int) -> Sequence[RunRow]:
        """The query's runs in its order, from behind ``after``."""
        ...

    def count(self, namespace: str, query: Query) -> Sequence[Group]:
        """How many runs the query has, by group."""
        ...

    def attribute_types(self) -> Mapping[str, AttributeTypes]:
        """The types of custom search attributes, by namespace."""
        ...

    def namespaces(self) -> Sequence[Namespace]:
        """All of them, by name."""
        ...


class History(msgspec.Struct, frozen=True):
    """A run's row and its whole history. ``size_bytes`` is what that takes in the store, without large payloads."""

    row: RunRow
    records: list[AnyRecord]
    size_bytes: int

    def events(self) -> list[Event]:
        """What happened, without the facts that only the engine needs."""
        return numbered(self.records)

    def run(self) -> Run:
        """Where the run stands. Raises ``StoreCorruptError`` if the history makes no sense."""
        row = self.row
        try:
            return fold(row.namespace, row.run_id, self.records)
        except Exception as error:  # appliers trust what they are given, so a wrong history may raise anything
            raise StoreCorruptError(
                f"The history of run {row.run_id} of workflow {row.workflow_id!r} tells no state "
                f"({error.__class__.__name__}: {error}). Look at its events with perdure history, and at all that is "
                "wrong with perdure verify; restore a backup."
            ) from error


@contextmanager
def opened(file: str) -> Iterator[Reader]:
    """A store file, for reading.

    Args:
        file: its path, or the URL that ``perdure.open`` was given.

    Raises:
        StoreError: it can't be used; the message says what to do.
        NotFoundError: there is none; the message names what comes close.
        InvalidArgumentError: it is no file.
    """
    path = path_of(file)
    if not path.exists():
        raise NotFoundError(f"There is no file {path}.{_similar_files(path)}")
    if path.is_dir():
        raise InvalidArgumentError(f"{path} is a folder. Name the store file in it.")
    if not os.access(path, os.R_OK):
        raise StoreError(f"{path} may not be read by this user. Change its permissions, or ask as its owner.")
    if not path.stat().st_size:
        raise StoreError(f"{path} is empty: no store has been written to it yet. Check the path.")
    with open_reader(path) as reader:
        yield reader


def path_of(file: str) -> Path:
    """Where a store is that was named by a path or by a URL, ``sqlite:///work.db``."""
    return Path(file.removeprefix("sqlite:///"))


def _similar_files(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f" There is no folder {folder} either."
    names = [entry.name for entry in folder.iterdir() if entry.is_file() and not entry.name.endswith(_COMPANIONS)]
    close = (
        get_close_matches(path.name, names, _SUGGESTIONS)
        or [name for name in names if name.endswith(".db")][:_SUGGESTIONS]
    )
    return f" Did you mean {_alternatives([str(folder / name) for name in close])}?" if close else ""


def _alternatives(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


# --- runs


def stored_runs(reader: Reader) -> int:
    """How many runs there are, as far as a damaged file can tell: 0 if it can't."""
    try:
        return reader.run_count()
    except StoreCorruptError:
        return 0


def matching(
    reader: Reader, namespace: str, filter: str, statuses: Sequence[RunStatus], workflow_type: str
) -> Iterator[RunRow]:
    """The rows of all runs that match, in the filter's order or the newest first, read page by page.

    Raises ``InvalidArgumentError``, at once, if the filter can't be used.
    """
    types = reader.attribute_types().get(namespace, {})
    query = narrowed(parse(filter, types), statuses, workflow_type)
    return _all_runs(reader, namespace, query, types)


def _all_runs(reader: Reader, namespace: str, query: Query, types: AttributeTypes) -> Iterator[RunRow]:
    after: Place | None = None
    while True:
        rows = reader.runs(namespace, query, after, _PAGE)
        yield from rows
        if len(rows) < _PAGE:
            return
        after = place_of(rows[-1], types, query)


def read(reader: Reader, row: RunRow) -> History:
    """A run's history, large payloads included.

    Raises:
        StoreCorruptError: it can't be read.
        NotFoundError: the run was deleted since ``row`` was read.
    """
    with reader.snapshot():
        stored = reader.read(row.key)
        if stored is None:
            raise NotFoundError(f"Run {row.run_id} of workflow {row.workflow_id!r} was deleted just now.")
        records = encoding.decode(stored.commits)
        digests = encoding.named_blobs(stored.commits)
        blobs = {digest: data for digest in digests if (data := reader.blob(digest)) is not None}
    return History(stored.row, encoding.with_blobs(records, blobs), sum(map(len, stored.commits)))
