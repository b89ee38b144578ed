"""From a user's arguments to a definition: everything that can be wrong with a schedule is found here."""

from collections.abc import Sequence
from datetime import datetime
from itertools import chain
from typing import Any, TypedDict

import msgspec

from perdure.model.errors import InvalidArgumentError
from perdure.sdk.choices import choose
from perdure.sdk.durations import Duration, to_ns
from perdure.sdk.schedules.calendars import Calendar, read_calendar, read_cron
from perdure.sdk.schedules.definition import Backfill, Definition, Overlap, Trigger
from perdure.sdk.schedules.times import Spec, times, zone_of
from perdure.sdk.schedules.times import to_ns as time_ns

OVERLAPS = {overlap.value: overlap for overlap in Overlap}
SECOND_NS = 1_000_000_000
DEFAULT_CATCH_UP_SECONDS = 365 * 86_400.0


class Every(msgspec.Struct, frozen=True):
    """An interval, counted from 1970-01-01T00:00Z and moved by ``offset``: a timedelta or seconds each."""

    every: Duration
    offset: Duration = 0


class ScheduleOptions(TypedDict, total=False):
    """When a schedule is due, and what it does then. Durations are timedeltas or seconds.

    Keys:
        cron: a cron expression, or several: five fields, six with the second first, or ``@daily`` and its like.
        every: an interval of at least a second, or several; counted from 1970, so every hour is on the hour. Or
            ``perdure.Every(timedelta(hours=1), offset=timedelta(minutes=5))``.
        calendar: a ``perdure.Calendar``, or several. The schedule is due whenever any of all these is.
        timezone: the IANA zone that cron and calendars are meant in; "UTC" without it.
        start_at: not before this; an aware datetime.
        end_at: not after this; an aware datetime. After its last time the schedule ends.
        max_runs: ends after so many runs, triggers and backfills not counted; None for no limit.
        jitter: each time is put off by chance for up to this, never beyond the next time.
        overlap: what to do while a run is open: "skip" (the default), "buffer_one", "buffer_all", "cancel_other",
            "terminate_other" or "allow_all".
        exclude: a ``perdure.Calendar``, or several: it is not due at times that match any of them.
        clock_changes: what becomes of times of day that are missing or doubled when clocks change: "cron" (the default)
            runs what is missing at once and what is doubled once, "as_shown" goes by the clock alone: never, and twice.
        pause_on_failure: pause when a run has failed or timed out, with a note that says so; not with "allow_all".
        keep_workflow_id: the runs' workflow ids are the same, without the time they are for.
        keep_for: how long the schedule is kept when its last time is past, to be triggered or changed still; not at all
            without it.
        catch_up: times that passed while no engine ran are made up for if they are not older than this; at least ten
            seconds, a year without it.
    """

    cron: str | Sequence[str]
    every: Duration | Every | Sequence[Duration | Every]
    calendar: Calendar | Sequence[Calendar]
    timezone: str
    start_at: datetime | None
    end_at: datetime | None
    max_runs: int | None
    jitter: Duration | None
    overlap: str
    catch_up: Duration | None
    exclude: Calendar | Sequence[Calendar]
    clock_changes: str
    pause_on_failure: bool
    keep_workflow_id: bool
    keep_for: Duration | None


TIMING = ("cron", "every", "calendar")


def changed(definition: Definition, options: dict[str, Any], *, is_new: bool) -> Definition:
    """A definition with these ``ScheduleOptions``; what is not said stays. Any of ``cron``, ``every`` and ``calendar``
    replaces all times.

    Raises ``InvalidArgumentError``, naming the option.
    """
    if unknown := options.keys() - ScheduleOptions.__annotations__.keys():
        raise TypeError(f"a schedule has no option {', '.join(sorted(unknown))}; see perdure.ScheduleOptions")
    spec = _spec(definition.spec, options)
    if is_new and not spec.walls and not spec.intervals and not options.keys() & set(TIMING):
        raise InvalidArgumentError(
            "the schedule is never due: say cron='0 2 * * *', every=timedelta(hours=1) or "
            "calendar=perdure.Calendar(hour=2)"
        )
    changes: dict[str, Any] = {"spec": spec}
    if "overlap" in options:
        changes["overlap"] = choose("overlap", OVERLAPS, options["overlap"])
    if "catch_up" in options or is_new:
        given = options.get("catch_up")
        changes["catch_up"] = _length("catch_up", DEFAULT_CATCH_UP_SECONDS if given is None else given, 10)
    if "max_runs" in options:
        changes["max_runs"] = _count(options["max_runs"])
    for name in ("pause_on_failure", "keep_workflow_id"):
        if name in options:
            changes[name] = _yes_or_no(name, options[name])
    if "keep_for" in options:
        changes["keep_for"] = _length("keep_for", options["keep_for"] or 0)
    return msgspec.structs.replace(definition, **changes)


