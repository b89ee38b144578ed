"""Streams on a connection of their own, which began as a request to the REST interface: no hop between threads, no
protocol in between.

gRPC's asyncio side hands each message through two threads; that costs five to ten times what the message itself does. So
Python workers and clients ask the REST interface to switch to this (``Upgrade: perdure-stream``), and whoever can't goes
on over gRPC. From the switch on, each side sends frames:

- a byte of flags, the length of what follows in four bytes, and a batch: gRPC's own length-prefixed message;
- flags 0x80: the end, with ``grpc-status`` and ``grpc-message`` as lines of text, as gRPC-Web has it.

An empty batch says nothing. It is the server's first word once it lets the caller in, and keeps the connection open when
there is nothing to say.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from urllib.parse import quote, unquote

from perdure.model.access import Credentials
from perdure.protocols.worker.batches import Outgoing
from perdure.protocols.worker.streams import DEFAULT_MESSAGE_BYTES, Hear, Status, StreamEnded

UPGRADE = "perdure-stream"

LINGER_SECONDS = 5.0
"""The other side has so long to read why it was sent away."""
TICK_SECONDS = 10.0
QUIET_TICKS = 2
"""Who has said nothing for so long says an empty batch."""
SILENT_TICKS = 6
"""Who has heard nothing for so long takes the other side for gone. A busy event loop is not gone, so this is long; a
machine that is gone is found by TCP's own probes, sooner."""

_PREFIX = 5
_END = 0x80
_EMPTY = b"\0\0\0\0\0"


