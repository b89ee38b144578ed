"""What a parent hears of its child workflows."""

from perdure.model.events import AnyRecord
from perdure.model.requests.request import BaseRequest


class ChildStarted(BaseRequest, frozen=True, array_like=True, gc=False, tag=60):
    """The child has started, as the run ``run_id``."""

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
