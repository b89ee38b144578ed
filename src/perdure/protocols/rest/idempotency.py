"""Answers by idempotency key, for operations whose effect has no id of its own in the engine.

Where the engine has one (a start, a signal, an update ...), the key becomes that id and nothing is kept here. What is kept is
bounded and is gone with the process.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from perdure.model.errors import InvalidArgumentError
from perdure.protocols.rest.parts import Bounds

_LONGEST = 255


class Answered(msgspec.Struct, frozen=True):
    """An answer as it goes out."""

    status: int
    media_type: str
    content: bytes


class Known(msgspec.Struct):
    """What is known of a key: whom it was used for, and the answer, once there is one."""

    fingerprint: bytes
    expires: float
    lock: asyncio.Lock
    answer: Answered | None = None


Place = tuple[str, str, str, str]
"""The caller's own key, method, path and the idempotency key."""


def key_of(header: str | None) -> str:
    """The key in the header ``Idempotency-Key``, with or without quotes; empty if there is none.

    Raises ``InvalidArgumentError`` for one that is empty, longer than 255 characters, or no visible ASCII.
    """
    if header is None:
        return ""
    key = header[1:-1] if len(header) > 1 and header[0] == header[-1] == '"' else header
    if not key or len(key) > _LONGEST or not (key.isascii() and key.isprintable()):
        raise InvalidArgumentError("Idempotency-Key must have 1 to 255 visible ASCII characters.")
    return key


class Remembered:
    """The last answers, oldest first."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._known: OrderedDict[Place, Known] = OrderedDict()

    @asynccontextmanager
    async def at(self, place: Place, body: bytes) -> AsyncIterator[Known]:
        """What is known of a key. Whoever finds no answer there makes one, and others wait for it.

        Raises ``InvalidArgumentError`` if the key came with another body before.
        """
        fingerprint = hashlib.sha256(body).digest()
        known = self._find(place, fingerprint)
        if known.fingerprint != fingerprint:
            raise InvalidArgumentError(
                f"The Idempotency-Key {place[-1]!r} was used for another request. Choose a new one for each request."
            )
        async with known.lock:
            try:
                yield known
            finally:
                if known.answer is None or len(known.answer.content) > self._bounds.remembered_bytes:
                    self._known.pop(place, None)

    def _find(self, place: Place, fingerprint: bytes) -> Known:
        now = time.monotonic()
        known = self._known.get(place)
        if known is None or known.expires < now:
            known = self._known[place] = Known(fingerprint, now + self._bounds.remembered_seconds, asyncio.Lock())
            self._known.move_to_end(place)
            while len(self._known) > self._bounds.remembered_keys:
                self._known.popitem(last=False)
        return known
