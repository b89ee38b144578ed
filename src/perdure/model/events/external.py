"""What the program sends to other runs."""

from perdure.model.events.record import Record
from perdure.model.ids import RunAddress
from perdure.model.payloads import PayloadMap, Payloads


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
