"""Cron expressions and calendars: read, checked, and walked through in local time.

The fields are read by ``cronsim``, which follows Debian's cron. What an hour that is missing or doubled does to a time
is decided in ``times``.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from perdure.model.errors import InvalidArgumentError

if TYPE_CHECKING:
    from cronsim import CronSim

Field = int | str | Sequence[int | str]
"""A value, ``"9-17"``, ``"*/2"``, ``"mon-fri"``, ``"1,15"``, or several of these."""

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_NAMES = ("second", "minute", "hour", "day-of-month", "month", "day-of-week")
_RANGES = ("0-59", "0-59", "0-23", "1-31 or L", "1-12 or JAN-DEC", "0-7 or SUN-SAT")
_CALENDAR_NAMES = ("second", "minute", "hour", "day_of_month", "month", "day_of_week")
_YEARS = range(1970, 2200)
# 2000 was a leap year that began on a Saturday: any month and weekday is near.
_SOME_TIME = datetime(2000, 1, 1)


class Calendar(msgspec.Struct, frozen=True, kw_only=True):
    """Times whose every field matches; as Temporal's calendars, at midnight of every day if nothing is said.

    Args: second, minute, hour: 0 if not given. day_of_month, month, day_of_week, year: any if not given. Each is a
    number, text in cron's way (``"*"``, ``"9-17"``, ``"*/15"``, ``"mon-fri"``, ``"L"`` for the last day of the month),
    or several of these. comment: what it is meant to be, for people.
    """

    second: Field = 0
    minute: Field = 0
    hour: Field = 0
    day_of_month: Field = "*"
    month: Field = "*"
    day_of_week: Field = "*"
    year: Field = "*"
    comment: str = ""


class Wall(msgspec.Struct, frozen=True):
    """A cron expression or a calendar as it is stored: ``fields`` are cron's, with or without seconds.

    ``both_days``: a day must match day-of-month and day-of-week, instead of cron's own rule. ``years``: only these;
    empty for any. ``text`` is how the user wrote it, ``comment`` what they meant.
    """

    text: str
    fields: str
    both_days: bool = False
    years: tuple[int, ...] = ()
    comment: str = ""

    def matches(self, local: datetime) -> bool:
        """Whether a clock on the wall that shows ``local`` (naive) fulfils every field."""
        if self.years and local.year not in self.years:
            return False
        fields = _fields(self.fields, self.both_days)
        return (
            local.month in fields.months
            and local.hour in fields.hours
            and local.minute in fields.minutes
            and local.second in fields.seconds
            and fields.match_day(local)
        )

    @property
    def takes_days(self) -> bool:
        """Whether a day matches as a whole or not at all."""
        return self.takes_hours and len(_fields(self.fields, self.both_days).hours) == 24

    @property
    def takes_hours(self) -> bool:
        """Whether an hour matches as a whole or not at all."""
        fields = _fields(self.fields, self.both_days)
        return len(fields.minutes) == len(fields.seconds) == 60

    @property
    def is_real_time(self) -> bool:
        """Whether it goes by the time that passes and not by the clock on the wall, as cron has it for jobs whose
        minute or hour is any."""
        minute, hour = self.fields.split()[-5:-3]
        return minute.startswith("*") or hour.startswith("*")

    def walk(self, after: datetime) -> Iterator[datetime]:
        """Its times after ``after``, in order: aware ones in that zone, or naive ones of a wall clock."""
        if self.years:
            first = datetime(self.years[0], 1, 1, tzinfo=after.tzinfo)
            # One second of these years must not be passed over, and walking begins behind its start.
            after = max(after, first.replace(year=first.year - 1, month=12, day=31, hour=23, minute=59, second=59))
        simulation = _simulation(self.fields, after)
        if self.both_days:
            simulation.day_and = True
        for time in simulation:
            if self.years and time.year > self.years[-1]:
                return
            if not self.years or time.year in self.years:
                yield time


def read_cron(expression: object) -> Wall:
    """A cron expression with five fields, six with seconds first, or a macro such as ``@daily``.

    Raises ``InvalidArgumentError``, naming the field.
    """
    what = f"cron={expression!r}"
    if not isinstance(expression, str):
        raise InvalidArgumentError(f"{what} is no text: write cron='0 2 * * *'")
    fields = MACROS.get(expression.strip().lower(), expression).split()
    if expression.strip().startswith("@") and len(fields) == 1:
        raise InvalidArgumentError(f"{what} is not known; there are {', '.join(MACROS)}")
    if len(fields) not in (5, 6):
        raise InvalidArgumentError(
            f"{what} has {len(fields)} fields; there must be five (minute, hour, day-of-month, month, day-of-week), or "
            "six with the second first"
        )
    first = 6 - len(fields)
    for position, field in enumerate(fields):
        _check(what, f"field {position + 1}, the {_NAMES[first + position]}", first + position, field)
    wall = Wall(expression.strip(), " ".join(fields))
    _check_ever(what, wall, fields[-3])
    return wall


def read_calendar(calendar: object, option: str = "calendar") -> Wall:
    """A ``Calendar``, given as that option. Raises ``InvalidArgumentError``, naming the field."""
    what = f"{option}={calendar!r}"
    if not isinstance(calendar, Calendar):
        raise InvalidArgumentError(f"{what} is no perdure.Calendar: write {option}=perdure.Calendar(hour=2)")
    fields = [_text(getattr(calendar, name)) for name in _CALENDAR_NAMES]
    for position, (name, field) in enumerate(zip(_CALENDAR_NAMES, fields, strict=True)):
        _check(what, name, position, field)
    years = _years(what, _text(calendar.year))
    if not isinstance(calendar.comment, str):
        raise InvalidArgumentError(f"{what}: its comment is no text")
    said = {name: getattr(calendar, name) for name in (*_CALENDAR_NAMES, "year")}
    defaults = msgspec.structs.asdict(Calendar())
    text = ", ".join(f"{name}={value!r}" for name, value in said.items() if value != defaults[name])
    wall = Wall(f"Calendar({text})", " ".join(fields), both_days=True, years=years, comment=calendar.comment)
    _check_ever(what, wall, fields[3])
    return wall


def _text(field: Field) -> str:
    if isinstance(field, (list, tuple, set, frozenset, range)):
        return ",".join(str(item).strip() for item in field)
    return str(field).strip()


def _check(what: str, name: str, position: int, field: str) -> None:
    fields = ["*"] * 6
    fields[position] = field
    wrong = InvalidArgumentError(f"{what}: {field!r} is wrong in {name}; it takes {_RANGES[position]}")
    if len(field.split()) != 1:
        raise wrong
    try:
        _simulation(" ".join(fields), _SOME_TIME)
    except _not_understood() as error:
        raise wrong from error


def _check_ever(what: str, wall: Wall, days: str) -> None:
    """Refuse what never comes, such as a 30th of February."""
    try:
        next(wall.walk(_SOME_TIME))
    except _not_understood() as error:
        raise InvalidArgumentError(f"{what} never comes: no month here has a day {days} that matches") from error


def _years(what: str, text: str) -> tuple[int, ...]:
    if text == "*":
        return ()
    years: set[int] = set()
    for part in text.split(","):
        stretch, _, step = part.partition("/")
        first, _, last = stretch.partition("-")
        if not first.isdecimal() or not (last or "0").isdecimal() or not (step or "1").isdecimal() or step == "0":
            raise InvalidArgumentError(
                f"{what}: {part!r} is wrong in year; write 2027, '2027-2030', '2027-2039/4' or several"
            )
        found = range(int(first), int(last or first) + 1, int(step or 1))
        if not found or found[0] not in _YEARS or found[-1] not in _YEARS:
            raise InvalidArgumentError(f"{what}: {part!r} is wrong in year; it takes {_YEARS[0]}-{_YEARS[-1]}")
        years.update(found)
    return tuple(sorted(years))


def _simulation(fields: str, after: datetime) -> "CronSim":
    from cronsim import CronSim

    return CronSim(fields, after)


@lru_cache(maxsize=1024)
def _fields(fields: str, both_days: bool) -> "CronSim":
    """The fields as sets, to be looked at alone."""
    simulation = _simulation(fields, _SOME_TIME)
    if both_days:
        simulation.day_and = True
    return simulation


def _not_understood() -> tuple[type[Exception], ...]:
    from cronsim import CronSimError

    # Some expressions that make no sense trip over an assertion or an index there.
    return (CronSimError, AssertionError, ValueError, IndexError, TypeError, StopIteration)
