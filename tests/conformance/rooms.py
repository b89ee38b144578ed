"""The stores under test, and words for what the tests do with them."""

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from perdure.engine.ports import RunRow, Store, StoredRun, TaskRow, Write
from perdure.model.errors import StoreError
from perdure.model.options import RunStatus
from perdure.model.search import EVERYTHING, Place, narrowed
from perdure.stores.memory import Disk, MemoryStore
from perdure.stores.sqlite import SqliteStore


class Room(Protocol):
    """A place where stores keep things; several stores over one room, one after the other, see the same."""

    def store(self) -> Store:
        """A new store over the room, not open yet."""
        ...

    def take_away(self) -> None:
        """Take ownership from whoever has it, as another engine would after its lease ran out."""
        ...


class MemoryRoom:
    def __init__(self) -> None:
        self._disk = Disk()

    def store(self) -> Store:
        return MemoryStore(self._disk)

    def take_away(self) -> None:
        self._disk.crash()


class SqliteRoom:
    def __init__(self, folder: Path) -> None:
        self._path = folder / "store.db"

    def store(self) -> Store:
        return SqliteStore(self._path)

    def take_away(self) -> None:
        connection = sqlite3.connect(self._path)
        with connection:
            connection.execute("UPDATE shards SET epoch = epoch + 1")
        connection.close()


def row(key: int, workflow_id: str = "", **values: Any) -> RunRow:
    """A run's row in which everything tells whose it is."""
    defaults: dict[str, Any] = {
        "namespace": "default",
        "run_id": f"run-{key}",
        "workflow_type": "Order",
        "task_queue": "default",
        "status": RunStatus.RUNNING,
        "start_time": key,
    }
    return RunRow(key=key, workflow_id=workflow_id or f"order-{key}", **(defaults | values))


def start(key: int, workflow_id: str = "", **values: Any) -> Write:
    """The first commit of a run."""
    return Write(key, 1, b"start-%d" % key, created=row(key, workflow_id, **values))


def close(key: int, workflow_id: str = "", *, number: int = 2, close_time: int = 5_000, **values: Any) -> Write:
    """The last commit of a run."""
    values = {"status": RunStatus.COMPLETED, "history_length": 11} | values
    return Write(key, number, b"close-%d" % key, changed=row(key, workflow_id, close_time=close_time, **values))


def task(key: int, ref: int, **values: Any) -> TaskRow:
    defaults: dict[str, Any] = {"task_queue": "q", "type": "t", "started": False, "due": 0}
    return TaskRow(key=key, ref=ref, **(defaults | values))


async def attempt(store: Store, *writes: Write) -> StoreError | None:
    """Write one batch; what the store says to it."""
    outcome: asyncio.Future[StoreError | None] = asyncio.get_running_loop().create_future()
    store.write(writes, outcome.set_result)
    return await outcome


async def write(store: Store, *writes: Write) -> None:
    """Write one batch, which must succeed."""
    error = await attempt(store, *writes)
    assert error is None, error


async def delete(store: Store, *keys: int) -> None:
    outcome: asyncio.Future[StoreError | None] = asyncio.get_running_loop().create_future()
    store.delete(keys, outcome.set_result)
    error = await outcome
    assert error is None, error


async def find(store: Store, workflow_id: str, run_id: str = "", namespace: str = "default") -> RunRow | None:
    outcome: asyncio.Future[RunRow | StoreError | None] = asyncio.get_running_loop().create_future()
    store.find(namespace, workflow_id, run_id, outcome.set_result)
    found = await outcome
    assert not isinstance(found, StoreError), found
    return found


async def read(store: Store, key: int) -> StoredRun | None:
    outcome: asyncio.Future[StoredRun | StoreError | None] = asyncio.get_running_loop().create_future()
    store.read(key, outcome.set_result)
    found = await outcome
    assert not isinstance(found, StoreError), found
    return found


async def commits(store: Store, key: int) -> list[bytes] | None:
    """A run's records, or None if there is no such run."""
    stored = await read(store, key)
    return None if stored is None else list(stored.commits)


async def blobs(store: Store, *digests: bytes) -> dict[bytes, bytes]:
    outcome: asyncio.Future[dict[bytes, bytes] | StoreError] = asyncio.get_running_loop().create_future()
    store.blobs(digests, outcome.set_result)
    found = await outcome
    assert not isinstance(found, StoreError), found
    return found


async def list_keys(
    store: Store,
    *statuses: RunStatus,
    namespace: str = "default",
    workflow_type: str = "",
    before: int = 0,
    limit: int = 100,
) -> list[int]:
    """Keys of a list of runs."""
    query = narrowed(EVERYTHING, statuses, workflow_type)
    after = Place((), before, before) if before else None
    rows = await store.runs(namespace, query, after, limit)
    return [row.key for row in rows]


async def contents(store: Store, keys: Sequence[int], digests: Sequence[bytes]) -> dict[str, Any]:
    """Everything that a store holds, through every method that reads."""
    forever = 1 << 62
    return {
        "runs": list(await store.runs("default", EVERYTHING, None, 10_000)),
        "histories": {key: await commits(store, key) for key in keys},
        "tasks": list(await store.tasks((0, -1), 10_000)),
        "timers": list(await store.timers(forever, None, 10_000)),
        "messages": list(await store.messages((0, -1), 10_000)),
        "blobs": await blobs(store, *digests),
        "closed": sorted(await store.closed_before("default", forever, 10_000)),
        "namespaces": list(await store.namespaces()),
        "by status": {status: await list_keys(store, status) for status in RunStatus},
    }
