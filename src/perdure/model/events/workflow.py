"""The run itself: how it began, what came to it from outside, how it closed."""

from perdure.model.affinity import Affinity
from perdure.model.events.record import Record
from perdure.model.failures import Failure, RetryState
from perdure.model.ids import CompletionCallback, ParentLink, RunAddress
from perdure.model.options import Initiator, ParentClose, RetryPolicy, Versioning
from perdure.model.payloads import PayloadMap, Payloads, UserMetadata
from perdure.model.task_queues import Priority


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
    versioning_override: Versioning = Versioning.UNSPECIFIED
    eager_execution_accepted: bool = False


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
    worker does (Temporal's ``versioning_override``), or, with AUTO_UPGRADE for ``versioning``, those to whom its deployment
    routes. With ``leaves_pin`` all that is as it was. With ``sets_priority`` its activities and children have this
    ``priority`` from now on. With neither, another start has joined the run: ``request_id`` is that start's, and
    ``attached_callbacks`` are others who are told when the run closes, which by themselves leave the pin, too."""

    pinned_build_id: str = ""
    identity: str = ""
    request_id: str = ""
    attached_callbacks: tuple[CompletionCallback, ...] = ()
    versioning: Versioning = Versioning.UNSPECIFIED
    leaves_pin: bool = False
    priority: Priority | None = None
    sets_priority: bool = False


class FirstTaskReady(Record, frozen=True, array_like=True, gc=False, tag=110):
    """The start delay, or the back-off between two runs, is over."""
