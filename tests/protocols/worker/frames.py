"""Framed streams by hand, as another language would speak them; to its user a stream is like one of gRPC."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import grpc

HEAD = "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: perdure-stream\r\n{more}\r\n"


class Frames:
    """A connection that has switched, or not."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.answer = b""

    @classmethod
    async def connect(cls, port: int, path: str, more: str = "", **options: Any) -> "Frames":
        """Ask to switch; the answer is read."""
        frames = cls(*await asyncio.open_connection("127.0.0.1", port, **options))
        frames.writer.write(HEAD.format(path=path, more=more).encode())
        frames.answer = await frames.reader.readuntil(b"\r\n\r\n")
        return frames

    def send(self, content: bytes, flags: int = 0) -> None:
        """A frame."""
        self.writer.write(bytes((flags,)) + len(content).to_bytes(4, "big") + content)

    async def receive(self) -> tuple[int, bytes]:
        """The next frame: its flags and what is in it. Raises ``IncompleteReadError`` at the end of the connection."""
        prefix = await asyncio.wait_for(self.reader.readexactly(5), 10)
        return prefix[0], await self.reader.readexactly(int.from_bytes(prefix[1:], "big"))

    async def end(self) -> dict[str, str]:
        """What the server says last; batches before that are skipped."""
        while True:
            flags, content = await self.receive()
            if flags == 0x80:
                lines = content.decode().splitlines()
                return {name: unquote(value.strip()) for name, _, value in (line.partition(":") for line in lines)}

    def close(self) -> None:
        """Hang up."""
        self.writer.close()


class FramedChannel:
    """As ``grpc.aio.Channel``, as far as tests need it."""

    def __init__(self, port: int) -> None:
        self._port = port

    def stream_stream(
        self,
        method: str,
        request_serializer: Callable[[Any], bytes] = bytes,
        response_deserializer: Callable[[bytes], Any] = bytes,
    ) -> Callable[[], "FramedCall"]:
        """As gRPC's."""
        return lambda: FramedCall(self._port, method, request_serializer, response_deserializer)


class FramedCall:
    """As ``grpc.aio.StreamStreamCall``, as far as tests need it."""

    def __init__(
        self, port: int, method: str, serialize: Callable[[Any], bytes], deserialize: Callable[[bytes], Any]
    ) -> None:
        self._connecting = asyncio.ensure_future(Frames.connect(port, method))
        self._serialize, self._deserialize = serialize, deserialize
        self._end = {"grpc-status": "14", "grpc-message": "the connection was closed"}

    async def write(self, message: Any) -> None:
        """Send a batch."""
        (await self._connecting).send(self._serialize(message))

    async def read(self) -> Any:
        """The next batch that says something."""
        frames = await self._connecting
        try:
            while True:
                flags, content = await frames.receive()
                if flags == 0x80:
                    lines = content.decode().splitlines()
                    self._end = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
                    return grpc.aio.EOF
                if content:
                    return self._deserialize(content)
        except (asyncio.IncompleteReadError, ConnectionError):
            return grpc.aio.EOF

    async def code(self) -> grpc.StatusCode:
        """How it ended."""
        return next(code for code in grpc.StatusCode if code.value[0] == int(self._end["grpc-status"]))

    async def details(self) -> str:
        """Why."""
        return unquote(self._end["grpc-message"])

    def cancel(self) -> None:
        """Hang up."""
        if self._connecting.done():
            self._connecting.result().close()
        else:
            self._connecting.cancel()
