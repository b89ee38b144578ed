"""Small durable things by name: kept in the store's documents, and in memory once they have been read."""

from collections.abc import Mapping, Sequence
from typing import Generic, Protocol, TypeVar
from urllib.parse import quote, unquote

import msgspec

T = TypeVar("T")


class Documents(Protocol):
    """Where small durable things are kept; a store."""

    async def documents(self, kind: str) -> Sequence[tuple[str, bytes]]:
        """What was set of a kind, by key."""
        ...

    async def set_document(self, kind: str, key: str, data: bytes | None) -> None:
        """Create or replace one; None removes it."""
        ...


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
