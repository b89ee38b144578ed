"""All workers of an engine: the one in its own process, and those that connect.

Whoever is connected stands in a line for each kind of task it takes, and tasks go round. One that has no slot leaves
the line and comes back with a free slot, so finding somebody costs the same with one worker or a thousand.

A worker that is gone may come back: what it has is kept for it for ``Settings.worker_lease_ns``, also when it was the
server that was gone. Only then are its attempts lost, and go on elsewhere by their retry policies.
"""

# Else the annotations of inner functions would be worked out each time that the outer one is called.
from __future__ import annotations

import logging
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from perdure.engine.labels import ByLabel, best_first
from perdure.engine.remote_worker import RemoteWorker
from perdure.engine.waiting_turns import Kind, WaitingTurns
from perdure.engine.worker_reports import Reports
from perdure.model.affinity import Affinity, labels_problem
from perdure.model.errors import InvalidArgumentError
from perdure.model.ids import RunAddress
from perdure.model.program import ActivityHost, ActivityTask, TurnHost, Worker
from perdure.model.requests import LoseActivity
from perdure.model.task_queues import Poller
from perdure.model.workers import (
    ANY_TYPE,
    Hello,
    Link,
    WorkerDescription,
)

if TYPE_CHECKING:
    from perdure.engine.engine import Engine

log = logging.getLogger("perdure.engine")

Tasks = dict[tuple[str, int], ActivityTask]
"""Attempts, by run id and scheduled event id."""


class TurnTaker(TurnHost, Protocol):
    """Who stands in a line for turns, and says itself whether it takes the next one."""

    def host(self, namespace: str, task_queue: str, workflow_type: str, build_id: str, key: int) -> TurnHost | None:
        """As ``Hosts.host``, for a workflow that it is asked for."""
        ...

    def host_to_ask(
        self, namespace: str, task_queue: str, workflow_type: str, build_id: str, key: int
    ) -> TurnHost | None:
        """As ``Hosts.host_to_ask``, for a workflow that it is asked for."""
        ...


_NOBODY: deque[TurnTaker] = deque()


def _kinds(namespace: str, task_queue: str, workflow_type: str) -> tuple[Kind, Kind]:
    """Whom to look for, for a turn of such a workflow: those of its type, then those of any."""
    return (namespace, task_queue, workflow_type), (namespace, task_queue, ANY_TYPE)


class Workers:
    """Implements ``Hosts`` for all of them. ``own`` is the one in this process; ``open`` before the engine begins."""

    def __init__(self, own: Worker) -> None:
        self._own = own
        self._connected: dict[str, RemoteWorker] = {}
        self._missing: dict[str, Tasks] = {}
        """Workers that are not connected, by their ids, and the attempts that they may still have."""
        self._activities: dict[Kind, deque[RemoteWorker]] = {}
        self._hosts: dict[Kind, deque[TurnTaker]] = {}
        self._by_label = ByLabel()

    def open(self, engine: Engine) -> None:
        """Begin."""
        self._engine = engine
        self.reports = Reports(engine, self)
        self.turns = WaitingTurns(engine.wake_key)

    # --- who can be found

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

    def declares(self, namespace: str, task_queue: str, name: str) -> str:
        """What of just this name anybody serves."""
        kind = (namespace, task_queue, name)
        known = "workflow" if self._hosts.get(kind) else "activity" if self._activities.get(kind) else ""
        return known or self._own.declares(namespace, task_queue, name)

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
    ) -> TurnHost | None:
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
                    host = hosts[0]
                    hosts.rotate(-1)
                    if host.host(namespace, task_queue, workflow_type, build_id, key) is not None:
                        return host
        self.turns.add(kind, affinity, key)
        return None

    def host_to_ask(
        self,
        namespace: str,
        task_queue: str,
        workflow_type: str,
        build_id: str,
        key: int,
        affinity: Affinity | None = None,
    ) -> TurnHost | None:
        """Who can answer a query; one where it may wait rather than nobody."""
        kind = (namespace, task_queue, workflow_type)
        if affinity is not None:
            return self.host(*kind, build_id, key, affinity)
        own = self._own.host_to_ask(*kind, build_id, key)
        if own is not None:
            return own
        workers = (worker for name in _kinds(*kind) for worker in self._hosts.get(name, ()))
        return next((worker for worker in workers if worker.host_to_ask(*kind, build_id, key) is not None), None)

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
    ) -> ActivityHost | None:
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
        kept = self._missing.pop(hello.worker_id, {}).values()
        # All that it has is known before anything follows from what it has not.
        for task in [task for task in kept if not worker.adopt(task, hello.worker_id)]:
            self._report_lost(task, "its worker came back without it")
        for queue in hello.task_queues:
            for activity_type in worker.activity_types:
                self._activities.setdefault((hello.namespace, queue, activity_type), deque()).append(worker)
            for workflow_type in hello.workflow_types:
                self._hosts.setdefault((hello.namespace, queue, workflow_type), deque()).append(worker)
            self._engine.operations.look_again(hello.namespace, queue)
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

    def add_host(self, host: TurnTaker, namespace: str, task_queue: str) -> None:
        """From now on it may be asked to take turns of any workflow on a queue."""
        self._hosts.setdefault((namespace, task_queue, ANY_TYPE), deque()).append(host)

    def remove_host(self, host: TurnTaker, namespace: str, task_queue: str) -> None:
        """It takes no more turns."""
        kind = (namespace, task_queue, ANY_TYPE)
        self._hosts[kind].remove(host)
        if not self._hosts[kind]:
            del self._hosts[kind]

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
        self.turns.worker_free(worker)

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
        waiting = self.turns.counts
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
