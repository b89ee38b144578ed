"""The engine as clients see it: ``model.service.Service`` in this process."""

# Else the annotations of inner functions would be worked out each time that the outer one is called.
from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from perdure.engine import explaining, recovery
from perdure.engine.backlog import QueueName
from perdure.engine.descriptions import describe, run_count, summary_of
from perdure.engine.engine import Engine, Started, not_found
from perdure.engine.ids import new_run_id
from perdure.engine.namespaces import Namespaces
from perdure.engine.paging import Pages, whole_records
from perdure.engine.ports import Clock, Store
from perdure.engine.refusals import error_of, refusal, rejection_of, settle
from perdure.engine.resident import Resident
from perdure.engine.search.cursors import cursor_of, place_at
from perdure.engine.search.evaluate import place_of
from perdure.engine.search.parse import make_ready, parse
from perdure.engine.settings import Settings
from perdure.engine.statistics import statistics
from perdure.engine.task_queues import TaskQueues
from perdure.engine.workers import Workers
from perdure.kernel.commit import Answer, Rejection
from perdure.kernel.run import Run
from perdure.kernel.update import answer as answer_of
from perdure.model import service as s
from perdure.model.errors import (
    AlreadyExistsError,
    InvalidArgumentError,
    LimitExceededError,
    NotFoundError,
    PerdureError,
    QueryFailedError,
    RunClosedError,
)
from perdure.model.events import Event, WorkflowExecutionStarted
from perdure.model.explanation import Explanation
from perdure.model.failures import Failure
from perdure.model.figures import Figures
from perdure.model.ids import RunAddress
from perdure.model.options import IdConflict, RunStatus
from perdure.model.payloads import Payloads
from perdure.model.program import Worker
from perdure.model.requests import ForkWorkflow, Request, StartWorkflow, TerminateWorkflow, UpdateWorkflow
from perdure.model.search import AttributeTypes, narrowed
from perdure.model.task_queues import TaskQueue, TaskQueueDescription
from perdure.model.workers import WorkerDescription


