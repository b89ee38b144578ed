"""Schedules, told with a virtual clock where time must pass, and on each store where it need not."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

import perdure
from perdure import App, Calendar, Every, RunStatus, workflow
from perdure.app import Embedded, store_of
from perdure.engine.settings import Settings
from perdure.sdk.schedules import client as schedules_client
from perdure.sdk.schedules import firing, schedule_app
from perdure.sdk.schedules.definition import SYSTEM_NAMESPACE, State, Times, schedule_workflow_id
from perdure.testing.clock import VirtualClock
from perdure.testing.environment import Environment

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def app():
    app = App("jobs")

    @app.workflow
    async def quick(name: str) -> str:
        return name

    @app.workflow
    async def slow(hours: float) -> None:
        await asyncio.sleep(hours * 3600)

    @app.workflow
    async def waits() -> str:
        return await workflow.receive("end", str)

    @app.workflow
    async def goes_on(round: int = 0) -> None:
        await asyncio.sleep(1800)
        if round < 4:
            workflow.continue_as_new(round + 1)

    return app


@pytest.fixture
async def env(app, environment):
    async with environment(app, start_time=NEW_YEAR) as env:
        yield env


async def runs_of(client, schedule="s"):
    """The runs that a schedule started, the oldest first."""
    found = [run async for run in client.list() if run.search_attributes.get("ScheduledById") == schedule]
    return found[::-1]


async def nominal_times(client, schedule="s"):
    return [
        f"{run.search_attributes['ScheduledStartTime']:%Y-%m-%dT%H:%M:%SZ}" for run in await runs_of(client, schedule)
    ]


async def settled(handle, until, seconds=20):
    """The schedule's description once it is so."""
    async with asyncio.timeout(seconds):
        while not until(description := await handle.describe()):
            await asyncio.sleep(0.01)
    return description


# --- when


@pytest.mark.parametrize("answer", [None, Times([], 0, 0, False), "its own"])
async def test_times_that_a_turn_does_not_find_are_found_by_an_activity(env, monkeypatch, answer):
    if answer != "its own":
        monkeypatch.setattr(firing, "try_times", lambda ask: answer)
    await env.client.schedules.create("s", "quick", "x", every=HOUR)
    await env.sleep(2.5 * HOUR)
    assert await nominal_times(env.client) == ["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z"]
    system = env.client.with_namespace(SYSTEM_NAMESPACE)
    history = await system.get(schedule_workflow_id("default", "s")).fetch_history()
    events = [event.__class__.__name__ for event in history.events]
    assert ("ActivityTaskScheduled" in events) == (answer != "its own")
    perdure.replay(schedule_app(pytest.fail), history)


async def test_one_that_began_as_a_replayed_workflow_goes_on_in_runs_that_are_not(env, monkeypatch):
    def of_before(*args, **options):
        return State(*args, **{**options, "by_state": False})

    monkeypatch.setattr(schedules_client, "State", of_before)
    handle = await env.client.schedules.create("s", "quick", "x", every=HOUR)
    await env.sleep(30.5 * HOUR)
    assert (await handle.describe()).counts.fired == 30
    assert len(await nominal_times(env.client)) == 30
    system = env.client.with_namespace(SYSTEM_NAMESPACE)
    own = [run async for run in system.list()]
    found = [await system.get(run.id, run.run_id).fetch_history() for run in own]
    saved = [any(event.state for event in history.events if hasattr(event, "state")) for history in found]
    assert saved == [True, False], "the newest first"
    for history in found:
        perdure.replay(schedule_app(pytest.fail), history)


async def test_a_year_of_nights_with_both_changes_of_the_clock(env):
    handle = await env.client.schedules.create("s", "quick", "a", cron="30 2 * * *", timezone="Europe/Berlin")
    await env.sleep(365 * DAY)
    times = [datetime.fromisoformat(text) for text in await nominal_times(env.client)]
    assert len(times) == 365
    berlin = [time.astimezone(ZoneInfo("Europe/Berlin")) for time in times]
    odd = [time for time in berlin if (time.hour, time.minute) != (2, 30)]
    assert [time.isoformat() for time in odd] == ["2026-03-29T03:00:00+02:00"]
    [first_of_two] = [time for time in berlin if (time.month, time.day) == (10, 25)]
    assert first_of_two.isoformat() == "2026-10-25T02:30:00+02:00"
    assert (await handle.describe()).counts.fired == 365


