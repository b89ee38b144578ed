"""Disks that are full, forbidden or broken, and files that are not what they should be.

Always: an error of ours that says what, where and what to do; nothing lost; and work goes on when the cause is gone.
"""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.rooms import attempt, commits, delete, find, list_keys, start, write

from perdure.engine.ports import Write
from perdure.model.errors import StoreConflictError, StoreCorruptError, StoreError, StoreLockedError, StoreVersionError
from perdure.model.service import Namespace
from perdure.stores.sqlite import SqliteReader, SqliteStore, connections

needs_permissions = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="permissions bind neither root nor Windows"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def forbidden(tmp_path: Path) -> Iterator[Path]:
    """A folder that may not be written to, until the test ends."""
    yield tmp_path
    tmp_path.chmod(0o755)


def execute(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


async def filled(path: Path, count: int = 20) -> None:
    """A store with some runs, closed."""
    store = SqliteStore(path)
    await store.open()
    await write(store, *(start(key) for key in range(1, count + 1)))
    await store.close()


# --- full


async def test_a_full_disk_and_then_room_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer: list[sqlite3.Connection] = []
    connect = connections.connect_writer

    def connect_and_remember(path: str) -> sqlite3.Connection:
        writer.append(connect(path))
        return writer[0]

    monkeypatch.setattr("perdure.stores.sqlite.writer.connect_writer", connect_and_remember)
    store = SqliteStore(path)
    await store.open()
    await write(store, start(1))
    pages = writer[0].execute("PRAGMA page_count").fetchone()[0]
    # SQLite fails as if the disk were full when a file would have more pages than this.
    writer[0].execute(f"PRAGMA max_page_count = {pages + 2}")

    error = await attempt(store, start(2), Write(1, 2, bytes(100_000)))
    assert type(error) is StoreError
    assert str(path) in str(error)
    assert "the disk is full; free some space" in str(error)
    assert await commits(store, 1) == [b"start-1"]
    assert await find(store, "order-2") is None
    await write(store, Write(1, 2, b"small"))

    writer[0].execute("PRAGMA max_page_count = 1000000")
    await write(store, start(2), Write(1, 3, bytes(100_000)))
    assert await commits(store, 1) == [b"start-1", b"small", bytes(100_000)]
    await store.close()
    with SqliteReader(path) as reader:
        assert reader.integrity() == []


# --- forbidden, missing


async def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no folder .*nowhere; create it") as caught:
        await SqliteStore(tmp_path / "nowhere" / "store.db").open()
    assert type(caught.value) is StoreError
    assert not (tmp_path / "nowhere").exists()


async def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "store.db").mkdir()
    with pytest.raises(StoreError, match=r"store.db failed: the file can't be opened"):
        await SqliteStore(tmp_path / "store.db").open()


@needs_permissions
async def test_a_read_only_folder(forbidden: Path) -> None:
    await filled(forbidden / "store.db")
    (forbidden / "store.db.lock").unlink()
    forbidden.chmod(0o555)
    with pytest.raises(StoreError, match=r"make the file and its folder writable"):
        await SqliteStore(forbidden / "store.db").open()
    with SqliteReader(forbidden / "store.db") as reader:
        assert reader.run_count() == 20


@needs_permissions
async def test_a_read_only_file(path: Path) -> None:
    await filled(path)
    path.chmod(0o444)
    with pytest.raises(StoreError, match=r"make the file and its folder writable"):
        await SqliteStore(path).open()
    path.chmod(0o644)
    store = SqliteStore(path)
    await store.open()
    assert len(await list_keys(store)) == 20
    await store.close()


