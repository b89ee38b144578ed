"""An engine that others connect to: one process, one event loop, one store."""

import asyncio
from contextlib import AsyncExitStack

from perdure.app.stores import store_of
from perdure.engine.clock import SystemClock
from perdure.engine.ports import Store
from perdure.engine.service import EngineService
from perdure.engine.settings import Settings
from perdure.model.access import Gate, OpenGate
from perdure.sdk.schedules import schedule_app
from perdure.sdk.worker import LocalWorker


class Server:
    """Store, engine, the engine's own workflows, and whoever connects.

    Args:
        store: a URL, or a store.
        settings: of the engine.
    """

    def __init__(self, store: str | Store, settings: Settings | None = None) -> None:
        self._store = store_of(store) if isinstance(store, str) else store
        self._settings = settings
        self._stack = AsyncExitStack()
        self.service: EngineService
        self.gate: Gate

    async def open(self) -> None:
        """Take the store, go on with what is in it, and listen. Raises ``StoreError``."""
        clock = SystemClock(asyncio.get_running_loop())
        worker = LocalWorker([], own_apps=[schedule_app(lambda: self.service)])
        self.service = EngineService(self._store, clock, worker, self._settings)
        worker.open(self.service.engine.report)
        self._stack.push_async_callback(self.service.close)
        self._stack.push_async_callback(worker.close)
        await self.service.open()
        self.gate = OpenGate(self.service)

    async def close(self) -> None:
        """Stop, leaving everything in the store."""
        await self._stack.aclose()
