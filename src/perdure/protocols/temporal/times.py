"""Times and durations: integer nanoseconds here, ``Timestamp`` and ``Duration`` on the wire."""

from functools import lru_cache

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

SECOND_NS = 1_000_000_000
LONGEST_NS = (1 << 63) - 1
"""What 64 bits hold; Go's durations, and so Temporal's, end there too."""


def timestamp(ns: int) -> Timestamp | None:
    """A time (ns since 1970); None for 0, which is no time."""
    return Timestamp(seconds=ns // SECOND_NS, nanos=ns % SECOND_NS) if ns else None


@lru_cache(1_000)
def duration(ns: int) -> Duration:
    """A duration; the same message each time, for others to take over."""
    return Duration(seconds=ns // SECOND_NS, nanos=ns % SECOND_NS)


def ns_of(given: Duration) -> int:
    """A duration that was given; 0 if there was none, never below."""
    return min(max(0, given.seconds * SECOND_NS + given.nanos), LONGEST_NS)


def time_of(given: Timestamp) -> int:
    """A time that was given, in ns since 1970; 0 if there was none."""
    return max(0, given.seconds * SECOND_NS + given.nanos)


def shortest(run_timeout_ns: int, execution_timeout_ns: int) -> int:
    """How long a run may take: no run has more time than all of them together. 0 is no limit."""
    return min(run_timeout_ns or execution_timeout_ns, execution_timeout_ns or run_timeout_ns)


DEFAULT_TASK_NS = 10 * SECOND_NS
LONGEST_TASK_NS = 120 * SECOND_NS
"""As by Temporal's server: no turn takes longer."""


def task_timeout(given_ns: int, run_timeout_ns: int) -> int:
    """How long a turn may take: no longer than the run."""
    return min(given_ns or DEFAULT_TASK_NS, LONGEST_TASK_NS, run_timeout_ns or LONGEST_TASK_NS)
