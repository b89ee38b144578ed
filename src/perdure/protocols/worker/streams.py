"""What a stream is, whatever carries it: batches of messages both ways, let in by the server and ended with a status.

Two things carry them: gRPC, for every language, and frames on a connection of the REST interface (``framed``), for those
who want to be quicker. Both carry the same messages, and statuses have gRPC's numbers.
"""

from collections.abc import Awaitable, Callable, Sequence
from enum import IntEnum
from typing import Protocol

from perdure.model.access import Credentials
from perdure.model.errors import (
    InvalidArgumentError,
    LimitExceededError,
    PerdureError,
    PermissionDeniedError,
    UnauthenticatedError,
    UnavailableError,
)

WORK = "/perdure.worker.v1.Worker/Work"
CALL = "/perdure.worker.v1.Client/Call"

DEFAULT_MESSAGE_BYTES = 64 << 20

Hear = Callable[[bytes], Awaitable[None] | None]
"""Takes a batch. It may return something to wait for before the next one is read."""


class Status(IntEnum):
    """How a stream ended; those of gRPC that are used here."""

    OK = 0
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


class StreamEnded(Exception):
    """The other side, or what is between, has ended the stream; not well, unless ``status`` is OK."""

    def __init__(self, status: Status, details: str) -> None:
        super().__init__(f"{status.name}: {details}")
        self.status = status
        self.details = details or status.name


class Stream(Protocol):
    """One side of a stream."""

    def say(self, message: bytes) -> None:
        """Send a message with the next batch, in order: a ``FromWorker``, ``ToWorker``, ``Call`` or ``Answer``."""
        ...

    async def listen(self, hear: Hear) -> None:
        """Hand over batches until the other side ends well. Raises ``StreamEnded`` if it ends otherwise, and what ``hear``
        raises."""
        ...

    def close(self) -> None:
        """Break it off."""
        ...


class ClientStream(Stream, Protocol):
    """The side of who has called."""

    async def admitted(self) -> None:
        """Wait until the server lets this stream in. Raises ``StreamEnded`` if it does not."""
        ...


class ServerStream(Stream, Protocol):
    """The side of who was called."""

    @property
    def credentials(self) -> Credentials:
        """Of the caller."""
        ...

    async def admit(self) -> None:
        """Tell the caller that it is let in."""
        ...

    async def end(self, status: Status, details: str) -> None:
        """End it, with a reason. May raise what ends the task that serves it."""
        ...


class Carrier(Protocol):
    """How a client reaches a server."""

    @property
    def target(self) -> str:
        """Where that is, for people."""
        ...

    async def open(self) -> None:
        """Raises ``UnavailableError`` if nobody answers."""
        ...

    async def stream(self, method: str) -> ClientStream:
        """A new stream. Raises ``StreamEnded`` if there is no connection."""
        ...

    async def close(self) -> None:
        """Let go of the server."""
        ...


def joined(messages: Sequence[bytes]) -> bytes:
    """A batch of these messages. Each kind of batch has them in its field 1, so one function does for all."""
    return b"".join([b"\x0a%b%b" % (_varint(len(message)), message) for message in messages])


def _varint(number: int) -> bytes:
    if number < 128:
        return _SHORT[number]
    if number < 16_384:
        return bytes((number & 127 | 128, number >> 7))
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    parts.append(number)
    return bytes(parts)


_SHORT = [bytes((number,)) for number in range(128)]


def status_of(error: PerdureError) -> Status:
    """How a stream ends for an error."""
    match error:
        case UnauthenticatedError():
            return Status.UNAUTHENTICATED
        case PermissionDeniedError():
            return Status.PERMISSION_DENIED
        case LimitExceededError():
            return Status.RESOURCE_EXHAUSTED
        case InvalidArgumentError():
            return Status.INVALID_ARGUMENT
        case UnavailableError():
            return Status.UNAVAILABLE
        case _:
            return Status.INTERNAL


def error_of(ended: StreamEnded) -> PerdureError | None:
    """What a refusal means; None if trying again may help."""
    match ended.status:
        case Status.UNAUTHENTICATED:
            return UnauthenticatedError(ended.details)
        case Status.PERMISSION_DENIED:
            return PermissionDeniedError(ended.details)
        case Status.RESOURCE_EXHAUSTED:
            return LimitExceededError(ended.details)
        case Status.INVALID_ARGUMENT:
            return InvalidArgumentError(ended.details)
        case Status.UNIMPLEMENTED:
            return UnavailableError(f"The server does not speak this protocol: {ended.details}")
        case _:
            return None
