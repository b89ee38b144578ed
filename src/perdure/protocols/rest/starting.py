"""``POST /workflows``: start, execute, and signal- and update-with-start."""

from typing import Annotated

import msgspec

from perdure.model.ids import RunAddress
from perdure.model.requests import SignalWorkflow, StartWorkflow, UpdateWorkflow
from perdure.protocols.rest.asking import (
    ID_CONFLICT,
    ID_REUSE,
    STAGES,
    AffinityBody,
    Asked,
    IdConflictWord,
    IdReuseWord,
    Limit,
    Name,
    RetryBody,
    Seconds,
    StageWord,
    WaitSeconds,
    affinity,
    id_or_new,
    new_or_of,
    retry_policy,
)
from perdure.protocols.rest.callbacks import CallbackBody, start_with_callbacks
from perdure.protocols.rest.operations import Call, Operations
from perdure.protocols.rest.updates import UpdateView, awaited_update
from perdure.protocols.rest.values import Value, to_ns, to_payload_map, to_payloads
from perdure.protocols.rest.views import OutcomeView
from perdure.protocols.rest.waiting import outcome_within

operations = Operations("workflows")


class StartSignal(Asked):
    """A signal for the run, be it new or found."""

    signal_name: Name
    input: list[Value] = []


class StartUpdate(Asked):
    """An update for the run, be it new or found. ``wait`` is how far it must have come before the answer."""

    update_name: Name
    input: list[Value] = []
    update_id: Annotated[str, msgspec.Meta(max_length=1_000)] = ""
    wait: StageWord = "completed"


class StartBody(Asked):
    """A run to be started.

    ``workflow_id`` is made up if not given. ``id_conflict``: what to do when a run of that id is open; ``id_reuse``: when
    the last one is closed. ``callbacks`` are told when the workflow has ended.
    """

    workflow_type: Name
    workflow_id: Name | None = None
    task_queue: Name = "default"
    input: list[Value] = []
    id_conflict: IdConflictWord = "use"
    id_reuse: IdReuseWord = "allow"
    execution_timeout_seconds: Limit | None = None
    run_timeout_seconds: Limit | None = None
    task_timeout_seconds: Limit | None = None
    retry: RetryBody | None = None
    start_delay_seconds: Seconds = 0
    cron_schedule: Annotated[str, msgspec.Meta(max_length=1_000)] = ""
    memo: dict[str, Value] = {}
    search_attributes: dict[str, Value] = {}
    signal: StartSignal | None = None
    update: StartUpdate | None = None
    pinned_build_id: Annotated[str, msgspec.Meta(max_length=1_000)] = ""
    affinity: AffinityBody | None = None
    callbacks: Annotated[list[CallbackBody], msgspec.Meta(max_length=10)] = []


class StartQuery(Asked):
    """Of a start."""

    wait_seconds: WaitSeconds = 0


class StartedView(msgspec.Struct, frozen=True):
    """Which run a start led to; ``is_new`` is false when an existing one was used. ``outcome`` is there if it closed
    within ``wait_seconds``."""

    workflow_id: str
    run_id: str
    is_new: bool
    outcome: OutcomeView | None = None
    update: UpdateView | None = None


@operations.add(
    "POST",
    "/namespaces/{namespace}/workflows",
    body=StartBody,
    query=StartQuery,
    answer=StartedView,
    status=201,
    other_answers={200: "An existing run was used.", 202: "The update has not come that far within `wait_seconds`."},
)
async def start_workflow(call: Call[StartBody, StartQuery]) -> StartedView:
    """Start a workflow.

    Answers once the run is recorded; with ``wait_seconds`` also waits for its end. The same Idempotency-Key, or the id of
    an open run, leads to the same run.
    """
    body, wait_seconds = call.body, call.query.wait_seconds
    request = _request(call, body)
    if body.callbacks:
        result = await start_with_callbacks(call, request, body.callbacks)
    else:
        result = await call.service.start(call.namespace, request)
    call.status = 201 if result.is_new else 200
    address = RunAddress(call.namespace, request.workflow_id, result.run_id)
    update = None
    if body.update is not None and request.update is not None:
        stage = STAGES[body.update.wait]
        update = await awaited_update(
            call, address, request.update, stage, wait_seconds or call.parts.bounds.wait_seconds
        )
    outcome = await outcome_within(call, wait_seconds, address)
    return StartedView(request.workflow_id, result.run_id, result.is_new, outcome, update)


def _request(call: Call[StartBody, StartQuery], body: StartBody) -> StartWorkflow:
    key = call.idempotency_key
    return StartWorkflow(
        workflow_id=body.workflow_id or new_or_of(call.namespace, key),
        workflow_type=body.workflow_type,
        task_queue=body.task_queue,
        input=to_payloads(body.input),
        request_id=id_or_new(key),
        id_reuse=ID_REUSE[body.id_reuse],
        id_conflict=ID_CONFLICT[body.id_conflict],
        execution_timeout_ns=to_ns(body.execution_timeout_seconds),
        run_timeout_ns=to_ns(body.run_timeout_seconds),
        task_timeout_ns=to_ns(body.task_timeout_seconds),
        retry_policy=retry_policy(body.retry),
        start_delay_ns=to_ns(body.start_delay_seconds),
        cron_schedule=body.cron_schedule,
        memo=to_payload_map(body.memo),
        search_attributes=to_payload_map(body.search_attributes),
        identity=call.identity,
        signal=_signal(call, body.signal),
        update=_update(call, body.update),
        pinned_build_id=body.pinned_build_id,
        affinity=affinity(body.affinity),
    )


def _signal(call: Call[StartBody, StartQuery], signal: StartSignal | None) -> SignalWorkflow | None:
    if signal is None:
        return None
    request_id = id_or_new(call.idempotency_key)
    return SignalWorkflow(signal.signal_name, to_payloads(signal.input), None, request_id, call.identity)


def _update(call: Call[StartBody, StartQuery], update: StartUpdate | None) -> UpdateWorkflow | None:
    if update is None:
        return None
    update_id = update.update_id or id_or_new(call.idempotency_key)
    return UpdateWorkflow(update_id, update.update_name, to_payloads(update.input), None, call.identity)
