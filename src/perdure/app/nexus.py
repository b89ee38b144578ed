"""Nexus of a server: its endpoints, and what it has to do with others over HTTP."""

from collections.abc import Callable

from starlette.routing import Route

from perdure.engine.documents import Documents
from perdure.engine.operation_tokens import Seals
from perdure.engine.operations import Operations
from perdure.protocols.nexus import Calling, Dialect, Plain, callback_path, callback_route
from perdure.protocols.nexus.calling import Ask


class Nexus:
    """What is shared by those who ask for operations and those who say how they ended.

    Args:
        documents: where the tokens' key is kept: the store.
        operations: of the engine, with its endpoints.
        ask: makes HTTP requests.
        now: ns since 1970.
    """

    def __init__(self, documents: Documents, operations: Operations, ask: Ask, now: Callable[[], int]) -> None:
        self.endpoints = operations.endpoints
        self.seals = Seals(documents)
        self._operations = operations
        self._dialect = _dialect()
        self._base = ""
        self._calling = Calling(
            operations,
            self.endpoints,
            self.seals,
            ask,
            lambda namespace: f"{self._base}{callback_path(namespace)}",
            now,
            self._dialect,
        )

    def route(self) -> Route:
        """The page where others say how operations have ended."""
        return callback_route(self.seals, self._operations.answer, self._dialect)

    def open(self, base_url: str) -> None:
        """Begin to ask others. ``base_url`` is where they reach this server's REST interface."""
        self._base = base_url.rstrip("/")
        self._calling.open()

    async def close(self) -> None:
        """Ask nobody any more."""
        await self._calling.close()


def _dialect() -> Dialect:
    try:
        from perdure.protocols.temporal.nexus_dialect import TemporalDialect
    except ImportError:
        return Plain()
    return TemporalDialect()
