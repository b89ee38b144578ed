"""What the program notes down about its run."""

from perdure.model.events.record import Record
from perdure.model.failures import Failure
from perdure.model.payloads import PayloadMap, Payloads


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
