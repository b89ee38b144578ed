"""The options of an activity that has been scheduled."""

import msgspec

from perdure.model.activity_options import ActivityOptions
from perdure.model.events import ActivityTaskScheduled
from perdure.model.options import RetryPolicy

_SCHEDULED_WITH = tuple(name for name in ActivityOptions.__struct_fields__ if not name.startswith("retry_"))


def with_options(scheduled: ActivityTaskScheduled, options: ActivityOptions) -> ActivityTaskScheduled:
    """An activity as it would be if it had been scheduled with these options."""
    policy = scheduled.retry_policy
    changed = {name: value for name in _SCHEDULED_WITH if (value := getattr(options, name)) is not None}
    parts = (options.retry_initial_ns, options.retry_backoff, options.retry_maximum_ns, options.retry_max_attempts)
    if any(part is not None for part in parts):
        present = (policy.initial_ns, policy.backoff, policy.maximum_ns, policy.max_attempts)
        initial, backoff, maximum, most = (old if new is None else new for new, old in zip(parts, present, strict=True))
        changed["retry_policy"] = RetryPolicy(initial, backoff, maximum, most, policy.non_retryable)  # type: ignore[arg-type]
    return msgspec.structs.replace(scheduled, **changed)