class FramedStream(asyncio.Protocol):
    """One side of a stream. Implements ``Stream``; the connection is its transport, from the switch on.

    Args:
        message_bytes: the largest batch that is taken; 0 for any.
    """

    def __init__(self, message_bytes: int = 0) -> None:
        self._message_bytes = message_bytes
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._outgoing = Outgoing(self._flush_soon)
        self.say = self._outgoing.say
        self._is_paused = False
        self._partial = bytearray()
        self._needed = _PREFIX
        self._early: deque[bytes] = deque()
        """What came before anybody listened."""
        self._hear: Hear | None = None
        self._waits = 0
        """For how many things that ``hear`` said to wait for."""
        self._end: asyncio.Future[None] = self._loop.create_future()
        self._ticks_quiet = self._ticks_silent = 0
        self._timer: asyncio.TimerHandle | None = None

    # --- what a stream is

    async def listen(self, hear: Hear) -> None:
        """As ``Stream.listen``."""
        while self._early:
            waits = hear(self._early.popleft())
            if waits is not None:
                await waits
        self._hear = hear
        self._resume_reading()
        await self._ended()

    async def _ended(self) -> None:
        # Whoever is cancelled while it waits must not cancel the end itself.
        await asyncio.wait([self._end])
        self._end.result()

    def close(self) -> None:
        """As ``Stream.close``. What was said before is sent."""
        if not self._transport.is_closing():
            self._flush()
            self._transport.close()
        self._set_end(StreamEnded(Status.UNAVAILABLE, "the connection was closed"))

    async def end(self, status: Status, details: str) -> None:
        """As ``ServerStream.end``."""
        transport = self._transport
        self._set_end(StreamEnded(status, details))
        if transport.is_closing():
            return
        self._flush()
        text = f"grpc-status: {status.value}\r\ngrpc-message: {quote(details, safe=' ')}\r\n".encode()
        transport.write(bytes((_END,)) + len(text).to_bytes(4, "big") + text)
        # To close with bytes unread would take the reason away again: it is for the other side to close.
        self._set_timer(LINGER_SECONDS, transport.abort)
        self._resume_reading()

    # --- what the transport says

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The connection has switched."""
        self._transport = transport
        _probe(transport)
        self._set_timer(TICK_SECONDS, self._tick)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        reason = "the connection was lost" + (f": {exc}" if exc is not None else "")
        self._set_end(StreamEnded(Status.UNAVAILABLE, reason))
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Some bytes came."""
        if self._end.done():
            return
        self._ticks_silent = 0
        partial = self._partial
        if partial:
            partial += data
            if len(partial) < self._needed:
                return
            data = bytes(partial)
            partial.clear()
        at, end, needed = 0, len(data), _PREFIX
        while end - at >= _PREFIX:
            size = int.from_bytes(data[at + 1 : at + _PREFIX], "big")
            if 0 < self._message_bytes < size:
                self._set_end(StreamEnded(Status.RESOURCE_EXHAUSTED, _too_large(size, self._message_bytes)))
                return
            needed = _PREFIX + size
            if end - at < needed:
                break
            self._frame(data[at], data[at + _PREFIX : at + needed])
            at += needed
            needed = _PREFIX
        self._needed = needed
        if at < end:
            partial += data[at:] if at else data

    def pause_writing(self) -> None:
        """The other side does not read as fast as this one writes."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self._is_paused = False
        self._flush()

    # --- frames

    def _flush_soon(self) -> None:
        # At the end of this round of the event loop, so that one batch takes all that the round says.
        self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        transport = self._transport
        while not self._is_paused and not transport.is_closing() and (batch := self._outgoing.batch()):
            self._ticks_quiet = 0
            transport.write(b"\0%b%b" % (len(batch).to_bytes(4, "big"), batch))

    def _frame(self, flags: int, content: bytes) -> None:
        if self._end.done():
            return
        if flags:
            self._set_end(_end_of(content) if flags == _END else StreamEnded(Status.INVALID_ARGUMENT, _no_flags(flags)))
        elif self._hear is None:
            self._heard_early(content)
        elif content:
            try:
                waits = self._hear(content)
            except Exception as error:
                self._set_end(error)
                return
            if waits is not None:
                self._waits += 1
                self._transport.pause_reading()
                asyncio.ensure_future(waits).add_done_callback(self._waited)

    def _waited(self, waited: asyncio.Future[None]) -> None:
        self._waits -= 1
        if not waited.cancelled() and (error := waited.exception()) is not None:
            self._set_end(error)
        if not self._waits:
            self._resume_reading()

    def _heard_early(self, content: bytes) -> None:
        if content:
            self._early.append(content)
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def _set_end(self, error: BaseException) -> None:
        if self._end.done():
            return
        if isinstance(error, StreamEnded) and error.status is Status.OK:
            self._end.set_result(None)
        else:
            self._end.set_exception(error)
            # Nobody may be waiting for it.
            self._end.exception()

    def _set_timer(self, seconds: float, callback: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, callback)

    def _tick(self) -> None:
        self._ticks_quiet += 1
        self._ticks_silent += 1
        if self._ticks_silent >= SILENT_TICKS:
            self._set_end(StreamEnded(Status.UNAVAILABLE, "the other side is silent"))
            self._transport.abort()
            return
        if self._ticks_quiet >= QUIET_TICKS:
            self._ticks_quiet = 0
            self._transport.write(_EMPTY)
        self._set_timer(TICK_SECONDS, self._tick)


class ServerSide(FramedStream):
    """Implements ``ServerStream``."""

    def __init__(self, credentials: Credentials, message_bytes: int = DEFAULT_MESSAGE_BYTES) -> None:
        super().__init__(message_bytes)
        self.credentials = credentials

    async def admit(self) -> None:
        """As ``ServerStream.admit``."""
        if not self._transport.is_closing():
            self._transport.write(_EMPTY)


class ClientSide(FramedStream):
    """Implements ``ClientStream``."""

    def __init__(self) -> None:
        super().__init__()
        self._admission: asyncio.Future[None] = self._loop.create_future()

    async def admitted(self) -> None:
        """As ``ClientStream.admitted``."""
        await asyncio.wait([self._admission, self._end], return_when=asyncio.FIRST_COMPLETED)
        if not self._admission.done():
            self._end.result()

    def _heard_early(self, content: bytes) -> None:
        if not self._admission.done():
            self._admission.set_result(None)
        super()._heard_early(content)


def _probe(transport: asyncio.Transport) -> None:
    """Have the operating system find out about a machine that is gone."""
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _PROBES.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


# Seconds of silence before the first probe, between two of them, how many; and milliseconds for what was sent to arrive.
_PROBES = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 2, "TCP_USER_TIMEOUT": 20_000}


def _end_of(content: bytes) -> StreamEnded:
    lines = [line.partition(":") for line in content.decode("latin-1").splitlines()]
    trailers = {name.strip().lower(): value.strip() for name, _, value in lines}
    try:
        status = Status(int(trailers["grpc-status"]))
    except (KeyError, ValueError):
        status = Status.UNKNOWN
    return StreamEnded(status, unquote(trailers.get("grpc-message", "")))


def _no_flags(flags: int) -> str:
    return f"a frame has flags {flags:#x}, which mean nothing here"


def _too_large(size: int, limit: int) -> str:
    return f"a batch has {size:,} bytes, and at most {limit:,} are taken"
