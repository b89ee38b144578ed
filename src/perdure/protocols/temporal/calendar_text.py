"""Calendars in words: cron strings and calendar fields, as Temporal compiles them into ranges of numbers."""

import re
from collections.abc import Sequence

import msgspec
from temporalio.api.schedule.v1 import message_pb2 as pb

from perdure.protocols.temporal.errors import Refused

MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
DAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]

FIRST_YEAR, LAST_YEAR = 2000, 2100


class Field(msgspec.Struct, frozen=True):
    """A field of a calendar: its name in messages and refusals, its numbers, what it is when nothing is said. ``names``
    stand for the numbers from ``low`` on."""

    name: str
    title: str
    low: int
    high: int
    default: str
    names: Sequence[str] = ()


FIELDS = (
    Field("second", "Second", 0, 59, "0"),
    Field("minute", "Minute", 0, 59, "0"),
    Field("hour", "Hour", 0, 23, "0"),
    Field("day_of_month", "DayOfMonth", 1, 31, "*"),
    Field("month", "Month", 1, 12, "*", MONTHS),
    Field("year", "Year", FIRST_YEAR, LAST_YEAR, "*"),
    Field("day_of_week", "DayOfWeek", 0, 7, "*", DAYS),
)

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_CRON = {
    5: ("minute", "hour", "day_of_month", "month", "day_of_week"),
    6: ("minute", "hour", "day_of_month", "month", "day_of_week", "year"),
    7: ("second", "minute", "hour", "day_of_month", "month", "day_of_week", "year"),
}
_ZONE = re.compile(r"(?:CRON_)?TZ=(\S+)\s+(.*)", re.DOTALL)
_LENGTH = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Compiled(msgspec.Struct):
    """What a cron string comes to: a calendar or an interval, and the time zone that it names."""

    calendar: pb.StructuredCalendarSpec | None = None
    interval: pb.IntervalSpec | None = None
    zone: str = ""


def wrong(problem: str) -> Refused:
    """A schedule's times make no sense."""
    return Refused.invalid(f"Invalid schedule spec: {problem}")


def compile_calendar(given: pb.CalendarSpec) -> pb.StructuredCalendarSpec:
    """A calendar of words as one of ranges. Raises ``Refused``."""
    return _structured({field.name: getattr(given, field.name) for field in FIELDS}, given.comment)


def compile_cron(text: str) -> Compiled:
    """A cron string: five to seven fields, a macro or ``@every``, with a time zone before and a comment behind. Raises
    ``Refused``."""
    body, _, comment = text.partition("#")
    body = body.strip()
    zone = ""
    if match := _ZONE.match(body):
        zone, body = match[1], match[2].strip()
    if body.startswith("@every"):
        return Compiled(interval=_interval(body.removeprefix("@every").strip()), zone=zone)
    words = MACROS.get(body.lower(), body).split()
    if len(words) not in _CRON:
        raise wrong("CronString does not have 5-7 fields")
    said = dict(zip(_CRON[len(words)], words, strict=True))
    return Compiled(calendar=_structured(said, comment.strip()), zone=zone)


def _interval(text: str) -> pb.IntervalSpec:
    every, _, phase = text.partition("/")
    found = pb.IntervalSpec()
    found.interval.FromSeconds(_seconds(every))
    if phase:
        found.phase.FromSeconds(_seconds(phase))
    return found


def _seconds(text: str) -> int:
    text = text.strip()
    parts = _LENGTH.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise wrong(f"@every: {text!r} is no length of time, such as 90m")
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def _structured(said: dict[str, str], comment: str) -> pb.StructuredCalendarSpec:
    found = pb.StructuredCalendarSpec(comment=comment)
    for field in FIELDS:
        text = said.get(field.name) or field.default
        if field.name == "year" and text == "*":
            continue
        getattr(found, field.name).extend(ranges(field, text))
    return found


def ranges(field: Field, text: str) -> list[pb.Range]:
    """The numbers that a field's words mean. Raises ``Refused``."""
    found: list[pb.Range] = []
    for part in text.split(","):
        stretch, slash, step_text = part.strip().partition("/")
        step = _number(field, step_text, names=False) if slash else 1
        if step < 1:
            raise wrong(f"{field.title} has invalid Step")
        if stretch == "*":
            first, last = field.low, field.high if field.name != "day_of_week" else 6
        else:
            start, dash, end = stretch.partition("-")
            first = _number(field, start)
            last = _number(field, end) if dash else first
            if slash and not dash:
                last = field.high if field.name != "day_of_week" else max(first, 6)
        if not field.low <= first <= last <= field.high:
            raise wrong(f"{field.title} is not in range [{field.low}-{field.high}]")
        found += _without_seven(field, first, last, step)
    return found


def _without_seven(field: Field, first: int, last: int, step: int) -> list[pb.Range]:
    """Sunday is 0, and may be written 7; then it comes first."""
    if field.name != "day_of_week" or last < 7:
        return [pb.Range(start=first, end=last, step=step)]
    sunday = [pb.Range(start=0, end=0, step=1)] if (7 - first) % step == 0 else []
    return [*sunday, pb.Range(start=first, end=6, step=step)] if first < 7 else sunday


def _number(field: Field, text: str, *, names: bool = True) -> int:
    if text.isdecimal() and len(text) < 10:
        return int(text)
    if names and len(text) >= 3:
        for place, name in enumerate(field.names):
            if name.startswith(text.lower()):
                return field.low + place
    raise wrong(f"{field.title} is not in range [{field.low}-{field.high}]")