async def test_cron_interval_and_calendar_together_are_one_schedule(env):
    await env.client.schedules.create(
        "s",
        "quick",
        "a",
        cron=["0 6 * * *", "0 12 * * *"],
        every=Every(timedelta(hours=12), offset=HOUR),
        calendar=Calendar(hour=[6, 20], minute=15),
    )
    await env.sleep(23 * HOUR)
    assert await nominal_times(env.client) == [
        f"2026-01-01T{time}:00Z" for time in ("01:00", "06:00", "06:15", "12:00", "13:00", "20:15")
    ]


async def test_jitter_delays_each_run_and_keeps_the_nominal_time(env):
    handle = await env.client.schedules.create("s", "quick", "a", every=HOUR, jitter=timedelta(minutes=10))
    await env.sleep(8 * HOUR)
    await env.sleep(timedelta(minutes=15))
    recent = (await handle.describe()).recent
    assert [run.nominal for run in recent] == [NEW_YEAR + n * HOUR for n in range(1, 9)]
    delays = [run.started - run.nominal for run in recent]
    assert all(timedelta(0) <= delay < timedelta(minutes=10, seconds=1) for delay in delays)
    assert len({round(delay.total_seconds(), 1) for delay in delays}) > 4


async def test_it_begins_and_ends_when_it_should(env):
    handle = await env.client.schedules.create(
        "s", "quick", "a", every=HOUR, start_at=NEW_YEAR + 3 * HOUR, end_at=NEW_YEAR + 5 * HOUR
    )
    assert [time.hour for time in (await handle.describe()).next_times] == [3, 4, 5]
    await env.sleep(DAY)
    assert [text[11:13] for text in await nominal_times(env.client)] == ["03", "04", "05"]
    assert (await handle.describe()).has_ended
    assert [info.id async for info in env.client.schedules.list()] == []
    with pytest.raises(perdure.RunClosedError, match="has ended"):
        await handle.trigger()


@pytest.mark.parametrize("overlap", ["skip", "buffer_all"])
async def test_it_ends_after_so_many_runs(env, overlap):
    handle = await env.client.schedules.create("s", "slow", 1.5, every=HOUR, max_runs=3, overlap=overlap)
    await env.sleep(2 * DAY)
    description = await handle.describe()
    assert description.has_ended
    assert description.counts.fired == 3
    assert {run.status for run in await runs_of(env.client)} == {RunStatus.COMPLETED}


# --- overlap


async def test_skip_leaves_out_what_comes_while_a_run_is_open(env):
    handle = await env.client.schedules.create("s", "slow", 2.5, every=HOUR)
    await env.sleep(7.2 * HOUR)
    assert [text[11:13] for text in await nominal_times(env.client)] == ["01", "04", "07"]
    assert (await handle.describe()).counts.skipped == 4


async def test_buffer_one_starts_one_more_when_the_run_closes(env):
    handle = await env.client.schedules.create("s", "slow", 3.5, every=HOUR, overlap="buffer_one", max_runs=3)
    await env.sleep(5.5 * HOUR)
    assert [text[11:13] for text in await nominal_times(env.client)] == ["01", "02"]
    started = [run.started for run in await runs_of(env.client)]
    assert started[1] - started[0] >= 3.5 * HOUR
    description = await handle.describe()
    assert description.buffered == 1
    assert description.counts.skipped >= 1


async def test_buffer_all_starts_one_after_the_other(env):
    await env.client.schedules.create("s", "slow", 2, every=HOUR, overlap="buffer_all", max_runs=5)
    await env.sleep(DAY)
    found = await runs_of(env.client)
    assert [run.search_attributes["ScheduledStartTime"].hour for run in found] == [1, 2, 3, 4, 5]
    assert all(before.closed <= after.started for before, after in pairwise(found))


async def test_cancel_other_starts_when_the_cancelled_run_has_ended(env):
    handle = await env.client.schedules.create("s", "slow", 50, every=HOUR, overlap="cancel_other")
    await env.sleep(3.5 * HOUR)
    found = await runs_of(env.client)
    assert [run.status for run in found] == [RunStatus.CANCELED, RunStatus.CANCELED, RunStatus.RUNNING]
    assert [run.status for run in (await handle.describe()).recent] == [run.status for run in found]


