"""All workers of an engine: the one in its own process, and those that connect.

Whoever is connected stands in a line for each kind of task it takes, and tasks go round. One that has no slot leaves
the line and comes back with a free slot, so finding somebody costs the same with one worker or a thousand.

A worker that is gone may come back: what it has is kept for it for ``Settings.worker_lease_ns``, also when it was the
server that was gone. Only then are its attempts lost, and go on elsewhere by their retry policies.
"""

# Else the annotations of inner functions would be worked out each time that the outer one is called.
from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from perdure.engine import turns
from perdure.engine.labels import ByLabel, best_first
from perdure.engine.pipeline import Outcome
from perdure.engine.remote_worker import RemoteProgram, RemoteWorker
from perdure.engine.resident import Resident
from perdure.kernel.commit import Rejection
from perdure.model.affinity import Affinity, labels_problem
from perdure.model.commands import (
    AnyCommand,
    RequestCancelExternalWorkflowExecution,
    ScheduleNexusOperation,
    SignalExternalWorkflowExecution,
    StartChildWorkflowExecution,
)
from perdure.model.errors import InvalidArgumentError, PerdureError, StoreError
from perdure.model.events import WorkflowExecutionStarted
from perdure.model.failures import Failure
from perdure.model.ids import RunAddress
from perdure.model.log_fields import about_run
from perdure.model.program import ActivityTask, Program, Worker
from perdure.model.requests import CompleteWorkflowTask, FailWorkflowTask, HeartbeatActivity, LoseActivity, Request
from perdure.model.task_queues import Poller
from perdure.model.workers import (
    ANY_TYPE,
    ActivityReport,
    Attempt,
    Hello,
    Link,
    TurnAhead,
    TurnReport,
    WorkerDescription,
)

if TYPE_CHECKING:
    from perdure.engine.engine import Engine

log = logging.getLogger("perdure.engine")

Kind = tuple[str, str, str]
"""Namespace, task queue, and type of an activity or a workflow."""

Tasks = dict[tuple[str, int], ActivityTask]
"""Attempts, by run id and scheduled event id."""


REACHING = frozenset(
    {
        StartChildWorkflowExecution,
        SignalExternalWorkflowExecution,
        RequestCancelExternalWorkflowExecution,
        ScheduleNexusOperation,
    }
)
"""Commands that reach other runs, maybe in other namespaces."""

_NOBODY: deque[Worker] = deque()


def _kinds(namespace: str, task_queue: str, workflow_type: str) -> tuple[Kind, Kind]:
    """Whom to look for, for a turn of such a workflow: those of its type, then those of any."""
    return (namespace, task_queue, workflow_type), (namespace, task_queue, ANY_TYPE)


