"""The write-ahead log does not grow without bound, and shrinks to nothing at the end."""

from pathlib import Path

import pytest
from tests.conformance.rooms import start, write

from perdure.engine.ports import Write
from perdure.stores.sqlite import SqliteReader, SqliteStore, log

LIMIT = 1 << 18


def log_bytes(path: Path) -> int:
    return Path(f"{path}-wal").stat().st_size


async def grow(store: SqliteStore, first: int, megabytes: int) -> None:
    for key in range(first, first + megabytes * 10):
        await write(store, Write(key, 1, bytes(100_000), created=start(key).created))


@pytest.fixture(autouse=True)
def early_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "CHECKPOINT_BYTES", LIMIT)
    monkeypatch.setattr(log, "_ALLOCATED_BYTES", 0)


async def test_the_log_starts_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    await store.open()
    await grow(store, 1, 20)
    assert path.stat().st_size > 10 << 20
    # The first checkpoint comes late, since how much a write takes is not known before.
    assert log_bytes(path) < 10 << 20
    await store.close()
    assert not Path(f"{path}-wal").exists()


async def test_the_log_is_copied_once_a_long_reader_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    await store.open()
    await grow(store, 1, 2)
    with SqliteReader(path) as reader:
        with reader.snapshot():
            await grow(store, 1_000, 8)
            assert reader.run_count() == 20
        stretched = log_bytes(path)
        assert stretched > 6 << 20
        await grow(store, 2_000, 20)
        assert log_bytes(path) < stretched + (12 << 20)
        assert reader.run_count() == 300
        assert reader.integrity() == []
    await store.close()
