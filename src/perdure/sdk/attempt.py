"""One attempt of an activity, from the inside: what ``perdure.activity`` finds when it is asked where it is.

An attempt is made by whoever runs the activity: the worker, a child process of the worker, or a test. They differ
only in what they do with a heartbeat, which is a function they pass in.
"""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import msgspec

from perdure.model.errors import InvalidArgumentError
from perdure.model.payloads import Payloads
from perdure.model.program import ActivityTask
from perdure.model.task_tokens import TaskToken
from perdure.sdk.converter import Converter


class CompleteLater(BaseException):
    """Leaves an activity function whose result comes from outside. Not an ``Exception``, so that no handler catches
    it."""


@dataclass(frozen=True)
class ActivityInfo:
    """Where an activity runs, for whom, and for how long it may.

    Attributes:
        activity_type: its name.
        activity_id: its number among the activities of the run, as text.
        attempt: 1 for the first.
        idempotency_key: the same for every attempt of this activity of this run, and for nothing else. Pass it to
            services that can drop repeats.
        heartbeat_details: what the last attempt reported by ``heartbeat``; None if nothing, a tuple if it was several
            values.
        task_token: names this attempt for ``client.complete_activity`` and its siblings.
        scheduled, started: when the workflow asked for it, and when this attempt began.
        deadline: when this attempt times out, and with it perhaps the activity; None for never.
        heartbeat_timeout: the longest silence between two heartbeats; None for no limit.
    """

    namespace: str
    workflow_id: str
    run_id: str
    workflow_type: str
    activity_id: str
    activity_type: str
    task_queue: str
    attempt: int
    max_attempts: int
    idempotency_key: str
    heartbeat_details: Any
    task_token: str
    scheduled: datetime
    started: datetime
    deadline: datetime | None
    start_to_close_timeout: timedelta | None
    schedule_to_close_timeout: timedelta | None
    heartbeat_timeout: timedelta | None


class Attempt(msgspec.Struct, eq=False):
    """One attempt. ``beat`` passes on that ``details`` changed; it is called wherever the activity runs."""

    task: ActivityTask
    converter: Converter
    _beat: Callable[[Any], None]  # takes an attempt of the maker's own kind
    _poll: Callable[[float], bool] | None = None
    cancelled: bool = False
    details: Payloads = ()
    unsent: bool = False
    _info: ActivityInfo | None = None
    _signal: threading.Event | None = None
    _waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] | None = None

    def info(self) -> ActivityInfo:
        """See ``ActivityInfo``."""
        if self._info is None:
            self._info = _info_of(self.task, self.converter)
        return self._info

    def heartbeat(self, details: tuple[Any, ...]) -> None:
        """Note progress, then stop here if the attempt is cancelled."""
        self.details = self.converter.to_payloads(details)
        self.unsent = True
        self._beat(self)
        if self.is_cancelled():
            raise asyncio.CancelledError("the activity was cancelled")

    def is_cancelled(self) -> bool:
        """Whether it was asked to stop."""
        if self._poll is not None and not self.cancelled and self._poll(0):
            self.cancel()
        return self.cancelled

    def cancel(self) -> None:
        """Ask it to stop. Safe to call from any thread."""
        self.cancelled = True
        if self._signal is not None:
            self._signal.set()
        for loop, event in self._waiters or ():
            loop.call_soon_threadsafe(event.set)

    async def wait_for_cancelled(self) -> None:
        """Return once it was asked to stop."""
        event = asyncio.Event()
        self._waiters = [*(self._waiters or ()), (asyncio.get_running_loop(), event)]
        if not self.cancelled:
            await event.wait()

    def wait_for_cancelled_in_thread(self, timeout_seconds: float | None) -> bool:
        """Block until it was asked to stop, or the timeout is over; whether it was."""
        if self._poll is not None:
            if not self.cancelled and self._poll(-1 if timeout_seconds is None else timeout_seconds):
                self.cancel()
            return self.cancelled
        if self._signal is None:
            self._signal = threading.Event()
        # The flag is set before the event, so a cancellation that came in between is seen here.
        if not self.cancelled:
            self._signal.wait(timeout_seconds)
        return self.cancelled


current: contextvars.ContextVar[Attempt] = contextvars.ContextVar("perdure_activity")


def current_attempt(what: str) -> Attempt:
    """The attempt that the caller runs in. Raises ``InvalidArgumentError`` outside of one."""
    attempt = current.get(None)
    if attempt is None:
        raise InvalidArgumentError(
            f"{what} works only inside a running activity; in a test, run the function with "
            "perdure.activity.run_for_test(...)"
        )
    return attempt


def complete_later() -> NoReturn:
    """See ``perdure.activity.raise_complete_later``."""
    current_attempt("activity.raise_complete_later()")
    raise CompleteLater


def _info_of(task: ActivityTask, converter: Converter) -> ActivityInfo:
    address, scheduled = task.address, task.scheduled
    details = converter.from_payloads(task.heartbeat_details)
    ends = [
        start + limit
        for start, limit in (
            (task.started_time, scheduled.start_to_close_timeout_ns),
            (scheduled.time, scheduled.schedule_to_close_timeout_ns),
        )
        if limit
    ]
    token = TaskToken(address.namespace, address.workflow_id, address.run_id, scheduled.id, task.attempt)
    return ActivityInfo(
        namespace=address.namespace,
        workflow_id=address.workflow_id,
        run_id=address.run_id,
        workflow_type=task.workflow_type,
        activity_id=scheduled.activity_id,
        activity_type=scheduled.activity_type,
        task_queue=scheduled.task_queue,
        attempt=task.attempt_count,
        max_attempts=scheduled.retry_policy.max_attempts,
        idempotency_key=task.idempotency_key,
        heartbeat_details=None if not details else details[0] if len(details) == 1 else tuple(details),
        task_token=token.encode(),
        scheduled=_time(scheduled.time),
        started=_time(task.started_time),
        deadline=_time(min(ends)) if ends else None,
        start_to_close_timeout=_length(scheduled.start_to_close_timeout_ns),
        schedule_to_close_timeout=_length(scheduled.schedule_to_close_timeout_ns),
        heartbeat_timeout=_length(scheduled.heartbeat_timeout_ns),
    )


def _time(ns: int) -> datetime:
    return datetime.fromtimestamp(ns / 1e9, UTC)


def _length(ns: int) -> timedelta | None:
    return timedelta(microseconds=ns / 1000) if ns else None
