"""Activities: what the program sees of them, and their attempts."""

from perdure.model.activity_options import ActivityOptions
from perdure.model.affinity import Affinity
from perdure.model.events.record import Record
from perdure.model.failures import Failure, RetryState
from perdure.model.options import RetryPolicy
from perdure.model.payloads import PayloadMap, Payloads, UserMetadata
from perdure.model.task_queues import BreakerPolicy, Priority


class ActivityTaskScheduled(Record, frozen=True, array_like=True, gc=False, tag=10):
    """The program asked for an activity."""

    activity_id: str
    activity_type: str
    task_queue: str
    input: Payloads = ()
    schedule_to_close_timeout_ns: int = 0
    schedule_to_start_timeout_ns: int = 0
    start_to_close_timeout_ns: int = 0
    heartbeat_timeout_ns: int = 0
    retry_policy: RetryPolicy = RetryPolicy()
    workflow_task_completed_event_id: int = 0
    header: PayloadMap | None = None
    priority: Priority | None = None
    limit_key: str = ""
    breaker: BreakerPolicy | None = None
    affinity: Affinity | None = None
    user_metadata: UserMetadata | None = None


class ActivityTaskStarted(Record, frozen=True, array_like=True, gc=False, tag=11):
    """The last attempt of the activity had started.

    Written only once that attempt ends, as in Temporal; ``ActivityAttemptStarted`` says so when it happens.
    """

    scheduled_event_id: int
    identity: str = ""
    attempt: int = 1
    last_failure: Failure | None = None


class ActivityTaskCompleted(Record, frozen=True, array_like=True, gc=False, tag=12):
    """The activity succeeded."""

    scheduled_event_id: int
    started_event_id: int
    result: Payloads = ()
    identity: str = ""


class ActivityTaskFailed(Record, frozen=True, array_like=True, gc=False, tag=13):
    """The activity failed for good."""

    scheduled_event_id: int
    started_event_id: int
    failure: Failure
    retry_state: RetryState = RetryState.UNSPECIFIED
    identity: str = ""


class ActivityTaskTimedOut(Record, frozen=True, array_like=True, gc=False, tag=14):
    """The activity took too long, for good."""

    scheduled_event_id: int
    started_event_id: int
    failure: Failure
    retry_state: RetryState = RetryState.UNSPECIFIED


class ActivityTaskCancelRequested(Record, frozen=True, array_like=True, gc=False, tag=15):
    """The program no longer wants the activity."""

    scheduled_event_id: int
    workflow_task_completed_event_id: int = 0


class ActivityTaskCanceled(Record, frozen=True, array_like=True, gc=False, tag=16):
    """The activity stopped because it was asked to."""

    scheduled_event_id: int
    started_event_id: int
    details: Payloads = ()
    latest_cancel_requested_event_id: int = 0
    identity: str = ""


class ActivityAttemptStarted(Record, frozen=True, array_like=True, gc=False, tag=101):
    """An attempt was handed to a worker. After this the attempt counts, whatever happens to the worker.

    ``worker_id`` is set if the worker may outlive the engine's process.
    """

    scheduled_event_id: int
    attempt: int
    identity: str = ""
    worker_id: str = ""


class ActivityAttemptFailed(Record, frozen=True, array_like=True, gc=False, tag=102):
    """An attempt failed and another one follows at ``next_attempt_time`` (ns since 1970)."""

    scheduled_event_id: int
    attempt: int
    failure: Failure
    next_attempt_time: int


class ActivityHeartbeatRecorded(Record, frozen=True, array_like=True, gc=False, tag=103):
    """The activity said how far it has come. ``is_outside``: the attempt has left its worker, and somebody else ends it."""

    scheduled_event_id: int
    details: Payloads = ()
    is_outside: bool = False


class ActivityPaused(Record, frozen=True, array_like=True, gc=False, tag=114):
    """No further attempt starts until it is unpaused."""

    scheduled_event_id: int
    reason: str = ""
    identity: str = ""


class ActivityUnpaused(Record, frozen=True, array_like=True, gc=False, tag=115):
    """Attempts may start again: the next one at ``next_attempt_time`` (ns since 1970; 0 while one runs)."""

    scheduled_event_id: int
    next_attempt_time: int = 0
    resets_attempts: bool = False
    resets_heartbeat: bool = False
    identity: str = ""


class ActivityReset(Record, frozen=True, array_like=True, gc=False, tag=116):
    """Attempts count from 1 again: the one that runs, or the next one, which starts at ``next_attempt_time`` (ns since
    1970; 0 if nothing changes there)."""

    scheduled_event_id: int
    next_attempt_time: int = 0
    resets_heartbeat: bool = False
    keeps_paused: bool = False
    identity: str = ""


class ActivityOptionsUpdated(Record, frozen=True, array_like=True, gc=False, tag=117):
    """The activity has other options; without ``options`` those again that it was scheduled with.

    ``next_attempt_time`` (ns since 1970) is when a retry that waits is due now; 0 if none waits.
    """

    scheduled_event_id: int
    options: ActivityOptions | None = None
    next_attempt_time: int = 0
    identity: str = ""