async def test_terminate_other_starts_at_once(env):
    await env.client.schedules.create("s", "slow", 50, every=HOUR, overlap="terminate_other")
    await env.sleep(3.5 * HOUR)
    statuses = [run.status for run in await runs_of(env.client)]
    assert statuses == [RunStatus.TERMINATED, RunStatus.TERMINATED, RunStatus.RUNNING]


async def test_allow_all_lets_runs_overlap(env):
    handle = await env.client.schedules.create("s", "slow", 50, every=HOUR, overlap="allow_all")
    await env.sleep(30.5 * HOUR)
    assert len(await runs_of(env.client)) == 30
    assert len((await handle.describe()).open) == 30


async def test_a_run_that_goes_on_as_another_is_open(env):
    client = env.client
    await client.schedules.create("s", "goes_on", every=HOUR)
    await env.sleep(6.2 * HOUR)
    assert [text[11:13] for text in dict.fromkeys(await nominal_times(client))] == ["01", "04"]
    await client.get("s-2026-01-01T04:00:00Z").terminate("x")
    await env.sleep(HOUR)
    assert [text[11:13] for text in dict.fromkeys(await nominal_times(client))] == ["01", "04", "07"]


# --- what people do


async def test_pause_and_resume_with_a_note(env):
    handle = await env.client.schedules.create("s", "quick", "a", every=HOUR)
    await env.sleep(1.5 * HOUR)
    await handle.pause("holidays")
    await env.sleep(5 * HOUR)
    description = await handle.describe()
    assert (description.is_paused, description.note, description.next_times) == (True, "holidays", [])
    [listed] = [info async for info in env.client.schedules.list()]
    assert (listed.is_paused, listed.note) == (True, "holidays")
    await handle.resume("back")
    await env.sleep(HOUR)
    assert [text[11:13] for text in await nominal_times(env.client)] == ["01", "07"]
    description = await handle.describe()
    assert (description.counts.missed, description.note) == (0, "back")


async def test_created_paused_it_only_does_what_it_is_told(env):
    handle = await env.client.schedules.create("s", "quick", "a", every=HOUR, paused=True, note="not yet")
    await env.sleep(3 * HOUR)
    assert await runs_of(env.client) == []
    await handle.trigger(request_id="once")
    await handle.trigger(request_id="once")
    await env.sleep(1)
    assert len(await runs_of(env.client)) == 1


async def test_update_changes_what_is_said_and_keeps_the_rest(env):
    handle = await env.client.schedules.create(
        "s", "quick", "a", every=HOUR, timezone="Asia/Tokyo", overlap="allow_all"
    )
    await env.sleep(1.5 * HOUR)
    await handle.update(cron="0 12 * * *")
    await env.sleep(DAY)
    description = await handle.describe()
    assert await nominal_times(env.client) == ["2026-01-01T01:00:00Z", "2026-01-01T03:00:00Z"]
    assert (description.overlap, description.when) == ("allow_all", "0 12 * * * Asia/Tokyo")
    with pytest.raises(perdure.InvalidArgumentError, match="cron"):
        await handle.update(cron="nonsense")


async def test_deleted_it_is_gone_and_its_id_is_free(env):
    handle = await env.client.schedules.create("s", "slow", 1, every=HOUR)
    await env.sleep(1.5 * HOUR)
    await handle.delete()
    await env.sleep(5 * HOUR)
    assert [run.status for run in await runs_of(env.client)] == [RunStatus.COMPLETED]
    for call in (handle.describe, handle.delete, handle.trigger):
        with pytest.raises(perdure.PerdureError, match="'s'"):
            await call()
    await env.client.schedules.create("s", "quick", "a", every=HOUR)
    await env.sleep(1.1 * HOUR)
    assert len(await runs_of(env.client)) == 2


