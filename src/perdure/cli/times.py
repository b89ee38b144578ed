"""Moments and durations, for people and for programs. Everything stored is in ns, since 1970 or between two moments."""

import time
from datetime import UTC, datetime, timedelta

_SECOND = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BEYOND = "beyond the year 9999"


class TimeStyle:
    """How moments are shown to people: in local time or in UTC, always with the offset.

    Args:
        utc: show UTC instead of local time.
        now: the moment that ``since`` and ``until`` count from, in ns since 1970; the present without it.
    """

    def __init__(self, *, utc: bool = False, now: int | None = None) -> None:
        self._zone = UTC if utc else None
        self.now = time.time_ns() if now is None else now

    def moment(self, ns: int, *, milliseconds: bool = False) -> str:
        """``2025-11-21 09:47:12+01:00``, with ``.123`` if asked for."""
        when = self._at(ns)
        if when is None:
            return _BEYOND
        return when.isoformat(" ", "milliseconds" if milliseconds else "seconds")

    def day(self, ns: int) -> str:
        """``2025-11-21 (UTC+01:00)``: what ``clock`` leaves out."""
        when = self._at(ns)
        return _BEYOND if when is None else f"{when:%Y-%m-%d} (UTC{self.offset(ns)})"

    def offset(self, ns: int) -> str:
        """``+01:00``: what holds at that moment."""
        when = self._at(ns)
        return "" if when is None else when.isoformat()[-6:]

    def clock(self, ns: int) -> str:
        """``09:47:12.123``."""
        when = self._at(ns)
        return "" if when is None else when.time().isoformat("milliseconds")

    def since(self, ns: int) -> str:
        """``2025-11-21 09:47:12+01:00, 3m 04s ago``."""
        return f"{self.moment(ns)}, {duration(max(0, self.now - ns))} ago"

    def until(self, ns: int) -> str:
        """``in 3m 04s, at 2025-11-21 09:47:12+01:00``; ``overdue by`` once it is past."""
        left = ns - self.now
        return f"{'in' if left >= 0 else 'overdue by'} {duration(abs(left))}, at {self.moment(ns)}"

    def _at(self, ns: int) -> datetime | None:
        when = _datetime(ns)
        if when is None:
            return None
        try:
            # Without a zone this is local time, with the offset that holds at that moment there.
            return when.astimezone(self._zone)
        except (OverflowError, OSError, ValueError):
            return when  # local time has no such moment: it would be in the year 10000


def _datetime(ns: int) -> datetime | None:
    """None beyond what ``datetime`` can say: a timer may be set for the year 12000."""
    try:
        return _EPOCH + timedelta(microseconds=ns // 1000)
    except OverflowError:
        return None


def rfc3339(ns: int) -> str | None:
    """``2025-11-21T08:47:12.123456789Z`` (RFC 3339, in UTC).

    None for 0, which stands for "not so", and for moments beyond the year 9999.
    """
    when = _datetime(ns) if ns else None
    return None if when is None else f"{when:%Y-%m-%dT%H:%M:%S}.{ns % _SECOND:09d}Z"


def duration(ns: int) -> str:
    """``0.4ms``, ``123ms``, ``1.23s``, ``3m 04s``, ``5h 06m``, ``7d 08h``: what people can take in at a glance."""
    if ns < 0:
        return f"-{duration(-ns)}"
    if ns == 0:
        return "0s"
    if ns < 10_000_000:
        return f"{ns / 1_000_000:.1f}ms"
    if ns < 999_500_000:
        return f"{ns / 1_000_000:.0f}ms"
    if ns < 59_995_000_000:
        return f"{ns / _SECOND:.2f}s"
    seconds = round(ns / _SECOND)
    minutes, second = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes}m {second:02d}s"
    hours, minute = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h {minute:02d}m"
    days, hour = divmod(hours, 24)
    return f"{days}d {hour:02d}h"
