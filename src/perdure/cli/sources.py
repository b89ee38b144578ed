"""What the commands that only look ask: a store file or a server, by the same questions and with the same answers.

``Source`` is the part of ``Service`` that changes nothing. A server's service is one; ``FileSource`` answers from a file.
"""

import asyncio
import getpass
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

from perdure.cli.certificates import certificates
from perdure.cli.places import DEFAULT_SERVER, is_server
from perdure.model.errors import InvalidArgumentError, UnavailableError
from perdure.model.events import Event
from perdure.model.explanation import Explanation
from perdure.model.figures import Figures
from perdure.model.ids import RunAddress
from perdure.model.options import RunStatus
from perdure.model.service import HistoryPage, Namespace, RunCount, RunDescription, RunPage, Service

T = TypeVar("T")

PAGE = 500


class Source(Protocol):
    """See ``model.service.Service``, whose methods these are."""

    async def list(
        self,
        namespace: str,
        *,
        filter: str,
        statuses: Sequence[RunStatus],
        workflow_type: str,
        cursor: str,
        limit: int,
    ) -> RunPage:
        """A page of runs."""
        ...

    async def count(
        self, namespace: str, *, filter: str, statuses: Sequence[RunStatus], workflow_type: str
    ) -> RunCount:
        """How many runs there are."""
        ...

    async def describe(self, address: RunAddress) -> RunDescription:
        """Where a run stands."""
        ...

    async def explain(self, address: RunAddress) -> Explanation:
        """What it waits for."""
        ...

    async def history(self, address: RunAddress, *, after: int, limit: int, wait: bool) -> HistoryPage:
        """Its events."""
        ...

    async def namespaces(self) -> Sequence[Namespace]:
        """All of them."""
        ...

    async def statistics(self, days: int) -> Figures:
        """What the store holds."""
        ...


def look(place: str | None, server: str, token: str, question: Callable[[Source], Awaitable[T]]) -> T:
    """Ask the file or server that the command line names. Raises ``PerdureError``."""

    async def asked() -> T:
        async with _opened(place, server, token) as source:
            return await question(source)

    try:
        return asyncio.run(asked())
    except UnavailableError as error:
        if place is None and not server:
            raise UnavailableError(f"{error} Or name a store file first: perdure list perdure.db") from None
        raise


def ask(place: str | None, server: str, token: str, question: Callable[[Service], Awaitable[T]]) -> T:
    """Ask the server that the command line names, for what a file can't do. Raises ``PerdureError``."""
    url = server_of(place, server)

    async def asked() -> T:
        async with connected(url, token) as service:
            return await question(service)

    return asyncio.run(asked())


def identity() -> str:
    """Who asks, for histories: ``ada@workstation``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may know no name for its user
        user = "cli"
    return f"{user}@{socket.gethostname()}"


def server_of(place: str | None, server: str) -> str:
    """The URL of the server that the command line names. Raises ``InvalidArgumentError`` if that is a file."""
    if place is not None and not is_server(place):
        raise InvalidArgumentError(
            f"{place} is a store file, and those are only looked at; this is done by an engine. Start one with "
            f"perdure server --store {_url_of(place)}, and say it again without the file."
        )
    url = place or server or DEFAULT_SERVER
    if not is_server(url):
        raise InvalidArgumentError(
            f"--server {url!r} is no address of a server; write {DEFAULT_SERVER}, with http:// or https://."
        )
    return url


def _url_of(file: str) -> str:
    return file if file.startswith("sqlite:") else f"sqlite:///{file}"


@asynccontextmanager
async def _opened(place: str | None, server: str, token: str) -> AsyncIterator[Source]:
    if place is None or is_server(place):
        async with connected(server_of(place, server), token) as service:
            yield service
        return
    from perdure.cli import stores
    from perdure.cli.file_source import FileSource

    with stores.opened(place) as reader:
        yield FileSource(reader)


@asynccontextmanager
async def connected(url: str, token: str) -> AsyncIterator[Service]:
    """The service of a server. Raises ``UnavailableError``, ``UnauthenticatedError``."""
    from perdure.app import connect

    client = await connect(url, token=token, identity=identity(), **certificates())
    try:
        yield client.service
    finally:
        await client.close()


async def events(
    source: Source,
    address: RunAddress,
    *,
    after: int = 0,
    limit: int = 0,
    progress: Callable[[int], None] | None = None,
) -> list[Event]:
    """The events of one run with numbers above ``after``, at most ``limit`` of them (0: all). ``progress`` is told how many
    there are so far."""
    found: list[Event] = []
    while True:
        wanted = min(PAGE, limit - len(found)) if limit else PAGE
        last = found[-1].id if found else after
        page = await source.history(address, after=last, limit=wanted, wait=False)
        found += page.events
        if progress is not None:
            progress(len(found))
        if page.is_closed or not page.events or len(found) == limit:
            return found
