"""What is handed out and comes back: names of turns, of attempts, of queries, and places in histories and lists."""

from typing import TypeVar

import msgspec

from perdure.model.ids import RunAddress
from perdure.protocols.temporal.errors import Refused


class Token(msgspec.Struct, frozen=True, array_like=True):
    """Names something in a namespace. Each kind has a tag of its own, so that none is taken for another."""


class TurnToken(Token, frozen=True, array_like=True, tag="t"):
    """A workflow task."""

    namespace: str
    workflow_id: str
    run_id: str
    started_event_id: int
    attempt: int

    @property
    def address(self) -> RunAddress:
        """The run."""
        return RunAddress(self.namespace, self.workflow_id, self.run_id)


class ActivityToken(Token, frozen=True, array_like=True, tag="a"):
    """One attempt of an activity."""

    namespace: str
    workflow_id: str
    run_id: str
    scheduled_event_id: int
    attempt: int
    activity_id: str = ""

    @property
    def address(self) -> RunAddress:
        """The run."""
        return RunAddress(self.namespace, self.workflow_id, self.run_id)


class QueryToken(Token, frozen=True, array_like=True, tag="q"):
    """A query that waits for its answer."""

    namespace: str
    query_id: int


class HistoryToken(Token, frozen=True, array_like=True, tag="h"):
    """A place in a history: events after ``after`` come next, none after ``until`` if that is set."""

    run_id: str
    after: int
    until: int = 0


class PageToken(Token, frozen=True, array_like=True, tag="p"):
    """A place in a list."""

    cursor: str


T = TypeVar("T", bound=Token)

MALFORMED = "Failed to deserialize token."


def encode(token: Token) -> bytes:
    """As bytes that mean nothing to others."""
    return msgspec.msgpack.encode(token)


def decode(given: bytes, kind: type[T], namespace: str = "") -> T:
    """A token that came back. Raises ``Refused``: it is malformed, of another kind, or of another namespace."""
    try:
        token = msgspec.msgpack.decode(given, type=kind)
    except (msgspec.DecodeError, ValueError, TypeError):
        raise Refused.invalid(MALFORMED) from None
    if namespace and getattr(token, "namespace", namespace) != namespace:
        raise Refused.invalid("Token namespace doesn't match request namespace.")
    return token