class Workers:
    """Implements ``Worker`` for all of them. ``own`` is the one in this process; ``open`` before the engine begins."""

    def __init__(self, own: Worker) -> None:
        self._own = own
        self._connected: dict[str, RemoteWorker] = {}
        self._missing: dict[str, Tasks] = {}
        """Workers that are not connected, by their ids, and the attempts that they may still have."""
        self._activities: dict[Kind, deque[RemoteWorker]] = {}
        self._hosts: dict[Kind, deque[Worker]] = {}
        self._by_label = ByLabel()
        self._turns: dict[Kind, dict[Affinity | None, dict[int, None]]] = {}
        """Runs whose turn nobody could take, by what they ask of workers and their keys, the first to wait first."""
        self._is_waking = False

    def open(self, engine: Engine) -> None:
        """Begin."""
        self._engine = engine

    # --- Worker

    worker_id = ""

    @property
    def identity(self) -> str:
        """Of the one in this process."""
        return self._own.identity

    @property
    def build_id(self) -> str:
        """Of the one in this process."""
        return self._own.build_id

    @property
    def labels(self) -> Mapping[str, str]:
        """Of the one in this process."""
        return self._own.labels

    @property
    def used_slots(self) -> int:
        """Of the one in this process."""
        return self._own.used_slots

    @property
    def task_queues(self) -> Collection[str]:
        """The queues that anybody serves."""
        return {*self._own.task_queues, *(queue for worker in self._connected.values() for queue in worker.task_queues)}

    def serves_workflow(
        self, namespace: str, task_queue: str, workflow_type: str, affinity: Affinity | None = None
    ) -> bool:
        """Whether anybody has such programs."""
        if affinity is not None:
            return any(worker.serves_workflow(namespace, task_queue, workflow_type, affinity) for worker in self._all())
        return any(self._hosts.get(kind) for kind in _kinds(namespace, task_queue, workflow_type)) or (
            self._own.serves_workflow(namespace, task_queue, workflow_type)
        )

    def builds(self, namespace: str, task_queue: str, workflow_type: str) -> Collection[str]:
        """All builds of such programs."""
        kinds = _kinds(namespace, task_queue, workflow_type)
        hosts = {host.build_id for kind in kinds for host in self._hosts.get(kind, ())}
        return hosts.union(self._own.builds(namespace, task_queue, workflow_type))

    def host(
        self,
        namespace: str,
        task_queue: str,
        workflow_type: str,
        build_id: str,
        key: int,
        affinity: Affinity | None = None,
    ) -> Worker | None:
        """Who can take a turn of such a program; the next in the line, or who it asks for."""
        kind = (namespace, task_queue, workflow_type)
        if affinity is not None:
            for worker in best_first([*self._by_label.having(namespace, affinity), self._own], affinity):
                if worker.serves_workflow(*kind, affinity) and worker.host(*kind, build_id, key, affinity) is not None:
                    return worker
        if affinity is None or not affinity.required:
            own = self._own.host(namespace, task_queue, workflow_type, build_id, key)
            if own is not None:
                return own
            for name in _kinds(*kind):
                hosts = self._hosts.get(name, _NOBODY)
                for _ in range(len(hosts)):
                    worker = hosts[0]
                    hosts.rotate(-1)
                    if worker.host(namespace, task_queue, workflow_type, build_id, key) is not None:
                        return worker
        self._turns.setdefault(kind, {}).setdefault(affinity, {})[key] = None
        return None

    def host_to_ask(
        self,
        namespace: str,
        task_queue: str,
        workflow_type: str,
        build_id: str,
        key: int,
        affinity: Affinity | None = None,
    ) -> Worker | None:
        """Who can answer a query; one where it may wait rather than nobody."""
        kind = (namespace, task_queue, workflow_type)
        if affinity is not None:
            return self.host(*kind, build_id, key, affinity)
        own = self._own.host_to_ask(*kind, build_id, key)
        if own is not None:
            return own
        workers = (worker for name in _kinds(*kind) for worker in self._hosts.get(name, ()))
        return next((worker for worker in workers if worker.host_to_ask(*kind, build_id, key) is not None), None)

    keeps_programs = True

    def has_turn_slot(self, key: int) -> bool:
        """Asked of hosts."""
        raise NotImplementedError

    def create_program(self, address: RunAddress, started: WorkflowExecutionStarted) -> Program:
        """Asked of hosts."""
        raise NotImplementedError

    @property
    def running(self) -> Sequence[ActivityTask]:
        """What anybody has, or may still have."""
        tasks = list(self._own.running)
        for worker in self._connected.values():
            tasks += worker.tasks.values()
        for missing in self._missing.values():
            tasks += missing.values()
        return tasks

    def runs_activity(self, address: RunAddress, scheduled_event_id: int, attempt: int) -> bool:
        """Whether anybody has this attempt, or may still have it."""
        name = (address.run_id, scheduled_event_id)
        return self._own.runs_activity(address, scheduled_event_id, attempt) or any(
            (task := tasks.get(name)) is not None and task.attempt == attempt for tasks in self._all_tasks()
        )

    def _all_tasks(self) -> Iterator[Tasks]:
        for worker in self._connected.values():
            yield worker.tasks
        yield from self._missing.values()

    def serves_activity(
        self, namespace: str, task_queue: str, activity_type: str, affinity: Affinity | None = None
    ) -> bool:
        """Whether anybody takes such activities."""
        return any(worker.serves_activity(namespace, task_queue, activity_type, affinity) for worker in self._all())

    def _all(self) -> Iterator[Worker]:
        yield self._own
        yield from self._connected.values()

    def reserve(
        self, namespace: str, task_queue: str, activity_type: str, affinity: Affinity | None = None
    ) -> Worker | None:
        """A slot at the next in the line that has one, or at one who is asked for."""
        if affinity is not None:
            for worker in best_first([*self._by_label.having(namespace, affinity), self._own], affinity):
                if (
                    worker.serves_activity(namespace, task_queue, activity_type, affinity)
                    and worker.reserve(namespace, task_queue, activity_type, affinity) is not None
                ):
                    return worker
            if affinity.required:
                return None
        for kind in ((namespace, task_queue, activity_type), (namespace, task_queue, ANY_TYPE)):
            line = self._activities.get(kind)
            while line:
                worker = line[0]
                if worker.reserve(namespace, task_queue, activity_type) is not None:
                    line.rotate(-1)
                    return worker
                line.popleft()
                worker.skipped.add(kind)
        return self._own.reserve(namespace, task_queue, activity_type)

    def release(self, task_queue: str, activity_type: str) -> None:
        """Asked of whoever has the slot."""
        raise NotImplementedError

    def start_activity(self, task: ActivityTask) -> None:
        """Asked of whoever has the slot."""
        raise NotImplementedError

    def cancel_activity(self, address: RunAddress, scheduled_event_id: int) -> None:
        """Whoever has it is told."""
        for worker in self._connected.values():
            worker.cancel_activity(address, scheduled_event_id)
        self._own.cancel_activity(address, scheduled_event_id)

    def adopt(self, task: ActivityTask, worker_id: str) -> bool:
        """Its worker may be back already; otherwise it has some time for that."""
        worker = self._connected.get(worker_id)
        if worker is not None:
            return worker.adopt(task, worker_id)
        self._expect(worker_id)[task.address.run_id, task.scheduled.id] = task
        return True

    # --- who comes and goes

    def connect(self, hello: Hello, link: Link) -> RemoteWorker:
        """A worker is there. Raises ``InvalidArgumentError`` for what it says of itself."""
        _check(hello)
        earlier = self._connected.get(hello.worker_id)
        if earlier is not None:
            # The connection that was is dead, and only the worker knows so far.
            self.disconnect(earlier)
        worker = RemoteWorker(self, hello, link, self._engine.clock.now_ns())
        self._connected[hello.worker_id] = worker
        self._by_label.add(worker)
        for task in self._missing.pop(hello.worker_id, {}).values():
            if not worker.adopt(task, hello.worker_id):
                self._report_lost(task, "its worker came back without it")
        for queue in hello.task_queues:
            for activity_type in worker.activity_types:
                self._activities.setdefault((hello.namespace, queue, activity_type), deque()).append(worker)
            for workflow_type in hello.workflow_types:
                self._hosts.setdefault((hello.namespace, queue, workflow_type), deque()).append(worker)
        log.info("Worker %s is connected (build %s)", worker.identity, worker.build_id)
        self._engine.clock.call_at(self._engine.clock.now_ns(), partial(self.slot_free, worker))
        return worker

    def disconnect(self, worker: RemoteWorker) -> None:
        """The connection of a worker is gone. Its programs are lost; what it runs it may still hand in."""
        if not worker.is_connected:
            return
        worker.disconnected()
        del self._connected[worker.worker_id]
        self._by_label.remove(worker)
        lines: dict[Kind, deque[Any]]
        for lines in (self._activities, self._hosts):
            for kind in [kind for kind, line in lines.items() if worker in line]:
                lines[kind].remove(worker)
                if not lines[kind]:
                    del lines[kind]
        if worker.tasks:
            self._expect(worker.worker_id).update(worker.tasks)
        for resident in list(self._engine.residents):
            if resident.host is worker:
                had_turn = resident.is_turn_out
                resident.drop_program()
                if had_turn and not self._engine.closing:
                    self._engine.try_turn_now(resident)
        for key in worker.waiting_turns:
            self._engine.wake_key(key)
        log.info("Worker %s is disconnected, with %d activities", worker.identity, len(worker.tasks))

    def _expect(self, worker_id: str) -> Tasks:
        missing = self._missing.get(worker_id)
        if missing is None:
            missing = self._missing[worker_id] = {}
            engine = self._engine
            due = engine.clock.now_ns() + engine.settings.worker_lease_ns
            engine.clock.call_at(due, partial(self._give_up, worker_id, missing))
        return missing

    def _give_up(self, worker_id: str, missing: Tasks) -> None:
        if self._missing.get(worker_id) is missing and not self._engine.closing:
            del self._missing[worker_id]
            for task in missing.values():
                self._report_lost(task, "its worker was gone for too long")

    def lose(self, worker: RemoteWorker, task: ActivityTask, reason: str) -> None:
        """A worker does not have an attempt that it was given."""
        worker.drop(task)
        self._report_lost(task, reason)

    def _report_lost(self, task: ActivityTask, reason: str) -> None:
        self._engine.report(task.address, LoseActivity(task.scheduled.id, task.attempt, reason))

    def add_host(self, host: Worker, namespace: str, task_queue: str) -> None:
        """From now on it may be asked to take turns of any workflow on a queue."""
        self._hosts.setdefault((namespace, task_queue, ANY_TYPE), deque()).append(host)

    def remove_host(self, host: Worker, namespace: str, task_queue: str) -> None:
        """It takes no more turns."""
        kind = (namespace, task_queue, ANY_TYPE)
        self._hosts[kind].remove(host)
        if not self._hosts[kind]:
            del self._hosts[kind]

    # --- what they say

    def report(
        self,
        worker: RemoteWorker,
        address: RunAddress,
        request: Request,
        attempt: Attempt,
        ahead: TurnAhead | None = None,
    ) -> None:
        """What became of an attempt: acknowledged once it is recorded, and asked for again until it is. With the turn that
        follows, if the worker has taken it."""
        engine = self._engine
        if engine.admission.permits or engine.admission.listed:
            engine.admission.reported(address, request)

        program: RemoteProgram | None = None

        def done(outcome: Outcome) -> None:
            if isinstance(outcome, StoreError):
                engine.after_store_retry(partial(engine.submit, address, request, done))
            elif program is not None and ahead is not None and program.offered > ahead.started_event_id:
                return  # the next activity is on its way already, and says so
            elif not isinstance(request, HeartbeatActivity) or request.leaves:
                worker.acknowledge(attempt, _refusal(outcome))
            elif outcome is not None:
                # Nobody wants the attempt any more, and this is how it hears of that.
                worker.cancel_activity(address, attempt.scheduled_event_id)
                worker.acknowledge(attempt, _refusal(outcome))

        resident = None
        if ahead is not None:
            resident = engine.residents.find(address.namespace, address.workflow_id, address.run_id)
        if (
            ahead is not None
            and resident is not None
            and isinstance(resident.program, RemoteProgram)
            and resident.program.worker is worker
        ):
            program = resident.program
            if _reaches_elsewhere(worker, ahead.commands):
                program.offered = 0
            turns.decide_ahead(engine, resident, program, ahead, request, done)
        else:
            engine.submit(address, request, done)
        if not isinstance(request, HeartbeatActivity) or request.leaves:
            self.slot_free(worker)

    def unknown_report(self, worker: RemoteWorker, report: ActivityReport, attempt: Attempt) -> None:
        """A report about an attempt that the worker does not have here. The history may know that it is the worker's."""
        address, request = report.address, report.request

        def loaded(resident: Resident | PerdureError | None) -> None:
            if isinstance(resident, StoreError):
                self._engine.after_store_retry(partial(self._engine.loader.find, address, loaded))
                return
            pending = None
            if isinstance(resident, Resident):
                pending = resident.run.activities.get(request.scheduled_event_id)
            if (
                pending is None
                or address.namespace != worker.namespace
                or pending.worker_id != worker.worker_id
                or pending.attempt != request.attempt
            ):
                worker.acknowledge(attempt, "it has ended, or it is not this worker's")
                return
            self.report(worker, address, request, attempt)

        self._engine.loader.find(address, loaded)

    def hand_out_again(self, program: RemoteProgram) -> None:
        """A worker lacks the program for the turn that it has in hand."""
        address, engine = program.address, self._engine
        resident = engine.residents.find(address.namespace, address.workflow_id, address.run_id)
        if resident is not None and resident.program is program:
            turns.hand_out_again(resident, engine.loader, engine.pipeline, engine.limits)

    def turn_reported(self, worker: RemoteWorker, report: TurnReport) -> None:
        """A turn has ended."""
        request: Request
        elsewhere = _reaches_elsewhere(worker, report.commands)
        if elsewhere:
            failure = Failure(
                f"Worker {worker.identity} serves namespace {worker.namespace!r}, so its workflows can do nothing in "
                f"{elsewhere!r}. Let a workflow of that namespace do it."
            )
            request = FailWorkflowTask(
                report.started_event_id,
                report.attempt,
                "OTHER_NAMESPACE",
                failure,
                worker.identity,
                worker.build_id,
            )
        elif report.cause:
            log.warning(
                "Workflow %s, run %s: its turn failed: %s",
                report.address.workflow_id,
                report.address.run_id,
                report.failure.message if report.failure is not None else report.cause,
                extra=about_run(report.address),
            )
            request = FailWorkflowTask(
                report.started_event_id, report.attempt, report.cause, report.failure, worker.identity, worker.build_id
            )
        else:
            request = CompleteWorkflowTask(
                report.started_event_id,
                report.attempt,
                report.commands,
                worker.identity,
                worker.build_id,
                state=report.state,
            )

        def done(outcome: Outcome) -> None:
            # When it could not be written, the run is taken up from what is stored, and its turn taken again.
            if isinstance(outcome, Rejection):
                log.debug("A turn of run %s was too late: %s", report.address.run_id, outcome.message)

        self._engine.submit(report.address, request, done)
        self._turn_slot_free(worker)

    # --- who waits

    def slot_free(self, worker: RemoteWorker) -> None:
        """A worker can take more than before."""
        if not worker.is_connected:
            return
        for kind in worker.skipped:
            self._activities.setdefault(kind, deque()).append(worker)
        worker.skipped.clear()
        if self._engine.backlog.waiting and not self._engine.closing:
            self._engine.dispatch.drain()
        self._turn_slot_free(worker)

    def _turn_slot_free(self, worker: RemoteWorker) -> None:
        if self._is_waking or not (worker.waiting_turns or self._turns):
            return
        self._is_waking = True
        try:
            while worker.waiting_turns and len(worker.turns) < worker.turn_slots and worker.is_connected:
                self._engine.wake_key(worker.waiting_turns.popleft())
            if self._turns:
                self._wake_turns(worker)
        finally:
            self._is_waking = False

    def _wake_turns(self, worker: RemoteWorker) -> None:
        for queue in worker.task_queues:
            for workflow_type in worker.hello.workflow_types:
                kind = (worker.namespace, queue, workflow_type)
                for affinity in list(self._turns.get(kind, ())):
                    if affinity is None or affinity.admits(worker.labels):
                        self._wake_kind(kind, affinity, lambda: len(worker.turns) < worker.turn_slots)

    def wake_queue(self, namespace: str, task_queue: str, has_room: Callable[[], bool]) -> None:
        """Somebody takes turns of any workflow on a queue: try those that wait there, while there is room."""
        if self._turns and not self._is_waking:
            self._is_waking = True
            try:
                for kind in [kind for kind in self._turns if kind[0] == namespace and kind[1] == task_queue]:
                    for affinity in [one for one in self._turns[kind] if one is None or not one.required]:
                        self._wake_kind(kind, affinity, has_room)
            finally:
                self._is_waking = False

    def _wake_kind(self, kind: Kind, affinity: Affinity | None, has_room: Callable[[], bool]) -> None:
        waiting = self._turns[kind]
        keys = waiting.pop(affinity)
        for key in list(keys):
            if not has_room():
                break
            del keys[key]
            self._engine.wake_key(key)
        if keys:
            # Those that were tried and still wait are behind those that were not tried.
            waiting[affinity] = {**keys, **waiting.get(affinity, {})}
        elif not waiting:
            del self._turns[kind]

    def has_backlog(self, namespace: str, task_queue: str) -> bool:
        """Whether activities wait in a queue."""
        return (namespace, task_queue) in self._engine.backlog.waiting

    # --- for people

    def describe(self, namespace: str) -> Sequence[WorkerDescription]:
        """Those of a namespace."""
        workers = sorted(self._connected.values(), key=lambda worker: (worker.identity, worker.worker_id))
        return [worker.describe() for worker in workers if worker.namespace == namespace]

    @property
    def connected(self) -> Collection[RemoteWorker]:
        """Those that are connected."""
        return self._connected.values()

    @property
    def waiting_turns(self) -> dict[Kind, int]:
        """How many turns wait for somebody to take them. By namespace, task queue and workflow type."""
        waiting = Counter({kind: sum(map(len, by_affinity.values())) for kind, by_affinity in self._turns.items()})
        keys = {key for worker in self._connected.values() for key in worker.waiting_turns}
        for resident in self._engine.residents if keys else ():
            if resident.key in keys:
                started = resident.run.started
                waiting[resident.run.namespace, started.task_queue, started.workflow_type] += 1
        return waiting

    def pollers(self, namespace: str, task_queue: str) -> list[Poller]:
        """Who serves a queue."""
        return [
            *pollers_of(self._own, task_queue),
            *(
                Poller(
                    worker.identity,
                    worker.build_id,
                    worker.worker_id,
                    worker.connected_time,
                    len(worker.tasks),
                    worker.activity_slots,
                )
                for worker in self._connected.values()
                if worker.namespace == namespace and task_queue in worker.task_queues
            ),
        ]


