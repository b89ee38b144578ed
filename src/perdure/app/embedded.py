"""Engine, worker and client together in one process."""

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from perdure.app.stores import DEFAULT_STORE, store_of
from perdure.engine.clock import SystemClock
from perdure.engine.ids import new_run_id
from perdure.engine.ports import Clock, Store
from perdure.engine.settings import Settings
from perdure.model.options import DEFAULT_DEADLOCK_TIMEOUT, DEFAULT_MAX_ASYNC, DEFAULT_MAX_THREADS, DEFAULT_NAMESPACE
from perdure.model.service import Service
from perdure.sdk.durations import Duration

# What only a running engine needs is imported where one is made: the command line comes here to read a file, at once.
if TYPE_CHECKING:
    from perdure.engine.service import EngineService
    from perdure.observability.tracing import Tracing
    from perdure.sdk.app import App
    from perdure.sdk.callables import Activity
    from perdure.sdk.client import Client
    from perdure.sdk.languages import OwnQueue
    from perdure.sdk.worker import LocalWorker

# A run is a few dozen objects that live as long as it does, and are freed without the collector's help: with a thousand in
# flight, looking at them every 50,000 objects took a seventh of the processor, and found nothing.
GC_THRESHOLD = (200_000, 20, 50)

# With Python's 5 ms, the store's thread waits that long for its turn whenever the loop is busy: measured, 10 to 65 % of
# the throughput.
SWITCH_INTERVAL_SECONDS = 0.0005


class Embedded:
    """An engine, a worker and a client in this process, over one store."""

    def __init__(
        self,
        apps: "Sequence[App]",
        store: Store,
        clock: Clock,
        *,
        settings: Settings | None = None,
        namespace: str = DEFAULT_NAMESPACE,
        task_queues: Iterable[str] | None = None,
        mocks: "Mapping[Activity[..., Any] | str, Callable[..., Any]] | None" = None,
        make_worker: "Callable[..., LocalWorker] | None" = None,
        make_run_id: Callable[[int], str] = new_run_id,
        tracing: "Tracing | None" = None,
        own_queues: "Sequence[OwnQueue] | None" = None,
        **worker_options: Any,
    ) -> None:
        from perdure.app.asl import asl_queue
        from perdure.engine.service import EngineService
        from perdure.sdk.client import Client
        from perdure.sdk.own_apps import own_apps
        from perdure.sdk.standalone import standalone_queues
        from perdure.sdk.worker import LocalWorker

        self._worker = (make_worker or LocalWorker)(
            apps,
            task_queues=task_queues,
            mocks=mocks,
            own_apps=own_apps(lambda: self._for_clients),
            own_queues=[asl_queue(), *standalone_queues()] if own_queues is None else own_queues,
            tracing=tracing,
            **worker_options,
        )
        self._service = EngineService(store, clock, self._worker, settings, make_run_id)
        self._for_clients: Service = self._service
        if tracing is not None:
            from perdure.observability.watched import Watched

            self._for_clients = tracing.traced(self._service)
            Watched(self._service, tracing).begin_counting()
        self.client = Client(self._for_clients, namespace=namespace, apps=apps)

    async def open(self) -> None:
        """Take the store and go on with what is in it."""
        self._worker.open(self._service.engine.report)
        await self._service.open()

    async def close(self) -> None:
        """Stop, leaving everything in the store."""
        await self._worker.close()
        await self._service.close()

    def abandon(self) -> None:
        """Stop as if the process had died here. The store is not touched."""
        self._worker.abandon()
        self._service.abandon()

    @property
    def service(self) -> "EngineService":
        """The engine, as clients see it."""
        return self._service

    @property
    def is_busy(self) -> bool:
        """Whether anything is under way here: a transaction, a message between runs, an activity."""
        return not self._service.engine.is_idle or self._worker.running_count > 0

    @property
    def is_awaited(self) -> bool:
        """Whether a client waits for a run."""
        return bool(self._service.engine.waiting)


@asynccontextmanager
async def open(
    *apps: "App",
    store: str | Store = DEFAULT_STORE,
    namespace: str = DEFAULT_NAMESPACE,
    task_queues: Iterable[str] | None = None,
    settings: Settings | None = None,
    tune_interpreter: bool = True,
    identity: str | None = None,
    max_async: int = DEFAULT_MAX_ASYNC,
    max_threads: int = DEFAULT_MAX_THREADS,
    max_processes: int | None = None,
    deadlock_timeout: Duration | None = DEFAULT_DEADLOCK_TIMEOUT,
    tracing: "Tracing | None" = None,
    labels: Mapping[str, str] | None = None,
) -> "AsyncIterator[Client]":
    """Engine, worker and client in this process, over one store. Nothing else to run.

    Args:
        apps: whose workflows and activities run here. None is fine for a client that only looks and signals.
        store: a URL: ``sqlite:///relative.db``, ``sqlite:////absolute.db`` or ``memory://``; or a store object. A file
            is created if it is not there.
        namespace: that the client works in.
        task_queues: the queues served here; all of them without this.
        settings: of the engine.
        tune_interpreter: while this is open, let Python's garbage collector look at long-lived objects less often, and
            let threads take turns more often (``sys.setswitchinterval``), so that the store's thread is not kept
            waiting by a busy loop.
        identity: who this worker is, in histories; process id and host name without it.
        max_async: how many ``async`` activities may run at once.
        max_threads: how many activities may run in threads at once.
        max_processes: how many may run in child processes at once; None for one per processor.
        deadlock_timeout: how long one turn of a workflow may take; a timedelta or seconds, None for no limit.
        tracing: gets the spans of the client's calls, of runs, and of attempts of activities; a ``perdure.Tracing``.
        labels: what the worker here is, by name: what ``affinity`` of activities and workflows asks for.

    Yields:
        A client. Once the block is left, nothing runs here any more, and all that is unfinished waits in the store.

    Raises:
        StoreError: the store can't be opened: another engine owns it, it is damaged, it was written by a newer Perdure.
        InvalidArgumentError: the URL, or an app, can't be used.
    """
    clock = SystemClock(asyncio.get_running_loop())
    embedded = Embedded(
        apps,
        store_of(store) if isinstance(store, str) else store,
        clock,
        settings=settings,
        namespace=namespace,
        task_queues=task_queues,
        identity=identity,
        max_async=max_async,
        max_threads=max_threads,
        max_processes=max_processes,
        deadlock_timeout=deadlock_timeout,
        tracing=tracing,
        labels=labels,
    )
    await embedded.open()
    with tuned() if tune_interpreter else nullcontext():
        try:
            yield embedded.client
        finally:
            await embedded.close()


@contextmanager
def tuned() -> Iterator[None]:
    """The interpreter set for a running engine, or a worker. These two settings belong to the whole process, so they are
    put back, by the last who needs them."""
    global _tuned
    threshold, interval, count = _tuned if _tuned is not None else (gc.get_threshold(), sys.getswitchinterval(), 0)
    _tuned = threshold, interval, count + 1
    gc.set_threshold(*GC_THRESHOLD)
    sys.setswitchinterval(min(interval, SWITCH_INTERVAL_SECONDS))
    try:
        yield
    finally:
        count = _tuned[2] - 1
        _tuned = (threshold, interval, count) if count else None
        if not count:
            gc.set_threshold(*threshold)
            sys.setswitchinterval(interval)


_tuned: tuple[tuple[int, int, int], float, int] | None = None
"""The settings as they were before, and how many need others."""
