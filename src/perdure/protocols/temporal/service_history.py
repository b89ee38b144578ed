"""Histories: forwards, backwards, and as they grow."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from temporalio.api.enums.v1 import event_type_pb2, workflow_pb2
from temporalio.api.history.v1 import message_pb2 as history_pb
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.model.events import Event
from perdure.model.ids import RunAddress
from perdure.protocols.temporal.calls import Call, Methods, execution_of
from perdure.protocols.temporal.history import history
from perdure.protocols.temporal.tokens import HistoryToken, decode, encode

methods = Methods()

LONG_POLL_SECONDS = 20.0
"""A call that waits for more of a history is answered after this, as by Temporal's server."""

DEFAULT_PAGE = 1_000

CLOSE_EVENT = workflow_pb2.HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT

PEOPLE = (b"temporal-cli", b"temporal-ui")
"""Clients that are not shown turns that are not in the history yet."""

FOLLOWS_NEXT_RUN = b"follows-next-run-id"
"""The feature of clients that look for the next run in whatever closes one; Java's does not have it."""

T = TypeVar("T")


async def _within(call: Call, waiting: Awaitable[T]) -> T | None:
    """What comes in time; None if nothing does."""
    seconds = min(LONG_POLL_SECONDS, call.poll_seconds)
    try:
        async with asyncio.timeout(seconds):
            return await waiting
    except TimeoutError:
        return None


@methods.add
async def get_workflow_execution_history(
    call: Call, request: pb.GetWorkflowExecutionHistoryRequest
) -> pb.GetWorkflowExecutionHistoryResponse:
    """A page of a history; its last event alone; or what comes next, waiting for it."""
    namespace = await call.namespace(request.namespace)
    address = execution_of(namespace, request.execution)
    token = HistoryToken(address.run_id, 0)
    if request.next_page_token:
        token = decode(request.next_page_token, HistoryToken)
        address = RunAddress(namespace, address.workflow_id, token.run_id)
    if request.history_event_filter_type == CLOSE_EVENT:
        return await _last_event(call, address, token, waits=request.wait_new_event)
    limit = request.maximum_page_size or DEFAULT_PAGE
    if request.wait_new_event and token.after:
        page = await _within(call, call.service.history(address, after=token.after, limit=limit, wait=True))
    else:
        page = await call.service.history(address, after=token.after, limit=limit, wait=False)
    if page is None:
        return _answer(namespace, (), token)
    events = [event for event in page.events if not token.until or event.id <= token.until]
    if request.wait_new_event:
        following = None if page.is_closed else HistoryToken(page.run_id, events[-1].id if events else token.after)
        return _answer(namespace, events, following)
    last = events[-1].id if events else token.after
    is_end = len(page.events) < limit or page.is_closed or bool(token.until and last >= token.until)
    if not is_end:
        return _answer(namespace, events, HistoryToken(page.run_id, last, token.until))
    if not page.is_closed and call.headers.get(b"client-name") not in PEOPLE:
        address = RunAddress(namespace, address.workflow_id, page.run_id)
        unwritten = await call.parts.turns.unwritten_turn(address)
        if unwritten and unwritten[0].id == last + 1:
            events = [*events, *unwritten]
    return _answer(namespace, events, None)


def _answer(
    namespace: str, events: Sequence[Event], following: HistoryToken | None
) -> pb.GetWorkflowExecutionHistoryResponse:
    return pb.GetWorkflowExecutionHistoryResponse(
        history=history(events, namespace), next_page_token=b"" if following is None else encode(following)
    )


async def _last_event(
    call: Call, address: RunAddress, token: HistoryToken, *, waits: bool
) -> pb.GetWorkflowExecutionHistoryResponse:
    namespace = address.namespace
    if waits:
        if not address.run_id:
            # Which run is meant is decided now, not when it closes.
            page = await call.service.history(address, after=0, limit=1, wait=False)
            address = RunAddress(address.namespace, address.workflow_id, page.run_id)
        closed = await _within(call, call.service.wait_closed(address, follow=False))
        if closed is None:
            return _answer(namespace, (), HistoryToken(address.run_id, token.after))
        return _closing(call, _answer(namespace, [closed[1]], None))
    description = await call.service.describe(address)
    length = description.summary.history_length
    page = await call.service.history(address, after=max(0, length - 1), limit=1, wait=False)
    return _closing(call, _answer(namespace, page.events[-1:], None))


def _closing(call: Call, answer: pb.GetWorkflowExecutionHistoryResponse) -> pb.GetWorkflowExecutionHistoryResponse:
    """The same; but an SDK that does not look whether a run that closed is tried again is told that it goes on."""
    if FOLLOWS_NEXT_RUN in call.headers.get(b"supported-features", b"").split(b","):
        return answer
    for event in answer.history.events:
        name = event.WhichOneof("attributes") or ""
        next_run = getattr(getattr(event, name, None), "new_execution_run_id", "")
        if next_run and name != "workflow_execution_continued_as_new_event_attributes":
            event.event_type = event_type_pb2.EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
            event.workflow_execution_continued_as_new_event_attributes.new_execution_run_id = next_run
    return answer


@methods.add
async def get_workflow_execution_history_reverse(
    call: Call, request: pb.GetWorkflowExecutionHistoryReverseRequest
) -> pb.GetWorkflowExecutionHistoryReverseResponse:
    """A page of a history, the last event first."""
    namespace = await call.namespace(request.namespace)
    address = execution_of(namespace, request.execution)
    if request.next_page_token:
        token = decode(request.next_page_token, HistoryToken)
        address, end = RunAddress(namespace, address.workflow_id, token.run_id), token.after
    else:
        summary = (await call.service.describe(address)).summary
        address, end = RunAddress(namespace, address.workflow_id, summary.run_id), summary.history_length
    limit = request.maximum_page_size or DEFAULT_PAGE
    begin = max(0, end - limit)
    page = await call.service.history(address, after=begin, limit=end - begin, wait=False)
    events = [event for event in page.events if event.id <= end]
    # A page may be shorter than was asked for; then the rest of this stretch is left out below, so it is asked for first.
    while events and events[-1].id < end:
        more = await call.service.history(address, after=events[-1].id, limit=end - events[-1].id, wait=False)
        events += [event for event in more.events if event.id <= end]
    following = encode(HistoryToken(address.run_id, begin)) if begin else b""
    shown = history_pb.History(events=reversed(history(events, namespace).events))
    return pb.GetWorkflowExecutionHistoryReverseResponse(history=shown, next_page_token=following)
