"""Retry and Catch: which of them takes an error, and how long to wait before another attempt."""

from collections.abc import Mapping, Sequence
from typing import Any

from perdure.languages.asl.chance import Chance

UNCATCHABLE = "States.Runtime"
TIMEOUTS = ("States.Timeout", "States.HeartbeatTimeout")
MOST_SECONDS = 99_999_999


def takes(names: Sequence[str], error: str) -> bool:
    """Whether ErrorEquals takes an error."""
    if error in names:
        return True
    if error == "States.HeartbeatTimeout" and "States.Timeout" in names:
        return True
    if error == UNCATCHABLE:
        return False
    return "States.ALL" in names or ("States.TaskFailed" in names and error not in TIMEOUTS)


def matching_catcher(state: Mapping[str, Any], error: str) -> tuple[int, Mapping[str, Any]] | None:
    """The first Catch that takes an error, with its place."""
    for index, catcher in enumerate(state.get("Catch", ())):
        if takes(catcher["ErrorEquals"], error):
            return index, catcher
    return None


def matching_retrier(state: Mapping[str, Any], error: str) -> tuple[int, Mapping[str, Any]] | None:
    """The first Retry that takes an error, with its place, whether or not it has attempts left."""
    for index, retrier in enumerate(state.get("Retry", ())):
        if takes(retrier["ErrorEquals"], error):
            return index, retrier
    return None


def delay_seconds(retrier: Mapping[str, Any], used: int, chance: Chance) -> float | None:
    """How long to wait before another attempt; None if there is none left.

    Args:
        retrier: of Retry.
        used: how often it was used before.
        chance: for the jitter.
    """
    if used >= retrier.get("MaxAttempts", 3):
        return None
    interval = retrier.get("IntervalSeconds", 1)
    rate = retrier.get("BackoffRate", 2.0)
    try:
        delay = float(interval * rate**used)
    except OverflowError:
        delay = float(MOST_SECONDS)
    delay = min(delay, float(retrier.get("MaxDelaySeconds", MOST_SECONDS)))
    return delay * chance.random() if retrier.get("JitterStrategy") == "FULL" else delay
