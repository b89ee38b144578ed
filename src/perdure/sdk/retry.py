"""When a failed attempt is tried again."""

from dataclasses import dataclass
from functools import cached_property

from perdure.model.errors import InvalidArgumentError
from perdure.model.options import RetryPolicy
from perdure.sdk.durations import Duration, to_ns


@dataclass(frozen=True)
class Retry:
    """A retry policy. The n-th retry waits ``initial * backoff ** (n - 1)``, but at most ``maximum``.

    Args:
        initial: the wait before the first retry; a timedelta or seconds.
        backoff: what each wait is multiplied by to get the next one; at least 1.
        maximum: the longest wait; a timedelta or seconds.
        max_attempts: how often it is tried in all, the first attempt included; 0 means for ever.
        non_retryable: exception classes, or their names, that make a failure final. Subclasses count too.

    Raises:
        InvalidArgumentError: one of them makes no sense.
    """

    initial: Duration = 1.0
    backoff: float = 2.0
    maximum: Duration = 100.0
    max_attempts: int = 0
    non_retryable: tuple[type[BaseException] | str, ...] = ()

    def __post_init__(self) -> None:
        # A bare class or name is an easy slip, and iterating over a name would give its letters.
        if isinstance(self.non_retryable, (str, type)):
            object.__setattr__(self, "non_retryable", (self.non_retryable,))
        else:
            object.__setattr__(self, "non_retryable", tuple(self.non_retryable))
        _ = self.policy

    @cached_property
    def policy(self) -> RetryPolicy:
        """The same for the engine, in nanoseconds and names."""
        initial_ns, maximum_ns = to_ns(self.initial), to_ns(self.maximum)
        if initial_ns < 0:
            raise InvalidArgumentError(f"Retry(initial={self.initial!r}) must not be negative")
        if maximum_ns < initial_ns:
            raise InvalidArgumentError(f"Retry(maximum={self.maximum!r}) must be at least initial={self.initial!r}")
        if not self.backoff >= 1:
            raise InvalidArgumentError(
                f"Retry(backoff={self.backoff!r}) must be at least 1, so that waits do not shrink"
            )
        if isinstance(self.max_attempts, bool) or not isinstance(self.max_attempts, int) or self.max_attempts < 0:
            raise InvalidArgumentError(
                f"Retry(max_attempts={self.max_attempts!r}) must be a whole number from 0 on; 0 means no limit"
            )
        names = tuple(_name(error) for error in self.non_retryable)
        return RetryPolicy(initial_ns, float(self.backoff), maximum_ns, self.max_attempts, names)


def policy_of(retry: Retry | None) -> RetryPolicy | None:
    """The same for the engine; None for none. Raises ``InvalidArgumentError`` for what is none."""
    if retry is not None and not isinstance(retry, Retry):
        raise InvalidArgumentError(f"retry={retry!r} must be a perdure.Retry, or None")
    return None if retry is None else retry.policy


def _name(error: object) -> str:
    if isinstance(error, str):
        return error
    if isinstance(error, type) and issubclass(error, BaseException):
        return error.__name__
    raise InvalidArgumentError(f"Retry(non_retryable=...) takes exception classes or their names, not {error!r}")
