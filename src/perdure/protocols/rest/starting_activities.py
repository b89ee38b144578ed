"""``POST /activities``: an activity that no workflow asked for."""

from typing import Annotated

import msgspec

from perdure.model.ids import RunAddress
from perdure.model.options import RetryPolicy
from perdure.model.standalone import ActivityOrder, request_of
from perdure.model.task_queues import Priority
from perdure.protocols.rest.asking import (
    ID_CONFLICT,
    ID_REUSE,
    AffinityBody,
    Asked,
    IdConflictWord,
    IdReuseWord,
    Limit,
    Name,
    RetryBody,
    Seconds,
    WaitSeconds,
    affinity,
    id_or_new,
    new_or_of,
    retry_policy,
)
from perdure.protocols.rest.operations import Call, Operations
from perdure.protocols.rest.values import Value, to_ns, to_payload_map, to_payloads
from perdure.protocols.rest.views import OutcomeView
from perdure.protocols.rest.waiting import outcome_within

operations = Operations("activities")


class StartActivityBody(Asked):
    """An activity to be started.

    ``activity_id`` is made up if not given. ``id_conflict``: what to do when one of that id is open; ``id_reuse``: when the
    last one is closed. ``priority``: 1 goes first, 5 last.
    """

    activity_type: Name
    activity_id: Name | None = None
    task_queue: Name = "default"
    input: list[Value] = []
    id_conflict: IdConflictWord = "use"
    id_reuse: IdReuseWord = "allow"
    schedule_to_close_seconds: Limit | None = None
    schedule_to_start_seconds: Limit | None = None
    start_to_close_seconds: Limit | None = None
    heartbeat_seconds: Limit | None = None
    retry: RetryBody | None = None
    start_delay_seconds: Seconds = 0
    priority: Annotated[int, msgspec.Meta(ge=1, le=5)] = 3
    limit_key: Annotated[str, msgspec.Meta(max_length=1_000)] = ""
    affinity: AffinityBody | None = None
    memo: dict[str, Value] = {}
    search_attributes: dict[str, Value] = {}


class StartActivityQuery(Asked):
    """Of such a start."""

    wait_seconds: WaitSeconds = 0


class StartedActivityView(msgspec.Struct, frozen=True):
    """Its run, which is a workflow's like any other and ends as the activity does; ``is_new`` is false when an existing one
    was used. ``outcome`` is there if it closed within ``wait_seconds``."""

    activity_id: str
    workflow_id: str
    run_id: str
    is_new: bool
    outcome: OutcomeView | None = None


@operations.add(
    "POST",
    "/namespaces/{namespace}/activities",
    body=StartActivityBody,
    query=StartActivityQuery,
    answer=StartedActivityView,
    status=201,
    other_answers={200: "An existing run was used."},
)
async def start_activity(call: Call[StartActivityBody, StartActivityQuery]) -> StartedActivityView:
    """Start an activity that no workflow asks for.

    Answers once it is recorded; with ``wait_seconds`` also waits for its end. The same Idempotency-Key, or the id of an open
    one, leads to the same run, which is described, searched, cancelled and deleted as any workflow is.
    """
    body, key = call.body, call.idempotency_key
    order = ActivityOrder(
        body.activity_id or new_or_of(call.namespace, key),
        body.task_queue,
        to_ns(body.schedule_to_close_seconds),
        to_ns(body.schedule_to_start_seconds),
        to_ns(body.start_to_close_seconds),
        to_ns(body.heartbeat_seconds),
        retry_policy(body.retry) or RetryPolicy(),
        body.limit_key,
        None,
        affinity(body.affinity),
        to_ns(body.start_delay_seconds),
    )
    request = request_of(
        order,
        body.activity_type,
        to_payloads(body.input),
        request_id=id_or_new(key),
        id_reuse=ID_REUSE[body.id_reuse],
        id_conflict=ID_CONFLICT[body.id_conflict],
        memo=to_payload_map(body.memo),
        search_attributes=to_payload_map(body.search_attributes),
        identity=call.identity,
        priority=Priority(body.priority),
    )
    result = await call.service.start(call.namespace, request)
    call.status = 201 if result.is_new else 200
    address = RunAddress(call.namespace, request.workflow_id, result.run_id)
    outcome = await outcome_within(call, call.query.wait_seconds, address)
    return StartedActivityView(order.activity_id, request.workflow_id, result.run_id, result.is_new, outcome)
