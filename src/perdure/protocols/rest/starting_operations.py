"""``POST /operations``: an operation that no workflow asked for."""

from typing import Annotated

import msgspec

from perdure.model.errors import InvalidArgumentError
from perdure.model.ids import RunAddress
from perdure.model.standalone_operation import OperationOrder, request_of
from perdure.protocols.rest.asking import (
    ID_CONFLICT,
    ID_REUSE,
    Asked,
    IdConflictWord,
    IdReuseWord,
    Limit,
    Name,
    WaitSeconds,
    id_or_new,
    new_or_of,
)
from perdure.protocols.rest.operations import Call, Operations
from perdure.protocols.rest.values import NULL_VALUE, Value, to_ns, to_payload, to_payload_map
from perdure.protocols.rest.views import OutcomeView
from perdure.protocols.rest.waiting import outcome_within

operations = Operations("operations")

Text = Annotated[str, msgspec.Meta(max_length=1_000)]


class StartOperationBody(Asked):
    """An operation to be asked for, behind an ``endpoint`` or on a ``task_queue``.

    ``operation_id`` is made up if not given. ``id_conflict``: what to do when one of that id is open; ``id_reuse``: when the
    last one is closed.
    """

    service: Name
    operation: Name
    endpoint: Text = ""
    task_queue: Text = ""
    operation_id: Name | None = None
    input: Value = msgspec.field(default_factory=lambda: NULL_VALUE)
    id_conflict: IdConflictWord = "use"
    id_reuse: IdReuseWord = "allow"
    schedule_to_close_seconds: Limit | None = None
    schedule_to_start_seconds: Limit | None = None
    start_to_close_seconds: Limit | None = None
    headers: dict[str, Text] = {}
    search_attributes: dict[str, Value] = {}


class StartOperationQuery(Asked):
    """Of such a start."""

    wait_seconds: WaitSeconds = 0


class StartedOperationView(msgspec.Struct, frozen=True):
    """Its run, which ends as the operation does; ``is_new`` is false when an existing one was used. ``outcome`` is there if it
    closed within ``wait_seconds``."""

    operation_id: str
    workflow_id: str
    run_id: str
    is_new: bool
    outcome: OutcomeView | None = None


@operations.add(
    "POST",
    "/namespaces/{namespace}/operations",
    body=StartOperationBody,
    query=StartOperationQuery,
    answer=StartedOperationView,
    status=201,
    other_answers={200: "An existing run was used."},
)
async def start_operation(call: Call[StartOperationBody, StartOperationQuery]) -> StartedOperationView:
    """Ask for an operation.

    Answers once that is recorded; with ``wait_seconds`` also waits for its end. The same Idempotency-Key, or the id of an open
    one, leads to the same run, which is described, searched, cancelled and deleted as any workflow is.
    """
    body, key = call.body, call.idempotency_key
    if bool(body.endpoint) == bool(body.task_queue):
        raise InvalidArgumentError("An operation is behind an endpoint, or on a task_queue: give one of them.")
    order = OperationOrder(
        body.operation_id or new_or_of(call.namespace, key),
        body.endpoint,
        body.service,
        body.operation,
        to_ns(body.schedule_to_close_seconds),
        to_ns(body.schedule_to_start_seconds),
        to_ns(body.start_to_close_seconds),
        body.headers or None,
        body.task_queue,
    )
    request = request_of(
        order,
        (to_payload(body.input),),
        request_id=id_or_new(key),
        id_reuse=ID_REUSE[body.id_reuse],
        id_conflict=ID_CONFLICT[body.id_conflict],
        search_attributes=to_payload_map(body.search_attributes),
        identity=call.identity,
    )
    result = await call.service.start(call.namespace, request)
    call.status = 201 if result.is_new else 200
    address = RunAddress(call.namespace, request.workflow_id, result.run_id)
    outcome = await outcome_within(call, call.query.wait_seconds, address)
    return StartedOperationView(order.operation_id, request.workflow_id, result.run_id, result.is_new, outcome)
