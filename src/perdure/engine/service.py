"""The engine as clients see it: ``model.service.Service`` in this process."""

# Else the annotations of inner functions would be worked out each time that the outer one is called.
from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from functools import partial

from perdure.engine import explaining, queries, recovery
from perdure.engine.backlog import QueueName
from perdure.engine.descriptions import describe
from perdure.engine.engine import Engine, not_found
from perdure.engine.entrance import Entrance
from perdure.engine.forks import Forks
from perdure.engine.ids import new_run_id
from perdure.engine.namespaces import Namespaces
from perdure.engine.ports import Clock, Store
from perdure.engine.reading import Reading
from perdure.engine.refusals import durable, error_of, settle
from perdure.engine.resident import Resident
from perdure.engine.settings import Settings
from perdure.engine.statistics import statistics
from perdure.engine.task_queues import TaskQueues
from perdure.engine.workers import Workers
from perdure.kernel.commit import Answer, Rejection
from perdure.kernel.run import Run
from perdure.kernel.update import answer as answer_of
from perdure.model import service as s
from perdure.model.errors import (
    NotFoundError,
    PerdureError,
    QueryFailedError,
    RunClosedError,
)
from perdure.model.events import Event
from perdure.model.explanation import Explanation
from perdure.model.failures import Failure
from perdure.model.figures import Figures
from perdure.model.ids import RunAddress
from perdure.model.options import RunStatus
from perdure.model.payloads import PayloadMap, Payloads
from perdure.model.program import Worker
from perdure.model.requests import Request, StartWorkflow, TerminateWorkflow, UpdateWorkflow
from perdure.model.search import AttributeTypes, registered
from perdure.model.task_queues import TaskQueue, TaskQueueDescription
from perdure.model.workers import WorkerDescription


