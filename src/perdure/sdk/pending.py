"""What a client does to activities of a run that have not ended."""

from collections.abc import Awaitable, Callable

from perdure.model.activity_options import ActivityOptions
from perdure.model.errors import InvalidArgumentError
from perdure.model.requests import (
    OutsideRequest,
    PauseActivity,
    ResetActivity,
    UnpauseActivity,
    UpdateActivityOptions,
)
from perdure.sdk.durations import Duration, to_ns
from perdure.sdk.names import checked_name, checked_text
from perdure.sdk.priorities import changed_priority
from perdure.sdk.retry import Retry, policy_of


class PendingActivities:
    """Activities of a run that have not ended: the one with an id, all of a type, or all. ``run.activities`` gives it.

    Each method raises ``NotFoundError`` if there is no such run, or no such activity that has not ended, and
    ``RunClosedError`` if the run has ended.
    """

    __slots__ = ("_id", "_identity", "_send", "_type")

    def __init__(
        self, send: Callable[[OutsideRequest], Awaitable[None]], identity: str, activity_id: str, activity_type: str
    ) -> None:
        if activity_id and activity_type:
            raise InvalidArgumentError("Name an activity by its id, or all of a type, not both.")
        self._send = send
        self._identity = identity
        self._id = checked_text("id", activity_id)
        self._type = checked_text("type", activity_type)

    async def pause(self, reason: str = "") -> None:
        """Start no further attempt until ``unpause``; one that runs may finish. While an activity waits so, none of its
        timeouts passes."""
        await self._send(PauseActivity(self._id, self._type, checked_text("reason", reason), self._identity))

    async def unpause(
        self, *, reset_attempts: bool = False, reset_heartbeat: bool = False, delay: Duration = 0
    ) -> None:
        """Go on after ``pause``.

        Args:
            reset_attempts: count attempts from 1 again.
            reset_heartbeat: forget what attempts have reported.
            delay: how long the next attempt waits at least; a timedelta or seconds.
        """
        await self._send(
            UnpauseActivity(self._id, self._type, reset_attempts, reset_heartbeat, _delay(delay), self._identity)
        )

    async def reset(
        self,
        *,
        reset_heartbeat: bool = False,
        keep_paused: bool = False,
        restore_options: bool = False,
        delay: Duration = 0,
    ) -> None:
        """Count attempts from 1 again; one that waits for its next attempt gets it now.

        Args:
            reset_heartbeat: forget what attempts have reported.
            keep_paused: leave paused ones paused; else they go on.
            restore_options: give back the options with which the workflow asked for it.
            delay: how long the next attempt waits at least; a timedelta or seconds.
        """
        await self._send(
            ResetActivity(
                self._id, self._type, reset_heartbeat, keep_paused, restore_options, _delay(delay), self._identity
            )
        )

    async def update_options(
        self,
        *,
        task_queue: str | None = None,
        start_to_close: Duration | None = None,
        schedule_to_close: Duration | None = None,
        schedule_to_start: Duration | None = None,
        heartbeat: Duration | None = None,
        retry: Retry | None = None,
        priority: int | None = None,
    ) -> None:
        """Change options; those that are left out stay. A retry that waits, waits as the new retry policy says.

        Args:
            task_queue: the one that attempts wait in from now on.
            start_to_close: how long one attempt may take; a timedelta or seconds, 0 for no limit. So are the next three.
            schedule_to_close: how long all attempts may take together, from when the workflow asked for it.
            schedule_to_start: how long an attempt may wait for a worker.
            heartbeat: the longest silence between two heartbeats.
            retry: when a failed attempt is tried again; its ``non_retryable`` stays as it was.
            priority: 1 (first) to 5 (last).
        """
        policy = policy_of(retry)
        options = ActivityOptions(
            None if task_queue is None else checked_name("task_queue", task_queue),
            _limit(schedule_to_close),
            _limit(schedule_to_start),
            _limit(start_to_close),
            _limit(heartbeat),
            priority=None if priority is None else changed_priority(None, key=priority),
        )
        if policy is not None:
            options = options.retried(policy)
        await self._send(UpdateActivityOptions(self._id, self._type, options, self._identity))

    async def restore_options(self) -> None:
        """Give back the options with which the workflow asked for it."""
        await self._send(UpdateActivityOptions(self._id, self._type, None, self._identity))


def _delay(delay: Duration) -> int:
    ns = to_ns(delay)
    if ns < 0:
        raise InvalidArgumentError(f"delay={delay!r} must not be negative")
    return ns


def _limit(duration: Duration | None) -> int | None:
    if duration is None:
        return None
    ns = to_ns(duration)
    if ns < 0:
        raise InvalidArgumentError(f"{duration!r} is not a time limit; it must be above zero, or 0 for no limit")
    return ns
