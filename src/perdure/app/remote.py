"""A server elsewhere: clients that connect to it, and workers that serve their apps to it."""

import asyncio
import json
import logging
import os
import ssl
from collections.abc import Awaitable, Iterable, Mapping
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from perdure.model.errors import InvalidArgumentError, UnauthenticatedError, UnavailableError
from perdure.model.options import (
    DEFAULT_DEADLOCK_TIMEOUT,
    DEFAULT_MAX_ASYNC,
    DEFAULT_MAX_THREADS,
    DEFAULT_MAX_TURNS,
    DEFAULT_NAMESPACE,
)
from perdure.sdk.durations import Duration, to_seconds

if TYPE_CHECKING:
    import grpc

    from perdure.observability.tracing import Tracing
    from perdure.protocols.worker.streams import Carrier
    from perdure.sdk.app import App
    from perdure.sdk.client import Client

log = logging.getLogger("perdure.worker")

DEFAULT_SERVER = "http://127.0.0.1:7420"

OK, UNAUTHORIZED = 200, 401
ABOUT_SECONDS = 5.0
MOST_ABOUT_BYTES = 1 << 20


async def connect(
    url: str = DEFAULT_SERVER,
    *apps: "App",
    namespace: str = DEFAULT_NAMESPACE,
    token: str = "",
    ca: str = "",
    certificate: str = "",
    key: str = "",
    identity: str | None = None,
    tracing: "Tracing | None" = None,
) -> "Client":
    """A client of a server. It is the same client as an embedded one, and goes on through restarts of the server.

    Args:
        url: of the server: ``http://host:7420`` or ``https://...``; ``grpc://host:7421``, or ``grpcs://`` with TLS, goes
            to it over gRPC, which is slower.
        apps: where workflows given by name are looked up for the types of their results.
        namespace: that the client works in.
        token: who is calling; not needed for a server on this machine that lets everybody in.
        ca: with ``https``, a PEM file of those who may have issued the server's certificate; without it that of
            ``SSL_CERT_FILE`` in the environment, or those the system trusts.
        certificate, key: with ``https``, PEM files of the client's own certificate, for a server that asks for one.
        identity: who this is, in histories; process id and host name without it.
        tracing: gets the spans of the client's calls; a ``perdure.Tracing``.

    Returns:
        The client. Close it with ``await client.close()``, or use it with ``async with``.

    Raises:
        InvalidArgumentError: the URL can't be used.
        UnavailableError: nobody answers there.
        UnauthenticatedError: the server does not know the token.
    """
    from perdure.protocols.worker.connection import Connection
    from perdure.sdk.client import Client

    tls = ClientTls(ca, certificate, key) if urlsplit(url).scheme in ("https", "grpcs") else None
    connection = Connection(await _carrier(url, token, tls))
    service = connection.service if tracing is None else tracing.traced(connection.service)
    return Client(service, namespace=namespace, apps=apps, identity=identity, close=connection.close)


class ClientTls:
    """Whom a client trusts, and who it says it is. Raises ``InvalidArgumentError`` if a file can't be used."""

    def __init__(self, ca: str = "", certificate: str = "", key: str = "") -> None:
        if bool(certificate) != bool(key):
            raise InvalidArgumentError("A client's certificate needs its key, and the key its certificate: give both.")
        for what, path in (("of issuers", ca), ("with a certificate", certificate), ("with a key", key)):
            if path and not Path(path).is_file():
                raise InvalidArgumentError(f"There is no file {path} {what}, for TLS.")
        self._ca = ca or os.environ.get("SSL_CERT_FILE", "")
        self._certificate, self._key = certificate, key

    def context(self) -> ssl.SSLContext:
        """For HTTP."""
        try:
            context = ssl.create_default_context(cafile=self._ca or None)
            if self._certificate:
                context.load_cert_chain(self._certificate, self._key, password=lambda: b"")
        except (OSError, ssl.SSLError) as error:
            raise InvalidArgumentError(f"The certificates for TLS can't be used: {error}.") from None
        return context

    def grpc_credentials(self) -> "grpc.ChannelCredentials":
        """For gRPC."""
        import grpc

        def content(path: str) -> bytes | None:
            return Path(path).read_bytes() if path else None

        # Those that the system trusts; gRPC itself would bring a list of its own.
        known = content(self._ca) or content(ssl.get_default_verify_paths().cafile or "")
        return grpc.ssl_channel_credentials(known, content(self._key), content(self._certificate))