async def test_backfill_runs_old_times_one_after_another(opened, app):
    async with opened(app) as client:
        handle = await client.schedules.create(
            "s", "quick", "a", cron="0 2 * * *", timezone="Europe/Berlin", paused=True
        )
        zone = ZoneInfo("Europe/Berlin")
        begin, end = datetime(2025, 3, 28, tzinfo=zone), datetime(2025, 4, 30, tzinfo=zone)
        for _ in range(2):
            await handle.backfill(begin, end, request_id="april")
        description = await settled(handle, lambda description: description.counts.fired >= 33)
        found = await runs_of(client)
        assert len(found) == 33 == description.counts.fired
        assert found[1].id == "s-2025-03-29T01:00:00Z"
        assert found[2].id == "s-2025-03-30T01:00:00Z"  # 02:00 was missing, and is 03:00 in summer time
        assert found[3].id == "s-2025-03-31T00:00:00Z"
        assert all(before.closed <= after.started for before, after in pairwise(found))
        with pytest.raises(perdure.InvalidArgumentError, match="before start"):
            await handle.backfill(end, begin)
        with pytest.raises(perdure.InvalidArgumentError, match="zone"):
            await handle.backfill(datetime(2025, 1, 1), end)


async def test_triggers_follow_the_policy_or_their_own(opened, app):
    async with opened(app) as client:
        handle = await client.schedules.create("s", "waits", every=DAY, paused=True)
        await handle.trigger()
        await settled(handle, lambda description: description.counts.fired == 1)
        await handle.trigger()
        await settled(handle, lambda description: description.counts.skipped == 1)
        await handle.trigger(overlap="allow_all")
        await handle.trigger(overlap="buffer_all")
        description = await settled(handle, lambda description: len(description.open) == 2)
        for run in description.open:
            await client.get(run.id).signal("end", "x")
        description = await settled(handle, lambda description: description.counts.fired == 3)
        assert description.counts.scheduled == 0


# --- a store that is opened again


@asynccontextmanager
async def environment_on(url, app, start):
    clock = VirtualClock(int(start.timestamp()) * 1_000_000_000)
    settings = Settings(timer_horizon_ns=10**18, retention_sweep_ns=10**18)
    embedded = Embedded([app], store_of(url), clock, settings=settings)
    await embedded.open()
    env = Environment(embedded, embedded.client, clock)
    keeper = asyncio.create_task(env.keep_time())
    try:
        yield env
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        await embedded.close()


async def test_times_that_passed_while_no_engine_ran_are_made_up_for_within_the_window(tmp_path, app):
    url = f"sqlite:///{tmp_path / 'work.db'}"
    async with environment_on(url, app, NEW_YEAR) as env:
        await env.client.schedules.create("s", "quick", "a", every=HOUR, catch_up=3.5 * HOUR, overlap="allow_all")
        await env.client.schedules.create("all", "quick", "a", every=HOUR, overlap="allow_all")
        await env.sleep(2.5 * HOUR)
    async with environment_on(url, app, NEW_YEAR + 100 * HOUR) as env:
        handle = env.client.schedules.get("s")
        await settled(handle, lambda description: description.counts.fired == 6)
        await settled(env.client.schedules.get("all"), lambda description: description.counts.fired == 100)
        assert [text[8:13] for text in await nominal_times(env.client)] == [
            "01T01",
            "01T02",
            "05T01",
            "05T02",
            "05T03",
            "05T04",
        ]
        assert (await handle.describe()).counts.missed == 94
        everything = await nominal_times(env.client, "all")
        assert len(everything) == len(set(everything)) == 100


async def test_a_history_of_a_schedule_replays(tmp_path, app):
    """With room for two runs in memory, schedules are forgotten and built again from their histories all the time."""
    url = f"sqlite:///{tmp_path / 'work.db'}"
    settings = perdure.Settings(resident_runs=2)
    async with perdure.open(app, store=url, settings=settings) as client:
        handles = [await client.schedules.create(f"s{n}", "quick", "a", every=DAY, paused=True) for n in range(10)]
        for _ in range(5):
            for handle in handles:
                await handle.trigger()
        for handle in handles:
            await settled(handle, lambda description: description.counts.fired + description.counts.skipped == 5)


async def test_runs_that_close_just_when_their_schedules_end(opened, app):
    """A run tells a schedule of its end that has ended in the same transaction."""
    async with opened(app) as client:
        handles = [
            await client.schedules.create(f"s{n}", "quick", "a", every=1, max_runs=1, overlap="buffer_all")
            for n in range(60)
        ]
        for handle in handles:
            description = await settled(handle, lambda description: description.has_ended)
            assert description.counts.fired == 1
        assert await client.start("quick", "b")


