"""What became of a message to another run."""

from perdure.model.requests.request import BaseRequest


class ExternalSignalDelivered(BaseRequest, frozen=True, array_like=True, gc=False, tag=63):
    """``cause`` says why it could not be delivered; empty when it was."""

    initiated_event_id: int
    cause: str = ""


class ExternalCancelDelivered(BaseRequest, frozen=True, array_like=True, gc=False, tag=64):
    """``cause`` says why it could not be delivered; empty when it was."""

    initiated_event_id: int
    cause: str = ""
