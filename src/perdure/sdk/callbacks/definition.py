"""What a callback is, as it is stored: the arguments of the workflow ``perdure.callback``.

All of it is JSON in histories, read by later versions too: fields may be added with defaults, none renamed or removed.
"""

import msgspec

from perdure.model.ids import Completion
from perdure.model.options import IdConflict, IdReuse
from perdure.model.requests import StartWorkflow
from perdure.sdk.converter import Converter

CALLBACK = "callback"
"""Of which kind of the engine's own runs it is."""

WORKFLOW_TYPE = "perdure.callback"
QUEUE = "perdure.system"
CLOSED_SIGNAL = "closed"

_plain = Converter()


class Target(msgspec.Struct, frozen=True):
    """Whom to tell. ``secret`` is the name of the namespace's signing secret. With ``nexus_header`` the message is as Nexus
    has it, with these headers, and is not signed: what proves where it comes from is among them."""

    url: str
    secret: str
    nexus_header: dict[str, str] | None = None


class Order(msgspec.Struct, frozen=True):
    """Tell these when the run closes."""

    namespace: str
    workflow_id: str
    targets: list[Target]


class Delivery(msgspec.Struct, frozen=True):
    """One message. ``message_id`` is the same in every attempt."""

    namespace: str
    target: Target
    message_id: str
    completion: Completion


class Outcome(msgspec.Struct, frozen=True):
    """What became of one; ``error`` is empty when it was delivered."""

    url: str
    error: str = ""


def request_of(workflow_id: str, order: Order, request_id: str, identity: str) -> StartWorkflow:
    """How the workflow is started; the same twice is once."""
    return StartWorkflow(
        workflow_id,
        WORKFLOW_TYPE,
        QUEUE,
        _plain.to_payloads([order]),
        request_id,
        id_reuse=IdReuse.REJECT,
        id_conflict=IdConflict.USE,
        identity=identity,
    )
