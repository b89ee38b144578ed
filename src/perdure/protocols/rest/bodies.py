"""Reading a request's body, within bounds of size and time."""

import asyncio

from starlette.requests import Request

from perdure.protocols.rest.parts import Bounds
from perdure.protocols.rest.waiting import Gone

_LEAST_BYTES_PER_SECOND = 64 * 1024
_MEDIA_TYPES = ("", "application/json", "application/x-www-form-urlencoded", "text/plain")
"""The last two are what ``curl -d`` and ``fetch`` say if they are told nothing."""


class BodyRefused(Exception):
    """The body is not read to its end; the connection is of no use any more. ``size`` is how many bytes were too many."""

    def __init__(self, status: int, message: str, size: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.size = size


async def read_body(request: Request, bounds: Bounds, most_bytes: int = 0) -> bytes:
    """The whole body, of at most so many bytes; without it of as many as the bounds say.

    Raises:
        BodyRefused: it is too large, arrives too slowly, or is said to be something other than JSON.
        Gone: the caller has hung up.
    """
    headers, receive = request.headers, request.receive
    most_bytes = most_bytes or bounds.body_bytes
    length = headers.get("content-length", "")
    if length.isdigit() and int(length) > most_bytes:
        raise _too_large(int(length), most_bytes)
    body = b""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(bounds.body_seconds) as limit:
            began = loop.time()
            chunks = []
            size = 0
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Gone
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > most_bytes:
                    raise _too_large(size, most_bytes)
                chunks.append(chunk)
                if not message.get("more_body", False):
                    break
                limit.reschedule(began + bounds.body_seconds + size / _LEAST_BYTES_PER_SECOND)
            body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    except TimeoutError:
        raise BodyRefused(408, f"The body did not arrive within {bounds.body_seconds:g} s.") from None
    if body:
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type not in _MEDIA_TYPES and not media_type.endswith("+json"):
            raise BodyRefused(415, f"A body is application/json, not {media_type!r:.100}.")
    return body


def _too_large(size: int, most_bytes: int) -> BodyRefused:
    return BodyRefused(413, f"A body has at most {most_bytes:,} bytes here. Pass a reference to the data.", size)
