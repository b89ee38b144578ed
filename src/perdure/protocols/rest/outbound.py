"""Requests that the server makes to others, and where it makes none: whoever may start runs must not reach, through
this server, what only this server can reach."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from perdure.model.errors import ApplicationError, InvalidArgumentError, PermissionDeniedError

SECONDS = 20.0

_METADATA = frozenset({ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200")})
"""Where clouds tell machines their secrets, besides the link-local 169.254.169.254."""


class Outbound:
    """Posts to other servers.

    Args:
        hosts: the only hosts to post to, such as ``hooks.example.com`` or ``*.example.com``; any without them. Addresses
            that are link-local, multicast, reserved or a cloud's metadata service are never posted to.
    """

    def __init__(self, hosts: Sequence[str] = ()) -> None:
        self._hosts = tuple(host.lower() for host in hosts)
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
            _refuse([host])
        except ValueError:
            pass  # a name; its addresses are looked at when there is something to post

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        """Post, and give the status of the answer. Redirects are not followed.

        Raises as ``check``, and ``ApplicationError`` if there is no answer.
        """
        import httpcore

        self.check(url)
        if self._pool is None:
            self._pool = httpcore.AsyncConnectionPool(
                network_backend=_backend(), ssl_context=ssl.create_default_context(), max_connections=100
            )
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), SECONDS)
        try:
            async with self._pool.stream(
                "POST",
                url,
                headers={**headers, "user-agent": "perdure"},
                content=body,
                extensions={"timeout": timeouts},
            ) as response:
                return int(response.status)
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            raise ApplicationError(f"{type(error).__name__}: {error}", type="NoAnswer") from None

    async def close(self) -> None:
        """Close what connections there are."""
        if self._pool is not None:
            await self._pool.aclose()


def _backend() -> Any:
    import httpcore

    class Backend(httpcore.AnyIOBackend):
        """Connects to the very address that was looked at, so that a name can't become another one in between."""

        async def connect_tcp(self, host: str, port: int, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
            try:
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
            except OSError as error:
                raise httpcore.ConnectError(f"there is no host {host}: {error}") from None
            addresses = [str(one[4][0]) for one in found]
            _refuse(addresses)
            return await super().connect_tcp(addresses[0], port, *args, **options)

    return Backend()


def _refuse(addresses: Iterable[str]) -> None:
    """Raise ``PermissionDeniedError`` if any of the addresses is one that is never posted to; ``ValueError`` for a name."""
    for text in addresses:
        address = ipaddress.ip_address(text.partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if (
            address.is_link_local
            or address.is_multicast
            or address.is_unspecified
            or (address.is_reserved and not address.is_loopback)
            or address in _METADATA
        ):
            raise PermissionDeniedError(
                f"The server does not post to {text}: it is link-local, reserved or of the cloud."
            )
