"""Why something did not succeed, as data: recorded in events, carried between languages, shown to people.

The shape is Temporal's ``Failure``: one record with a kind and a chain of causes.
"""

from enum import IntEnum

import msgspec

from perdure.model.payloads import Payload, Payloads


class FailureKind(IntEnum):
    """Who or what made it fail."""

    APPLICATION = 0
    TIMEOUT = 1
    CANCELED = 2
    TERMINATED = 3
    SERVER = 4
    ACTIVITY = 5
    CHILD_WORKFLOW = 6
    OPERATION = 7
    HANDLER = 8
    """Whoever serves an endpoint could not take an operation in hand; ``type`` says what is wrong with that."""


class TimeoutType(IntEnum):
    """Which clock ran out (Temporal's ``TimeoutType``)."""

    UNSPECIFIED = 0
    START_TO_CLOSE = 1
    SCHEDULE_TO_START = 2
    SCHEDULE_TO_CLOSE = 3
    HEARTBEAT = 4


class RetryState(IntEnum):
    """Why there is, or is not, another attempt (Temporal's ``RetryState``)."""

    UNSPECIFIED = 0
    IN_PROGRESS = 1
    NON_RETRYABLE_FAILURE = 2
    TIMEOUT = 3
    MAXIMUM_ATTEMPTS_REACHED = 4
    RETRY_POLICY_NOT_SET = 5
    INTERNAL_SERVER_ERROR = 6
    CANCEL_REQUESTED = 7


class RetryBehavior(IntEnum):
    """What a HANDLER failure says itself of another attempt (Temporal's ``NexusHandlerErrorRetryBehavior``)."""

    UNSPECIFIED = 0
    RETRYABLE = 1
    NON_RETRYABLE = 2


class FailedOperation(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Which operation an OPERATION failure is of. ``token`` is its name where it runs, empty if it never was accepted."""

    endpoint: str
    service: str
    operation: str
    token: str = ""


class Failure(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One link of a failure chain.

    ``type`` is the application's own name of the error (a class name, usually). ``source`` names the SDK or service
    that recorded it. ``next_retry_delay_ns`` overrides the retry policy's next delay; below zero means unset.
    The fields after it belong to ACTIVITY and CHILD_WORKFLOW failures, which wrap the failure in ``cause``, as OPERATION
    ones do. ``retry_behavior`` is of HANDLER failures.
    ``encoded_attributes`` hold message and stack trace where a codec has encrypted them; ``category`` says how much an
    application makes of it (Temporal's ``ApplicationErrorCategory``), below zero where nobody has said what kind it is.
    """

    message: str
    kind: FailureKind = FailureKind.APPLICATION
    type: str = ""
    non_retryable: bool = False
    details: Payloads = ()
    cause: "Failure | None" = None
    stack_trace: str = ""
    source: str = ""
    next_retry_delay_ns: int = -1
    timeout_type: TimeoutType = TimeoutType.UNSPECIFIED
    retry_state: RetryState = RetryState.UNSPECIFIED
    activity_id: str = ""
    activity_type: str = ""
    workflow_id: str = ""
    run_id: str = ""
    workflow_type: str = ""
    scheduled_event_id: int = 0
    started_event_id: int = 0
    identity: str = ""
    encoded_attributes: Payload | None = None
    category: int = 0
    namespace: str = ""
    operation: FailedOperation | None = None
    retry_behavior: RetryBehavior = RetryBehavior.UNSPECIFIED


BAD_COMMAND = "BadCommand"
"""The type of a failure of a turn: what it asked for can't be done."""

ASK_AGAIN = "AskAgain"
"""The type of a query's answer that nobody gets: what answered was not the run as it is."""

NO_WORKER = "NoWorker"
"""The type of a failure to ask a program: nobody is there who could answer."""
