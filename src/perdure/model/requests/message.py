"""Messages to the program: signals and updates."""

from perdure.model.ids import CompletionCallback, RunAddress
from perdure.model.payloads import PayloadMap, Payloads
from perdure.model.requests.request import BaseRequest


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
