"""Durations at the edge of the SDK: a ``timedelta``, or a number of seconds. Inside they are integer nanoseconds."""

from datetime import timedelta
from math import isfinite

from perdure.model.errors import InvalidArgumentError

Duration = timedelta | float | int
"""A length of time: a ``timedelta``, or seconds."""

_MICROSECOND = timedelta(microseconds=1)
_LONGEST = timedelta(days=36_500)
_LONGEST_SECONDS = _LONGEST.total_seconds()
"""A century. What is to last longer lasts so long: times in nanoseconds would not fit into 64 bits."""


def to_ns(duration: Duration) -> int:
    """A duration in nanoseconds, exact to the microsecond.

    Raises ``InvalidArgumentError`` for what is not a duration.
    """
    if isinstance(duration, timedelta):
        return min(duration, _LONGEST) // _MICROSECOND * 1000
    if not isinstance(duration, (int, float)) or isinstance(duration, bool) or not isfinite(duration):
        raise InvalidArgumentError(f"{duration!r} is not a duration; give a timedelta or a number of seconds")
    return round(min(duration, _LONGEST_SECONDS) * 1_000_000) * 1000


def to_ns_or_zero(duration: Duration | None) -> int:
    """As ``to_ns``, for limits: None means no limit, which is 0; anything not above zero is refused."""
    if duration is None:
        return 0
    ns = to_ns(duration)
    if ns <= 0:
        raise InvalidArgumentError(f"{duration!r} is not a time limit; it must be above zero, or None for no limit")
    return ns


def to_seconds(duration: Duration) -> float:
    """A duration in seconds."""
    return duration.total_seconds() if isinstance(duration, timedelta) else duration
