"""Files of every version are brought up to the newest, each step whole or not at all."""

import sqlite3
from pathlib import Path

import pytest
from tests.conformance.rooms import commits, list_keys, start, write

from perdure.engine.encoding import encode, encode_value
from perdure.engine.search.parse import parse
from perdure.model.errors import StoreError
from perdure.model.events import AnyRecord, WorkflowExecutionStarted, WorkflowTaskCompleted
from perdure.model.payloads import Payload, PayloadMap
from perdure.model.search import AttributeType
from perdure.stores.sqlite import SqliteReader, SqliteStore, connections

LATER = "ALTER TABLE namespaces ADD COLUMN colour TEXT; CREATE TABLE extras (name TEXT);"


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


async def test_a_later_version_keeps_what_a_file_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.db"
    known = connections._migrations()
    store = SqliteStore(path)
    await store.open()
    await write(store, start(1))
    await store.close()

    monkeypatch.setattr(connections, "_migrations", lambda: (*known, LATER))
    await store.open()
    assert await list_keys(store) == [1]
    assert await commits(store, 1) == [b"start-1"]
    await store.close()
    assert version_of(path) == len(known) + 1
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

    monkeypatch.setattr(connections, "_migrations", lambda: (*known, LATER + "INSERT INTO nowhere VALUES (1);"))
    with pytest.raises(StoreError, match="no such table: nowhere"):
        await store.open()
    assert version_of(path) == len(known)

    monkeypatch.setattr(connections, "_migrations", lambda: (*known, LATER))
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
    monkeypatch.setattr(connections, "_migrations", lambda: (*known, LATER))
    with pytest.raises(StoreError, match=r"open it once with an engine"):
        SqliteReader(path)


# --- what each version brings


def file_of_version(path: Path, version: int) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    for sql in connections._migrations()[:version]:
        connection.executescript(sql)
    connection.execute(f"PRAGMA application_id = {connections.APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {version}")
    return connection


def old_run(connection: sqlite3.Connection, key: int, attributes: PayloadMap, *builds: str) -> None:
    """A run as version 1 had it, with a turn in each commit but the first."""
    connection.execute(
        "INSERT INTO runs VALUES (?, 'default', ?, ?, 'Order', 'default', 1, ?, 0, 9, x'', ?, x'')",
        (key, f"order-{key}", f"run-{key}", key * 10, encode_value(attributes) if attributes else b""),
    )
    commits: list[list[AnyRecord]] = [[WorkflowExecutionStarted(1, key, f"order-{key}", "Order", "default")]]
    commits += [[WorkflowTaskCompleted(4, key, 2, 3, "me", build)] for build in builds]
    for number, records in enumerate(commits, 1):
        connection.execute(
            "INSERT INTO history (id, records) VALUES (?, ?)", (key << 23 | number, encode(records, 0)[0])
        )


def json(text: str) -> Payload:
    return Payload(text.encode())


async def test_version_3_finds_old_runs_by_their_search_attributes_and_builds(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with file_of_version(path, 1) as connection:
        old_run(connection, 1, {"Customer": json('"ada"'), "Amount": json("5"), "Tags": json('["a","b"]')}, "v1", "v2")
        old_run(connection, 2, {"Amount": json('"five"'), "Odd": json('{"a":1}')}, "v1")
        old_run(connection, 3, {})
    connection.close()

    store = SqliteStore(path)
    await store.open()
    types = {"Customer": AttributeType.KEYWORD, "Amount": AttributeType.INT, "Tags": AttributeType.KEYWORD_LIST}
    assert await store.attribute_types() == {"default": types}
    for filter, found in {
        "Customer = 'ada'": [1],
        "Amount IS NOT NULL": [1],  # the first value decides, and 'five' is no int
        "Tags = 'b'": [1],
        "BuildId = 'v1'": [2],
        "BuildId = 'v2'": [1],
        "BuildId IS NULL": [3],
        "": [3, 2, 1],
    }.items():
        rows = await store.runs("default", parse(filter, types), None, 10)
        assert [row.key for row in rows] == found, filter
    await store.close()
    with SqliteReader(path) as reader:
        assert reader.integrity() == []
