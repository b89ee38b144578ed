"""The server's side: each stream is a worker, or a client, that is let in, heard and answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from time import perf_counter
from typing import Any

import grpc

from perdure.engine.workers import Workers
from perdure.model.access import Credentials, Gate, Permission, Session
from perdure.model.errors import (
    InvalidArgumentError,
    LimitExceededError,
    PerdureError,
    PermissionDeniedError,
    UnauthenticatedError,
    UnavailableError,
)
from perdure.model.workers import ToWorker
from perdure.protocols.worker import from_wire, to_wire
from perdure.protocols.worker import worker_pb2 as pb
from perdure.protocols.worker.batches import Outgoing
from perdure.protocols.worker.calls import OPERATIONS, encode, error_to_wire
from perdure.protocols.worker.observer import Nobody, Observer

log = logging.getLogger("perdure.server")

WORK = "/perdure.worker.v1.Worker/Work"
CALL = "/perdure.worker.v1.Client/Call"

DEFAULT_MESSAGE_BYTES = 64 << 20
KEEPALIVE_MS = 10_000
KEEPALIVE_TIMEOUT_MS = 5_000
ADMITTED = (("perdure-admitted", "1"),)
"""What a stream begins with on the server's side. Whoever is refused gets an end in its place."""

CALLS_AT_ONCE = 10_000
"""More calls of one client than this wait for each other."""

# grpc's own classes are generic for type checkers alone.
Context = Any


class WorkerProtocol:
    """Listens for workers and clients.

    Args:
        gate: who is let in.
        workers: where workers register.
        address: host and port; port 0 picks a free one.
        credentials: for TLS; plain text without.
        message_bytes: the largest message that is taken.
        observer: is told what goes on.
    """

    def __init__(
        self,
        gate: Gate,
        workers: Workers,
        address: str,
        credentials: grpc.ServerCredentials | None = None,
        message_bytes: int = DEFAULT_MESSAGE_BYTES,
        observer: Observer | None = None,
    ) -> None:
        self.observer = observer or Nobody()
        self._gate = gate
        self._workers = workers
        self._address = address
        self._credentials = credentials
        self._message_bytes = message_bytes
        self._streams: set[asyncio.Task[Any]] = set()
        self.port = 0

    async def open(self) -> None:
        """Begin to listen. Raises ``InvalidArgumentError`` if the address can't be used."""
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", self._message_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.keepalive_time_ms", KEEPALIVE_MS),
                ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
                ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_MS // 2),
                ("grpc.so_reuseport", 0),
            ]
        )
        self._server.add_generic_rpc_handlers([_Handlers(self)])
        try:
            if self._credentials is None:
                self.port = self._server.add_insecure_port(self._address)
            else:
                self.port = self._server.add_secure_port(self._address, self._credentials)
        except RuntimeError:
            raise InvalidArgumentError(
                f"The worker protocol can't listen at {self._address}: the address is in use, or not one of this machine's"
            ) from None
        await self._server.start()

    async def close(self, grace_seconds: float = 1.0) -> None:
        """Let go of everybody."""
        for task in list(self._streams):
            task.cancel()
        await self._server.stop(grace_seconds)

    async def work(self, context: Context) -> None:
        """A worker's stream, from its hello until either side ends it."""
        session = await self._admit(context)
        with _Stream(self._streams):
            first = await context.read()
            if first is grpc.aio.EOF or not first.messages or first.messages[0].WhichOneof("message") != "hello":
                raise InvalidArgumentError("a worker's first message must be its Hello")
            messages = list(first.messages)
            outgoing: Outgoing[pb.ToWorker] = Outgoing(_size)
            hello = from_wire.hello(messages[0].hello)
            session.require(Permission.WORK, hello.namespace)
            worker = self._workers.connect(hello, _WorkerLink(outgoing))
            await context.send_initial_metadata(ADMITTED)
            writing = asyncio.create_task(_write(context, outgoing, lambda batch: pb.ToWorkers(messages=batch)))
            try:
                said: Any = messages[1:]
                while True:
                    self.observer.heard(len(said))
                    for message in said:
                        worker.hear(from_wire.from_worker(message, worker.identity))
                    if wait_seconds := session.pace(len(said)):
                        # What comes meanwhile waits on the worker's side: nothing is refused, and nothing lost.
                        await asyncio.sleep(wait_seconds)
                    batch = await context.read()
                    if batch is grpc.aio.EOF:
                        return
                    # A token may have been revoked since.
                    session.require(Permission.WORK, hello.namespace)
                    said = batch.messages
            except PerdureError as error:
                log.warning("Worker %s is sent away: %s", worker.identity, error)
                raise  # it is told once it is gone here
            finally:
                self._workers.disconnect(worker)
                writing.cancel()

    async def call(self, context: Context) -> None:
        """A client's stream."""
        session = await self._admit(context)
        await context.send_initial_metadata(ADMITTED)
        with _Stream(self._streams):
            outgoing: Outgoing[pb.Answer] = Outgoing(_size)
            calls = _Calls(session, outgoing, self.observer)
            writing = asyncio.create_task(_write(context, outgoing, lambda batch: pb.Answers(answers=batch)))
            try:
                while (batch := await context.read()) is not grpc.aio.EOF:
                    for call in batch.calls:
                        calls.take(call)
                    await calls.bearable()
            finally:
                calls.close()
                writing.cancel()

    async def _admit(self, context: Context) -> Session:
        metadata = dict(context.invocation_metadata() or ())
        authorization = metadata.get("authorization", "")
        names = context.auth_context().get("x509_common_name", [])
        credentials = Credentials(
            authorization if isinstance(authorization, str) else "",
            bytes(names[0]).decode() if names else "",
            context.peer(),
        )
        return await self._gate.admit(credentials)


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, protocol: WorkerProtocol) -> None:
        self._handlers = {
            WORK: _handler(protocol.work, pb.FromWorkers.FromString, protocol.observer),
            CALL: _handler(protocol.call, pb.Calls.FromString, protocol.observer),
        }

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        return self._handlers.get(details.method)


