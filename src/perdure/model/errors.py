"""Everything that Perdure raises, as one tree::

    PerdureError
    ├── InvalidArgumentError       the caller's fault: a value that cannot be used
    ├── NotFoundError              the caller's fault: no such run, schedule, file ...
    ├── AlreadyExistsError         the caller's fault: the workflow id is taken
    ├── UnauthenticatedError       the caller's fault: nobody knows who it is
    ├── PermissionDeniedError      the caller's fault: not allowed
    ├── RunClosedError             the caller's fault: the run is closed, so this can no longer be done to it
    ├── LimitExceededError         too much of something; the message names the limit and the setting
    ├── UnavailableError           the server cannot be reached, or is about to go
    ├── WorkflowFailedError        the run did not complete: ``status`` says how, ``cause`` says why
    ├── UpdateFailedError          the update was rejected or failed: ``cause`` says why
    ├── QueryFailedError           the query raised
    ├── FailureError               a failure as programs see it
    │   ├── ApplicationError           raised by user code on purpose
    │   ├── TimeoutError               a clock ran out (also a builtin TimeoutError)
    │   ├── CancelledError             something waited for was cancelled
    │   ├── TerminatedError            a child was terminated
    │   ├── ServerError                the engine gave up
    │   ├── ActivityError              an activity failed: ``cause`` says why
    │   ├── ChildWorkflowError         a child workflow failed: ``cause`` says why
    │   └── OperationError             an operation did not succeed: ``cause`` says why
    ├── NonDeterminismError        code and history do not match
    │   └── NotAllowedInWorkflowError  a call that would break replay
    ├── DeadlockError              a turn did not end
    ├── StoreError                 the store cannot be used now; nothing recorded is lost
    │   ├── StoreLockedError           another engine owns it
    │   ├── StoreVersionError          written by a newer Perdure
    │   ├── StoreCorruptError          damaged
    │   └── StoreConflictError         a lost race: someone else wrote first; retried inside
    └── InvariantError             ours: a broken invariant; the run is parked, nothing is dropped

Every message says what was wrong, where, and what to do. The docstrings are ``docs/errors.md``.
"""

import builtins
import math
from datetime import timedelta
from typing import Any

from perdure.model.failures import Failure, RetryState, TimeoutType
from perdure.model.options import RunStatus


class PerdureError(Exception):
    """The root of everything that Perdure raises on purpose.

    What to do: catch one of its kinds where you can act on it, and this one where you only report.
    """


class InvalidArgumentError(PerdureError, ValueError):
    """A value that cannot be used: an option that makes no sense, an argument that cannot become a payload, a name taken twice.

    Raised before anything was recorded. What to do: correct the call; the message names the value and what is allowed.
    """


class NotFoundError(PerdureError, LookupError):
    """There is no such run, activity, namespace, event or file.

    What to do: check the id and the namespace. A run may also have been deleted by its namespace's retention.
    """


class AlreadyExistsError(PerdureError):
    """The workflow id is taken. ``run_id`` names the run that has it, if known.

    Raised by starts with ``id_conflict="fail"`` or ``id_reuse="reject"``, by ``fork``, and by ``backup`` when the target
    exists. What to do: take it as "done already", or choose another id.
    """

    def __init__(self, message: str, run_id: str = "") -> None:
        super().__init__(message)
        self.run_id = run_id


class UnauthenticatedError(PerdureError):
    """The server does not know who is calling: no token, or one that is wrong, expired or revoked.

    What to do: give a token that is good (``perdure.connect(..., token=...)``).
    """


class PermissionDeniedError(PerdureError):
    """The caller may not do this. Stores in this process refuse nobody; it is for servers.

    What to do: ask as somebody who may.
    """


class RunClosedError(PerdureError):
    """The run is closed, so it can no longer be signalled, updated, cancelled, paused or terminated.

    What to do: take its result, or start the workflow again. ``client.update_with_start`` and ``start_signal`` do both in one.
    """


class LimitExceededError(PerdureError):
    """Too much of something: a value, a request, or what may be pending at once.

    What to do: pass a reference instead of the data, do less at once (``workflow.map(..., concurrency=8)``), or raise the
    limit that the message names, see ``perdure.Limits``. ``retry_after_seconds`` says when it is worth trying the same
    again, 0 if it never is. ``limit`` names the limit if what is too much is bytes, so that less would have to be sent.
    """

    def __init__(self, message: str = "", *, retry_after_seconds: float = 0.0, limit: str = "") -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        self.limit = limit


