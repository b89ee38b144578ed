"""Lists of schedules, by filters over what schedules are found by."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
from temporalio.api.common.v1 import message_pb2 as common
from temporalio.api.schedule.v1 import message_pb2 as schedule_pb
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.engine.search.evaluate import Held, matches
from perdure.engine.search.parse import make_ready, parse
from perdure.kernel import search_attribute
from perdure.model.access import Permission
from perdure.model.options import RunStatus
from perdure.model.search import Attribute, AttributeType, AttributeTypes, Query
from perdure.model.service import RunSummary
from perdure.protocols.temporal.calls import Call, Methods
from perdure.protocols.temporal.errors import Refused
from perdure.protocols.temporal.names import execution, workflow_type
from perdure.protocols.temporal.payloads import memo
from perdure.protocols.temporal.schedule_times import ns, schedule_spec
from perdure.protocols.temporal.search_values import search_attributes
from perdure.protocols.temporal.times import timestamp
from perdure.protocols.temporal.tokens import PageToken, decode, encode

methods = Methods()

DEFAULT_PAGE = 1_000
FUTURE_TIMES = 5
RECENT = 5

SCHEDULED_BY, SCHEDULED_FOR = "ScheduledById", "ScheduledStartTime"
"""What the runs of schedules are found by."""

OWN_TYPES: AttributeTypes = {
    "ScheduleId": AttributeType.KEYWORD,
    "TemporalSchedulePaused": AttributeType.BOOL,
}
"""What every schedule is found by."""

_OWN: Mapping[str, Callable[[Any], Held]] = {
    "ScheduleId": lambda schedule: schedule.id,
    "TemporalSchedulePaused": lambda schedule: schedule.is_paused,
    "WorkflowId": lambda schedule: f"temporal-sys-scheduler:{schedule.id}",
    "ExecutionStatus": lambda schedule: int(RunStatus.RUNNING),
}


class Found(msgspec.Struct):
    """Schedules, the query that they were found by, and how a schedule answers it."""

    schedules: list[Any]
    query: Query
    look: Callable[[Any, Attribute], Held]
    types: AttributeTypes
    has_runs: bool
    """Whether any schedule of the namespace has ever started one."""


async def _find(call: Call, namespace: str, text: str, *, counting: bool) -> Found:
    schedules = [schedule async for schedule in call.parts.schedules(namespace, "").list()]
    types = dict(await call.service.search_attributes(namespace))
    has_runs = SCHEDULED_BY in types
    for schedule in schedules:
        types |= search_attribute.new_types(schedule.search_attributes, types)
    await make_ready(text)
    query = parse(text, {**types, **OWN_TYPES}, counting=counting)
    if query.order:
        raise Refused.invalid("ORDER BY is not supported for schedules.")

    def look(schedule: Any, attribute: Attribute) -> Held:
        own = _OWN.get(attribute.name)
        if own is not None:
            return own(schedule)
        held = {name: value for name, _, value in search_attribute.values(schedule.search_attributes, types)}
        return held.get(attribute.name)

    where = query.where
    if where is not None:
        schedules = [one for one in schedules if matches(where, partial(look, one))]
    return Found(schedules, query, look, types, has_runs)


@methods.add
async def list_schedules(call: Call, request: pb.ListSchedulesRequest) -> pb.ListSchedulesResponse:
    """A page of schedules, the newest first."""
    namespace = await call.namespace(request.namespace, Permission.READ)
    found = await _find(call, namespace, request.query, counting=False)
    before = _place(request.next_page_token)
    after = before + (request.maximum_page_size or DEFAULT_PAGE)
    now = datetime.now(UTC)
    return pb.ListSchedulesResponse(
        schedules=[
            _entry(schedule, found.types, now, await _recent(call, namespace, schedule.id, found))
            for schedule in found.schedules[before:after]
        ],
        next_page_token=encode(PageToken(str(after))) if after < len(found.schedules) else b"",
    )


def _place(token: bytes) -> int:
    if not token:
        return 0
    cursor = decode(token, PageToken).cursor
    if not cursor.isdecimal():
        raise Refused.invalid("Failed to deserialize token.")
    return int(cursor)


async def _recent(call: Call, namespace: str, schedule_id: str, found: Found) -> list[schedule_pb.ScheduleActionResult]:
    """Its latest runs, the latest last: those that are found by it, as they are now."""
    if not found.has_runs:
        return []
    quoted = schedule_id.replace("'", "''")
    page = await call.service.list(
        namespace,
        filter=f"{SCHEDULED_BY} = '{quoted}' AND ExecutionStatus != 'ContinuedAsNew' ORDER BY {SCHEDULED_FOR} DESC",
        statuses=(),
        workflow_type="",
        cursor="",
        limit=RECENT,
    )
    return [_result(run, found.types) for run in reversed(page.runs)]


def _result(run: RunSummary, types: AttributeTypes) -> schedule_pb.ScheduleActionResult:
    held = {name: value for name, _, value in search_attribute.values(run.search_attributes, types)}
    nominal = held.get(SCHEDULED_FOR)
    return schedule_pb.ScheduleActionResult(
        schedule_time=timestamp(nominal if isinstance(nominal, int) else 0),
        actual_time=timestamp(run.start_time),
        start_workflow_result=execution(run.workflow_id, run.run_id),
        start_workflow_status=int(run.status),  # type: ignore[arg-type]  # enums are numbers on the wire
    )


def _entry(
    schedule: Any, types: AttributeTypes, now: datetime, recent: list[schedule_pb.ScheduleActionResult]
) -> schedule_pb.ScheduleListEntry:
    future = [timestamp(ns(time)) for time in schedule.next_times(now, FUTURE_TIMES)]
    return schedule_pb.ScheduleListEntry(
        schedule_id=schedule.id,
        memo=memo(schedule.memo),
        search_attributes=search_attributes(schedule.search_attributes, types),
        info=schedule_pb.ScheduleListInfo(
            spec=schedule_spec(schedule.spec),
            workflow_type=workflow_type(schedule.workflow_type),
            notes=schedule.note,
            paused=schedule.is_paused,
            recent_actions=recent,
            future_action_times=future,  # type: ignore[arg-type]
        ),
    )


@methods.add
async def count_schedules(call: Call, request: pb.CountSchedulesRequest) -> pb.CountSchedulesResponse:
    """How many a filter has, and of each group."""
    namespace = await call.namespace(request.namespace, Permission.READ)
    found = await _find(call, namespace, request.query, counting=True)
    groups: dict[tuple[Any, ...], int] = {}
    for schedule in found.schedules if found.query.groups else ():
        values = tuple(_shown(attribute, found.look(schedule, attribute)) for attribute in found.query.groups)
        groups[values] = groups.get(values, 0) + 1
    Group = pb.CountSchedulesResponse.AggregationGroup  # noqa: N806  # a class
    return pb.CountSchedulesResponse(
        count=len(found.schedules),
        groups=[
            Group(group_values=[_payload(value) for value in values], count=count) for values, count in groups.items()
        ],
    )


def _shown(attribute: Attribute, held: Held) -> Any:
    if attribute.type is AttributeType.STATUS and held is not None:
        return "Running"
    return ", ".join(map(str, held)) if isinstance(held, list) else held


def _payload(value: Any) -> common.Payload:
    return common.Payload(metadata={"encoding": b"json/plain"}, data=msgspec.json.encode(value))
