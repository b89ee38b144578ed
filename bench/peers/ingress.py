"""A client of Restate's HTTP ingress that costs next to nothing: one request at a time on a kept-alive connection.

It knows as much of HTTP/1.1 as that ingress speaks: every answer has a content-length. httpx and aiohttp know more,
and take the processor time that they need for it from the server under measurement.
"""

import asyncio
from typing import cast


class Ingress(asyncio.Protocol):
    """One connection, for `loop.create_connection(Ingress, host, port)`."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._received = b""

    def post(self, path: str, body: bytes) -> asyncio.Future[bytes]:
        """The body of the answer, to be awaited before the next request; ConnectionError if it is not a success."""
        if self._transport is None or self._answer is not None:
            raise ConnectionError("the connection is closed, or has a request in flight")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(
            b"POST %b HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
            % (path.encode(), len(body), body)
        )
        return self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are not registered as asyncio's

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self._finish(ConnectionError(self._received[:1000].decode(errors="replace")))
            return
        fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
        length = int(fields[b"content-length"])
        if len(body) >= length:
            self._received = body[length:]
            self._finish(body[:length])

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._finish(ConnectionError(f"the server closed the connection: {error}"))

    def _finish(self, outcome: bytes | ConnectionError) -> None:
        answer, self._answer = self._answer, None
        if answer is None or answer.done():
            return
        if isinstance(outcome, bytes):
            answer.set_result(outcome)
        else:
            answer.set_exception(outcome)
