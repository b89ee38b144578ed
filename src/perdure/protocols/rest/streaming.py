"""Server-sent events: one line of JSON each, a sign of life between them, and an end when the caller hangs up."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import msgspec
from starlette.types import Receive, Send

from perdure.model.errors import PerdureError
from perdure.protocols.rest.operations import Sent, Stream
from perdure.protocols.rest.parts import Parts
from perdure.protocols.rest.problems import problem_of, problem_of_http
from perdure.protocols.rest.waiting import hung_up

_log = logging.getLogger("perdure.rest")

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


async def send_stream(stream: Stream, parts: Parts, receive: Receive, send: Send) -> None:
    """Send events until they end, the caller hangs up, or the server ends."""
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    gone = asyncio.ensure_future(hung_up(receive))
    closing = asyncio.ensure_future(parts.closing.wait())
    events = _with_errors(stream.events)
    following: asyncio.Future[Sent] | None = None
    try:
        while True:
            if following is None:
                following = asyncio.ensure_future(anext(events))
            waited: set[asyncio.Future[Any]] = {following, gone, closing}
            await asyncio.wait(
                waited,
                timeout=parts.bounds.keep_alive_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if gone.done() or closing.done():
                break
            if not following.done():
                await _send(send, b": still here\n\n")
                continue
            try:
                sent = following.result()
            except StopAsyncIteration:
                break
            following = None
            await _send(send, written(sent))
    finally:
        for future in (gone, closing, following):
            if future is not None:
                future.cancel()
        if following is not None:
            await asyncio.wait({following})
        await events.aclose()
    await send({"type": "http.response.body", "body": b""})


async def _with_errors(events: AsyncIterator[Sent]) -> AsyncGenerator[Sent]:
    """What goes wrong when the status has been sent becomes the last event."""
    try:
        async for sent in events:
            yield sent
    except PerdureError as error:
        yield Sent("error", problem_of(error))
    except Exception:
        _log.exception("a stream failed")
        yield Sent("error", problem_of_http(500))


def written(sent: Sent) -> bytes:
    """An event on the wire."""
    # Values keep the white space they were sent with; JSON text has no line breaks but between its parts.
    data = msgspec.json.encode(sent.data).replace(b"\r", b" ").replace(b"\n", b" ")
    head = f"id: {sent.id}\n" if sent.id else ""
    return f"{head}event: {sent.event}\ndata: ".encode() + data + b"\n\n"


async def _send(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})
