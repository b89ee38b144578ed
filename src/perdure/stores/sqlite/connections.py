"""Opens SQLite files: the settings of every connection, the check that a file is ours, and its migrations."""

import os
import sqlite3
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path

from perdure.model.errors import StoreError, StoreVersionError
from perdure.stores.sqlite import conditions, fill

# "Perd": marks the file as ours, for us and for file(1).
APPLICATION_ID = 0x50657264

# Larger pages are fewer frames: measured, 8192 takes a tenth less time for each run than 4096, 16384 another
# twentieth; but a lone small write takes 10 and 30 microseconds longer.
_PAGE_BYTES = 8192
_WRITER_CACHE_KIB = 8 * 1024
_READER_CACHE_KIB = 8 * 1024
_MAPPED_BYTES = 1 << 30
_CACHED_STATEMENTS = 512

# SQLite's own locks are held for moments only, by us; longer by other programs that write to the file.
_PATIENCE_SECONDS = 5.0


def connect_writer(path: str) -> sqlite3.Connection:
    """The one connection that writes, on a file that is new or ours, brought to the newest version."""
    with suppress(OSError):  # what is wrong is said by SQLite
        # A new one is its owner's alone: it has what webhooks are signed with, and whatever payloads are not encrypted.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(
        path,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_CACHED_STATEMENTS,
        timeout=_PATIENCE_SECONDS,
    )
    try:
        _check_ours(connection, path)
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise StoreError(
                f"opening {path} failed: its file system has no shared memory; keep the store on a local disk"
            )
        connection.execute("PRAGMA synchronous = FULL")
        # On macOS, an ordinary sync leaves the data in the disk's own cache. Elsewhere this says nothing.
        connection.execute("PRAGMA fullfsync = ON")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
        _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: str) -> sqlite3.Connection:
    """A connection that only reads, beside a writer or without one. The file must exist and be ours."""
    connection = _connect_read_only(path)
    try:
        _check_ours(connection, path)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version < newest_version():
            raise StoreError(
                f"{path} has version {version}, which can't be read before it is brought up to {newest_version()}; "
                "open it once with an engine"
            )
        conditions.add_functions(connection)
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA cache_size = -{_READER_CACHE_KIB}")
        connection.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_read_only(path: str) -> sqlite3.Connection:
    path = os.path.realpath(path)
    uri = Path(path).as_uri() + "?mode=ro"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=_PATIENCE_SECONDS
    )
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        # Even readers need the -shm file, and it can't be made in a folder that is read-only. But there nobody writes.
        needs_folder = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
        if not needs_folder or os.path.exists(path + "-wal"):
            raise
        connection = sqlite3.connect(uri + "&immutable=1", uri=True, isolation_level=None, check_same_thread=False)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_checkpointer(path: str) -> sqlite3.Connection:
    """A connection that copies the log into the file while the writer's goes on."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0.0)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    return connection


def newest_version() -> int:
    """The version of the schema that this Perdure writes."""
    return len(_migrations())


def _check_ours(connection: sqlite3.Connection, path: str) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION_ID and connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        raise StoreError(f"{path} is a SQLite file of another program; use another path")
    if version > newest_version():
        raise StoreVersionError(
            f"{path} has version {version}, and this Perdure knows versions up to {newest_version()}: it was written "
            "by a newer one; upgrade Perdure"
        )


def _migrate(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version < newest_version():
        fill.add_functions(connection)
    for number, sql in enumerate(_migrations()[version:], version + 1):
        try:
            # Each is one transaction, its number with it, so that a crash leaves the old version or the new one.
            connection.executescript(
                f"BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID};\n{sql}\n"
                f"; PRAGMA user_version = {number}; COMMIT;"
            )
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@cache
def _migrations() -> tuple[str, ...]:
    folder = files(__package__) / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1)), f"migrations have gaps: {names}"
    return tuple((folder / name).read_text("utf-8") for name in names)
