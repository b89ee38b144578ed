"""gRPC's unary calls on asyncio: HTTP/2 by ``h2``, one task a call, all on the engine's thread.

gRPC's own library for asyncio hands each message through two threads and a dozen callbacks: its part was half of the
processor time of a run. What is here is what a unary call needs: frames and streams are ``h2``'s, flow control towards slow
readers, deadlines, gzip, TLS, keep-alive and an end in order are ours. What a call means, and who calls, nothing here knows.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar, cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import H2Error, ProtocolError
from h2.settings import SettingCodes, Settings
from hpack import Encoder, NeverIndexedHeaderTuple

from perdure.protocols.temporal.errors import Code
from perdure.protocols.temporal.unary import PREFIX, Answered, Asked, message, refusal, seconds, trailers

MOST_STREAMS = 100_000
"""Calls that a connection may have open at once; a poll is one."""

WINDOW_BYTES = 4 << 20
HEADER_BYTES = 64 << 10
UNFINISHED_MESSAGES = 2
"""So many of the largest messages a connection's requests that have not ended may be together, whoever sends them."""

QUIET_SECONDS = 60.0
"""Nothing has come for so long: the other side is asked whether it is there."""

PING_SECONDS = 10.0
"""So long it has for its answer."""

_HEAD = ((b":status", b"200"), (b"content-type", b"application/grpc"))
_FINE = ((b"grpc-status", b"0"),)


Answer = Callable[[Asked], Awaitable[Answered]]

UNAVAILABLE = Answered(status=Code.UNAVAILABLE.value[0], message="The server is shutting down.")


class Connections:
    """All connections of a listener.

    Args:
        answer: answers a call; it never raises but when it is cancelled.
        message_bytes: the largest message that is taken.
        quiet_seconds: how long a connection may say nothing until it is asked whether it is there. Whoever has not begun to
            speak HTTP/2 by then is let go, and a request that has not ended in twice that time.
    """

    def __init__(self, answer: Answer, message_bytes: int, quiet_seconds: float = QUIET_SECONDS) -> None:
        self.answer = answer
        self.message_bytes = message_bytes
        self.quiet_seconds = quiet_seconds
        self.is_closing = False
        self.all: set[Connection] = set()

    def make(self) -> Connection:
        """For ``create_server``."""
        return Connection(self)

    async def close(self, grace_seconds: float) -> None:
        """Say goodbye, let calls end for so long, and close."""
        self.is_closing = True
        for connection in self.all:
            connection.say_goodbye()
        tasks = [stream.task for one in self.all for stream in one.streams.values() if stream.task is not None]
        if tasks:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=grace_seconds)
        for connection in list(self.all):
            connection.close()


class _Counted(H2Connection):
    """``h2`` looks at all streams whenever one is opened; with thousands of polls, now and then is enough."""

    _sweep_at = 1_000

    @property
    def open_inbound_streams(self) -> int:
        if len(self.streams) < self._sweep_at:
            return len(self.streams)
        count = super().open_inbound_streams
        self._sweep_at = max(1_000, 2 * count)
        return count


class _Encoder(Encoder):
    """Nearly all answers begin and end alike. What is encoded without the connection's table of headers is the same each
    time, so it is encoded once."""

    _known: ClassVar = {
        headers: Encoder().encode([NeverIndexedHeaderTuple(name, value) for name, value in headers])
        for headers in (_HEAD, _FINE)
    }

    def encode(self, headers: Any, huffman: bool = True) -> bytes:
        """As in ``hpack``."""
        if not self.header_table.resized:  # else the new size must be told first
            headers = tuple(headers)
            if (block := self._known.get(headers)) is not None:
                return block
        return super().encode(headers, huffman)


class Stream:
    """One call: what has come of it, and what of its answer has not been sent."""

    __slots__ = ("chunks", "header_bytes", "headers", "is_late", "rest", "size", "task", "trailers")

    def __init__(self, headers: dict[str, str], header_bytes: int) -> None:
        self.headers = headers
        self.header_bytes = header_bytes
        self.chunks: list[bytes] = []
        self.size = 0
        self.is_late = False
        self.task: asyncio.Task[None] | None = None
        self.rest = memoryview(b"")
        self.trailers: Sequence[tuple[bytes, bytes]] = _FINE


