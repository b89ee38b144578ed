"""What can be asked of a run, by anyone: a client, a worker, a clock, another run.

Every request is safe to send twice: a start and a signal by ``request_id``, an update by ``update_id``, a worker's
answer by the attempt it belongs to, a message between runs by the event that caused it.
"""

from typing import Union

import msgspec

from perdure.model.activity_options import ActivityOptions
from perdure.model.affinity import Affinity
from perdure.model.commands import AnyCommand
from perdure.model.events import AnyRecord
from perdure.model.failures import Failure
from perdure.model.ids import CompletionCallback, ParentLink, RunAddress
from perdure.model.options import IdConflict, IdReuse, Initiator, ParentClose, RetryPolicy, Versioning
from perdure.model.payloads import PayloadMap, Payloads, UserMetadata
from perdure.model.task_queues import Priority


class BaseRequest(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What all requests share: nothing but their family."""


# --- from clients


class SignalWorkflow(BaseRequest, frozen=True, array_like=True, gc=False, tag=2):
    """Queue a signal. A non-empty ``request_id`` that the run has seen makes it a repeat, which changes nothing."""

    signal_name: str
    input: Payloads = ()
    header: PayloadMap | None = None
    request_id: str = ""
    identity: str = ""
    external: RunAddress | None = None
    child_of: str = ""
    """When set, only a child of the run with this run id may be signalled."""


class UpdateWorkflow(BaseRequest, frozen=True, array_like=True, gc=False, tag=3):
    """Ask the program for a change and an answer. ``update_id`` is unique in the run; a repeat joins the first.

    ``callbacks`` are operations of other runs that end as the update does.
    """

    update_id: str
    update_name: str
    input: Payloads = ()
    header: PayloadMap | None = None
    identity: str = ""
    callbacks: tuple[CompletionCallback, ...] = ()


class StartWorkflow(BaseRequest, frozen=True, array_like=True, gc=False, tag=1):
    """Start a run. ``..._ns`` are durations; 0 means no limit. ``time`` fields are ns since 1970.

    ``signal`` and ``update`` are delivered to the run that results, be it new or found (signal- and update-with-start).
    The fields from ``parent`` on are for the engine: children, retries, continue-as-new.
    """

    workflow_id: str
    workflow_type: str
    task_queue: str = "default"
    input: Payloads = ()
    request_id: str = ""
    id_reuse: IdReuse = IdReuse.ALLOW
    id_conflict: IdConflict = IdConflict.USE
    execution_timeout_ns: int = 0
    run_timeout_ns: int = 0
    task_timeout_ns: int = 0
    retry_policy: RetryPolicy | None = None
    start_delay_ns: int = 0
    memo: PayloadMap | None = None
    search_attributes: PayloadMap | None = None
    header: PayloadMap | None = None
    identity: str = ""
    signal: SignalWorkflow | None = None
    update: UpdateWorkflow | None = None
    parent: ParentLink | None = None
    parent_close_policy: ParentClose = ParentClose.TERMINATE
    root_workflow_id: str = ""
    root_run_id: str = ""
    continued_execution_run_id: str = ""
    first_execution_run_id: str = ""
    initiator: Initiator = Initiator.UNSPECIFIED
    continued_failure: Failure | None = None
    last_completion_result: Payloads = ()
    attempt: int = 1
    execution_expiration_time: int = 0
    pinned_build_id: str = ""
    """When set, only a worker of that build takes the run's turns."""
    completion_callback: CompletionCallback | None = None
    affinity: Affinity | None = None
    """Which workers take the run's turns; None for any."""
    user_metadata: UserMetadata | None = None
    priority: Priority | None = None
    """Of its activities that have none of their own."""
    cron_schedule: str = ""
    """When another run follows one that has ended, as in ``model.cron``; empty for never."""
    completion_callbacks: tuple[CompletionCallback, ...] = ()
    """Others who are told when the run closes. A run that is there already gets those of them that it does not have."""


_RESERVED = (
    "parent",
    "root_workflow_id",
    "root_run_id",
    "continued_execution_run_id",
    "first_execution_run_id",
    "initiator",
    "continued_failure",
    "last_completion_result",
    "attempt",
    "execution_expiration_time",
    "completion_callback",
    "completion_callbacks",
)


def reserved_fields(request: StartWorkflow) -> str:
    """Which fields are set that only the engine and its own workflows may set, in words; empty if none is.

    They name other runs, which hear of this one: a client that could set them would reach into other namespaces.
    """
    found = [
        field.name
        for field in msgspec.structs.fields(StartWorkflow)
        if field.name in _RESERVED and getattr(request, field.name) != field.default
    ]
    if request.update is not None and request.update.callbacks:
        found.append("update.callbacks")
    return ", ".join(found)


class CancelWorkflow(BaseRequest, frozen=True, array_like=True, gc=False, tag=4):
    """Ask the program to stop; it may clean up first. A second request changes nothing."""

    reason: str = ""
    request_id: str = ""
    identity: str = ""
    external: RunAddress | None = None
    external_initiated_event_id: int = 0
    child_of: str = ""
    """When set, only a child of the run with this run id may be cancelled."""


class TerminateWorkflow(BaseRequest, frozen=True, array_like=True, gc=False, tag=5):
    """Close the run at once; its program is not asked."""

    reason: str = ""
    details: Payloads = ()
    identity: str = ""
    child_of: str = ""
    """When set, only a child of the run with this run id may be terminated."""


class PauseWorkflow(BaseRequest, frozen=True, array_like=True, gc=False, tag=6):
    """No turn and no activity attempt starts until the run is resumed; what runs already may finish."""

    reason: str = ""
    identity: str = ""
    request_id: str = ""


class ResumeWorkflow(BaseRequest, frozen=True, array_like=True, gc=False, tag=7):
    reason: str = ""
    identity: str = ""
    request_id: str = ""


class UpdateWorkflowOptions(BaseRequest, frozen=True, array_like=True, gc=False, tag=9):
    """Pin the run to a build of the code, or move it to another one; an empty ``pinned_build_id`` lets any worker take
    its turns again."""

    pinned_build_id: str
    identity: str = ""
    request_id: str = ""


class ForkWorkflow(BaseRequest, frozen=True, array_like=True, gc=False, tag=8):
    """Start a new run from a copy of another one's history, up to and including the turn that ``event_id`` belongs to.

    ``records`` is the history of the run that is copied. ``input`` replaces the workflow's arguments; None keeps them.
    ``is_reset`` marks a fork under the same workflow id: signals that came after the event are delivered again.
    ``loses_children``: children that the copy would wait for have ended for it, as they did or as terminated; without it, it is
    refused to have such.
    """

    workflow_id: str
    base_run_id: str
    event_id: int
    records: tuple[AnyRecord, ...]
    input: Payloads | None = None
    reason: str = ""
    request_id: str = ""
    identity: str = ""
    is_reset: bool = False
    loses_children: bool = False


class PauseActivity(BaseRequest, frozen=True, array_like=True, gc=False, tag=10):
    """Start no further attempt of activities until they are unpaused, and let none of their timeouts pass while they wait;
    an attempt that runs may finish.

    As in the next three, they are named by their ``activity_id``, or are all pending ones of an ``activity_type``; or, if
    both are empty, all of the run.
    """

    activity_id: str = ""
    activity_type: str = ""
    reason: str = ""
    identity: str = ""


class UnpauseActivity(BaseRequest, frozen=True, array_like=True, gc=False, tag=11):
    """Go on after a pause: the next attempt waits no longer than ``delay_ns``. ``resets_attempts`` counts from 1 again;
    ``resets_heartbeat`` forgets what attempts have reported."""

    activity_id: str = ""
    activity_type: str = ""
    resets_attempts: bool = False
    resets_heartbeat: bool = False
    delay_ns: int = 0
    identity: str = ""


class ResetActivity(BaseRequest, frozen=True, array_like=True, gc=False, tag=12):
    """Count attempts from 1 again; one that waits for its next attempt goes on after ``delay_ns``, paused or not.

    ``keeps_paused``: a paused one stays so. ``restores_options``: its options are those again that it was scheduled with.
    """

    activity_id: str = ""
    activity_type: str = ""
    resets_heartbeat: bool = False
    keeps_paused: bool = False
    restores_options: bool = False
    delay_ns: int = 0
    identity: str = ""


class UpdateActivityOptions(BaseRequest, frozen=True, array_like=True, gc=False, tag=13):
    """Change options of activities that have not ended; None for ``options`` gives back those that they were scheduled
    with. A retry that waits, waits as the new retry policy says."""

    activity_id: str = ""
    activity_type: str = ""
    options: ActivityOptions | None = None
    identity: str = ""


AboutActivities = Union[PauseActivity, UnpauseActivity, ResetActivity, UpdateActivityOptions]


# --- from workers


class StartWorkflowTask(BaseRequest, frozen=True, array_like=True, gc=False, tag=20):
    """A worker takes the run's next turn."""

    identity: str
    build_id: str = ""


class CompleteWorkflowTask(BaseRequest, frozen=True, array_like=True, gc=False, tag=21):
    """A worker hands in the turn that began with ``started_event_id`` (the number that turn's start has, or will
    have). With ``forces_next`` there is another one after it, even if nothing new has happened: the worker is still busy
    with what this one began."""

    started_event_id: int
    attempt: int
    commands: tuple[AnyCommand, ...]
    identity: str = ""
    build_id: str = ""
    forces_next: bool = False
    sdk_metadata: bytes = b""
    sticky_queue: str = ""
    state: bytes = b""
    deployment: str = ""
    versioning: Versioning = Versioning.UNSPECIFIED


class FailWorkflowTask(BaseRequest, frozen=True, array_like=True, gc=False, tag=22):
    """The turn could not be taken; it is tried again with back-off. ``cause`` as in ``WorkflowTaskFailed``."""

    started_event_id: int
    attempt: int
    cause: str
    failure: Failure | None = None
    identity: str = ""
    build_id: str = ""


class StartActivity(BaseRequest, frozen=True, array_like=True, gc=False, tag=23):
    """A worker takes an attempt. From then on the attempt counts."""

    scheduled_event_id: int
    attempt: int
    identity: str = ""


class CompleteActivity(BaseRequest, frozen=True, array_like=True, gc=False, tag=24):
    scheduled_event_id: int
    attempt: int
    result: Payloads = ()
    identity: str = ""


class FailActivity(BaseRequest, frozen=True, array_like=True, gc=False, tag=25):
    """``heartbeat_details`` are what the attempt last reported, if it was not sent before; None keeps what is known."""

    scheduled_event_id: int
    attempt: int
    failure: Failure
    identity: str = ""
    heartbeat_details: Payloads | None = None


class CancelActivity(BaseRequest, frozen=True, array_like=True, gc=False, tag=26):
    """The attempt ended because it was asked to."""

    scheduled_event_id: int
    attempt: int
    details: Payloads = ()
    identity: str = ""


class HeartbeatActivity(BaseRequest, frozen=True, array_like=True, gc=False, tag=27):
    """The attempt is alive. ``leaves``: the worker has let go of it, and somebody outside will say how it ended."""

    scheduled_event_id: int
    attempt: int
    details: Payloads = ()
    identity: str = ""
    leaves: bool = False


class LoseActivity(BaseRequest, frozen=True, array_like=True, gc=False, tag=28):
    """The worker that had the attempt is known to be gone. The attempt counts; the next one need not wait."""

    scheduled_event_id: int
    attempt: int
    reason: str = ""


class AcceptOperation(BaseRequest, frozen=True, array_like=True, gc=False, tag=29):
    """Whoever serves the endpoint has taken the operation in hand; it ends later. ``token`` is its name there."""

    scheduled_event_id: int
    attempt: int
    token: str
    links: tuple[bytes, ...] = ()


class CompleteOperation(BaseRequest, frozen=True, array_like=True, gc=False, tag=30):
    """The operation succeeded at once."""

    scheduled_event_id: int
    attempt: int
    result: Payloads = ()
    links: tuple[bytes, ...] = ()


class FailOperation(BaseRequest, frozen=True, array_like=True, gc=False, tag=31):
    """The operation failed for good, or was ``canceled``."""

    scheduled_event_id: int
    attempt: int
    failure: Failure
    canceled: bool = False


class FailOperationAttempt(BaseRequest, frozen=True, array_like=True, gc=False, tag=32):
    """Whoever serves the endpoint could not take the operation in hand, or with ``of_cancel`` not take note that it is to
    stop; it is asked again later, unless it is ``final``."""

    scheduled_event_id: int
    attempt: int
    failure: Failure
    of_cancel: bool = False
    final: bool = False


class OperationCancelDelivered(BaseRequest, frozen=True, array_like=True, gc=False, tag=33):
    """Whoever carries out the operation knows that it is to stop."""

    scheduled_event_id: int
    attempt: int


class OfferOperation(BaseRequest, frozen=True, array_like=True, gc=False, tag=34):
    """Not for a run, but for whoever asks for operations at a task queue: this one is there, or with ``of_cancel`` is to
    stop."""

    task_queue: str
    scheduled_event_id: int
    attempt: int
    of_cancel: bool = False


# --- from the clock


class FireTimer(BaseRequest, frozen=True, array_like=True, gc=False, tag=40):
    """A deadline of the run is due. ``key`` is the deadline's name, as in ``Deadline``."""

    key: int


# --- from other runs


class ChildStarted(BaseRequest, frozen=True, array_like=True, gc=False, tag=60):
    initiated_event_id: int
    run_id: str


class ChildStartFailed(BaseRequest, frozen=True, array_like=True, gc=False, tag=61):
    """``cause`` is a name of Temporal's; ``message`` says the same in words."""

    initiated_event_id: int
    cause: str
    message: str = ""


class ChildClosed(BaseRequest, frozen=True, array_like=True, gc=False, tag=62):
    """``closing`` is the child's last event."""

    initiated_event_id: int
    run_id: str
    closing: AnyRecord


class ExternalSignalDelivered(BaseRequest, frozen=True, array_like=True, gc=False, tag=63):
    """``cause`` says why it could not be delivered; empty when it was."""

    initiated_event_id: int
    cause: str = ""


class ExternalCancelDelivered(BaseRequest, frozen=True, array_like=True, gc=False, tag=64):
    """``cause`` says why it could not be delivered; empty when it was."""

    initiated_event_id: int
    cause: str = ""


class OperationClosed(BaseRequest, frozen=True, array_like=True, gc=False, tag=65):
    """The run that an operation is has closed, or the update that it is was answered; ``closing`` is the run's last event,
    or the update's, ``token`` the operation's name; ``request_id``
    is what the operation was asked for with."""

    scheduled_event_id: int
    request_id: str
    closing: AnyRecord
    token: str = ""


class AttachCallbacks(BaseRequest, frozen=True, array_like=True, gc=False, tag=14):
    """Tell others as well when the run closes. A repeat, by the ``request_id``, changes nothing."""

    callbacks: tuple[CompletionCallback, ...]
    request_id: str = ""
    identity: str = ""


ClientRequest = Union[
    StartWorkflow,
    SignalWorkflow,
    UpdateWorkflow,
    CancelWorkflow,
    TerminateWorkflow,
    PauseWorkflow,
    ResumeWorkflow,
    UpdateWorkflowOptions,
    PauseActivity,
    UnpauseActivity,
    ResetActivity,
    UpdateActivityOptions,
    ForkWorkflow,
    AttachCallbacks,
]

WorkerRequest = Union[
    StartWorkflowTask,
    CompleteWorkflowTask,
    FailWorkflowTask,
    StartActivity,
    CompleteActivity,
    FailActivity,
    CancelActivity,
    HeartbeatActivity,
    LoseActivity,
    AcceptOperation,
    CompleteOperation,
    FailOperation,
    FailOperationAttempt,
    OperationCancelDelivered,
    OfferOperation,
]

OutsideRequest = Union[
    SignalWorkflow,
    UpdateWorkflow,
    CancelWorkflow,
    TerminateWorkflow,
    PauseWorkflow,
    ResumeWorkflow,
    UpdateWorkflowOptions,
    PauseActivity,
    UnpauseActivity,
    ResetActivity,
    UpdateActivityOptions,
    CompleteActivity,
    FailActivity,
    CancelActivity,
    HeartbeatActivity,
]
"""What may be asked of a run by somebody outside the engine who knows its address."""

RunRequest = Union[
    ChildStarted, ChildStartFailed, ChildClosed, ExternalSignalDelivered, ExternalCancelDelivered, OperationClosed
]

Request = Union[ClientRequest, WorkerRequest, FireTimer, RunRequest]
