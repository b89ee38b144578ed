"""Turns SQLite's errors into ours: what was wrong, where, what to do. Nothing of ``sqlite3`` leaves the room."""

import errno
import sqlite3

from perdure.model.errors import StoreConflictError, StoreCorruptError, StoreError, StoreLockedError

_FULL = "the disk is full; free some space and go on, nothing recorded is lost"
READ_ONLY = "it can't be written to; make the file and its folder writable for this user"
_BROKEN = "the disk reported an error; look into the system's log, mend the disk, then open the store again"
_CANT_OPEN = "the file can't be opened; check that its folder exists and that this user may read and write both"


def translated(error: sqlite3.Error | OSError, path: str, doing: str) -> StoreError:
    """The store error for what happened while ``doing`` something with the file at ``path``."""
    if isinstance(error, OSError):
        kind, advice = StoreError, _of_system(error)
        name = errno.errorcode.get(error.errno or 0, type(error).__name__)
    else:
        kind, advice = _of_sqlite(error)
        name = getattr(error, "sqlite_errorname", type(error).__name__)
    return kind(f"{doing} {path} failed: {advice} ({name}: {error})")


def _of_sqlite(error: sqlite3.Error) -> tuple[type[StoreError], str]:
    # The low byte is the primary code, the rest only refines it.
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_FULL:
            return StoreError, _FULL
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return StoreError, READ_ONLY
        case sqlite3.SQLITE_CANTOPEN:
            return StoreError, _CANT_OPEN
        case sqlite3.SQLITE_IOERR:
            return StoreError, _BROKEN
        case sqlite3.SQLITE_CORRUPT:
            return StoreCorruptError, "the file is damaged; restore a backup, or save what sqlite3's .recover can read"
        case sqlite3.SQLITE_NOTADB:
            return (
                StoreCorruptError,
                "it is no SQLite file, or its start is damaged; check the path, or restore a backup",
            )
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreLockedError, "another program writes to the file; close that program"
        case sqlite3.SQLITE_CONSTRAINT:
            return StoreConflictError, "someone else wrote first; load the run again before writing to it"
        case sqlite3.SQLITE_NOMEM:
            return StoreError, "there is not enough memory; free some, then try again"
        case sqlite3.SQLITE_TOOBIG:
            return (
                StoreError,
                "a value is larger than SQLite can store, about 1 GB; keep such data elsewhere and its name here",
            )
        case _:
            return StoreError, "SQLite refused; the end of this message says why"


def _of_system(error: OSError) -> str:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return _FULL
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return READ_ONLY
        case errno.ENOENT | errno.ENOTDIR | errno.EISDIR:
            return _CANT_OPEN
        case _:
            return _BROKEN
