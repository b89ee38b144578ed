"""What can be said to a run, and done to it."""

from typing import Annotated, Any, Literal

import msgspec

from perdure.model.errors import InvalidArgumentError
from perdure.model.requests import (
    CancelWorkflow,
    OutsideRequest,
    PauseWorkflow,
    ResumeWorkflow,
    SignalWorkflow,
    TerminateWorkflow,
    UpdateWorkflow,
    UpdateWorkflowOptions,
)
from perdure.protocols.rest.asking import (
    STAGES,
    Asked,
    EventId,
    Name,
    OfRun,
    Reason,
    StageWord,
    WaitSeconds,
    id_or_new,
)
from perdure.protocols.rest.operations import Call, Operations
from perdure.protocols.rest.runs import PATH
from perdure.protocols.rest.updates import UpdateView, awaited_update
from perdure.protocols.rest.values import Value, one_value, to_payload_map, to_payloads

operations = Operations("messages")


class SignalBody(Asked):
    """A signal. ``header`` is for whoever takes it, such as the interceptors of Temporal's SDKs."""

    signal_name: Name
    input: list[Value] = []
    header: dict[str, Value] = {}


class QueryBody(Asked):
    """A query. ``header`` is for whoever answers, such as the interceptors of Temporal's SDKs."""

    query_name: Name
    input: list[Value] = []
    header: dict[str, Value] = {}


class QueryView(msgspec.Struct, frozen=True):
    """What the workflow's code answered."""

    result: Value


class UpdateBody(Asked):
    """An update. ``update_id`` is unique in the run, and the same again gives the answer of the first; without it the
    Idempotency-Key is taken. ``wait`` is how far it must have come before the answer; ``header`` is for whoever takes it."""

    update_name: Name
    input: list[Value] = []
    update_id: Annotated[str, msgspec.Meta(max_length=1_000)] = ""
    wait: StageWord = "completed"
    header: dict[str, Value] = {}


class UpdateQuery(OfRun):
    """Of an update."""

    wait_seconds: WaitSeconds = 60


class ReasonBody(Asked):
    """Why."""

    reason: Reason = ""


class PinBody(Asked):
    """The only build of the code that may take the run's turns; empty lets any worker take them again."""

    build_id: Annotated[str, msgspec.Meta(max_length=1_000)]


class ResetBody(Asked):
    """Where to begin again: the turn that the event ``event_id`` is in. Signals and updates that came later come again, but
    for those that ``leaves_out`` names."""

    event_id: EventId
    reason: Reason = ""
    leaves_out: list[Literal["signals", "updates"]] = []


class ForkBody(Asked):
    """Where to branch off, and the new workflow's id. ``input`` replaces the arguments; without it they stay."""

    event_id: EventId
    workflow_id: Name
    input: list[Value] | None = None
    reason: Reason = ""


class NewRunView(msgspec.Struct, frozen=True):
    """The run that begins there."""

    workflow_id: str
    run_id: str


@operations.add("POST", f"{PATH}/signal", body=SignalBody, query=OfRun)
async def signal_workflow(call: Call[SignalBody, OfRun]) -> None:
    """Send a signal. A run takes each Idempotency-Key once."""
    body = call.body
    await _send(
        call,
        SignalWorkflow(
            body.signal_name,
            to_payloads(body.input),
            to_payload_map(body.header),
            id_or_new(call.idempotency_key),
            call.identity,
        ),
    )


@operations.add("POST", f"{PATH}/query", body=QueryBody, query=OfRun, answer=QueryView)
async def query_workflow(call: Call[QueryBody, OfRun]) -> QueryView:
    """Ask a workflow, open or closed, without changing it."""
    body = call.body
    answer = await call.service.query(
        call.address, body.query_name, to_payloads(body.input), to_payload_map(body.header)
    )
    return QueryView(one_value(answer))


