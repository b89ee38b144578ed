"""A copy of a store file that is a store file itself, also while an engine uses it."""

import contextlib
import os
import sqlite3
from collections.abc import Callable

from perdure.model.errors import StoreError
from perdure.stores.sqlite.connections import connect_reader
from perdure.stores.sqlite.faults import translated

_PAGES_PER_STEP = 1024


def backup(
    source_path: str | os.PathLike[str],
    target_path: str | os.PathLike[str],
    progress: Callable[[int, int], None] = lambda copied_pages, all_pages: None,
) -> None:
    """Copy a store as it is at this moment, durably, into one new file.

    The engine that uses the source goes on; only its log grows meanwhile. The copy appears under its name when it is
    complete, never before: until then it is ``<target>.partial``, which a failed backup removes.

    Args:
        source_path: the store.
        target_path: where the copy goes. Nothing may be there.
        progress: told from time to time how many pages are copied, and how many there are.

    Raises:
        StoreError: the source can't be read, the target exists already or can't be written.
    """
    source, target = os.fspath(source_path), os.fspath(target_path)
    if not os.path.isfile(source):
        raise StoreError(f"the store {source} can't be backed up: there is no such file; check the path")
    if os.path.lexists(target):
        raise StoreError(
            f"the backup {target} exists already, and is not overwritten; use another name, or remove it first"
        )
    partial = target + ".partial"
    try:
        try:
            _copy(source, partial, progress)
            _publish(partial, target)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.remove(partial)
    except (sqlite3.Error, OSError) as error:
        raise translated(error, source, f"making the backup {target} of") from error


def _copy(source: str, partial: str, progress: Callable[[int, int], None]) -> None:
    # Made here, since SQLite would also open what is there already.
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    reader = connect_reader(source)
    try:
        writer = sqlite3.connect(partial, isolation_level=None)
        try:
            # In a transaction that has begun to read, SQLite copies this moment's pages to the end. Without, it would
            # start anew whenever the engine commits, and never end.
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM shards").fetchone()
            reader.backup(
                writer,
                pages=_PAGES_PER_STEP,
                progress=lambda status, left, total: progress(total - left, total),
                sleep=0,
            )
            reader.execute("ROLLBACK")
            # The copy says that it has a log, as its source does. One file is what was asked for.
            writer.execute("PRAGMA journal_mode = DELETE")
        finally:
            writer.close()
    finally:
        reader.close()


def _publish(partial: str, target: str) -> None:
    _sync(partial)
    try:
        # Unlike a rename, this fails if the name was taken meanwhile.
        os.link(partial, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        os.rename(partial, target)
    if os.name == "posix":
        _sync(os.path.dirname(os.path.abspath(target)))


def _sync(path: str) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