async def _carrier(url: str, token: str, tls: ClientTls | None) -> "Carrier":
    """The way to a server: a connection of its REST interface, or gRPC where that is asked for or all there is."""
    parts = urlsplit(url)
    if parts.scheme in ("grpc", "grpcs") and parts.netloc and not parts.path:
        return await _over_grpc(parts.netloc, token, tls)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidArgumentError(f"{url!r} is not the URL of a server; it looks like {DEFAULT_SERVER}")
    about = await _about(url, f"{parts.scheme}://{parts.netloc}", token, tls)
    if about.get("upgrade"):
        from perdure.protocols.worker.dial import FramedCarrier, NotOfferedError

        port = parts.port or (443 if tls is not None else 80)
        framed = FramedCarrier(
            parts.hostname, port, parts.netloc.rpartition("@")[2], token, None if tls is None else tls.context()
        )
        try:
            await framed.open()
            return framed
        except NotOfferedError as error:
            log.info("Going on over gRPC: %s", error)
    return await _over_grpc(f"{parts.hostname}:{int(about['grpc_port'])}", token, tls)


async def _over_grpc(target: str, token: str, tls: ClientTls | None) -> "Carrier":
    from perdure.protocols.worker.over_grpc import GrpcCarrier

    carrier = GrpcCarrier(target, token, None if tls is None else tls.grpc_credentials())
    await carrier.open()
    return carrier


