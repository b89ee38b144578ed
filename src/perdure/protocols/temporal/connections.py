"""gRPC's unary calls on asyncio: HTTP/2 by ``ngh2``, one task a call, all on the engine's thread.

gRPC's own library for asyncio hands each message through two threads and a dozen callbacks: its part was half of the
processor time of a run. What is here is what a unary call needs: frames, streams and their flow control are nghttp2's, which
``ngh2`` binds; deadlines, gzip, TLS, keep-alive, bounds and an end in order are ours. What a call means, and who calls,
nothing here knows.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from itertools import chain
from typing import Any, cast

import ngh2

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

_SETTINGS = {
    ngh2.Setting.MAX_CONCURRENT_STREAMS: MOST_STREAMS,
    ngh2.Setting.INITIAL_WINDOW_SIZE: WINDOW_BYTES,
    ngh2.Setting.MAX_HEADER_LIST_SIZE: HEADER_BYTES,
}
_BOUNDS = ngh2.Configuration(
    max_inbound_header_list_size=HEADER_BYTES,
    # A client that ends gives up all of its polls at once.
    stream_reset_rate_limit=(MOST_STREAMS, 1_000),
)

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


class Stream:
    """One call, and what has come of it."""

    __slots__ = ("chunks", "header_bytes", "headers", "is_late", "size", "task")

    def __init__(self, headers: dict[bytes, bytes], header_bytes: int) -> None:
        self.headers = headers
        self.header_bytes = header_bytes
        self.chunks: list[bytes] = []
        self.size = 0
        self.is_late = False
        self.task: asyncio.Task[None] | None = None


class Connection(asyncio.Protocol):
    """One connection."""

    def __init__(self, parent: Connections) -> None:
        self._parent = parent
        self._loop = asyncio.get_running_loop()
        self.streams: dict[int, Stream] = {}
        """Calls that have no answer yet."""
        self._unfinished: dict[int, Stream] = {}
        """Requests that have not ended; and how much of them there is."""
        self._unfinished_bytes = 0
        self._is_greeted = False
        self._is_flushing = False
        self._is_paused = False
        self._has_heard = True
        self._is_probed = False
        self._probe: asyncio.TimerHandle | None = None
        self._http = ngh2.Connection(ngh2.Role.SERVER, _BOUNDS)

    # --- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As in ``asyncio``."""
        # uvloop's is one in all but its class.
        self._transport = cast(asyncio.Transport, transport)
        self._peer = _peer(transport.get_extra_info("peername"))
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        self._common_name = _common_name(tls.getpeercert() or {}) if tls is not None else ""
        self._parent.all.add(self)
        self._http.initiate_connection(_SETTINGS)
        self._http.set_local_window_size(16 * WINDOW_BYTES)
        self._flush()
        self._probe = self._loop.call_later(self._parent.quiet_seconds, self._look)

    def connection_lost(self, error: Exception | None) -> None:
        """As in ``asyncio``: nobody waits for the answers any more."""
        self._parent.all.discard(self)
        if self._probe is not None:
            self._probe.cancel()
        streams, self.streams = self.streams, {}
        self._unfinished.clear()
        for stream in streams.values():
            if stream.task is not None:
                stream.task.cancel()

    def data_received(self, data: bytes) -> None:
        """As in ``asyncio``."""
        if self._transport.is_closing():
            return
        self._has_heard, self._is_probed = True, False
        try:
            self._http.receive_data(data)
            for event in self._http.events():
                handle = _HANDLERS.get(event.__class__)
                if handle is not None:
                    handle(self, event)
        except ngh2.NGH2Error:  # this is no HTTP/2, and nothing can be said
            self._transport.close()
        else:
            self._flush_soon()

    def pause_writing(self) -> None:
        """As in ``asyncio``: who does not read is not listened to."""
        self._is_paused = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """As in ``asyncio``."""
        self._is_paused = False
        self._transport.resume_reading()
        self._flush_soon()

    def _look(self) -> None:
        """Whether the other side is still there, and what it has begun goes on."""
        if self._is_probed or not self._is_greeted or self._transport.is_closing():
            self._transport.abort()
            return
        for stream_id, stream in list(self._unfinished.items()):
            if stream.is_late:
                self._end(stream_id, refusal(Code.DEADLINE_EXCEEDED, "The request did not end."))
            stream.is_late = True
        if not self._has_heard:
            self._is_probed = True
            self._http.ping(b"perdure?")
        self._flush()
        self._has_heard = False
        seconds = self._parent.quiet_seconds
        self._probe = self._loop.call_later(min(seconds, PING_SECONDS) if self._is_probed else seconds, self._look)

    def say_goodbye(self) -> None:
        """Nothing new is taken."""
        if not self._transport.is_closing():
            self._http.send_goaway()
            self._flush()

    def close(self) -> None:
        """Send what there is, and be gone."""
        if not self._transport.is_closing():
            self._flush()
            self._transport.close()

    def _flush(self) -> None:
        self._is_flushing = False
        if not self._is_paused and not self._transport.is_closing():
            data = self._http.data_to_send()
            if data:
                self._transport.write(data)
            if not self._http.want_read:  # they broke the rules and were told so, or nothing more is to come
                self._transport.close()

    def _flush_soon(self) -> None:
        """Answers that are there in the same moment leave together."""
        if not self._is_flushing:
            self._is_flushing = True
            self._loop.call_soon(self._flush)

    # --- what comes

    def _requested(self, event: ngh2.RequestReceived) -> None:
        headers = event.headers
        size = sum(map(len, chain.from_iterable(headers)))
        stream = self.streams[event.stream_id] = self._unfinished[event.stream_id] = Stream(dict(headers), size)
        self._hold(size)
        if event.end_stream:
            self._got_all(event.stream_id, stream)

    def _hold(self, size: int) -> None:
        """More of a request has come; its caller need not have been admitted, so there is an end to it."""
        self._unfinished_bytes += size
        if self._unfinished_bytes > UNFINISHED_MESSAGES * self._parent.message_bytes:
            self._http.terminate_connection(ngh2.ErrorCode.ENHANCE_YOUR_CALM)
            self.close()

    def _let_go(self, stream_id: int) -> None:
        """A request has ended, or is given up."""
        stream = self._unfinished.pop(stream_id, None)
        if stream is not None:
            self._unfinished_bytes -= stream.size + stream.header_bytes

    def _got_data(self, event: ngh2.DataReceived) -> None:
        stream = self._unfinished.get(event.stream_id)
        if stream is None:
            return
        data = event.data
        if data:
            stream.chunks.append(data)
            stream.size += len(data)
            self._hold(len(data))
            limit = self._parent.message_bytes
            if stream.size > limit + PREFIX:
                problem = f"grpc: received message larger than max ({stream.size - PREFIX} vs. {limit})"
                self._end(event.stream_id, refusal(Code.RESOURCE_EXHAUSTED, problem))
                return
        if event.end_stream:
            self._got_all(event.stream_id, stream)

    def _got_trailers(self, event: ngh2.TrailersReceived) -> None:
        stream = self._unfinished.get(event.stream_id)
        if stream is not None:
            self._got_all(event.stream_id, stream)

    def _got_all(self, stream_id: int, stream: Stream) -> None:
        self._let_go(stream_id)
        headers = stream.headers
        if not headers.get(b"content-type", b"").startswith(b"application/grpc") or b":path" not in headers:
            self._http.send_response(stream_id, ((b":status", b"415"),), end_stream=True)
            del self.streams[stream_id]
            return
        chunks = stream.chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        body, problem = message(data, headers.get(b"grpc-encoding", b"identity"), self._parent.message_bytes)
        if problem is not None:
            self._end(stream_id, problem)
            return
        asked = Asked(
            headers[b":path"], headers, body, seconds(headers.get(b"grpc-timeout", b"")), self._peer, self._common_name
        )
        chunks.clear()
        stream.task = self._loop.create_task(self._serve(stream_id, asked))

    def _was_closed(self, event: ngh2.StreamReset | ngh2.StreamClosed) -> None:
        stream = self.streams.pop(event.stream_id, None)
        if stream is not None:  # it had no answer yet
            self._let_go(event.stream_id)
            if stream.task is not None:
                stream.task.cancel()

    def _was_greeted(self, event: ngh2.SettingsReceived) -> None:
        self._is_greeted = True

    def _terminated(self, event: ngh2.GoAwayReceived) -> None:
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
        """Send an answer, as far as the other side takes it; the rest follows when it takes more."""
        if self._unfinished:
            self._let_go(stream_id)
        del self.streams[stream_id]
        http = self._http
        try:
            if answered.status:
                http.send_response(stream_id, (*_HEAD, *trailers(answered)), end_stream=True)
                return
            body = answered.body
            http.send_response(stream_id, _HEAD)
            http.send_data(stream_id, b"\0" + len(body).to_bytes(4, "big") + body)
            http.send_trailers(stream_id, _FINE)
        except ngh2.NGH2Error:
            pass  # the caller is gone


_HANDLERS: Mapping[type[ngh2.Event], Callable[[Connection, Any], None]] = {
    ngh2.RequestReceived: Connection._requested,
    ngh2.DataReceived: Connection._got_data,
    ngh2.TrailersReceived: Connection._got_trailers,
    ngh2.StreamReset: Connection._was_closed,
    ngh2.StreamClosed: Connection._was_closed,
    ngh2.SettingsReceived: Connection._was_greeted,
    ngh2.GoAwayReceived: Connection._terminated,
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