@operations.add(
    "POST",
    f"{PATH}/update",
    body=UpdateBody,
    query=UpdateQuery,
    answer=UpdateView,
    other_answers={
        202: "It has not come that far within `wait_seconds`; send it again with its `update_id` to go on waiting."
    },
)
async def update_workflow(call: Call[UpdateBody, UpdateQuery]) -> UpdateView:
    """Ask a workflow for a change, and wait for its answer."""
    body = call.body
    update_id = body.update_id or id_or_new(call.idempotency_key)
    header = to_payload_map(body.header)
    request = UpdateWorkflow(update_id, body.update_name, to_payloads(body.input), header, call.identity)
    return await awaited_update(call, call.address, request, STAGES[body.wait], call.query.wait_seconds)


@operations.add("POST", f"{PATH}/cancel", body=ReasonBody, query=OfRun)
async def cancel_workflow(call: Call[ReasonBody, OfRun]) -> None:
    """Ask a workflow to stop; it may clean up first."""
    await _send(call, CancelWorkflow(call.body.reason, id_or_new(call.idempotency_key), call.identity))


@operations.add("POST", f"{PATH}/terminate", body=ReasonBody, query=OfRun, remembers=True)
async def terminate_workflow(call: Call[ReasonBody, OfRun]) -> None:
    """Close a run at once. Its code is not asked, and nothing is cleaned up."""
    await _send(call, TerminateWorkflow(call.body.reason, (), call.identity))


@operations.add("POST", f"{PATH}/pause", body=ReasonBody, query=OfRun)
async def pause_workflow(call: Call[ReasonBody, OfRun]) -> None:
    """Let no turn and no activity of a run start until it is resumed; what runs already may finish."""
    await _send(call, PauseWorkflow(call.body.reason, call.identity, id_or_new(call.idempotency_key)))


@operations.add("POST", f"{PATH}/resume", body=ReasonBody, query=OfRun)
async def resume_workflow(call: Call[ReasonBody, OfRun]) -> None:
    """Let a run go on after a pause."""
    await _send(call, ResumeWorkflow(call.body.reason, call.identity, id_or_new(call.idempotency_key)))


@operations.add("POST", f"{PATH}/pin", body=PinBody, query=OfRun)
async def pin_workflow(call: Call[PinBody, OfRun]) -> None:
    """Let only workers of one build of the code take a run's turns; an empty ``build_id`` lets any take them again."""
    await _send(call, UpdateWorkflowOptions(call.body.build_id, call.identity, id_or_new(call.idempotency_key)))


@operations.add("POST", f"{PATH}/reset", body=ResetBody, query=OfRun, answer=NewRunView)
async def reset_workflow(call: Call[ResetBody, OfRun]) -> NewRunView:
    """Go back: start the workflow again from a copy of a run's history, up to the turn that an event is in.

    The run is terminated if it is open.
    """
    body = call.body
    run_id = await call.service.reset(
        call.address,
        event_id=body.event_id,
        reason=body.reason,
        request_id=id_or_new(call.idempotency_key),
        leaves_out=body.leaves_out,
    )
    return NewRunView(call.address.workflow_id, run_id)


@operations.add("POST", f"{PATH}/fork", body=ForkBody, query=OfRun, answer=NewRunView)
async def fork_workflow(call: Call[ForkBody, OfRun]) -> NewRunView:
    """Start another workflow from a copy of a run's history, up to the turn that an event is in."""
    body = call.body
    if body.workflow_id == call.address.workflow_id:
        raise InvalidArgumentError("A fork needs a workflow id of its own; reset starts again under the same one.")
    run_id = await call.service.fork(
        call.address,
        event_id=body.event_id,
        workflow_id=body.workflow_id,
        input=None if body.input is None else to_payloads(body.input),
        reason=body.reason,
        request_id=id_or_new(call.idempotency_key),
    )
    return NewRunView(body.workflow_id, run_id)


async def _send(call: "Call[Any, OfRun]", request: OutsideRequest) -> None:
    await call.service.request(call.address, request)
