"""Waiting for something on behalf of a caller, who may hang up, and of a server, which may end."""

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.types import Receive

from perdure.model.ids import RunAddress
from perdure.protocols.rest.views import OutcomeView, outcome_view

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


async def outcome_within(call: "Call[Any, Any]", seconds: float, address: RunAddress) -> OutcomeView | None:
    """How a run ended, or the one that goes on in its place; None if nobody waits for that (0 seconds), or in vain. Raises as
    ``within``."""
    if not seconds:
        return None
    closed = await within(call, seconds, call.service.wait_closed(address, follow=True))
    return None if closed is None else outcome_view(address.workflow_id, *closed)
