"""The engine: one writer for the runs of a store.

Every request takes the same way, and ``Engine`` is that way:

1. ``submit`` or ``starts`` finds the run, in memory or in the store (``loading``);
2. the kernel decides (``transition``), which advances the state in memory;
3. ``_go_on`` lets a program of this process take its turn at once (``turns``), and reserves slots for activities
   (``dispatch``), so that all of it is one commit;
4. the commit joins the next batch, which the store writes in one transaction (``pipeline``);
5. ``_act`` does what was decided: activities start, callers are answered, timers are armed, messages leave.

Steps 1 to 4 happen in one go on the engine's thread, so decisions on a run follow each other without locks. Nothing
that can be seen from outside happens before step 5. When a batch can't be written, everything in it is forgotten, as
after a crash: callers are told, and whatever the engine itself had asked for (a completion, a timer) is asked again.
"""

# Else the annotations of inner functions would be worked out each time that the outer one is called.
from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Container, Sequence
from functools import partial
from typing import TYPE_CHECKING

from perdure.engine import turns
from perdure.engine.breakers import ENDS
from perdure.engine.dispatch import Dispatch
from perdure.engine.ids import new_run_id
from perdure.engine.loading import Loader
from perdure.engine.operations import Operations
from perdure.engine.outbox import Outbox
from perdure.engine.pipeline import Done, Effect, Outcome, Pipeline, Start, all_of
from perdure.engine.ports import Clock, Store
from perdure.engine.remote_worker import RemoteWorker
from perdure.engine.resident import Resident, Residents
from perdure.engine.search.attributes import Attributes
from perdure.engine.settings import Settings
from perdure.engine.starts import Starts
from perdure.engine.timers import Alarms
from perdure.engine.waiting import Waiting
from perdure.kernel import activity, derive
from perdure.kernel.commit import Commit, Reason, Rejection
from perdure.kernel.timer import deadline, deadline_after
from perdure.kernel.transition import transition
from perdure.kernel.workflow_task import retry_now
from perdure.model.errors import InvariantError, NotFoundError, PerdureError, StoreError
from perdure.model.ids import RunAddress
from perdure.model.options import PAUSED
from perdure.model.program import Hosts, Worker
from perdure.model.requests import (
    CompleteActivity,
    CompleteWorkflowTask,
    FireTimer,
    HeartbeatActivity,
    Request,
    StartWorkflow,
    TerminateWorkflow,
)
from perdure.model.service import StartResult

if TYPE_CHECKING:
    from perdure.engine.workers import Workers

log = logging.getLogger("perdure.engine")

NEXT_TURN = -100
"""The name of an alarm at which a run takes its turn; no deadline of a run has it."""

Started = Callable[[StartResult | Rejection | PerdureError], None]