class EngineService:
    """An engine over a store, opened and closed, and everything that clients can ask of it."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        worker: Worker | None,
        settings: Settings | None = None,
        make_run_id: Callable[[int], str] = new_run_id,
    ) -> None:
        self.engine = Engine(store, clock, worker, settings, make_run_id)
        self._store = store
        self._pages = Pages(store)
        self._task_queues = TaskQueues(self.engine, store)
        self._namespaces = Namespaces(self.engine, store)
        self._bounded = self.engine.guarded = self._namespaces.bounded
        self.engine.entrance = self._start_detached
        self._entering: set[asyncio.Task[None]] = set()
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

        self._start(namespace, request, done)
        return future

    def _start(self, namespace: str, request: StartWorkflow, done: Started) -> None:
        """Start what a client asks for, if it is taken in."""
        engine = self.engine
        refused = refusal(request, engine.limits)
        if refused is None and engine.backlog.waiting:
            refused = self._too_many_wait(namespace, request)
        if refused is not None:
            done(refused)
        elif self._bounded and namespace in self._bounded:
            self._enter(namespace, request, done)
        else:
            engine.start(namespace, request, done)

    def _start_detached(self, namespace: str, request: StartWorkflow, started: Started) -> None:
        """Start what a workflow asks for that is not to be its child, under the rules that hold for clients. What may
        be tried again comes back as an error, all else as a rejection."""

        def done(outcome: s.StartResult | Rejection | PerdureError) -> None:
            started(rejection_of(outcome) if isinstance(outcome, PerdureError) else outcome)

        refused = refusal(request, self.engine.limits)
        if refused is not None:
            done(refused)
        elif namespace in self._bounded:
            self._enter(namespace, request, done)
        else:
            self.engine.start(namespace, request, started)

    def _enter(self, namespace: str, request: StartWorkflow, started: Started) -> None:
        """Start in a namespace with a quota, if there is room."""
        refused = self._namespaces.refuse(namespace, request)
        if refused is not None:
            started(refused)
            return

        async def enter() -> None:
            try:
                usage = await self._namespaces.enter(namespace, request.workflow_id, request.id_conflict)
            except PerdureError as error:
                started(error)
                return

            def answered(outcome: s.StartResult | Rejection | PerdureError) -> None:
                self._namespaces.entered(usage)
                started(outcome)

            self.engine.start(namespace, request, answered)

        task = asyncio.get_running_loop().create_task(enter())
        self._entering.add(task)
        task.add_done_callback(self._entering.discard)

    def execute(self, namespace: str, request: StartWorkflow) -> asyncio.Future[tuple[str, Event]]:
        """As ``Service.execute``."""
        future: asyncio.Future[tuple[str, Event]] = asyncio.get_running_loop().create_future()

        def started(outcome: s.StartResult | Rejection | PerdureError) -> None:
            if outcome.__class__ is s.StartResult:
                address = RunAddress(namespace, request.workflow_id, outcome.run_id)
                self._follow(address, future, follow=True, may_wait=True)
            elif not future.done():
                future.set_exception(error_of(outcome))  # type: ignore[arg-type]

        if not self._refuse_waiting(future, "so nothing was started"):
            self._start(namespace, request, started)
        return future

    async def request(self, address: RunAddress, request: Request) -> None:
        """As ``Service.request``."""
        if self._bounded and address.namespace in self._bounded:
            self._refuse_bounded(address.namespace, request)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self._refuse(future, request):
            self.engine.submit(address, request, settle(future))
        await future

    async def update(self, address: RunAddress, request: UpdateWorkflow, wait: s.UpdateStage) -> s.UpdateOutcome:
        """As ``Service.update``."""
        if self._bounded and address.namespace in self._bounded:
            self._refuse_bounded(address.namespace, request)
        resident = await self.engine.resident(address)
        run, update_id = resident.run, request.update_id
        future: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()

        def answered(answer: Answer | None) -> None:
            if not future.done():
                future.set_result(answer)

        known = run.updates.get(update_id)
        if known is not None and (found := answer_of(update_id, known)).stage >= wait:
            await self._durable(resident)
            answered(found)
        elif wait is s.UpdateStage.ADMITTED or not self._refuse_waiting(future, "so the update was not sent"):
            self.engine.waiting.for_update(resident.key, update_id, max(wait, s.UpdateStage.ACCEPTED), future, answered)
            submitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            if not self._refuse(submitted, request):
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

    async def query(self, address: RunAddress, name: str, input: Payloads) -> Payloads:
        """As ``Service.query``."""
        if self._bounded and address.namespace in self._bounded:
            self._refuse_bounded(address.namespace, None)
        resident = await self.engine.resident(address)
        await self._durable(resident)
        answer = await self.engine.query(resident, name, input)
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
        elif may_wait or not self._refuse_waiting(future):
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
        resident = await self._as_written(address)
        return describe(resident.run, resident.history_bytes)

    async def explain(self, address: RunAddress) -> Explanation:
        """As ``Service.explain``."""
        return await explaining.explain(self.engine, await self._as_written(address))

    async def _as_written(self, address: RunAddress) -> Resident:
        """A run, with all that is decided of it written; where no run id is given, the last one by then."""
        resident = await self.engine.resident(address)
        has_waited = resident.in_flight > 0
        await self._durable(resident)
        while has_waited and resident.run.close is not None and not address.run_id:
            # Meanwhile another run may have taken its place.
            last = await self.engine.resident(address)
            if last is resident:
                break
            resident = last
            await self._durable(resident)
        return resident

    async def history(self, address: RunAddress, *, after: int, limit: int, wait: bool) -> s.HistoryPage:
        """As ``Service.history``."""
        limit = min(limit, self.engine.limits.page_size) if limit > 0 else self.engine.limits.page_size
        resident = await self.engine.resident(address)
        if wait:
            await self._grown_beyond(resident, after)
        await self._durable(resident)
        return await self._page(resident, after, limit)

    async def _grown_beyond(self, resident: Resident, after: int) -> None:
        may_wait = False
        while resident.run.close is None and resident.run.history_length <= after:
            grown: asyncio.Future[None] = asyncio.get_running_loop().create_future()

            def wake(grown: asyncio.Future[None] = grown) -> None:
                if not grown.done():
                    grown.set_result(None)

            if may_wait or not self._refuse_waiting(grown):
                may_wait = True
                self.engine.waiting.for_growth(resident.key, grown, wake)
            await grown
            resident = await self._by_key(resident)

    async def _by_key(self, resident: Resident) -> Resident:
        """The run as it is in memory now; it may have been forgotten and read again."""
        run = resident.run
        return await self.engine.resident(RunAddress(run.namespace, run.workflow_id, run.run_id))

    async def _page(self, resident: Resident, after: int, limit: int) -> s.HistoryPage:
        run = resident.run
        page = await self._pages.page(resident.key, after, limit)
        if page is None:
            raise NotFoundError(f"Run {run.run_id} of workflow {run.workflow_id!r} was deleted.")
        last = page[-1].id if page else after
        is_closed = run.close is not None and last >= run.close.id
        return s.HistoryPage(run.run_id, page, is_closed)

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
        limit = min(limit, self.engine.limits.page_size) if limit > 0 else self.engine.limits.page_size
        types = await self.search_attributes(namespace)
        await make_ready(filter)
        query = narrowed(parse(filter, types), statuses, workflow_type)
        rows = await self._store.runs(namespace, query, place_at(cursor, query), limit)
        following = cursor_of(place_of(rows[-1], types, query), query) if len(rows) == limit else ""
        return s.RunPage([summary_of(row) for row in rows], following)

    async def count(
        self, namespace: str, *, filter: str, statuses: Sequence[RunStatus], workflow_type: str
    ) -> s.RunCount:
        """As ``Service.count``."""
        types = await self.search_attributes(namespace)
        await make_ready(filter)
        query = narrowed(parse(filter, types, counting=True), statuses, workflow_type)
        return run_count(query, await self._store.count(namespace, query))

    async def search_attributes(self, namespace: str) -> AttributeTypes:
        """As ``Service.search_attributes``."""
        return self.engine.attributes.known.get(namespace, {})

    async def add_search_attributes(self, namespace: str, types: AttributeTypes) -> None:
        """As ``Service.add_search_attributes``."""
        await self.engine.attributes.register(self._store, namespace, types, self.engine.limits)

    # --- starting again from the middle, removing

    async def reset(
        self, address: RunAddress, *, event_id: int, reason: str, request_id: str, loses_children: bool = False
    ) -> str:
        """As ``Service.reset``."""
        resident = await self.engine.resident(address)
        run = resident.run
        exact = RunAddress(run.namespace, run.workflow_id, run.run_id)
        current = await self.engine.resident(RunAddress(run.namespace, run.workflow_id))
        if current.run.close is None and current is not resident:
            await self._terminate(current, reason or f"reset of run {run.run_id}")
        if run.close is None:
            await self._check_fork_point(resident, event_id, loses_children)
            await self._terminate(resident, reason or f"reset to event {event_id}")
        return await self._fork(
            exact,
            resident,
            event_id,
            run.workflow_id,
            None,
            reason,
            request_id,
            is_reset=True,
            loses_children=loses_children,
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
        resident = await self.engine.resident(address)
        run = resident.run
        if workflow_id == run.workflow_id:
            raise InvalidArgumentError(
                "A fork needs a workflow id of its own; use reset to start again under the same one."
            )
        exact = RunAddress(run.namespace, run.workflow_id, run.run_id)
        await self._refuse_taken(RunAddress(run.namespace, workflow_id))
        usage = None
        if self._bounded and run.namespace in self._bounded:
            self._refuse_bounded(
                run.namespace, StartWorkflow(workflow_id, run.started.workflow_type, input=input or ())
            )
            usage = await self._namespaces.enter(run.namespace, workflow_id, IdConflict.FAIL)
        try:
            return await self._fork(exact, resident, event_id, workflow_id, input, reason, request_id, is_reset=False)
        finally:
            self._namespaces.entered(usage)

    async def _refuse_taken(self, address: RunAddress) -> None:
        try:
            taken = await self.engine.resident(address)
        except NotFoundError:
            return
        if taken.run.close is None:
            raise AlreadyExistsError(
                f"Workflow {address.workflow_id!r} is running as {taken.run.run_id}. Choose another id, or wait until that has ended.",
                taken.run.run_id,
            )

    async def _terminate(self, resident: Resident, reason: str) -> None:
        run = resident.run
        await self.request(RunAddress(run.namespace, run.workflow_id, run.run_id), TerminateWorkflow(reason))

    async def _check_fork_point(self, resident: Resident, event_id: int, loses_children: bool) -> None:
        """Refuse before anything is terminated."""
        await self._durable(resident)
        request = await self._fork_request(
            resident, event_id, resident.run.workflow_id, None, "", "", is_reset=True, loses_children=loses_children
        )
        refusal = self.engine.refuse_fork(resident.run.namespace, request)
        if refusal is not None:
            raise error_of(refusal)

    async def _fork_request(
        self,
        resident: Resident,
        event_id: int,
        workflow_id: str,
        input: Payloads | None,
        reason: str,
        request_id: str,
        *,
        is_reset: bool,
        loses_children: bool,
    ) -> ForkWorkflow:
        stored = await self._store.history(resident.key)
        if stored is None:
            raise NotFoundError(f"Run {resident.run.run_id} was deleted.")
        records = tuple(await whole_records(self._store, stored.commits))
        return ForkWorkflow(
            workflow_id,
            resident.run.run_id,
            event_id,
            records,
            input,
            reason,
            request_id,
            is_reset=is_reset,
            loses_children=loses_children,
        )

    async def _fork(
        self,
        exact: RunAddress,
        resident: Resident,
        event_id: int,
        workflow_id: str,
        input: Payloads | None,
        reason: str,
        request_id: str,
        *,
        is_reset: bool,
        loses_children: bool = False,
    ) -> str:
        await self._durable(resident)
        request = await self._fork_request(
            resident,
            event_id,
            workflow_id,
            input,
            reason,
            request_id,
            is_reset=is_reset,
            loses_children=loses_children,
        )
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def done(outcome: str | Rejection | PerdureError) -> None:
            if future.done():
                return
            if isinstance(outcome, str):
                future.set_result(outcome)
            else:
                future.set_exception(error_of(outcome))

        self.engine.fork(exact.namespace, request, done)
        return await future

    async def import_run(self, address: RunAddress, events: Sequence[Event]) -> str:
        """As ``Service.import_run``."""
        started = events[0] if events else None
        if not address.run_id or not isinstance(started, WorkflowExecutionStarted):
            raise InvalidArgumentError("An imported run needs its run id, and a history from its beginning on.")
        if started.workflow_id != address.workflow_id:
            raise InvalidArgumentError(
                f"The history is of workflow {started.workflow_id!r}, not {address.workflow_id!r}."
            )
        await self._refuse_taken(RunAddress(address.namespace, address.workflow_id))
        try:
            await self.engine.resident(address)
        except NotFoundError:
            pass
        else:
            raise AlreadyExistsError(
                f"Run {address.run_id} of workflow {address.workflow_id!r} is here already.", address.run_id
            )
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def done(outcome: str | Rejection | PerdureError) -> None:
            if future.done():
                return
            if isinstance(outcome, str):
                future.set_result(outcome)
            else:
                future.set_exception(error_of(outcome))

        self.engine.bring_in(address, events, done)
        return await future

    async def delete(self, address: RunAddress) -> None:
        """As ``Service.delete``."""
        resident = await self.engine.resident(address)
        if resident.run.close is None:
            await self._terminate(resident, "deleted")
        await self._durable(resident)
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

    # --- what they share

    def _refuse_bounded(self, namespace: str, request: Request | None) -> None:
        """Raise if a namespace's quota does not allow a request; None for one without payloads that count."""
        if request is not None:
            refused = self._namespaces.refuse(namespace, request)
        else:
            refused = self._namespaces.refuse_rate(namespace, is_start=False)
        if refused is not None:
            raise refused

    def _refuse(self, future: asyncio.Future[Any], request: Request) -> bool:
        """Settle the future with an error if the request is not taken in."""
        error = refusal(request, self.engine.limits)
        if error is not None:
            future.set_exception(error)
        return error is not None

    def _too_many_wait(self, namespace: str, request: StartWorkflow) -> LimitExceededError | None:
        """Why a start is refused when too much waits in the run's task queue already. Nothing is lost by that: what is
        under way goes on, and the caller knows that nothing was started."""
        line = self.engine.backlog.waiting.get((namespace, request.task_queue))
        limit = self.engine.limits.queue_depth
        if line is None or not 0 < limit <= line.count:
            return None
        return LimitExceededError(
            f"{line.count:,} activities wait in task queue {request.task_queue!r} (limit queue_depth), so nothing was "
            "started. Try again later; perdure queue show says what holds them."
        )

    def _refuse_waiting(self, future: asyncio.Future[Any], consequence: str = "so you can't wait too") -> bool:
        """Settle the future with an error if too many callers wait already."""
        waiting, limit = self.engine.waiting, self.engine.limits.waiting_callers
        if not 0 < limit <= waiting.count or not waiting.is_full(limit):
            return False
        future.set_exception(
            LimitExceededError(
                f"{waiting.count:,} callers wait for runs already (limit waiting_callers), {consequence}. Try again later; or "
                "start without waiting, and ask for the result when there should be one."
            )
        )
        return True

    async def _durable(self, resident: Resident) -> None:
        if resident.in_flight:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.engine.pipeline.when_durable(resident, settle(future))
            await future
