"""What can become of an attempt, and how the end of a function is read as one of these."""

import asyncio
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from perdure.model.errors import ApplicationError
from perdure.model.failures import Failure
from perdure.model.payloads import Payloads
from perdure.sdk.attempt import Attempt, CompleteLater, current
from perdure.sdk.failures import SOURCE, to_failure


class Completed(msgspec.Struct, gc=False, tag="completed"):
    """It returned."""

    result: Payloads


class Failed(msgspec.Struct, gc=False, tag="failed"):
    """It raised."""

    failure: Failure


class Canceled(msgspec.Struct, gc=False, tag="canceled"):
    """It stopped because it was asked to, or because something in it was cancelled."""

    failure: Failure
    """For when nobody had asked."""


class Later(msgspec.Struct, gc=False, tag="later"):
    """It left its end to somebody outside."""


Outcome = Completed | Failed | Canceled | Later


def completed(attempt: Attempt, result: Any) -> Outcome:
    """The outcome of a function that returned.

    A result that cannot be stored fails the activity for good: another attempt would have its effects again, and the
    same result.
    """
    try:
        return Completed((attempt.converter.to_payload(result),))
    except Exception as error:
        failure = to_failure(error, attempt.converter)
        message = (
            f"activity {attempt.task.scheduled.activity_type} did its work, but its result is lost: {failure.message}"
        )
        return Failed(msgspec.structs.replace(failure, message=message, non_retryable=True))


def raised(attempt: Attempt, error: BaseException) -> Outcome:
    """The outcome of a function that raised."""
    if isinstance(error, CompleteLater):
        return Later()
    failure = to_failure(error, attempt.converter, final_types=attempt.task.scheduled.retry_policy.non_retryable)
    return Canceled(failure) if isinstance(error, asyncio.CancelledError) else Failed(failure)


def unreadable(attempt: Attempt, error: Exception) -> Outcome:
    """The outcome when the arguments do not fit the function. It is tried again: newer code may read them."""
    failure = to_failure(error, attempt.converter)
    message = f"activity {attempt.task.scheduled.activity_type} cannot read its arguments: {failure.message}"
    return Failed(msgspec.structs.replace(failure, message=message))


def lost(reason: str, type: str) -> Outcome:
    """The outcome when it ended without a word."""
    return Failed(Failure(reason, type=type, source=SOURCE))


def run_plain(attempt: Attempt, fn: Callable[..., Any], types: Sequence[Any] | None) -> Outcome:
    """Run a plain function to its end, here and now."""
    current.set(attempt)
    try:
        args = attempt.converter.from_payloads(attempt.task.scheduled.input, types)
    except Exception as error:
        return unreadable(attempt, error)
    try:
        result = fn(*args)
        if inspect.iscoroutine(result):
            result.close()
            raise ApplicationError(
                f"{getattr(fn, '__qualname__', fn)} is a plain function but returned a coroutine; if a decorator wraps "
                "an async function, make the wrapper async too",
                type="InvalidArgumentError",
                non_retryable=True,
            )
    except BaseException as error:
        return raised(attempt, error)
    return completed(attempt, result)