def _handler(
    serve: Callable[[Context], Awaitable[None]], read: Callable[[bytes], Any], observer: Observer
) -> grpc.RpcMethodHandler[Any, Any]:
    method = serve.__name__.capitalize()

    async def behave(_: AsyncIterator[Any], context: Context) -> None:
        observer.opened(method)
        code = "cancelled"  # by its other side, or because the server ends
        try:
            await serve(context)
            code = "ok"
        except PerdureError as error:
            status = _status(error)
            code = status.name.lower()
            await context.abort(status, str(error))
        except Exception:
            code = "unknown"
            raise
        finally:
            observer.ended(method, code)

    return grpc.stream_stream_rpc_method_handler(
        behave, request_deserializer=read, response_serializer=lambda message: message.SerializeToString()
    )


class _Stream:
    """The task of a stream, so that it can be ended."""

    def __init__(self, streams: set[asyncio.Task[Any]]) -> None:
        self._streams = streams

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._streams.add(task)

    def __exit__(self, *_: object) -> None:
        self._streams.discard(self._task)


class _WorkerLink:
    def __init__(self, outgoing: Outgoing[pb.ToWorker]) -> None:
        self._outgoing = outgoing

    def send(self, message: ToWorker) -> None:
        self._outgoing.say(to_wire.to_worker(message))


class _Calls:
    """The calls of one client that are under way."""

    def __init__(self, session: Session, outgoing: Outgoing[pb.Answer], observer: Observer) -> None:
        self._service = session.service
        self._observer = observer
        self._outgoing = outgoing
        self._under_way: dict[int, asyncio.Future[Any]] = {}
        self._relief: asyncio.Future[None] | None = None

    def take(self, call: pb.Call) -> None:
        """Begin a call, or end one that nobody waits for any more."""
        if call.cancel:
            under_way = self._under_way.get(call.id)
            if under_way is not None:
                under_way.cancel()
            return
        began, known = perf_counter(), "other"
        try:
            operation = OPERATIONS.get(call.operation)
            if operation is None:
                raise InvalidArgumentError(
                    f"there is no operation {call.operation!r}; known are {', '.join(OPERATIONS)}"
                )
            known = operation.name
            args, keywords = operation.decode(call.arguments)
            answer = asyncio.ensure_future(getattr(self._service, call.operation)(*args, **keywords))
        except PerdureError as error:
            self._outgoing.say(pb.Answer(id=call.id, error=error_to_wire(error)))
            self._observer.answered(known, type(error).__name__, perf_counter() - began)
            return
        self._under_way[call.id] = answer
        answer.add_done_callback(partial(self._answered, call.id, known, began))

    def _answered(self, call_id: int, operation: str, began: float, answer: asyncio.Future[Any]) -> None:
        self._under_way.pop(call_id, None)
        if self._relief is not None and not self._relief.done():
            self._relief.set_result(None)
        if answer.cancelled():
            self._observer.answered(operation, "cancelled", perf_counter() - began)
            return
        error = answer.exception()
        self._observer.answered(operation, "ok" if error is None else type(error).__name__, perf_counter() - began)
        if error is None:
            self._outgoing.say(pb.Answer(id=call_id, result=encode(answer.result())))
            return
        if not isinstance(error, PerdureError):
            log.error("Operation %s failed in a way that should be impossible", operation, exc_info=error)
        self._outgoing.say(pb.Answer(id=call_id, error=error_to_wire(error)))

    async def bearable(self) -> None:
        """Wait until there are not too many."""
        while len(self._under_way) > CALLS_AT_ONCE:
            self._relief = asyncio.get_running_loop().create_future()
            await self._relief

    def close(self) -> None:
        """Nobody waits for any of them."""
        for under_way in list(self._under_way.values()):
            under_way.cancel()


def _size(message: Any) -> int:
    size: int = message.ByteSize()
    return size


async def _write(context: Context, outgoing: Outgoing[Any], gather: Callable[[Sequence[Any]], Any]) -> None:
    while batch := await outgoing.batch():
        await context.write(gather(batch))


def _status(error: PerdureError) -> grpc.StatusCode:
    """How a stream ends because of an error."""
    match error:
        case UnauthenticatedError():
            return grpc.StatusCode.UNAUTHENTICATED
        case PermissionDeniedError():
            return grpc.StatusCode.PERMISSION_DENIED
        case LimitExceededError():
            return grpc.StatusCode.RESOURCE_EXHAUSTED
        case InvalidArgumentError():
            return grpc.StatusCode.INVALID_ARGUMENT
        case UnavailableError():
            return grpc.StatusCode.UNAVAILABLE
        case _:
            return grpc.StatusCode.INTERNAL
