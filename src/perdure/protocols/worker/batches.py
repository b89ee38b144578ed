"""What is said to the other side of a stream, gathered into batches."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

MAX_MESSAGES = 1_000
MAX_BYTES = 4 << 20
"""A batch is closed when it is as large as this; a single message may be larger."""


class Outgoing(Generic[T]):
    """Messages that wait to be sent. Whatever was said while the last batch went out is the next batch.

    Args:
        size: how large a message is, in bytes.
    """

    def __init__(self, size: Callable[[T], int]) -> None:
        self._size = size
        self._messages: list[T] = []
        self._waiter: asyncio.Future[None] | None = None
        self._is_closed = False

    def say(self, message: T) -> None:
        """Send it, in order, with the next batch."""
        self._messages.append(message)
        self._wake()

    def close(self) -> None:
        """Say what was said so far, then nothing more."""
        self._is_closed = True
        self._wake()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def batch(self) -> list[T]:
        """The next batch; empty when this is closed and all is sent."""
        while not self._messages:
            if self._is_closed:
                return []
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        messages = self._messages
        self._messages = []
        total = 0
        for count, message in enumerate(messages, 1):
            total += self._size(message)
            if total >= MAX_BYTES or count == MAX_MESSAGES:
                self._messages = messages[count:]
                return messages[:count]
        return messages
