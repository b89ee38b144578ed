"""Whatever kills the writing process, at any instant: what it was told is stored is stored, and the file is sound."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.conformance.rooms import commits, delete, find, start, write

from perdure.engine.ports import Write
from perdure.model.errors import StoreLockedError
from perdure.stores.sqlite import SqliteReader, SqliteStore

SCRIPT = Path(__file__).with_name("writing_process.py")


def spawn(path: Path, most: int = 40) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(path), str(most)], stdout=subprocess.PIPE, text=True, env=environment
    )


def acknowledged(process: subprocess.Popen[str]) -> dict[int, int]:
    """What the killed process said: the last number of each key."""
    assert process.stdout is not None
    numbers: dict[int, int] = {}
    for line in process.stdout:
        # The very last line may have been cut off.
        if line.endswith("\n"):
            key, number = line.split()
            numbers[int(key)] = int(number)
    process.stdout.close()
    return numbers


@pytest.mark.parametrize("most", [3, 400])
async def test_acknowledged_writes_survive_a_kill(tmp_path: Path, most: int) -> None:
    path = tmp_path / "store.db"
    chance = random.Random(most)
    expected: dict[int, int] = {}
    for _ in range(5):
        process = spawn(path, most)
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        time.sleep(chance.uniform(0.02, 0.5))
        process.kill()
        said = acknowledged(process)
        process.wait()
        expected |= said

        with SqliteReader(path) as reader:
            assert reader.integrity() == []
            with reader.snapshot():
                for key, number in expected.items():
                    stored = reader.read(key)
                    assert stored is not None, key
                    assert len(stored.commits) >= number, key
                # Nothing is half there: a run has its task and its blob if it has the commit they came with.
                tasks = {(task.key, task.ref) for task in reader.tasks(limit=1_000_000)}
                for holding in reader.holdings():
                    last = len(holding.commits)
                    assert [number for number, _ in holding.commits] == list(range(1, last + 1))
                    assert (holding.key, last) in tasks
                    assert bool(holding.blob_digests) == (last >= 2)

        store = SqliteStore(path)
        opened = await store.open()
        assert opened.next_key > max(expected, default=0)
        for key in random.Random(most).sample(sorted(expected), min(50, len(expected))):
            row = await find(store, f"order-{key}")
            assert row is not None
            assert row.key == key
        await write(store, start(opened.next_key))
        await delete(store, opened.next_key)
        await store.close()
    assert len(expected) > 5


async def test_a_store_goes_on_after_a_kill_of_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    process = spawn(path)
    assert process.stdout is not None
    process.stdout.readline()
    os.kill(process.pid, signal.SIGSTOP)

    store = SqliteStore(path)
    with pytest.raises(StoreLockedError, match=rf"pid {process.pid}\b.*stop that process"):
        await store.open()

    process.kill()
    process.wait()
    process.stdout.close()
    opened = await store.open()
    assert opened.epoch == 2
    key = opened.next_key
    await write(store, start(key), Write(key, 2, b"two"))
    assert await commits(store, key) == [b"start-%d" % key, b"two"]
    await store.close()


async def test_a_second_store_in_the_same_process_is_refused(tmp_path: Path) -> None:
    first, second = SqliteStore(tmp_path / "store.db"), SqliteStore(tmp_path / "store.db")
    await first.open()
    with pytest.raises(StoreLockedError, match=rf"this process \(pid {os.getpid()}\).*close it first"):
        await second.open()
    # The refusal has not let go of the lock that the first one holds.
    process = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path / "store.db"), "3"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
        capture_output=True,
        text=True,
    )
    assert "StoreLockedError" in process.stderr
    await first.close()


async def test_a_link_to_the_file_is_the_same_store(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "store.db")
    first, second = SqliteStore(tmp_path / "store.db"), SqliteStore(tmp_path / "link.db")
    await first.open()
    with pytest.raises(StoreLockedError):
        await second.open()
    await write(first, start(1))
    await first.close()
    await second.open()
    assert await find(second, "order-1") is not None
    await second.close()
