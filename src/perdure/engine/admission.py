"""Admission: whether an attempt that is ready may start.

Asked before an attempt takes a worker's slot. Whoever may not start stands in the backlog, uses up no attempt, and
goes on when what held it ends: a slot is free, a clock is due, a trial has succeeded, a setting has changed. Where no
queue has settings and no circuit breaker is open, nothing is asked.

It owns the rules of task queues (``queue_rules``), the circuit breakers (``breakers``), and the permits (``permits``) of
the attempts that live. Nothing here decides about a run, and nothing here but the settings outlives the process.

While a queue is far from its limits, attempts need no permits there: when they start it is only put down that one more
has, and when they end nothing at all. Before a limit may be near, and when somebody asks, those who know are asked which
attempts live (``living``), and each gets its permit.
"""

from collections.abc import Callable, Iterable, Sequence

from perdure.engine.backlog import FREE, Backlog, Entry, Kind, Line, QueueName
from perdure.engine.breakers import Breakers
from perdure.engine.permits import Permits
from perdure.engine.pipeline import Start
from perdure.engine.ports import Clock
from perdure.engine.queue_rules import Permit, QueueRules, has_rules
from perdure.kernel.run import Activity, Run
from perdure.model.program import ActivityHost, ActivityTask, Hosts
from perdure.model.requests import HeartbeatActivity
from perdure.model.task_queues import TaskQueue

HELD = Permit(None, "", 0, is_live=False)
"""Stands for the permit of an attempt that gets none."""