def pollers_of(worker: Worker | None, task_queue: str) -> list[Poller]:
    """The worker in this process, if it serves a queue."""
    if worker is None or task_queue not in worker.task_queues:
        return []
    running = sum(task.scheduled.task_queue == task_queue for task in worker.running)
    return [Poller(worker.identity, worker.build_id, running=running)]


def _reaches_elsewhere(worker: RemoteWorker, commands: Sequence[AnyCommand]) -> str:
    """Another namespace than the worker's that commands reach."""
    elsewhere = ""
    for command in commands:
        if command.__class__ in REACHING and _namespace_of(command) not in ("", worker.namespace):
            elsewhere = _namespace_of(command)
    return elsewhere


def _namespace_of(command: AnyCommand) -> str:
    """Whom a command reaches; empty for its own run's."""
    match command:
        case StartChildWorkflowExecution() | ScheduleNexusOperation():
            return command.namespace
        case SignalExternalWorkflowExecution() | RequestCancelExternalWorkflowExecution():
            return command.workflow_execution.namespace
        case _:
            return ""


def _refusal(outcome: Outcome) -> str:
    if outcome is None:
        return ""
    return outcome.message if isinstance(outcome, Rejection) else str(outcome)


def _check(hello: Hello) -> None:
    for name in ("worker_id", "identity", "namespace"):
        if not getattr(hello, name) or len(getattr(hello, name)) > 1000:
            raise InvalidArgumentError(f"A worker must have a {name} of 1 to 1000 characters")
    if not hello.task_queues or not all(hello.task_queues):
        raise InvalidArgumentError("A worker must name the task queues it serves")
    if hello.turn_slots < 0 or any(group.slots < 0 for group in hello.groups):
        raise InvalidArgumentError("A worker can't have fewer than no slots")
    types = [activity_type for group in hello.groups for activity_type in group.activity_types]
    if found := labels_problem("A worker", hello.labels, 1000):
        raise InvalidArgumentError(found)
    if len(types) != len(set(types)):
        raise InvalidArgumentError("A worker names an activity type twice")
