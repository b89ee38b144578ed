"""The times of schedules against independent libraries, over years of changing clocks.

``croniter`` walks a clock on the wall that never changes, ``dateutil``'s rules do so for calendars; what becomes of a
time that is missing or doubled is worked out here from the rules in ``docs/schedules.md``, in another way than there:
by asking the zone about every minute.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from dateutil import rrule
from hypothesis import example, given, settings
from hypothesis import strategies as st

from perdure.sdk.schedules.calendars import Calendar, read_calendar, read_cron
from perdure.sdk.schedules.times import Spec, occasions, times, to_datetime, to_ns

ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",  # changed at midnight until 2019
    "Africa/Cairo",  # changes at midnight
    "Australia/Lord_Howe",  # changes by half an hour
    "America/St_Johns",
    "Pacific/Apia",  # left out a whole day in 2011
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "UTC",
]
MINUTE = timedelta(minutes=1)


@cache
def changes(zone_name, year):
    """The changes of the clock around a year, found minute by minute: ``(instant, wall before, wall after)``."""
    zone, found = ZoneInfo(zone_name), []
    instant = datetime(year, 1, 1, tzinfo=UTC) - timedelta(days=3)
    end = datetime(year + 1, 1, 1, tzinfo=UTC) + timedelta(days=3)
    while instant < end:
        later = instant + timedelta(hours=6)
        if instant.astimezone(zone).utcoffset() != later.astimezone(zone).utcoffset():
            while instant.astimezone(zone).utcoffset() == (instant + MINUTE).astimezone(zone).utcoffset():
                instant += MINUTE
            instant += MINUTE
            change = instant.astimezone(zone).replace(tzinfo=None)
            before = (instant - MINUTE).astimezone(zone).replace(tzinfo=None) + MINUTE
            found.append((instant, before, change))
            instant = later
        else:
            instant = later
    return found


def by_the_rules(local, zone_name):
    """When a fixed time of day runs."""
    for year in {local.year, (local + timedelta(days=3)).year}:
        for instant, before, after in changes(zone_name, year):
            if before <= local < after:
                return instant  # missing: at once when the clock has jumped over it
            if after <= local < before:
                return instant - (before - local)  # doubled: the first time
    return local.replace(tzinfo=ZoneInfo(zone_name)).astimezone(UTC)


def few(low, high):
    return st.lists(st.integers(low, high).map(str), min_size=1, max_size=3, unique=True).map(",".join)


def one_of(low, high):
    value = st.integers(low, high).map(str)
    # croniter takes 3-3 for any.
    ends = st.lists(st.integers(low, high), min_size=2, max_size=2, unique=True)
    ranges = ends.map(lambda pair: f"{min(pair)}-{max(pair)}")
    return st.one_of(value, ranges, st.lists(value, min_size=1, max_size=3, unique=True).map(",".join))


def any_or(field):
    return st.one_of(st.just("*"), field)


CRONS = st.tuples(
    few(0, 59),
    # Most clocks change in the first hours of the day.
    st.one_of(few(0, 23), one_of(0, 3)),
    any_or(one_of(1, 28)),
    any_or(one_of(1, 12)),
    any_or(one_of(0, 6)),
).map(" ".join)


def year_of(spec, year):
    begin, end = to_ns(datetime(year, 1, 1, tzinfo=UTC)), to_ns(datetime(year + 1, 1, 1, tzinfo=UTC))
    return [to_datetime(nominal) for nominal in takewhile(lambda nominal: nominal < end, times(spec, begin))]


def expected_of(walls, zone_name, year):
    begin, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    return sorted({found for wall in walls if begin < (found := by_the_rules(wall, zone_name)) < end})


@settings(max_examples=40, deadline=None)
@given(CRONS, st.sampled_from(ZONES), st.integers(2008, 2037))
@example("30 2 * * *", "Europe/Berlin", 2026)
@example("15,45 2,3 * * 0", "Europe/Berlin", 2026)
@example("0 0 * * *", "America/Sao_Paulo", 2018)
@example("0 12 * * *", "Pacific/Apia", 2011)
@example("0-59/10 1,2 * * *", "Australia/Lord_Howe", 2026)
def test_a_cron_with_a_fixed_time_of_day(expression, zone_name, year):
    walls = croniter(expression, datetime(year - 1, 12, 29), ret_type=datetime)
    oracle = takewhile(lambda wall: wall < datetime(year + 1, 1, 4), (walls.get_next(datetime) for _ in iter(int, 1)))
    expected = expected_of(list(oracle), zone_name, year)
    assert year_of(Spec(zone_name, (read_cron(expression),)), year) == expected


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["*/15", "*/20", "0", "30", "5,35", "*"]),
    st.sampled_from(["*", "*/2", "*/3"]),
    st.sampled_from(ZONES),
    st.integers(2008, 2037),
    st.integers(0, 3),
)
def test_a_cron_whose_minute_or_hour_is_any_goes_by_the_time_that_passes(minute, hour, zone_name, year, which):
    """Around each change of the clock: every minute that is real and matches, and no other."""
    expression, zone = f"{minute} {hour} * * *", ZoneInfo(zone_name)
    around = changes(zone_name, year)
    centre = around[which % len(around)][0] if around else datetime(year, 3, 29, 1, tzinfo=UTC)
    begin, end = centre - timedelta(hours=4), centre + timedelta(hours=4)
    found = takewhile(
        lambda nominal: nominal < to_ns(end), times(Spec(zone_name, (read_cron(expression),)), to_ns(begin))
    )
    expected = []
    instant = begin + MINUTE
    while instant < end:
        local = instant.astimezone(zone).replace(tzinfo=None)
        if croniter.match(expression, local):
            expected.append(instant)
        instant += MINUTE
    assert [to_datetime(nominal) for nominal in found] == expected


@settings(max_examples=40, deadline=None)
@given(
    st.sets(st.integers(0, 23), min_size=1, max_size=3),
    st.sets(st.integers(0, 59), min_size=1, max_size=3),
    st.sets(st.integers(0, 59), min_size=1, max_size=2),
    st.one_of(st.none(), st.sets(st.integers(1, 28), min_size=1, max_size=20)),
    st.one_of(st.none(), st.sets(st.integers(1, 12), min_size=1)),
    st.one_of(st.none(), st.sets(st.integers(0, 6), min_size=1)),
    st.sampled_from(ZONES),
    st.integers(2008, 2037),
)
def test_a_calendar(hours, minutes, seconds, days, months, weekdays, zone_name, year):
    calendar = Calendar(
        second=sorted(seconds),
        minute=sorted(minutes),
        hour=sorted(hours),
        day_of_month="*" if days is None else sorted(days),
        month="*" if months is None else sorted(months),
        # rrule counts from Monday, cron from Sunday.
        day_of_week="*" if weekdays is None else sorted((day + 1) % 7 for day in weekdays),
    )
    oracle = rrule.rrule(
        rrule.DAILY,
        dtstart=datetime(year - 1, 12, 29),
        until=datetime(year + 1, 1, 4),
        byhour=sorted(hours),
        byminute=sorted(minutes),
        bysecond=sorted(seconds),
        bymonthday=None if days is None else sorted(days),
        bymonth=None if months is None else sorted(months),
        byweekday=None if weekdays is None else sorted(weekdays),
    )
    assert year_of(Spec(zone_name, (read_calendar(calendar),)), year) == expected_of(oracle, zone_name, year)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(0, 2 * 10**9))
def test_an_interval_counts_from_1970(every, offset, after):
    every_ns, after_ns = every * 10**9, after * 10**9
    spec = Spec(intervals=((every_ns, offset * 10**9 % every_ns),))
    found = list(islice(times(spec, after_ns), 4))
    assert all((nominal - offset * 10**9) % every_ns == 0 for nominal in found)
    assert found[0] - every_ns <= after_ns < found[0]
    assert [later - sooner for sooner, later in pairwise(found)] == [every_ns] * 3


@settings(max_examples=40, deadline=None)
@given(CRONS, st.integers(1, 10**5), st.sampled_from(ZONES), st.integers(0, 10**5), st.integers(0, 400))
def test_wherever_one_begins_the_times_are_the_same(expression, every, zone_name, jitter, skip):
    """A schedule finds its times in batches; jitter keeps their order, and never reaches the next one."""
    spec = Spec(zone_name, (read_cron(expression),), ((every * 10**9, 0),), jitter=jitter * 10**9)
    begin = to_ns(datetime(2026, 3, 28, tzinfo=UTC))
    whole = list(islice(occasions(spec, "s", begin), skip + 5))
    assert list(islice(occasions(spec, "s", whole[skip - 1].nominal if skip else begin), 5)) == whole[skip:]
    for this, following in pairwise(whole):
        assert this.nominal <= this.due < this.nominal + max(1, jitter * 10**9)
        assert this.due <= following.nominal


def test_days_of_month_and_week_as_in_cron_and_as_in_a_calendar():
    after = to_ns(datetime(2026, 1, 1, tzinfo=UTC))
    either = Spec(walls=(read_cron("0 0 13 * FRI"),))
    both = Spec(walls=(read_calendar(Calendar(day_of_month=13, day_of_week="fri")),))
    assert [to_datetime(nominal).day for nominal in islice(times(either, after), 3)] == [2, 9, 13]
    assert [f"{to_datetime(nominal):%m-%d}" for nominal in islice(times(both, after), 3)] == ["02-13", "03-13", "11-13"]


def test_years_and_last_days():
    spec = Spec(walls=(read_calendar(Calendar(day_of_month="L", month=2, year="2027-2029")),))
    assert [f"{to_datetime(nominal):%Y-%m-%d}" for nominal in times(spec, 0)] == [
        "2027-02-28",
        "2028-02-29",
        "2029-02-28",
    ]
    new_year = Spec("Europe/Berlin", (read_calendar(Calendar(year=2030, month=1, day_of_month=1)),))
    assert [to_datetime(nominal).isoformat() for nominal in times(new_year, 0)] == ["2029-12-31T23:00:00+00:00"]


@pytest.mark.parametrize(
    ("macro", "fields"), [("@daily", "0 0 * * *"), ("@HOURLY", "0 * * * *"), ("@weekly", "0 0 * * 0")]
)
def test_macros(macro, fields):
    assert read_cron(macro).fields == fields


def test_a_doubled_hour_once_a_year_is_run_in_both_its_hours():
    spec = Spec("Europe/Berlin", (read_cron("*/30 2 25 10 *"),))
    found = islice(times(spec, to_ns(datetime(2026, 1, 1, tzinfo=UTC))), 5)
    assert [f"{to_datetime(nominal):%y-%m-%d %H:%M}" for nominal in found] == [
        "26-10-25 00:00",
        "26-10-25 00:30",
        "26-10-25 01:00",
        "26-10-25 01:30",
        "27-10-25 00:00",
    ]
