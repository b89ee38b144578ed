"""What is handed out and comes back: names of turns, of attempts, of queries, and places in histories and lists."""

from collections.abc import Mapping
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

MALFORMED = "Error deserializing task token."
MALFORMED_PLACE = "Invalid NextPageToken."

TASKS = TurnToken | ActivityToken | QueryToken
GONE: Mapping[type[Token], str] = {
    TurnToken: "Workflow task not found.",
    ActivityToken: "invalid activityID or activity already timed out or invoking workflow is completed",
    QueryToken: "query task not found, or already expired",
}


def encode(token: Token) -> bytes:
    """As bytes that mean nothing to others."""
    return msgspec.msgpack.encode(token)


def decode(given: bytes, kind: type[T], namespace: str = "") -> T:
    """A token that came back. Raises ``Refused``: it is malformed, of another kind, or of another namespace."""
    if not given:
        raise Refused.invalid("Task token not set on request.")
    try:
        token = msgspec.msgpack.decode(given, type=kind)
    except (msgspec.DecodeError, ValueError, TypeError):
        raise _not_such(given, kind) from None
    if namespace and getattr(token, "namespace", namespace) != namespace:
        raise Refused.invalid("Token namespace doesn't match request namespace.")
    return token


def _not_such(given: bytes, kind: type[Token]) -> Refused:
    """A token of another kind of task names no task of this kind."""
    if kind not in GONE:
        return Refused.invalid(MALFORMED_PLACE)
    try:
        msgspec.msgpack.decode(given, type=TASKS)
    except (msgspec.DecodeError, ValueError, TypeError):
        return Refused.invalid(MALFORMED)
    return Refused.not_found(GONE[kind])
