"""What an operation is: one row of the table that routes, the OpenAPI document and the checks are all made from.

A handler gets a ``Call``, whose body and query have been read into their types, and returns its answer's type, or a
``Stream``. It raises ``PerdureError``s, which become problem documents.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Generic, Literal, TypeVar

import msgspec
from starlette.requests import Request

from perdure.model.access import Permission, Session
from perdure.model.ids import RunAddress
from perdure.model.service import Service
from perdure.protocols.rest.parts import Parts

B = TypeVar("B")
Q = TypeVar("Q")
T = TypeVar("T")

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No body, or no query parameters."""


NOTHING = Nothing()


class Call(Generic[B, Q]):
    """One request."""

    __slots__ = ("body", "idempotency_key", "operation", "parts", "path", "query", "request", "session", "status")

    def __init__(
        self,
        operation: "Operation",
        request: Request,
        parts: Parts,
        session: Session,
        path: dict[str, str],
        idempotency_key: str,
    ) -> None:
        self.operation = operation
        self.request = request
        self.parts = parts
        self.session = session
        self.path = path
        self.idempotency_key = idempotency_key
        self.status = 0
        """Of the answer, where it is not the usual one."""
        self.body: B
        self.query: Q

    @property
    def service(self) -> Service:
        """The engine, for this caller."""
        return self.session.service

    @property
    def namespace(self) -> str:
        """The namespace in the path."""
        return self.path["namespace"]

    @property
    def identity(self) -> str:
        """Who calls, for histories."""
        return self.session.principal.name

    @property
    def address(self) -> RunAddress:
        """The run that path and query name."""
        return RunAddress(self.path["namespace"], self.path["workflow_id"], getattr(self.query, "run_id", ""))

    @property
    def wants_stream(self) -> bool:
        """Whether the caller asks for server-sent events."""
        return "text/event-stream" in self.request.headers.get("accept", "")

    def require(self, permission: Permission) -> None:
        """For what is no operation of the service. Raises ``PermissionDeniedError``."""
        self.session.require(permission, self.namespace)

    async def perform(self, permission: Permission, work: Callable[[], Awaitable[T]], **details: Any) -> T:
        """Do what is no operation of the service and concerns others: once the caller may, and it is in the audit log.

        ``details`` go there, and with them what the path names. Raises ``PermissionDeniedError``, and what the work raises.
        """
        self.require(permission)
        done: T = await self.session.perform(self.operation.name, work, **self.path, **details)
        return done


class Sent(msgspec.Struct, frozen=True):
    """A server-sent event. ``data`` becomes JSON."""

    event: str
    data: Any
    id: str = ""


class Stream(msgspec.Struct, frozen=True):
    """An answer that goes on: events until the iterator ends or the caller is gone."""

    events: AsyncIterator[Sent]


class Document(msgspec.Struct, frozen=True):
    """An answer that is bytes of some other kind, or has a status of its own."""

    content: bytes = b""
    media_type: str = "application/json"
    status: int = 200


Handler = Callable[[Any], Awaitable[Any]]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """``answer`` is the type of what the handler returns, None for nothing; ``other_answers`` are types by further
    statuses. ``streams`` names the events that it can answer with instead. ``remembers``: what it does has no id of its
    own in the engine, so its answer is remembered by the idempotency key. ``is_public``: whoever calls need not be known.
    """

    method: Method
    path: str
    handler: Handler
    tag: str
    body: Any = None
    query: Any = Nothing
    answer: Any = None
    status: int = 200
    other_answers: dict[int, str] = {}
    streams: str = ""
    remembers: bool = False
    is_public: bool = False
    is_raw: bool = False
    """The handler reads the body itself."""

    @property
    def name(self) -> str:
        """Its name in the OpenAPI document."""
        return self.handler.__name__


class Operations:
    """The operations of one noun.

    Args:
        tag: what they are grouped by in the documentation.
    """

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.all: list[Operation] = []

    def add(self, method: Method, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """Decorates a handler; options are the fields of ``Operation``. The docstring's first line becomes the summary."""

        def declare(handler: Handler) -> Handler:
            self.all.append(Operation(method=method, path=path, handler=handler, tag=self.tag, **options))
            return handler

        return declare
