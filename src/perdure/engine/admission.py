"""Admission: whether an attempt that is ready may start, or what it waits for.

Asked before the engine reserves a worker's slot. Whoever may not start stands in the backlog, uses up no attempt, and
goes on when what held it ends: a slot is free, a clock is due, a trial has succeeded, a setting has changed. Queues
without settings and activities without a breaker are never asked about.

It owns the rules of task queues (``queue_rules``), the circuit breakers (``breakers``), and the permits: which attempts
live now, from the decision to start one until its code has ended. Nothing here decides about a run, and nothing here
but the settings outlives the process.
"""

from collections.abc import Callable, Iterable

from perdure.engine.backlog import FREE, Backlog, Entry, Line, QueueName
from perdure.engine.breakers import Breaker, BreakerName, counts
from perdure.engine.ports import Clock
from perdure.engine.queue_rules import Permit, QueueRules, has_rules
from perdure.engine.resident import Resident
from perdure.kernel.activity import is_ready
from perdure.kernel.commit import Commit
from perdure.kernel.run import Activity
from perdure.model import events as e
from perdure.model.events import ActivityTaskScheduled
from perdure.model.failures import Failure
from perdure.model.ids import RunAddress
from perdure.model.program import ActivityTask, Worker
from perdure.model.requests import CancelActivity, CompleteActivity, FailActivity, Request
from perdure.model.task_queues import BreakerPolicy, Hold, HoldReason, TaskQueue

_OVER = (CompleteActivity, FailActivity, CancelActivity)


