"""Finding runs: lists by cursor, lists that go on, counts."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

import msgspec

from perdure.model.options import RunStatus
from perdure.model.search import Attribute, AttributeType
from perdure.model.search import Value as AttributeValue
from perdure.model.service import RunPage
from perdure.protocols.rest.asking import STATUSES, Asked, StatusWord
from perdure.protocols.rest.operations import Call, Operations, Sent, Stream
from perdure.protocols.rest.values import to_seconds, to_time
from perdure.protocols.rest.views import RunView, run_view

operations = Operations("workflows")

Filter = Annotated[
    str,
    msgspec.Meta(
        max_length=20_000,
        description="Which runs, such as `Amount > 10000 AND ExecutionStatus = 'Running' ORDER BY Amount DESC`.",
    ),
]
Statuses = Annotated[
    list[StatusWord], msgspec.Meta(max_length=8, description="Only runs that are so; may be repeated.")
]
WorkflowType = Annotated[str, msgspec.Meta(max_length=1_000, description="Only runs of this type.")]
Size = Annotated[int, msgspec.Meta(ge=1, le=1000, description="How many on a page, at most.")]


class ListQuery(Asked):
    """Of a list."""

    filter: Filter = ""
    status: Statuses = []
    workflow_type: WorkflowType = ""
    cursor: Annotated[
        str, msgspec.Meta(max_length=10_000, description="`next_cursor` of the page before; with the same filter.")
    ] = ""
    limit: Size = 100
    interval_seconds: Annotated[float, msgspec.Meta(ge=0.2, le=60, description="As a stream: how often to look.")] = 2.0


class CountQuery(Asked):
    """Of a count."""

    filter: Filter = ""
    status: Statuses = []
    workflow_type: WorkflowType = ""


class RunsView(msgspec.Struct, frozen=True):
    """A page of a list; ``next_cursor`` is empty on the last one."""

    runs: list[RunView]
    next_cursor: str


class GroupView(msgspec.Struct, frozen=True):
    """How many runs have these values of the GROUP BY's attributes; null where they have none."""

    values: list[Any]
    count: int


class CountView(msgspec.Struct, frozen=True):
    """How many runs there are, and how many of each group of the filter's GROUP BY, the largest first."""

    total: int
    attributes: list[str]
    groups: list[GroupView]


class RunGone(msgspec.Struct, frozen=True):
    """A run that is no longer on the page."""

    workflow_id: str
    run_id: str


@operations.add(
    "GET",
    "/namespaces/{namespace}/workflows",
    query=ListQuery,
    answer=RunsView,
    streams="As `text/event-stream`: `run` for each run of the first page, and again whenever it changes; `gone` when one "
    "leaves the page; `ready` after the first look.",
)
async def list_workflows(call: Call[None, ListQuery]) -> RunsView | Stream:
    """List runs.

    The newest first, or in the filter's order. Runs that start meanwhile do not shift the pages. With
    ``Accept: text/event-stream`` the first page is followed.
    """
    page = await _page(call, call.query.cursor)
    if call.wants_stream:
        return Stream(_follow(call, page))
    return RunsView([run_view(summary) for summary in page.runs], page.next_cursor)


async def _page(call: Call[None, ListQuery], cursor: str) -> RunPage:
    query = call.query
    return await call.service.list(
        call.namespace,
        filter=query.filter,
        statuses=_statuses(query.status),
        workflow_type=query.workflow_type,
        cursor=cursor,
        limit=query.limit,
    )


async def _follow(call: Call[None, ListQuery], page: RunPage) -> AsyncIterator[Sent]:
    shown: dict[str, bytes] = {}
    is_first = True
    while True:
        present: dict[str, bytes] = {}
        for summary in page.runs:
            view = run_view(summary)
            present[summary.run_id] = written = msgspec.json.encode(view)
            if shown.get(summary.run_id) != written:
                yield Sent("run", msgspec.Raw(written))
        for run_id in shown.keys() - present.keys():
            gone = msgspec.json.decode(shown[run_id], type=RunGone)
            yield Sent("gone", gone)
        if is_first:
            yield Sent("ready", {})
            is_first = False
        shown = present
        await asyncio.sleep(call.query.interval_seconds)
        page = await _page(call, call.query.cursor)


@operations.add("GET", "/namespaces/{namespace}/workflow-count", query=CountQuery, answer=CountView)
async def count_workflows(call: Call[None, CountQuery]) -> CountView:
    """Count runs, also by groups: `?filter=GROUP BY WorkflowType`."""
    query = call.query
    counted = await call.service.count(
        call.namespace,
        filter=query.filter,
        statuses=_statuses(query.status),
        workflow_type=query.workflow_type,
    )
    attributes = counted.attributes
    groups = [
        GroupView([_value(*pair) for pair in zip(attributes, group.values, strict=True)], group.count)
        for group in counted.groups
    ]
    return CountView(counted.total, [attribute.name for attribute in attributes], groups)


def _statuses(words: Sequence[str]) -> list[RunStatus]:
    return [STATUSES[word] for word in words]


def _value(attribute: Attribute, value: AttributeValue | None) -> Any:
    match attribute.type, value:
        case AttributeType.STATUS, int():
            return str(RunStatus(value))
        case AttributeType.DATETIME, int():
            return to_time(value)
        case AttributeType.DURATION, int():
            return to_seconds(value)
        case _:
            return value
