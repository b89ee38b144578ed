"""Admission: whether an attempt that is ready may start, or what it waits for.

Asked before an attempt takes a worker's slot. Whoever may not start stands in the backlog, uses up no attempt, and
goes on when what held it ends: a slot is free, a clock is due, a trial has succeeded, a setting has changed. Where no
queue has settings and no circuit breaker is open, nothing is asked.

It owns the rules of task queues (``queue_rules``), the circuit breakers (``breakers``), and the permits: which attempts
live now, from the decision to start one until its code has ended, where anything depends on it. Nothing here decides
about a run, and nothing here but the settings outlives the process.

While no limit is near, attempts that start and that end are only put down in two lists. Which of them live, and what of
the limits is used up, is made from those when somebody asks, or when so many have started that a limit may be near.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from perdure.engine.backlog import FREE, Backlog, Entry, Kind, Line, QueueName
from perdure.engine.breakers import Breaker, BreakerName, counts
from perdure.engine.ports import Clock
from perdure.engine.queue_rules import AttemptName, Permit, QueueRules, has_rules
from perdure.engine.resident import Resident
from perdure.kernel.activity import is_ready
from perdure.kernel.commit import Commit, Rejection
from perdure.kernel.run import Activity, Run
from perdure.model.affinity import Affinity
from perdure.model.events import ActivityTaskScheduled
from perdure.model.ids import RunAddress
from perdure.model.program import ActivityHost, ActivityTask, Hosts
from perdure.model.requests import (
    CompleteActivity,
    FailActivity,
    FireTimer,
    HeartbeatActivity,
    Request,
)
from perdure.model.task_queues import BreakerPolicy, Hold, HoldReason, TaskQueue

ENDS = frozenset({CompleteActivity, FailActivity, FireTimer})
"""Requests that may tell a circuit breaker something."""

HELD = Permit(None, "", 0, is_live=False)
"""Stands for the permit of an attempt that gets none."""

_MOST_ENDED = 10_000
"""So many attempts that end are put down at most, those of other queues too."""


class Suspect(msgspec.Struct, frozen=True, gc=False):
    """A running attempt whose circuit breaker wants to know how it ends."""

    scheduled: ActivityTaskScheduled
    attempt: int


class Admission:
    """``wake`` is called when something that was held may start."""

    def __init__(self, clock: Clock, worker: Hosts | None, backlog: Backlog, wake: Callable[[], None]) -> None:
        self.rules: dict[QueueName, QueueRules] = {}
        """Queues with settings; read directly where it is asked of every activity whether there are any."""
        self.breakers: dict[BreakerName, Breaker] = {}
        """Those that have seen a failure."""
        self.tripped: dict[BreakerName, Breaker] = {}
        """Those that are open or half-open; read directly, too."""
        self.permits: dict[tuple[str, int], Permit] = {}
        """The attempts that live and that something depends on, by run id and scheduled event id."""
        self.listed: list[QueueRules] = []
        """Those that attempts were put down for as they started."""
        self._ended: list[AttemptName] = []
        """Attempts that have ended since the first of those started."""
        self.outside: set[tuple[str, int]] = set()
        """Those of them whose code has ended and that somebody outside completes."""
        self.changed: Callable[[QueueName], None] = _nobody
        """Called when a breaker of a queue opens or closes."""
        self._clock = clock
        self._worker = worker
        self._backlog = backlog
        self._wake = wake
        self._alarm = 0
        self._disarm: Callable[[], None] | None = None

    # --- may it start?

    def admit(self, queue: QueueName, run: Run, pending: Activity, now: int) -> Permit | None:
        """A permit for an attempt to start now in the slot that it has; None if it needs none, HELD if it may not."""
        scheduled = pending.scheduled
        rules = self.rules.get(queue)
        if rules is not None and rules.room and not self.tripped:
            rules.room -= 1
            if not rules.listed:
                self.listed.append(rules)
            rules.listed.append((scheduled.limit_key, now, (run.run_id, scheduled.id, pending.attempt)))
            return None
        if self.listed:
            self.settle()
        breaker = self.tripped.get((*queue, scheduled.activity_type)) if self.tripped else None
        if breaker is not None and breaker.held_until(now) is not None:
            return HELD
        if rules is None and breaker is None:
            return None
        permit = Permit(rules, scheduled.limit_key, now, run.run_id, scheduled.id, pending.attempt)
        if rules is not None and not rules.admit(permit):
            return HELD
        if breaker is not None:
            breaker.trial = permit
        elif rules is not None:
            rules.look()
            if not rules.limits_living:
                return None
        self._keep(permit)
        return permit

    def settle(self) -> None:
        """See which of the attempts that were put down live, and what all of them use up."""
        listed, self.listed = self.listed, []
        ended, self._ended = set(self._ended), []
        for rules in listed:
            starts, rules.listed, rules.room = rules.listed, [], 0
            rules.note_starts(starts)
            if rules.limits_living:
                for limit_key, started, name in starts:
                    if name not in ended:
                        permit = Permit(rules, limit_key, started, *name)
                        rules.add(permit)
                        self._keep(permit)
            ended.difference_update([name for _, _, name in starts])
        for name in ended:
            left = self._find(*name)
            if left is not None:
                self._remove(left)

    def permit(self, queue: QueueName, activity_type: str, limit_key: str, now: int) -> Permit | None:
        """A permit for an attempt that ``choose`` let start; None if it needs none."""
        if self.listed:
            self.settle()
        breaker = self.tripped.get((*queue, activity_type)) if self.tripped else None
        rules = self.rules.get(queue)
        if rules is None and breaker is None:
            return None
        permit = Permit(rules, limit_key, now)
        if rules is not None:
            rules.enter(permit)
        if breaker is not None:
            breaker.trial = permit
        return permit

    def choose(self, line: Line, worker: Hosts, now: int) -> tuple[ActivityHost, Entry] | None:
        """Who of a line starts next, and where a slot is reserved for it. None if nobody can, and then the clock is set."""
        if self.listed:
            self.settle()
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
        closed: set[Kind] = set()
        for entry in line.in_order(now, held_until):
            lane = entry[3]
            if lane.kind in closed:
                continue
            breaker = self.tripped.get((*queue, lane.activity_type)) if self.tripped else None
            until = None if breaker is None else breaker.held_until(now)
            if until is not None:
                self._wake_at(until)
            elif (host := worker.reserve(queue[0], queue[1], lane.activity_type, lane.affinity)) is not None:
                return host, entry
            closed.add(lane.kind)
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

    def begun(self, permit: Permit, run_id: str, ref: int, attempt: int) -> None:
        """Its start is decided."""
        permit.run_id = run_id
        permit.ref = ref
        permit.attempt = attempt
        self._keep(permit)

    def _keep(self, permit: Permit) -> None:
        name = (permit.run_id, permit.ref)
        older = self.permits.setdefault(name, permit)
        if older is not permit:
            permit.older = older
            self.permits[name] = permit

    def give_back(self, permit: Permit | None) -> None:
        """An attempt that was about to start does not."""
        if permit is None:
            return
        rules = permit.rules
        if rules is not None:
            rules.take_back(permit)
        if permit.run_id:
            self._remove(permit)
        else:
            permit.is_live = False
            if rules is not None:
                rules.remove(permit)
                self._free_key(permit)

    def undone(self, task: ActivityTask) -> None:
        """The decision to start an attempt could not be written."""
        if self.listed:
            self.settle()
        permit = self._find(task.address.run_id, task.scheduled.id, task.attempt)
        if permit is not None:
            self._remove(permit)

    def reported(self, address: RunAddress, request: Any) -> None:
        """A worker tells of an attempt by one of the requests that name it: mostly that its code runs no more."""
        if self.listed:
            if request.__class__ is not HeartbeatActivity and len(self._ended) < _MOST_ENDED:
                self._ended.append((address.run_id, request.scheduled_event_id, request.attempt))
                return
            self.settle()
        permit = self.permits.get((address.run_id, request.scheduled_event_id))
        while permit is not None and permit.attempt != request.attempt:
            permit = permit.older
        if permit is None:
            return
        if request.__class__ is not HeartbeatActivity:
            self._remove(permit)
        elif self._worker is not None and not self._worker.runs_activity(address, permit.ref, permit.attempt):
            self.outside.add((permit.run_id, permit.ref))

    def observe(self, resident: Resident, commit: Commit) -> None:
        """What a commit did to attempts that no worker reported: they timed out, were completed from outside, or are no
        longer wanted."""
        if self.listed:
            self.settle()
        run, worker = commit.run, self._worker
        for ref in commit.tasks:
            permit = self.permits.get((run.run_id, ref))
            pending = run.activities.get(ref)
            while permit is not None:
                older = permit.older
                if (
                    # Code that goes on although nobody wants it still takes what the limits are there to protect.
                    pending is None or pending.attempt != permit.attempt or not pending.started_time
                ) and (worker is None or not worker.runs_activity(resident.address, ref, permit.attempt)):
                    self._remove(permit)
                permit = older

    def _find(self, run_id: str, ref: int, attempt: int) -> Permit | None:
        permit = self.permits.get((run_id, ref))
        while permit is not None and permit.attempt != attempt:
            permit = permit.older
        return permit

    def _remove(self, permit: Permit) -> None:
        """An attempt lives no more."""
        permits = self.permits
        permit.is_live = False
        name = (permit.run_id, permit.ref)
        newest = permits.pop(name)
        if newest is not permit:
            permits[name] = newest
            while newest.older is not permit:
                assert newest.older is not None
                newest = newest.older
            newest.older = permit.older
        elif permit.older is not None:
            permits[name] = permit.older
        elif self.outside:
            self.outside.discard(name)
        rules = permit.rules
        if rules is not None:
            rules.remove(permit)
            if self._backlog.waiting:
                self._free_key(permit)

    def _free_key(self, permit: Permit) -> None:
        if permit.limit_key and permit.rules is not None:
            settings = permit.rules.settings
            line = self._backlog.waiting.get((settings.namespace, settings.name))
            if line is not None:
                line.free_key(permit.limit_key)

    # --- circuit breakers

    def suspect(self, run: Run, request: Request) -> Suspect | None:
        """The running attempt that a request of ``ENDS`` is about, if it has a circuit breaker."""
        if isinstance(request, FireTimer):
            pending = run.activities.get(request.key)
        else:
            assert isinstance(request, (CompleteActivity, FailActivity))
            pending = run.activities.get(request.scheduled_event_id)
            if pending is not None and pending.attempt != request.attempt:
                return None
        if pending is None or not pending.started_time or pending.scheduled.breaker is None:
            return None
        return Suspect(pending.scheduled, pending.attempt)

    def judge(self, suspect: Suspect, run: Run, request: Request, decision: Commit | Rejection) -> None:
        """A request about an attempt is decided: if that ended it, its breaker hears how."""
        scheduled = suspect.scheduled
        pending = run.activities.get(scheduled.id)
        if isinstance(decision, Rejection) or (
            pending is not None and pending.attempt == suspect.attempt and pending.started_time
        ):
            return
        name = (run.namespace, scheduled.task_queue, scheduled.activity_type)
        breaker, policy = self.breakers.get(name), scheduled.breaker
        assert policy is not None
        if isinstance(request, CompleteActivity):
            is_failure: bool | None = False
        else:
            is_failure = counts(request.failure, scheduled.retry_policy) if isinstance(request, FailActivity) else True
        if is_failure and breaker is None:
            breaker = self.breakers[name] = Breaker(name, policy)
        if is_failure is None or breaker is None:
            return
        trial = breaker.trial
        is_trial = trial is not None and (trial.run_id, trial.ref, trial.attempt) == (
            run.run_id,
            scheduled.id,
            suspect.attempt,
        )
        if is_failure:
            breaker.policy = policy
            if breaker.failed(self._clock.now_ns(), is_trial=is_trial):
                self.tripped[name] = breaker
                self.changed(name[:2])
        elif is_trial:
            breaker.close()
            del self.tripped[name]
            self.changed(name[:2])

    # --- settings

    def set(self, settings: TaskQueue, living: Iterable[ActivityTask]) -> None:
        """From now on these are a queue's settings; ``living`` are the attempts that live, of any queue."""
        if self.listed:
            self.settle()
        queue = (settings.namespace, settings.name)
        rules = self.rules.get(queue)
        if not has_rules(settings):
            self.rules.pop(queue, None)
        else:
            if rules is None:
                rules = self.rules[queue] = QueueRules(settings)
            else:
                rules.change(settings)
            if rules.limits_living:
                for task in living:
                    if (task.address.namespace, task.scheduled.task_queue) == queue:
                        self._subject(task, rules)
        line = self._backlog.waiting.get(queue)
        if line is not None:
            line.ageing_ns = settings.ageing_ns
            line.free_all_keys()
        self._wake()

    def _subject(self, task: ActivityTask, rules: QueueRules) -> None:
        """An attempt that lives already is subject to a limit that is new."""
        scheduled, run_id = task.scheduled, task.address.run_id
        permit = self._find(run_id, scheduled.id, task.attempt)
        if permit is None:
            permit = Permit(rules, scheduled.limit_key, task.started_time)
            self.begun(permit, run_id, scheduled.id, task.attempt)
        permit.rules = rules
        rules.add(permit)

    def restore(self, settings: TaskQueue) -> None:
        """A store is taken up: what was set about a queue, and which breakers were open."""
        for activity_type, open_until in settings.open_breakers.items():
            name = (settings.namespace, settings.name, activity_type)
            # By what options it opens again, the trial says.
            self.breakers[name] = self.tripped[name] = Breaker(name, BreakerPolicy(1, 1, 1), open_until)
        if has_rules(settings):
            self.rules[settings.namespace, settings.name] = QueueRules(settings)

    def open_breakers(self, queue: QueueName) -> dict[str, int]:
        """By activity type, until when a queue's breakers are open (ns since 1970)."""
        return {breaker.name[2]: breaker.open_until for breaker in self.tripped.values() if breaker.name[:2] == queue}

    # --- telling why

    def hold(self, resident: Resident, pending: Activity) -> Hold | None:
        """Why an attempt that could start now does not; None for one that runs, backs off, or belongs to a run that
        is paused or closed."""
        run, now = resident.run, self._clock.now_ns()
        if run.close is not None or not is_ready(run, pending, now):
            return None
        scheduled = pending.scheduled
        queue = (run.namespace, scheduled.task_queue)
        return self.why(queue, scheduled.activity_type, scheduled.limit_key, now, scheduled.affinity)

    def why(
        self, queue: QueueName, activity_type: str, limit_key: str, now: int, affinity: Affinity | None = None
    ) -> Hold:
        """What holds an activity that stands in a queue's backlog."""
        if self.listed:
            self.settle()
        name = queue[1]
        rules = self.rules.get(queue)
        if rules is not None:
            held = rules.held(now)
            if held is not None:
                return _explain(rules, held, "")
        breaker = self.tripped.get((*queue, activity_type))
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
        if worker is None or not worker.serves_activity(queue[0], name, activity_type):
            detail = (
                f"no worker here serves activity {activity_type!r} on task queue {name!r}; open the app that defines it"
            )
            return Hold(HoldReason.NO_WORKER, 0, detail)
        if affinity is not None and not worker.serves_activity(queue[0], name, activity_type, affinity):
            return Hold(HoldReason.NO_MATCHING_WORKER, 0, f"no worker on task queue {name!r} has label {affinity}")
        host = worker.reserve(*queue, activity_type, affinity)
        if host is None:
            return Hold(HoldReason.NO_FREE_SLOT, 0, "all slots for it here are taken")
        host.release(name, activity_type)
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