class Admission:
    """``living`` gives the attempts that live here, of all queues: those whose code runs, and those whose start is decided.
    ``wake`` is called when something that was held may start."""

    def __init__(
        self,
        clock: Clock,
        worker: Hosts | None,
        backlog: Backlog,
        living: Callable[[], Iterable[ActivityTask]],
        wake: Callable[[], None],
    ) -> None:
        self.rules: dict[QueueName, QueueRules] = {}
        """Queues with settings; read directly where it is asked of every activity whether there are any."""
        self.breakers = Breakers(clock)
        self.tripped = self.breakers.tripped
        self.permits = Permits(worker, backlog)
        self.worker = worker
        self._clock = clock
        self._backlog = backlog
        self._living = living
        self._wake = wake
        self._seen = 0
        """How many attempts lived when somebody looked last."""
        self._alarm = 0
        self._disarm: Callable[[], None] | None = None

    # --- may it start?

    def admit(
        self, queue: QueueName, run: Run, pending: Activity, now: int, starting: Sequence[Start] = ()
    ) -> Permit | None:
        """A permit for an attempt to start now in the slot that it has; None if it needs none, HELD if it may not. Those
        that are ``starting`` in the same decision are not in ``living`` yet."""
        scheduled = pending.scheduled
        rules = self.rules.get(queue)
        breaker = self.tripped.get((*queue, scheduled.activity_type)) if self.tripped else None
        if breaker is not None and breaker.held_until(now) is not None:
            return HELD
        if rules is not None and rules.is_far:
            if breaker is None and (rules.room or self._is_still_far(rules, now, starting)):
                rules.room -= 1
                if rules.limits_starts:
                    rules.times.append(now)
                    rules.keys.append(scheduled.limit_key)
                return None
            self._come_near(rules, starting)
        if rules is None and breaker is None:
            return None
        permit = Permit(rules, scheduled.limit_key, now, run.run_id, scheduled.id, pending.attempt)
        if rules is not None and not rules.admit(permit):
            return HELD
        if breaker is not None:
            breaker.trial = permit
        elif rules is not None:
            rules.look(now, self._seen)
            if not rules.limits_living:
                return None
        self.permits.keep(permit)
        return permit

    def permit(self, queue: QueueName, activity_type: str, limit_key: str, now: int) -> Permit | None:
        """A permit for an attempt that ``choose`` let start; None if it needs none."""
        breaker = self.tripped.get((*queue, activity_type)) if self.tripped else None
        rules = self.near_rules(queue)
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
        queue = line.queue
        rules = self.near_rules(queue)
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

    # --- far from all limits, and near

    def near_rules(self, queue: QueueName) -> QueueRules | None:
        """The rules of a queue, if it has any, with a permit for each attempt that lives there."""
        rules = self.rules.get(queue)
        if rules is not None and rules.is_far:
            self._come_near(rules)
        return rules

    def _come_near(self, rules: QueueRules, starting: Sequence[Start] = ()) -> None:
        tasks = self._living_on(rules, starting)
        rules.come_near(self._seen)
        for task in tasks:
            self._subject(task, rules)

    def _is_still_far(self, rules: QueueRules, now: int, starting: Sequence[Start]) -> bool:
        """So many have started that a limit may be near. Whether none is."""
        keys = [task.scheduled.limit_key for task in self._living_on(rules, starting)]
        outside = self.permits.outside
        for permit in rules.permits:
            # No worker has those that somebody outside completes, nor those of the backlog whose runs are being read.
            if not permit.run_id or (permit.run_id, permit.ref) in outside:
                keys.append(permit.limit_key)
        return rules.look_again(now, keys, self._seen)

    def _living_on(self, rules: QueueRules, starting: Sequence[Start] = ()) -> list[ActivityTask]:
        """The attempts that live, if there is a limit to how many may."""
        if not rules.limits_living:
            return []
        namespace, name = rules.settings.namespace, rules.settings.name
        tasks = [*self._living(), *(task for _, task in starting)]
        self._seen = len(tasks)
        return [task for task in tasks if task.scheduled.task_queue == name and task.address.namespace == namespace]

    def _subject(self, task: ActivityTask, rules: QueueRules) -> None:
        """An attempt that lives already is subject to limits."""
        scheduled, run_id = task.scheduled, task.address.run_id
        permit = self.permits.find(run_id, scheduled.id, task.attempt)
        if permit is None:
            permit = Permit(rules, scheduled.limit_key, task.started_time)
            self.begun(permit, run_id, scheduled.id, task.attempt)
        permit.rules = rules
        rules.add(permit)

    # --- an attempt's life

    def begun(self, permit: Permit, run_id: str, ref: int, attempt: int) -> None:
        """Its start is decided."""
        permit.run_id = run_id
        permit.ref = ref
        permit.attempt = attempt
        self.permits.keep(permit)

    def give_back(self, permit: Permit | None) -> None:
        """An attempt that was about to start does not."""
        if permit is None:
            return
        rules = permit.rules
        if rules is not None:
            rules.take_back(permit)
        if permit.run_id:
            self.permits.remove(permit)
        else:
            permit.is_live = False
            if rules is not None:
                rules.remove(permit)
                self.permits.free_key(permit)

    def undone(self, task: ActivityTask) -> None:
        """The decision to start an attempt could not be written."""
        permit = self.permits.find(task.address.run_id, task.scheduled.id, task.attempt)
        if permit is not None:
            self.permits.remove(permit)

    def left(self, run: Run, request: HeartbeatActivity) -> None:
        """The code of an attempt has ended, and somebody outside completes it: no worker has it any more."""
        name = (run.run_id, request.scheduled_event_id)
        permit = self.permits.find(*name, request.attempt)
        pending = run.activities.get(request.scheduled_event_id)
        if pending is None or pending.attempt != request.attempt or not pending.started_time:
            if permit is not None:
                self.permits.remove(permit)
            return
        if permit is None:
            scheduled = pending.scheduled
            rules = self.rules.get((run.namespace, scheduled.task_queue))
            if rules is None or not rules.limits_living:
                return
            permit = Permit(rules, scheduled.limit_key, pending.started_time)
            self.begun(permit, *name, request.attempt)
            rules.add(permit)
        self.permits.outside.add(name)

    # --- settings

    def set(self, settings: TaskQueue) -> None:
        """From now on these are a queue's settings."""
        queue = (settings.namespace, settings.name)
        rules = self.near_rules(queue)
        if not has_rules(settings):
            self.rules.pop(queue, None)
        else:
            if rules is None:
                rules = self.rules[queue] = QueueRules(settings)
            else:
                rules.change(settings)
            for task in self._living_on(rules):
                self._subject(task, rules)
        line = self._backlog.waiting.get(queue)
        if line is not None:
            line.ageing_ns = settings.ageing_ns
            line.free_all_keys()
        self._wake()

    def restore(self, settings: TaskQueue) -> None:
        """A store is taken up: what was set about a queue, and which breakers were open."""
        self.breakers.restore(settings)
        if has_rules(settings):
            self.rules[settings.namespace, settings.name] = QueueRules(settings)


def _held_until(rules: QueueRules, now: int) -> Callable[[str], int]:
    def held_until(limit_key: str) -> int:
        held = rules.key_held(limit_key, now)
        return FREE if held is None else held[1]

    return held_until
