"""Looking into a store from outside."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.conformance.rooms import close, row, start, task, write

from perdure.engine.ports import MessageRow, Store, TimerRow, Write
from perdure.model.options import RunStatus
from perdure.model.search import EVERYTHING, Place, narrowed
from perdure.model.service import Namespace
from perdure.stores.sqlite import SqliteReader, SqliteStore


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = SqliteStore(tmp_path / "store.db")
    await store.open()
    yield store
    await store.close()


def misuse(path: Path, *statements: str) -> None:
    """Do behind the store's back what nobody should."""
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


async def test_everything_can_be_read_while_an_engine_owns_the_file(store: Store, tmp_path: Path) -> None:
    await write(store, start(1, "same"), start(2, "same"), start(3), start(4, namespace="other"))
    await write(
        store, Write(2, 2, b"two", tasks=[task(2, 5)], timers=[(9, 3)], messages=[(4, b"m")], blobs=[(b"d", b"D")])
    )
    await write(store, close(3))
    with SqliteReader(tmp_path / "store.db") as reader:
        assert reader.find("default", "same") == row(2, "same")
        assert reader.find("default", "same", "run-1") == row(1, "same")
        assert reader.find("default", "nobody") is None
        stored = reader.read(2)
        assert stored is not None
        assert (stored.row, list(stored.commits)) == (row(2, "same"), [b"start-2", b"two"])
        assert reader.history(2) == stored
        assert [found.key for found in reader.runs("default")] == [3, 2, 1]
        assert [found.key for found in reader.runs("default", narrowed(EVERYTHING, [RunStatus.COMPLETED]))] == [3]
        assert [found.key for found in reader.runs("default", after=Place((), 3, 3), limit=1)] == [2]
        assert reader.tasks() == [task(2, 5)]
        assert reader.timers(9) == [TimerRow(9, 2, 3)]
        assert reader.timers(8) == []
        assert reader.messages() == [MessageRow(2, 4, b"m")]
        assert reader.blob(b"d") == b"D"
        assert reader.namespaces() == [Namespace("default")]
        assert reader.run_count() == 4
        assert reader.integrity() == []


async def test_a_reader_sees_what_is_written_meanwhile_but_not_within_a_snapshot(store: Store, tmp_path: Path) -> None:
    await write(store, start(1))
    with SqliteReader(tmp_path / "store.db") as reader:
        with reader.snapshot():
            await write(store, start(2), close(1))
            assert [found.key for found in reader.runs("default")] == [1]
            assert reader.runs("default", narrowed(EVERYTHING, [RunStatus.COMPLETED])) == []
            assert reader.read(2) is None
        assert [found.key for found in reader.runs("default")] == [2, 1]
        assert reader.find("default", "order-1") == close(1).changed


async def test_holdings_are_all_that_belongs_to_each_run(store: Store, tmp_path: Path) -> None:
    await write(store, start(1), start(2))
    await write(
        store, Write(2, 2, b"two", tasks=[task(2, 5)], timers=[(9, 3)], messages=[(4, b"m")], blobs=[(b"d", b"D")])
    )
    await write(store, Write(7, 0, tasks=[task(7, 1)]))
    with SqliteReader(tmp_path / "store.db") as reader:
        one, two, stray = reader.holdings()
    assert (one.key, one.row, one.commits) == (1, row(1), [(1, b"start-1")])
    assert two.commits == [(1, b"start-2"), (2, b"two")]
    assert (two.tasks, two.timers, two.messages) == ([task(2, 5)], [TimerRow(9, 2, 3)], [MessageRow(2, 4, b"m")])
    assert two.blob_digests == [b"d"]
    assert (stray.key, stray.row, stray.tasks) == (7, None, [task(7, 1)])


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("DELETE FROM runs WHERE key = 1", "there are rows of run 1, which does not exist"),
        ("INSERT INTO timers VALUES (1, 77, 1)", "there are rows of run 77, which does not exist"),
        ("DELETE FROM blobs", "1 large payloads that runs name are missing"),
        ("DELETE FROM blob_refs", "1 large payloads belong to no run"),
        ("INSERT INTO workflow_ids VALUES (1, 77)", "1 entries in the index of workflow ids belong to no run"),
        ("UPDATE shards SET indexed_key = 1", "1 runs are missing in the index of workflow ids"),
    ],
)
async def test_integrity_finds_what_does_not_fit(store: Store, tmp_path: Path, statement: str, problem: str) -> None:
    await write(store, start(1), Write(1, 2, b"two", blobs=[(b"d", b"D")]), start(2))
    misuse(tmp_path / "store.db", statement)
    with SqliteReader(tmp_path / "store.db") as reader:
        assert problem in reader.integrity()
