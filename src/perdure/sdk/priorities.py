"""Priority and fairness of activities, as options say them."""

from math import isfinite

from perdure.model.errors import InvalidArgumentError
from perdure.model.task_queues import LOWEST_PRIORITY, Priority


def changed_priority(
    priority: Priority | None, *, key: int | None = None, fairness_key: str | None = None, weight: float | None = None
) -> Priority | None:
    """A priority with some of it changed (None: as it is); None where all of it is the default.

    Raises ``InvalidArgumentError`` for values that make no sense, named as the options of an activity.
    """
    priority_key, present_key, present_weight = (
        (0, "", 0.0) if priority is None else (priority.priority_key, priority.fairness_key, priority.fairness_weight)
    )
    if key is not None:
        if isinstance(key, bool) or not isinstance(key, int) or not 1 <= key <= LOWEST_PRIORITY:
            raise InvalidArgumentError(
                f"priority={key!r} must be a whole number from 1 (first) to {LOWEST_PRIORITY} (last)"
            )
        priority_key = key
    if fairness_key is not None:
        present_key = checked_key("fairness_key", fairness_key)
    if weight is not None:
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not isfinite(weight) or weight <= 0:
            raise InvalidArgumentError(f"fairness_weight={weight!r} must be a number above zero")
        present_weight = float(weight)
    changed = Priority(priority_key, present_key, present_weight)
    return None if changed == Priority() else changed


def checked_key(name: str, key: object) -> str:
    """A key as given. Raises ``InvalidArgumentError`` for anything but a string."""
    if not isinstance(key, str):
        raise InvalidArgumentError(f"{name}={key!r} must be a string; an empty one for none")
    return key
