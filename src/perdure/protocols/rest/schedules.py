"""Schedules: runs by the clock."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec

from perdure.model.access import Permission
from perdure.protocols.rest.asking import (
    AffinityBody,
    Asked,
    Limit,
    Name,
    Reason,
    RetryBody,
    Seconds,
    affinity,
    retry_policy,
)
from perdure.protocols.rest.operations import Call, Nothing, Operations
from perdure.protocols.rest.paging import PageQuery, page_of
from perdure.protocols.rest.parts import Schedule, Schedules
from perdure.protocols.rest.values import Value, to_payload_map, to_payloads
from perdure.protocols.rest.views import Status

operations = Operations("schedules")

PATH = "/namespaces/{namespace}/schedules/{schedule_id}"

OverlapWord = Literal["skip", "buffer_one", "buffer_all", "cancel_other", "terminate_other", "allow_all"]
Cron = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
Field = int | Annotated[str, msgspec.Meta(max_length=1_000)] | list[int | str]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Note = Annotated[str, msgspec.Meta(max_length=10_000)]


class EveryBody(Asked):
    """An interval of at least a second, counted from 1970 and moved by ``offset_seconds``."""

    every_seconds: Annotated[float, msgspec.Meta(ge=1, le=3_153_600_000)]
    offset_seconds: Seconds = 0


class CalendarBody(Asked):
    """Times whose every field matches; midnight of every day if nothing is said. A field is a number, text in cron's way, or
    several of these."""

    second: Field = 0
    minute: Field = 0
    hour: Field = 0
    day_of_month: Field = "*"
    month: Field = "*"
    day_of_week: Field = "*"
    year: Field = "*"
    comment: Annotated[str, msgspec.Meta(max_length=1_000)] = ""


class Timing(Asked):
    """When a schedule is due, and what it does then.

    It is due whenever any of ``cron``, ``every`` and ``calendar`` is; the zone is an IANA name. ``jitter_seconds`` puts each time
    off by chance. ``overlap``: what to do while a run is open. Times that passed while no engine ran are made up for if they
    are not older than ``catch_up_seconds``. What ``exclude`` matches is left out. ``clock_changes``: whether times of day that are
    missing or doubled run once, as cron has it, or as the clock shows them. A schedule that has ended is kept for
    ``keep_for_seconds``. With empty lists of times it only runs when triggered.
    """

    cron: list[Cron] | msgspec.UnsetType = msgspec.UNSET
    every: list[EveryBody] | msgspec.UnsetType = msgspec.UNSET
    calendar: list[CalendarBody] | msgspec.UnsetType = msgspec.UNSET
    timezone: Name | msgspec.UnsetType = msgspec.UNSET
    start_at: Moment | msgspec.UnsetType | None = msgspec.UNSET
    end_at: Moment | msgspec.UnsetType | None = msgspec.UNSET
    max_runs: Annotated[int, msgspec.Meta(ge=1, le=1 << 53)] | msgspec.UnsetType | None = msgspec.UNSET
    jitter_seconds: Seconds | msgspec.UnsetType = msgspec.UNSET
    overlap: OverlapWord | msgspec.UnsetType = msgspec.UNSET
    catch_up_seconds: Annotated[float, msgspec.Meta(ge=10, le=3_153_600_000)] | msgspec.UnsetType = msgspec.UNSET
    exclude: list[CalendarBody] | msgspec.UnsetType = msgspec.UNSET
    clock_changes: Literal["cron", "as_shown"] | msgspec.UnsetType = msgspec.UNSET
    pause_on_failure: bool | msgspec.UnsetType = msgspec.UNSET
    keep_workflow_id: bool | msgspec.UnsetType = msgspec.UNSET
    keep_for_seconds: Seconds | msgspec.UnsetType = msgspec.UNSET


class ScheduleBody(Timing, kw_only=True):
    """A schedule, and what it starts. The runs' workflow ids are ``workflow_id``, or the schedule's id, and the time they are
    for."""

    schedule_id: Name
    workflow_type: Name
    input: list[Value] = []
    workflow_id: Name | None = None
    paused: bool = False
    note: Note = ""
    task_queue: Name = "default"
    execution_timeout_seconds: Limit | None = None
    run_timeout_seconds: Limit | None = None
    task_timeout_seconds: Limit | None = None
    retry: RetryBody | None = None
    memo: dict[str, Value] = {}
    search_attributes: dict[str, Value] = {}
    affinity: AffinityBody | None = None


class NoteBody(Asked):
    """Why."""

    note: Reason = ""


class TriggerBody(Asked):
    """``overlap`` holds for this run; the schedule's own without it."""

    overlap: OverlapWord | None = None


