"""When a schedule is due: Temporal's ``ScheduleSpec`` as options of Perdure's schedules, and back."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
from temporalio.api.schedule.v1 import message_pb2 as pb

from perdure.protocols.temporal.calendar_text import FIELDS, Field, compile_calendar, compile_cron, ranges, wrong
from perdure.protocols.temporal.errors import Refused
from perdure.protocols.temporal.times import SECOND_NS, duration, ns_of, time_of, timestamp

SUNDAY_SIX = 6


class Every(msgspec.Struct, frozen=True):
    """An interval, moved by ``offset_seconds``."""

    every_seconds: float
    offset_seconds: float = 0


class Calendar(msgspec.Struct, frozen=True):
    """Times whose every field matches; each is text in cron's way."""

    second: str
    minute: str
    hour: str
    day_of_month: str
    month: str
    day_of_week: str
    year: str = "*"
    comment: str = ""


def timing_options(spec: pb.ScheduleSpec) -> dict[str, Any]:
    """When it is due. Clocks that change are followed as they show. Raises ``Refused``."""
    calendars = [*spec.structured_calendar, *map(compile_calendar, spec.calendar)]
    intervals, zones = list(spec.interval), set[str]()
    for text in spec.cron_string:
        compiled = compile_cron(text)
        if compiled.interval is not None:
            intervals.append(compiled.interval)
        else:
            assert compiled.calendar is not None
            calendars.append(compiled.calendar)
        zones.add(compiled.zone)
    if len(zones) > 1 or (spec.timezone_name and "".join(zones)):
        raise wrong("conflicting timezone names")
    if spec.timezone_data:
        raise wrong("timezone_data is not served by Perdure; say timezone_name")
    excluded = [*spec.exclude_structured_calendar, *map(compile_calendar, spec.exclude_calendar)]
    return {
        "cron": [],
        "every": [_every(one) for one in intervals],
        "calendar": [_calendar(one) for one in calendars],
        "exclude": [_calendar(one) for one in excluded],
        "timezone": spec.timezone_name or "".join(zones) or "UTC",
        "clock_changes": "as_shown",
        "start_at": moment(spec.start_time) if spec.HasField("start_time") else None,
        "end_at": moment(spec.end_time) if spec.HasField("end_time") else None,
        "jitter": length(ns_of(spec.jitter)),
    }


def moment(given: Any) -> datetime:
    """A time, in UTC. Raises ``Refused``."""
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=time_of(given) // 1000)
    except OverflowError:
        raise wrong("a time is too far away") from None


def length(ns: int) -> timedelta:
    """A duration. It is cut off where Python's ends."""
    return timedelta(microseconds=min(ns // 1000, timedelta.max // timedelta(microseconds=1)))


def ns(time: datetime) -> int:
    """A time in ns since 1970."""
    return (time - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1) * 1000


def _every(given: pb.IntervalSpec) -> Every:
    every, phase = ns_of(given.interval) // SECOND_NS, ns_of(given.phase) // SECOND_NS
    if given.phase.seconds < 0 or given.phase.nanos < 0:
        raise wrong("phase cannot be negative")
    if every < 1:
        raise wrong("interval is too small")
    if phase >= every:
        raise wrong("phase cannot be greater than Interval")
    return Every(every, phase)


def _calendar(given: pb.StructuredCalendarSpec) -> Calendar:
    texts = {field.name: _text(field, getattr(given, field.name)) for field in FIELDS}
    for field in FIELDS:
        if not texts[field.name]:
            raise wrong(f"invalid calendar spec: {field.title} has no range, so it would never match")
    return Calendar(**texts, comment=given.comment)


def _text(field: Field, given: Sequence[pb.Range]) -> str:
    if not given and field.name == "year":
        return "*"
    high = SUNDAY_SIX if field.name == "day_of_week" else field.high
    return ",".join(_range(field, high, one) for one in given)


def _range(field: Field, high: int, one: pb.Range) -> str:
    bounds = f"[{field.low}-{high}]"
    end = one.end or one.start
    if not field.low <= one.start <= high:
        raise wrong(f"invalid calendar spec: {field.title} Start is not in range {bounds}")
    if not one.start <= end <= high:
        raise wrong(f"invalid calendar spec: {field.title} End is before Start or not in range {bounds}")
    if one.step < 0:
        raise wrong(f"invalid calendar spec: {field.title} has invalid Step")
    if end == one.start:
        return str(one.start)
    return f"{one.start}-{end}" + (f"/{one.step}" if one.step > 1 else "")


# --- and back


def schedule_spec(spec: Any) -> pb.ScheduleSpec:
    """What a client is shown of a schedule's times."""
    found = pb.ScheduleSpec(
        structured_calendar=_shown(spec.walls),
        exclude_structured_calendar=_shown(spec.exclude),
        interval=[
            pb.IntervalSpec(interval=duration(every), phase=duration(offset) if offset else None)
            for every, offset in spec.intervals
        ],
        start_time=timestamp(spec.start_at),
        end_time=timestamp(spec.end_at),
        timezone_name="" if spec.timezone == "UTC" else spec.timezone,
    )
    if spec.jitter:
        found.jitter.CopyFrom(duration(spec.jitter))
    return found


def _shown(walls: Iterable[Any]) -> list[pb.StructuredCalendarSpec]:
    return [calendar for wall in walls for calendar in _calendars(wall)]


def _calendars(wall: Any) -> list[pb.StructuredCalendarSpec]:
    """One, but where either of two fields is enough for a day, as cron has it: then two."""
    texts = wall.fields.split()
    second = texts[0] if len(texts) == 6 else "0"
    minute, hour, day, month, weekday = texts[-5:]
    years = ",".join(map(str, wall.years)) or "*"
    if wall.both_days or day.startswith("*") or weekday.startswith("*"):
        days = [(day, weekday)]
    else:
        days = [(day, "*"), ("*", weekday)]
    return [_ranged(wall, (second, minute, hour, day, month, years, weekday)) for day, weekday in days]


def _ranged(wall: Any, texts: Sequence[str]) -> pb.StructuredCalendarSpec:
    found = pb.StructuredCalendarSpec(comment=wall.comment)
    for field, text in zip(FIELDS, texts, strict=True):
        if field.name == "year":
            found.year.extend(_years(wall.years))
            continue
        try:
            getattr(found, field.name).extend(ranges(field, text))
        except Refused:
            # Temporal has no words for the last day of a month and its like.
            found.comment = found.comment or wall.text
    return found


def _years(years: Sequence[int]) -> list[pb.Range]:
    """As few ranges as there can be with even steps."""
    if not years:
        return []
    step = years[1] - years[0] if len(years) > 1 else 1
    if all(later - earlier == step for earlier, later in pairwise(years)):
        return [pb.Range(start=years[0], end=years[-1], step=step)]
    return [pb.Range(start=year, end=year, step=1) for year in years]
