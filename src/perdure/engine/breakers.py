"""Circuit breakers, one for each activity type of a task queue of a namespace.

A breaker is closed until too many attempts fail within its window; then it is open, and nothing starts. Once it has
cooled down it is half-open: one attempt goes through as a trial, and how that ends decides. A trial that ends without
telling anything about the service (cancelled, lost with its worker) makes room for another.

That a breaker is open is kept with its task queue's settings, so that a crash does not open the way to a service that
is down; what led to it is kept in memory, because a few failures more after a restart do no harm. While a breaker is
closed only failures are looked at, so an activity that works pays nothing for it.
"""

from collections import deque

from perdure.engine.queue_rules import Permit
from perdure.model.failures import Failure, FailureKind, TimeoutType
from perdure.model.options import RetryPolicy
from perdure.model.task_queues import BreakerDescription, BreakerPolicy

BreakerName = tuple[str, str, str]
"""Namespace, task queue and activity type."""

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


def counts(failure: Failure, policy: RetryPolicy) -> bool | None:
    """Whether a failed attempt counts against its service; None if it tells nothing about it.

    A failure that is not to be retried is an answer: the service is there, and the request was wrong.
    """
    if failure.type in _NOBODYS_FAULT or failure.kind in (FailureKind.CANCELED, FailureKind.TERMINATED):
        return None
    if failure.kind is FailureKind.TIMEOUT and failure.timeout_type is TimeoutType.SCHEDULE_TO_START:
        return None
    return not (failure.non_retryable or failure.type in policy.non_retryable)