# --- mistakes


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "never due"),
        ({"cron": "61 2 * * *"}, "'61' is wrong in field 1, the minute"),
        ({"cron": "0 2 * *"}, "has 4 fields"),
        ({"cron": ""}, "has 0 fields"),
        ({"cron": "@sometimes"}, "@daily"),
        ({"cron": "0 0 30 2 *"}, "never comes"),
        ({"cron": 7}, "no text"),
        ({"calendar": Calendar(hour=25)}, "'25' is wrong in hour"),
        ({"calendar": Calendar(day_of_month=31, month=[2, 4])}, "never comes"),
        ({"calendar": "daily"}, "perdure.Calendar"),
        ({"cron": "0 2 * * *", "timezone": "Europe/Berln"}, "Did you mean Europe/Berlin"),
        ({"cron": "0 2 * * *", "timezone": "../../etc/passwd"}, "no time zone"),
        ({"every": 0}, "every=0 must be at least 1 s"),
        ({"every": timedelta(milliseconds=1)}, "at least 1 s"),
        ({"every": "1h"}, "not a duration"),
        ({"every": HOUR, "max_runs": 0}, "max_runs=0"),
        ({"every": HOUR, "max_runs": -1}, "max_runs=-1"),
        ({"every": HOUR, "catch_up": 0}, "catch_up=0"),
        ({"every": HOUR, "jitter": -1}, "jitter=-1"),
        ({"every": HOUR, "overlap": "sometimes"}, "overlap='sometimes' is not known"),
        ({"every": HOUR, "start_at": datetime(2026, 1, 1)}, "zone"),
        ({"every": HOUR, "start_at": NEW_YEAR, "end_at": NEW_YEAR - HOUR}, "before start_at"),
        ({"cron": "0 2 * * *", "start_at": NEW_YEAR, "end_at": NEW_YEAR + HOUR}, "no time lies between"),
    ],
)
async def test_a_schedule_that_makes_no_sense_is_refused_by_name(env, options, says):
    with pytest.raises(perdure.InvalidArgumentError) as error:
        await env.client.schedules.create("s", "quick", "a", **options)
    assert says in str(error.value)
    assert [info async for info in env.client.schedules.list()] == []


async def test_wrong_arguments_and_options_are_refused(env, app):
    create = env.client.schedules.create
    with pytest.raises(TypeError, match="often"):
        await create("s", "quick", "a", every=HOUR, often=True)
    with pytest.raises(TypeError, match="id_reuse"):
        await create("s", "quick", "a", every=HOUR, id_reuse="reject")
    with pytest.raises(perdure.InvalidArgumentError, match="id"):
        await create("", "quick", "a", every=HOUR)
    with pytest.raises(perdure.InvalidArgumentError, match="empty"):
        await create("s", "", every=HOUR)


async def test_an_id_is_used_once(opened, app):
    async with opened(app) as client:
        await client.schedules.create("s", "quick", "a", every=DAY)
        with pytest.raises(perdure.AlreadyExistsError, match="There is a schedule 's'"):
            await client.schedules.create("s", "quick", "b", every=DAY)
        other = client.with_namespace("other")
        await other.schedules.create("s", "quick", "a", every=DAY)
        assert [info.id async for info in client.schedules.list()] == ["s"]
        with pytest.raises(perdure.NotFoundError, match="no <schedule 'gone'"):
            await client.schedules.get("gone").describe()
        assert [run async for run in client.list()] == []


async def test_a_schedule_whose_workflow_is_gone_says_so_and_loses_nothing(env, app):
    handle = await env.client.schedules.create("s", "retired", every=HOUR, overlap="buffer_all")
    await env.sleep(3.5 * HOUR)
    description = await handle.describe()
    [waiting] = description.open
    assert "no worker here serves workflow type 'retired'" in waiting.waits_for
    assert description.buffered == 2
    assert (await env.client.get(waiting.id).describe()).status is RunStatus.RUNNING


async def test_a_run_whose_id_is_taken_is_an_error_that_shows(env):
    client = env.client
    await client.start("waits", id="s-2026-01-01T01:00:00Z")
    handle = await client.schedules.create("s", "quick", "a", every=HOUR)
    await env.sleep(2.5 * HOUR)
    description = await handle.describe()
    assert "is running" in description.last_error
    assert (description.counts.failed, description.counts.fired) == (1, 1)


