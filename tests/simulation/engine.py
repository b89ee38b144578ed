"""The engine in miniature: a store, the runs in memory, and the way from a request to its effects.

It drives the kernel as ``perdure.engine`` does, step by step under the same numbers. A turn taken here joins the commit
that made it possible, and so do the starts of attempts; a successor begins in the same batch; nothing is said or done
before its batch is written. What ``world`` is, see ``simulator``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.kernel.ledger import Ledger, decode_message, numbered
from tests.simulation.program import Program, plan_input

from perdure.kernel import activity as kernel_activity
from perdure.kernel import derive, start_policy, turn, workflow_task
from perdure.kernel.commit import Commit, Message, Reason, Rejection
from perdure.kernel.run import WORKFLOW_TASK_REF, Run
from perdure.kernel.timer import deadline, deadline_after
from perdure.kernel.transition import start, start_fork, transition
from perdure.model import events as e
from perdure.model import requests as r
from perdure.model.errors import StoreError
from perdure.model.ids import RunAddress
from perdure.model.limits import Limits
from perdure.model.options import SECOND_NS

if TYPE_CHECKING:
    from tests.simulation.simulator import Simulation

NAMESPACE = "default"
LOCAL = "local"
BUILD = "build"
"""What all workers here are; a run pinned to another build waits."""
"""What runs in the engine's own process: an identity, and a type of workflows and of activities."""

LIMITS = Limits(suggest_history_events=40, pending_updates=4, buffered_events=6)

STORE_ERROR = StoreError("the batch could not be written")
"""What became of a request whose batch is lost."""

Done = Callable[[Any], None]
"""Called with None when a request is recorded, else with a ``Rejection`` or ``STORE_ERROR``; with a run id when it was a start."""


# --- what lasts


class Store:
    """Rows and transactions."""

    def __init__(self) -> None:
        self.ledgers: dict[int, Ledger] = {}
        self.names: dict[int, str] = {}

    def last(self, workflow_id: str) -> int | None:
        """The key of the last started run of a workflow id."""
        return next((key for key in reversed(self.names) if self.names[key] == workflow_id), None)

    def by_run_id(self, run_id: str) -> int | None:
        """The key of a run."""
        return next((key for key, ledger in self.ledgers.items() if ledger.run_id == run_id), None)


# --- what the engine holds in memory


@dataclass(eq=False)
class Resident:
    """A run in memory. ``ledger`` is what the store will hold once everything under way is written."""

    key: int
    run: Run
    ledger: Ledger
    events: list = field(default_factory=list)
    program: Program | None = None
    in_flight: int = 0

    @property
    def address(self) -> RunAddress:
        return RunAddress(self.run.namespace, self.run.workflow_id, self.run.run_id)


@dataclass(eq=False)
class Effect:
    """A commit in a batch, and what to do once it is written. A commit of None only forgets a message."""

    resident: Resident | None
    commit: Commit | None
    starts: list["Attempt"]
    done: list[Done]
    forget: tuple[int, int] | None = None


# --- what is out in the world


@dataclass(eq=False)
class Attempt:
    """An attempt of an activity that a worker has."""

    address: RunAddress
    key: int
    ref: int
    number: int
    identity: str
    max_attempts: int
    first: int = 1
    """The one from which attempts are counted."""
    told_to_cancel: bool = False


@dataclass(eq=False)
class RemoteTurn:
    """A turn that a remote worker has, with the history it was given."""

    address: RunAddress
    started: e.WorkflowExecutionStarted
    events: list
    updates: list[e.UpdateAdmitted]
    number: int
    started_event_id: int


@dataclass(eq=False)
class Envelope:
    """Something on its way. A ``message`` of the run ``key`` when that is set, else a ``request`` to ``address``."""

    address: RunAddress
    key: int = 0
    message: Message | None = None
    request: r.Request | None = None
    done: Done | None = field(default=None, repr=False)