class EngineService:
    """An engine over a store, opened and closed, and everything that clients can ask of it."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        worker: Worker | Workers | None,
        settings: Settings | None = None,
        make_run_id: Callable[[int], str] = new_run_id,
    ) -> None:
        self.engine = Engine(store, clock, worker, settings, make_run_id)
        self._store = store
        self._task_queues = TaskQueues(self.engine, store)
        self._namespaces = Namespaces(self.engine, store)
        self._bounded = self.engine.guarded = self._namespaces.bounded
        self._entrance = Entrance(self.engine, self._namespaces)
        self.engine.entrance = self._entrance.start_detached
        self._reading = Reading(self.engine, store, self._entrance)
        self._forks = Forks(self.engine, store, self._namespaces, self._entrance, self.request)
        self._background: list[asyncio.Task[None]] = []
        self._recovery: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Take the store and go on with what is in it. Raises ``StoreError``."""
        opened = await self._store.open()
        engine = self.engine
        engine.attributes.load(await self._store.attribute_types())
        engine.begin(opened.next_key)
        await self._task_queues.open()
        await self._namespaces.open()
        self._namespaces.go_on()
        self._recovery = [
            asyncio.create_task(recovery.take_up_tasks(engine, opened.next_key)),
            asyncio.create_task(recovery.take_up_messages(engine, opened.next_key)),
        ]
        self._background = [
            asyncio.create_task(recovery.keep_timers_coming(engine)),
            *self._recovery,
            asyncio.create_task(recovery.keep_retention(engine)),
        ]

    async def close(self) -> None:
        """Write what is under way and give up the store. What waits goes on when it is opened again."""
        engine = self.engine
        engine.closing = True
        for task in self._background:
            task.cancel()
        await self._namespaces.close()
        await asyncio.gather(*self._background, return_exceptions=True)
        await engine.pipeline.settled()
        await self._task_queues.close()
        engine.alarms.close()
        for resident in list(engine.residents):
            engine.residents.remove(resident)
        await self._store.close()

    @property
    def is_recovering(self) -> bool:
        """Whether what waited in the store when it was opened is still being taken up."""
        return any(not task.done() for task in self._recovery)

    @property
    def known_task_queues(self) -> Collection[QueueName]:
        """The namespace and name of each queue with settings, with a backlog, or with attempts that live."""
        return self._task_queues.known()

    def task_queue_settings(self, queue: QueueName) -> TaskQueue:
        """What is set about a queue."""
        return self._task_queues.of(queue)

    def abandon(self) -> None:
        """Stop as if the process had died: nothing is written, and those who wait are not told."""
        engine = self.engine
        engine.closing = True
        for task in self._background:
            task.cancel()
        self._namespaces.abandon()
        engine.alarms.close()
        for resident in list(engine.residents):
            engine.residents.remove(resident)

    # --- starting and asking

    def start(self, namespace: str, request: StartWorkflow) -> asyncio.Future[s.StartResult]:
        """As ``Service.start``."""
        future: asyncio.Future[s.StartResult] = asyncio.get_running_loop().create_future()

        def done(outcome: s.StartResult | Rejection | PerdureError) -> None:
            if future.done():
                return
            if outcome.__class__ is s.StartResult:
                future.set_result(outcome)
            else:
                future.set_exception(error_of(outcome))  # type: ignore[arg-type]

        self._entrance.start(namespace, request, done)
        return future

    def execute(self, namespace: str, request: StartWorkflow) -> asyncio.Future[tuple[str, Event]]:
        """As ``Service.execute``."""
        future: asyncio.Future[tuple[str, Event]] = asyncio.get_running_loop().create_future()

        def started(outcome: s.StartResult | Rejection | PerdureError) -> None:
            if outcome.__class__ is s.StartResult:
                address = RunAddress(namespace, request.workflow_id, outcome.run_id)
                self._follow(address, future, follow=True, may_wait=True)
            elif not future.done():
                future.set_exception(error_of(outcome))  # type: ignore[arg-type]

        if not self._entrance.refuse_waiting(future, "so nothing was started"):
            self._entrance.start(namespace, request, started)
        return future

    async def request(self, address: RunAddress, request: Request) -> None:
        """As ``Service.request``."""
        if self._bounded and address.namespace in self._bounded:
            self._entrance.check_quota(address.namespace, request)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self._entrance.refuse(future, request):
            self.engine.submit(address, request, settle(future))
        await future

    async def update(self, address: RunAddress, request: UpdateWorkflow, wait: s.UpdateStage) -> s.UpdateOutcome:
        """As ``Service.update``."""
        if self._bounded and address.namespace in self._bounded:
            self._entrance.check_quota(address.namespace, request)
        resident = await self.engine.resident(address)
        run, update_id = resident.run, request.update_id
        future: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()

        def answered(answer: Answer | None) -> None:
            if not future.done():
                future.set_result(answer)

        known = run.updates.get(update_id)
        if known is not None and (found := answer_of(update_id, known)).stage >= wait:
            await durable(self.engine.pipeline, resident)
            answered(found)
        elif wait is s.UpdateStage.ADMITTED or not self._entrance.refuse_waiting(future, "so the update was not sent"):
            self.engine.waiting.for_update(resident.key, update_id, max(wait, s.UpdateStage.ACCEPTED), future, answered)
            submitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            if not self._entrance.refuse(submitted, request):
                self.engine.submit(resident.address, request, settle(submitted))
            await submitted
            if wait is s.UpdateStage.ADMITTED:
                answered(Answer(update_id, wait))
        answer = await future
        if answer is None:
            raise RunClosedError(
                f"Run {run.run_id} of workflow {run.workflow_id!r} closed before it answered update {update_id!r}."
            )
        return s.UpdateOutcome(answer.stage, answer.result, answer.failure)

    async def query(
        self, address: RunAddress, name: str, input: Payloads, header: PayloadMap | None = None
    ) -> Payloads:
        """As ``Service.query``."""
        if self._bounded and address.namespace in self._bounded:
            self._entrance.check_quota(address.namespace, None)
        resident = await self.engine.resident(address)
        await durable(self.engine.pipeline, resident)
        answer = await queries.query(self.engine, resident, name, input, header)
        if isinstance(answer, Failure):
            raise QueryFailedError(
                f"Query {name!r} of run {resident.run.run_id} of workflow {address.workflow_id!r} failed: {answer.message}",
                answer,
            )
        return answer

    def wait_closed(self, address: RunAddress, *, follow: bool) -> asyncio.Future[tuple[str, Event]]:
        """As ``Service.wait_closed``."""
        future: asyncio.Future[tuple[str, Event]] = asyncio.get_running_loop().create_future()
        self._follow(address, future, follow=follow, may_wait=False)
        return future

    def _follow(
        self, address: RunAddress, future: asyncio.Future[tuple[str, Event]], *, follow: bool, may_wait: bool
    ) -> None:
        """Settle the future with the run's last event; with ``follow``, that of the run that goes on in its place. Unless
        ``may_wait``, whoever has to wait for it may be refused."""
        resident = self.engine.residents.find(address.namespace, address.workflow_id, address.run_id)
        if resident is not None:
            self._followed(address, future, follow, may_wait, resident)
        else:
            self.engine.loader.find(address, partial(self._followed, address, future, follow, may_wait))

    def _followed(
        self,
        address: RunAddress,
        future: asyncio.Future[tuple[str, Event]],
        follow: bool,
        may_wait: bool,
        resident: Resident | PerdureError | None,
    ) -> None:
        if future.done():
            return
        if resident is None:
            future.set_exception(NotFoundError(not_found(address)))
        elif isinstance(resident, PerdureError):
            future.set_exception(resident)
        elif resident.run.close is not None and not resident.in_flight:
            self._closed(future, follow, resident.run, resident.run.close)
        elif may_wait or not self._entrance.refuse_waiting(future):
            self.engine.waiting.for_close(resident.key, future, partial(self._closed, future, follow))

    def _closed(self, future: asyncio.Future[tuple[str, Event]], follow: bool, run: Run, event: Event) -> None:
        if future.done():
            return
        successor = getattr(event, "new_execution_run_id", "") if follow else ""
        if successor:
            address = RunAddress(run.namespace, run.workflow_id, successor)
            self._follow(address, future, follow=True, may_wait=True)
        else:
            future.set_result((run.run_id, event))

    # --- looking

    async def describe(self, address: RunAddress) -> s.RunDescription:
        """As ``Service.describe``."""
        resident = await self._reading.as_written(address)
        return describe(resident.run, resident.history_bytes)

    async def explain(self, address: RunAddress) -> Explanation:
        """As ``Service.explain``."""
        return await explaining.explain(self.engine, await self._reading.as_written(address))

    async def history(self, address: RunAddress, *, after: int, limit: int, wait: bool) -> s.HistoryPage:
        """As ``Service.history``."""
        return await self._reading.history(address, after=after, limit=limit, wait=wait)

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
        return await self._reading.list(
            namespace, filter=filter, statuses=statuses, workflow_type=workflow_type, cursor=cursor, limit=limit
        )

    async def count(
        self, namespace: str, *, filter: str, statuses: Sequence[RunStatus], workflow_type: str
    ) -> s.RunCount:
        """As ``Service.count``."""
        return await self._reading.count(namespace, filter=filter, statuses=statuses, workflow_type=workflow_type)

    async def search_attributes(self, namespace: str) -> AttributeTypes:
        """As ``Service.search_attributes``."""
        return registered(self.engine.attributes.known.get(namespace, {}))

    async def add_search_attributes(self, namespace: str, types: AttributeTypes) -> None:
        """As ``Service.add_search_attributes``."""
        await self.engine.attributes.register(self._store, namespace, types, self.engine.limits)

    async def remove_search_attributes(self, namespace: str, names: Sequence[str]) -> None:
        """As ``Service.remove_search_attributes``."""
        await self.engine.attributes.remove(self._store, namespace, names)

    # --- starting again from the middle, removing

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
        return await self._forks.reset(
            address,
            event_id=event_id,
            reason=reason,
            request_id=request_id,
            loses_children=loses_children,
            leaves_out=leaves_out,
        )

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
        return await self._forks.fork(
            address, event_id=event_id, workflow_id=workflow_id, input=input, reason=reason, request_id=request_id
        )

    async def import_run(self, address: RunAddress, events: Sequence[Event]) -> str:
        """As ``Service.import_run``."""
        return await self._forks.import_run(address, events)

    async def delete(self, address: RunAddress) -> None:
        """As ``Service.delete``."""
        resident = await self.engine.resident(address)
        if resident.run.close is None:
            run = resident.run
            await self.request(RunAddress(run.namespace, run.workflow_id, run.run_id), TerminateWorkflow("deleted"))
        await durable(self.engine.pipeline, resident)
        await self.engine.delete_runs([resident.key])

    async def set_namespace(self, namespace: s.Namespace) -> None:
        """As ``Service.set_namespace``."""
        await self._namespaces.put(namespace)

    async def describe_namespace(self, name: str) -> s.NamespaceDescription:
        """As ``Service.describe_namespace``."""
        return await self._namespaces.describe(name)

    async def delete_namespace(self, name: str, *, force: bool) -> None:
        """As ``Service.delete_namespace``."""
        await self._namespaces.delete(name, force=force)

    async def namespaces(self) -> Sequence[s.Namespace]:
        """As ``Service.namespaces``."""
        return await self._namespaces.all()

    # --- task queues

    async def statistics(self, days: int) -> Figures:
        """As ``Service.statistics``."""
        return await statistics(self.engine, days)

    async def set_task_queue(self, settings: TaskQueue) -> None:
        """As ``Service.set_task_queue``."""
        await self._task_queues.put(settings)

    async def pause_task_queue(self, namespace: str, name: str, reason: str | None) -> None:
        """As ``Service.pause_task_queue``."""
        await self._task_queues.pause(namespace, name, reason)

    async def task_queues(self, namespace: str) -> Sequence[TaskQueue]:
        """As ``Service.task_queues``."""
        return self._task_queues.all(namespace)

    async def describe_task_queue(self, namespace: str, name: str) -> TaskQueueDescription:
        """As ``Service.describe_task_queue``."""
        return self._task_queues.describe(namespace, name)

    async def workers(self, namespace: str) -> Sequence[WorkerDescription]:
        """As ``Service.workers``."""
        worker = self.engine.worker
        return worker.describe(namespace) if isinstance(worker, Workers) else []