async def test_runs_are_started_with_the_options_given(env):
    client = env.client
    await client.schedules.create(
        "s",
        "waits",
        every=HOUR,
        workflow_id="job",
        memo={"why": "because"},
        search_attributes={"Team": "ops"},
        run_timeout=timedelta(minutes=5),
        retry=perdure.Retry(max_attempts=1),
    )
    await env.sleep(1.5 * HOUR)
    [run] = await runs_of(client)
    assert (run.id, run.memo, run.search_attributes["Team"]) == ("job-2026-01-01T01:00:00Z", {"why": "because"}, "ops")
    assert run.status is RunStatus.TIMED_OUT


# --- what is left out, and what ends it


async def test_times_that_are_excluded_are_left_out(env):
    await env.client.schedules.create(
        "s", "quick", "a", every=12 * HOUR, exclude=[Calendar(hour="*", minute="*", second="*", day_of_week="sat,sun")]
    )
    await env.sleep(7 * DAY - HOUR)
    assert [time[:13] for time in await nominal_times(env.client)] == [
        "2026-01-01T12",
        "2026-01-02T00",
        "2026-01-02T12",
        "2026-01-05T00",
        "2026-01-05T12",
        "2026-01-06T00",
        "2026-01-06T12",
        "2026-01-07T00",
        "2026-01-07T12",
    ]


async def test_by_the_clock_as_shown_what_is_missing_does_not_run_and_what_is_doubled_runs_twice(env):
    await env.client.schedules.create(
        "s", "quick", "a", cron="30 2 25-29 3,10 *", timezone="Europe/Berlin", clock_changes="as_shown"
    )
    await env.sleep(330 * DAY)
    times = await nominal_times(env.client)
    assert [time for time in times if time[5:7] == "03"] == [f"2026-03-{day}T01:30:00Z" for day in range(25, 29)]
    assert [time for time in times if time[5:10] == "10-25"] == ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]


async def test_a_failed_run_pauses_the_schedule_if_it_shall(env):
    handle = await env.client.schedules.create(
        "s", "waits", every=HOUR, run_timeout=timedelta(minutes=10), pause_on_failure=True
    )
    await env.sleep(5 * HOUR)
    description = await handle.describe()
    assert (description.is_paused, description.counts.fired) == (True, 1)
    assert description.note.startswith("paused due to workflow timeout: s-2026-01-01T01")
    await handle.resume()
    await env.sleep(2 * HOUR)
    assert (await handle.describe()).counts.fired == 2


async def test_runs_may_all_have_the_same_workflow_id(env):
    await env.client.schedules.create("s", "quick", "a", every=HOUR, keep_workflow_id=True, workflow_id="report")
    await env.sleep(2.5 * HOUR)
    assert [run.id for run in await runs_of(env.client)] == ["report", "report"]


async def test_one_whose_last_time_is_past_is_kept_for_a_while(env):
    handle = await env.client.schedules.create("s", "quick", "a", every=HOUR, max_runs=1, keep_for=2 * DAY)
    await env.sleep(DAY)
    await handle.trigger()
    await settled(handle, lambda description: description.counts.fired == 2)
    assert not (await handle.describe()).has_ended
    await env.sleep(2 * DAY + HOUR)
    assert (await handle.describe()).has_ended


async def test_one_without_times_runs_when_it_is_told_to(env):
    handle = await env.client.schedules.create("s", "quick", "a", cron=[], keep_for=30 * DAY)
    await env.sleep(DAY)
    await handle.trigger(at=NEW_YEAR)
    await settled(handle, lambda description: description.counts.fired == 1)
    assert await nominal_times(env.client) == ["2026-01-01T00:00:00Z"]
    assert (await handle.describe()).when == "never by itself"


@pytest.mark.parametrize(
    "options",
    [
        {"exclude": "sat"},
        {"clock_changes": "never"},
        {"pause_on_failure": 1},
        {"keep_workflow_id": "yes"},
        {"keep_for": -1},
    ],
)
async def test_new_options_that_make_no_sense_are_refused(env, options):
    with pytest.raises(perdure.InvalidArgumentError, match=next(iter(options)).removesuffix("e")):
        await env.client.schedules.create("s", "quick", "a", every=HOUR, **options)
