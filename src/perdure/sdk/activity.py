"""``perdure.activity``: what an activity can ask and say while it runs.

All of it works in ``async`` functions, in threads and in worker processes alike.
"""

import inspect
import logging
from collections.abc import Callable, Coroutine, MutableMapping, Sequence
from typing import Any, NoReturn, ParamSpec, TypeVar, overload

from perdure.model.events import ActivityTaskScheduled
from perdure.model.ids import RunAddress
from perdure.model.log_fields import about_attempt
from perdure.model.program import ActivityTask
from perdure.sdk.attempt import ActivityInfo, Attempt, complete_later, current, current_attempt
from perdure.sdk.callables import Activity
from perdure.sdk.converter import Converter

__all__ = [
    "Activity",
    "ActivityInfo",
    "cancelled",
    "heartbeat",
    "in_activity",
    "info",
    "logger",
    "raise_complete_later",
    "run_for_test",
    "wait_for_cancelled",
    "wait_for_cancelled_in_thread",
]

P = ParamSpec("P")
R = TypeVar("R")


def in_activity() -> bool:
    """Whether the caller runs inside an activity."""
    return current.get(None) is not None


def info() -> ActivityInfo:
    """Which attempt of which activity this is. Raises ``InvalidArgumentError`` outside of an activity."""
    return current_attempt("activity.info()").info()


def heartbeat(*details: Any) -> None:
    """Say that the activity is alive and how far it has come.

    Cheap to call often: what is sent on is throttled. The latest ``details`` are what the next attempt finds in
    ``info().heartbeat_details``, so that it can go on from there.

    Args:
        details: any values that payloads can carry.

    Raises:
        asyncio.CancelledError: the attempt is to stop: its run was cancelled or is gone, or the attempt has timed out.
        InvalidArgumentError: outside of an activity, or the details cannot become payloads.
    """
    current_attempt("activity.heartbeat()").heartbeat(details)


def cancelled() -> bool:
    """Whether the attempt was asked to stop. An ``async`` activity is also interrupted at the ``await`` it is in."""
    return current_attempt("activity.cancelled()").is_cancelled()


async def wait_for_cancelled() -> None:
    """Return once the attempt was asked to stop; for a task beside the activity's own, or one that is shielded."""
    await current_attempt("activity.wait_for_cancelled()").wait_for_cancelled()


def wait_for_cancelled_in_thread(timeout: float | None = None) -> bool:
    """Block until the attempt is asked to stop, in an activity that is a plain function.

    Args:
        timeout: the longest wait in seconds; None for no limit.

    Returns:
        Whether it was asked to stop.
    """
    return current_attempt("activity.wait_for_cancelled_in_thread()").wait_for_cancelled_in_thread(timeout)


def raise_complete_later() -> NoReturn:
    """Leave the function without a result: somebody outside completes the activity.

    Pass ``info().task_token`` to them first. They call ``client.complete_activity``, ``fail_activity`` or
    ``cancel_activity`` with it, and ``heartbeat_activity`` in between. Until then the attempt counts as running, so
    give the activity a timeout.
    """
    complete_later()


class _ActivityLogger(logging.LoggerAdapter[logging.Logger]):
    """Adds to each record which attempt it is from, as ``extra`` fields."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        attempt = current.get(None)
        if attempt is not None:
            kwargs["extra"] = {**about_attempt(attempt.task), **(kwargs.get("extra") or {})}
        return msg, kwargs


logger = _ActivityLogger(logging.getLogger("perdure.activity"), {})
"""A logger whose records say which run and attempt they are from."""


@overload
def run_for_test(
    fn: Callable[P, Coroutine[Any, Any, R]],
    *args: Any,
    heartbeat_details: Any = None,
    attempt: int = 1,
    cancelled: bool = False,
    on_heartbeat: Callable[..., None] | None = None,
) -> Coroutine[Any, Any, R]: ...
@overload
def run_for_test(
    fn: Callable[P, R],
    *args: Any,
    heartbeat_details: Any = None,
    attempt: int = 1,
    cancelled: bool = False,
    on_heartbeat: Callable[..., None] | None = None,
) -> R: ...
def run_for_test(
    fn: Callable[..., Any],
    *args: Any,
    heartbeat_details: Any = None,
    attempt: int = 1,
    cancelled: bool = False,
    on_heartbeat: Callable[..., None] | None = None,
) -> Any:
    """Run an activity's function by itself, with a made-up ``activity.info()``. For tests.

    Args:
        fn: an activity or a plain function.
        args: its arguments.
        heartbeat_details: what an earlier attempt reported.
        attempt: which attempt this is.
        cancelled: whether it was asked to stop already, so that its first heartbeat raises.
        on_heartbeat: called with the details of each heartbeat.

    Returns:
        What the function returns; for an ``async`` one, and for any declared activity, a coroutine.
    """
    converter = Converter()

    def beat(attempt: Attempt) -> None:
        if on_heartbeat is not None:
            on_heartbeat(*converter.from_payloads(attempt.details))

    made_up = Attempt(_test_task(fn, heartbeat_details, attempt, converter), converter, beat)
    made_up.cancelled = cancelled
    if isinstance(fn, Activity) or inspect.iscoroutinefunction(fn):
        return _run_async(made_up, fn, args)
    token = current.set(made_up)
    try:
        return fn(*args)
    finally:
        current.reset(token)


async def _run_async(attempt: Attempt, fn: Callable[..., Any], args: Sequence[Any]) -> Any:
    token = current.set(attempt)
    try:
        return await fn(*args)
    finally:
        current.reset(token)


def _test_task(fn: Callable[..., Any], details: Any, attempt: int, converter: Converter) -> ActivityTask:
    name = fn.name if isinstance(fn, Activity) else getattr(fn, "__name__", "activity")
    return ActivityTask(
        RunAddress("default", "test-workflow", "test-run"),
        "test",
        ActivityTaskScheduled(1, 0, "1", name, "default"),
        attempt,
        0,
        () if details is None else converter.to_payloads((details,)),
    )
