"""One run: where it stands, how it ended, why it waits; as an answer, or as a stream."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated

import msgspec

from perdure.model.explanation import Explanation
from perdure.model.ids import RunAddress
from perdure.protocols.rest.asking import OfRun, WaitSeconds
from perdure.protocols.rest.operations import Call, Operations, Sent, Stream
from perdure.protocols.rest.records import FailureView, failure_view
from perdure.protocols.rest.values import Value, to_time, to_values
from perdure.protocols.rest.views import (
    DescriptionView,
    OutcomeView,
    Status,
    description_view,
    open_outcome,
    outcome_view,
)
from perdure.protocols.rest.waiting import within

operations = Operations("workflows")

PATH = "/namespaces/{namespace}/workflows/{workflow_id}"

_LEAST_PAUSE_SECONDS = 0.1
"""A busy run is not described more often than that."""

_STORE_SECONDS = 1.0
"""To read how a closed run ended."""


class ResultQuery(OfRun):
    """Of a result."""

    wait_seconds: WaitSeconds = 0


class WaitView(msgspec.Struct, frozen=True):
    """One thing that a run waits for. ``until`` is when it ends by itself, ``expires`` when a timeout would end it."""

    kind: str
    what: str
    state: str
    ends_by: str
    since: datetime | None
    until: datetime | None
    expires: datetime | None
    failure: FailureView | None
    heartbeat_time: datetime | None
    details: list[Value]
    event_id: int


class CodeView(msgspec.Struct, frozen=True):
    """Where one task of the run's code stands: what it waits ``on``, in which line."""

    task: str
    on: str
    file: str
    line: int
    function: str


class ExplanationView(msgspec.Struct, frozen=True):
    """Why a run is where it is. ``waits`` has what holds it up first; of several any may end first. ``signals`` and
    ``updates`` are what its code takes now."""

    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    status: Status
    time: datetime | None
    waits: list[WaitView]
    expires: datetime | None
    cancel_requested: bool
    build_id: str
    pinned_build_id: str
    code: list[CodeView]
    signals: Annotated[list[str], msgspec.Meta(description="Signals that its code handles or receives now.")]
    updates: list[str]


@operations.add(
    "GET",
    PATH,
    query=OfRun,
    answer=DescriptionView,
    streams="As `text/event-stream`: `run` now and whenever it has gone on, `closed` with the outcome at the end.",
)
async def describe_workflow(call: Call[None, OfRun]) -> DescriptionView | Stream:
    """Describe a run: where it stands and what it waits for.

    With ``Accept: text/event-stream`` its progress is followed until it closes.
    """
    view = description_view(await call.service.describe(call.address))
    if not call.wants_stream:
        return view
    return Stream(_follow(call, RunAddress(call.namespace, view.run.workflow_id, view.run.run_id), view))


async def _follow(call: Call[None, OfRun], exact: RunAddress, view: DescriptionView) -> AsyncIterator[Sent]:
    while True:
        yield Sent("run", view)
        if view.run.close_time is not None:
            run_id, closing = await call.service.wait_closed(exact, follow=False)
            yield Sent("closed", outcome_view(exact.workflow_id, run_id, closing))
            return
        await call.service.history(exact, after=view.run.history_length, limit=1, wait=True)
        await asyncio.sleep(_LEAST_PAUSE_SECONDS)
        view = description_view(await call.service.describe(exact))


@operations.add(
    "GET",
    f"{PATH}/result",
    query=ResultQuery,
    answer=OutcomeView,
    other_answers={202: "It is still open."},
)
async def get_result(call: Call[None, ResultQuery]) -> OutcomeView:
    """How a workflow ended, after all its retries and continuations.

    With ``wait_seconds`` waits for the end; ask again after a 202.
    """
    address, seconds = call.address, call.query.wait_seconds
    closed = await within(call, seconds, call.service.wait_closed(address, follow=True)) if seconds else None
    if closed is None:
        summary = (await call.service.describe(address)).summary
        if summary.status.is_closed:
            closed = await within(call, _STORE_SECONDS, call.service.wait_closed(address, follow=True))
        if closed is None:
            call.status = 202
            return open_outcome(summary.workflow_id, summary.run_id, summary.status)
    return outcome_view(address.workflow_id, *closed)


@operations.add("GET", f"{PATH}/explain", query=OfRun, answer=ExplanationView)
async def explain_workflow(call: Call[None, OfRun]) -> ExplanationView:
    """Explain why a run is not moving: what it waits for, since when, and who or what can end the wait."""
    return _explained(await call.service.explain(call.address))


@operations.add("DELETE", PATH, query=OfRun)
async def delete_workflow(call: Call[None, OfRun]) -> None:
    """Remove a run and its history for good; an open one is terminated first."""
    await call.service.delete(call.address)


def _explained(found: Explanation) -> ExplanationView:
    return ExplanationView(
        found.address.workflow_id,
        found.address.run_id,
        found.workflow_type,
        found.task_queue,
        str(found.status),
        to_time(found.time),
        [
            WaitView(
                wait.kind.name.lower(),
                wait.what,
                wait.state,
                wait.ends_by,
                to_time(wait.since),
                to_time(wait.until),
                to_time(wait.expires),
                failure_view(wait.failure),
                to_time(wait.heartbeat_time),
                to_values(wait.details),
                wait.ref,
            )
            for wait in found.waits
        ],
        to_time(found.expires),
        found.cancel_requested,
        found.build_id,
        found.pinned_build_id,
        [CodeView(at.task, at.on, at.file, at.line, at.function) for at in found.code],
        list(found.signals),
        list(found.updates),
    )
