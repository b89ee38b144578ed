"""Requests that the server makes to others, and where it makes none: whoever may start runs must not reach, through
this server, what only this server can reach."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from perdure.model.errors import ApplicationError, InvalidArgumentError, PermissionDeniedError

SECONDS = 20.0
ASKED_SECONDS = 60.0
MOST_ASKED_BYTES = 8 * 1024 * 1024

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")

_METADATA = frozenset({ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200")})
"""Where clouds tell machines their secrets, besides the link-local 169.254.169.254."""


class Outbound:
    """Posts to other servers.

    Args:
        hosts: the only hosts to post to, such as ``hooks.example.com`` or ``*.example.com``; any without them. Addresses
            that are link-local, multicast, reserved or a cloud's metadata service are never posted to.
        with_loopback: whether this machine itself may be posted to also if ``hosts`` does not name it.
    """

    def __init__(self, hosts: Sequence[str] = (), *, with_loopback: bool = True) -> None:
        self._hosts = tuple(host.lower() for host in hosts)
        self._with_loopback = with_loopback
        self._pool: Any = None

    def check(self, url: str) -> None:
        """Raise ``InvalidArgumentError`` for what is no URL to post to, ``PermissionDeniedError`` for a host that is not
        allowed."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            parts, host = urlsplit(""), None
        if parts.scheme not in ("http", "https") or not host or not url.isascii() or not url.isprintable():
            raise InvalidArgumentError(f"{url!r:.200} is no URL to post to; it looks like https://example.com/hook")
        if parts.username is not None or parts.password is not None:
            raise InvalidArgumentError("A URL to post to has no user and no password: it is shown in histories.")
        if self._hosts and not any(fnmatchcase(host.lower(), pattern) for pattern in self._hosts):
            raise PermissionDeniedError(f"The server does not post to {host!r:.200}: see the setting callback_hosts.")
        try:
            self._refuse(host, [host])
        except ValueError:
            pass  # a name; its addresses are looked at when there is something to post

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        """Post, and give the status of the answer. Redirects are not followed.

        Raises as ``check``, and ``ApplicationError`` if there is no answer.
        """
        async with self._answer("POST", url, headers, body, SECONDS) as response:
            return int(response.status)

    async def ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, str, list[tuple[str, str]], bytes]:
        """Make a request, and give the answer's status, its reason, headers and body. Redirects are not followed.

        Raises as ``post``, also for an answer of more than ``MOST_ASKED_BYTES``.
        """
        async with self._answer(method, url, headers, body, ASKED_SECONDS) as response:
            content = bytearray()
            async for part in response.aiter_stream():
                content += part
                if len(content) > MOST_ASKED_BYTES:
                    raise ApplicationError(f"The answer has more than {MOST_ASKED_BYTES} bytes", type="NoAnswer")
            found = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers]
            reason = response.extensions.get("reason_phrase", b"").decode("latin-1")
            return int(response.status), reason, found, bytes(content)

    @asynccontextmanager
    async def _answer(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, seconds: float
    ) -> AsyncIterator[Any]:
        import httpcore

        self.check(url)
        if self._pool is None:
            self._pool = httpcore.AsyncConnectionPool(
                network_backend=_backend(self._refuse), ssl_context=ssl.create_default_context(), max_connections=100
            )
        try:
            async with self._pool.stream(
                method,
                url,
                headers={"user-agent": "perdure", **headers},
                content=body,
                extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), seconds)},
            ) as response:
                yield response
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            raise ApplicationError(f"{type(error).__name__}: {error}", type="NoAnswer") from None

    def _refuse(self, host: str, addresses: Iterable[str]) -> None:
        """Raise ``PermissionDeniedError`` if any of a host's addresses is not posted to; ``ValueError`` for a name."""
        is_named = host.lower() in self._hosts
        for text in addresses:
            for address in _meant(ipaddress.ip_address(text.partition("%")[0])):
                if address.is_loopback:
                    if not (self._with_loopback or is_named):
                        raise PermissionDeniedError(
                            f"The server does not post to {text}, its own machine, unless the setting callback_hosts names {host!r:.200}."
                        )
                elif (
                    address.is_link_local
                    or address.is_multicast
                    or address.is_unspecified
                    or address.is_reserved
                    or address in _METADATA
                ):
                    raise PermissionDeniedError(
                        f"The server does not post to {text}: it is link-local, reserved or of the cloud."
                    )

    async def close(self) -> None:
        """Close what connections there are."""
        if self._pool is not None:
            await self._pool.aclose()


def _backend(refuse: Callable[[str, Iterable[str]], None]) -> Any:
    import httpcore

    class Backend(httpcore.AnyIOBackend):
        """Connects to the very address that was looked at, so that a name can't become another one in between."""

        async def connect_tcp(self, host: str, port: int, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
            try:
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
            except OSError as error:
                raise httpcore.ConnectError(f"there is no host {host}: {error}") from None
            addresses = [str(one[4][0]) for one in found]
            refuse(host, addresses)
            return await super().connect_tcp(addresses[0], port, *args, **options)

    return Backend()


def _meant(address: Address) -> Iterator[Address]:
    """An address, and the IPv4 one within it if it leads there."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            yield address.ipv4_mapped
            return
        if address.sixtofour is not None:
            yield address.sixtofour
        if address.teredo is not None:
            yield from address.teredo
        if address in _NAT64:
            yield ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    yield address
