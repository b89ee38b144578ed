"""What an operation is: a row of the table from AWS's names to handlers.

A handler gets a ``Call`` and gives the answer as AWS's JSON has it. It raises ``Refusal``; the errors of the engine are
translated where they have one meaning, and else by ``application``.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from starlette.types import Receive

from perdure.model.access import Permission, Session
from perdure.model.service import Service
from perdure.protocols.stepfunctions.parts import Parts

T = TypeVar("T")

Answer = dict[str, Any]
Handler = Callable[["Call"], Awaitable[Answer]]


class Gone(Exception):
    """The caller has hung up: there is nobody to answer."""


class Call:
    """One request.

    Args:
        name: of the operation.
        body: as it was sent, once it has the operation's shape.
        account, region: on whose behalf, and where.
    """

    __slots__ = ("_receive", "account", "body", "name", "parts", "region", "session")

    def __init__(
        self,
        name: str,
        body: Mapping[str, Any],
        account: str,
        region: str,
        session: Session,
        parts: Parts,
        receive: Receive,
    ) -> None:
        self.name = name
        self.body = body
        self.account = account
        self.region = region
        self.session = session
        self.parts = parts
        self._receive = receive

    @property
    def service(self) -> Service:
        """The engine, for this caller."""
        return self.session.service

    @property
    def namespace(self) -> str:
        """Where executions run."""
        return self.parts.namespace

    @property
    def identity(self) -> str:
        """Who calls, for histories."""
        return self.session.principal.name

    def require(self, permission: Permission) -> None:
        """Raises ``PermissionDeniedError``."""
        self.session.require(permission, self.namespace)

    async def change(self, work: Callable[[], Awaitable[T]], arn: str) -> T:
        """Change the registry, on behalf of whoever may operate, once it is in the audit log."""
        self.require(Permission.OPERATE)
        result: T = await self.session.perform(self.name, work, namespace=self.namespace, arn=arn)
        return result

    async def within(self, seconds: float, awaitable: Awaitable[T]) -> T | None:
        """What is awaited, or None if it does not come in time or the server ends; then it is cancelled.

        Raises ``Gone`` when the caller hangs up, and what the awaitable raises.
        """
        wanted = asyncio.ensure_future(awaitable)
        gone = asyncio.ensure_future(self._hung_up())
        ending = asyncio.ensure_future(self.parts.closing.wait())
        try:
            await asyncio.wait({wanted, gone, ending}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if wanted.done():
                return wanted.result()
            if gone.done():
                raise Gone
            return None
        finally:
            for future in (wanted, gone, ending):
                future.cancel()

    async def _hung_up(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


class Operations:
    """The operations of one module."""

    def __init__(self) -> None:
        self.all: dict[str, Handler] = {}

    def add(self, name: str) -> Callable[[Handler], Handler]:
        """A decorator for the handler of an operation."""

        def added(handler: Handler) -> Handler:
            self.all[name] = handler
            return handler

        return added