class Engine:
    """One life of the engine: everything here is gone when it dies."""

    def __init__(self, world: "Simulation") -> None:
        self.world = world
        self.store = world.store
        self.residents: dict[int, Resident] = {}
        self.batch: list[Effect] = []
        self.writing: list[Effect] = []
        self.alarms: dict[tuple[int, int], int] = {}
        self.backlog: list[tuple[int, int]] = []
        self.next_key = max(self.store.ledgers, default=0) + 1
        self.free_slots = world.chance.randint(1, 3)
        self.outbox: list[Envelope] = []
        self.local: list[Attempt] = []

    # --- 1. the run

    def load(self, key: int) -> Resident:
        """The run with this key."""
        resident = self.residents.get(key)
        if resident is None:
            ledger = self.store.ledgers[key].copy()
            resident = Resident(key, ledger.fold(), ledger, numbered(ledger.records()))
            ledger.check(resident.run)
            self.residents[key] = resident
        return resident

    def find(self, address: RunAddress) -> Resident | None:
        """The run with this address; without a run id the last started of the workflow id."""
        for resident in reversed(self.residents.values()):
            if resident.run.run_id == address.run_id:
                return resident
        if address.run_id:
            key = self.store.by_run_id(address.run_id)
        else:
            begun = [
                resident.key for resident in self.residents.values() if resident.run.workflow_id == address.workflow_id
            ]
            key = max((*begun, self.store.last(address.workflow_id) or 0), default=0)
        return self.load(key) if key else None

    def submit(self, address: RunAddress, request: r.Request, done: Done) -> None:
        """Do something to a run."""
        resident = self.find(address)
        if resident is None:
            done(Rejection(Reason.NOT_FOUND, "no such run"))
        else:
            self.decide(resident, request, done)

    # --- 2. the decision

    def decide(self, resident: Resident, request: r.Request, done: Done | None) -> None:
        """Decide a request to a run in memory."""
        self.world.note("decide", resident.run.run_id, request)
        commit = transition(resident.run, request, self.world.now, LIMITS)
        if isinstance(commit, Rejection):
            self.world.note("rejected", commit.reason.name, commit.message)
            resident.ledger.check(resident.run)
            if done is not None:
                self.when_durable(resident, lambda error: done(error or commit))
        else:
            self.go_on_and_commit(resident, commit, done)

    def start(self, request: r.StartWorkflow, done: Done) -> None:
        """Start a run, or find the one that is the answer. ``done`` gets the run id."""
        resident = self.find(RunAddress(NAMESPACE, request.workflow_id))
        if resident is None:
            self.begin(request, done)
            return
        run = resident.run
        is_repeat = bool(request.request_id) and request.request_id == run.started.request_id
        match start_policy.decide(request, run.status, run.run_id, is_repeat):
            case start_policy.StartNew():
                self.begin(request, done)
            case start_policy.TerminateFirst():
                self.decide(resident, r.TerminateWorkflow("a new run was started"), None)
                self.begin(request, done)
            case start_policy.UseExisting():
                for extra in (request.signal, request.update):
                    if extra is not None:
                        self.decide(resident, extra, None)
                self.when_durable(resident, lambda error: done(error or run.run_id))
            case Rejection() as rejection:
                self.when_durable(resident, lambda error: done(error or rejection))

    def begin(self, request: r.StartWorkflow, done: Done | None, run_id: str = "") -> None:
        """A new run."""
        run_id = run_id or self.world.new_run_id()
        self.world.note("start", run_id, request)
        commit = start(NAMESPACE, run_id, request, self.world.now, LIMITS)
        for extra in (request.signal, request.update):
            if extra is not None:
                transition(commit.run, extra, self.world.now, LIMITS, commit)
        self.hold(commit, None if done is None else lambda error: done(error or run_id))

    def fork(self, base: Resident, event_id: int, workflow_id: str, is_reset: bool, note: int | None) -> None:
        """Start again from the middle of a run, under its own workflow id or another one."""
        program_input = None
        if note is not None:
            program = Program(base.run.started)
            program_input = plan_input(program.seed, program.depth, program.generation, note)
        records = tuple(base.ledger.records())
        request = r.ForkWorkflow(
            workflow_id, base.run.run_id, event_id, records, program_input, "again", is_reset=is_reset
        )
        run_id = self.world.new_run_id()
        commit = start_fork(NAMESPACE, run_id, request, self.world.now, LIMITS)
        if isinstance(commit, Rejection):
            self.world.note("fork refused", commit.message)
            return
        current = self.find(RunAddress(NAMESPACE, workflow_id))
        if current is not None and current.run.close is None:
            if not is_reset:
                return
            self.decide(current, r.TerminateWorkflow("reset"), None)
        self.world.note("fork", base.run.run_id, "at", event_id, "as", workflow_id, run_id)
        self.world.forked.add(run_id)
        self.hold(commit, None)

    def hold(self, commit: Commit, done: Done | None) -> None:
        """A run begins."""
        ledger = Ledger(NAMESPACE, commit.run.run_id)
        resident = Resident(self.next_key, commit.run, ledger)
        self.next_key += 1
        self.residents[resident.key] = resident
        self.go_on_and_commit(resident, commit, done)

    # --- 3. the turn, and slots for activities

    def go_on_and_commit(self, resident: Resident, commit: Commit, done: Done | None) -> None:
        """Let what can follow at once join the commit, and put it into the batch."""
        starts = []
        while self._turn_is_due(commit):
            self._take_turn(resident, commit)
        for ref in commit.ready:
            attempt = self.start_ready(resident, commit, ref)
            if attempt is not None:
                starts.append(attempt)
        if commit.records:
            self.add(resident, commit, starts, done)
            if commit.successor is not None:
                self.begin(commit.successor.request, None, commit.successor.run_id)
        else:
            resident.ledger.check(resident.run)
            if done is not None:
                self.when_durable(resident, done)

    def _turn_is_due(self, commit: Commit) -> bool:
        run = commit.run
        task = run.workflow_task
        return (
            task is not None
            and run.started.workflow_type == LOCAL
            and not task.started_time
            and task.next_attempt_time <= commit.now
            and not run.is_paused
            and run.pinned_build_id in ("", BUILD)
        )

    def _take_turn(self, resident: Resident, commit: Commit) -> None:
        run, world = resident.run, self.world
        task = run.workflow_task
        assert task is not None
        workflow_task.begin(commit, task, LOCAL)
        self._note_events(resident, commit)
        if resident.program is None:
            resident.program = Program(run.started)
        events = resident.events[resident.program.seen :]
        events += workflow_task.preview(run, workflow_task.suggests_continue_as_new(commit))
        updates = [update.admitted for update in run.updates.values() if update.admitted is not None]
        answer = world.answer_of_turn(resident.program, events, updates, task.attempt, LOCAL)
        world.note("turn", run.run_id, answer)
        if isinstance(answer, r.CompleteWorkflowTask):
            turn.finish(commit, task, answer.commands, LOCAL, answer.build_id)
        else:
            workflow_task.record_failure(commit, task, answer.cause, answer.failure, LOCAL, "")
        world.check_turn(answer, commit.records[commit.noted :])
        self._note_events(resident, commit)
        task = run.workflow_task
        if task is not None and task.attempt > 1:
            resident.program = None
        elif resident.program is not None:
            # A turn that has left no trace: the numbers the program saw will be used again.
            resident.program.seen = min(resident.program.seen, len(resident.events))

    def _note_events(self, resident: Resident, commit: Commit) -> None:
        resident.events += numbered(commit.records[commit.noted :])
        commit.noted = len(commit.records)

    def start_ready(self, resident: Resident, commit: Commit, ref: int) -> Attempt | None:
        """Record the start of an attempt here, if a slot is free; else it waits its turn."""
        activity = resident.run.activities.get(ref)
        if activity is None or activity.scheduled.activity_type != LOCAL:
            return None
        if not self.free_slots:
            self.backlog.append((resident.key, ref))
            return None
        return self._start_attempt(resident, commit, ref, LOCAL)

    def _start_attempt(self, resident: Resident, commit: Commit, ref: int, identity: str) -> Attempt | None:
        activity = resident.run.activities[ref]
        if not kernel_activity.is_ready(resident.run, activity, commit.now):
            return None
        kernel_activity.begin(commit, activity, identity)
        if identity == LOCAL:
            self.free_slots -= 1
        policy = activity.scheduled.retry_policy
        return Attempt(
            resident.address, resident.key, ref, activity.attempt, identity, policy.max_attempts, activity.first_attempt
        )

    def drain_backlog(self) -> None:
        """A slot may be free: start what has waited longest."""
        while self.backlog and self.free_slots:
            key, ref = self.backlog.pop(0)
            if key in self.store.ledgers or key in self.residents:
                self.start_apart(self.load(key), ref, LOCAL)

    def start_apart(self, resident: Resident, ref: int, identity: str) -> None:
        """Start an attempt in a commit of its own."""
        if ref in resident.run.activities:
            commit = Commit(resident.run, self.world.now, LIMITS)
            attempt = self._start_attempt(resident, commit, ref, identity)
            if attempt is not None:
                self.add(resident, commit, [attempt], None)

    # --- 4. the batch

    def add(self, resident: Resident, commit: Commit, starts: list[Attempt], done: Done | None) -> None:
        """Put a decision into the next batch."""
        self._note_events(resident, commit)
        commit.seal()
        resident.ledger.write(commit)
        resident.ledger.check(resident.run)
        resident.in_flight += 1
        self.batch.append(Effect(resident, commit, starts, [done] if done is not None else []))

    def forget_message(self, key: int, ref: int) -> None:
        """A message need not be sent any more."""
        if key in self.residents:
            self.residents[key].ledger.forget_message(ref)
        self.batch.append(Effect(None, None, [], [], (key, ref)))

    def when_durable(self, resident: Resident, then: Done) -> None:
        """Call back once everything decided on this run so far is written, or undone."""
        for effect in reversed((*self.writing, *self.batch)):
            if effect.resident is resident:
                effect.done.append(then)
                return
        then(None)

    def write(self) -> None:
        """Hand the batch to the store."""
        if not self.writing:
            self.writing, self.batch = self.batch, []

    def store_writing(self) -> None:
        """The store has written what it was handed."""
        for effect in self.writing:
            if effect.resident is not None:
                assert effect.commit is not None
                key = effect.resident.key
                if key not in self.store.ledgers:
                    self.store.ledgers[key] = Ledger(NAMESPACE, effect.commit.run.run_id)
                    self.store.names[key] = effect.commit.run.workflow_id
                self.store.ledgers[key].write(effect.commit)
                self.world.remember_completions(effect.commit)
            elif effect.forget is not None and effect.forget[0] in self.store.ledgers:
                self.store.ledgers[effect.forget[0]].forget_message(effect.forget[1])

    def written(self) -> None:
        """The store says that it has written the batch: do what it says."""
        self.store_writing()
        effects, self.writing = self.writing, []
        for effect in effects:
            self._act(effect)
        self.drain_backlog()

    def refused(self) -> None:
        """The store could not write the batch: everything decided since is undone too."""
        effects = self.writing + self.batch
        self.writing, self.batch = [], []
        lost = {effect.resident.key: effect.resident for effect in effects if effect.resident is not None}
        for effect in effects:
            self.free_slots += sum(attempt.identity == LOCAL for attempt in effect.starts)
        for key in lost:
            self.residents.pop(key, None)
        for effect in effects:
            if effect.forget is not None:
                self.forget_message(*effect.forget)
        for effect in effects:
            for done in effect.done:
                done(STORE_ERROR)
        for key in lost:
            if key in self.store.ledgers:
                self.resume(self.load(key))

    # --- 5. the effects

    def _act(self, effect: Effect) -> None:
        resident, commit = effect.resident, effect.commit
        if resident is None or commit is None:
            return
        resident.in_flight -= 1
        for attempt in effect.starts:
            self.world.hand_out(attempt)
        for ref, task in commit.tasks.items():
            if task is not None and task.due and ref:
                self.alarms[resident.key, ref] = task.due
            else:
                self.alarms.pop((resident.key, ref), None)
        for is_set in (False, True):
            for (due, ref), what in commit.timers.items():
                if what is is_set:
                    self.alarms.pop((resident.key, ref), None)
                    if is_set:
                        self.alarms[resident.key, ref] = due
        for ref in commit.cancelled:
            self.world.tell_to_cancel(resident.run.run_id, ref)
        for message in commit.messages.values():
            if message is not None:
                self.outbox.append(Envelope(resident.address, resident.key, message))
        self.world.hear(resident.run.run_id, commit.answers)
        if commit.run.close is not None and not resident.in_flight:
            self.residents.pop(resident.key, None)
        for done in effect.done:
            done(None)

    def deliver(self, envelope: Envelope) -> None:
        """Something arrives."""
        message = envelope.message
        if message is None:
            assert envelope.request is not None and envelope.done is not None
            self.submit(envelope.address, envelope.request, envelope.done)
            return

        def done(outcome: Any) -> None:
            if outcome is STORE_ERROR:
                self.outbox.append(envelope)
            elif message.wants_reply:
                reply = _reply(message, outcome)
                self.outbox.append(
                    Envelope(envelope.address, request=reply, done=lambda outcome: answered(reply, outcome))
                )
            else:
                self.forget_message(envelope.key, message.ref)

        def answered(reply: r.Request, outcome: Any) -> None:
            if outcome is STORE_ERROR:
                self.outbox.append(envelope)
            elif isinstance(outcome, Rejection):
                self.forget_message(envelope.key, message.ref)

        if isinstance(message.request, r.StartWorkflow):
            # A start that its parent has withdrawn must not be sent: the child would be nobody's.
            held = self.store.ledgers[envelope.key].messages.get(message.ref)
            if held is not None and decode_message(held) == message:
                self.start(message.request, done)
        else:
            self.submit(message.target, message.request, done)

    # --- the clock

    def fire(self, key: int, ref: int) -> None:
        """An alarm rings."""
        if key not in self.store.ledgers and key not in self.residents:
            return
        resident = self.load(key)
        due = deadline(resident.run, ref)
        if due > self.world.now:
            self.alarms[key, ref] = due
        elif due:

            def fired(outcome: Any) -> None:
                if outcome is STORE_ERROR:
                    self.alarms[key, ref] = self.world.now + SECOND_NS

            self.decide(resident, r.FireTimer(ref), fired)
            later = deadline_after(resident.run, ref, self.world.now)
            if later:
                self.alarms[key, ref] = later

    # --- taking up what was left

    def resume(self, resident: Resident) -> None:
        """Set going all that a run waits for here."""
        run, now = resident.run, self.world.now
        commit = Commit(run, now, LIMITS)
        for ref, activity in run.activities.items():
            if not activity.started_time and activity.next_attempt_time <= now and not run.is_paused:
                commit.ready.append(ref)
            due = deadline(run, ref)
            if due:
                self.alarms[resident.key, ref] = due
        for due, ref in derive.timers(run):
            self.alarms[resident.key, ref] = due
        self.go_on_and_commit(resident, commit, None)

    def take_up(self) -> None:
        """The engine that was here before has died: what it had under way is in the store."""
        for key, ledger in list(self.store.ledgers.items()):
            ledger.check_whole()
            for due, ref in sorted(ledger.timers):
                self.alarms[key, ref] = due
            for ref, task in list(ledger.tasks.items()):
                if ref and task.due:
                    self.alarms[key, ref] = task.due
                if ref and not task.started and task.due <= self.world.now:
                    self.backlog.append((key, ref))
                elif ref == WORKFLOW_TASK_REF:
                    self._take_up_turn(self.load(key))
                elif task.started:
                    self._take_up_attempt(self.load(key), ref)
            source = RunAddress(NAMESPACE, self.store.names[key], ledger.run_id)
            for message in list(ledger.messages.values()):
                self.outbox.append(Envelope(source, key, decode_message(message)))
        self.drain_backlog()

    def _take_up_turn(self, resident: Resident) -> None:
        task = resident.run.workflow_task
        if task is None:
            return  # an attempt that was lost has led to a turn already
        if not task.started_time or self.world.chance.random() < 0.5:
            commit = Commit(resident.run, self.world.now, LIMITS)
            workflow_task.retry_now(commit)
            self.go_on_and_commit(resident, commit, None)

    def _take_up_attempt(self, resident: Resident, ref: int) -> None:
        activity = resident.run.activities.get(ref)
        if activity is not None and activity.started_time and activity.identity == LOCAL:
            self.world.report(resident.address, r.LoseActivity(ref, activity.attempt, "the engine died"))


def _reply(message: Message, outcome: Any) -> r.Request:
    cause = outcome.reason.name if isinstance(outcome, Rejection) else ""
    match message.request:
        case r.StartWorkflow():
            return r.ChildStartFailed(message.ref, cause) if cause else r.ChildStarted(message.ref, outcome)
        case r.SignalWorkflow():
            return r.ExternalSignalDelivered(message.ref, cause)
        case r.CancelWorkflow():
            return r.ExternalCancelDelivered(message.ref, cause)
        case other:
            raise AssertionError(f"nobody waits for an answer to {other}")
