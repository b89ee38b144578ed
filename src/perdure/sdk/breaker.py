"""Circuit breakers: leaving a service alone that keeps failing."""

from dataclasses import dataclass
from functools import cached_property

from perdure.model.errors import InvalidArgumentError
from perdure.model.task_queues import BreakerPolicy
from perdure.sdk.durations import Duration, to_ns


@dataclass(frozen=True)
class Breaker:
    """An activity's circuit breaker, shared by all runs of the namespace that call it on the same task queue.

    After ``failures`` failed or timed-out attempts within ``window`` it opens: no attempt starts, and none is used up.
    After ``cool_down`` one attempt is let through. If that succeeds the breaker closes, and all that waited goes on; if
    it fails the breaker is open for another ``cool_down``. Failures that are not to be retried do not count: they say
    that the request was wrong, not that the service is down.

    Args:
        failures: how many open it; a whole number from 1 on.
        window: how close together they must be; a timedelta or seconds.
        cool_down: how long it stays open; a timedelta or seconds.

    Raises:
        InvalidArgumentError: one of them makes no sense.
    """

    failures: int = 5
    window: Duration = 60.0
    cool_down: Duration = 30.0

    def __post_init__(self) -> None:
        _ = self.policy

    @cached_property
    def policy(self) -> BreakerPolicy:
        """The same for the engine."""
        if isinstance(self.failures, bool) or not isinstance(self.failures, int) or self.failures < 1:
            raise InvalidArgumentError(f"Breaker(failures={self.failures!r}) must be a whole number from 1 on")
        return BreakerPolicy(
            self.failures, _above_zero("window", self.window), _above_zero("cool_down", self.cool_down)
        )


def _above_zero(name: str, duration: Duration) -> int:
    try:
        ns = to_ns(duration)
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"Breaker({name}=...): {error}") from None
    if ns <= 0:
        raise InvalidArgumentError(f"Breaker({name}={duration!r}) must be above zero")
    return ns
