"""Operations that others carry out."""

from perdure.model.events.record import Record
from perdure.model.failures import Failure
from perdure.model.payloads import Payloads, UserMetadata


class NexusOperationScheduled(Record, frozen=True, array_like=True, gc=False, tag=48):
    """The program asked for an operation of whoever serves an endpoint.

    The endpoint leads to ``namespace`` and ``task_queue``. ``request_id`` is the same for all attempts.
    """

    endpoint: str
    service: str
    operation: str
    namespace: str
    task_queue: str
    request_id: str
    input: Payloads = ()
    schedule_to_close_timeout_ns: int = 0
    schedule_to_start_timeout_ns: int = 0
    start_to_close_timeout_ns: int = 0
    nexus_header: dict[str, str] | None = None
    endpoint_id: str = ""
    workflow_task_completed_event_id: int = 0
    user_metadata: UserMetadata | None = None


class NexusOperationStarted(Record, frozen=True, array_like=True, gc=False, tag=49):
    """The operation was accepted and goes on by itself; ``operation_token`` is its name there.

    ``links`` say what it is there; only the protocol that brought them can read them.
    """

    scheduled_event_id: int
    operation_token: str
    request_id: str = ""
    links: tuple[bytes, ...] = ()


class NexusOperationCompleted(Record, frozen=True, array_like=True, gc=False, tag=50):
    """The operation succeeded."""

    scheduled_event_id: int
    result: Payloads = ()
    request_id: str = ""
    links: tuple[bytes, ...] = ()


class _OperationUnsuccessful(Record, frozen=True, array_like=True, gc=False):
    """What the three ends have that bring no result."""

    scheduled_event_id: int
    failure: Failure
    request_id: str = ""


class NexusOperationFailed(_OperationUnsuccessful, frozen=True, array_like=True, gc=False, tag=51):
    """The operation failed for good."""


class NexusOperationCanceled(_OperationUnsuccessful, frozen=True, array_like=True, gc=False, tag=52):
    """The operation was cancelled."""


class NexusOperationTimedOut(_OperationUnsuccessful, frozen=True, array_like=True, gc=False, tag=53):
    """The operation took too long."""


class NexusOperationCancelRequested(Record, frozen=True, array_like=True, gc=False, tag=54):
    """The program no longer wants the operation."""

    scheduled_event_id: int
    workflow_task_completed_event_id: int = 0


class NexusOperationCancelRequestCompleted(Record, frozen=True, array_like=True, gc=False, tag=56):
    """Whoever carries out the operation knows that it is to stop."""

    requested_event_id: int
    scheduled_event_id: int


class NexusOperationCancelRequestFailed(Record, frozen=True, array_like=True, gc=False, tag=57):
    """Whoever carries out the operation can't stop it."""

    requested_event_id: int
    scheduled_event_id: int
    failure: Failure


class OperationAttemptFailed(Record, frozen=True, array_like=True, gc=False, tag=118):
    """Asking for an operation failed, or for its end with ``of_cancel``; it is asked again at ``next_attempt_time`` (ns
    since 1970)."""

    scheduled_event_id: int
    attempt: int
    failure: Failure
    next_attempt_time: int
    of_cancel: bool = False


class OperationOffered(Record, frozen=True, array_like=True, gc=False, tag=119):
    """A back-off is over: an operation is asked for again, or its end with ``of_cancel``."""

    scheduled_event_id: int
    of_cancel: bool = False
