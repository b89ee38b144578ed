"""What of Nexus's messages is an agreement between Temporal's programs: read by those who know Temporal's messages."""

from collections.abc import Sequence
from typing import Protocol

from perdure.model.failures import Failure
from perdure.model.payloads import Payload


class Dialect(Protocol):
    """Reads and writes it."""

    def wrapped(self, payload: Payload) -> bytes | None:
        """A payload with its metadata, as the body of ``application/x-temporal-payload``; None if that can't be said."""
        ...

    def unwrapped(self, body: bytes) -> Payload | None:
        """What such a body holds; None if it makes no sense."""
        ...

    def failure(self, message: str, details: bytes) -> Failure | None:
        """A failure whose details, as JSON, are one of Temporal's; None if they make no sense."""
        ...

    def links(self, links: Sequence[tuple[str, str]]) -> tuple[bytes, ...]:
        """Links, given by URL and type, as they are stored."""
        ...


class Plain:
    """Knows none of it. Implements ``Dialect``."""

    def wrapped(self, payload: Payload) -> bytes | None:
        """As ``Dialect.wrapped``."""
        return None

    def unwrapped(self, body: bytes) -> Payload | None:
        """As ``Dialect.unwrapped``."""
        return None

    def failure(self, message: str, details: bytes) -> Failure | None:
        """As ``Dialect.failure``."""
        return None

    def links(self, links: Sequence[tuple[str, str]]) -> tuple[bytes, ...]:
        """As ``Dialect.links``."""
        return ()
