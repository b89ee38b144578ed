"""The cron schedule of a workflow: when the run after a run begins.

Schedules (``client.schedules``) are the better way to start workflows at times. This one belongs to the workflow itself, as in
Temporal, which has both: its runs follow each other under one workflow id, each with the result of the one before.

Five fields of cron, ``@hourly`` and its siblings, or ``@every 90m``, in UTC or after ``CRON_TZ=Europe/Berlin``.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

_SECOND_NS = 1_000_000_000
NEVER = -1

_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_ZONE = re.compile(r"(?:CRON_)?TZ=(\S+)\s+(.*)", re.DOTALL)
_EVERY = re.compile(r"@every\s+((?:\d+(?:\.\d*)?(?:h|ms|m|s|us|µs|ns))+)")
_PART = re.compile(r"(\d+(?:\.\d*)?)(h|ms|m|s|us|µs|ns)")
_UNITS = {"h": 3600 * _SECOND_NS, "m": 60 * _SECOND_NS, "s": _SECOND_NS, "ms": 10**6, "us": 1000, "µs": 1000, "ns": 1}
_WEEKDAY_ABOVE_6 = re.compile(r"(?:^|[,-])[7-9]")


def problem(schedule: str) -> str:
    """Why a cron schedule can't be used, in Temporal's words; empty if it can."""
    try:
        _parsed(schedule)
    except ValueError:
        return "invalid CronSchedule."
    return (
        ""
        if delay_ns(schedule, 0, 0) != NEVER
        else "invalid CronSchedule, no time can be found to satisfy the schedule"
    )


def delay_ns(schedule: str, since_ns: int, now_ns: int) -> int:
    """How long the next run waits, in whole seconds.

    Args:
        schedule: see the module.
        since_ns: when the present run began (ns since 1970).
        now_ns: the present time; times that have passed since then are left out.

    Returns:
        The wait (ns); ``NEVER`` if there is no such time, or it is no cron schedule.
    """
    try:
        fields, zone, every = _parsed(schedule)
    except ValueError:
        return NEVER
    if every:
        due = since_ns // _SECOND_NS * _SECOND_NS + every
        if due < now_ns:
            due += -(-(now_ns - due) // every) * every
    else:
        found = _next(fields, zone, max(since_ns, now_ns - 1))
        if found is None:
            return NEVER
        due = found
    return max(0, -(-(due - now_ns) // _SECOND_NS)) * _SECOND_NS


@lru_cache(maxsize=1024)
def _parsed(schedule: str) -> tuple[str, tzinfo, int]:
    """Cron's fields with their time zone, or how many ns lie between two runs."""
    zone: tzinfo = UTC
    text = schedule.strip()
    if found := _ZONE.fullmatch(text):
        try:
            zone = ZoneInfo(found[1])
        except (KeyError, OSError) as error:
            raise ValueError(f"{found[1]!r} is not a time zone") from error
        text = found[2].strip()
    if every := _EVERY.fullmatch(text):
        total = sum(int(float(number) * _UNITS[unit]) for number, unit in _PART.findall(every[1]))
        return "", zone, max(1, total // _SECOND_NS) * _SECOND_NS
    fields = _MACROS.get(text, text).upper().replace("?", "*").split()
    if (
        len(fields) != 5
        or any("L" in field or "#" in field for field in fields[:3])
        or _WEEKDAY_ABOVE_6.search(fields[4])
    ):
        raise ValueError(f"{schedule!r} is not five fields of cron")
    _simulation(" ".join(fields), datetime(2000, 1, 1))
    return " ".join(fields), zone, 0


def _simulation(fields: str, after: datetime) -> "object":
    from cronsim import CronSim, CronSimError

    try:
        return CronSim(fields, after)
    except (CronSimError, AssertionError, IndexError, TypeError) as error:
        # Some expressions that make no sense trip over an assertion or an index there.
        raise ValueError(f"{fields!r} is not cron") from error


def _next(fields: str, zone: tzinfo, after_ns: int) -> int | None:
    after = datetime.fromtimestamp(after_ns // _SECOND_NS, UTC) + timedelta(microseconds=after_ns % _SECOND_NS // 1000)
    try:
        found = next(_simulation(fields, after.astimezone(zone)))  # type: ignore[call-overload]
    except StopIteration:
        return None
    assert isinstance(found, datetime)
    return round(found.timestamp()) * _SECOND_NS