async def test_a_file_that_turns_read_only_while_it_is_open(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqliteStore(path)
    await store.open()
    await write(store, start(1))
    writer = store._writer._connection
    writer.execute("PRAGMA query_only = 1")
    error = await attempt(store, start(2))
    assert type(error) is StoreError
    assert "make the file and its folder writable" in str(error)
    writer.execute("PRAGMA query_only = 0")
    await write(store, start(2))
    await store.close()


# --- not ours


async def test_a_file_that_is_no_database(path: Path) -> None:
    path.write_bytes(b"Dear diary, " * 1_000)
    with pytest.raises(StoreCorruptError, match=r"no SQLite file.*check the path"):
        await SqliteStore(path).open()
    with pytest.raises(StoreCorruptError, match=r"no SQLite file"):
        SqliteReader(path)
    assert path.read_bytes() == b"Dear diary, " * 1_000


async def test_a_database_of_another_program(path: Path) -> None:
    execute(path, "CREATE TABLE bookmarks (url TEXT)")
    with pytest.raises(StoreError, match=r"another program; use another path"):
        await SqliteStore(path).open()
    with pytest.raises(StoreError, match=r"another program"):
        SqliteReader(path)


async def test_a_reader_of_what_is_not_there(path: Path) -> None:
    with pytest.raises(StoreError, match=r"no such file; check the path"):
        SqliteReader(path)
    assert not path.exists()


async def test_a_newer_version(path: Path) -> None:
    await filled(path)
    execute(path, "PRAGMA user_version = 9999")
    with pytest.raises(StoreVersionError, match=r"version 9999.*upgrade Perdure"):
        await SqliteStore(path).open()
    with pytest.raises(StoreVersionError, match=r"version 9999.*upgrade Perdure"):
        SqliteReader(path)
    execute(path, f"PRAGMA user_version = {connections.newest_version()}")
    store = SqliteStore(path)
    await store.open()
    assert len(await list_keys(store)) == 20
    await store.close()


# --- damaged


async def test_damaged_pages(path: Path) -> None:
    await filled(path, 2_000)
    page_bytes = 8192
    with path.open("r+b") as file:
        # All but the first page, which holds the schema: what is read there is nonsense.
        file.seek(page_bytes)
        for _ in range(path.stat().st_size // page_bytes - 1):
            file.write(os.urandom(page_bytes))
    with pytest.raises(StoreCorruptError, match=r"store.db failed: the file is damaged; restore a backup"):
        await SqliteStore(path).open()
    with SqliteReader(path) as reader, pytest.raises(StoreCorruptError):
        reader.runs("default")
    with SqliteReader(path) as reader:
        assert any("SQLite: " in problem or "damaged" in problem for problem in reader.damages())


async def test_a_page_that_turns_bad_while_it_is_open(path: Path) -> None:
    await filled(path, 2_000)
    connection = sqlite3.connect(path)
    [root] = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'history'").fetchone()
    connection.close()
    store = SqliteStore(path)
    await store.open()
    with path.open("r+b") as file:
        file.seek((root - 1) * 8192)
        file.write(b"\xff" * 8192)
    outcomes: list[object] = []
    store.read(1, outcomes.append)
    assert isinstance(outcomes[0], StoreCorruptError)
    with pytest.raises(StoreCorruptError, match="restore a backup"):
        await store.history(2)
    error = await attempt(store, Write(1, 2, b"two"))
    assert isinstance(error, StoreCorruptError)
    await store.close()


# --- in use


async def test_another_program_that_holds_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_PATIENCE_SECONDS", 0.05)
    store = SqliteStore(path)
    await store.open()
    await write(store, start(1))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    error = await attempt(store, start(2))
    assert isinstance(error, StoreLockedError)
    assert "another program writes to the file" in str(error)
    assert await find(store, "order-1") is not None
    other.execute("ROLLBACK")
    other.close()
    await write(store, start(2))
    await store.close()


async def test_fencing_when_the_file_was_taken(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    await write(store, start(1))
    execute(path, "UPDATE shards SET epoch = epoch + 1")
    error = await attempt(store, start(2))
    assert isinstance(error, StoreConflictError)
    assert "taken by another engine" in str(error)
    with pytest.raises(StoreConflictError):
        await store.set_namespace(Namespace("x"))
    await store.close()


async def test_text_that_no_file_can_hold_fails_alone(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    outcomes: list[object] = []
    store.write([start(1)], outcomes.append)
    store.write([start(2, "broken \ud800 text")], outcomes.append)
    store.write([start(3)], outcomes.append)
    await delete(store)
    assert outcomes[0] is None
    assert isinstance(outcomes[1], StoreError)
    assert outcomes[2] is None
    assert await list_keys(store) == [3, 1]
    assert await find(store, "broken \ud800 text") is None
    await store.close()


async def test_too_many_commits_for_a_run(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    await write(store, start(1))
    error = await attempt(store, Write(1, 1 << 23, b"x"))
    assert isinstance(error, StoreError)
    assert "continue as new" in str(error)
    await store.close()
