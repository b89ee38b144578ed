"""From settings to a server, its traces and its log."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from perdure.app.access import Access
from perdure.app.config import Config
from perdure.app.server import Server
from perdure.app.stepfunctions import StepFunctions
from perdure.app.temporal import DevServer, begin_dev
from perdure.app.watching import set_up_logs, tracing_of
from perdure.security import redact_logs


@asynccontextmanager
async def serving(config: Config, dev: DevServer | None = None) -> AsyncIterator[Server]:
    """The server that the settings describe, open while the block lasts. With ``dev`` it has the namespaces and search
    attributes that Temporal's development server would have.

    Raises:
        InvalidArgumentError: a setting can't be used.
        StoreError: the store can't be.
        OSError: an address can't be.
    """
    set_up_logs(config)
    redact_logs()
    allow_connections()
    tracing = tracing_of(config)
    server = Server(
        config["store"],
        config.engine,
        rest_address=str(config["rest_address"]),
        grpc_address=str(config["grpc_address"]),
        access=Access.of(config),
        with_metrics=config["metrics"],
        tracing=tracing,
        callback_hosts=config["callback_hosts"],
        public_url=config["public_url"],
        temporal_address=str(config["temporal_address"] or ""),
        stepfunctions=StepFunctions.of(config),
    )
    try:
        await server.open()
        try:
            if dev is not None:
                await begin_dev(server.service, dev)
            yield server
        finally:
            await server.close()
    finally:
        if tracing is not None:
            tracing.close()


def allow_connections() -> None:
    """Let this process have as many open files as the system allows: each worker and each client is up to two, and what
    systems begin with is often 1,024."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def url_of(config: Config, server: Server) -> str:
    """What clients on this machine connect to."""
    host = config["rest_address"].host
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
    shown = everywhere.get(host, f"[{host}]" if ":" in host else host)
    scheme = "https" if config["tls_certificate"] else "http"
    return f"{scheme}://{shown}:{server.rest_port}"