class UnavailableError(PerdureError):
    """The server cannot be reached, or ends just now; whether it did what was asked is not known.

    What to do: check the address and that the server runs, then ask again: what has an id is not done twice.
    """


class StoreError(PerdureError):
    """The store cannot be used now: the disk is full, the file is not a store, it may not be read. Nothing recorded is lost.

    What to do: what the message says. What was under way is tried again by itself when the store can be written again.
    """


class StoreLockedError(StoreError):
    """Another engine owns the store; the message names its process.

    What to do: stop that process, or use its engine. Reading with ``perdure list`` and its like works beside it.
    """


class StoreVersionError(StoreError):
    """The store was written by a newer Perdure.

    What to do: upgrade; this one leaves the file as it is.
    """


class StoreCorruptError(StoreError):
    """The store is damaged: something in it cannot be read, or is missing.

    What to do: see what is damaged with ``perdure verify``, and restore a backup.
    """


class StoreConflictError(StoreError):
    """A lost race: somebody else wrote first. It is retried inside, so programs do not see it.

    What to do: if you do see it, two processes use one store without its lock; find the other one.
    """


class InvariantError(PerdureError):
    """A broken invariant: a bug in Perdure, not in your program. The run is parked as it is, and nothing of it is dropped.

    What to do: report it with the run's history; it goes on once it is mended and the store opened again.
    """


class NonDeterminismError(PerdureError):
    """Code and history do not match: the code asked for something else than it did when the history was made.

    Raised by ``perdure.replay``; in a running engine the turn fails and the run waits for mended code. What to do: put the
    change behind ``workflow.patched``, or take it back; the message names the first event that differs, and so does
    ``event_id``, which is 0 where the history ends too early.
    """

    def __init__(self, message: str = "", *, event_id: int = 0) -> None:
        super().__init__(message)
        self.event_id = event_id


class NotAllowedInWorkflowError(NonDeterminismError):
    """A workflow called something that would break its replay: a clock, a random source, a file, a socket, a thread.

    What to do: use what the message names instead, such as ``workflow.now()``, or move the call to an activity.
    """


class DeadlockError(PerdureError):
    """A workflow's turn did not end in time: it computes for long, or blocks. The message says at which line.

    What to do: move heavy work to an activity, and wait with ``await``. The limit is ``deadlock_timeout`` of ``perdure.open``.
    """


