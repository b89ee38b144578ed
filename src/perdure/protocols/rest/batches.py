"""Batches: one thing done to all runs that a filter names, as a job that can be paused, resumed and stopped."""

import hashlib
from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from perdure.model.access import Permission
from perdure.model.errors import InvalidArgumentError
from perdure.protocols.rest.asking import STATUSES, Asked, Name, Reason
from perdure.protocols.rest.lists import Filter, Statuses, WorkflowType
from perdure.protocols.rest.operations import Call, Nothing, Operations
from perdure.protocols.rest.paging import PageQuery, page_of
from perdure.protocols.rest.parts import Batches
from perdure.protocols.rest.values import Value, to_payloads
from perdure.protocols.rest.views import Status

operations = Operations("batches")

PATH = "/namespaces/{namespace}/batches/{batch_id}"

OperationWord = Literal["signal", "cancel", "terminate", "reset", "delete"]


class BatchBody(Asked):
    """What to do to which runs.

    Without ``filter``, ``status`` and ``workflow_type``, ``every_run`` says that all of the namespace are meant. What is done
    to open runs (signal, cancel, terminate) looks at open ones, unless ``status`` says otherwise. ``rate`` is how many a
    second at most, 0 for no limit. The same ``batch_id`` while it is open is the same batch; it is made up if not given.
    A signal has ``signal_name`` and ``input``; a reset goes to the last turn with ``to_last``, else to the first.
    """

    operation: OperationWord
    filter: Filter = ""
    status: Statuses = []
    workflow_type: WorkflowType = ""
    every_run: bool = False
    rate: Annotated[float, msgspec.Meta(ge=0, le=1_000_000)] = 0
    batch_id: Name | None = None
    signal_name: Name | None = None
    input: list[Value] = []
    to_last: bool = False
    reason: Reason = ""


class ReasonBody(Asked):
    """Why."""

    reason: Reason = ""


class BatchFailureView(msgspec.Struct, frozen=True):
    """A run that it could not be done to, and why."""

    workflow_id: str
    run_id: str
    reason: str


class BatchView(msgspec.Struct, frozen=True):
    """Where a batch stands. ``total`` is how many runs the filter named in the beginning, null before they were counted;
    ``skipped`` had closed or gone before it was their turn. ``status`` is "canceled" once it was stopped. ``failures`` are the
    first of those that ``failed``; lists leave them out."""

    batch_id: str
    operation: str
    filter: str
    rate: float
    status: Status
    total: int | None
    done: int
    skipped: int
    failed: int
    failures: list[BatchFailureView]
    start_time: datetime
    close_time: datetime | None


class BatchesView(msgspec.Struct, frozen=True):
    """A page of batches, the newest first; ``next_cursor`` is empty on the last one."""

    batches: list[BatchView]
    next_cursor: str = ""


@operations.add("GET", "/namespaces/{namespace}/batches", query=PageQuery, answer=BatchesView)
async def list_batches(call: Call[None, PageQuery]) -> BatchesView:
    """The batches of a namespace, the newest first; those that have ended stay for 30 days."""
    call.require(Permission.READ)
    found = [each async for each in _batches(call).list()]
    page, next_cursor = page_of(found, lambda each: (-round(each.started.timestamp() * 1e6), each.id), call.query)
    return BatchesView([_view(each) for each in page], next_cursor)


@operations.add("POST", "/namespaces/{namespace}/batches", body=BatchBody, answer=BatchView, status=201, remembers=True)
async def create_batch(call: Call[BatchBody, Nothing]) -> BatchView:
    """Do one thing to all runs that a filter names."""
    body = call.body
    if not (body.filter or body.status or body.workflow_type or body.every_run):
        raise InvalidArgumentError("Which runs? Say filter, status or workflow_type; or every_run for all of them.")
    if (body.operation == "signal") is not (body.signal_name is not None):
        raise InvalidArgumentError("A signal needs signal_name, and nothing else has one.")
    if body.input and body.operation != "signal":
        raise InvalidArgumentError("Only a signal has input.")
    if body.to_last and body.operation != "reset":
        raise InvalidArgumentError("Only a reset goes to_last.")
    key = call.idempotency_key
    options = {
        "filter": body.filter,
        "statuses": [STATUSES[word] for word in body.status],
        "workflow_type": body.workflow_type,
        "rate": body.rate,
        "id": body.batch_id or (hashlib.sha256(key.encode()).hexdigest()[:12] if key else ""),
    }
    handle = await call.perform(
        Permission.OPERATE, lambda: _begin(_batches(call), body, options), batch=body.operation, filter=body.filter
    )
    return _view(await handle.describe())


@operations.add("GET", PATH, answer=BatchView)
async def describe_batch(call: Call[None, Nothing]) -> BatchView:
    """Where a batch stands: how many runs it was done to, which it could not be done to, and why."""
    call.require(Permission.READ)
    return _view(await _handle(call).describe())


@operations.add("POST", f"{PATH}/pause", body=ReasonBody)
async def pause_batch(call: Call[ReasonBody, Nothing]) -> None:
    """Begin with no more runs until it is resumed; those of the last second are still dealt with."""
    await call.perform(Permission.OPERATE, lambda: _handle(call).pause(call.body.reason))


@operations.add("POST", f"{PATH}/resume", body=ReasonBody)
async def resume_batch(call: Call[ReasonBody, Nothing]) -> None:
    """Go on after a pause."""
    await call.perform(Permission.OPERATE, lambda: _handle(call).resume(call.body.reason))


@operations.add("POST", f"{PATH}/stop", body=ReasonBody)
async def stop_batch(call: Call[ReasonBody, Nothing]) -> None:
    """End a batch; what is done stays done."""
    await call.perform(Permission.OPERATE, lambda: _handle(call).stop(call.body.reason))


def _begin(batches: Batches, body: BatchBody, options: dict[str, Any]) -> Awaitable[Any]:
    match body.operation:
        case "signal":
            return batches.signal(body.signal_name or "", to_payloads(body.input), **options)
        case "cancel":
            return batches.cancel(reason=body.reason, **options)
        case "terminate":
            return batches.terminate(reason=body.reason, **options)
        case "reset":
            return batches.reset(to_last=body.to_last, reason=body.reason, **options)
        case "delete":
            return batches.delete(**options)


def _batches(call: "Call[Any, Any]") -> Batches:
    # Batches are runs of the engine's own namespace, where callers have no business; this is their door.
    return call.parts.batches(call.namespace, call.identity)


def _handle(call: "Call[Any, Nothing]") -> Any:
    return _batches(call).get(call.path["batch_id"])


def _view(found: Any) -> BatchView:
    return BatchView(
        found.id,
        found.operation,
        found.filter,
        found.rate,
        str(found.status),
        found.total if found.total >= 0 else None,
        found.done,
        found.skipped,
        found.failed,
        [BatchFailureView(each.workflow_id, each.run_id, each.reason) for each in found.failures],
        found.started,
        found.closed,
    )
