"""A small world around the kernel, in which everything that can go wrong does, the same way for the same seed.

There is a store, an engine, workers, clients and a network, none of them real and all of them in this file. The engine drives the kernel as
``perdure.engine`` does: a turn taken here joins the commit that made it possible, so do the starts of activities; a successor begins in the same
batch; nothing is said or done before its batch is written. The world decides by chance what happens next: a client asks for something, a worker answers,
late, twice or never, a message arrives, perhaps again, a batch is written or lost, time passes, the engine dies. After each decision the
state in memory is compared with what the stored bytes give, and at the end, when everybody has been honest for a while, every run that is still open must wait
for something that can still happen.

    Simulation(seed).run()
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from perdure.kernel import derive, start_policy
from perdure.kernel.commit import Commit, Message, Reason, Rejection
from perdure.kernel.run import WORKFLOW_TASK, WORKFLOW_TASK_REF, Run
from perdure.kernel.timer import deadline
from perdure.kernel.transition import start, start_fork, transition
from perdure.kernel.workflow_task import preview, retry_now, suggests_continue_as_new
from perdure.model import commands as c
from perdure.model import events as e
from perdure.model import requests as r
from perdure.model.failures import Failure
from perdure.model.ids import RunAddress
from perdure.model.limits import Limits
from perdure.model.options import SECOND_NS, IdConflict, IdReuse, ParentClose, RetryPolicy
from perdure.model.payloads import Payload
from perdure.model.service import UpdateStage
from tests.kernel.ledger import Ledger, decode_message, numbered
from tests.simulation.program import TARGETS, Program, plan_input, rejects

NAMESPACE = "default"
BEGINNING = 1_700_000_000 * SECOND_NS
LOCAL = "local"
LIMITS = Limits(suggest_history_events=40, pending_updates=4, buffered_events=6)

StoreError = type("StoreError", (), {})
STORE_ERROR = StoreError()
"""What became of a request whose batch could not be written."""

Done = Callable[[Any], None]
"""Called with None when a request is recorded, else with a ``Rejection`` or ``STORE_ERROR``."""


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
    done: Done | None = None


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
        request = r.ForkWorkflow(workflow_id, base.run.run_id, event_id, records, program_input, "again", is_reset=is_reset)
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
        )

    def _take_turn(self, resident: Resident, commit: Commit) -> None:
        run, world = resident.run, self.world
        taken = transition(run, r.StartWorkflowTask(LOCAL), commit.now, LIMITS, commit)
        assert taken is commit
        self._note_events(resident, commit)
        if resident.program is None:
            resident.program = Program(run.started)
        events = resident.events[resident.program.seen :]
        events += preview(run, suggests_continue_as_new(commit))
        task = run.workflow_task
        assert task is not None
        number = task.attempt
        updates = [update.admitted for update in run.updates.values() if update.admitted is not None]
        request = world.answer_of_turn(resident.program, events, updates, number, LOCAL)
        world.note("turn", run.run_id, request)
        outcome = transition(run, request, commit.now, LIMITS, commit)
        assert outcome is commit, f"a turn that was just started was refused: {outcome}"
        world.check_turn(request, commit.records[commit.noted :])
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
        request = r.StartActivity(ref, activity.attempt, identity)
        if isinstance(transition(resident.run, request, commit.now, LIMITS, commit), Rejection):
            return None
        if identity == LOCAL:
            self.free_slots -= 1
        policy = activity.scheduled.retry_policy
        return Attempt(resident.address, resident.key, ref, activity.attempt, identity, policy.max_attempts)

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
                self.outbox.append(Envelope(envelope.address, request=reply, done=lambda outcome: answered(reply, outcome)))
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
            retry_now(commit)
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


# --- the world


class Simulation:
    """One seed's world. ``run`` raises ``AssertionError`` if anything is not as it must be; ``trace`` tells what happened."""

    def __init__(self, seed: int, *, tracing: bool = False) -> None:
        self.seed = seed
        self.tracing = tracing
        self.trace: list[tuple] = []
        self.chance = random.Random(seed)
        self.now = BEGINNING
        self.store = Store()
        self.honest = False
        self.forked: set[str] = set()
        self._runs = 0
        self._updates = 0
        self._signals = 0
        self.remote: list[Attempt] = []
        self.remote_turns: list[RemoteTurn] = []
        self.late: list[Envelope] = []
        """Answers and messages that outlive the engine, or come a second time."""
        self.handed_out: dict[tuple[str, int], list[int]] = {}
        self.completed: set[tuple[str, int]] = set()
        self.promises: list[tuple[str, Callable[[Run], bool], str]] = []
        """What somebody was told of a run: its id, what must then be true of it for ever, and what that is."""
        self.outcomes: dict[tuple[str, str], list] = {}
        self.engine = Engine(self)
        self.steps = 0
        odds = {
            self._client_asks: 22,
            self._write_some: 18,
            self._something_arrives: 18,
            self._worker_acts: 14,
            self._remote_polls: 8,
            self._time_passes: 13,
            self._forget_a_run: 2,
            self._nonsense: 1,
            self._refuse: 1,
            self._crash: 1.5,
        }
        # No two worlds are alike: in some it is mostly this that happens, in others mostly that.
        self.acts = tuple(odds)
        self.weights = [weight * self.chance.choice((0.2, 1, 1, 1, 4)) for weight in odds.values()]

    def note(self, *parts: object) -> None:
        """Remember it for the trace."""
        if self.tracing:
            self.trace.append((self.steps, (self.now - BEGINNING) / SECOND_NS, *parts))

    def new_run_id(self) -> str:
        """A run id nobody has used."""
        self._runs += 1
        return f"run-{self._runs}"

    # --- the story

    def run(self, steps: int = 120) -> None:
        """Everything, from the first start to the last check."""
        for _ in range(steps):
            self.steps += 1
            self._step()
        for _ in range(30):
            self._settle()
            self._check_waits()
            if not self._signal_everything():
                return
        raise AssertionError("some runs never end")

    def _step(self) -> None:
        (act,) = self.chance.choices(self.acts, self.weights)
        act()

    def _write_some(self) -> None:
        if self.engine.writing:
            self.engine.written()
        else:
            self.engine.write()
            if self.chance.random() < 0.5:
                self.engine.written()

    def _something_arrives(self) -> None:
        pool = self.engine.outbox if self.chance.random() < 0.85 or not self.late else self.late
        if pool:
            envelope = pool.pop(self.chance.randrange(len(pool)))
            again = self.chance.random()
            if again < 0.1 and _may_linger(envelope):
                self.late.append(_twice(envelope))
            elif again < 0.1 and envelope.message is not None:
                self.engine.outbox.append(envelope)
            self.note("arrives", envelope)
            self.engine.deliver(envelope)

    def _time_passes(self) -> None:
        engine, chance = self.engine, self.chance
        self.now += chance.choice((1, SECOND_NS // 10, SECOND_NS, 3 * SECOND_NS, 15 * SECOND_NS))
        if engine.alarms and chance.random() < 0.3:
            self.now = max(self.now, min(engine.alarms.values()))
        self._ring()
        if chance.random() < 0.3:
            for resident in list(engine.residents.values()):
                engine.go_on_and_commit(resident, Commit(resident.run, self.now, LIMITS), None)

    def _ring(self) -> None:
        alarms = self.engine.alarms
        due = [name for name, time in alarms.items() if time <= self.now]
        self.chance.shuffle(due)
        for name in due:
            if alarms.get(name, self.now + 1) <= self.now:
                del alarms[name]
                self.note("rings", name)
                self.engine.fire(*name)

    def _forget_a_run(self) -> None:
        idle = [resident for resident in self.engine.residents.values() if not self._is_busy(resident)]
        if idle:
            del self.engine.residents[self.chance.choice(idle).key]

    def _is_busy(self, resident: Resident) -> bool:
        return any(
            effect.resident is resident or (effect.forget and effect.forget[0] == resident.key)
            for effect in (*self.engine.writing, *self.engine.batch)
        )

    def _refuse(self) -> None:
        if self.engine.writing or self.engine.batch:
            self.note("the store refuses")
            self.engine.refused()

    def _crash(self) -> None:
        engine, chance = self.engine, self.chance
        is_written = bool(engine.writing) and chance.random() < 0.5
        self.note("crash", "with the batch written" if is_written else "without the batch")
        if is_written:
            engine.store_writing()
        # What was on the wire may still come; what was a worker of this process is gone.
        for envelope in engine.outbox:
            if chance.random() < 0.2 and _may_linger(envelope):
                self.late.append(_twice(envelope))
        self.now += chance.choice((0, SECOND_NS, 60 * SECOND_NS))
        self.engine = Engine(self)
        self.engine.take_up()

    # --- clients

    def _client_asks(self) -> None:
        chance = self.chance
        kind = chance.random()
        if kind < 0.25 or not self.store.ledgers:
            self._start()
            return
        address = self._some_address()
        if kind < 0.45:
            self._signals += 1
            request: r.Request = r.SignalWorkflow("go", request_id=f"signal-{self._signals}")
            done = self._promise(address, lambda run: request.request_id in run.request_ids, "has the signal")
        elif kind < 0.65:
            self._updates += 1
            request = r.UpdateWorkflow(f"update-{chance.randint(1, self._updates)}", "change")
            done = _nothing
        elif kind < 0.73:
            request = r.CancelWorkflow("enough", f"cancel-{self.steps}")
            done = self._promise(address, lambda run: run.cancel_requested, "was asked to cancel")
        elif kind < 0.78:
            request = r.TerminateWorkflow("enough")
            done = self._promise(address, lambda run: run.close is not None, "is closed")
        elif kind < 0.84:
            request, done = r.PauseWorkflow("wait"), _nothing
        elif kind < 0.90:
            request, done = r.ResumeWorkflow("go on"), _nothing
        else:
            self._fork()
            return
        self.late.append(Envelope(address, request=request, done=done))
        if chance.random() < 0.2:
            self.late.append(Envelope(address, request=request, done=done))

    def _some_address(self) -> RunAddress:
        key = self.chance.choice(list(self.store.ledgers))
        run_id = self.store.ledgers[key].run_id if self.chance.random() < 0.5 else ""
        return RunAddress(NAMESPACE, self.store.names[key], run_id)

    def _promise(self, address: RunAddress, is_kept: Callable[[Run], bool], what: str) -> Done:
        """A callback: once the request is recorded, this must be true of the run, whatever happens."""

        def done(outcome: Any) -> None:
            if outcome is None and address.run_id:
                self.promises.append((address.run_id, is_kept, what))

        return done

    def _start(self) -> None:
        chance = self.chance
        self._signals += 1
        signal = r.SignalWorkflow("go", request_id=f"signal-{self._signals}") if chance.random() < 0.15 else None
        update = None
        if chance.random() < 0.1:
            self._updates += 1
            update = r.UpdateWorkflow(f"update-{self._updates}", "change")
        request = r.StartWorkflow(
            chance.choice(TARGETS),
            chance.choice((LOCAL, LOCAL, "remote")),
            input=plan_input(chance.randrange(1 << 30)),
            request_id=f"start-{self.steps}",
            id_reuse=chance.choice(tuple(IdReuse)),
            id_conflict=chance.choice(tuple(IdConflict)),
            execution_timeout_ns=chance.choice((0, 0, 0, 100)) * SECOND_NS,
            run_timeout_ns=chance.choice((0, 0, 0, 50)) * SECOND_NS,
            retry_policy=RetryPolicy(max_attempts=3, non_retryable=("Fatal",)) if chance.random() < 0.3 else None,
            start_delay_ns=chance.choice((0, 0, 0, 5)) * SECOND_NS,
            signal=signal,
            update=update,
        )

        def done(outcome: Any) -> None:
            if isinstance(outcome, str):
                self.promises.append((outcome, lambda run: True, "exists"))

        self.engine.start(request, done)
        if chance.random() < 0.1:
            self.engine.start(request, done)

    def _fork(self) -> None:
        address = self._some_address()
        base = self.engine.find(address)
        if base is None:
            return
        event_id = self.chance.randint(1, base.run.history_length)
        is_reset = self.chance.random() < 0.6
        workflow_id = base.run.workflow_id if is_reset else f"fork-{self.steps}"
        note = self.chance.choice((None, self.steps))
        self.engine.fork(base, event_id, workflow_id, is_reset, None if is_reset else note)

    def _nonsense(self) -> None:
        """Requests that belong to nothing."""
        chance, address = self.chance, self._some_address() if self.store.ledgers else RunAddress(NAMESPACE, "nobody")
        number, attempt = chance.randint(-5, 30), chance.randint(0, 3)
        resident = self.engine.find(address)
        if resident is None:
            return
        if chance.random() < 0.5:
            # Something that the run may well wait for, but not from this attempt.
            number = chance.choice([number, *resident.run.activities, *resident.run.children])
            activity = resident.run.activities.get(number)
            if activity is not None:
                attempt = activity.attempt + chance.choice((-1, 1))
        request = chance.choice(
            (
                r.FireTimer(number),
                r.StartActivity(number, attempt),
                r.CompleteActivity(number, attempt),
                r.FailActivity(number, attempt, Failure("no")),
                r.CancelActivity(number, attempt),
                r.HeartbeatActivity(number, attempt),
                r.LoseActivity(number, attempt),
                r.CompleteWorkflowTask(number + 1000, attempt, ()),
                r.FailWorkflowTask(number, attempt + 50, "NONSENSE"),
                r.ChildStarted(number + 1000, "nobody"),
                r.ExternalSignalDelivered(number + 1000),
                r.ExternalCancelDelivered(number + 1000),
                r.SignalWorkflow("go", child_of="nobody"),
                r.TerminateWorkflow(child_of="nobody"),
            )
        )
        self.engine.decide(resident, request, None)

    # --- workers

    def answer_of_turn(
        self, program: Program, events: list, updates: list[e.UpdateAdmitted], attempt: int, identity: str
    ) -> r.CompleteWorkflowTask | r.FailWorkflowTask:
        """What a worker answers when its program has taken a turn. Some workers have bugs, for a while."""
        started_event_id = events[-1].id
        mood = 1.0 if self.honest else self.chance.random()
        if mood < 0.04:
            return r.FailWorkflowTask(started_event_id, attempt, "WORKFLOW_WORKER_UNHANDLED_FAILURE", Failure("a bug"), identity)
        commands = program.turn(events, updates)
        if mood < 0.08:
            commands.append(self.chance.choice(_BAD_COMMANDS))
        return r.CompleteWorkflowTask(started_event_id, attempt, tuple(commands), identity, "build")

    def check_turn(self, request: r.Request, records: list) -> None:
        """A turn that an honest worker handed in was not refused for its commands."""
        if isinstance(request, r.CompleteWorkflowTask) and not any(command in _BAD_COMMANDS for command in request.commands):
            for record in records:
                cause = getattr(record, "cause", "")
                if isinstance(record, e.WorkflowTaskFailed | e.WorkflowTaskAttemptFailed):
                    assert cause in _FAIR_CAUSES, f"a good turn failed: {record}"

    def _remote_polls(self) -> None:
        """A remote worker asks for work: the store's tasks say what there is."""
        chance, engine = self.chance, self.engine
        tasks = [
            (key, ref)
            for key, ledger in self.store.ledgers.items()
            for ref, task in ledger.tasks.items()
            if not task.started and task.type == "remote"
        ]
        if not tasks:
            return
        key, ref = chance.choice(tasks)
        resident = engine.load(key)
        if ref != WORKFLOW_TASK_REF:
            engine.start_apart(resident, ref, f"remote-{self.steps}")
            return
        task = resident.run.workflow_task
        if task is None or task.started_time or task.next_attempt_time > self.now or resident.run.is_paused:
            return
        started = transition(resident.run, r.StartWorkflowTask(f"remote-{self.steps}"), self.now, LIMITS)
        assert isinstance(started, Commit)
        engine.add(resident, started, [], lambda outcome: self._hand_out_turn(turn) if outcome is None else None)
        run, task = resident.run, resident.run.workflow_task
        assert task is not None
        updates = [update.admitted for update in run.updates.values() if update.admitted is not None]
        events = resident.events + preview(run, suggests_continue_as_new(started))
        turn = RemoteTurn(resident.address, run.started, events, updates, task.attempt, task.started_event_id)
        self.note("remote turn", run.run_id, turn.started_event_id)

    def _hand_out_turn(self, turn: RemoteTurn) -> None:
        if self.honest or self.chance.random() < 0.9:
            self.remote_turns.append(turn)

    def hand_out(self, attempt: Attempt) -> None:
        """A worker gets an attempt."""
        name = (attempt.address.run_id, attempt.ref)
        numbers = self.handed_out.setdefault(name, [])
        assert attempt.number not in numbers, f"attempt {attempt.number} of {name} was handed out twice"
        numbers.append(attempt.number)
        if attempt.max_attempts:
            assert len(numbers) <= attempt.max_attempts, f"activity {name} started {len(numbers)} times"
        assert name not in self.completed, f"activity {name} has completed, and runs again"
        self.note("handed out", attempt)
        (self.engine.local if attempt.identity == LOCAL else self.remote).append(attempt)

    def remember_completions(self, commit: Commit) -> None:
        """What the store has now: these activities must never run again."""
        for record in commit.records:
            event = record.event if isinstance(record, e.EventBuffered) else record
            if isinstance(event, e.ActivityTaskCompleted):
                self.completed.add((commit.run.run_id, event.scheduled_event_id))

    def tell_to_cancel(self, run_id: str, ref: int) -> None:
        """Workers learn that an activity is not wanted any more."""
        for attempt in (*self.engine.local, *self.remote):
            if attempt.address.run_id == run_id and attempt.ref == ref:
                attempt.told_to_cancel = True

    def _worker_acts(self) -> None:
        chance = self.chance
        pool = chance.choice((self.engine.local, self.engine.local, self.remote))
        if self.remote_turns and (not pool or chance.random() < 0.4):
            self._finish_turn(self.remote_turns.pop(chance.randrange(len(self.remote_turns))))
        elif pool:
            attempt = chance.choice(pool)
            kind = chance.random()
            if kind < 0.15:
                details = (Payload(b"%d" % self.steps),)
                self.report(attempt.address, r.HeartbeatActivity(attempt.ref, attempt.number, details))
                return
            if kind < 0.25 and attempt.identity != LOCAL:
                pool.remove(attempt)  # that worker is never heard of again
                return
            self._finish(pool, attempt, kind)

    def _finish(self, pool: list[Attempt], attempt: Attempt, kind: float) -> None:
        pool.remove(attempt)
        if attempt.identity == LOCAL:
            self.engine.free_slots += 1
        ref, number = attempt.ref, attempt.number
        request: r.Request
        if attempt.told_to_cancel and kind < 0.7:
            request = r.CancelActivity(ref, number)
        elif kind < 0.40:
            request = r.FailActivity(ref, number, Failure("oops", type=self.chance.choice(("Fatal", "Oops"))))
        elif kind < 0.45:
            request = r.FailActivity(ref, number, Failure("soon", next_retry_delay_ns=SECOND_NS), heartbeat_details=())
        else:
            request = r.CompleteActivity(ref, number, (Payload(b"%d" % self.steps),))
        self.report(attempt.address, request)
        if self.chance.random() < 0.1:
            self.late.append(Envelope(attempt.address, request=request, done=_nothing))

    def report(self, address: RunAddress, request: r.Request) -> None:
        """A worker hands in what became of an attempt, and again until it is recorded or refused."""

        def done(outcome: Any) -> None:
            if outcome is STORE_ERROR:
                self.engine.outbox.append(Envelope(address, request=request, done=done))

        self.engine.submit(address, request, done)
        self.engine.drain_backlog()

    def _finish_turn(self, turn: RemoteTurn) -> None:
        request = self.answer_of_turn(Program(turn.started), turn.events, turn.updates, turn.number, "remote")
        self.note("remote turn ends", turn.address.run_id, request)
        resident = self.engine.find(turn.address)
        assert resident is not None
        commit = transition(resident.run, request, self.now, LIMITS)
        if isinstance(commit, Rejection):
            resident.ledger.check(resident.run)
        else:
            self.check_turn(request, commit.records)
            self.engine.go_on_and_commit(resident, commit, None)
        if not self.honest and self.chance.random() < 0.1:
            self.late.append(Envelope(turn.address, request=request, done=_nothing))

    def hear(self, run_id: str, answers: list) -> None:
        """Callers are told how far their updates have come."""
        for answer in answers:
            if answer.stage is UpdateStage.COMPLETED:
                heard = self.outcomes.setdefault((run_id, answer.update_id), [])
                heard.append(answer)
                if rejects(answer.update_id):
                    assert answer.failure is not None
                else:
                    assert len(heard) == 1, f"update {answer.update_id} was answered twice: {heard}"

    # --- the end

    def _settle(self) -> None:
        """Everybody is honest until nothing more happens of itself."""
        self.honest = True
        for _ in range(2000):
            self.steps += 1
            if not self._honest_round():
                return
        raise AssertionError("the world does not come to rest")

    def _honest_round(self) -> bool:
        """Do all there is to do; if there is nothing, let time pass to the next alarm. Whether anything was done."""
        engine = self.engine
        if engine.writing:
            engine.written()
        elif engine.batch:
            engine.write()
        elif engine.outbox or self.late:
            for pool in (engine.outbox, self.late):
                while pool:
                    engine.deliver(pool.pop(0))
        elif self.remote_turns:
            self._finish_turn(self.remote_turns.pop())
        elif engine.local or self.remote:
            pool = engine.local or self.remote
            self._finish(pool, pool[0], 1.0)
        elif self._resume_one() or self._poll_honestly() or self._wake_one():
            pass
        elif engine.alarms:
            self.now = max(self.now, min(engine.alarms.values()))
            self._ring()
        else:
            return self._lose_the_silent()
        return True

    def _resume_one(self) -> bool:
        for key, ledger in self.store.ledgers.items():
            if ledger.shadow is not None and ledger.shadow.is_paused:
                self.engine.decide(self.engine.load(key), r.ResumeWorkflow(), None)
                return True
        return False

    def _poll_honestly(self) -> bool:
        before = len(self.engine.batch)
        for _ in range(3):
            self._remote_polls()
        return len(self.engine.batch) > before

    def _wake_one(self) -> bool:
        """A failed turn whose back-off is over, as the engine's own alarm would find it."""
        for key, ledger in self.store.ledgers.items():
            task = ledger.tasks.get(WORKFLOW_TASK_REF)
            if task is not None and not task.started and task.type == LOCAL and task.due <= self.now:
                resident = self.engine.load(key)
                self.engine.go_on_and_commit(resident, Commit(resident.run, self.now, LIMITS), None)
                return True
        return False

    def _lose_the_silent(self) -> bool:
        """Attempts without a timeout whose worker was never heard of again: an operator gives them up."""
        for key, ledger in self.store.ledgers.items():
            for ref, task in ledger.tasks.items():
                if ref and task.started and not task.due:
                    resident = self.engine.load(key)
                    attempt = resident.run.activities[ref].attempt
                    self.engine.decide(resident, r.LoseActivity(ref, attempt), None)
                    return True
        return False

    def _check_waits(self) -> None:
        """Every open run waits for something that can still happen, and everybody who must know something knows it."""
        open_runs: dict[str, Run] = {}
        all_runs: dict[str, Run] = {}
        for ledger in self.store.ledgers.values():
            ledger.check_whole()
            run = ledger.shadow
            assert run is not None
            ledger.check(run)
            assert not ledger.messages, f"messages of {run.run_id} have not arrived: {sorted(ledger.messages)}"
            all_runs[run.run_id] = run
            if run.close is None:
                open_runs[run.run_id] = run
        self._check_families(all_runs)
        for run in open_runs.values():
            self._check_wait(run, open_runs)
            self._check_orphan(run, all_runs)
        for run_id, is_kept, what in self.promises:
            assert run_id in all_runs, f"run {run_id} was started, and is not there"
            assert is_kept(all_runs[run_id]), f"run {run_id} {what}, somebody was told, and it is not so"

    def _check_wait(self, run: Run, open_runs: dict[str, Run]) -> None:
        assert run.workflow_task is None, f"nobody takes the turn of {run.run_id}: {run.workflow_task}"
        assert not run.activities, f"nobody runs the activities of {run.run_id}: {run.activities}"
        assert not run.timers and not run.external_signals and not run.external_cancels
        assert not any(update.admitted for update in run.updates.values()), f"nobody answers the updates of {run.run_id}"
        program = Program(run.started)
        program.feed(numbered(self.store.ledgers[self._key(run.run_id)].records()))
        assert program.children.keys() == run.children.keys()
        assert program.waits(), f"run {run.run_id} waits for nothing"
        for ref, child in run.children.items():
            parents = [
                other
                for other in open_runs.values()
                if other.started.parent is not None
                and other.started.parent.run_id == run.run_id
                and other.started.parent.initiated_event_id == ref
            ]
            assert parents, f"run {run.run_id} was not told how its child {child} ended"
            assert len(parents) == 1, f"run {run.run_id} has its child {child} twice"

    def _check_families(self, all_runs: dict[str, Run]) -> None:
        """Each child was born once, and its parent knows it by its right name."""
        born: dict[tuple[str, int], str] = {}
        for run in all_runs.values():
            parent, started = run.started.parent, run.started
            if parent is not None and not started.continued_execution_run_id and run.run_id not in self.forked:
                name = (parent.run_id, parent.initiated_event_id)
                if name in born:
                    assert self._id_was_used_between(born[name], run), f"child {name} was born as {born[name]} and as {run.run_id}"
                else:
                    born[name] = run.run_id
        for ledger in self.store.ledgers.values():
            if ledger.run_id in self.forked:
                continue
            for event in numbered(ledger.records()):
                name = (ledger.run_id, getattr(event, "initiated_event_id", 0))
                if isinstance(event, e.StartChildWorkflowExecutionFailed):
                    child = all_runs.get(born.get(name, ""))
                    assert child is None or self._id_was_used_between(child.run_id, child), f"child {name} could not start, its parent was told, and it is {born[name]}"
                elif isinstance(event, e.ChildWorkflowExecutionStarted):
                    child = all_runs[event.run_id]
                    first = child.started.first_execution_run_id
                    assert self._is_forked(child) or born.get(name) == first, f"child {name} is {born.get(name)}, its parent was told {first}"

    def _is_forked(self, run: Run) -> bool:
        """Whether the run, or one that it goes on for, began with a copied history."""
        while run.run_id not in self.forked:
            key = self.store.by_run_id(run.started.continued_execution_run_id)
            if key is None:
                return False
            before = self.store.ledgers[key].shadow
            assert before is not None
            run = before
        return True

    def _id_was_used_between(self, first_run_id: str, run: Run) -> bool:
        """Whether somebody else has used the workflow id since, so that the request can't be known as a repeat."""
        for key, name in self.store.names.items():
            other = self.store.ledgers[key].shadow
            if name == run.workflow_id and other is not None:
                if other.run_id in self.forked or other.started.first_execution_run_id not in (first_run_id, run.run_id):
                    return True
        return False

    def _check_orphan(self, run: Run, all_runs: dict[str, Run]) -> None:
        """A parent that has closed has done to its children what it said."""
        started = run.started
        if started.parent is None or self._is_forked(run):
            return
        parent = all_runs[started.parent.run_id]
        if parent.close is not None and started.parent_close_policy is not ParentClose.ABANDON:
            assert started.parent_close_policy is ParentClose.CANCEL, f"run {run.run_id} has outlived its parent"
            assert run.cancel_requested or started.continued_execution_run_id, f"run {run.run_id} does not know that its parent closed"

    def _key(self, run_id: str) -> int:
        key = self.store.by_run_id(run_id)
        assert key is not None
        return key

    def _signal_everything(self) -> bool:
        """What still waits, waits for signals: send some. Whether any run is open."""
        open_keys = [key for key, ledger in self.store.ledgers.items() if ledger.shadow and ledger.shadow.close is None]
        for key in open_keys:
            address = RunAddress(NAMESPACE, self.store.names[key], self.store.ledgers[key].run_id)
            for number in range(2):
                signal = r.SignalWorkflow("go", request_id=f"last-{self.steps}-{number}")
                self.engine.outbox.append(Envelope(address, request=signal, done=_nothing))
        return bool(open_keys)


def _nothing(outcome: Any) -> None:
    """Nobody is interested."""


def _may_linger(envelope: Envelope) -> bool:
    """Whether a copy may arrive at any later time. The start of a child may not, nor that it could not start: what came of it
    then would not be what came of it before, and the parent can't tell the two apart."""
    request = envelope.request if envelope.message is None else envelope.message.request
    return not isinstance(request, r.StartWorkflow | r.ChildStartFailed)


def _twice(envelope: Envelope) -> Envelope:
    """A copy whose fate interests nobody."""
    if envelope.message is not None:
        return Envelope(envelope.message.target, request=envelope.message.request, done=_nothing)
    return Envelope(envelope.address, request=envelope.request, done=_nothing)


_BAD_COMMANDS: tuple[c.AnyCommand, ...] = (
    c.RequestCancelActivityTask(100_000),
    c.CancelTimer("never set"),
    c.StartTimer("bad", 0),
    c.StartTimer("", 1),
    c.ScheduleActivityTask("", "local", ""),
    c.StartChildWorkflowExecution("", "local", ""),
    c.SignalExternalWorkflowExecution(RunAddress("", ""), "go"),
    c.AcceptUpdate("never asked"),
    c.CompleteUpdate("never asked"),
)

_FAIR_CAUSES = ("UNHANDLED_COMMAND", "RESET_WORKFLOW", "WORKFLOW_WORKER_UNHANDLED_FAILURE", "TIMEOUT", "FORCE_CLOSE_COMMAND")

assert WORKFLOW_TASK != WORKFLOW_TASK_REF
