"""Schedules by Temporal's own SDK: what it creates, it can look at, change, trigger, list and delete."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.schedule.v1 import message_pb2 as schedule_pb
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb
from temporalio.api.workflowservice.v1 import service_pb2_grpc as stubs
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleBackfill,
    ScheduleCalendarSpec,
    ScheduleHandle,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import RetryPolicy, SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from perdure.app.server import Server
from perdure.sdk.converter import Converter
from perdure.sdk.schedules.client import Schedules
from perdure.sdk.starting import Target

REGION = SearchAttributeKey.for_keyword("Region")


def action(id: str = "report", **options: Any) -> ScheduleActionStartWorkflow:
    return ScheduleActionStartWorkflow("Report", "eu", id=id, task_queue="reports", **options)


def nightly(**state: Any) -> Schedule:
    return Schedule(
        action=action(
            run_timeout=timedelta(hours=1),
            retry_policy=RetryPolicy(maximum_attempts=3),
            memo={"owner": "ada"},
        ),
        spec=ScheduleSpec(
            calendars=[
                ScheduleCalendarSpec(
                    hour=[ScheduleRange(2)], day_of_week=[ScheduleRange(1, 5, 2)], comment="every other working day"
                )
            ],
            intervals=[ScheduleIntervalSpec(every=timedelta(hours=6), offset=timedelta(minutes=5))],
            skip=[
                ScheduleCalendarSpec(
                    hour=[ScheduleRange(0, 23)], day_of_month=[ScheduleRange(24)], month=[ScheduleRange(12)]
                )
            ],
            start_at=datetime(2026, 1, 1, tzinfo=UTC),
            end_at=datetime(2190, 1, 1, tzinfo=UTC),
            jitter=timedelta(minutes=1),
            time_zone_name="Europe/Berlin",
        ),
        policy=SchedulePolicy(
            overlap=ScheduleOverlapPolicy.BUFFER_ONE, catchup_window=timedelta(hours=1), pause_on_failure=True
        ),
        state=ScheduleState(**state),
    )


async def until(handle: ScheduleHandle, holds: Callable[[Any], bool]) -> Any:
    """Look until it is so."""
    while not holds(found := await handle.describe()):
        await asyncio.sleep(0.02)
    return found


async def test_what_is_created_can_be_looked_at(client: Client) -> None:
    schedule = nightly(paused=True, note="not yet", limited_actions=True, remaining_actions=7)
    handle = await client.create_schedule(
        "nightly",
        schedule,
        memo={"team": "reports"},
        search_attributes=TypedSearchAttributes([SearchAttributePair(REGION, "eu")]),
    )
    found = await handle.describe()
    assert found.id == "nightly"
    spec, given = found.schedule.spec, schedule.spec
    (calendar,) = spec.calendars
    assert calendar.hour == (ScheduleRange(2, 2, 1),)
    assert calendar.day_of_week == (ScheduleRange(1, 5, 2),)
    assert calendar.comment == "every other working day"
    assert spec.intervals == given.intervals
    assert spec.skip[0].month == (ScheduleRange(12, 12, 1),)
    assert (spec.start_at, spec.end_at, spec.jitter, spec.time_zone_name) == (
        given.start_at,
        given.end_at,
        given.jitter,
        given.time_zone_name,
    )
    assert found.schedule.policy == schedule.policy
    assert found.schedule.state == schedule.state
    started = found.schedule.action
    assert isinstance(started, ScheduleActionStartWorkflow)
    assert (started.workflow, started.id, started.task_queue) == ("Report", "report", "reports")
    assert started.run_timeout == timedelta(hours=1)
    assert started.retry_policy is not None and started.retry_policy.maximum_attempts == 3
    assert await found.memo() == {"team": "reports"}
    assert found.typed_search_attributes[REGION] == "eu"
    assert len(found.info.next_action_times) == 10
    assert found.info.num_actions == 0
    assert found.info.created_at is not None
    assert found.info.last_updated_at is None


async def test_a_trigger_a_backfill_and_the_schedule_s_runs(client: Client) -> None:
    schedule = nightly(paused=True)
    schedule.spec = ScheduleSpec(cron_expressions=["0 12 * * MON-FRI  # lunch"])
    handle = await client.create_schedule("lunch", schedule, trigger_immediately=True)
    found = await until(handle, lambda found: found.info.num_actions == 1)
    (run,) = found.info.running_actions
    assert run.workflow_id.startswith("report-20")
    assert found.info.recent_actions[0].action.workflow_id == run.workflow_id
    await handle.backfill(
        ScheduleBackfill(
            start_at=datetime(2026, 1, 5, 12, tzinfo=UTC),
            end_at=datetime(2026, 1, 7, 12, tzinfo=UTC),
            overlap=ScheduleOverlapPolicy.ALLOW_ALL,
        )
    )
    found = await until(handle, lambda found: found.info.num_actions == 4)
    assert [result.action.workflow_id for result in found.info.recent_actions[1:]] == [
        "report-2026-01-05T12:00:00Z",
        "report-2026-01-06T12:00:00Z",
        "report-2026-01-07T12:00:00Z",
    ]
    [entry] = [entry async for entry in await client.list_schedules()]
    assert entry.info is not None
    listed = [result.action.workflow_id for result in entry.info.recent_actions]  # type: ignore[attr-defined]  # it is a start
    assert listed == [
        "report-2026-01-05T12:00:00Z",
        "report-2026-01-06T12:00:00Z",
        "report-2026-01-07T12:00:00Z",
        run.workflow_id,
    ]
    by_schedule = [run.id async for run in client.list_workflows("TemporalScheduledById = 'lunch'")]
    assert sorted(by_schedule) == sorted(listed)
    await handle.trigger()
    found = await until(handle, lambda found: found.info.num_actions == 4)
    assert found.info.num_actions_skipped_overlap == 0  # it waits, by the policy


async def test_runs_of_a_schedule_without_a_workflow_id_have_its_own(client: Client, raw: Any) -> None:
    request = pb.CreateScheduleRequest(namespace="default", schedule_id="plain", request_id="r")
    request.schedule.spec.cron_string.append("0 2 * * *")
    request.schedule.action.start_workflow.workflow_type.name = "Anything"
    request.schedule.action.start_workflow.task_queue.name = "q"
    await raw.CreateSchedule(request)
    assert [run.id async for run in client.list_workflows("TemporalScheduledById = 'plain'")] == []
    handle = client.get_schedule_handle("plain")
    await handle.trigger()
    found = await until(handle, lambda found: found.info.num_actions == 1)
    (started,) = [result.action.workflow_id for result in found.info.recent_actions]
    assert started.startswith("plain-")
    (run,) = [run async for run in client.list_workflows("TemporalScheduledById = 'plain'")]
    assert run.search_attributes["TemporalScheduledById"] == ["plain"]


async def test_an_update_replaces_all(client: Client) -> None:
    handle = await client.create_schedule("changing", nightly(paused=True), memo={"kept": 1})
    before = await handle.describe()

    def change(input: ScheduleUpdateInput) -> ScheduleUpdate:
        schedule = input.description.schedule
        schedule.spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(days=1))])
        schedule.state.note = "daily now"
        schedule.policy.overlap = ScheduleOverlapPolicy.ALLOW_ALL
        return ScheduleUpdate(schedule, search_attributes=TypedSearchAttributes([SearchAttributePair(REGION, "us")]))

    await handle.update(change)
    after = await handle.describe()
    assert after.schedule.spec.intervals == [ScheduleIntervalSpec(every=timedelta(days=1))]
    assert not after.schedule.spec.calendars
    assert after.schedule.state.note == "daily now"
    assert after.schedule.state.paused
    assert after.schedule.policy.overlap is ScheduleOverlapPolicy.ALLOW_ALL
    assert after.typed_search_attributes[REGION] == "us"
    assert await after.memo() == {"kept": 1}
    assert after.info.last_updated_at is not None
    assert after.raw_description.conflict_token != before.raw_description.conflict_token


async def test_an_update_of_what_somebody_else_has_changed_is_refused(
    client: Client, raw: stubs.WorkflowServiceStub
) -> None:
    handle = await client.create_schedule("contested", nightly())
    seen = (await handle.describe()).raw_description
    await handle.pause(note="somebody was faster")
    await until(handle, lambda found: found.schedule.state.paused)
    request = pb.UpdateScheduleRequest(
        namespace="default", schedule_id="contested", schedule=seen.schedule, conflict_token=seen.conflict_token
    )
    with pytest.raises(RPCError, match="mismatched conflict token") as caught:
        await client.workflow_service.update_schedule(request)
    assert caught.value.status is RPCStatusCode.FAILED_PRECONDITION
    assert (await handle.describe()).schedule.state.note == "somebody was faster"


async def test_pausing_and_going_on(client: Client) -> None:
    handle = await client.create_schedule("paused", nightly())
    await handle.pause(note="holiday")
    found = await until(handle, lambda found: found.schedule.state.paused)
    assert found.schedule.state.note == "holiday"
    await handle.unpause(note="back")
    found = await until(handle, lambda found: not found.schedule.state.paused)
    assert found.schedule.state.note == "back"


async def test_lists_and_counts_go_by_filters(client: Client) -> None:
    for name, region, paused in (("a", "eu", True), ("b", "us", False), ("c", "eu", False)):
        await client.create_schedule(
            name,
            nightly(paused=paused),
            memo={"name": name},
            search_attributes=TypedSearchAttributes([SearchAttributePair(REGION, region)]),
        )

    async def listed(query: str = "") -> list[str]:
        return [entry.id async for entry in await client.list_schedules(query, page_size=2)]

    assert await listed() == ["c", "b", "a"]
    assert await listed("Region = 'eu'") == ["c", "a"]
    assert await listed("TemporalSchedulePaused = true") == ["a"]
    assert await listed("ScheduleId = 'b' OR ScheduleId STARTS_WITH 'c'") == ["c", "b"]
    with pytest.raises(RPCError, match="Nothing"):
        await listed("Nothing = 1")
    entries = [entry async for entry in await client.list_schedules()]
    assert await entries[0].memo() == {"name": "c"}
    assert entries[0].info is not None and len(entries[0].info.next_action_times) == 5
    counted = await client.workflow_service.count_schedules(pb.CountSchedulesRequest(namespace="default"))
    assert counted.count == 3
    grouped = await client.workflow_service.count_schedules(
        pb.CountSchedulesRequest(namespace="default", query="GROUP BY TemporalSchedulePaused")
    )
    assert {group.group_values[0].data: group.count for group in grouped.groups} == {b"true": 1, b"false": 2}


async def test_a_deleted_one_is_gone_and_a_second_one_refused(client: Client) -> None:
    handle = await client.create_schedule("once", nightly())
    with pytest.raises(ScheduleAlreadyRunningError):
        await client.create_schedule("once", nightly())
    await handle.delete()
    never = client.get_schedule_handle("never")
    asked: list[tuple[str, Any]] = [
        ("schedule not found", handle.describe),
        ("workflow execution already completed", handle.pause),
        ("workflow execution already completed", handle.delete),
        ("workflow execution already completed", handle.trigger),
        *(
            ("temporal-sys-scheduler:never", call)
            for call in (never.describe, never.pause, never.delete, never.trigger)
        ),
    ]
    for told, call in asked:
        with pytest.raises(RPCError, match=told) as caught:
            await call()
        assert caught.value.status is RPCStatusCode.NOT_FOUND
    await client.create_schedule("once", nightly())


async def test_without_times_it_only_runs_when_told_to_and_no_more_often_than_it_may(client: Client) -> None:
    schedule = Schedule(action=action("manual"), spec=ScheduleSpec())
    handle = await client.create_schedule("manual", schedule)
    await handle.trigger(overlap=ScheduleOverlapPolicy.ALLOW_ALL)
    found = await until(handle, lambda found: found.info.num_actions == 1)
    assert found.info.next_action_times == []
    schedule.spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(seconds=1))])
    schedule.state = ScheduleState(limited_actions=True, remaining_actions=2)
    schedule.policy = SchedulePolicy(overlap=ScheduleOverlapPolicy.ALLOW_ALL)
    await handle.update(lambda input: ScheduleUpdate(schedule))
    found = await until(handle, lambda found: found.schedule.state.remaining_actions == 0)
    assert found.info.num_actions == 3
    # Nothing is left to do, but it can still be told to.
    await handle.trigger(overlap=ScheduleOverlapPolicy.ALLOW_ALL)
    await until(handle, lambda found: found.info.num_actions == 4)


async def test_a_failed_run_pauses_it(client: Client) -> None:
    schedule = Schedule(
        action=action("failing", run_timeout=timedelta(seconds=1)),
        policy=SchedulePolicy(pause_on_failure=True),
        spec=ScheduleSpec(),
    )
    handle = await client.create_schedule("failing", schedule, trigger_immediately=True)
    found = await until(handle, lambda found: found.schedule.state.paused)
    assert found.schedule.state.note.startswith("paused due to workflow timeout: failing-")


async def test_it_is_the_same_schedule_for_perdure_s_own_clients(client: Client, server: Server) -> None:
    await client.create_schedule("shared", nightly())
    own = Schedules(server.service, "default", "test", lambda name: Target(name, None, None, Converter()))
    (listed,) = [schedule async for schedule in own.list()]
    assert (listed.id, listed.workflow_type, listed.overlap) == ("shared", "Report", "buffer_one")
    assert "except Calendar" in listed.when
    await own.create("local", "Report", "eu", cron="0 2 1,15 * fri", timezone="Europe/Berlin")
    found = await client.get_schedule_handle("local").describe()
    # Cron's days match where either field does; Temporal's need both, so it is shown as two calendars.
    assert [(c.day_of_month[0], c.day_of_week[0]) for c in found.schedule.spec.calendars] == [
        (ScheduleRange(1, 1, 1), ScheduleRange(0, 6, 1)),
        (ScheduleRange(1, 31, 1), ScheduleRange(5, 5, 1)),
    ]


@pytest.mark.parametrize(
    ("schedule", "problem"),
    [
        (schedule_pb.Schedule(), "Schedule action not set"),
        (schedule_pb.Schedule(spec=schedule_pb.ScheduleSpec(cron_string=["61 * * * *"])), "Minute is not in range"),
        (schedule_pb.Schedule(spec=schedule_pb.ScheduleSpec(cron_string=["* * *"])), "5-7 fields"),
        (schedule_pb.Schedule(spec=schedule_pb.ScheduleSpec(cron_string=["@every soon"])), "no length of time"),
        (schedule_pb.Schedule(spec=schedule_pb.ScheduleSpec(timezone_name="Nowhere/Else")), "Nowhere/Else"),
        (schedule_pb.Schedule(spec=schedule_pb.ScheduleSpec(timezone_data=b"TZif")), "timezone_data"),
        (schedule_pb.Schedule(spec=schedule_pb.ScheduleSpec(interval=[schedule_pb.IntervalSpec()])), "too small"),
        (
            schedule_pb.Schedule(
                spec=schedule_pb.ScheduleSpec(structured_calendar=[schedule_pb.StructuredCalendarSpec()])
            ),
            "Second has no range",
        ),
        (schedule_pb.Schedule(policies=schedule_pb.SchedulePolicies(overlap_policy=99)), "overlap policy 99"),  # type: ignore[arg-type]
    ],
)
async def test_what_makes_no_sense_is_refused(client: Client, schedule: schedule_pb.Schedule, problem: str) -> None:
    if problem != "Schedule action not set":
        schedule.action.start_workflow.workflow_id = "w"
        schedule.action.start_workflow.workflow_type.name = "W"
        schedule.action.start_workflow.task_queue.name = "q"
    request = pb.CreateScheduleRequest(namespace="default", schedule_id="s", request_id="r", schedule=schedule)
    with pytest.raises(RPCError, match=problem) as caught:
        await client.workflow_service.create_schedule(request)
    assert caught.value.status is RPCStatusCode.INVALID_ARGUMENT
