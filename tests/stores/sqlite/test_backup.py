"""Backups of a store that is in use."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from tests.conformance.rooms import commits, list_keys, start, write

from perdure.engine.ports import Write
from perdure.model.errors import StoreError
from perdure.stores.sqlite import SqliteReader, SqliteStore, backup


async def test_a_backup_while_writing_is_of_one_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqliteStore(tmp_path / "store.db")
    await store.open()
    await write(store, *(Write(key, 1, bytes(2_000), created=start(key).created) for key in range(1, 2_000)))
    target = tmp_path / "copy.db"
    steps: list[tuple[int, int]] = []
    loop = asyncio.get_running_loop()

    def progress(copied: int, total: int) -> None:
        # A commit between any two steps would make SQLite begin again, if it did not hold on to its moment.
        key = 10_000 + len(steps)
        asyncio.run_coroutine_threadsafe(write(store, start(key), Write(key, 2, bytes(2_000))), loop).result(60)
        steps.append((copied, total))
        assert not target.exists()

    monkeypatch.setattr("perdure.stores.sqlite.backups._PAGES_PER_STEP", 50)
    await asyncio.to_thread(backup, tmp_path / "store.db", target, progress)
    await store.close()

    assert len(steps) > 5
    assert steps[-1][0] == steps[-1][1]
    assert sorted(entry.name for entry in tmp_path.iterdir() if entry.name.startswith("copy")) == ["copy.db"]
    with SqliteReader(target) as reader:
        assert reader.integrity() == []
        assert reader.run_count() == 1_999
    # Reading has left nothing beside it: the copy is one plain file.
    connection = sqlite3.connect(target)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()

    copy = SqliteStore(target)
    opened = await copy.open()
    assert opened.next_key == 2_000
    await write(copy, start(2_000))
    assert len(await list_keys(copy, limit=5_000)) == 2_000
    assert await commits(copy, 7) == [bytes(2_000)]
    await copy.close()


async def test_a_backup_of_a_store_that_nobody_uses(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    await store.open()
    await write(store, start(1))
    await store.close()
    backup(tmp_path / "store.db", tmp_path / "copy.db")
    with SqliteReader(tmp_path / "copy.db") as reader:
        assert [row.key for row in reader.runs("default")] == [1]


async def test_an_existing_target_is_not_overwritten(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    await store.open()
    (tmp_path / "copy.db").write_text("precious")
    with pytest.raises(StoreError, match=r"copy.db exists already.*use another name"):
        backup(tmp_path / "store.db", tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "precious"
    await store.close()


async def test_a_failed_backup_leaves_nothing_behind(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    await store.open()

    def progress(copied: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup(tmp_path / "store.db", tmp_path / "copy.db", progress)
    with pytest.raises(StoreError, match=r"nowhere.*failed: the file can't be opened"):
        backup(tmp_path / "store.db", tmp_path / "nowhere" / "copy.db")
    with pytest.raises(StoreError, match=r"no such file"):
        backup(tmp_path / "missing.db", tmp_path / "copy.db")
    assert sorted(entry.name for entry in tmp_path.iterdir() if "copy" in entry.name) == []
    await store.close()
