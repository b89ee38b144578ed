"""Streams over gRPC: for workers and clients of any language."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import grpc

from perdure.model.access import Credentials
from perdure.model.errors import InvalidArgumentError, UnavailableError
from perdure.protocols.worker.batches import Outgoing
from perdure.protocols.worker.streams import (
    CALL,
    DEFAULT_MESSAGE_BYTES,
    WORK,
    Hear,
    ServerStream,
    Status,
    StreamEnded,
)

KEEPALIVE_MS = 10_000
KEEPALIVE_TIMEOUT_MS = 5_000
CONNECT_SECONDS = 5.0
HANDSHAKE_MS = 10_000
"""Who connects to the server has so long to begin with HTTP/2, and TLS before it."""
ADMITTED = (("perdure-admitted", "1"),)
"""What a stream begins with on the server's side. Whoever is refused gets an end in its place."""

_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}

_CLIENT_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    ("grpc.http2.max_pings_without_data", 0),
    # Ours waits before it tries again; the channel's own would add to that.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
]

# grpc's own classes are generic for type checkers alone.
Context = Any

Serve = Callable[[str, ServerStream], Awaitable[None]]
"""Serves a stream of a method until it ends."""


class GrpcServer:
    """Listens, and has streams served.

    Args:
        serve: does it.
        address: host and port; port 0 picks a free one.
        credentials: for TLS; plain text without.
        message_bytes: the largest message that is taken.
    """

    def __init__(
        self,
        serve: Serve,
        address: str,
        credentials: grpc.ServerCredentials | None = None,
        message_bytes: int = DEFAULT_MESSAGE_BYTES,
    ) -> None:
        self._serve = serve
        self._address = address
        self._credentials = credentials
        self._message_bytes = message_bytes
        self.port = 0

    async def open(self) -> None:
        """Begin to listen. Raises ``InvalidArgumentError`` if the address can't be used."""
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", self._message_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
                ("grpc.keepalive_time_ms", KEEPALIVE_MS),
                ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
                ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_MS // 2),
                ("grpc.so_reuseport", 0),
            ]
        )
        self._server.add_generic_rpc_handlers([_Handlers(self._serve)])
        try:
            if self._credentials is None:
                self.port = self._server.add_insecure_port(self._address)
            else:
                self.port = self._server.add_secure_port(self._address, self._credentials)
        except RuntimeError:
            raise InvalidArgumentError(
                f"The worker protocol can't listen at {self._address}: the address is in use, or not one of this machine's"
            ) from None
        await self._server.start()

    async def close(self, grace_seconds: float) -> None:
        """Let go of everybody."""
        await self._server.stop(grace_seconds)


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, serve: Serve) -> None:
        self._handlers = {method: _handler(serve, method) for method in (WORK, CALL)}

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        return self._handlers.get(details.method)


def _handler(serve: Serve, method: str) -> grpc.RpcMethodHandler[Any, Any]:
    async def behave(_: AsyncIterator[Any], context: Context) -> None:
        stream = _ServerSide(context)
        try:
            await serve(method, stream)
        finally:
            stream.close()

    # Without serializers, messages are bytes.
    return grpc.stream_stream_rpc_method_handler(behave)


class _Side:
    """What both sides share: gRPC's two calls are alike."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._has_said = asyncio.Event()
        self._outgoing = Outgoing(self._has_said.set)
        self.say = self._outgoing.say
        self._writing: asyncio.Task[None] | None = None

    def _begin_writing(self) -> None:
        self._writing = asyncio.create_task(self._write())

    def close(self) -> None:
        """What is not sent by now never is."""
        if self._writing is not None:
            self._writing.cancel()

    async def _write(self) -> None:
        while True:
            await self._has_said.wait()
            self._has_said.clear()
            while batch := self._outgoing.batch():
                await self._call.write(batch)

    async def _hand_over(self, hear: Hear) -> None:
        while (batch := await self._call.read()) is not grpc.aio.EOF:
            waits = hear(batch)
            if waits is not None:
                await waits


class _ServerSide(_Side):
    """Implements ``ServerStream``."""

    @property
    def credentials(self) -> Credentials:
        """As ``ServerStream.credentials``."""
        metadata = dict(self._call.invocation_metadata() or ())
        authorization = metadata.get("authorization", "")
        names = self._call.auth_context().get("x509_common_name", [])
        return Credentials(
            authorization if isinstance(authorization, str) else "",
            bytes(names[0]).decode() if names else "",
            self._call.peer(),
        )

    async def admit(self) -> None:
        """As ``ServerStream.admit``."""
        await self._call.send_initial_metadata(ADMITTED)
        self._begin_writing()

    async def listen(self, hear: Hear) -> None:
        """As ``Stream.listen``."""
        await self._hand_over(hear)

    async def end(self, status: Status, details: str) -> None:
        """As ``ServerStream.end``."""
        self.close()
        if status is not Status.OK:
            await self._call.abort(_CODES[status], details)


class GrpcCarrier:
    """Implements ``Carrier``.

    Args:
        target: host and port.
        token: who is calling; empty for a server that lets everybody in.
        credentials: for TLS; plain text without.
    """

    def __init__(self, target: str, token: str = "", credentials: grpc.ChannelCredentials | None = None) -> None:
        self.target = target
        self._metadata: Sequence[tuple[str, str]] = [("authorization", f"Bearer {token}")] if token else []
        self._credentials = credentials

    async def open(self) -> None:
        """Connect."""
        if self._credentials is None:
            self._channel = grpc.aio.insecure_channel(self.target, options=_CLIENT_OPTIONS)
        else:
            self._channel = grpc.aio.secure_channel(self.target, self._credentials, options=_CLIENT_OPTIONS)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._channel.channel_ready()
        except TimeoutError:
            await self._channel.close()
            raise UnavailableError(
                f"No Perdure server answers at {self.target}. Check the address, and that the server runs: perdure server"
            ) from None

    async def stream(self, method: str) -> _ClientSide:
        """A new stream."""
        return _ClientSide(self._channel.stream_stream(method)(metadata=self._metadata))

    async def close(self) -> None:
        """Let go of the server."""
        await self._channel.close()


class _ClientSide(_Side):
    """Implements ``ClientStream``."""

    def __init__(self, call: Any) -> None:
        super().__init__(call)
        self._begin_writing()

    async def admitted(self) -> None:
        """As ``ClientStream.admitted``."""
        try:
            # Until the server says something, nobody knows whether it lets us in: its headers come first.
            if not await self._call.initial_metadata():
                await self._raise_end()
        except grpc.aio.AioRpcError as error:
            raise _ended(error.code(), error.details()) from None

    async def listen(self, hear: Hear) -> None:
        """As ``Stream.listen``."""
        try:
            await self._hand_over(hear)
            await self._raise_end()
        except grpc.aio.AioRpcError as error:
            raise _ended(error.code(), error.details()) from None

    async def _raise_end(self) -> None:
        code = await self._call.code()
        if code is not grpc.StatusCode.OK:
            raise _ended(code, await self._call.details())

    def close(self) -> None:
        """As ``Stream.close``."""
        super().close()
        self._call.cancel()


def _ended(code: grpc.StatusCode, details: str | None) -> StreamEnded:
    number = code.value[0]
    known = number in Status.__members__.values()
    return StreamEnded(Status(number) if known else Status.UNKNOWN, details or code.name)
