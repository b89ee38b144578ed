"""What a program asks for at the end of a turn. The kernel turns each into at most one event, in the order given."""

from typing import Union

import msgspec

from perdure.model.affinity import Affinity
from perdure.model.failures import Failure, RetryState
from perdure.model.ids import DetachedStart, RunAddress
from perdure.model.options import IdReuse, Initiator, ParentClose, RetryPolicy
from perdure.model.payloads import PayloadMap, Payloads, UserMetadata
from perdure.model.task_queues import BreakerPolicy, Priority


class Command(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What all commands share: nothing but their family."""


class ScheduleActivityTask(Command, frozen=True, array_like=True, gc=False, tag=1):
    """``activity_id`` is unique among the run's pending activities. Timeouts of 0 mean none."""

    activity_id: str
    activity_type: str
    task_queue: str
    input: Payloads = ()
    schedule_to_close_timeout_ns: int = 0
    schedule_to_start_timeout_ns: int = 0
    start_to_close_timeout_ns: int = 0
    heartbeat_timeout_ns: int = 0
    retry_policy: RetryPolicy = RetryPolicy()
    header: PayloadMap | None = None
    priority: Priority | None = None
    limit_key: str = ""
    breaker: BreakerPolicy | None = None
    affinity: Affinity | None = None
    user_metadata: UserMetadata | None = None


class RequestCancelActivityTask(Command, frozen=True, array_like=True, gc=False, tag=2):
    """The activity is no longer wanted."""

    scheduled_event_id: int


class StartTimer(Command, frozen=True, array_like=True, gc=False, tag=3):
    """``timer_id`` is unique among the run's pending timers."""

    timer_id: str
    start_to_fire_timeout_ns: int
    user_metadata: UserMetadata | None = None


class CancelTimer(Command, frozen=True, array_like=True, gc=False, tag=4):
    """The timer is no longer wanted."""

    timer_id: str


class CompleteWorkflowExecution(Command, frozen=True, array_like=True, gc=False, tag=5):
    """The program returns a result."""

    result: Payloads = ()


class FailWorkflowExecution(Command, frozen=True, array_like=True, gc=False, tag=6):
    """The program fails the run; its retry policy may start another."""

    failure: Failure


class CancelWorkflowExecution(Command, frozen=True, array_like=True, gc=False, tag=7):
    """The program has finished its clean-up after a cancellation."""

    details: Payloads = ()


class ContinueAsNewWorkflowExecution(Command, frozen=True, array_like=True, gc=False, tag=8):
    """Empty names and negative timeouts mean "as now"."""

    workflow_type: str = ""
    task_queue: str = ""
    input: Payloads = ()
    workflow_run_timeout_ns: int = -1
    workflow_task_timeout_ns: int = -1
    backoff_start_interval_ns: int = 0
    initiator: Initiator = Initiator.WORKFLOW
    memo: PayloadMap | None = None
    search_attributes: PayloadMap | None = None
    retry_policy: RetryPolicy | None = None
    header: PayloadMap | None = None


class StartChildWorkflowExecution(Command, frozen=True, array_like=True, gc=False, tag=9):
    """An empty ``namespace`` means the parent's. With ``detached`` the run is nobody's child: the program hears whether
    it has started, and no more. With ``goes_on``, a reason, the child is a reset of the last run of its id, if that has failed
    or was ended: its last turn is taken again."""

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
    detached: DetachedStart | None = None
    affinity: Affinity | None = None
    user_metadata: UserMetadata | None = None
    priority: Priority | None = None
    cron_schedule: str = ""
    goes_on: str = ""


class SignalExternalWorkflowExecution(Command, frozen=True, array_like=True, gc=False, tag=10):
    """Signal another run; ``control`` is the program's own note, which comes back with the answer."""

    workflow_execution: RunAddress
    signal_name: str
    input: Payloads = ()
    child_workflow_only: bool = False
    header: PayloadMap | None = None
    control: str = ""


class RequestCancelExternalWorkflowExecution(Command, frozen=True, array_like=True, gc=False, tag=11):
    """Ask another run to stop; ``control`` is the program's own note."""

    workflow_execution: RunAddress
    child_workflow_only: bool = False
    reason: str = ""
    control: str = ""


class RecordMarker(Command, frozen=True, array_like=True, gc=False, tag=12):
    """Note something, such as a patch."""

    marker_name: str
    details: dict[str, Payloads]
    header: PayloadMap | None = None
    failure: Failure | None = None


class UpsertWorkflowSearchAttributes(Command, frozen=True, array_like=True, gc=False, tag=13):
    """Change what the run is found by; a null payload removes an attribute."""

    search_attributes: PayloadMap


class ModifyWorkflowProperties(Command, frozen=True, array_like=True, gc=False, tag=14):
    """A null payload removes the memo's key."""

    upserted_memo: PayloadMap


class AcceptUpdate(Command, frozen=True, array_like=True, gc=False, tag=15):
    """``update_id`` names an update that was delivered in this turn."""

    update_id: str


class RejectUpdate(Command, frozen=True, array_like=True, gc=False, tag=16):
    """Refuse an update that was delivered in this turn."""

    update_id: str
    failure: Failure


class CompleteUpdate(Command, frozen=True, array_like=True, gc=False, tag=17):
    """Either ``result`` or ``failure`` is the outcome of an update accepted in this turn or an earlier one."""

    update_id: str
    result: Payloads = ()
    failure: Failure | None = None


class TimeOutWorkflowExecution(Command, frozen=True, array_like=True, gc=False, tag=18):
    """What the program waited for took too long, and that is how the run ends; ``retry_state`` says why nothing was tried
    again."""

    retry_state: RetryState = RetryState.TIMEOUT


class ScheduleNexusOperation(Command, frozen=True, array_like=True, gc=False, tag=19):
    """Ask for an operation of whoever serves an endpoint, which leads to ``namespace`` and ``task_queue``. Timeouts of 0
    mean none; ``nexus_header`` goes along as it is."""

    endpoint: str
    service: str
    operation: str
    namespace: str
    task_queue: str
    input: Payloads = ()
    schedule_to_close_timeout_ns: int = 0
    schedule_to_start_timeout_ns: int = 0
    start_to_close_timeout_ns: int = 0
    nexus_header: dict[str, str] | None = None
    endpoint_id: str = ""
    user_metadata: UserMetadata | None = None


class RequestCancelNexusOperation(Command, frozen=True, array_like=True, gc=False, tag=20):
    """The operation is no longer wanted."""

    scheduled_event_id: int


AnyCommand = Union[
    ScheduleActivityTask,
    RequestCancelActivityTask,
    StartTimer,
    CancelTimer,
    CompleteWorkflowExecution,
    FailWorkflowExecution,
    CancelWorkflowExecution,
    ContinueAsNewWorkflowExecution,
    StartChildWorkflowExecution,
    SignalExternalWorkflowExecution,
    RequestCancelExternalWorkflowExecution,
    RecordMarker,
    UpsertWorkflowSearchAttributes,
    ModifyWorkflowProperties,
    AcceptUpdate,
    RejectUpdate,
    CompleteUpdate,
    TimeOutWorkflowExecution,
    ScheduleNexusOperation,
    RequestCancelNexusOperation,
]
