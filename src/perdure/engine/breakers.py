"""Circuit breakers, one for each activity type of a task queue of a namespace.

A breaker is closed until too many attempts fail within its window; then it is open, and nothing starts. Once it has
cooled down it is half-open: one attempt goes through as a trial, and how that ends decides. A trial that ends without
telling anything about the service (cancelled, lost with its worker) makes room for another.

That a breaker is open is kept with its task queue's settings, so that a crash does not open the way to a service that
is down; what led to it is kept in memory, because a few failures more after a restart do no harm.
"""

from collections import deque
from typing import TYPE_CHECKING

from perdure.model.failures import Failure, FailureKind, TimeoutType
from perdure.model.options import RetryPolicy
from perdure.model.task_queues import BreakerDescription, BreakerPolicy

if TYPE_CHECKING:
    from perdure.engine.queue_rules import Permit

BreakerName = tuple[str, str, str]
"""Namespace, task queue and activity type."""

_NOBODYS_FAULT = frozenset({"WorkerLost", "WorkerShutdown"})


class Breaker:
    """One breaker. ``open_until`` is 0 while it is closed; when it is past, the breaker is half-open."""

    def __init__(self, name: BreakerName, policy: BreakerPolicy, open_until: int = 0) -> None:
        self.name = name
        self.policy = policy
        self.open_until = open_until
        self._failures: deque[int] = deque()
        self._trial: Permit | None = None

    def held_until(self, now: int) -> int | None:
        """None if an attempt may start; else until when it may not (ns since 1970), 0 while a trial is under way."""
        if not self.open_until:
            return None
        if now < self.open_until:
            return self.open_until
        return 0 if self._trial is not None and self._trial.is_live else None

    def started(self, permit: "Permit") -> None:
        """An attempt starts; if the breaker is half-open it is the trial."""
        if self.open_until:
            self._trial = permit

    def succeeded(self, permit: "Permit") -> bool:
        """An attempt shows that the service is there. Whether this closes the breaker."""
        if not self.open_until or permit is not self._trial:
            return False
        self.open_until = 0
        self._trial = None
        self._failures.clear()
        return True

    def failed(self, permit: "Permit", now: int) -> bool:
        """An attempt failed. Whether this opens the breaker, anew or again."""
        if self.open_until:
            # What began before it opened tells nothing new.
            if permit is not self._trial:
                return False
            self._trial = None
        else:
            failures, policy = self._failures, self.policy
            failures.append(now)
            self._forget_old(now)
            if len(failures) < policy.failures:
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