class FailureError(PerdureError):
    """A failure as programs see it. ``message`` is the failure's own, ``stack_trace`` where it was raised, if known.

    What to do: catch one of its kinds. One that leaves a workflow fails the run.
    """

    def __init__(self, message: str = "", *, stack_trace: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.stack_trace = stack_trace

    @property
    def cause(self) -> BaseException | None:
        """What led to it."""
        return self.__cause__


class ApplicationError(FailureError):
    """Raised by user code on purpose: in an activity it fails the attempt, in a workflow it fails the run.

    ``type`` names the kind of error (the name of the exception class when it was converted from one);
    ``non_retryable`` makes it final; ``next_retry_delay`` overrides the retry policy's next delay, a timedelta or
    seconds; ``details`` are any values that payloads can carry.

    What to do: raise it for what people should read, and catch it, or the ``ActivityError`` around it, where you can go on.
    """

    def __init__(
        self,
        message: str = "",
        *details: Any,
        type: str | None = None,
        non_retryable: bool = False,
        next_retry_delay: timedelta | float | None = None,
        stack_trace: str = "",
    ) -> None:
        super().__init__(message, stack_trace=stack_trace)
        self.details = details
        self.type = type if type is not None else self.__class__.__name__
        self.non_retryable = non_retryable
        self.next_retry_delay = None if next_retry_delay is None else _delay_seconds(next_retry_delay)


def _delay_seconds(delay: timedelta | float) -> float:
    seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
    if not isinstance(seconds, (int, float)) or not 0 <= seconds < math.inf:
        raise InvalidArgumentError(f"next_retry_delay={delay!r} is not a timedelta or a number of seconds from 0 on")
    return seconds


class TimeoutError(FailureError, builtins.TimeoutError):
    """A clock ran out; ``timeout_type`` says which, ``last_heartbeat_details`` what the activity last reported.

    The cause of an ``ActivityError`` or ``ChildWorkflowError``, or of a ``WorkflowFailedError``. What to do: catch the builtin
    ``TimeoutError``, which it also is; give the activity more time, or find out why it is slow.
    """

    def __init__(
        self,
        message: str = "",
        *,
        timeout_type: TimeoutType = TimeoutType.UNSPECIFIED,
        last_heartbeat_details: Any = None,
    ) -> None:
        super().__init__(message)
        self.timeout_type = timeout_type
        self.last_heartbeat_details = last_heartbeat_details


class CancelledError(FailureError):
    """Something waited for was cancelled. (A program's own cancellation is ``asyncio.CancelledError``.)

    The cause of another error. What to do: nothing, if you cancelled it.
    """

    def __init__(self, message: str = "cancelled", *details: Any) -> None:
        super().__init__(message)
        self.details = details


class TerminatedError(FailureError):
    """A child workflow, or the run whose result was asked for, was terminated.

    The cause of another error. What to do: see who did it, and why, with ``perdure history``.
    """


class ServerError(FailureError):
    """The engine itself gave up on something, not the program.

    The cause of another error. What to do: what its message says.
    """


class ActivityError(FailureError):
    """An activity failed for good. ``cause`` says why, ``retry_state`` why there is no further attempt.

    Raised where the workflow awaits the activity. What to do: catch it and take another way, or undo what was done
    (``workflow.saga``); uncaught, it fails the run.
    """

    def __init__(
        self,
        message: str,
        *,
        activity_type: str = "",
        activity_id: str = "",
        scheduled_event_id: int = 0,
        started_event_id: int = 0,
        identity: str = "",
        retry_state: RetryState = RetryState.UNSPECIFIED,
    ) -> None:
        super().__init__(message)
        self.activity_type = activity_type
        self.activity_id = activity_id
        self.scheduled_event_id = scheduled_event_id
        self.started_event_id = started_event_id
        self.identity = identity
        self.retry_state = retry_state


class ChildWorkflowError(FailureError):
    """A child workflow did not complete. ``cause`` says why.

    Raised where the parent awaits the child. What to do: as with an ``ActivityError``.
    """

    def __init__(
        self,
        message: str,
        *,
        workflow_type: str = "",
        workflow_id: str = "",
        run_id: str = "",
        retry_state: RetryState = RetryState.UNSPECIFIED,
    ) -> None:
        super().__init__(message)
        self.workflow_type = workflow_type
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.retry_state = retry_state


class OperationError(FailureError):
    """An operation that the workflow asked for did not succeed. ``cause`` says why; ``token`` is its name where it ran.

    Raised where the workflow awaits the operation. What to do: as with an ``ActivityError``.
    """

    def __init__(
        self, message: str, *, endpoint: str = "", service: str = "", operation: str = "", token: str = ""
    ) -> None:
        super().__init__(message)
        self.endpoint = endpoint
        self.service = service
        self.operation = operation
        self.token = token


class WorkflowFailedError(PerdureError):
    """The run closed without a result. ``status`` says how, ``cause`` says why.

    Raised by ``client.execute`` and ``run.result``. What to do: look at it with ``perdure show``; start the workflow again, or
    go on from an earlier event with ``run.reset``.
    """

    def __init__(self, message: str, status: RunStatus, workflow_id: str = "", run_id: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.workflow_id = workflow_id
        self.run_id = run_id

    @property
    def cause(self) -> BaseException | None:
        """What led to it."""
        return self.__cause__


class UpdateFailedError(PerdureError):
    """The update was rejected by its validator, or its handler failed. ``cause`` says why.

    What to do: correct the update. A rejected one has left no trace in the run.
    """

    @property
    def cause(self) -> BaseException | None:
        """What led to it."""
        return self.__cause__


class QueryFailedError(PerdureError):
    """The query's handler raised, or there is none.

    What to do: check the query's name, or mend the handler. The run itself is not touched by it. ``failure`` is what the
    worker has said, where that is known.
    """

    def __init__(self, message: str = "", failure: Failure | None = None) -> None:
        super().__init__(message)
        self.failure = failure