class Engine:
    """Owns a store, the runs in it, and the way from a request to its effects. All methods belong to one event loop's
    thread."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        worker: Worker | Workers | None = None,
        settings: Settings | None = None,
        make_run_id: Callable[[int], str] = new_run_id,
    ) -> None:
        self.make_run_id = make_run_id
        self.store = store
        self.clock = clock
        self.worker = worker
        self.settings = settings or Settings()
        self.limits = self.settings.limits
        self.residents = Residents(self.settings.resident_runs)
        self.loader = Loader(store, self.residents)
        self.attributes = Attributes()
        self.pipeline = Pipeline(store, self.limits.blob_threshold_bytes, self.attributes, self._act, self._undone)
        self.waiting = Waiting()
        self.dispatch = Dispatch(self)
        self.backlog = self.dispatch.backlog
        self.admission = self.dispatch.admission
        self.outbox = Outbox(self)
        self.operations = Operations(self)
        self.starts = Starts(self)
        self.entrance: Callable[[str, StartWorkflow, Started], None] = self.starts.start
        """How runs start that a workflow asks for and that are nobody's child; whoever guards namespaces stands here."""
        self.guarded: Container[str] = ()
        """Namespaces where a start may have to wait."""
        self.alarms = Alarms(clock, self._fire, lambda: self.pipeline.is_idle, self.loader.bring)
        self.horizon_ns = 0
        """Durable timers due up to here are in ``alarms``; those after it sleep in the store."""
        self.closing = False
        self.replays = 0
        """How many programs were built anew from histories with turns in them."""
        self.next_key = 0

    def begin(self, next_key: int) -> None:
        """Take over at the first free run key."""
        self.next_key = next_key

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way but waiting: no batch, no loading, no message."""
        return self.pipeline.is_idle and not self.loader.is_loading and not self.outbox.is_sending

    # --- 1. the run

    def submit(
        self, address: RunAddress, request: Request, done: Done | None = None, *, even_closed: bool = True
    ) -> None:
        """Do something to a run; ``done`` is called when it is recorded, or can't be. Without ``even_closed``, nobody
        wants to know how a closed run would refuse it."""
        resident = self.residents.find(address.namespace, address.workflow_id, address.run_id)
        if resident is not None:
            self.decide(resident, request, done)
            return

        def found(resident: Resident | PerdureError | None) -> None:
            if isinstance(resident, Resident):
                self.decide(resident, request, done)
            elif done is not None:
                done(resident or Rejection(Reason.NOT_FOUND, not_found(address)))

        self.loader.find(address, found, even_closed=even_closed)

    async def resident(self, address: RunAddress) -> Resident:
        """A run, brought into memory. Raises ``NotFoundError``, ``StoreError``."""
        there = self.residents.find(address.namespace, address.workflow_id, address.run_id)
        if there is not None:
            return there
        future: asyncio.Future[Resident] = asyncio.get_running_loop().create_future()

        def found(resident: Resident | PerdureError | None) -> None:
            if future.done():
                return
            if isinstance(resident, Resident):
                future.set_result(resident)
            else:
                future.set_exception(resident or NotFoundError(not_found(address)))

        self.loader.find(address, found)
        return await future

    # --- 2. the decision

    def decide(self, resident: Resident, request: Request, done: Done | None, time: int = 0) -> None:
        """Decide a request to a run in memory, and commit what follows from it. ``time`` (ns since 1970) is when it
        happened, with the turn that follows, if that is not now."""
        run = resident.run
        parked = self.loader.parked
        if parked and run.run_id in parked:
            if done is not None:
                done(InvariantError(f"Run {run.run_id} is parked: {parked[run.run_id]}"))
            return
        admission, kind = self.admission, request.__class__
        suspect = None
        if kind is not CompleteActivity or admission.tripped:
            if kind in ENDS:
                suspect = admission.breakers.suspect(run, request)
            elif admission.rules and isinstance(request, HeartbeatActivity) and request.leaves:
                admission.left(run, request)
        withheld: Effect | None = None
        if kind is CompleteWorkflowTask:
            withheld = self.pipeline.turn_ended(resident)
        elif resident.withheld is not None:
            self.pipeline.release(resident)
        try:
            now, types = self.clock.now_ns(), self.attributes.known.get(run.namespace)
            if withheld is None:
                begun = Commit(run, time or now, self.limits, types)
                if time:
                    begun.later = now
            else:
                # Its first decision is not on its way to the store yet, so the turn that it handed out ends in it.
                begun = withheld.commit
                begun.now, begun.attribute_types = now, types
            commit = transition(run, request, now, self.limits, begun)
            if suspect is not None:
                admission.breakers.judge(suspect, run, request, commit)
            if commit.__class__ is Commit:
                both = done if withheld is None else all_of(withheld.done, done)
                self._go_on_and_commit(resident, commit, both, may_wait=done is not None)
            elif withheld is not None:
                self.pipeline.add(resident, withheld.commit, None, withheld.done)
        except PerdureError as error:
            self._lose(resident)
            self.loader.park(run.run_id, error)
            if withheld is not None and withheld.done is not None:
                withheld.done(error)
            if done is not None:
                done(error)
            return
        if commit.__class__ is Rejection and done is not None:
            rejection, answer = commit, done
            self.pipeline.when_durable(resident, lambda error: answer(error or rejection))

    def hold(self, commit: Commit, done: Done | None, *, may_wait: bool = False, is_last: bool = False) -> None:
        """A run begins. ``is_last``: and takes its first turn when all alarms that are due have fired."""
        run = commit.run
        resident = Resident(self.next_key, run, RunAddress(run.namespace, run.started.workflow_id, run.run_id))
        self.next_key += 1
        self.residents.add(resident, is_current=True)
        if is_last:
            turns.note_events(resident, commit)
            self.pipeline.add(resident, commit, None, done)
            self.alarms.set_last(resident.key, NEXT_TURN)
            self.residents.yield_to_others(resident)
        else:
            self._go_on_and_commit(resident, commit, done, may_wait=may_wait)

    # --- 3. the turn, and slots for activities

    def wake(self, resident: Resident) -> None:
        """See whether the run can go on: its turn may be due by now, or its program may be here now."""
        self.pipeline.release(resident)
        self._go_on_and_commit(resident, Commit(resident.run, self.clock.now_ns(), self.limits), None)

    def try_turn_now(self, resident: Resident) -> None:
        """Take a failed turn again without waiting out its back-off: the code may be another one now."""
        self.pipeline.release(resident)
        commit = Commit(resident.run, self.clock.now_ns(), self.limits)
        retry_now(commit)
        self._go_on_and_commit(resident, commit, None)

    def _go_on_and_commit(
        self, resident: Resident, commit: Commit, done: Done | None, *, may_wait: bool = False
    ) -> None:
        """Let what can follow at once join the commit, and put it into the next batch (step 4). ``may_wait``: no
        other run's decision has to be in the same transaction, so if this hands out a turn it may be withheld."""
        worker, had_turn = self.worker, resident.is_turn_out
        starts: list[Start] | None = None
        if worker is not None and not self.closing:
            commit.attribute_types = self.attributes.known.get(commit.run.namespace)
            if resident.is_turn_out and ((turn := commit.run.workflow_task) is None or not turn.started_time):
                turns.ended(resident, commit)
            if commit.run.workflow_task is not None:
                self._take_turns(resident, commit, worker)
            if commit.messages:
                if commit.run.close is not None:
                    self.outbox.tell_at_once(commit)
                elif self.outbox.start_at_once(resident, commit):
                    may_wait = False
                    self._take_turns(resident, commit, worker)
            if commit.ready:
                starts = self.dispatch.start_ready(resident, commit, worker)
        if commit.records:
            limit = self.limits.history_events
            if limit and commit.run.history_length > limit and commit.run.close is None:
                transition(commit.run, TerminateWorkflow(too_long(limit)), commit.now, self.limits, commit)
            turns.note_events(resident, commit)
            if (
                may_wait
                and resident.is_turn_out
                and not had_turn
                and not (commit.ready or commit.messages or commit.cancelled or commit.run.close)
            ):
                self.pipeline.withhold(resident, commit, done)
                return
            self.pipeline.add(resident, commit, starts, done)
            successor = commit.successor
            if successor is not None:
                self.starts.begin(commit.run.namespace, successor.request, None, successor.run_id)
        else:
            if commit.ready and self.backlog.waiting:
                self.dispatch.drain()
            if done is not None:
                self.pipeline.when_durable(resident, done)

    def _take_turns(self, resident: Resident, commit: Commit, worker: Hosts) -> None:
        run = commit.run
        while (
            (turn := run.workflow_task) is not None
            and not turn.started_time
            and turn.next_attempt_time <= commit.now
            and run.status is not PAUSED
            and self._has_program(resident, worker)
        ):
            turns.take(resident, commit, turn)

    def _has_program(self, resident: Resident, worker: Hosts) -> bool:
        """See that the run's program is there and can take a turn. If a worker is missing, or its history has to be read
        first, the turn waits, and ``wake`` follows."""
        run, host = resident.run, resident.host
        build_id = run.pinned_build_id
        if host is not None:
            if not build_id or build_id == host.build_id:
                return host.has_turn_slot(resident.key)
            resident.drop_program()
        started = run.started
        host = worker.host(
            run.namespace, started.task_queue, started.workflow_type, build_id, resident.key, started.affinity
        )
        if host is None or not turns.prepare(
            resident, self.loader, self.pipeline, partial(self.wake_key, resident.key)
        ):
            return False
        if run.build_id:
            self.replays += 1
        resident.host = host
        resident.program = host.create_program(resident.address, run.started)
        return True

    def wake_key(self, key: int) -> None:
        """``wake`` for a run that may not be in memory: somebody may take its turn now."""

        def loaded(resident: Resident | PerdureError | None) -> None:
            if isinstance(resident, Resident):
                self.wake(resident)

        if not self.closing:
            self.loader.load(key, loaded)

    # --- 5. the effects

    def _act(self, effects: Sequence[Effect]) -> None:
        """A batch is durable: do what it says."""
        for effect in effects:
            resident, commit = effect.resident, effect.commit
            resident.in_flight -= 1
            starts = effect.starts
            if starts is not None:
                # Taken out, so that those which are left are still under way.
                starts.reverse()
                while starts:
                    host, task = starts.pop()
                    if host.__class__ is RemoteWorker:
                        turns.start_activity(resident, host, task, self.limits)
                    else:
                        host.start_activity(task)
            if commit.tasks or commit.timers:
                self._set_alarms(resident.key, commit)
                permits = self.admission.permits
                if permits.named and (commit.cancelled or permits.outside):
                    permits.observe(resident, commit)
            if commit.cancelled and self.worker is not None:
                for ref in commit.cancelled:
                    self.worker.cancel_activity(resident.address, ref)
            if commit.messages:
                for message in commit.messages.values():
                    if message is not None:
                        self.outbox.send(resident.key, resident.address, message)
            if commit.answers:
                self.waiting.answer_updates(resident.key, commit.answers)
            if commit.run.close is not None:
                if not resident.in_flight:
                    self.waiting.run_closed(resident.key, commit.run)
                    if resident.is_told:
                        self.residents.note_closed(resident)
                    self.residents.remove(resident)
            elif self.waiting.followers:
                self.waiting.grown(resident.key)
            if effect.done is not None:
                effect.done(None)
        self.residents.shrink()
        if self.backlog.waiting:
            self.dispatch.drain()
        if self.alarms.goes:
            # Last, so that what has just been set going comes before the next of them.
            self.alarms.go_on(len(effects))

    def _set_alarms(self, key: int, commit: Commit) -> None:
        waiting = self.backlog.waiting
        for ref, task in commit.tasks.items():
            if task is not None and task.due and ref:
                self.alarms.set(key, ref, task.due)
            else:
                self.alarms.cancel(key, ref)
                if task is None and waiting:
                    self.backlog.discard((key, ref))
        if commit.timers:
            for (_, ref), is_set in commit.timers.items():
                if not is_set:
                    self.alarms.cancel(key, ref)
            for (due, ref), is_set in commit.timers.items():
                if is_set and due <= self.horizon_ns:
                    self.alarms.set(key, ref, due)

    def _undone(self, effects: Sequence[Effect], error: StoreError) -> None:
        """A batch could not be written: forget what it decided, tell callers, and have the runs go on from what is
        stored."""
        if self.alarms.goes:
            self.alarms.go_on(len(effects))
        for effect in effects:
            self._lose(effect.resident)
            if effect.starts is not None:
                for host, task in effect.starts:
                    host.release(task.scheduled.task_queue, task.scheduled.activity_type)
                    self.admission.undone(task)
        for key in {effect.resident.key for effect in effects}:
            self.after_store_retry(partial(self.take_up, key))
        for effect in effects:
            if effect.done is not None:
                effect.done(error)

    def _lose(self, resident: Resident) -> None:
        resident.is_lost = True
        resident.in_flight = 0
        self.residents.remove(resident)

    def take_up(self, key: int) -> None:
        """What a lost commit would have set going, the stored state still asks for."""

        def loaded(resident: Resident | PerdureError | None) -> None:
            if isinstance(resident, StoreError):
                self.after_store_retry(partial(self.take_up, key))
            elif isinstance(resident, Resident):
                self.resume(resident)

        self.loader.load(key, loaded)

    def resume(self, resident: Resident) -> None:
        """Set going all that a run in memory waits for here: its turn, its activities that have not started, its
        deadlines."""
        run, now = resident.run, self.clock.now_ns()
        commit = Commit(run, now, self.limits)
        for ref, pending in run.activities.items():
            if activity.is_ready(run, pending, now):
                commit.ready.append(ref)
            due = deadline(run, ref)
            if due:
                self.alarms.set(resident.key, ref, due)
        for due, ref in derive.timers(run):
            if due <= self.horizon_ns:
                self.alarms.set(resident.key, ref, due)
        self._go_on_and_commit(resident, commit, None)

    def after_store_retry(self, callback: Callable[[], None]) -> None:
        """Call back when it is time to try again what the store refused; never, once the engine is closing."""
        due = self.clock.now_ns() + self.settings.store_retry_ns
        self.clock.call_at(due, lambda: None if self.closing else callback())

    # --- from the clock and the worker

    def _fire(self, key: int, ref: int) -> None:
        """A deadline may have come. The state says whether it has; one that was moved is set again."""

        def loaded(resident: Resident | PerdureError | None) -> None:
            if isinstance(resident, Resident):
                if ref == NEXT_TURN:
                    self.wake(resident)
                    return
                due = deadline(resident.run, ref)
                if due > self.clock.now_ns():
                    self.alarms.set(key, ref, due)
                elif due:
                    self.decide(resident, FireTimer(ref), fired)
                    # A back-off that is over may leave the activity waiting for a slot, with time-outs still to come.
                    later = deadline_after(resident.run, ref, self.clock.now_ns())
                    if later:
                        self.alarms.set(key, ref, later)
            elif resident is not None:
                fired(resident)

        def fired(outcome: Outcome) -> None:
            if isinstance(outcome, StoreError) and not self.closing:
                self.alarms.set(key, ref, self.clock.now_ns() + self.settings.store_retry_ns)

        if not self.closing:
            self.loader.load(key, loaded)

    def report(self, address: RunAddress, request: Request) -> None:
        """A worker hands in what became of an attempt. It is asked for again until it is recorded or no longer
        wanted."""
        done = partial(self._reported, address, request)
        permits = self.admission.permits
        if permits.named:
            permits.reported(address, request)
        resident = self.residents.find(address.namespace, address.workflow_id, address.run_id)
        if resident is not None:
            self.decide(resident, request, done)
        else:
            self.submit(address, request, done)
        if self.backlog.waiting:
            self.dispatch.drain()

    def _reported(self, address: RunAddress, request: Request, outcome: Outcome) -> None:
        if outcome is None:
            return
        if isinstance(outcome, StoreError):
            self.after_store_retry(partial(self.report, address, request))
        elif isinstance(outcome, Rejection):
            log.debug("A worker's %s was too late: %s", request.__class__.__name__, outcome.message)

    # --- deletion

    async def delete_runs(self, keys: Sequence[int]) -> None:
        """Remove closed runs for good. Raises ``StoreError``."""
        deleted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for key in keys:
            resident = self.residents.by_key(key)
            if resident is not None:
                self.residents.remove(resident)

        def done(error: StoreError | None) -> None:
            if error is None:
                deleted.set_result(None)
            else:
                deleted.set_exception(error)

        self.store.delete(keys, done)
        await deleted


def too_long(limit: int) -> str:
    """Why a run with more than ``limit`` events is terminated."""
    return f"the history is longer than {limit} events (limit history_events); continue as new before that"


def not_found(address: RunAddress) -> str:
    """What to tell someone who asks for a run that is not there."""
    run = f"run {address.run_id} of workflow" if address.run_id else "workflow"
    return (
        f"There is no {run} {address.workflow_id!r} in namespace {address.namespace!r}. Check the id and the namespace."
    )
