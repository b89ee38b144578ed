"""Choices that callers and programs make: policies, statuses and the retry policy."""

from enum import IntEnum

import msgspec

SECOND_NS = 1_000_000_000
MILLISECOND_NS = 1_000_000

DEFAULT_NAMESPACE = "default"
DEFAULT_TASK_QUEUE = "default"

# Of a worker: how many activities of a kind run at once, and how many seconds a turn may take.
DEFAULT_MAX_ASYNC = 1000
DEFAULT_MAX_THREADS = 64
DEFAULT_MAX_TURNS = 500
DEFAULT_DEADLOCK_TIMEOUT = 2.0


class Versioning(IntEnum):
    """What a program's turn says of the build that took it (Temporal's ``VersioningBehavior``): the run stays with it, or
    goes along with what its deployment routes to."""

    UNSPECIFIED = 0
    PINNED = 1
    AUTO_UPGRADE = 2


class RunStatus(IntEnum):
    """Where a run stands (Temporal's ``WorkflowExecutionStatus``). Everything but RUNNING and PAUSED is closed."""

    RUNNING = 1
    COMPLETED = 2
    FAILED = 3
    CANCELED = 4
    TERMINATED = 5
    CONTINUED_AS_NEW = 6
    TIMED_OUT = 7
    PAUSED = 8

    @property
    def is_closed(self) -> bool:
        """Whether nothing more can happen to the run."""
        return self is not RunStatus.RUNNING and self is not RunStatus.PAUSED

    def __str__(self) -> str:
        return self.name.lower()


# Looking up a member of an enum class costs more than the comparison it is for; these two are compared all the time.
RUNNING = RunStatus.RUNNING
PAUSED = RunStatus.PAUSED


class IdReuse(IntEnum):
    """What a start does when the last run of its workflow id is closed."""

    ALLOW = 1
    ALLOW_IF_FAILED = 2
    REJECT = 3


class IdConflict(IntEnum):
    """What a start does when a run of its workflow id is still open."""

    FAIL = 1
    USE = 2
    TERMINATE = 3


class ParentClose(IntEnum):
    """What happens to an open child when its parent closes."""

    TERMINATE = 1
    ABANDON = 2
    CANCEL = 3


class CancellationType(IntEnum):
    """How a program sees the cancellation of something it waits for."""

    TRY_CANCEL = 0
    WAIT_CANCELLATION_COMPLETED = 1
    ABANDON = 2


class Initiator(IntEnum):
    """What started a run that continues another one (Temporal's ``ContinueAsNewInitiator``)."""

    UNSPECIFIED = 0
    WORKFLOW = 1
    RETRY = 2
    CRON_SCHEDULE = 3


class RetryPolicy(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """When a failed attempt is tried again.

    The n-th retry waits ``initial_ns * backoff ** (n - 1)``, at most ``maximum_ns``. ``max_attempts`` counts the first
    attempt too; 0 means no limit. A failure whose ``type`` is in ``non_retryable`` is final, and ``TemporalTimeout:Heartbeat``
    or ``TemporalTimeout:StartToClose`` there makes such a time-out final.
    Defaults are Temporal's: 1 s, doubled, up to 100 s.
    """

    initial_ns: int = SECOND_NS
    backoff: float = 2.0
    maximum_ns: int = 100 * SECOND_NS
    max_attempts: int = 0
    non_retryable: tuple[str, ...] = ()

    def delay_ns(self, attempt: int) -> int:
        """The wait after attempt number ``attempt`` (1 is the first) has failed."""
        try:
            delay = self.initial_ns * self.backoff ** (attempt - 1)
        except OverflowError:
            return self.maximum_ns
        return int(min(delay, self.maximum_ns))
