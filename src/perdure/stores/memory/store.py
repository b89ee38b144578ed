"""The store that keeps everything in memory: plain structures, every promise of the port, nothing clever."""

import asyncio
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice

from perdure.engine.ports import Done, MessageRow, Opened, RunRow, StoredRun, TaskRow, TimerRow, Write
from perdure.engine.search import evaluate
from perdure.model.errors import StoreConflictError, StoreError, StoreLockedError
from perdure.model.figures import Figures
from perdure.model.search import AttributeType, AttributeTypes, Group, Place, Query
from perdure.model.service import Namespace
from perdure.model.task_queues import TaskQueue
from perdure.stores.memory.disk import Disk
from perdure.stores.memory.figures import figures_of


class MemoryStore:
    """A ``Store`` over a ``Disk``. Give the disk to keep it beyond this store; otherwise it vanishes with it.

    A write is on the disk when ``write`` returns, and its ``done`` comes on the loop's next round, never before
    ``write`` returns.
    """

    def __init__(self, disk: Disk | None = None) -> None:
        self._disk = disk if disk is not None else Disk()
        self._epoch = 0

    async def open(self) -> Opened:
        disk = self._disk
        if disk.is_owned:
            raise StoreLockedError(
                "this memory disk is in use by another store; close that store, "
                "or call disk.crash() to take the disk from it"
            )
        disk.is_owned = True
        disk.epoch += 1
        self._epoch = disk.epoch
        return Opened(epoch=disk.epoch, next_key=disk.last_key + 1)

    async def close(self) -> None:
        if self._owns():
            self._disk.is_owned = False
        self._epoch = 0

    def write(self, batch: Sequence[Write], done: Done) -> None:
        error: StoreError | None = None
        try:
            self._check_owner()
            self._disk.check(batch)
            self._disk.apply(batch)
        except StoreError as refusal:
            error = refusal.with_traceback(None)
        asyncio.get_running_loop().call_soon(done, error)

    def find(
        self, namespace: str, workflow_id: str, run_id: str, then: Callable[[RunRow | StoreError | None], None]
    ) -> None:
        for key in reversed(self._disk.keys_of_workflow.get((namespace, workflow_id), ())):
            row = self._disk.runs[key]
            if not run_id or row.run_id == run_id:
                then(copy.copy(row))
                return
        then(None)

    def read(self, key: int, then: Callable[[StoredRun | StoreError | None], None]) -> None:
        then(self._stored(key))

    def read_many(self, keys: Sequence[int], then: Callable[[Sequence[StoredRun] | StoreError], None]) -> None:
        then([stored for key in keys if (stored := self._stored(key)) is not None])

    async def history(self, key: int, skipped: int = 0) -> StoredRun | None:
        return self._stored(key, skipped)

    async def blob(self, digest: bytes) -> bytes | None:
        return self._disk.blobs.get(digest)

    def blobs(self, digests: Sequence[bytes], then: Callable[[dict[bytes, bytes] | StoreError], None]) -> None:
        then({digest: self._disk.blobs[digest] for digest in digests if digest in self._disk.blobs})

    async def runs(self, namespace: str, query: Query, after: Place | None, limit: int) -> Sequence[RunRow]:
        types = self._disk.attribute_types.get(namespace, {})
        return [copy.copy(row) for row in evaluate.page(self._runs_of(namespace), types, query, after, limit)]

    async def count(self, namespace: str, query: Query) -> Sequence[Group]:
        return evaluate.count(self._runs_of(namespace), self._disk.attribute_types.get(namespace, {}), query)

    async def attribute_types(self) -> Mapping[str, AttributeTypes]:
        return {namespace: dict(types) for namespace, types in self._disk.attribute_types.items()}

    async def set_attribute_type(self, namespace: str, name: str, type: AttributeType) -> None:
        self._check_owner()
        self._disk.attribute_types.setdefault(namespace, {})[name] = type

    async def tasks(self, after: tuple[int, int], limit: int) -> Sequence[TaskRow]:
        rows = sorted(((key, ref), task) for key, tasks in self._disk.tasks.items() for ref, task in tasks.items())
        return [task for place, task in rows if place > after][:limit]

    async def timers(self, until: int, after: TimerRow | None, limit: int) -> Sequence[TimerRow]:
        rows = (timer for timer in self._disk.timers if timer.due <= until and (after is None or timer > after))
        return list(islice(rows, limit))

    async def messages(self, after: tuple[int, int], limit: int) -> Sequence[MessageRow]:
        rows = (MessageRow(key, ref, data) for key, held in self._disk.messages.items() for ref, data in held.items())
        behind = [row for row in rows if (row.key, row.ref) > after]
        behind.sort(key=lambda row: (row.key, row.ref))
        return behind[:limit]

    async def figures(self, now: int, days: int) -> Figures:
        return figures_of(self._disk, now, days)

    async def closed_before(self, namespace: str, close_time: int, limit: int) -> Sequence[int]:
        closed = sorted(
            (row.close_time, key)
            for key, row in self._disk.runs.items()
            if row.namespace == namespace and row.status.is_closed and 0 < row.close_time < close_time
        )
        return [key for _, key in closed[:limit]]

    def delete(self, keys: Sequence[int], done: Done) -> None:
        error: StoreError | None = None
        try:
            self._check_owner()
            self._disk.delete(keys)
        except StoreError as refusal:
            error = refusal.with_traceback(None)
        asyncio.get_running_loop().call_soon(done, error)

    async def namespaces(self) -> Sequence[Namespace]:
        return [namespace for _, namespace in sorted(self._disk.namespaces.items())]

    async def set_namespace(self, namespace: Namespace) -> None:
        self._check_owner()
        self._disk.namespaces[namespace.name] = namespace

    async def delete_namespace(self, name: str) -> None:
        self._check_owner()
        self._disk.namespaces.pop(name, None)
        if not any(self._runs_of(name)):
            self._disk.attribute_types.pop(name, None)
        for queue in [queue for queue in self._disk.task_queues if queue[0] == name]:
            del self._disk.task_queues[queue]

    async def task_queues(self) -> Sequence[TaskQueue]:
        return [task_queue for _, task_queue in sorted(self._disk.task_queues.items())]

    async def set_task_queue(self, task_queue: TaskQueue) -> None:
        self._check_owner()
        self._disk.task_queues[task_queue.namespace, task_queue.name] = task_queue

    async def documents(self, kind: str) -> Sequence[tuple[str, bytes]]:
        held = self._disk.documents.items()
        # As SQLite orders text, so that all stores agree on what comes first.
        return sorted(((key, data) for (of, key), data in held if of == kind), key=lambda pair: pair[0].encode())

    async def set_document(self, kind: str, key: str, data: bytes | None) -> None:
        self._check_owner()
        if data is None:
            self._disk.documents.pop((kind, key), None)
        else:
            self._disk.documents[kind, key] = data

    def _runs_of(self, namespace: str) -> Iterator[RunRow]:
        return (row for row in self._disk.runs.values() if row.namespace == namespace)

    def _stored(self, key: int, skipped: int = 0) -> StoredRun | None:
        row = self._disk.runs.get(key)
        return None if row is None else StoredRun(copy.copy(row), tuple(self._disk.histories.get(key, ())[skipped:]))

    def _owns(self) -> bool:
        return self._disk.is_owned and self._epoch == self._disk.epoch

    def _check_owner(self) -> None:
        if not self._owns():
            raise StoreConflictError(
                f"this store does not own its disk (its epoch is {self._epoch}, the disk's {self._disk.epoch}), "
                "so nothing was written; open a store over the disk"
            )
