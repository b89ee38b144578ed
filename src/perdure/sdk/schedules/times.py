"""When a schedule is due: its nominal times, from a definition and nothing else.

The clock on the wall jumps twice a year. The rules are Debian's cron (``cron(8)``), for calendars too:

- a time that is missing runs at once when the clock has jumped over it; several of them run once
- a time that comes twice runs the first time
- where the minute or the hour is any (begins with ``*``), the time that passes counts: every hour is an hour

With ``as_shown`` a schedule goes by the clock alone, as Temporal's do: a time that is missing does not come, and one that
comes twice comes twice.
"""

import heapq
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from difflib import get_close_matches
from functools import lru_cache
from hashlib import sha256

import msgspec

from perdure.model.errors import InvalidArgumentError
from perdure.sdk.schedules.calendars import Wall

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)
_PROBE = timedelta(days=7)
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
_MOST_EXCLUDED = 10_000
"""After so many times in a row that are excluded, and days and hours that are as a whole, none is looked for behind them."""
_LAST_NS = 7_258_118_400_000_000_000  # the year 2200


class Spec(msgspec.Struct, frozen=True):
    """When: the union of ``walls`` and ``intervals`` (``(every, offset)`` in ns, counted from 1970), from ``start_at``
    to ``end_at`` (ns since 1970, both included, 0 for no bound), each put off by chance for up to ``jitter`` ns. What any of
    ``exclude`` matches is left out. ``as_shown``: see the module."""

    timezone: str = "UTC"
    walls: tuple[Wall, ...] = ()
    intervals: tuple[tuple[int, int], ...] = ()
    start_at: int = 0
    end_at: int = 0
    jitter: int = 0
    exclude: tuple[Wall, ...] = ()
    as_shown: bool = False


class Occasion(msgspec.Struct, frozen=True):
    """A time of a schedule, and when it is due, which is later by the jitter; both ns since 1970."""

    nominal: int
    due: int


@lru_cache(maxsize=256)
def zone_of(name: str) -> tzinfo:
    """An IANA time zone. Raises ``InvalidArgumentError``, naming those that come close."""
    from zoneinfo import ZoneInfo, available_timezones

    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError, TypeError) as error:
        close = get_close_matches(str(name), sorted(available_timezones()), 3)
        meant = f" Did you mean {' or '.join(close)}?" if close else ""
        raise InvalidArgumentError(
            f"timezone={name!r} is no time zone of the IANA database, such as 'Europe/Berlin'.{meant}"
        ) from error


def times(spec: Spec, after: int) -> Iterator[int]:
    """The nominal times after ``after``, in order, each once; ns since 1970."""
    after = max(after, spec.start_at - 1)
    if not spec.exclude:
        yield from _included(spec, after)
        return
    zone, excluded = zone_of(spec.timezone), 0
    while excluded < _MOST_EXCLUDED:
        for nominal in _included(spec, after):
            until = _excluded_until(spec.exclude, zone, nominal)
            if until is None:
                excluded = 0
                yield nominal
            elif until > nominal:
                # Whole days and hours are not walked through second by second.
                after, excluded = until - 1, excluded + 1
                break
            else:
                excluded += 1
                if excluded >= _MOST_EXCLUDED:
                    return
        else:
            return


def _included(spec: Spec, after: int) -> Iterator[int]:
    """Those that are to be, whatever is excluded."""
    zone = zone_of(spec.timezone)
    sources = [_wall_times(wall, zone, after, as_shown=spec.as_shown) for wall in spec.walls]
    sources += [_interval_times(every, offset, after) for every, offset in spec.intervals]
    last = after
    for nominal in heapq.merge(*sources):
        if nominal > (spec.end_at or _LAST_NS):
            return
        if nominal > last:
            yield nominal
            last = nominal


