"""Histories: by page, whole, and as they grow."""

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec

from perdure.model.errors import InvalidArgumentError
from perdure.model.events import Event
from perdure.model.history_json import FORMAT, VERSION, event_from_object, event_to_object
from perdure.model.ids import RunAddress
from perdure.model.service import HistoryPage
from perdure.protocols.rest.asking import Name, OfRun, WaitSeconds
from perdure.protocols.rest.operations import Call, Document, Nothing, Operations, Sent, Stream
from perdure.protocols.rest.records import EventView, event_view
from perdure.protocols.rest.runs import PATH
from perdure.protocols.rest.values import to_time
from perdure.protocols.rest.views import outcome_view
from perdure.protocols.rest.waiting import within

operations = Operations("histories")

_PAGE = 1000


class HistoryQuery(OfRun):
    """Of a history."""

    after: Annotated[
        int,
        msgspec.Meta(ge=0, le=1 << 53, description="Only events after this one; `last_event_id` of the page before."),
    ] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000, description="How many on a page, at most.")] = 1000
    wait_seconds: WaitSeconds = 0


class HistoryView(msgspec.Struct, frozen=True):
    """A stretch of a history. ``is_closed``: no event will follow. ``last_event_id`` is where the next page begins."""

    workflow_id: str
    run_id: str
    events: list[EventView]
    last_event_id: int
    is_closed: bool


@operations.add(
    "GET",
    f"{PATH}/history",
    query=HistoryQuery,
    answer=HistoryView,
    streams="As `text/event-stream`: `event` for each, with its number as the id, so that a browser that reconnects misses "
    "none; `closed` with the outcome at the end.",
)
async def get_history(call: Call[None, HistoryQuery]) -> HistoryView | Stream:
    """A run's events, oldest first.

    Page by ``after``. With ``wait_seconds`` waits for events that are not there yet; with ``Accept: text/event-stream``
    follows the history until the run closes.
    """
    query, address = call.query, call.address
    after = query.after
    if call.wants_stream:
        after = _last_event_id(call, after)
        page = await call.service.history(address, after=after, limit=_PAGE, wait=False)
        return Stream(_follow(call, RunAddress(call.namespace, address.workflow_id, page.run_id), page, after))
    page = await call.service.history(address, after=after, limit=query.limit, wait=False)
    if not page.events and not page.is_closed and query.wait_seconds:
        exact = RunAddress(call.namespace, address.workflow_id, page.run_id)
        waited = call.service.history(exact, after=after, limit=query.limit, wait=True)
        page = await within(call, query.wait_seconds, waited) or page
    last = page.events[-1].id if page.events else after
    return HistoryView(address.workflow_id, page.run_id, [event_view(it) for it in page.events], last, page.is_closed)


def _last_event_id(call: Call[None, HistoryQuery], after: int) -> int:
    given = call.request.headers.get("last-event-id", "")
    if not given:
        return after
    if not (given.isascii() and given.isdigit() and len(given) < 16):
        raise InvalidArgumentError(f"Last-Event-ID {given!r:.100} is no number of an event.")
    return int(given)


async def _follow(
    call: Call[None, HistoryQuery], exact: RunAddress, page: HistoryPage, after: int
) -> AsyncIterator[Sent]:
    while True:
        for event in page.events:
            yield Sent("event", event_view(event), str(event.id))
            after = event.id
        if page.is_closed:
            run_id, closing = await call.service.wait_closed(exact, follow=False)
            yield Sent("closed", outcome_view(exact.workflow_id, run_id, closing))
            return
        page = await call.service.history(exact, after=after, limit=_PAGE, wait=True)


@operations.add("GET", f"{PATH}/export", query=OfRun, answer=dict[str, Any])
async def export_workflow(call: Call[None, OfRun]) -> Document:
    """The whole history as one file, which `perdure replay --from` plays against today's code."""
    address = call.address
    described = await call.service.describe(address)
    summary = described.summary
    exact = RunAddress(call.namespace, address.workflow_id, summary.run_id)
    events: list[Event] = []
    while True:
        page = await call.service.history(exact, after=events[-1].id if events else 0, limit=_PAGE, wait=False)
        events += page.events
        if page.is_closed or not page.events:
            break
    about = {
        "workflow_type": summary.workflow_type,
        "status": str(summary.status),
        "build_id": described.build_id,
        "pinned_build_id": described.pinned_build_id,
        "exported_at": to_time(time.time_ns()),
    }
    content = {
        "workflow_id": address.workflow_id,
        "run_id": summary.run_id,
        "events": [event_to_object(event) for event in events],
        "namespace": call.namespace,
        "about": about,
        "format": FORMAT,
        "version": VERSION,
    }
    return Document(msgspec.json.encode(content))


class ImportBody(msgspec.Struct):
    """A run as `export` answered it, or `perdure export` wrote it. It comes under its own workflow id and run id."""

    workflow_id: Name
    run_id: Name
    events: Annotated[list[dict[str, Any]], msgspec.Meta(min_length=1)]
    format: str = FORMAT
    version: int = VERSION


class ImportedView(msgspec.Struct, frozen=True):
    """The run that was brought in."""

    workflow_id: str
    run_id: str


@operations.add(
    "POST", "/namespaces/{namespace}/workflow-imports", body=ImportBody, answer=ImportedView, status=201, remembers=True
)
async def import_workflow(call: Call[ImportBody, Nothing]) -> ImportedView:
    """Bring in a run that was exported elsewhere.

    A closed run comes as it was; an open one goes on from its last event, as after a crash.
    """
    body = call.body
    if body.format != FORMAT or body.version > VERSION:
        raise InvalidArgumentError(
            f"This is {body.format!r:.100} of version {body.version}; {FORMAT!r} up to version {VERSION} can be read."
        )
    events = [event_from_object(item) for item in body.events]
    address = RunAddress(call.namespace, body.workflow_id, body.run_id)
    return ImportedView(body.workflow_id, await call.service.import_run(address, events))
