"""The same call for many items, some at a time."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import Any, TypeVar

from perdure.model.errors import InvalidArgumentError
from perdure.sdk.run import require_run

R = TypeVar("R")

_AHEAD = 4
"""How many times ``concurrency`` items are begun before the first of them is taken."""


async def map(
    fn: Callable[..., Awaitable[R]], items: Iterable[Any], *args: Any, concurrency: int | None = None
) -> AsyncGenerator[R, None]:
    """Call ``fn(item, *args)`` for each item and give the results in the order of the items, as they become known.

    Use it in ``async for``. Leaving the loop early, or an exception from one of the calls, cancels the calls that are
    not done.

    Args:
        fn: an activity, a child workflow or any async function.
        items: read as needed.
        args: further arguments, the same for each call.
        concurrency: how many calls run at once; None for all. While the next result is awaited, or the body of the loop
            waits for something, later calls go on, up to four times as many as run at once.

    Raises:
        InvalidArgumentError: ``concurrency`` is below 1.
    """
    require_run()
    if concurrency is not None and concurrency < 1:
        raise InvalidArgumentError(f"map(concurrency={concurrency}) must be at least 1, or None for no limit")
    gate = asyncio.Semaphore(concurrency) if concurrency is not None else None
    window: deque[asyncio.Task[R]] = deque()
    rest = iter(items)
    exhausted = False

    async def call(item: Any) -> R:
        if gate is None:
            return await fn(item, *args)
        async with gate:
            return await fn(item, *args)

    try:
        while True:
            while not exhausted and (concurrency is None or len(window) < concurrency * _AHEAD):
                try:
                    window.append(asyncio.ensure_future(call(next(rest))))
                except StopIteration:
                    exhausted = True
            if not window:
                return
            result = await window[0]
            window.popleft()
            yield result
    finally:
        for task in window:
            task.cancel()
        if window:
            # Also takes note of what they raised, which nobody asks for any more.
            await asyncio.gather(*window, return_exceptions=True)