class BackfillBody(Asked):
    """The times from ``start`` to ``end``, both included; without ``overlap`` one after another."""

    start: Moment
    end: Moment
    overlap: OverlapWord = "buffer_all"


class ScheduleView(msgspec.Struct, frozen=True):
    """A schedule in a list. ``when`` says its times in words."""

    schedule_id: str
    workflow_type: str
    task_queue: str
    when: str
    overlap: str
    is_paused: bool
    note: str


class SchedulesView(msgspec.Struct, frozen=True):
    """A page of those that have not ended, by id; ``next_cursor`` is empty on the last one."""

    schedules: list[ScheduleView]
    next_cursor: str = ""


class ScheduledRunView(msgspec.Struct, frozen=True):
    """A run that a schedule started. ``nominal`` is the time it is for."""

    workflow_id: str
    run_id: str
    nominal: datetime
    started: datetime
    status: Status
    waits_for: str


class CountsView(msgspec.Struct, frozen=True):
    """What became of a schedule's occasions."""

    fired: int
    skipped: int
    missed: int
    buffered: int
    failed: int


class ScheduleDescriptionView(msgspec.Struct, frozen=True):
    """Where a schedule stands. ``next_times`` has five at most, none while it is paused; ``recent`` ten."""

    schedule: ScheduleView
    timezone: str
    catch_up_seconds: float
    max_runs: int | None
    has_ended: bool
    next_times: list[datetime]
    recent: list[ScheduledRunView]
    open: list[ScheduledRunView]
    buffered: int
    counts: CountsView
    last_error: str
    last_error_time: datetime | None


@operations.add("GET", "/namespaces/{namespace}/schedules", query=PageQuery, answer=SchedulesView)
async def list_schedules(call: Call[None, PageQuery]) -> SchedulesView:
    """The schedules of a namespace that have not ended."""
    found = [each async for each in _readable(call).list()]
    page, next_cursor = page_of(found, lambda each: (each.id,), call.query)
    return SchedulesView([_view(each) for each in page], next_cursor)


@operations.add(
    "POST",
    "/namespaces/{namespace}/schedules",
    body=ScheduleBody,
    answer=ScheduleDescriptionView,
    status=201,
    remembers=True,
)
async def create_schedule(call: Call[ScheduleBody, Nothing]) -> ScheduleDescriptionView:
    """Start a workflow again and again."""
    body = call.body
    options = {
        "task_queue": body.task_queue,
        "execution_timeout": body.execution_timeout_seconds,
        "run_timeout": body.run_timeout_seconds,
        "task_timeout": body.task_timeout_seconds,
        "retry": retry_policy(body.retry),
        "memo": to_payload_map(body.memo),
        "search_attributes": to_payload_map(body.search_attributes),
        "affinity": affinity(body.affinity),
        **_timing(body),
    }

    async def create() -> Schedule:
        schedule: Schedule = await call.parts.schedules(call.namespace, call.identity).create(
            body.schedule_id,
            body.workflow_type,
            *to_payloads(body.input),
            workflow_id=body.workflow_id,
            paused=body.paused,
            note=body.note,
            **options,
        )
        return schedule

    facts = {"schedule_id": body.schedule_id, "workflow_type": body.workflow_type}
    return _description(await (await call.perform(Permission.OPERATE, create, **facts)).describe())


@operations.add("GET", PATH, answer=ScheduleDescriptionView)
async def describe_schedule(call: Call[None, Nothing]) -> ScheduleDescriptionView:
    """Where a schedule stands: next times, recent runs, counts, the last error."""
    return _description(await _readable(call).get(call.path["schedule_id"]).describe())


