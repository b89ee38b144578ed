"""Lists of standalone activities, and how many there are."""

from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.protocols.temporal.calls import Call, Methods
from perdure.protocols.temporal.filters import activity_filter
from perdure.protocols.temporal.service_lists import DEFAULT_PAGE, group_values
from perdure.protocols.temporal.standalone_views import list_info
from perdure.protocols.temporal.tokens import PageToken, decode, encode

methods = Methods()


@methods.add
async def list_activity_executions(
    call: Call, request: pb.ListActivityExecutionsRequest
) -> pb.ListActivityExecutionsResponse:
    """Those of a filter."""
    namespace = await call.namespace(request.namespace)
    page = await call.service.list(
        namespace,
        filter=activity_filter(request.query),
        statuses=(),
        workflow_type="",
        cursor=decode(request.next_page_token, PageToken).cursor if request.next_page_token else "",
        limit=request.page_size or DEFAULT_PAGE,
    )
    types = await call.service.search_attributes(namespace)
    return pb.ListActivityExecutionsResponse(
        executions=[list_info(run, types) for run in page.runs],
        next_page_token=encode(PageToken(page.next_cursor)) if page.next_cursor else b"",
    )


@methods.add
async def count_activity_executions(
    call: Call, request: pb.CountActivityExecutionsRequest
) -> pb.CountActivityExecutionsResponse:
    """How many a filter has, and of each group."""
    namespace = await call.namespace(request.namespace)
    count = await call.service.count(namespace, filter=activity_filter(request.query), statuses=(), workflow_type="")
    Group = pb.CountActivityExecutionsResponse.AggregationGroup  # noqa: N806  # a class
    return pb.CountActivityExecutionsResponse(
        count=count.total,
        groups=[Group(group_values=group_values(count.attributes, group), count=group.count) for group in count.groups]
        if count.attributes
        else [],
    )
