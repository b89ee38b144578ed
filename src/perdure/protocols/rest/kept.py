"""Small durable things of a namespace, by name: kept in the store's documents, and in memory once they have been read."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Generic, Literal, Protocol, TypeVar
from urllib.parse import quote, unquote

import msgspec

from perdure.protocols.rest.asking import Asked, IdReuseWord, Name

T = TypeVar("T")

Expression = Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]
"""JMESPath."""


class Documents(Protocol):
    """Where small durable things are kept; a store."""

    async def documents(self, kind: str) -> Sequence[tuple[str, bytes]]:
        """What was set of a kind, by key."""
        ...

    async def set_document(self, kind: str, key: str, data: bytes | None) -> None:
        """Create or replace one; None removes it."""
        ...


class SigningSecret(msgspec.Struct, frozen=True):
    """As it is kept. Until ``previous_until`` (seconds since 1970) the one before is good too."""

    secret: str
    created: float
    previous: str = ""
    previous_until: float = 0.0

    def good(self, now: float) -> list[str]:
        """Those that may be used now, the newest first."""
        return [self.secret, self.previous] if self.previous and now < self.previous_until else [self.secret]


class Webhook(Asked):
    """What a webhook does with a message that is signed with ``secret``.

    All but names are JMESPath expressions over its body: ``workflow_id`` (without it, the message's id makes one), each of
    ``input``, and the values of ``memo`` and ``search_attributes``. ``when``: messages for which it is false or null are
    accepted and ignored. With ``action`` "start" ``workflow_type`` is needed, with "signal" ``signal_name`` and
    ``workflow_id``, with "signal_with_start" both names. Messages more than ``tolerance_seconds`` old are refused.
    """

    secret: Name
    action: Literal["start", "signal", "signal_with_start"] = "start"
    workflow_type: Annotated[str, msgspec.Meta(max_length=1_000)] = ""
    task_queue: Name = "default"
    signal_name: Annotated[str, msgspec.Meta(max_length=1_000)] = ""
    workflow_id: Expression | None = None
    input: Annotated[list[Expression], msgspec.Meta(max_length=100)] = msgspec.field(default_factory=lambda: ["@"])
    memo: dict[Name, Expression] = {}
    search_attributes: dict[Name, Expression] = {}
    when: Expression | None = None
    id_reuse: IdReuseWord = "allow"
    tolerance_seconds: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 300


class Kept(Generic[T]):
    """All of one kind. Only this process writes them."""

    def __init__(self, documents: Documents, kind: str, type: type[T]) -> None:
        self._documents = documents
        self._kind = kind
        self._decode = msgspec.json.Decoder(type).decode
        self._known: dict[tuple[str, str], T] | None = None

    async def all(self, namespace: str) -> Mapping[str, T]:
        """Those of a namespace, by name."""
        known = await self._all()
        return {name: known[space, name] for space, name in sorted(known) if space == namespace}

    async def get(self, namespace: str, name: str) -> T | None:
        """One of them."""
        return (await self._all()).get((namespace, name))

    async def put(self, namespace: str, name: str, value: T | None) -> None:
        """Keep one, or remove it."""
        known = await self._all()
        data = None if value is None else msgspec.json.encode(value)
        await self._documents.set_document(self._kind, f"{quote(namespace, '')}/{quote(name, '')}", data)
        if value is None:
            known.pop((namespace, name), None)
        else:
            known[namespace, name] = value

    async def _all(self) -> dict[tuple[str, str], T]:
        if self._known is None:
            found = {}
            for key, data in await self._documents.documents(self._kind):
                namespace, _, name = key.partition("/")
                found[unquote(namespace), unquote(name)] = self._decode(data)
            self._known = self._known or found
        return self._known
