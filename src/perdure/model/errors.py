"""Everything that Perdure raises, as one tree::

    PerdureError
    ├── InvalidArgumentError       the caller's fault: a value that cannot be used
    ├── NotFoundError              the caller's fault: no such run, schedule, file ...
    ├── AlreadyExistsError         the caller's fault: the workflow id is taken
    ├── PermissionDeniedError      the caller's fault: not allowed
    ├── RunClosedError             the caller's fault: the run is closed, so this can no longer be done to it
    ├── LimitExceededError         too much of something; the message names the limit and the setting
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
    │   └── ChildWorkflowError         a child workflow failed: ``cause`` says why
    ├── NonDeterminismError        code and history do not match
    │   └── NotAllowedInWorkflowError  a call that would break replay
    ├── DeadlockError              a turn did not end
    ├── StoreError                 the store cannot be used now; nothing recorded is lost
    │   ├── StoreLockedError           another engine owns it
    │   ├── StoreVersionError          written by a newer Perdure
    │   ├── StoreCorruptError          damaged
    │   └── StoreConflictError         a lost race: someone else wrote first; retried inside
    └── InvariantError             ours: a broken invariant; the run is parked, nothing is dropped

Every message says what was wrong, where, and what to do.
"""

import builtins
from typing import Any

from perdure.model.failures import RetryState, TimeoutType
from perdure.model.options import RunStatus


class PerdureError(Exception):
    """The root of everything raised on purpose."""


class InvalidArgumentError(PerdureError, ValueError):
    """A value that cannot be used."""


class NotFoundError(PerdureError, LookupError):
    """No such thing."""


class AlreadyExistsError(PerdureError):
    """The workflow id is taken. ``run_id`` names the run that has it."""

    def __init__(self, message: str, run_id: str = "") -> None:
        super().__init__(message)
        self.run_id = run_id


class PermissionDeniedError(PerdureError):
    """Not allowed."""


class RunClosedError(PerdureError):
    """The run is closed."""


class LimitExceededError(PerdureError):
    """Too much of something."""


class StoreError(PerdureError):
    """The store cannot be used now."""


class StoreLockedError(StoreError):
    """Another engine owns the store."""


class StoreVersionError(StoreError):
    """The store was written by a newer Perdure."""


class StoreCorruptError(StoreError):
    """The store is damaged."""


class StoreConflictError(StoreError):
    """Someone else wrote first."""


class InvariantError(PerdureError):
    """A broken invariant inside Perdure."""


class NonDeterminismError(PerdureError):
    """Code and history do not match."""


class NotAllowedInWorkflowError(NonDeterminismError):
    """A call that would break replay."""


class DeadlockError(PerdureError):
    """A workflow's turn did not end in time."""


class FailureError(PerdureError):
    """A failure as programs see it. ``message`` is the failure's own, ``stack_trace`` where it was raised, if known."""

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
    ``non_retryable`` makes it final; ``next_retry_delay`` overrides the retry policy's next delay, in seconds;
    ``details`` are any values that payloads can carry.
    """

    def __init__(
        self,
        message: str = "",
        *details: Any,
        type: str | None = None,
        non_retryable: bool = False,
        next_retry_delay: float | None = None,
        stack_trace: str = "",
    ) -> None:
        super().__init__(message, stack_trace=stack_trace)
        self.details = details
        self.type = type if type is not None else self.__class__.__name__
        self.non_retryable = non_retryable
        self.next_retry_delay = next_retry_delay


class TimeoutError(FailureError, builtins.TimeoutError):
    """A clock ran out; ``timeout_type`` says which, ``last_heartbeat_details`` what the activity last reported."""

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
    """Something waited for was cancelled. (A program's own cancellation is ``asyncio.CancelledError``.)"""

    def __init__(self, message: str = "cancelled", *details: Any) -> None:
        super().__init__(message)
        self.details = details


class TerminatedError(FailureError):
    """A child workflow was terminated."""


class ServerError(FailureError):
    """The engine gave up."""


class ActivityError(FailureError):
    """An activity failed for good. ``cause`` says why, ``retry_state`` why there is no further attempt."""

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
    """A child workflow did not complete. ``cause`` says why."""

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


class WorkflowFailedError(PerdureError):
    """The run closed without a result. ``status`` says how, ``cause`` says why."""

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
    """The update was rejected by its validator, or its handler failed. ``cause`` says why."""

    @property
    def cause(self) -> BaseException | None:
        """What led to it."""
        return self.__cause__


class QueryFailedError(PerdureError):
    """The query's handler raised, or there is none."""
