"""Waiting for something on behalf of a caller, who may hang up, and of a server, which may end."""

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.types import Receive

if TYPE_CHECKING:
    from perdure.protocols.rest.operations import Call

T = TypeVar("T")


class Gone(Exception):
    """The caller has hung up: there is nobody to answer."""


class Closing:
    """Whether the server is about to end. Those who wait are let go then."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Let everybody go."""
        self._event.set()

    async def wait(self) -> None:
        """Until it ends."""
        await self._event.wait()


async def hung_up(receive: Receive) -> None:
    """Until the caller has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def within(call: "Call[Any, Any]", seconds: float, awaitable: Awaitable[T]) -> T | None:
    """What is awaited, or None if it does not come in time or the server ends; then it is cancelled.

    Raises ``Gone`` when the caller hangs up, and what the awaitable raises.
    """
    wanted = asyncio.ensure_future(awaitable)
    gone = asyncio.ensure_future(hung_up(call.request.receive))
    ending = asyncio.ensure_future(call.parts.closing.wait())
    try:
        timeout = min(seconds, call.parts.bounds.wait_seconds)
        await asyncio.wait({wanted, gone, ending}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if wanted.done():
            return wanted.result()
        if gone.done():
            raise Gone
        return None
    finally:
        for future in (wanted, gone, ending):
            future.cancel()
