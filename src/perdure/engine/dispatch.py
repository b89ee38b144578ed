"""Which attempts start, and when: slots of workers for activities that are ready, and the backlog of those that wait.

What may start is for ``admission`` to say, in which order for ``backlog``. The start of an attempt is recorded in the
same commit as what made it ready, where a slot is free; the worker gets it once that is durable.
"""

from functools import partial
from typing import TYPE_CHECKING

from perdure.engine.admission import HELD, Admission
from perdure.engine.backlog import Backlog, Line
from perdure.engine.pipeline import Start
from perdure.engine.queue_rules import Permit
from perdure.engine.resident import Resident
from perdure.engine.shares import Shares
from perdure.kernel import activity
from perdure.kernel.commit import Commit
from perdure.kernel.run import Activity
from perdure.model.errors import PerdureError, StoreError
from perdure.model.program import ActivityHost, ActivityTask, Hosts

if TYPE_CHECKING:
    from perdure.engine.engine import Engine


class Dispatch:
    """Belongs to one engine, and shares its thread."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self.backlog = Backlog()
        self.flows = self.backlog.flows
        self.admission = Admission(engine.clock, engine.worker, self.backlog, self.living, self.drain)
        self.shares = Shares()
        self._starting: list[list[Start]] = []
        """Starts in decisions that are being made while others are."""

    def start_ready(self, resident: Resident, commit: Commit, worker: Hosts) -> list[Start] | None:
        """Record the starts of attempts that may start and that slots are free for; the others wait their turn in the
        backlog."""
        starts: list[Start] = []
        namespace, waiting = commit.run.namespace, self.backlog.waiting
        rules, tripped = self.admission.rules, self.admission.tripped
        for ref in commit.ready:
            pending = commit.run.activities.get(ref)
            if pending is None or not activity.is_ready(commit.run, pending, commit.now):
                continue
            scheduled = pending.scheduled
            queue, activity_type = scheduled.task_queue, scheduled.activity_type
            name = (namespace, queue)
            affinity = scheduled.affinity
            if waiting and self.backlog.is_behind(name, (activity_type, affinity), is_ruled=name in rules):
                self._let_wait(resident, pending, commit.now)
                continue
            host = worker.reserve(namespace, queue, activity_type, affinity)
            if host is None:
                self._let_wait(resident, pending, commit.now)
                continue
            permit = None
            if rules or tripped:
                permit = self.admission.admit(name, commit.run, pending, commit.now, starts)
            if permit is HELD:
                self._release(host, queue, activity_type, starts)
                self._let_wait(resident, pending, commit.now)
            else:
                activity.begin(commit, pending, host.identity, host.worker_id)
                starts.append((host, task_of(resident, pending)))
                flow = self.flows.get(name) or self.flows.of(name, commit.now)
                flow.add(commit.now)
                flow.started += 1
        return starts or None

    def _release(self, host: ActivityHost, queue: str, activity_type: str, starts: list[Start]) -> None:
        """Give a slot back, which others may take at once: they are told what starts beside."""
        self._starting.append(starts)
        try:
            host.release(queue, activity_type)
        finally:
            self._starting.pop()

    def living(self) -> list[ActivityTask]:
        """The attempts that live here: those whose code runs, and those whose start is decided."""
        tasks = [task for starts in self._starting for _, task in starts]
        tasks += self._engine.pipeline.starts_under_way()
        if self._engine.worker is not None:
            tasks += self._engine.worker.running
        return tasks

    def _let_wait(self, resident: Resident, pending: Activity, since: int) -> None:
        scheduled = pending.scheduled
        self.backlog.add(
            (resident.run.namespace, scheduled.task_queue),
            scheduled.activity_type,
            (resident.key, scheduled.id),
            since,
            scheduled.priority,
            scheduled.limit_key,
            scheduled.affinity,
        )

    def _start_reserved(
        self, resident: Resident, commit: Commit, pending: Activity, host: ActivityHost, permit: Permit | None
    ) -> ActivityTask | None:
        """Record the start of an attempt in the slot reserved for it, or give the slot back."""
        scheduled = pending.scheduled
        if not activity.is_ready(commit.run, pending, commit.now):
            host.release(scheduled.task_queue, scheduled.activity_type)
            self.admission.give_back(permit)
            return None
        activity.begin(commit, pending, host.identity, host.worker_id)
        return task_of(resident, pending)

    def drain(self) -> None:
        """A slot, or whatever else was waited for, may be free: start those whose turn it is, namespaces and queues in
        turn."""
        worker = self._engine.worker
        if worker is None or self._engine.closing or not self.backlog.waiting:
            return
        now = self._engine.clock.now_ns()
        self.shares.in_turn(list(self.backlog.waiting.values()), lambda line: self._start_next(worker, line, now))

    def _start_next(self, worker: Hosts, line: Line, now: int) -> bool:
        """Start the first of a line. False if nobody can start now."""
        chosen = self.admission.choose(line, worker, now)
        if chosen is not None:
            host, entry = chosen
            lane = entry[3]
            name = line.take(entry)
            permit = self.admission.permit(line.queue, lane.activity_type, lane.limit_key, now)
            kind = (*line.queue, lane.activity_type)
            self._engine.loader.load(name[0], partial(self._start_waiting, host, kind, name, permit))
        self.backlog.tidy(line)
        return chosen is not None

    def _start_waiting(
        self,
        host: ActivityHost,
        kind: tuple[str, str, str],
        name: tuple[int, int],
        permit: Permit | None,
        resident: Resident | PerdureError | None,
    ) -> None:
        """An activity of the backlog has a slot; its run may have changed its mind meanwhile."""
        namespace, *of_worker = kind
        pending = resident.run.activities.get(name[1]) if isinstance(resident, Resident) else None
        if (
            pending is None
            or not isinstance(resident, Resident)
            or resident.run.namespace != namespace
            or pending.scheduled.task_queue != of_worker[0]
        ):
            host.release(*of_worker)
            self.admission.give_back(permit)
            if isinstance(resident, StoreError):
                self._engine.after_store_retry(partial(self._engine.take_up, name[0]))
            elif pending is not None and isinstance(resident, Resident):
                # The file is of before tasks were stored with their namespace, or it was moved to another task queue.
                self._let_wait(resident, pending, self._engine.clock.now_ns())
                self.drain()
            return
        commit = Commit(resident.run, self._engine.clock.now_ns(), self._engine.limits)
        task = self._start_reserved(resident, commit, pending, host, permit)
        if task is not None:
            if permit is not None:
                self.admission.begun(permit, resident.run.run_id, name[1], task.attempt)
            self.flows.of((namespace, pending.scheduled.task_queue), commit.now).start(commit.now)
            self._engine.pipeline.add(resident, commit, [(host, task)], None)


def task_of(resident: Resident, pending: Activity) -> ActivityTask:
    """The attempt that runs, as its worker gets it."""
    return ActivityTask(
        resident.address,
        resident.run.started.workflow_type,
        pending.scheduled,
        pending.attempt,
        pending.started_time,
        pending.heartbeat_details,
        pending.last_failure,
        pending.attempt_scheduled_time,
        pending.first_attempt,
    )
