"""What this room needs of a store: somewhere for small durable things."""

from collections.abc import Sequence
from typing import Protocol


class Documents(Protocol):
    """The part of ``engine.ports.Store`` that keeps documents."""

    async def documents(self, kind: str) -> Sequence[tuple[str, bytes]]:
        """What was set of a kind: keys with data, in the keys' order."""
        ...

    async def set_document(self, kind: str, key: str, data: bytes | None) -> None:
        """Create or replace one; None removes it."""
        ...