class Admission:
    """``wake`` is called when something that was held may start."""

    def __init__(self, clock: Clock, worker: Worker | None, backlog: Backlog, wake: Callable[[], None]) -> None:
        self.rules: dict[QueueName, QueueRules] = {}
        """Queues with settings; read directly where it is asked of every activity whether there are any."""
        self.breakers: dict[BreakerName, Breaker] = {}
        self.permits: dict[tuple[str, int], Permit] = {}
        """The attempts that live and are subject to anything, by run id and scheduled event id."""
        self.changed: Callable[[QueueName], None] = _nobody
        """Called when a breaker of a queue opens or closes."""
        self._clock = clock
        self._worker = worker
        self._backlog = backlog
        self._wake = wake
        self._alarm = 0
        self._disarm: Callable[[], None] | None = None

    # --- may it start?

    def is_held(self, namespace: str, scheduled: ActivityTaskScheduled, now: int) -> bool:
        """Whether an attempt may not start now, whatever slots there are."""
        rules = self.rules.get((namespace, scheduled.task_queue))
        if rules is not None and (
            rules.held(now) is not None
            or (scheduled.limit_key and rules.key_held(scheduled.limit_key, now) is not None)
        ):
            return True
        breaker = self.breakers.get((namespace, scheduled.task_queue, scheduled.activity_type))
        return breaker is not None and breaker.held_until(now) is not None

    def choose(self, line: Line, worker: Worker, now: int) -> Entry | None:
        """Who of a line starts next; a slot is reserved for it. None if nobody can, and then the clock is set."""
        queue = line.queue
        rules = self.rules.get(queue)
        held_until = None
        if rules is not None:
            held = rules.held(now)
            if held is not None:
                self._wake_at(held[1])
                return None
            line.free_due_keys(now)
            line.ageing_ns = rules.settings.ageing_ns
            held_until = _held_until(rules, now)
        closed: set[str] = set()
        while (entry := line.first(now, closed, held_until)) is not None:
            activity_type = entry[3].activity_type
            breaker = self.breakers.get((*queue, activity_type)) if self.breakers else None
            until = None if breaker is None else breaker.held_until(now)
            if until is not None:
                self._wake_at(until)
            elif worker.reserve(queue[1], activity_type):
                return entry
            closed.add(activity_type)
        if rules is not None:
            self._wake_at(line.next_due)
        return None

    def _wake_at(self, due: int) -> None:
        if due and (not self._alarm or due < self._alarm):
            if self._disarm is not None:
                self._disarm()
            self._alarm = due
            self._disarm = self._clock.call_at(due, self._due)

    def _due(self) -> None:
        self._alarm = 0
        self._disarm = None
        self._wake()

    def close(self) -> None:
        """Wake nobody any more."""
        if self._disarm is not None:
            self._disarm()
            self._disarm = None

    # --- an attempt's life

    def permit(
        self, queue: QueueName, activity_type: str, limit_key: str, policy: BreakerPolicy | None, now: int
    ) -> Permit | None:
        """An attempt is about to start. None if it is subject to nothing."""
        rules = self.rules.get(queue) if self.rules else None
        breaker = self.breakers.get((*queue, activity_type)) if self.breakers else None
        if breaker is None and policy is not None:
            breaker = self.breakers[*queue, activity_type] = Breaker((*queue, activity_type), policy)
        if rules is None and breaker is None:
            return None
        permit = Permit(rules, breaker, limit_key, now)
        if rules is not None:
            rules.add(permit)
            rules.note_start(permit)
        if breaker is not None:
            breaker.started(permit)
        return permit

    def begun(self, permit: Permit | None, resident: Resident, pending: Activity, now: int) -> None:
        """Its start is decided."""
        scheduled = pending.scheduled
        if permit is None:
            queue = (resident.run.namespace, scheduled.task_queue)
            permit = self.permit(queue, scheduled.activity_type, scheduled.limit_key, scheduled.breaker, now)
            if permit is None:
                return
        if scheduled.breaker is not None:
            self._watch(
                permit, (resident.run.namespace, scheduled.task_queue, scheduled.activity_type), scheduled.breaker
            )
        self._name(permit, resident.run.run_id, scheduled, pending.attempt)

    def _watch(self, permit: Permit, name: BreakerName, policy: BreakerPolicy) -> None:
        """The type has a breaker, by these options from now on; it may be new, or taken up from the store."""
        breaker = permit.breaker
        if breaker is None:
            breaker = permit.breaker = self.breakers.setdefault(name, Breaker(name, policy))
            breaker.started(permit)
        breaker.policy = policy

    def _name(self, permit: Permit, run_id: str, scheduled: ActivityTaskScheduled, attempt: int) -> None:
        permit.scheduled = scheduled
        permit.run_id = run_id
        permit.attempt = attempt
        name = (run_id, scheduled.id)
        permit.older = self.permits.get(name)
        self.permits[name] = permit

    def give_back(self, permit: Permit | None) -> None:
        """An attempt that was about to start does not."""
        if permit is not None:
            permit.is_live = False
            if permit.rules is not None:
                permit.rules.take_back(permit)
                self._free_key(permit)

    def undone(self, task: ActivityTask) -> None:
        """The decision to start an attempt could not be written."""
        permit = self._find(task.address.run_id, task.scheduled.id, task.attempt)
        if permit is not None:
            self._remove(permit)

    def reported(self, address: RunAddress, request: Request) -> None:
        """A worker says how an attempt ended: its code runs no more."""
        if not isinstance(request, _OVER):
            return
        permit = self._find(address.run_id, request.scheduled_event_id, request.attempt)
        if permit is None:
            return
        if isinstance(request, CompleteActivity):
            self._judge(permit, None)
        elif isinstance(request, FailActivity):
            self._judge(permit, request.failure)
        self._remove(permit)

    def observe(self, resident: Resident, commit: Commit) -> None:
        """What a commit did to attempts: those that timed out, were completed from outside, or are no longer wanted."""
        run = resident.run
        for ref in commit.tasks:
            permit = self.permits.get((run.run_id, ref))
            pending = run.activities.get(ref)
            while permit is not None:
                older = permit.older
                if pending is None or pending.attempt != permit.attempt or not pending.started_time:
                    self._ended(permit, resident, commit, ref)
                permit = older

    def _ended(self, permit: Permit, resident: Resident, commit: Commit, ref: int) -> None:
        for record in commit.records:
            event = record.event if isinstance(record, e.EventBuffered) else record
            match event:
                case e.ActivityTaskCompleted(scheduled_event_id=found) if found == ref:
                    self._judge(permit, None)
                case e.ActivityAttemptFailed(scheduled_event_id=found, attempt=permit.attempt) if found == ref:
                    self._judge(permit, event.failure)
                case e.ActivityTaskFailed(scheduled_event_id=found) if found == ref:
                    self._judge(permit, event.failure)
                case e.ActivityTaskTimedOut(scheduled_event_id=found) if found == ref:
                    self._judge(permit, event.failure)
        # Code that goes on although nobody wants it any more still takes what the limits are there to protect.
        if self._worker is None or not self._worker.runs_activity(resident.address, ref, permit.attempt):
            self._remove(permit)

    def _judge(self, permit: Permit, failure: Failure | None) -> None:
        breaker, scheduled = permit.breaker, permit.scheduled
        if breaker is None or scheduled is None or permit.is_judged:
            return
        permit.is_judged = True
        verdict = False if failure is None else counts(failure, scheduled.retry_policy)
        if verdict is None:
            return
        has_changed = breaker.failed(permit, self._clock.now_ns()) if verdict else breaker.succeeded(permit)
        if has_changed:
            self.changed(breaker.name[:2])

    def _find(self, run_id: str, ref: int, attempt: int) -> Permit | None:
        permit = self.permits.get((run_id, ref))
        while permit is not None and permit.attempt != attempt:
            permit = permit.older
        return permit

    def _remove(self, permit: Permit) -> None:
        """An attempt lives no more."""
        assert permit.scheduled is not None
        permit.is_live = False
        name = (permit.run_id, permit.scheduled.id)
        newest = self.permits.get(name)
        if newest is permit:
            if permit.older is None:
                del self.permits[name]
            else:
                self.permits[name] = permit.older
        else:
            while newest is not None and newest.older is not permit:
                newest = newest.older
            if newest is not None:
                newest.older = permit.older
        if permit.rules is not None:
            permit.rules.remove(permit)
            self._free_key(permit)

    def _free_key(self, permit: Permit) -> None:
        if permit.limit_key and permit.rules is not None:
            settings = permit.rules.settings
            line = self._backlog.waiting.get((settings.namespace, settings.name))
            if line is not None:
                line.free_key(permit.limit_key)

    # --- settings

    def set(self, settings: TaskQueue, living: Iterable[ActivityTask]) -> None:
        """From now on these are a queue's settings; ``living`` are the attempts that live, of any queue."""
        queue = (settings.namespace, settings.name)
        rules = self.rules.get(queue)
        if not has_rules(settings):
            self.rules.pop(queue, None)
        elif rules is not None:
            rules.settings = settings
        else:
            rules = self.rules[queue] = QueueRules(settings)
            for task in living:
                if (task.address.namespace, task.scheduled.task_queue) == queue:
                    self._subject(task, rules)
        line = self._backlog.waiting.get(queue)
        if line is not None:
            line.ageing_ns = settings.ageing_ns
            line.free_all_keys()
        self._wake()

    def _subject(self, task: ActivityTask, rules: QueueRules) -> None:
        """An attempt that lives already is subject to rules that are new."""
        scheduled, run_id = task.scheduled, task.address.run_id
        permit = self._find(run_id, scheduled.id, task.attempt)
        if permit is None:
            permit = Permit(rules, None, scheduled.limit_key, task.started_time)
            self._name(permit, run_id, scheduled, task.attempt)
        permit.rules = rules
        rules.add(permit)

    def restore(self, settings: TaskQueue) -> None:
        """A store is taken up: what was set about a queue, and which breakers were open."""
        for activity_type, open_until in settings.open_breakers.items():
            name = (settings.namespace, settings.name, activity_type)
            # What opens it again is said by the next attempt that starts.
            self.breakers[name] = Breaker(name, BreakerPolicy(1, 1, 1), open_until)
        if has_rules(settings):
            self.rules[settings.namespace, settings.name] = QueueRules(settings)

    def open_breakers(self, queue: QueueName) -> dict[str, int]:
        """By activity type, until when a queue's breakers are open (ns since 1970)."""
        return {
            breaker.name[2]: breaker.open_until
            for breaker in self.breakers.values()
            if breaker.name[:2] == queue and breaker.open_until
        }

    # --- telling why

    def hold(self, resident: Resident, pending: Activity) -> Hold | None:
        """Why an attempt that could start now does not; None for one that runs, backs off, or belongs to a run that
        is paused or closed."""
        run, now = resident.run, self._clock.now_ns()
        if run.close is not None or not is_ready(run, pending, now):
            return None
        scheduled = pending.scheduled
        return self.why((run.namespace, scheduled.task_queue), scheduled.activity_type, scheduled.limit_key, now)

    def why(self, queue: QueueName, activity_type: str, limit_key: str, now: int) -> Hold:
        """What holds an activity that stands in a queue's backlog."""
        name = queue[1]
        rules = self.rules.get(queue)
        if rules is not None:
            held = rules.held(now)
            if held is not None:
                return _explain(rules, held, "")
        breaker = self.breakers.get((*queue, activity_type))
        until = None if breaker is None else breaker.held_until(now)
        if until is not None:
            detail = (
                f"the circuit breaker of {activity_type!r} on task queue {name!r} is open; one attempt is let through then"
                if until
                else f"the circuit breaker of {activity_type!r} on task queue {name!r} waits for the one attempt it let through"
            )
            return Hold(HoldReason.BREAKER_OPEN, until, detail)
        if rules is not None and limit_key and (held := rules.key_held(limit_key, now)) is not None:
            return _explain(rules, held, limit_key)
        worker = self._worker
        if worker is None or not worker.serves_activity(name, activity_type):
            detail = (
                f"no worker here serves activity {activity_type!r} on task queue {name!r}; open the app that defines it"
            )
            return Hold(HoldReason.NO_WORKER, 0, detail)
        if not worker.reserve(name, activity_type):
            return Hold(HoldReason.NO_FREE_SLOT, 0, "all slots for it here are taken")
        worker.release(name, activity_type)
        return Hold(HoldReason.BEHIND_OTHERS, 0, f"others are first on task queue {name!r}")


def _held_until(rules: QueueRules, now: int) -> Callable[[str], int]:
    def held_until(limit_key: str) -> int:
        held = rules.key_held(limit_key, now)
        return FREE if held is None else held[1]

    return held_until


def _explain(rules: QueueRules, held: tuple[HoldReason, int], limit_key: str) -> Hold:
    settings, (reason, until) = rules.settings, held
    queue = f"task queue {settings.name!r}"
    if reason is HoldReason.QUEUE_PAUSED:
        return Hold(reason, 0, f"{queue} is paused" + (f": {settings.pause_reason}" if settings.pause_reason else ""))
    per = f"{settings.per_ns / 1e9:g} s"
    if reason is HoldReason.RATE_LIMIT:
        limit = f"{settings.rate_per_key} per {per} of key {limit_key!r}" if limit_key else f"{settings.rate} per {per}"
        return Hold(reason, until, f"{queue} starts at most {limit}")
    limit = f"{settings.concurrency_per_key} of key {limit_key!r}" if limit_key else str(settings.concurrency)
    return Hold(reason, until, f"{queue} runs at most {limit} at once")


def _nobody(queue: QueueName) -> None:
    """Nobody wants to hear."""