async def _about(url: str, base: str, token: str, tls: ClientTls | None) -> dict[str, Any]:
    """What a server says about itself."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    context = None if tls is None else tls.context()
    try:
        status, body = await asyncio.to_thread(_get, base, headers, context)
        about = json.loads(body)
        if status == UNAUTHORIZED:
            raise UnauthenticatedError(str(about["detail"]))
        if status != OK:
            raise ValueError(f"status {status}")
        int(about["grpc_port"])
        return dict(about)
    except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
        raise UnavailableError(
            f"No Perdure server answers at {url} ({str(error) or type(error).__name__}). Check the address, and that the "
            "server runs: perdure server"
        ) from None


def _get(base: str, headers: Mapping[str, str], context: ssl.SSLContext | None) -> tuple[int, bytes]:
    """One small answer, by the standard library: a client library of HTTP takes longer to load than a command to run."""
    parts = urlsplit(base)
    assert parts.hostname is not None
    connection = (
        HTTPConnection(parts.hostname, parts.port, timeout=ABOUT_SECONDS)
        if context is None
        else HTTPSConnection(parts.hostname, parts.port, timeout=ABOUT_SECONDS, context=context)
    )
    try:
        connection.request("GET", "/api/v1/server", headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read(MOST_ABOUT_BYTES)
    finally:
        connection.close()


class Worker:
    """Runs apps for a server, in this process. Use it with ``async with``; leaving the block drains it.

    Args:
        client: of ``perdure.connect``; its namespace is the worker's.
        apps: whose workflows and activities it runs.
        task_queues: the queues it serves; all that its apps name without this.
        identity: who this is, in histories; process id and host name without it.
        max_async: how many ``async`` activities may run at once.
        max_threads: how many activities may run in threads at once.
        max_processes: how many may run in child processes at once; None for one per processor.
        max_turns: how many turns of workflows it may have in hand.
        deadlock_timeout: how long one turn of a workflow may take; a timedelta or seconds, None for no limit.
        grace: how long leaving waits for activities that run; a timedelta or seconds.
        labels: what this worker is, by name: what ``affinity`` of activities and workflows asks for. Whoever lists the
            workers sees it.
        max_cpu: how much of the machine's processors may be in use, from 0 to 1; above it this worker offers fewer
            slots, below it all of them again. None does not matter. Needs psutil, as ``max_memory`` does.
        max_memory: the same of its memory.
        tracing: gets the spans of attempts of activities; a ``perdure.Tracing``.
        tune_interpreter: while this is open, let Python's garbage collector look at long-lived objects less often, and
            let threads take turns more often, as ``perdure.open`` does.

    Raises:
        InvalidArgumentError: the client has no connection, or an app or a setting can't be used.
    """

    def __init__(
        self,
        client: "Client",
        *apps: "App",
        task_queues: Iterable[str] | None = None,
        identity: str | None = None,
        max_async: int = DEFAULT_MAX_ASYNC,
        max_threads: int = DEFAULT_MAX_THREADS,
        max_processes: int | None = None,
        max_turns: int = DEFAULT_MAX_TURNS,
        deadlock_timeout: Duration | None = DEFAULT_DEADLOCK_TIMEOUT,
        grace: Duration = 10.0,
        labels: Mapping[str, str] | None = None,
        max_cpu: float | None = None,
        max_memory: float | None = None,
        tracing: "Tracing | None" = None,
        tune_interpreter: bool = True,
    ) -> None:
        from perdure.protocols.worker.connection import connection_of
        from perdure.protocols.worker.resources import ResourceLimits
        from perdure.protocols.worker.runner import Runner
        from perdure.sdk.worker import LocalWorker

        self._host = LocalWorker(
            apps,
            task_queues=task_queues,
            identity=identity,
            max_async=max_async,
            max_threads=max_threads,
            max_processes=max_processes,
            deadlock_timeout=deadlock_timeout,
            tracing=tracing,
            labels=labels,
        )
        if not apps:
            raise InvalidArgumentError("A worker needs at least one app: perdure.Worker(client, app)")
        self._grace_seconds = to_seconds(grace)
        self._limits = ResourceLimits(max_cpu, max_memory)
        self._keeping: asyncio.Task[None] | None = None
        self._tunes_interpreter = tune_interpreter
        self._stack = ExitStack()
        self._runner = Runner(connection_of(client.service), self._host, client.namespace, max_turns, self._host.labels)

    async def open(self) -> None:
        """Connect and begin. Raises ``UnauthenticatedError``, ``PermissionDeniedError``."""
        from perdure.protocols.worker import resources

        self._host.open(self._runner.report)
        await self._runner.open()
        if self._tunes_interpreter:
            from perdure.app.embedded import tuned

            self._stack.enter_context(tuned())
        if self._limits.are_set:
            keeping = resources.keep_within(self._limits, self._runner.offer, resources.machine)
            self._keeping = asyncio.create_task(keeping)

    async def close(self) -> None:
        """Take nothing more, let what runs end for up to ``grace``, hand it in, and disconnect."""
        if self._keeping is not None:
            self._keeping.cancel()
        await self._runner.drain()
        if not await self._host.drain(self._grace_seconds):
            log.warning("%d activities still ran when the worker was closed", self._host.running_count)
        await self._host.close()
        await self._runner.handed_in(5.0)
        await self._runner.close()
        self._stack.close()

    async def run(self) -> None:
        """Serve until cancelled. Raises as ``serve``."""
        async with self:
            await self.serve(asyncio.Event().wait())

    async def serve(self, until: Awaitable[object]) -> None:
        """Serve until something is done, such as ``asyncio.Event().wait()``. The worker must be open.

        Raises:
            UnauthenticatedError: the server no longer knows its token.
            PermissionDeniedError: the token may no longer work in this namespace.
        """
        await self._runner.serve(until)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


__all__ = ["DEFAULT_SERVER", "Worker", "connect"]
