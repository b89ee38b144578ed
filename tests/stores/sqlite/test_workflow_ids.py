"""The index of workflow ids, while it moves to the disk."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.conformance.rooms import delete, find, row, start, write

from perdure.engine.ports import Store
from perdure.stores.sqlite import SqliteReader, SqliteStore, workflow_ids


@pytest.fixture(autouse=True)
def small_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflow_ids, "MOVE_AT", 20)
    monkeypatch.setattr(workflow_ids, "MOVE_AT_CLOSE", 20)


def indexed_keys(path: Path) -> int:
    with SqliteReader(path) as reader:
        count: int = reader._connection.execute("SELECT indexed_key FROM shards").fetchone()[0]
        return count


async def all_are_found(store: Store, path: Path, keys: range) -> None:
    for key in keys:
        assert await find(store, f"order-{key}") == row(key)
        assert await find(store, f"order-{key}", f"run-{key}") == row(key)
    assert await find(store, "order-0") is None
    with SqliteReader(path) as reader:
        assert reader.integrity() == []
        assert all(reader.find("default", f"order-{key}") == row(key) for key in keys)


async def test_runs_are_found_before_during_and_after_a_move(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    await store.open()
    seen = set()
    for key in range(1, 300):
        await write(store, start(key))
        if not key % 7:
            await all_are_found(store, path, range(1, key + 1))
            seen.add(indexed_keys(path))
    assert len(seen) > 2
    await store.close()
    await store.open()
    await all_are_found(store, path, range(1, 300))
    await store.close()


async def test_runs_are_found_after_a_crash_during_a_move(tmp_path: Path) -> None:
    path, copy = tmp_path / "store.db", tmp_path / "copy.db"
    store = SqliteStore(path)
    await store.open()
    for key in range(1, 100):
        await write(store, start(key))
        if not key % 9:
            # What a crash at this moment would leave. By another process, since reading the files in this one would
            # drop the locks that SQLite has on them.
            script = f"from shutil import copy; copy({str(path)!r}, {str(copy)!r}); copy('{path}-wal', '{copy}-wal')"
            subprocess.run([sys.executable, "-c", script], check=True)
            again = SqliteStore(copy)
            await again.open()
            await all_are_found(again, copy, range(1, key + 1))
            await again.close()
    await store.close()


async def test_runs_created_out_of_order_are_found(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    await store.open()
    # Every third key comes 60 keys late, when those around it are moving or in the table.
    order = sorted(range(1, 300), key=lambda key: (key + 60 if key % 3 == 0 else key, key))
    for count, key in enumerate(order, 1):
        await write(store, start(key))
        if not count % 17:
            for known in order[:count]:
                assert await find(store, f"order-{known}") == row(known)
    await store.close()
    await store.open()
    await all_are_found(store, path, range(1, 300))
    await store.close()


async def test_a_late_run_does_not_hide_a_newer_one_of_its_workflow_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore(tmp_path / "store.db")
    await store.open()
    await write(store, start(90, "twice"))
    for key in range(100, 200):
        await write(store, start(key))  # by and by, 90 gets into the table
    for key in range(200, 220):
        await write(store, start(key))  # and these begin to move
    for late in range(20):
        await write(store, start(late + 1, "twice"))
        assert await find(store, "twice") == row(90, "twice")
        assert await find(store, "twice", f"run-{late + 1}") == row(late + 1, "twice")
    await store.close()


async def test_ids_with_the_same_hash_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def poor_hash(data: bytes) -> int:
        return len(data) % 2 << 31

    monkeypatch.setattr(workflow_ids, "crc32", poor_hash)
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    await store.open()
    for key in range(1, 200):
        await write(store, start(key))
    await all_are_found(store, path, range(1, 200))
    await store.close()
    await store.open()
    await all_are_found(store, path, range(1, 200))
    await store.close()


async def test_deleted_runs_leave_the_index_wherever_they_are(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    await store.open()
    for key in range(1, 200):
        await write(store, start(key, f"order-{key % 50}"))
        if key > 10:
            await delete(store, key - 10)
    for key in range(190, 200):
        assert await find(store, f"order-{key % 50}") == row(key, f"order-{key % 50}")
    assert await find(store, "order-0") is None
    with SqliteReader(path) as reader:
        assert reader.integrity() == []
    await store.close()
    with SqliteReader(path) as reader:
        assert reader.integrity() == []
        assert reader.run_count() == 10
