"""Lists of runs, and how many there are."""

from collections.abc import Sequence
from typing import Any

import msgspec
from temporalio.api.common.v1 import message_pb2 as common
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.model.options import RunStatus
from perdure.model.search import Attribute, AttributeType, Group
from perdure.protocols.temporal.calls import Call, Methods
from perdure.protocols.temporal.errors import Refused
from perdure.protocols.temporal.filters import workflow_filter
from perdure.protocols.temporal.search_values import WORDS
from perdure.protocols.temporal.service_describe import execution_info
from perdure.protocols.temporal.times import time_of
from perdure.protocols.temporal.tokens import PageToken, decode, encode

methods = Methods()

DEFAULT_PAGE = 1_000


async def _page(
    call: Call, request: Any, query: str, page_size: int, statuses: tuple[RunStatus, ...] = (), workflow_type: str = ""
) -> dict[str, Any]:
    namespace = await call.namespace(request.namespace)
    cursor = decode(request.next_page_token, PageToken).cursor if request.next_page_token else ""
    types = await call.service.search_attributes(namespace)
    page = await call.service.list(
        namespace,
        filter=workflow_filter(query, types),
        statuses=statuses,
        workflow_type=workflow_type,
        cursor=cursor,
        limit=page_size or DEFAULT_PAGE,
    )
    return {
        "executions": [execution_info(run, types) for run in page.runs],
        "next_page_token": encode(PageToken(page.next_cursor)) if page.next_cursor else b"",
    }


@methods.add
async def list_workflow_executions(
    call: Call, request: pb.ListWorkflowExecutionsRequest
) -> pb.ListWorkflowExecutionsResponse:
    """Those of a filter."""
    return pb.ListWorkflowExecutionsResponse(**await _page(call, request, request.query, request.page_size))


@methods.add
async def scan_workflow_executions(
    call: Call, request: pb.ScanWorkflowExecutionsRequest
) -> pb.ScanWorkflowExecutionsResponse:
    """Those of a filter, in any order."""
    return pb.ScanWorkflowExecutionsResponse(**await _page(call, request, request.query, request.page_size))


def _quoted(text: str) -> str:
    if "'" not in text:
        return f"'{text}'"
    if '"' in text:
        raise Refused.invalid("a filter's value can't have both kinds of quotes")
    return f'"{text}"'


def _old_filter(request: Any) -> str:
    parts = []
    if request.HasField("start_time_filter"):
        earliest, latest = request.start_time_filter.earliest_time, request.start_time_filter.latest_time
        if time_of(earliest):
            parts.append(f"StartTime >= '{earliest.ToJsonString()}'")
        if time_of(latest):
            parts.append(f"StartTime <= '{latest.ToJsonString()}'")
    if request.execution_filter.workflow_id:
        parts.append(f"WorkflowId = {_quoted(request.execution_filter.workflow_id)}")
    if request.execution_filter.run_id:
        parts.append(f"RunId = {_quoted(request.execution_filter.run_id)}")
    if request.type_filter.name:
        parts.append(f"WorkflowType = {_quoted(request.type_filter.name)}")
    return " AND ".join(parts)


@methods.add
async def list_open_workflow_executions(
    call: Call, request: pb.ListOpenWorkflowExecutionsRequest
) -> pb.ListOpenWorkflowExecutionsResponse:
    """Those that are open."""
    page = await _page(
        call, request, _old_filter(request), request.maximum_page_size, (RunStatus.RUNNING, RunStatus.PAUSED)
    )
    return pb.ListOpenWorkflowExecutionsResponse(**page)


@methods.add
async def list_closed_workflow_executions(
    call: Call, request: pb.ListClosedWorkflowExecutionsRequest
) -> pb.ListClosedWorkflowExecutionsResponse:
    """Those that are closed."""
    statuses = tuple(status for status in RunStatus if status.is_closed)
    if request.HasField("status_filter") and request.status_filter.status:
        try:
            statuses = (RunStatus(request.status_filter.status),)
        except ValueError:
            raise Refused.invalid("unknown status") from None
    page = await _page(call, request, _old_filter(request), request.maximum_page_size, statuses)
    return pb.ListClosedWorkflowExecutionsResponse(**page)


@methods.add
async def count_workflow_executions(
    call: Call, request: pb.CountWorkflowExecutionsRequest
) -> pb.CountWorkflowExecutionsResponse:
    """How many a filter has, and of each group."""
    namespace = await call.namespace(request.namespace)
    query = workflow_filter(request.query, await call.service.search_attributes(namespace))
    count = await call.service.count(namespace, filter=query, statuses=(), workflow_type="")
    Counted = pb.CountWorkflowExecutionsResponse.AggregationGroup  # noqa: N806  # a class
    return pb.CountWorkflowExecutionsResponse(
        count=count.total,
        groups=[
            Counted(group_values=group_values(count.attributes, group), count=group.count) for group in count.groups
        ]
        if count.attributes
        else [],
    )


def group_values(attributes: Sequence[Attribute], group: Group) -> list[common.Payload]:
    """What the runs of a group have in common."""
    return [_value(attribute, value) for attribute, value in zip(attributes, group.values, strict=True)]


def _value(attribute: Attribute, value: Any) -> common.Payload:
    if attribute.type is AttributeType.STATUS and value is not None:
        value = "".join(word.capitalize() for word in RunStatus(value).name.split("_"))
    word = WORDS.get(attribute.type, b"Keyword")
    return common.Payload(metadata={"encoding": b"json/plain", "type": word}, data=msgspec.json.encode(value))
