"""Schedules: Temporal's calls for them, served by Perdure's own schedules."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.api.schedule.v1 import message_pb2 as schedule_pb
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.model.access import Permission
from perdure.model.errors import AlreadyExistsError, NotFoundError, RunClosedError
from perdure.protocols.temporal.calls import Call, Methods
from perdure.protocols.temporal.errors import Code, Refused
from perdure.protocols.temporal.payloads import memo, to_map
from perdure.protocols.temporal.schedule_messages import (
    info_message,
    options_of,
    overlap_word,
    schedule_message,
    start_of,
)
from perdure.protocols.temporal.schedule_times import moment, ns
from perdure.protocols.temporal.search_values import search_attributes
from perdure.protocols.temporal.times import timestamp

methods = Methods()

FUTURE_TIMES = 10
MOST_MATCHING = 1_000
TOKEN_BYTES = 8


async def _about(schedule_id: str, work: Awaitable[Any]) -> Any:
    """What it gives, and a refusal in the words that SDKs know if there is no such schedule."""
    try:
        return await work
    except RunClosedError:  # it has ended, or was deleted
        raise Refused.not_found("workflow execution already completed") from None
    except NotFoundError as error:
        if isinstance(error.__cause__, RunClosedError):  # it was deleted
            raise Refused.not_found("schedule not found") from None
        raise Refused.not_found(f"workflow not found for ID: temporal-sys-scheduler:{schedule_id}") from None


async def _perform(call: Call, act: str, request: Any, work: Callable[[], Awaitable[Any]]) -> Any:
    """Do what an administrator does to a schedule."""
    details = {"namespace": request.namespace, "schedule_id": request.schedule_id}
    return await call.session.perform(act, lambda: _about(request.schedule_id, work()), **details)


def _token(revision: int) -> bytes:
    return revision.to_bytes(TOKEN_BYTES)


@methods.add
async def create_schedule(call: Call, request: pb.CreateScheduleRequest) -> pb.CreateScheduleResponse:
    """A new schedule, with what is said to it at once."""
    namespace = await call.namespace(request.namespace, Permission.OPERATE)
    if not request.schedule_id:
        raise Refused.invalid("ScheduleId is not set on request.")
    if not request.request_id:
        raise Refused.invalid("RequestId is not set on request.")
    start = start_of(request.schedule, request.identity, request.schedule_id)
    options = options_of(request.schedule)
    patch = request.initial_patch
    if patch.pause or patch.unpause:
        options["paused"], options["note"] = not patch.unpause, patch.unpause or patch.pause
    triggers = [_trigger(patch)] if patch.HasField("trigger_immediately") else []
    backfills = [_backfill(one, options["overlap"]) for one in patch.backfill_request]

    async def create() -> None:
        schedules = call.parts.schedules(namespace, request.identity)
        await schedules.create_for(
            request.schedule_id,
            start,
            request_id=request.request_id,
            memo=to_map(request.memo.fields),
            search_attributes=to_map(request.search_attributes.indexed_fields),
            triggers=triggers,
            backfills=backfills,
            **options,
        )

    try:
        await _perform(call, "create_schedule", request, create)
    except AlreadyExistsError as error:
        raise AlreadyExistsError(
            f"Workflow execution is already running. WorkflowId: temporal-sys-scheduler:{request.schedule_id}, RunId: "
            f"{error.run_id}.",
            error.run_id,
        ) from None
    return pb.CreateScheduleResponse(conflict_token=_token(1))


def _trigger(patch: schedule_pb.SchedulePatch) -> tuple[str | None, datetime | None]:
    asked = patch.trigger_immediately
    at = moment(asked.scheduled_time) if asked.HasField("scheduled_time") else None
    return overlap_word(asked.overlap_policy, "") or None, at


def _backfill(asked: schedule_pb.BackfillRequest, overlap: str) -> tuple[datetime, datetime, str]:
    start, end = moment(asked.start_time), moment(asked.end_time)
    if end < start:
        raise Refused.invalid("A backfill's end_time is before its start_time.")
    return start, end, overlap_word(asked.overlap_policy, overlap)


@methods.add
async def describe_schedule(call: Call, request: pb.DescribeScheduleRequest) -> pb.DescribeScheduleResponse:
    """All of a schedule."""
    namespace = await call.namespace(request.namespace, Permission.READ)
    schedule = call.parts.schedules(namespace, "").get(request.schedule_id)
    found = await _about(request.schedule_id, schedule.describe())
    has_more = not found.has_ended and (found.remaining is None or found.remaining > 0)
    future = (
        await _about(request.schedule_id, schedule.times(datetime.now(UTC), limit=FUTURE_TIMES)) if has_more else []
    )
    types = await call.service.search_attributes(namespace)
    return pb.DescribeScheduleResponse(
        schedule=schedule_message(found),
        info=info_message(found, future),
        memo=memo(found.memo),
        search_attributes=search_attributes(found.search_attributes, types),
        conflict_token=_token(found.revision),
    )


@methods.add
async def update_schedule(call: Call, request: pb.UpdateScheduleRequest) -> pb.UpdateScheduleResponse:
    """Be this schedule from now on, if it is still the one that was looked at."""
    namespace = await call.namespace(request.namespace, Permission.OPERATE)
    start = start_of(request.schedule, request.identity, request.schedule_id)
    options = options_of(request.schedule)
    token = request.conflict_token
    if token and len(token) != TOKEN_BYTES:
        raise Refused.invalid("Invalid conflict token.")
    attributes, own_memo = request.search_attributes, request.memo

    async def replace() -> bool:
        schedule = call.parts.schedules(namespace, request.identity).get(request.schedule_id)
        done: bool = await schedule.replace(
            start,
            memo=dict(to_map(own_memo.fields) or {}) if request.HasField("memo") else None,
            search_attributes=dict(to_map(attributes.indexed_fields) or {})
            if request.HasField("search_attributes")
            else None,
            revision=int.from_bytes(token) if token else 0,
            **options,
        )
        return done

    if not await _perform(call, "update_schedule", request, replace):
        raise Refused(Code.FAILED_PRECONDITION, "mismatched conflict token")
    return pb.UpdateScheduleResponse()


@methods.add
async def patch_schedule(call: Call, request: pb.PatchScheduleRequest) -> pb.PatchScheduleResponse:
    """Run it now, or for a stretch of the past; pause it or let it go on."""
    namespace = await call.namespace(request.namespace, Permission.OPERATE)
    patch = request.patch
    schedule = call.parts.schedules(namespace, request.identity).get(request.schedule_id)
    key = request.request_id
    if patch.HasField("trigger_immediately"):
        overlap, at = _trigger(patch)
        trigger_key = f"{key}-trigger" if key else ""
        await _perform(
            call,
            "trigger_schedule",
            request,
            lambda: schedule.trigger(overlap=overlap, at=at, request_id=trigger_key),
        )
    if patch.backfill_request:
        default = (await _about(request.schedule_id, schedule.describe())).overlap
        backfills = [_backfill(one, default) for one in patch.backfill_request]

        async def fill() -> None:
            for place, (start, end, overlap) in enumerate(backfills):
                own_key = f"{key}-backfill-{place}" if key else ""
                await schedule.backfill(start, end, overlap=overlap, request_id=own_key)

        await _perform(call, "backfill_schedule", request, fill)
    if patch.pause:
        await _perform(call, "pause_schedule", request, lambda: schedule.pause(patch.pause))
    if patch.unpause:
        await _perform(call, "resume_schedule", request, lambda: schedule.resume(patch.unpause))
    if not (patch.HasField("trigger_immediately") or patch.backfill_request or patch.pause or patch.unpause):
        await _about(request.schedule_id, schedule.describe())
    return pb.PatchScheduleResponse()


@methods.add
async def list_schedule_matching_times(
    call: Call, request: pb.ListScheduleMatchingTimesRequest
) -> pb.ListScheduleMatchingTimesResponse:
    """When it is due between two times."""
    namespace = await call.namespace(request.namespace, Permission.READ)
    if not request.HasField("start_time") or not request.HasField("end_time"):
        raise Refused.invalid("StartTime and EndTime must be set on request.")
    start, end = moment(request.start_time), moment(request.end_time)
    # The end of the stretch belongs to it, and its beginning does not.
    begin = start + timedelta(microseconds=1)
    schedule = call.parts.schedules(namespace, "").get(request.schedule_id)
    times = await _about(request.schedule_id, schedule.times(begin, end, MOST_MATCHING)) if begin <= end else []
    return pb.ListScheduleMatchingTimesResponse(start_time=[timestamp(ns(time)) for time in times])  # type: ignore[misc]  # no time is 0


@methods.add
async def delete_schedule(call: Call, request: pb.DeleteScheduleRequest) -> pb.DeleteScheduleResponse:
    """Remove it; its runs go on."""
    namespace = await call.namespace(request.namespace, Permission.OPERATE)
    schedule = call.parts.schedules(namespace, request.identity).get(request.schedule_id)
    await _perform(call, "delete_schedule", request, schedule.delete)
    return pb.DeleteScheduleResponse()
