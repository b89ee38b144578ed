"""From settings to a server, its traces and its log."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from perdure.app.access import Access
from perdure.app.config import Config
from perdure.app.server import Server
from perdure.observability.logs import set_up_logging
from perdure.observability.tracing import Tracing
from perdure.security import redact_logs


@asynccontextmanager
async def serving(config: Config) -> AsyncIterator[Server]:
    """The server that the settings describe, open while the block lasts.

    Raises:
        InvalidArgumentError: a setting can't be used.
        StoreError: the store can't be.
        OSError: an address can't be.
    """
    endpoint = config["otlp_endpoint"]
    tracing = Tracing(endpoint, sample_ratio=config["trace_sample_percent"] / 100) if endpoint else None
    server = Server(
        config["store"],
        config.engine,
        rest_address=str(config["rest_address"]),
        grpc_address=str(config["grpc_address"]),
        access=Access.of(config),
        with_metrics=config["metrics"],
        tracing=tracing,
        callback_hosts=config["callback_hosts"],
    )
    try:
        await server.open()
        try:
            yield server
        finally:
            await server.close()
    finally:
        if tracing is not None:
            tracing.close()


def log_as(config: Config) -> None:
    """Log as the settings say, without secrets; what libraries tell of each request is left out."""
    set_up_logging(config["log_level"], config["log_format"])
    redact_logs()


def url_of(config: Config, server: Server) -> str:
    """What clients on this machine connect to."""
    host = config["rest_address"].host
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
    shown = everywhere.get(host, f"[{host}]" if ":" in host else host)
    scheme = "https" if config["tls_certificate"] else "http"
    return f"{scheme}://{shown}:{server.rest_port}"
