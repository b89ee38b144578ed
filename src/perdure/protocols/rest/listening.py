"""The REST interface on a socket: uvicorn, inside a loop that somebody else runs."""

import asyncio
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from perdure.protocols.rest.parts import Bounds
from perdure.protocols.rest.problems import MEDIA_TYPE, problem_of_http
from perdure.protocols.rest.waiting import Closing


class RestServer:
    """Listens until it is stopped.

    Args:
        app: the application.
        host, port: where; port 0 is any that is free, and ``port`` says which it became.
        bounds: how long a head may take.
        closing: is set first when it stops, so that those who wait are let go.
        uvicorn_options: of ``uvicorn.Config``, for TLS and proxies. Without any, no proxy is believed.
    """

    def __init__(
        self, app: ASGIApp, host: str, port: int, *, bounds: Bounds, closing: Closing, **uvicorn_options: Any
    ) -> None:
        self._closing = closing
        self._config = uvicorn.Config(
            app,
            http=_protocol(bounds.header_seconds),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            backlog=2048,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=10,
            **{"proxy_headers": False, **uvicorn_options},
        )
        self._server = _Server(self._config)
        self._host, self.port = host, port
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen. Raises ``OSError`` if the address can't be had."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._host, self.port))
        except BaseException:
            listener.close()
            raise
        self.port = listener.getsockname()[1]
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))
        # uvicorn offers nothing to wait for; it takes a few turns of the loop.
        while not self._server.started and not self._task.done():  # noqa: ASYNC110
            await asyncio.sleep(0)
        if self._task.done():
            await self._task

    async def stop(self) -> None:
        """Take nothing new, let go of those who wait, and finish what is under way."""
        if self._task is None:
            return
        self._closing.set()
        self._server.should_exit = True
        await self._task
        self._task = None


class _Server(uvicorn.Server):
    """Signals are somebody else's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def common_name(certificate: Mapping[str, Any] | None) -> str:
    """The common name in a certificate as ``SSLObject.getpeercert`` gives it; empty without one."""
    for group in (certificate or {}).get("subject", ()):
        for name, value in group:
            if name == "commonName":
                return str(value)
    return ""


def _protocol(header_seconds: float) -> type[HttpToolsProtocol]:
    """HTTP that closes a connection whose request head does not come: uvicorn itself would wait for ever."""

    class PunctualProtocol(HttpToolsProtocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            tls = transport.get_extra_info("ssl_object")
            if tls is not None and (name := common_name(tls.getpeercert())):
                # What uvicorn hands to each request of the connection as its state.
                self.app_state = {**self.app_state, "certificate": name}
            self._arm()

        def data_received(self, data: bytes) -> None:
            # On a connection that was kept alive the next head has as long, from its first byte on.
            if self._deadline is None and (self.cycle is None or self.cycle.response_complete):
                self._arm()
            super().data_received(data)

        def on_headers_complete(self) -> None:
            self._disarm()
            super().on_headers_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._disarm()
            super().connection_lost(exc)

        def send_400_response(self, msg: str) -> None:
            content = msgspec.json.encode(problem_of_http(400, msg))
            head = f"HTTP/1.1 400 Bad Request\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {len(content)}\r\n"
            self.transport.write(f"{head}connection: close\r\n\r\n".encode() + content)
            self.transport.close()

        def _arm(self) -> None:
            self._deadline = self.loop.call_later(header_seconds, self._give_up)

        def _disarm(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _give_up(self) -> None:
            self._deadline = None
            self.transport.close()

    return PunctualProtocol
