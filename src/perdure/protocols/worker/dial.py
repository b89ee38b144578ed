"""How a client comes to a framed stream: a request to the REST interface that asks to switch."""

import asyncio
import ssl
from contextlib import suppress
from weakref import WeakSet

from perdure.model.errors import UnavailableError
from perdure.protocols.worker.framed import UPGRADE, ClientSide
from perdure.protocols.worker.streams import CALL, Status, StreamEnded

CONNECT_SECONDS = 5.0
HEAD_BYTES = 16_384


class NotOfferedError(Exception):
    """The server, or a proxy before it, does not switch to framed streams."""


class FramedCarrier:
    """Implements ``Carrier``.

    Args:
        host, port: of the REST interface.
        authority: what the server is called, for proxies before it.
        token: who is calling; empty for a server that lets everybody in.
        tls: the context for TLS; plain text without.
    """

    def __init__(
        self,
        host: str,
        port: int,
        authority: str,
        token: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.target = authority
        self._host, self._port = host, port
        self._tls = tls
        self._head = f"Host: {authority}\r\nConnection: Upgrade\r\nUpgrade: {UPGRADE}\r\n"
        if token:
            self._head += f"Authorization: Bearer {token}\r\n"
        self._first: ClientSide | None = None
        self._streams: WeakSet[ClientSide] = WeakSet()
        self._is_closed = False

    async def open(self) -> None:
        """Connect. Raises ``NotOfferedError`` if that has to go another way."""
        try:
            self._first = await self._dial(CALL)
        except StreamEnded as ended:
            raise UnavailableError(
                f"No Perdure server answers at {self.target} ({ended.details}). Check the address, and that the server "
                "runs: perdure server"
            ) from None

    async def stream(self, method: str) -> ClientSide:
        """A new stream."""
        first, self._first = self._first, None
        if first is not None and method == CALL:
            return first
        self._first = first
        try:
            return await self._dial(method)
        except NotOfferedError as error:
            raise StreamEnded(Status.UNAVAILABLE, str(error)) from None

    async def close(self) -> None:
        """Let go of the server, with all streams."""
        self._is_closed = True
        for stream in list(self._streams):
            stream.close()

    async def _dial(self, method: str) -> ClientSide:
        if self._is_closed:
            raise StreamEnded(Status.UNAVAILABLE, "the connection is closed")
        request = f"GET {method} HTTP/1.1\r\n{self._head}\r\n".encode()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                transport, switching = await loop.create_connection(_Switching, self._host, self._port, ssl=self._tls)
                try:
                    transport.write(request)
                    stream = await switching.switched
                    self._streams.add(stream)
                    return stream
                except BaseException:
                    transport.abort()
                    raise
        except (OSError, TimeoutError) as error:
            reason = str(error) or "it did not answer in time"
            raise StreamEnded(Status.UNAVAILABLE, f"{self.target} can't be reached: {reason}") from None


class _Switching(asyncio.Protocol):
    """A connection until the server has answered the request to switch."""

    def __init__(self) -> None:
        self.switched: asyncio.Future[ClientSide] = asyncio.get_running_loop().create_future()
        self._head = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        head, found, rest = (self._head + data).partition(b"\r\n\r\n")
        self._head += data
        if self.switched.done() or (not found and len(self._head) < HEAD_BYTES):
            return
        line, *headers = head.decode("latin-1").split("\r\n")
        if not line.startswith("HTTP/1.1 101") or f"upgrade: {UPGRADE}" not in map(str.lower, headers):
            self.switched.set_exception(NotOfferedError(f"the answer to a request to switch was {line[:100]!r}"))
            return
        stream = ClientSide()
        self._transport.set_protocol(stream)
        stream.connection_made(self._transport)
        self.switched.set_result(stream)
        if rest:
            stream.data_received(rest)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.switched.done():
            self.switched.set_exception(ConnectionError(f"the connection was closed{f': {exc}' if exc else ''}"))
            with suppress(asyncio.CancelledError):
                self.switched.exception()
