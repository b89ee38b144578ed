"""Child workflows, as their parent sees them."""

from perdure.model.affinity import Affinity
from perdure.model.events.record import Record
from perdure.model.failures import Failure, RetryState
from perdure.model.ids import DetachedStart
from perdure.model.options import IdReuse, ParentClose, RetryPolicy
from perdure.model.payloads import PayloadMap, Payloads, UserMetadata
from perdure.model.task_queues import Priority


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
    goes_on: str = ""


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


class _ChildClosed(Record, frozen=True, array_like=True, gc=False):
    """What all ends of a child have."""

    initiated_event_id: int
    started_event_id: int
    workflow_id: str
    run_id: str
    workflow_type: str


class ChildWorkflowExecutionCompleted(_ChildClosed, frozen=True, array_like=True, gc=False, tag=32):
    """The child completed."""

    result: Payloads = ()


class ChildWorkflowExecutionFailed(_ChildClosed, frozen=True, array_like=True, gc=False, tag=33):
    """The child failed."""

    failure: Failure
    retry_state: RetryState = RetryState.UNSPECIFIED


class ChildWorkflowExecutionCanceled(_ChildClosed, frozen=True, array_like=True, gc=False, tag=34):
    """The child was cancelled."""

    details: Payloads = ()


class ChildWorkflowExecutionTimedOut(_ChildClosed, frozen=True, array_like=True, gc=False, tag=35):
    """The child took too long."""

    retry_state: RetryState = RetryState.UNSPECIFIED


class ChildWorkflowExecutionTerminated(_ChildClosed, frozen=True, array_like=True, gc=False, tag=36):
    """The child was terminated."""
