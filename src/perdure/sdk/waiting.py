"""Waiting inside a workflow: for time, for a condition, for a message."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar, overload

from perdure.sdk.durations import Duration, to_ns, to_seconds
from perdure.sdk.mailbox import mailbox_of
from perdure.sdk.run import Condition, require_run

T = TypeVar("T")
D = TypeVar("D")

_MISSING: Any = object()


async def sleep(duration: Duration) -> None:
    """Wait for a durable timer: a ``timedelta`` or seconds. The same as ``asyncio.sleep`` in a workflow.

    The wait survives restarts; it may last a second or a year. A duration of zero only lets other tasks run.
    """
    require_run()
    await asyncio.sleep(to_ns(duration) / 1e9)


async def wait_condition(predicate: Callable[[], Any], timeout: Duration | None = None) -> None:
    """Wait until ``predicate()`` is true. It is asked now, and again whenever the run's code has done something.

    Args:
        predicate: looks at the workflow's state and changes nothing. What it raises is raised here.
        timeout: how long to wait; None for ever.

    Raises:
        TimeoutError: the builtin one, when the time is up.
    """
    run = require_run()
    if run.holds(predicate):
        return
    future = run.loop.create_future()
    if run.conditions is None:
        run.conditions = []
    run.conditions.append(Condition(predicate, future))
    if timeout is None:
        await future
        return
    timer = run.loop.call_later(to_ns(timeout) / 1e9, _expire, future)
    try:
        is_late = await future
    finally:
        timer.cancel()
    if is_late:
        # Raised here: an exception set on the future would hold this frame, and the frame the future.
        raise TimeoutError(f"the condition did not come true in {to_seconds(timeout):g} seconds")


def _expire(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_result(True)


@overload
async def receive(name: str, type: type[T], *, timeout: Duration | None = None) -> T: ...
@overload
async def receive(name: str, type: type[T], *, timeout: Duration | None = None, default: D) -> T | D: ...
@overload
async def receive(name: str, type: Any = None, *, timeout: Duration | None = None, default: Any = ...) -> Any: ...
async def receive(name: str, type: Any = None, *, timeout: Duration | None = None, default: Any = _MISSING) -> Any:
    """Take the next signal called ``name``, waiting for one if need be. Signals wait in the order in which they came.

    Args:
        name: the signal. It must have no handler of its own.
        type: what its first argument is; without it, JSON's own types. A signal that is something else is dropped, with
            a warning.
        timeout: how long to wait; None for ever. Zero takes what is there already.
        default: what to return when the time is up.

    Raises:
        TimeoutError: the builtin one, when the time is up and there is no ``default``.
    """
    mailbox = mailbox_of(require_run())
    if timeout is None:
        return await mailbox.receive(name, type)
    try:
        async with asyncio.timeout(to_ns(timeout) / 1e9):
            return await mailbox.receive(name, type)
    except TimeoutError:
        if default is not _MISSING:
            return default
        raise TimeoutError(f"no signal {name!r} came in {to_seconds(timeout):g} seconds") from None
