"""A client's side: the client port over a connection that mends itself.

A call that was under way when the connection broke is made again, if it only asks, or has an id by which the server
knows it again; any other raises ``UnavailableError``, because nobody knows whether it was done.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import Sequence
from itertools import count
from typing import Any, cast

import grpc
import msgspec

from perdure.model.errors import (
    InvalidArgumentError,
    LimitExceededError,
    PerdureError,
    PermissionDeniedError,
    UnauthenticatedError,
    UnavailableError,
)
from perdure.model.requests import SignalWorkflow, StartWorkflow
from perdure.model.service import Service
from perdure.protocols.worker import worker_pb2 as pb
from perdure.protocols.worker.batches import Outgoing
from perdure.protocols.worker.calls import OPERATIONS, error_from_wire

log = logging.getLogger("perdure.client")

CALL = "/perdure.worker.v1.Client/Call"

_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    # Ours waits before it tries again; the channel's own would add to that.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
]

FIRST_WAIT_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 2.0

# What changes nothing, or has an id of its own: asking again is safe.
_REPEATABLE = frozenset(
    {
        "start",
        "execute",
        "update",
        "query",
        "wait_closed",
        "describe",
        "explain",
        "history",
        "list",
        "count",
        "search_attributes",
        "namespaces",
        "task_queues",
        "describe_task_queue",
        "workers",
        "reset",
        "fork",
        "set_namespace",
        "set_task_queue",
        "pause_task_queue",
    }
)


class Backoff:
    """How long to wait before the next try: longer each time, and never the same for all."""

    def __init__(self) -> None:
        self._seconds = FIRST_WAIT_SECONDS

    def reset(self) -> None:
        """It worked."""
        self._seconds = FIRST_WAIT_SECONDS

    async def wait(self) -> None:
        """Wait before the next try."""
        await asyncio.sleep(self._seconds * random.uniform(0.5, 1.0))
        self._seconds = min(LONGEST_WAIT_SECONDS, self._seconds * 2)


class Connection:
    """A channel to a server, and the client port over it.

    Args:
        target: host and port of the worker protocol.
        token: who is calling; empty for a server that lets everybody in.
        credentials: for TLS; plain text without.
        patience_seconds: how long a call waits for a server that is away.
    """

    def __init__(
        self,
        target: str,
        token: str = "",
        credentials: grpc.ChannelCredentials | None = None,
        patience_seconds: float = 60.0,
    ) -> None:
        self.target = target
        self.metadata: Sequence[tuple[str, str]] = [("authorization", f"Bearer {token}")] if token else []
        self._credentials = credentials
        self._patience_seconds = patience_seconds
        self._ids = count(1)
        self._under_way: dict[int, _UnderWay] = {}
        self._outgoing: Outgoing[pb.Call] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._is_closed = False
        self.service = cast(Service, _RemoteService(self))

    async def open(self) -> None:
        """Connect. Raises ``UnavailableError``, ``UnauthenticatedError``."""
        if self._credentials is None:
            self.channel = grpc.aio.insecure_channel(self.target, options=_OPTIONS)
        else:
            self.channel = grpc.aio.secure_channel(self.target, self._credentials, options=_OPTIONS)
        try:
            async with asyncio.timeout(5.0):
                await self.channel.channel_ready()
        except TimeoutError:
            await self.channel.close()
            raise UnavailableError(
                f"No Perdure server answers at {self.target}. Check the address, and that the server runs: perdure server"
            ) from None
        self._keeping = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Let go of the server. Calls under way raise ``UnavailableError``."""
        self._is_closed = True
        if self._keeping is not None:
            self._keeping.cancel()
        for call in list(self._under_way.values()):
            call.fail(UnavailableError("The connection was closed before the answer came."))
        await self.channel.close()

    async def call(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Ask the server."""
        if self._is_closed:
            raise UnavailableError("The connection is closed. Connect again.")
        operation = OPERATIONS[name]
        is_repeatable = name in _REPEATABLE
        if name in ("start", "execute") and not args[1].request_id:
            args = (args[0], msgspec.structs.replace(cast(StartWorkflow, args[1]), request_id=secrets.token_hex(16)))
        elif name == "request" and isinstance(args[1], SignalWorkflow):
            is_repeatable = True
            if not args[1].request_id:
                args = (args[0], msgspec.structs.replace(args[1], request_id=secrets.token_hex(16)))
        call_id = next(self._ids)
        wire = pb.Call(id=call_id, operation=name, arguments=operation.encode(args, options))
        call = self._under_way[call_id] = _UnderWay(wire, is_repeatable)
        if self._outgoing is not None:
            self._outgoing.say(wire)
            call.is_sent = True
        try:
            return operation.decode_answer(await call.answer)
        except asyncio.CancelledError:
            if self._outgoing is not None:
                self._outgoing.say(pb.Call(id=call_id, cancel=True))
            raise
        finally:
            del self._under_way[call_id]

    async def _keep(self) -> None:
        """Keep a stream open for as long as this is."""
        backoff = Backoff()
        away_since: float | None = None
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self._converse(backoff)
                reason: str = "the server ended the connection"
            except grpc.aio.AioRpcError as error:
                fatal = error_of(error)
                if fatal is not None:
                    self._fail_all(fatal)
                reason = error.details() or error.code().name
            if self._outgoing is not None:
                self._outgoing = None
                away_since = loop.time()
                for call in list(self._under_way.values()):
                    if call.is_sent and not call.is_repeatable:
                        call.fail(
                            UnavailableError(
                                f"The connection broke before {call.wire.operation} was answered ({reason}), so nobody "
                                "knows whether it was done. Look, and ask again if it was not."
                            )
                        )
                    call.is_sent = False
            elif away_since is None:
                away_since = loop.time()
            if loop.time() - away_since > self._patience_seconds:
                self._fail_all(
                    UnavailableError(
                        f"The server at {self.target} has been away for {self._patience_seconds:.0f} seconds ({reason})."
                    )
                )
            await backoff.wait()

    async def _converse(self, backoff: Backoff) -> None:
        stream: Any = self.channel.stream_stream(
            CALL, request_serializer=pb.Calls.SerializeToString, response_deserializer=pb.Answers.FromString
        )(metadata=self.metadata)
        # Until the server says something, nobody knows whether it lets us in: its headers come first.
        await admitted(stream)
        outgoing = self._outgoing = Outgoing[pb.Call](pb.Call.ByteSize)
        backoff.reset()
        for call in list(self._under_way.values()):
            outgoing.say(call.wire)
            call.is_sent = True
        writing = asyncio.create_task(_write(stream, outgoing))
        try:
            while True:
                batch = await stream.read()
                if batch is grpc.aio.EOF:
                    # It says why.
                    raise_status(await stream.code(), await stream.details())
                    return
                for answer in batch.answers:
                    call_under_way = self._under_way.get(answer.id)
                    if call_under_way is not None:
                        call_under_way.take(answer)
        finally:
            writing.cancel()
            stream.cancel()

    def _fail_all(self, error: PerdureError) -> None:
        for call in list(self._under_way.values()):
            call.fail(error)


class _UnderWay:
    def __init__(self, wire: pb.Call, is_repeatable: bool) -> None:
        self.wire = wire
        self.is_repeatable = is_repeatable
        self.is_sent = False
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def take(self, answer: pb.Answer) -> None:
        if self.answer.done():
            return
        if answer.WhichOneof("outcome") == "error":
            self.answer.set_exception(error_from_wire(answer.error))
        else:
            self.answer.set_result(answer.result)

    def fail(self, error: PerdureError) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class _RemoteService:
    """Every operation of the client port, as a call."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def __getattr__(self, name: str) -> Any:
        if name not in OPERATIONS:
            raise AttributeError(name)

        def ask(*args: Any, **options: Any) -> Any:
            return self.connection.call(name, args, options)

        setattr(self, name, ask)
        return ask


def connection_of(service: Service) -> Connection:
    """The connection behind a client port. Raises ``InvalidArgumentError`` if there is none."""
    connection = getattr(service, "connection", None)
    if not isinstance(connection, Connection):
        raise InvalidArgumentError(
            "This client has its engine in its own process, and the apps were given to perdure.open(...). A Worker is for "
            "a client of perdure.connect(...)."
        )
    return connection


def error_of(error: grpc.aio.AioRpcError) -> PerdureError | None:
    """What a refusal means; None if trying again may help."""
    details = error.details() or error.code().name
    match error.code():
        case grpc.StatusCode.UNAUTHENTICATED:
            return UnauthenticatedError(details)
        case grpc.StatusCode.PERMISSION_DENIED:
            return PermissionDeniedError(details)
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return LimitExceededError(details)
        case grpc.StatusCode.INVALID_ARGUMENT:
            return InvalidArgumentError(details)
        case grpc.StatusCode.UNIMPLEMENTED:
            return UnavailableError(f"The server does not speak this protocol: {details}")
        case _:
            return None


async def admitted(stream: Any) -> None:
    """Wait until the server has let this stream in. Raises ``AioRpcError`` if it does not."""
    if not await stream.initial_metadata():
        raise_status(await stream.code(), await stream.details())


def raise_status(code: grpc.StatusCode, details: str | None) -> None:
    """A stream has ended: as ``AioRpcError``, unless it ended well."""
    if code is not grpc.StatusCode.OK:
        raise grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details=details)


async def _write(stream: Any, outgoing: Outgoing[pb.Call]) -> None:
    while batch := await outgoing.batch():
        await stream.write(pb.Calls(calls=batch))
