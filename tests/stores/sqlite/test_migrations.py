"""Files of every version are brought up to the newest, each step whole or not at all."""

import sqlite3
from pathlib import Path

import pytest
from tests.conformance.rooms import commits, list_keys, start, write

from perdure.model.errors import StoreError
from perdure.stores.sqlite import SqliteReader, SqliteStore, connections

SECOND = "ALTER TABLE namespaces ADD COLUMN colour TEXT; CREATE TABLE extras (name TEXT);"


def version_of(path: Path) -> int:
    connection = sqlite3.connect(path)
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()
    return version


def test_migrations_are_numbered_without_gaps() -> None:
    assert connections.newest_version() >= 1


async def test_a_new_file_has_the_newest_version(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    await store.open()
    await store.close()
    assert version_of(tmp_path / "store.db") == connections.newest_version()


async def test_an_empty_file_is_a_new_store(tmp_path: Path) -> None:
    (tmp_path / "store.db").touch()
    store = SqliteStore(tmp_path / "store.db")
    assert (await store.open()).epoch == 1
    await write(store, start(1))
    await store.close()


async def test_version_1_is_brought_up_and_keeps_what_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.db"
    first = connections._migrations()[:1]
    monkeypatch.setattr(connections, "_migrations", lambda: first)
    store = SqliteStore(path)
    await store.open()
    await write(store, start(1))
    await store.close()
    assert version_of(path) == 1

    monkeypatch.setattr(connections, "_migrations", lambda: (*first, SECOND))
    await store.open()
    assert await list_keys(store) == [1]
    assert await commits(store, 1) == [b"start-1"]
    await store.close()
    assert version_of(path) == 2
    # And a second time there is nothing to do.
    await store.open()
    await store.close()


async def test_a_migration_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    await store.open()
    await write(store, start(1))
    await store.close()
    known = connections._migrations()

    monkeypatch.setattr(connections, "_migrations", lambda: (*known, SECOND + "INSERT INTO nowhere VALUES (1);"))
    with pytest.raises(StoreError, match="no such table: nowhere"):
        await store.open()
    assert version_of(path) == len(known)

    monkeypatch.setattr(connections, "_migrations", lambda: (*known, SECOND))
    await store.open()
    assert await list_keys(store) == [1]
    await store.close()
    assert version_of(path) == len(known) + 1


async def test_an_older_version_is_refused_for_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    await store.open()
    await store.close()
    known = connections._migrations()
    monkeypatch.setattr(connections, "_migrations", lambda: (*known, SECOND))
    with pytest.raises(StoreError, match=r"open it once with an engine"):
        SqliteReader(path)
