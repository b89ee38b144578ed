"""Updates."""

from perdure.model.events.record import Record
from perdure.model.failures import Failure
from perdure.model.ids import CompletionCallback
from perdure.model.payloads import PayloadMap, Payloads


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
