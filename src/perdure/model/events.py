"""Everything that can happen to a run, in Temporal's words.

Two kinds of record make up a history, and both change a run only through ``kernel.apply``:

- *Events* are Temporal's ``HistoryEvent``: numbered from 1 without gaps, shown to people and programs, with its
  names, its attributes and its type numbers (``temporal/api/history/v1/message.proto``). Attributes that the engine
  does not use yet are left out; new ones are only ever added at the end, with a default, so that every old history
  stays readable.
- *Facts* are what Temporal keeps in its mutable state and never shows: attempts, heartbeats, buffering. They carry no
  number. Recording them too is what makes "folding a history gives the state" true without exception.

Records are stored as MessagePack arrays that begin with the type's number (facts begin at 101), so a number is never
used again. ``time`` is in nanoseconds since 1970; ``..._ns`` attributes are durations, 0 meaning "no limit" unless
said otherwise.

Each record's docstring is its row in ``docs/events.md``.
"""

from typing import Union

import msgspec

from perdure.model.activity_options import ActivityOptions
from perdure.model.affinity import Affinity
from perdure.model.failures import Failure, RetryState, TimeoutType
from perdure.model.ids import CompletionCallback, DetachedStart, ParentLink, RunAddress
from perdure.model.options import IdReuse, Initiator, ParentClose, RetryPolicy, Versioning
from perdure.model.payloads import PayloadMap, Payloads, UserMetadata
from perdure.model.task_queues import BreakerPolicy, Priority


