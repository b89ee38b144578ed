"""A store that works on a thread of its own, and is waited for each time.

A store of files or of a network answers when it is done, which is sooner or later relative to everything else on the
loop. Here it has a loop of its own, and whoever asks it stands still until it has answered. So it takes no virtual
time, and the order of things depends on the program alone, as with the store in memory.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

from perdure.engine.ports import Done, Opened, RunRow, Store, StoredRun, Write
from perdure.model.errors import StoreError

T = TypeVar("T")

NOT_OPEN = "the environment's store is not open: the environment has ended"


class AttendedStore:
    """A ``Store`` by handing everything on. From ``open`` to ``close`` there is a thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> Opened:
        """As ``Store.open``."""
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="perdure-attended-store", daemon=True).start()
        try:
            return self._run(self._store.open)
        except BaseException:
            self._stop()
            raise

    async def close(self) -> None:
        """As ``Store.close``."""
        if self._loop is not None:
            try:
                self._run(self._store.close)
            finally:
                self._stop()

    def write(self, batch: Sequence[Write], done: Done) -> None:
        """As ``Store.write``. What is written is durable when this returns."""
        error = self._called(partial(self._store.write, batch))
        asyncio.get_running_loop().call_soon(done, error)

    def delete(self, keys: Sequence[int], done: Done) -> None:
        """As ``Store.delete``."""
        error = self._called(partial(self._store.delete, keys))
        asyncio.get_running_loop().call_soon(done, error)

    def find(
        self, namespace: str, workflow_id: str, run_id: str, then: Callable[[RunRow | StoreError | None], None]
    ) -> None:
        """As ``Store.find``."""
        then(self._called(partial(self._store.find, namespace, workflow_id, run_id)))

    def read(self, key: int, then: Callable[[StoredRun | StoreError | None], None]) -> None:
        """As ``Store.read``."""
        then(self._called(partial(self._store.read, key)))

    def read_many(self, keys: Sequence[int], then: Callable[[Sequence[StoredRun] | StoreError], None]) -> None:
        """As ``Store.read_many``."""
        then(self._called(partial(self._store.read_many, keys)))

    def blobs(self, digests: Sequence[bytes], then: Callable[[dict[bytes, bytes] | StoreError], None]) -> None:
        """As ``Store.blobs``."""
        then(self._called(partial(self._store.blobs, digests)))

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def ask(*arguments: Any, **options: Any) -> Any:
            return self._run(lambda: method(*arguments, **options))

        return ask

    def _run(self, method: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What an awaitable method answers."""
        if self._loop is None:
            raise StoreError(NOT_OPEN)
        return asyncio.run_coroutine_threadsafe(method(), self._loop).result()

    def _called(self, ask: Callable[[Callable[[T], None]], None]) -> T | StoreError:
        """What a method with a callback answers."""
        if self._loop is None:
            return StoreError(NOT_OPEN)
        answered: Future[T] = Future()

        def call() -> None:
            try:
                ask(answered.set_result)
            except BaseException as error:
                answered.set_exception(error)

        self._loop.call_soon_threadsafe(call)
        return answered.result()

    def _stop(self) -> None:
        loop, self._loop = self._loop, None
        assert loop is not None
        loop.call_soon_threadsafe(loop.stop)
