"""Standalone operations: an operation that no workflow asked for.

Like a standalone activity it is a run, whose program only asks for that one operation and ends as it does. The run's
workflow type is ``service/operation``; its workflow id is the operation's id behind ``PREFIX``; its first input says what is
asked for, and the second, if there is one, is the operation's own.
"""

import msgspec

from perdure.model.options import IdConflict, IdReuse
from perdure.model.payloads import Payload, PayloadMap, Payloads, UserMetadata
from perdure.model.requests import StartWorkflow

TASK_QUEUE = "perdure.operation"
"""Where the runs' own turns are taken: by the engine's worker, wherever there is an engine."""

PREFIX = "perdure.operation:"
"""Of the workflow ids."""

ENDPOINT_ATTRIBUTE = "NexusEndpoint"
"""The search attribute that says behind which endpoint the operation is."""


class OperationOrder(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is asked for. ``..._ns`` are durations; 0 means no limit.

    It is JSON in histories, read by later versions too: fields may be added with defaults, none renamed or removed.
    """

    operation_id: str
    endpoint: str
    service: str
    operation: str
    schedule_to_close_timeout_ns: int = 0
    schedule_to_start_timeout_ns: int = 0
    start_to_close_timeout_ns: int = 0
    headers: dict[str, str] | None = None
    task_queue: str = ""
    """Where it is served, if not behind an endpoint."""


def request_of(
    order: OperationOrder,
    input: Payloads,
    *,
    request_id: str = "",
    id_reuse: IdReuse = IdReuse.ALLOW,
    id_conflict: IdConflict = IdConflict.USE,
    search_attributes: PayloadMap | None = None,
    identity: str = "",
    user_metadata: UserMetadata | None = None,
) -> StartWorkflow:
    """The start of the run."""
    endpoint = Payload(msgspec.json.encode(order.endpoint))
    return StartWorkflow(
        f"{PREFIX}{order.operation_id}",
        f"{order.service}/{order.operation}",
        TASK_QUEUE,
        (Payload(msgspec.json.encode(order)), *input),
        request_id,
        id_reuse,
        id_conflict,
        search_attributes={**(search_attributes or {}), ENDPOINT_ATTRIBUTE: endpoint},
        identity=identity,
        user_metadata=user_metadata,
    )


def order_of(input: Payloads) -> OperationOrder | None:
    """What a run's input says; None if that is nothing that could be asked for."""
    try:
        return msgspec.json.decode(input[0].data, type=OperationOrder) if input else None
    except msgspec.DecodeError:
        return None