@operations.add("PATCH", PATH, body=Timing, answer=ScheduleDescriptionView)
async def update_schedule(call: Call[Timing, Nothing]) -> ScheduleDescriptionView:
    """Change when a schedule is due; what is left out stays. Any of ``cron``, ``every`` and ``calendar`` replaces all its
    times."""
    schedule = _schedule(call)
    await call.perform(Permission.OPERATE, lambda: schedule.update(**_timing(call.body)))
    return _description(await schedule.describe())


@operations.add("POST", f"{PATH}/pause", body=NoteBody)
async def pause_schedule(call: Call[NoteBody, Nothing]) -> None:
    """Start no more runs until it is resumed. Times that pass meanwhile are left out."""
    await call.perform(Permission.OPERATE, lambda: _schedule(call).pause(call.body.note), note=call.body.note)


@operations.add("POST", f"{PATH}/resume", body=NoteBody)
async def resume_schedule(call: Call[NoteBody, Nothing]) -> None:
    """Go on with the next time."""
    await call.perform(Permission.OPERATE, lambda: _schedule(call).resume(call.body.note), note=call.body.note)


@operations.add("POST", f"{PATH}/trigger", body=TriggerBody)
async def trigger_schedule(call: Call[TriggerBody, Nothing]) -> None:
    """Start a run now, also while paused."""
    overlap, key = call.body.overlap, call.idempotency_key
    await call.perform(Permission.OPERATE, lambda: _schedule(call).trigger(overlap=overlap, request_id=key))


@operations.add("POST", f"{PATH}/backfill", body=BackfillBody)
async def backfill_schedule(call: Call[BackfillBody, Nothing]) -> None:
    """Start the runs of all times in a stretch now; also while paused."""
    body, key = call.body, call.idempotency_key
    await call.perform(
        Permission.OPERATE,
        lambda: _schedule(call).backfill(body.start, body.end, overlap=body.overlap, request_id=key),
        start=body.start,
        end=body.end,
    )


@operations.add("DELETE", PATH)
async def delete_schedule(call: Call[None, Nothing]) -> None:
    """Remove a schedule. Runs that it has started go on."""
    await call.perform(Permission.OPERATE, lambda: _schedule(call).delete())


def _readable(call: "Call[Any, Any]") -> Schedules:
    # Schedules are runs of the engine's own namespace, where callers have no business; this is their door.
    call.require(Permission.READ)
    return call.parts.schedules(call.namespace, call.identity)


def _schedule(call: "Call[Any, Nothing]") -> Schedule:
    """To be used within ``call.perform``."""
    return call.parts.schedules(call.namespace, call.identity).get(call.path["schedule_id"])


def _timing(body: Timing) -> dict[str, Any]:
    """The options of ``client.schedules``; those not said are left out."""
    given: dict[str, Any] = {
        "cron": body.cron,
        "every": body.every,
        "calendar": body.calendar,
        "timezone": body.timezone,
        "start_at": body.start_at,
        "end_at": body.end_at,
        "max_runs": body.max_runs,
        "jitter": body.jitter_seconds,
        "overlap": body.overlap,
        "catch_up": body.catch_up_seconds,
        "exclude": body.exclude,
        "clock_changes": body.clock_changes,
        "pause_on_failure": body.pause_on_failure,
        "keep_workflow_id": body.keep_workflow_id,
        "keep_for": body.keep_for_seconds,
    }
    return {name: value for name, value in given.items() if value is not msgspec.UNSET}


def _view(found: Any) -> ScheduleView:
    return ScheduleView(
        found.id, found.workflow_type, found.task_queue, found.when, found.overlap, found.is_paused, found.note
    )


def _description(found: Any) -> ScheduleDescriptionView:
    counts = found.counts
    catch_up: timedelta = found.catch_up
    return ScheduleDescriptionView(
        _view(found),
        found.spec.timezone,
        catch_up.total_seconds(),
        found.max_runs,
        found.has_ended,
        list(found.next_times),
        [_run(run) for run in found.recent],
        [_run(run) for run in found.open],
        found.buffered,
        CountsView(counts.fired, counts.skipped, counts.missed, counts.buffered, counts.failed),
        found.last_error,
        found.last_error_time,
    )


def _run(run: Any) -> ScheduledRunView:
    return ScheduledRunView(run.id, run.run_id, run.nominal, run.started, str(run.status), run.waits_for)
