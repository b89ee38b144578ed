"""What can be changed about an activity that has not ended."""

import msgspec

from perdure.model.options import RetryPolicy
from perdure.model.task_queues import Priority


class ActivityOptions(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Options to change; None leaves one as it is. ``..._ns`` are durations, 0 for no limit; ``retry_...`` are parts of the
    retry policy, as in ``RetryPolicy``."""

    task_queue: str | None = None
    schedule_to_close_timeout_ns: int | None = None
    schedule_to_start_timeout_ns: int | None = None
    start_to_close_timeout_ns: int | None = None
    heartbeat_timeout_ns: int | None = None
    retry_initial_ns: int | None = None
    retry_backoff: float | None = None
    retry_maximum_ns: int | None = None
    retry_max_attempts: int | None = None
    priority: Priority | None = None

    def retried(self, policy: RetryPolicy) -> "ActivityOptions":
        """The same with a retry policy, but for what it calls non-retryable."""
        return msgspec.structs.replace(
            self,
            retry_initial_ns=policy.initial_ns,
            retry_backoff=policy.backoff,
            retry_maximum_ns=policy.maximum_ns,
            retry_max_attempts=policy.max_attempts,
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to change."""
        return all(getattr(self, name) is None for name in self.__struct_fields__)
