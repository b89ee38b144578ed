"""The REST interface on a socket: uvicorn, inside a loop that somebody else runs."""

import asyncio
import socket
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
import uvicorn
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from perdure.model.access import Credentials
from perdure.protocols.rest.parts import Bounds
from perdure.protocols.rest.problems import MEDIA_TYPE, problem_of_http
from perdure.protocols.rest.waiting import Closing


class Switch(NamedTuple):
    """A protocol that a connection can ask to switch to (RFC 9110, 7.8). Who is let in is for that protocol to say."""

    name: str
    paths: Collection[str]
    begin: Callable[[str, Credentials], asyncio.Protocol]
    """What goes on with the connection, by the path and by who asks. It is told that it has the connection at once."""


class RestServer:
    """Listens until it is stopped.

    Args:
        app: the application.
        host, port: where; port 0 is any that is free, and ``port`` says which it became.
        bounds: how long a head may take.
        closing: is set first when it stops, so that those who wait are let go.
        switch: what connections can be switched to.
        uvicorn_options: of ``uvicorn.Config``, for TLS and proxies. Without any, no proxy is believed.
    """

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        *,
        bounds: Bounds,
        closing: Closing,
        switch: Switch | None = None,
        **uvicorn_options: Any,
    ) -> None:
        self._closing = closing
        self._config = uvicorn.Config(
            app,
            http=_protocol(bounds.header_seconds, switch),
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
        # With the protocol said, asyncio turns Nagle's algorithm off for what is accepted: else a second small message waits
        # for the first to be acknowledged, up to 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
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


def _protocol(header_seconds: float, switch: Switch | None) -> type[HttpToolsProtocol]:
    """HTTP that closes a connection whose request head does not come, for which uvicorn itself would wait for ever; and
    that switches to another protocol, as uvicorn does to WebSocket alone."""

    class PunctualProtocol(HttpToolsProtocol):
        _deadline: asyncio.TimerHandle | None = None
        _switches = False

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
            self._switches = switch is not None and self._asks_for(switch)
            super().on_headers_complete()

        def _asks_for(self, switch: Switch) -> bool:
            is_free = self.cycle is None or self.cycle.response_complete
            name = self._get_upgrade() if is_free and self.parser.should_upgrade() else None
            return name == switch.name.encode() and self.url.decode("latin-1") in switch.paths

        def _caller(self) -> str:
            """Where the request comes from; before a proxy that is believed, what that says."""
            host = self.client[0] if self.client else ""
            proxies = self.app
            if isinstance(proxies, ProxyHeadersMiddleware) and host in proxies.trusted_hosts:
                said = b", ".join(value for name, value in self.headers if name == b"x-forwarded-for")
                host = proxies.trusted_hosts.get_trusted_client_address(said.decode("latin-1"))[0] or host
            return host

        # uvicorn asks the first about any upgrade, and has its WebSockets begin in the second.

        def _should_upgrade(self) -> bool:
            return self._switches

        def handle_websocket_upgrade(self) -> None:
            assert switch is not None
            headers = dict(self.headers)
            credentials = Credentials(
                headers.get(b"authorization", b"").decode("latin-1"),
                self.app_state.get("certificate", ""),
                self._caller(),
            )
            protocol = switch.begin(self.url.decode("latin-1"), credentials)
            self.connections.discard(self)
            head = f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {switch.name}\r\n\r\n"
            self.transport.write(head.encode())
            self.transport.set_protocol(protocol)
            protocol.connection_made(self.transport)

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