def _excluded_until(walls: tuple[Wall, ...], zone: tzinfo, nominal: int) -> int | None:
    """None if a time is not excluded; else until when nothing is but what is excluded, at least until itself."""
    local = to_datetime(nominal).astimezone(zone).replace(tzinfo=None, microsecond=0)
    for wall in walls:
        if wall.matches(local):
            if wall.takes_days:
                following = (local + _DAY).replace(hour=0, minute=0, second=0)
            elif wall.takes_hours:
                following = (local + _HOUR).replace(minute=0, second=0)
            else:
                return nominal
            return max(nominal, to_ns(_on_the_wall(following, zone)))
    return None


def occasions(spec: Spec, key: str, after: int) -> Iterator[Occasion]:
    """The nominal times after ``after`` with their jitter, which is the same whenever it is asked for: ``key`` and the
    time say what it is. It never reaches the next time, so the order is kept."""
    nominals = times(spec, after)
    nominal = next(nominals, 0)
    while nominal:
        following = next(nominals, 0)
        room = min(spec.jitter, following - nominal) if following else spec.jitter
        yield Occasion(nominal, nominal + _chance(key, nominal, room))
        nominal = following


def to_ns(time: datetime) -> int:
    """An aware time in ns since 1970."""
    return (time - _EPOCH) // _MICROSECOND * 1000


def to_datetime(ns: int) -> datetime:
    """The other way round, in UTC, to the microsecond."""
    return _EPOCH + timedelta(microseconds=ns // 1000)


def _interval_times(every: int, offset: int, after: int) -> Iterator[int]:
    nominal = after - (after - offset) % every + every
    while True:
        yield nominal
        nominal += every


def _wall_times(wall: Wall, zone: tzinfo, after: int, *, as_shown: bool) -> Iterator[int]:
    begin = to_datetime(after)
    if as_shown or wall.is_real_time:
        for instant in _as_time_passes(wall, zone, begin):
            yield to_ns(instant)
        return
    for local in wall.walk(begin.astimezone(zone).replace(tzinfo=None)):
        found = to_ns(_on_the_wall(local, zone))
        if found > after:
            yield found


def _as_time_passes(wall: Wall, zone: tzinfo, after: datetime) -> Iterator[datetime]:
    """Every instant whose wall time matches: walked from change to change, and between two the clock is even."""
    begin, last, offset = after, after, _offset(after, zone)
    while True:
        for local in wall.walk((begin + offset).replace(tzinfo=None)):
            found = local.replace(tzinfo=UTC) - offset
            # Clocks do not change there and back within days, so looking every few days sees every change.
            while last < found and _offset(probe := min(found, last + _PROBE), zone) == offset:
                last = probe
            if last < found:
                last = _change(last, min(found, last + _PROBE), zone)
                begin, offset = last - _SECOND, _offset(last, zone)
                break
            yield found
        else:
            return


def _on_the_wall(local: datetime, zone: tzinfo) -> datetime:
    """When the clock on the wall shows a time for the first time, or has jumped over it."""
    # Of a doubled time, fold=0 is the first. Of a missing one, it counts from before the jump, and so lies behind it by
    # as much as the time lies behind the jump's beginning.
    instant = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    back = instant.astimezone(zone).replace(tzinfo=None)
    if back == local:
        return instant
    return _change(instant - (back - local) * 2, instant, zone)


def _change(before: datetime, behind: datetime, zone: tzinfo) -> datetime:
    """The first second of another offset than that of ``before``; it came into force between the two."""
    offset = _offset(before, zone)
    low, high = 0, int((behind - before).total_seconds())
    while low < high:
        middle = (low + high) // 2
        if _offset(before + timedelta(seconds=middle), zone) != offset:
            high = middle
        else:
            low = middle + 1
    return before + timedelta(seconds=low)


def _offset(instant: datetime, zone: tzinfo) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta(0)


def _chance(key: str, nominal: int, room: int) -> int:
    """A number of milliseconds below ``room``, in ns."""
    steps = room // 1_000_000
    if steps <= 0:
        return 0
    digest = sha256(f"{key}/{nominal}".encode()).digest()
    return int.from_bytes(digest[:8]) % steps * 1_000_000