class Record(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What all records share. ``id`` is the event's number; 0 on facts and on events that are buffered."""

    id: int
    time: int


# --- the run itself


class WorkflowExecutionStarted(Record, frozen=True, array_like=True, gc=False, tag=1):
    """The run began, with these arguments and options."""

    workflow_id: str
    workflow_type: str
    task_queue: str
    input: Payloads = ()
    workflow_execution_timeout_ns: int = 0
    workflow_run_timeout_ns: int = 0
    workflow_task_timeout_ns: int = 0
    identity: str = ""
    first_execution_run_id: str = ""
    original_execution_run_id: str = ""
    continued_execution_run_id: str = ""
    initiator: Initiator = Initiator.UNSPECIFIED
    continued_failure: Failure | None = None
    last_completion_result: Payloads = ()
    retry_policy: RetryPolicy | None = None
    attempt: int = 1
    workflow_execution_expiration_time: int = 0
    first_workflow_task_backoff_ns: int = 0
    memo: PayloadMap | None = None
    search_attributes: PayloadMap | None = None
    header: PayloadMap | None = None
    parent: ParentLink | None = None
    parent_close_policy: ParentClose = ParentClose.TERMINATE
    request_id: str = ""
    root_workflow_id: str = ""
    root_run_id: str = ""
    workflow_run_expiration_time: int = 0
    pinned_build_id: str = ""
    completion_callback: CompletionCallback | None = None
    affinity: Affinity | None = None
    user_metadata: UserMetadata | None = None
    priority: Priority | None = None
    cron_schedule: str = ""
    completion_callbacks: tuple[CompletionCallback, ...] = ()


class WorkflowExecutionCompleted(Record, frozen=True, array_like=True, gc=False, tag=2):
    """The program returned a result."""

    result: Payloads = ()
    workflow_task_completed_event_id: int = 0
    new_execution_run_id: str = ""


class WorkflowExecutionFailed(Record, frozen=True, array_like=True, gc=False, tag=3):
    """The program failed the run; its retry policy may have started another."""

    failure: Failure
    retry_state: RetryState = RetryState.UNSPECIFIED
    workflow_task_completed_event_id: int = 0
    new_execution_run_id: str = ""


class WorkflowExecutionTimedOut(Record, frozen=True, array_like=True, gc=False, tag=4):
    """The run, or the whole execution, took too long."""

    retry_state: RetryState = RetryState.UNSPECIFIED
    new_execution_run_id: str = ""


class WorkflowExecutionContinuedAsNew(Record, frozen=True, array_like=True, gc=False, tag=28):
    """A fresh run goes on in this one's place."""

    new_execution_run_id: str
    workflow_type: str
    task_queue: str
    input: Payloads = ()
    workflow_run_timeout_ns: int = 0
    workflow_task_timeout_ns: int = 0
    workflow_task_completed_event_id: int = 0
    backoff_start_interval_ns: int = 0
    initiator: Initiator = Initiator.WORKFLOW
    failure: Failure | None = None
    last_completion_result: Payloads = ()
    header: PayloadMap | None = None
    memo: PayloadMap | None = None
    search_attributes: PayloadMap | None = None


class WorkflowExecutionCanceled(Record, frozen=True, array_like=True, gc=False, tag=21):
    """The program stopped, as it was asked to."""

    workflow_task_completed_event_id: int = 0
    details: Payloads = ()


class WorkflowExecutionTerminated(Record, frozen=True, array_like=True, gc=False, tag=27):
    """The run was closed from outside; its program was not asked."""

    reason: str = ""
    details: Payloads = ()
    identity: str = ""


class WorkflowExecutionCancelRequested(Record, frozen=True, array_like=True, gc=False, tag=20):
    """Somebody asked the program to stop."""

    cause: str = ""
    external_initiated_event_id: int = 0
    external_workflow_execution: RunAddress | None = None
    identity: str = ""
    request_id: str = ""


class WorkflowExecutionSignaled(Record, frozen=True, array_like=True, gc=False, tag=26):
    """A signal arrived."""

    signal_name: str
    input: Payloads = ()
    identity: str = ""
    header: PayloadMap | None = None
    external_workflow_execution: RunAddress | None = None
    request_id: str = ""


class WorkflowExecutionPaused(Record, frozen=True, array_like=True, gc=False, tag=58):
    """Nothing new starts until the run is resumed."""

    identity: str = ""
    reason: str = ""
    request_id: str = ""


class WorkflowExecutionUnpaused(Record, frozen=True, array_like=True, gc=False, tag=59):
    """The run goes on."""

    identity: str = ""
    reason: str = ""
    request_id: str = ""


class WorkflowExecutionOptionsUpdated(Record, frozen=True, array_like=True, gc=False, tag=55):
    """From now on only workers of this build of the code take the run's turns; with an empty ``pinned_build_id``, any
    worker does (Temporal's ``versioning_override``). Or, with ``attached_callbacks``, others are told as well when the run
    closes, and all else is as it was."""

    pinned_build_id: str = ""
    identity: str = ""
    request_id: str = ""
    attached_callbacks: tuple[CompletionCallback, ...] = ()


# --- workflow tasks: the turns of the program


class WorkflowTaskScheduled(Record, frozen=True, array_like=True, gc=False, tag=5):
    """There is something new for the program. ``sticky_queue`` is where the worker asks for it that has the program."""

    task_queue: str
    start_to_close_timeout_ns: int = 0
    attempt: int = 1
    sticky_queue: str = ""


class WorkflowTaskStarted(Record, frozen=True, array_like=True, gc=False, tag=6):
    """A worker took the turn."""

    scheduled_event_id: int
    identity: str = ""
    suggest_continue_as_new: bool = False
    history_size_bytes: int = 0


class WorkflowTaskCompleted(Record, frozen=True, array_like=True, gc=False, tag=7):
    """The program took its turn; what it asked for follows.

    ``build_id`` names the code that took the turn (Temporal's ``worker_version.build_id``). ``sdk_metadata`` is what the
    worker's SDK must know again when it replays the turn; only it can read that. With a ``sticky_queue`` the worker has
    kept the program, and asks there for its next turn. ``state`` is what the turn changed in the state of a program that
    keeps it as data; only that program can read it. ``deployment`` is that of the build, if it belongs to one, whose id
    begins with its name; ``versioning`` says whether the run stays with the build.
    """

    scheduled_event_id: int
    started_event_id: int
    identity: str = ""
    build_id: str = ""
    sdk_metadata: bytes = b""
    sticky_queue: str = ""
    state: bytes = b""
    deployment: str = ""
    versioning: Versioning = Versioning.UNSPECIFIED


class WorkflowTaskTimedOut(Record, frozen=True, array_like=True, gc=False, tag=8):
    """The worker that had the turn took too long."""

    scheduled_event_id: int
    started_event_id: int
    timeout_type: TimeoutType = TimeoutType.START_TO_CLOSE


class WorkflowTaskFailed(Record, frozen=True, array_like=True, gc=False, tag=9):
    """The program could not take its turn; it is tried again. Also marks where a reset or fork begins.

    ``cause`` is a name of Temporal's ``WorkflowTaskFailedCause`` without its prefix.
    """

    scheduled_event_id: int
    started_event_id: int
    cause: str
    failure: Failure | None = None
    identity: str = ""
    base_run_id: str = ""
    new_run_id: str = ""
    build_id: str = ""


# --- activities


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


# --- timers


class TimerStarted(Record, frozen=True, array_like=True, gc=False, tag=17):
    """The program asked to be woken."""

    timer_id: str
    start_to_fire_timeout_ns: int
    workflow_task_completed_event_id: int = 0
    user_metadata: UserMetadata | None = None


class TimerFired(Record, frozen=True, array_like=True, gc=False, tag=18):
    """The time has come."""

    timer_id: str
    started_event_id: int


class TimerCanceled(Record, frozen=True, array_like=True, gc=False, tag=19):
    """The program no longer wants to be woken."""

    timer_id: str
    started_event_id: int
    workflow_task_completed_event_id: int = 0


# --- notes of the program


class MarkerRecorded(Record, frozen=True, array_like=True, gc=False, tag=25):
    """A note of the program, such as a patch."""

    marker_name: str
    details: dict[str, Payloads]
    workflow_task_completed_event_id: int = 0
    header: PayloadMap | None = None
    failure: Failure | None = None


class UpsertWorkflowSearchAttributes(Record, frozen=True, array_like=True, gc=False, tag=40):
    """The program changed its search attributes."""

    search_attributes: PayloadMap
    workflow_task_completed_event_id: int = 0


class WorkflowPropertiesModified(Record, frozen=True, array_like=True, gc=False, tag=46):
    """The program changed its memo; progress is kept there too.

    A null payload in ``upserted_memo`` removes the key.
    """

    upserted_memo: PayloadMap
    workflow_task_completed_event_id: int = 0


# --- child workflows


class StartChildWorkflowExecutionInitiated(Record, frozen=True, array_like=True, gc=False, tag=29):
    """The program asked for a child workflow; with ``detached``, for a run that is nobody's child."""

    workflow_id: str
    workflow_type: str
    task_queue: str
    namespace: str = ""
    input: Payloads = ()
    workflow_execution_timeout_ns: int = 0
    workflow_run_timeout_ns: int = 0
    workflow_task_timeout_ns: int = 0
    parent_close_policy: ParentClose = ParentClose.TERMINATE
    workflow_id_reuse_policy: IdReuse = IdReuse.ALLOW
    retry_policy: RetryPolicy | None = None
    memo: PayloadMap | None = None
    search_attributes: PayloadMap | None = None
    header: PayloadMap | None = None
    workflow_task_completed_event_id: int = 0
    detached: DetachedStart | None = None
    affinity: Affinity | None = None
    user_metadata: UserMetadata | None = None
    priority: Priority | None = None
    cron_schedule: str = ""


class StartChildWorkflowExecutionFailed(Record, frozen=True, array_like=True, gc=False, tag=30):
    """The child could not start. ``message`` says why, in words."""

    workflow_id: str
    workflow_type: str
    cause: str
    initiated_event_id: int
    workflow_task_completed_event_id: int = 0
    message: str = ""


class ChildWorkflowExecutionStarted(Record, frozen=True, array_like=True, gc=False, tag=31):
    """The child started."""

    initiated_event_id: int
    workflow_id: str
    run_id: str
    workflow_type: str


class ChildWorkflowExecutionCompleted(Record, frozen=True, array_like=True, gc=False, tag=32):
    """The child completed."""

    initiated_event_id: int
    started_event_id: int
    workflow_id: str
    run_id: str
    workflow_type: str
    result: Payloads = ()


class ChildWorkflowExecutionFailed(Record, frozen=True, array_like=True, gc=False, tag=33):
    """The child failed."""

    initiated_event_id: int
    started_event_id: int
    workflow_id: str
    run_id: str
    workflow_type: str
    failure: Failure
    retry_state: RetryState = RetryState.UNSPECIFIED


class ChildWorkflowExecutionCanceled(Record, frozen=True, array_like=True, gc=False, tag=34):
    """The child was cancelled."""

    initiated_event_id: int
    started_event_id: int
    workflow_id: str
    run_id: str
    workflow_type: str
    details: Payloads = ()


class ChildWorkflowExecutionTimedOut(Record, frozen=True, array_like=True, gc=False, tag=35):
    """The child took too long."""

    initiated_event_id: int
    started_event_id: int
    workflow_id: str
    run_id: str
    workflow_type: str
    retry_state: RetryState = RetryState.UNSPECIFIED


class ChildWorkflowExecutionTerminated(Record, frozen=True, array_like=True, gc=False, tag=36):
    """The child was terminated."""

    initiated_event_id: int
    started_event_id: int
    workflow_id: str
    run_id: str
    workflow_type: str


# --- other runs


class SignalExternalWorkflowExecutionInitiated(Record, frozen=True, array_like=True, gc=False, tag=37):
    """The program signals another run. ``control`` is its own note, which comes back with the answer."""

    workflow_execution: RunAddress
    signal_name: str
    input: Payloads = ()
    child_workflow_only: bool = False
    header: PayloadMap | None = None
    workflow_task_completed_event_id: int = 0
    control: str = ""


class SignalExternalWorkflowExecutionFailed(Record, frozen=True, array_like=True, gc=False, tag=38):
    """The signal could not be delivered."""

    cause: str
    workflow_execution: RunAddress
    initiated_event_id: int
    control: str = ""


class ExternalWorkflowExecutionSignaled(Record, frozen=True, array_like=True, gc=False, tag=39):
    """The signal was delivered."""

    initiated_event_id: int
    workflow_execution: RunAddress
    control: str = ""


class RequestCancelExternalWorkflowExecutionInitiated(Record, frozen=True, array_like=True, gc=False, tag=22):
    """The program asks another run to stop. ``control`` is its own note."""

    workflow_execution: RunAddress
    child_workflow_only: bool = False
    reason: str = ""
    workflow_task_completed_event_id: int = 0
    control: str = ""


class RequestCancelExternalWorkflowExecutionFailed(Record, frozen=True, array_like=True, gc=False, tag=23):
    """That could not be delivered."""

    cause: str
    workflow_execution: RunAddress
    initiated_event_id: int


class ExternalWorkflowExecutionCancelRequested(Record, frozen=True, array_like=True, gc=False, tag=24):
    """That was delivered."""

    initiated_event_id: int
    workflow_execution: RunAddress


# --- updates


class WorkflowExecutionUpdateAccepted(Record, frozen=True, array_like=True, gc=False, tag=41):
    """The program accepted an update.

    The request is kept whole, since a replay delivers the update from here.
    """

    protocol_instance_id: str
    update_name: str
    input: Payloads = ()
    header: PayloadMap | None = None
    identity: str = ""
    accepted_request_sequencing_event_id: int = 0
    callbacks: tuple[CompletionCallback, ...] = ()


class WorkflowExecutionUpdateCompleted(Record, frozen=True, array_like=True, gc=False, tag=43):
    """The update's handler ended; either ``result`` or ``failure`` is the outcome."""

    update_id: str
    accepted_event_id: int
    result: Payloads = ()
    failure: Failure | None = None


# --- operations that others carry out


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


class NexusOperationFailed(Record, frozen=True, array_like=True, gc=False, tag=51):
    """The operation failed for good."""

    scheduled_event_id: int
    failure: Failure
    request_id: str = ""


class NexusOperationCanceled(Record, frozen=True, array_like=True, gc=False, tag=52):
    """The operation was cancelled."""

    scheduled_event_id: int
    failure: Failure
    request_id: str = ""


class NexusOperationTimedOut(Record, frozen=True, array_like=True, gc=False, tag=53):
    """The operation took too long."""

    scheduled_event_id: int
    failure: Failure
    request_id: str = ""


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


# --- facts: recorded and folded, never shown


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


class WorkflowTaskAttemptStarted(Record, frozen=True, array_like=True, gc=False, tag=104):
    """A turn that is not in the history yet was handed out: a repeated one, or one that only brings updates."""

    identity: str = ""


class WorkflowTaskAttemptFailed(Record, frozen=True, array_like=True, gc=False, tag=105):
    """A repeated turn failed again; only the first failure of a series becomes an event."""

    cause: str
    failure: Failure | None = None


class WorkflowTaskRetryScheduled(Record, frozen=True, array_like=True, gc=False, tag=106):
    """The failed turn is tried again at ``next_attempt_time`` (ns since 1970)."""

    next_attempt_time: int


class WorkflowTaskDropped(Record, frozen=True, array_like=True, gc=False, tag=107):
    """A turn that only brought updates rejected them all, and so leaves no trace in the history."""

    rejected: tuple[str, ...] = ()


class UpdateAdmitted(Record, frozen=True, array_like=True, gc=False, tag=108):
    """An update waits for the program's next turn."""

    update_id: str
    update_name: str
    input: Payloads = ()
    header: PayloadMap | None = None
    identity: str = ""
    callbacks: tuple[CompletionCallback, ...] = ()


class UpdateRejected(Record, frozen=True, array_like=True, gc=False, tag=109):
    """The program's validator refused the update."""

    update_id: str
    failure: Failure


class WorkflowTaskRequested(Record, frozen=True, array_like=True, gc=False, tag=111):
    """A turn is wanted only to bring updates. It enters the history if the program accepts one."""


class FirstTaskReady(Record, frozen=True, array_like=True, gc=False, tag=110):
    """The start delay, or the back-off between two runs, is over."""


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


class ActivityOptionsUpdated(Record, frozen=True, array_like=True, gc=False, tag=117):
    """The activity has other options; without ``options`` those again that it was scheduled with.

    ``next_attempt_time`` (ns since 1970) is when a retry that waits is due now; 0 if none waits.
    """

    scheduled_event_id: int
    options: ActivityOptions | None = None
    next_attempt_time: int = 0
    identity: str = ""


Event = Union[
    WorkflowExecutionStarted,
    WorkflowExecutionCompleted,
    WorkflowExecutionFailed,
    WorkflowExecutionTimedOut,
    WorkflowExecutionContinuedAsNew,
    WorkflowExecutionCanceled,
    WorkflowExecutionTerminated,
    WorkflowExecutionCancelRequested,
    WorkflowExecutionSignaled,
    WorkflowExecutionPaused,
    WorkflowExecutionUnpaused,
    WorkflowExecutionOptionsUpdated,
    WorkflowTaskScheduled,
    WorkflowTaskStarted,
    WorkflowTaskCompleted,
    WorkflowTaskTimedOut,
    WorkflowTaskFailed,
    ActivityTaskScheduled,
    ActivityTaskStarted,
    ActivityTaskCompleted,
    ActivityTaskFailed,
    ActivityTaskTimedOut,
    ActivityTaskCancelRequested,
    ActivityTaskCanceled,
    TimerStarted,
    TimerFired,
    TimerCanceled,
    MarkerRecorded,
    UpsertWorkflowSearchAttributes,
    WorkflowPropertiesModified,
    StartChildWorkflowExecutionInitiated,
    StartChildWorkflowExecutionFailed,
    ChildWorkflowExecutionStarted,
    ChildWorkflowExecutionCompleted,
    ChildWorkflowExecutionFailed,
    ChildWorkflowExecutionCanceled,
    ChildWorkflowExecutionTimedOut,
    ChildWorkflowExecutionTerminated,
    SignalExternalWorkflowExecutionInitiated,
    SignalExternalWorkflowExecutionFailed,
    ExternalWorkflowExecutionSignaled,
    RequestCancelExternalWorkflowExecutionInitiated,
    RequestCancelExternalWorkflowExecutionFailed,
    ExternalWorkflowExecutionCancelRequested,
    WorkflowExecutionUpdateAccepted,
    WorkflowExecutionUpdateCompleted,
    NexusOperationScheduled,
    NexusOperationStarted,
    NexusOperationCompleted,
    NexusOperationFailed,
    NexusOperationCanceled,
    NexusOperationTimedOut,
    NexusOperationCancelRequested,
    NexusOperationCancelRequestCompleted,
    NexusOperationCancelRequestFailed,
]


class EventBuffered(Record, frozen=True, array_like=True, gc=False, tag=112):
    """An event came while a worker had a turn in hand: it takes effect now and gets its number when the turn ends."""

    event: Event


class EventFlushed(Record, frozen=True, array_like=True, gc=False, tag=113):
    """A buffered event, now with its number. Its effect is already there."""

    event: Event


Fact = Union[
    ActivityAttemptStarted,
    ActivityAttemptFailed,
    ActivityHeartbeatRecorded,
    WorkflowTaskAttemptStarted,
    WorkflowTaskAttemptFailed,
    WorkflowTaskRetryScheduled,
    WorkflowTaskDropped,
    UpdateAdmitted,
    UpdateRejected,
    WorkflowTaskRequested,
    FirstTaskReady,
    EventBuffered,
    EventFlushed,
    ActivityPaused,
    ActivityUnpaused,
    ActivityReset,
    ActivityOptionsUpdated,
    OperationAttemptFailed,
    OperationOffered,
]

AnyRecord = Event | Fact
