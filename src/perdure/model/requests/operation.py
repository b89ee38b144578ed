"""Operations: what those say who carry them out."""

from perdure.model.events import AnyRecord
from perdure.model.failures import Failure
from perdure.model.payloads import Payloads
from perdure.model.requests.request import BaseRequest


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


class OperationClosed(BaseRequest, frozen=True, array_like=True, gc=False, tag=65):
    """The run that an operation is has closed, or the update that it is was answered.

    ``closing`` is the run's last event, or the update's; ``token`` is the operation's name, and ``request_id`` is what it was
    asked for with.
    """

    scheduled_event_id: int
    request_id: str
    closing: AnyRecord
    token: str = ""


class EndOperation(BaseRequest, frozen=True, array_like=True, gc=False, tag=66):
    """Whoever carries out an operation says how it ended: with a result, or with a ``failure`` if there is one, which
    ``canceled`` makes a cancellation. ``token`` is the operation's name there; ``request_id`` is what it was asked for with."""

    scheduled_event_id: int
    request_id: str
    token: str = ""
    result: Payloads = ()
    failure: Failure | None = None
    canceled: bool = False
    links: tuple[bytes, ...] = ()