class Connection(asyncio.Protocol):
    """One connection."""

    def __init__(self, parent: Connections) -> None:
        self._parent = parent
        self._loop = asyncio.get_running_loop()
        self.streams: dict[int, Stream] = {}
        self._blocked: dict[int, Stream] = {}
        self._unfinished: dict[int, Stream] = {}
        """Requests that have not ended; and how much of them there is."""
        self._unfinished_bytes = 0
        self._is_greeted = False
        self._is_flushing = False
        self._is_paused = False
        self._has_heard = True
        self._is_probed = False
        self._probe: asyncio.TimerHandle | None = None
        config = H2Configuration(
            client_side=False,
            header_encoding=None,
            validate_inbound_headers=False,
            normalize_inbound_headers=False,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self._h2 = h2 = _Counted(config)
        h2.encoder = _Encoder()
        h2.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: MOST_STREAMS,
                SettingCodes.INITIAL_WINDOW_SIZE: WINDOW_BYTES,
                SettingCodes.MAX_HEADER_LIST_SIZE: HEADER_BYTES,
            },
        )

    # --- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As in ``asyncio``."""
        # uvloop's is one in all but its class.
        self._transport = cast(asyncio.Transport, transport)
        self._peer = _peer(transport.get_extra_info("peername"))
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        self._common_name = _common_name(tls.getpeercert() or {}) if tls is not None else ""
        self._parent.all.add(self)
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(16 * WINDOW_BYTES)
        self._flush()
        self._probe = self._loop.call_later(self._parent.quiet_seconds, self._look)

    def connection_lost(self, error: Exception | None) -> None:
        """As in ``asyncio``: nobody waits for the answers any more."""
        self._parent.all.discard(self)
        if self._probe is not None:
            self._probe.cancel()
        streams, self.streams = self.streams, {}
        self._blocked.clear()
        self._unfinished.clear()
        for stream in streams.values():
            if stream.task is not None:
                stream.task.cancel()

    def data_received(self, data: bytes) -> None:
        """As in ``asyncio``."""
        self._has_heard, self._is_probed = True, False
        try:
            for event in self._h2.receive_data(data):
                handle = _HANDLERS.get(event.__class__)
                if handle is not None:
                    handle(self, event)
        except (ProtocolError, ValueError):
            self._flush()
            self.close()
            return
        self._flush()

    def pause_writing(self) -> None:
        """As in ``asyncio``: who does not read is not listened to."""
        self._is_paused = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """As in ``asyncio``."""
        self._is_paused = False
        self._transport.resume_reading()
        self._pump_all()

    def _look(self) -> None:
        """Whether the other side is still there, and what it has begun goes on."""
        if self._is_probed or not self._is_greeted or self._transport.is_closing():
            self._transport.abort()
            return
        for stream_id, stream in list(self._unfinished.items()):
            if stream.is_late:
                self._end(stream_id, refusal(Code.DEADLINE_EXCEEDED, "The request did not end."))
            stream.is_late = True
        self._flush()
        if not self._has_heard:
            self._is_probed = True
            self._h2.ping(b"perdure?")
            self._flush()
        self._has_heard = False
        seconds = self._parent.quiet_seconds
        self._probe = self._loop.call_later(min(seconds, PING_SECONDS) if self._is_probed else seconds, self._look)

    def say_goodbye(self) -> None:
        """Nothing new is taken."""
        try:
            self._h2.close_connection()
        except ProtocolError:
            return
        self._flush()

    def close(self) -> None:
        """Send what there is, and be gone."""
        if not self._transport.is_closing():
            self._transport.close()

    def _flush(self) -> None:
        self._is_flushing = False
        data = self._h2.data_to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def _flush_soon(self) -> None:
        """Answers that are there in the same moment leave together."""
        if not self._is_flushing:
            self._is_flushing = True
            self._loop.call_soon(self._flush)

    # --- what comes

    def _requested(self, event: RequestReceived) -> None:
        assert event.stream_id is not None and event.headers is not None
        headers = {
            bytes(name).decode("latin-1"): bytes(value).decode("latin-1")
            for name, value in event.headers
            if not name.endswith(b"-bin")
        }
        size = sum(len(name) + len(value) for name, value in event.headers)
        self.streams[event.stream_id] = self._unfinished[event.stream_id] = Stream(headers, size)
        self._hold(size)

    def _hold(self, size: int) -> None:
        """More of a request has come; its caller need not have been admitted, so there is an end to it."""
        self._unfinished_bytes += size
        if self._unfinished_bytes > UNFINISHED_MESSAGES * self._parent.message_bytes:
            self._h2.close_connection(ErrorCodes.ENHANCE_YOUR_CALM)
            self._flush()
            self.close()

    def _let_go(self, stream_id: int) -> None:
        """A request has ended, or is given up."""
        stream = self._unfinished.pop(stream_id, None)
        if stream is not None:
            self._unfinished_bytes -= stream.size + stream.header_bytes

    def _got_data(self, event: DataReceived) -> None:
        assert event.stream_id is not None and event.data is not None
        if event.flow_controlled_length:
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        stream = self._unfinished.get(event.stream_id)
        if stream is None:
            return
        stream.chunks.append(event.data)
        stream.size += len(event.data)
        self._hold(len(event.data))
        limit = self._parent.message_bytes
        if stream.size > limit + PREFIX:
            problem = f"grpc: received message larger than max ({stream.size - PREFIX} vs. {limit})"
            self._end(event.stream_id, refusal(Code.RESOURCE_EXHAUSTED, problem))

    def _got_all(self, event: StreamEnded) -> None:
        assert event.stream_id is not None
        stream = self.streams.get(event.stream_id)
        self._let_go(event.stream_id)
        if stream is None:
            return
        headers = stream.headers
        if not headers.get("content-type", "").startswith("application/grpc") or ":path" not in headers:
            self._h2.send_headers(event.stream_id, ((b":status", b"415"),), end_stream=True)
            self.streams.pop(event.stream_id, None)
            return
        data = stream.chunks[0] if len(stream.chunks) == 1 else b"".join(stream.chunks)
        body, problem = message(data, headers.get("grpc-encoding", "identity"), self._parent.message_bytes)
        if problem is not None:
            self._end(event.stream_id, problem)
            return
        asked = Asked(
            headers[":path"], headers, body, seconds(headers.get("grpc-timeout", "")), self._peer, self._common_name
        )
        stream.chunks.clear()
        stream.task = self._loop.create_task(self._serve(event.stream_id, asked))

    def _was_reset(self, event: StreamReset) -> None:
        assert event.stream_id is not None
        self._let_go(event.stream_id)
        stream = self.streams.pop(event.stream_id, None)
        self._blocked.pop(event.stream_id, None)
        if stream is not None and stream.task is not None:
            stream.task.cancel()

    def _may_send(self, event: WindowUpdated | RemoteSettingsChanged) -> None:
        self._is_greeted = True
        if not self._blocked:
            return
        if isinstance(event, WindowUpdated) and event.stream_id:
            if (stream := self._blocked.pop(event.stream_id, None)) is not None:
                self._pump(event.stream_id, stream)
        else:
            self._pump_all()

    def _terminated(self, event: ConnectionTerminated) -> None:
        if event.error_code:
            self.close()

    # --- what goes

    async def _serve(self, stream_id: int, asked: Asked) -> None:
        try:
            answered = await self._parent.answer(asked)
        except asyncio.CancelledError:
            if stream_id not in self.streams or not self._parent.is_closing:
                raise
            answered = UNAVAILABLE
        if stream_id in self.streams:
            self._end(stream_id, answered)
            self._flush_soon()

    def _end(self, stream_id: int, answered: Answered) -> None:
        """Send an answer, as far as it may leave now."""
        self._let_go(stream_id)
        stream = self.streams[stream_id]
        try:
            if answered.status:
                self.streams.pop(stream_id)
                self._h2.send_headers(stream_id, (*_HEAD, *trailers(answered)), end_stream=True)
                return
            self._h2.send_headers(stream_id, _HEAD)
        except H2Error:
            self.streams.pop(stream_id, None)
            return
        body = answered.body
        stream.rest = memoryview(b"\0" + len(body).to_bytes(4, "big") + body)
        self._pump(stream_id, stream)

    def _pump(self, stream_id: int, stream: Stream) -> None:
        """Send as much as the other side takes now; the rest waits until it takes more."""
        h2 = self._h2
        try:
            while stream.rest:
                room = min(h2.local_flow_control_window(stream_id), h2.max_outbound_frame_size)
                if room <= 0 or self._is_paused:
                    self._blocked[stream_id] = stream
                    return
                h2.send_data(stream_id, bytes(stream.rest[:room]))
                stream.rest = stream.rest[room:]
            h2.send_headers(stream_id, stream.trailers, end_stream=True)
        except H2Error:
            pass  # the caller is gone
        self.streams.pop(stream_id, None)

    def _pump_all(self) -> None:
        blocked, self._blocked = self._blocked, {}
        for stream_id, stream in blocked.items():
            self._pump(stream_id, stream)
        self._flush_soon()


_HANDLERS: Mapping[type[Event], Callable[[Connection, Any], None]] = {
    RequestReceived: Connection._requested,
    DataReceived: Connection._got_data,
    StreamEnded: Connection._got_all,
    StreamReset: Connection._was_reset,
    WindowUpdated: Connection._may_send,
    RemoteSettingsChanged: Connection._may_send,
    ConnectionTerminated: Connection._terminated,
}


def _peer(name: Any) -> str:
    """An address as gRPC writes it."""
    if not isinstance(name, tuple):
        return "unknown"
    host, port = name[:2]
    return f"ipv6:%5B{host}%5D:{port}" if ":" in host else f"ipv4:{host}:{port}"


def _common_name(certificate: Mapping[str, Any]) -> str:
    for group in certificate.get("subject", ()):
        for name, value in group:
            if name == "commonName":
                return str(value)
    return ""
