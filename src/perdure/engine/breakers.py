"""Circuit breakers, one for each activity type of a task queue of a namespace.

A breaker is closed until too many attempts fail within its window; then it is open, and nothing starts. Once it has
cooled down it is half-open: one attempt goes through as a trial, and how that ends decides. A trial that ends without
telling anything about the service (cancelled, lost with its worker) makes room for another.

That a breaker is open is kept with its task queue's settings, so that a crash does not open the way to a service that
is down; what led to it is kept in memory, because a few failures more after a restart do no harm. While a breaker is
closed only failures are looked at, so an activity that works pays nothing for it.
"""

from collections import deque
from collections.abc import Callable

import msgspec

from perdure.engine.backlog import QueueName
from perdure.engine.ports import Clock
from perdure.engine.queue_rules import Permit
from perdure.kernel.commit import Commit, Rejection
from perdure.kernel.run import Run
from perdure.model.events import ActivityTaskScheduled
from perdure.model.failures import Failure, FailureKind, TimeoutType
from perdure.model.options import RetryPolicy
from perdure.model.requests import CompleteActivity, FailActivity, FireTimer, Request
from perdure.model.task_queues import BreakerDescription, BreakerPolicy, TaskQueue

BreakerName = tuple[str, str, str]
"""Namespace, task queue and activity type."""

ENDS = frozenset({CompleteActivity, FailActivity, FireTimer})
"""Requests that may tell a circuit breaker something."""

_NOBODYS_FAULT = frozenset({"WorkerLost", "WorkerShutdown"})


class Breaker:
    """One breaker. ``open_until`` is 0 while it is closed; when it is past, the breaker is half-open. ``policy`` is
    that of the attempt that failed last."""

    def __init__(self, name: BreakerName, policy: BreakerPolicy, open_until: int = 0) -> None:
        self.name = name
        self.policy = policy
        self.open_until = open_until
        self.trial: Permit | None = None
        """The attempt that was let through last while it was half-open."""
        self._failures: deque[int] = deque()

    def held_until(self, now: int) -> int | None:
        """None if an attempt may start; else until when it may not (ns since 1970), 0 while a trial is under way."""
        if not self.open_until:
            return None
        if now < self.open_until:
            return self.open_until
        return 0 if self.trial is not None and self.trial.is_live else None

    def close(self) -> None:
        """The trial has shown that the service is there."""
        self.open_until = 0
        self.trial = None
        self._failures.clear()

    def failed(self, now: int, *, is_trial: bool) -> bool:
        """An attempt failed. Whether this opens the breaker, anew or again."""
        if self.open_until:
            # What began before it opened tells nothing new.
            if not is_trial:
                return False
            self.trial = None
        else:
            self._failures.append(now)
            self._forget_old(now)
            if len(self._failures) < self.policy.failures:
                return False
        self._failures.clear()
        self.open_until = now + self.policy.cool_down_ns
        return True

    def describe(self, now: int) -> BreakerDescription:
        """As it stands."""
        self._forget_old(now)
        state = "closed" if not self.open_until else "open" if now < self.open_until else "half-open"
        return BreakerDescription(self.name[2], state, len(self._failures), self.open_until)

    def _forget_old(self, now: int) -> None:
        while self._failures and self._failures[0] <= now - self.policy.window_ns:
            self._failures.popleft()


class Suspect(msgspec.Struct, frozen=True, gc=False):
    """A running attempt whose circuit breaker wants to know how it ends."""

    scheduled: ActivityTaskScheduled
    attempt: int


class Breakers:
    """All breakers of an engine."""

    def __init__(self, clock: Clock) -> None:
        self.all: dict[BreakerName, Breaker] = {}
        """Those that have seen a failure."""
        self.tripped: dict[BreakerName, Breaker] = {}
        """Those that are open or half-open; read directly where it is asked of every activity whether there are any."""
        self.changed: Callable[[QueueName], None] = _nobody
        """Called when a breaker of a queue opens or closes."""
        self._clock = clock

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
        breaker, policy = self.all.get(name), scheduled.breaker
        assert policy is not None
        if isinstance(request, CompleteActivity):
            is_failure: bool | None = False
        else:
            is_failure = counts(request.failure, scheduled.retry_policy) if isinstance(request, FailActivity) else True
        if is_failure and breaker is None:
            breaker = self.all[name] = Breaker(name, policy)
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

    def restore(self, settings: TaskQueue) -> None:
        """A store is taken up: these breakers of a queue were open."""
        for activity_type, open_until in settings.open_breakers.items():
            name = (settings.namespace, settings.name, activity_type)
            # By what options it opens again, the trial says.
            self.all[name] = self.tripped[name] = Breaker(name, BreakerPolicy(1, 1, 1), open_until)

    def open_until(self, queue: QueueName) -> dict[str, int]:
        """By activity type, until when a queue's breakers are open (ns since 1970)."""
        return {breaker.name[2]: breaker.open_until for breaker in self.tripped.values() if breaker.name[:2] == queue}


def counts(failure: Failure, policy: RetryPolicy) -> bool | None:
    """Whether a failed attempt counts against its service; None if it tells nothing about it.

    A failure that is not to be retried is an answer: the service is there, and the request was wrong.
    """
    if failure.type in _NOBODYS_FAULT or failure.kind in (FailureKind.CANCELED, FailureKind.TERMINATED):
        return None
    if failure.kind is FailureKind.TIMEOUT and failure.timeout_type is TimeoutType.SCHEDULE_TO_START:
        return None
    return not (failure.non_retryable or failure.type in policy.non_retryable)


def _nobody(queue: QueueName) -> None:
    """Nobody wants to hear."""