def _spec(spec: Spec, options: dict[str, Any]) -> Spec:
    changes: dict[str, Any] = {}
    if options.keys() & set(TIMING):
        crons = [read_cron(cron) for cron in _several(options.get("cron"))]
        calendars = [read_calendar(calendar) for calendar in _several(options.get("calendar"))]
        changes["walls"] = tuple(chain(crons, calendars))
        changes["intervals"] = tuple(_interval(every) for every in _several(options.get("every")))
    if "timezone" in options:
        zone_of(options["timezone"])
        changes["timezone"] = options["timezone"]
    if "exclude" in options:
        changes["exclude"] = tuple(read_calendar(calendar, "exclude") for calendar in _several(options["exclude"]))
    if "clock_changes" in options:
        changes["as_shown"] = choose("clock_changes", {"cron": False, "as_shown": True}, options["clock_changes"])
    for name in ("start_at", "end_at"):
        if name in options:
            changes[name] = _moment(name, options[name])
    if "jitter" in options:
        changes["jitter"] = _length("jitter", options["jitter"] or 0)
    new = msgspec.structs.replace(spec, **changes)
    if new.end_at and new.start_at > new.end_at:
        raise InvalidArgumentError(f"end_at={options.get('end_at')!r} is before start_at={options.get('start_at')!r}")
    # What is left when something is excluded can take long to find; it is looked for when the time comes.
    if (new.walls or new.intervals) and not new.exclude and next(times(new, 0), None) is None:
        raise InvalidArgumentError("the schedule is never due: no time lies between start_at and end_at")
    return new


def _yes_or_no(name: str, given: Any) -> bool:
    if not isinstance(given, bool):
        raise InvalidArgumentError(f"{name}={given!r} must be True or False")
    return given


def _several(given: Any) -> list[Any]:
    if given is None:
        return []
    return list(given) if isinstance(given, (list, tuple, set, frozenset)) else [given]


def _interval(given: Any) -> tuple[int, int]:
    interval = given if isinstance(given, Every) else Every(given)
    every = _length("every", interval.every, 1)
    return every, _length("offset", interval.offset) % every


def _length(name: str, given: Any, least_seconds: int = 0) -> int:
    ns = to_ns(given)
    if ns < least_seconds * SECOND_NS:
        raise InvalidArgumentError(f"{name}={given!r} must be at least {least_seconds} s")
    return ns


def _count(given: Any) -> int:
    if given is None:
        return 0
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise InvalidArgumentError(f"max_runs={given!r} must be a number of at least 1, or None for no limit")
    return given


def moment(name: str, given: Any) -> int:
    """A time that must be there, in ns since 1970. Raises ``InvalidArgumentError``."""
    if not isinstance(given, datetime) or given.utcoffset() is None:
        raise InvalidArgumentError(
            f"{name}={given!r} is no time with a zone; write datetime(2026, 7, 1, tzinfo=ZoneInfo('Europe/Berlin'))"
        )
    return time_ns(given)


def _moment(name: str, given: Any) -> int:
    return 0 if given is None else moment(name, given)


def trigger(key: str, overlap: str | None, at: datetime | None) -> Trigger:
    """The command for a run now. Raises ``InvalidArgumentError``."""
    chosen = None if overlap is None else choose("overlap", OVERLAPS, overlap)
    return Trigger(f"trigger-{key}", chosen, 0 if at is None else moment("at", at))


def backfill(key: str, start: datetime, end: datetime, overlap: str) -> Backfill:
    """The command for the runs of a stretch of time. Raises ``InvalidArgumentError``."""
    after, until = moment("start", start) - 1, moment("end", end)
    if until <= after:
        raise InvalidArgumentError(f"end={end!r} is before start={start!r}")
    return Backfill(f"backfill-{key}", after, until, choose("overlap", OVERLAPS, overlap))
