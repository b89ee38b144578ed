"""A small world around the kernel, in which everything that can go wrong does, the same way for the same seed.

There is a store, an engine, workers, clients and a network, none of them real. The world decides by chance what happens
next: a client asks for something, a worker answers, late, twice or never, a message arrives, perhaps again, a batch is
written or lost, time passes, the engine dies. After each decision the state in memory is compared with what the stored
bytes give (``Ledger.check``). In the end everybody is honest for a while; then every run that is still open must wait for
something that can still happen (``checks``).

    Simulation(seed).run()
"""

import random
from collections.abc import Callable
from typing import Any

from tests.simulation.checks import check_rest
from tests.simulation.engine import (
    BUILD,
    LIMITS,
    LOCAL,
    NAMESPACE,
    STORE_ERROR,
    Attempt,
    Done,
    Engine,
    Envelope,
    RemoteTurn,
    Resident,
    Store,
)
from tests.simulation.program import TARGETS, Program, plan_input, rejects

from perdure.kernel.commit import Commit, Rejection
from perdure.kernel.run import WORKFLOW_TASK_REF, Run
from perdure.kernel.timer import deadline_after
from perdure.kernel.transition import transition
from perdure.kernel.workflow_task import preview, suggests_continue_as_new
from perdure.model import commands as c
from perdure.model import events as e
from perdure.model import requests as r
from perdure.model.activity_options import ActivityOptions
from perdure.model.failures import Failure
from perdure.model.ids import RunAddress
from perdure.model.options import SECOND_NS, IdConflict, IdReuse, RetryPolicy
from perdure.model.payloads import Payload
from perdure.model.service import UpdateStage

BEGINNING = 1_700_000_000 * SECOND_NS


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
            check_rest(self.store, self.forked, self.promises)
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
        self._check_alarms()

    def _check_alarms(self) -> None:
        """Every deadline that is still to come will wake the engine, unless a commit under way is about to set its alarm."""
        alarms = self.engine.alarms
        for key, ledger in self.store.ledgers.items():
            resident = self.engine.residents.get(key)
            if resident is not None and resident.in_flight:
                continue
            run = ledger.shadow
            assert run is not None
            refs = [*run.activities, *(ref for _, ref in ledger.timers)]
            for ref in refs:
                due = deadline_after(run, ref, self.now)
                alarm = alarms.get((key, ref), 0)
                assert not due or 0 < alarm <= due, f"nothing wakes run {run.run_id} at {due} for {ref}: {alarm}"

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
            name = f"signal-{self._signals}"
            request: r.Request = r.SignalWorkflow("go", request_id=name)
            done = self._promise(address, lambda run: name in run.request_ids, "has the signal")
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
        elif kind < 0.88:
            request, done = r.ResumeWorkflow("go on"), _nothing
        elif kind < 0.90:
            request, done = r.UpdateWorkflowOptions(chance.choice(("", BUILD, "old build"))), _nothing
        elif kind < 0.94:
            request, done = self._about_activities(), _nothing
        else:
            self._fork()
            return
        self.late.append(Envelope(address, request=request, done=done))
        if chance.random() < 0.2:
            self.late.append(Envelope(address, request=request, done=done))

    def _about_activities(self) -> r.Request:
        options = ActivityOptions("default", start_to_close_timeout_ns=SECOND_NS, retry_initial_ns=2 * SECOND_NS)
        return self.chance.choice(
            (
                r.PauseActivity(),
                r.UnpauseActivity(delay_ns=SECOND_NS),
                r.ResetActivity(resets_heartbeat=True),
                r.UpdateActivityOptions(options=options),
                r.UpdateActivityOptions(),
            )
        )

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
            return r.FailWorkflowTask(
                started_event_id, attempt, "WORKFLOW_WORKER_UNHANDLED_FAILURE", Failure("a bug"), identity
            )
        commands = program.turn(events, updates)
        if mood < 0.08:
            commands.append(self.chance.choice(_BAD_COMMANDS))
        return r.CompleteWorkflowTask(started_event_id, attempt, tuple(commands), identity, "build")

    def check_turn(self, request: r.Request, records: list) -> None:
        """A turn that an honest worker handed in was not refused for its commands."""
        if isinstance(request, r.CompleteWorkflowTask) and not any(
            command in _BAD_COMMANDS for command in request.commands
        ):
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
        started = transition(resident.run, r.StartWorkflowTask(f"remote-{self.steps}", BUILD), self.now, LIMITS)
        if resident.run.pinned_build_id not in ("", BUILD):
            assert isinstance(started, Rejection)
            return
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
            count = sum(number >= attempt.first for number in numbers)
            assert count <= attempt.max_attempts, f"activity {name} started {count} times since it was reset"
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
            attempts = engine.local or self.remote
            self._finish(attempts, attempts[0], 1.0)
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
            if ledger.shadow is not None and ledger.shadow.is_open and ledger.shadow.pinned_build_id == "old build":
                self.engine.decide(self.engine.load(key), r.UpdateWorkflowOptions(BUILD), None)
                return True
            if ledger.shadow is not None and any(pending.paused for pending in ledger.shadow.activities.values()):
                self.engine.decide(self.engine.load(key), r.UnpauseActivity(), None)
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
    c.StartTimer("bad", -1),
    c.StartTimer("", 1),
    c.ScheduleActivityTask("", "local", ""),
    c.StartChildWorkflowExecution("", "local", ""),
    c.SignalExternalWorkflowExecution(RunAddress("", ""), "go"),
    c.AcceptUpdate("never asked"),
    c.CompleteUpdate("never asked"),
)

_FAIR_CAUSES = (
    "UNHANDLED_COMMAND",
    "RESET_WORKFLOW",
    "WORKFLOW_WORKER_UNHANDLED_FAILURE",
    "TIMEOUT",
    "FORCE_CLOSE_COMMAND",
)
