"""Processes that serve until they are told to stop: a server, a worker."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from perdure.app import Worker, connect
from perdure.app.config import Config
from perdure.cli.certificates import certificates
from perdure.cli.output import busy, note
from perdure.cli.values import visible
from perdure.model.errors import InvalidArgumentError, UnavailableError
from perdure.sdk.app import App

if TYPE_CHECKING:
    from perdure.app.temporal import DevServer

INTERRUPTED = 130
_TRY_AGAIN_SECONDS = 0.5


def run_until_stopped(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run ``main`` on an event loop. Its event is set by SIGTERM or Ctrl-C; the second of these ends the process."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_stoppable(main))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _stoppable(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    told = asyncio.Event()

    def stop() -> None:
        if told.is_set():
            # Whoever says it twice means it.
            sys.stderr.flush()
            os._exit(INTERRUPTED)
        told.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await main(told)


def log_to_stderr(level: str) -> None:
    """What a worker and its libraries report, from this level on."""
    from perdure.observability.logs import set_up_logging
    from perdure.security import redact_logs

    set_up_logging(level)
    redact_logs()


@asynccontextmanager
async def serving(config: Config, dev: "DevServer | None" = None) -> AsyncIterator[str]:
    """A server while the block lasts; its URL. It is printed once the server answers."""
    from perdure.app import serving as app

    for name in ("httpx", "httpcore", "uvicorn.error", "watchfiles.main"):
        # Of each request, and each look at the files.
        logging.getLogger(name).setLevel(logging.WARNING)
    async with AsyncExitStack() as stack:
        try:
            server = await stack.enter_async_context(app.serving(config, dev))
        except OSError as error:
            if error.filename is not None:
                raise
            raise InvalidArgumentError(
                f"The server can't listen at {config['rest_address']}: {os.strerror(error.errno or 0)}. Choose another "
                "address with --rest-address; port 0 takes any that is free."
            ) from None
        url = app.url_of(config, server)
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        note(f"Serves {config['store']} at {url}, workers at port {server.grpc_port}. Ctrl-C ends it.")
        if server.temporal_port:
            note(f"Temporal's SDKs connect to {config['temporal_address'].host}:{server.temporal_port}.")
        if server.stepfunctions_port:
            address = config["stepfunctions_address"]
            note(f"Step Functions' clients connect to http://{address.host}:{server.stepfunctions_port}.")
        yield url
        note("Ends; all that is unfinished waits in the store.")


def serve_apps(
    url: str, token: str, namespace: str, apps: Sequence[App], patience: float, parent: int, **options: Any
) -> None:
    """A worker for a server, until it is told to stop. Raises ``UnavailableError``, ``UnauthenticatedError`` ..."""

    from perdure.app.watching import tracing_of_environment

    async def work(told: asyncio.Event) -> None:
        with busy(f"Waiting for {url}") if patience else nullcontext():
            client = await _until(
                told, patience, lambda: connect(url, *apps, namespace=namespace, token=token, **certificates())
            )
        if client is None:
            return
        async with client, Worker(client, *apps, tracing=tracing_of_environment(), **options) as worker:
            types = sorted({name for app in apps for name in app.workflows})
            note(
                f"Serves {visible(', '.join(types)) or 'activities'} to {url}, namespace {namespace!r}. Ctrl-C ends it."
            )
            await worker.serve(_told_or_orphaned(told, parent) if parent else told.wait())
            note("Lets what runs end; Ctrl-C again ends at once.")

    log_to_stderr("warning")
    run_until_stopped(work)


async def _told_or_orphaned(told: asyncio.Event, parent: int) -> None:
    """A parent that was killed can't say so."""
    while not told.is_set() and os.getppid() == parent:
        try:
            async with asyncio.timeout(_TRY_AGAIN_SECONDS):
                await told.wait()
        except TimeoutError:
            pass


async def _until(told: asyncio.Event, patience: float, attempt: Callable[[], Awaitable[Any]]) -> Any:
    """The first success; None if told to stop before. Raises ``UnavailableError`` once patience has run out."""
    deadline = asyncio.get_running_loop().time() + patience
    while not told.is_set():
        try:
            return await attempt()
        except UnavailableError:
            if asyncio.get_running_loop().time() >= deadline:
                raise
        try:
            async with asyncio.timeout(_TRY_AGAIN_SECONDS):
                await told.wait()
        except TimeoutError:
            pass
    return None
