"""An engine that crashes and comes back over the same store, and a client that hardly notices.

A ``Life`` is one process: engine, worker and what they hold in memory. When it ends nothing of it is closed; the next
one opens what is in the store. ``Lives`` is the ``Service`` that the test's client talks to: it asks the present life,
and what a life left unanswered it asks the next one again, as a client does that has lost its connection. Requests
carry ids, so nothing is done twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import Any, TypeVar, cast
from uuid import UUID

from perdure.app import Embedded
from perdure.engine.ports import Clock, Done, Store, Write
from perdure.model import requests as r
from perdure.model import service as s
from perdure.model.errors import NotFoundError, RunClosedError
from perdure.model.events import Event
from perdure.model.explanation import Explanation
from perdure.model.figures import Figures
from perdure.model.ids import RunAddress
from perdure.model.options import RunStatus
from perdure.model.payloads import PayloadMap, Payloads
from perdure.model.search import AttributeTypes
from perdure.model.task_queues import TaskQueue, TaskQueueDescription
from perdure.model.workers import WorkerDescription
from perdure.sdk.app import App
from perdure.sdk.callables import Activity
from perdure.testing.faults import Faults
from perdure.testing.faulty_worker import FaultyWorker
from perdure.testing.virtual_loop import VirtualLoop

T = TypeVar("T")

_ONCE = (r.TerminateWorkflow, r.CompleteActivity, r.FailActivity, r.CancelActivity)
"""Requests that are refused when they have been done already."""


class FaultyStore:
    """A store that one life writes to. It is a ``Store`` by handing on all but ``write``.

    Before each write it asks ``fate``; after "lost" or "written" nothing gets through any more.
    """

    def __init__(self, store: Store, fate: Callable[[], str]) -> None:
        self._store = store
        self._fate = fate
        self._is_dead = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def write(self, batch: Sequence[Write], done: Done) -> None:
        """As ``Store.write``, until the life ends here."""
        if self._is_dead:
            return
        match self._fate():
            case "lost":
                self._is_dead = True
            case "written":
                self._is_dead = True
                self._store.write(batch, lambda error: None)
            case _:
                self._store.write(batch, done)


class Life:
    """One process: it has ended when ``ended`` is set."""

    def __init__(self, embedded: Embedded) -> None:
        self.embedded = embedded
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Lives:
    """Implements ``perdure.model.service.Service``. ``make`` puts an engine and a worker together over a store."""

    def __init__(self, store: Store, faults: Faults, make: Callable[[Store], Embedded]) -> None:
        self._store = store
        self._faults = faults
        self._make = make
        self._life: Life | None = None
        self._begun = asyncio.Event()
        self._reviving: asyncio.Task[None] | None = None
        self._is_closing = False

    async def open(self) -> None:
        """Begin the first life."""
        await self._begin()

    async def close(self) -> None:
        """End the last one, properly: nothing goes wrong any more."""
        self._is_closing = True
        while self._life is None:
            await self._begun.wait()
        await self._life.embedded.close()

    @property
    def is_busy(self) -> bool:
        """As ``Embedded.is_busy``."""
        return self._life is None or self._life.embedded.is_busy

    @property
    def is_awaited(self) -> bool:
        """As ``Embedded.is_awaited``."""
        return self._life is not None and self._life.embedded.is_awaited

    # --- lives

    async def _begin(self) -> None:
        embedded = self._make(cast(Store, FaultyStore(self._store, self._fate_of_commit)))
        self._life = Life(embedded)
        await embedded.open()
        self._begun.set()

    def _fate_of_commit(self) -> str:
        fate = "" if self._is_closing else self._faults.crash_at_next_commit()
        if fate:
            life, self._life = self._life, None
            assert life is not None
            self._begun.clear()
            # What the engine is in the middle of doing for commits before this one, it may still do.
            asyncio.get_running_loop().call_soon(self._end, life)
        return fate

    def _end(self, life: Life) -> None:
        life.embedded.abandon()
        life.ended.set_result(None)
        self._reviving = asyncio.ensure_future(self._revive())

    async def _revive(self) -> None:
        # The dead life's own wrapper lets nothing through, so the store itself may simply change hands.
        await self._store.close()
        await self._begin()

    async def _ask(self, question: Callable[[s.Service], Awaitable[T]]) -> tuple[T, bool]:
        """The answer, and whether it took more than one life to get it."""
        is_repeated = False
        while True:
            while self._life is None:
                await self._begun.wait()
            life = self._life
            asked: asyncio.Future[T] = asyncio.ensure_future(question(life.embedded.service))
            try:
                either: list[asyncio.Future[Any]] = [asked, life.ended]
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if asked.done():
                    return asked.result(), is_repeated
                is_repeated = True
            finally:
                asked.cancel()

    # --- the service

    async def start(self, namespace: str, request: r.StartWorkflow) -> s.StartResult:
        """As ``Service.start``."""
        result, is_repeated = await self._ask(lambda service: service.start(namespace, request))
        if not is_repeated or result.is_new:
            return result
        # An earlier life may have started this very run, and died before it said so.
        address = RunAddress(namespace, request.workflow_id, result.run_id)
        page = await self.history(address, after=0, limit=1, wait=False)
        is_own = getattr(page.events[0], "request_id", "") == request.request_id
        return s.StartResult(result.run_id, is_new=is_own)

    async def execute(self, namespace: str, request: r.StartWorkflow) -> tuple[str, Event]:
        """As ``Service.execute``."""
        started = await self.start(namespace, request)
        return await self.wait_closed(RunAddress(namespace, request.workflow_id, started.run_id), follow=True)

    async def request(self, address: RunAddress, request: r.OutsideRequest) -> None:
        """As ``Service.request``."""
        tries = 0

        async def ask(service: s.Service) -> None:
            nonlocal tries
            tries += 1
            try:
                await service.request(address, request)
            except (RunClosedError, NotFoundError):
                if tries == 1 or not isinstance(request, _ONCE):
                    raise

        await self._ask(ask)

    async def update(self, address: RunAddress, request: r.UpdateWorkflow, wait: s.UpdateStage) -> s.UpdateOutcome:
        """As ``Service.update``."""
        return (await self._ask(lambda service: service.update(address, request, wait)))[0]

    async def query(
        self, address: RunAddress, name: str, input: Payloads, header: PayloadMap | None = None
    ) -> Payloads:
        """As ``Service.query``."""
        return (await self._ask(lambda service: service.query(address, name, input, header)))[0]

    async def wait_closed(self, address: RunAddress, *, follow: bool) -> tuple[str, Event]:
        """As ``Service.wait_closed``."""
        return (await self._ask(lambda service: service.wait_closed(address, follow=follow)))[0]

    async def describe(self, address: RunAddress) -> s.RunDescription:
        """As ``Service.describe``."""
        return (await self._ask(lambda service: service.describe(address)))[0]

    async def explain(self, address: RunAddress) -> Explanation:
        """As ``Service.explain``."""
        return (await self._ask(lambda service: service.explain(address)))[0]

    async def history(self, address: RunAddress, *, after: int, limit: int, wait: bool) -> s.HistoryPage:
        """As ``Service.history``."""
        return (await self._ask(lambda service: service.history(address, after=after, limit=limit, wait=wait)))[0]

    async def list(
        self,
        namespace: str,
        *,
        filter: str,
        statuses: Sequence[RunStatus],
        workflow_type: str,
        cursor: str,
        limit: int,
    ) -> s.RunPage:
        """As ``Service.list``."""
        answer, _ = await self._ask(
            lambda service: service.list(
                namespace, filter=filter, statuses=statuses, workflow_type=workflow_type, cursor=cursor, limit=limit
            )
        )
        return answer

    async def count(
        self, namespace: str, *, filter: str, statuses: Sequence[RunStatus], workflow_type: str
    ) -> s.RunCount:
        """As ``Service.count``."""
        answer, _ = await self._ask(
            lambda service: service.count(namespace, filter=filter, statuses=statuses, workflow_type=workflow_type)
        )
        return answer

    async def search_attributes(self, namespace: str) -> AttributeTypes:
        """As ``Service.search_attributes``."""
        return (await self._ask(lambda service: service.search_attributes(namespace)))[0]

    async def add_search_attributes(self, namespace: str, types: AttributeTypes) -> None:
        """As ``Service.add_search_attributes``."""
        await self._ask(lambda service: service.add_search_attributes(namespace, types))

    async def remove_search_attributes(self, namespace: str, names: Sequence[str]) -> None:
        """As ``Service.remove_search_attributes``."""
        await self._ask(lambda service: service.remove_search_attributes(namespace, names))

    async def reset(
        self,
        address: RunAddress,
        *,
        event_id: int,
        reason: str,
        request_id: str,
        loses_children: bool = False,
        leaves_out: Sequence[str] = (),
    ) -> str:
        """As ``Service.reset``."""
        answer, _ = await self._ask(
            lambda service: service.reset(
                address,
                event_id=event_id,
                reason=reason,
                request_id=request_id,
                loses_children=loses_children,
                leaves_out=leaves_out,
            )
        )
        return answer

    async def fork(
        self,
        address: RunAddress,
        *,
        event_id: int,
        workflow_id: str,
        input: Payloads | None,
        reason: str,
        request_id: str,
    ) -> str:
        """As ``Service.fork``."""
        answer, _ = await self._ask(
            lambda service: service.fork(
                address,
                event_id=event_id,
                workflow_id=workflow_id,
                input=input,
                reason=reason,
                request_id=request_id,
            )
        )
        return answer

    async def import_run(self, address: RunAddress, events: Sequence[Event]) -> str:
        """As ``Service.import_run``."""
        answer, _ = await self._ask(lambda service: service.import_run(address, events))
        return answer

    async def delete(self, address: RunAddress) -> None:
        """As ``Service.delete``."""
        await self._ask(lambda service: service.delete(address))

    async def set_namespace(self, namespace: s.Namespace) -> None:
        """As ``Service.set_namespace``."""
        await self._ask(lambda service: service.set_namespace(namespace))

    async def describe_namespace(self, name: str) -> s.NamespaceDescription:
        """As ``Service.describe_namespace``."""
        return (await self._ask(lambda service: service.describe_namespace(name)))[0]

    async def delete_namespace(self, name: str, *, force: bool) -> None:
        """As ``Service.delete_namespace``."""
        await self._ask(lambda service: service.delete_namespace(name, force=force))

    async def namespaces(self) -> Sequence[s.Namespace]:
        """As ``Service.namespaces``."""
        return (await self._ask(lambda service: service.namespaces()))[0]

    async def set_task_queue(self, settings: TaskQueue) -> None:
        """As ``Service.set_task_queue``."""
        await self._ask(lambda service: service.set_task_queue(settings))

    async def pause_task_queue(self, namespace: str, name: str, reason: str | None) -> None:
        """As ``Service.pause_task_queue``."""
        await self._ask(lambda service: service.pause_task_queue(namespace, name, reason))

    async def task_queues(self, namespace: str) -> Sequence[TaskQueue]:
        """As ``Service.task_queues``."""
        return (await self._ask(lambda service: service.task_queues(namespace)))[0]

    async def statistics(self, days: int) -> Figures:
        """As ``Service.statistics``."""
        return (await self._ask(lambda service: service.statistics(days)))[0]

    async def workers(self, namespace: str) -> Sequence[WorkerDescription]:
        """As ``Service.workers``."""
        return (await self._ask(lambda service: service.workers(namespace)))[0]

    async def describe_task_queue(self, namespace: str, name: str) -> TaskQueueDescription:
        """As ``Service.describe_task_queue``."""
        return (await self._ask(lambda service: service.describe_task_queue(namespace, name)))[0]


def lives_of(
    apps: Sequence[App],
    store: Store,
    faults: Faults,
    clock: Clock,
    mocks: Mapping[Activity[..., Any] | str, Callable[..., Any]],
    options: Mapping[str, Any],
) -> Lives:
    """Lives over a store, with the faults, for ``environment``."""
    loop = asyncio.get_running_loop()
    run_ids = Random(f"{faults.seed}/run ids")

    def outside(change: int) -> None:
        if isinstance(loop, VirtualLoop):
            loop.outside += change

    def make_run_id(now_ns: int) -> str:
        return str(UUID(int=run_ids.getrandbits(128), version=4))

    # A child process could not take turns with the loop.
    activities = [activity for app in apps for activity in app.activities.values()]
    instead: dict[Activity[..., Any] | str, Callable[..., Any]] = {
        one.name: one.fn for one in activities if one.__perdure_activity__.executor == "process"
    }
    instead.update({key if isinstance(key, str) else key.name: fn for key, fn in mocks.items()})

    def make(store: Store) -> Embedded:
        return Embedded(
            apps,
            store,
            clock,
            mocks=instead,
            make_worker=partial(FaultyWorker, faults=faults, clock=clock, outside=outside),
            make_run_id=make_run_id,
            **options,
        )

    return Lives(store, faults, make)
