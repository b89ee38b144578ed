"""The server's side: each stream is a worker, or a client, that is let in, heard and answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Sequence
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Self, TypeVar

from google.protobuf.message import DecodeError

from perdure.engine.workers import Workers
from perdure.model.access import Credentials, Gate, Permission, Session
from perdure.model.errors import InvalidArgumentError, PerdureError
from perdure.model.workers import ToWorker
from perdure.protocols.worker import from_wire, to_wire
from perdure.protocols.worker import worker_pb2 as pb
from perdure.protocols.worker.calls import OPERATIONS, encode, error_to_wire
from perdure.protocols.worker.framed import UPGRADE, ServerSide
from perdure.protocols.worker.observer import Nobody, Observer
from perdure.protocols.worker.over_grpc import GrpcServer
from perdure.protocols.worker.sizes import within
from perdure.protocols.worker.streams import (
    CALL,
    DEFAULT_MESSAGE_BYTES,
    WORK,
    ServerStream,
    Status,
    StreamEnded,
    status_of,
)

if TYPE_CHECKING:
    import grpc

    from perdure.engine.remote_worker import RemoteWorker

log = logging.getLogger("perdure.server")

HELLO_SECONDS = 10.0
"""Who is let in as a worker has so long to say hello."""

CALLS_AT_ONCE = 10_000
"""More calls of one client than this wait for each other."""


class WorkerProtocol:
    """Serves workers and clients: over gRPC, where it listens itself, and on connections that ``switch`` to it.

    Args:
        gate: who is let in.
        workers: where workers register.
        address: host and port; port 0 picks a free one.
        credentials: for TLS; plain text without.
        message_bytes: the largest message that is taken.
        observer: is told what goes on.
    """

    upgrade = UPGRADE
    """What a connection of the REST interface asks to switch to, at one of ``paths``."""

    paths = (WORK, CALL)

    def __init__(
        self,
        gate: Gate,
        workers: Workers,
        address: str,
        credentials: grpc.ServerCredentials | None = None,
        message_bytes: int = DEFAULT_MESSAGE_BYTES,
        observer: Observer | None = None,
    ) -> None:
        self._observer = observer or Nobody()
        self._gate = gate
        self._workers = workers
        self._message_bytes = message_bytes
        self._tasks: set[asyncio.Task[Any]] = set()
        self._grpc = GrpcServer(self._serve_registered, address, credentials, message_bytes)

    @property
    def port(self) -> int:
        """Where gRPC listens."""
        return self._grpc.port

    async def open(self) -> None:
        """Begin to listen. Raises ``InvalidArgumentError`` if the address can't be used."""
        await self._grpc.open()

    async def close(self, grace_seconds: float = 1.0) -> None:
        """Let go of everybody."""
        for task in list(self._tasks):
            task.cancel()
        await self._grpc.close(grace_seconds)

    def switch(self, path: str, credentials: Credentials) -> ServerSide:
        """What goes on with a connection that has asked for ``upgrade``."""
        stream = ServerSide(credentials, self._message_bytes)
        task = asyncio.get_running_loop().create_task(self._serve_switched(path, stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return stream

    async def _serve_switched(self, method: str, stream: ServerSide) -> None:
        try:
            await self._serve(method, stream)
        except Exception:
            log.exception("A stream failed in a way that should be impossible")
            await stream.end(Status.INTERNAL, "The server failed in a way that should be impossible. Its log has more.")
        except asyncio.CancelledError:
            stream.close()
            raise

    async def _serve_registered(self, method: str, stream: ServerStream) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(method, stream)
        finally:
            self._tasks.discard(task)

    async def _serve(self, method: str, stream: ServerStream) -> None:
        """A stream, from its beginning until either side ends it."""
        name = method.rpartition("/")[2]
        self._observer.opened(name)
        code = "cancelled"  # by its other side, or because the server ends
        try:
            status, details = await self._converse(method, stream)
            if status is not Status.UNAVAILABLE:
                code = status.name.lower()
            await stream.end(status, details)
        finally:
            self._observer.ended(name, code)

    async def _converse(self, method: str, stream: ServerStream) -> tuple[Status, str]:
        """How it ended, and why."""
        try:
            session = await self._gate.admit(stream.credentials)
            async with asyncio.timeout(HELLO_SECONDS if method == WORK else None) as patience:
                kind = _AsWorker if method == WORK else _AsClient
                with kind(session, self._workers, stream, self._observer, patience) as caller:
                    await caller.admit()
                    await stream.listen(caller.hear)
        except PerdureError as error:
            # Who is sent away is gone here before it is told.
            return status_of(error), str(error)
        except StreamEnded as ended:
            return ended.status, ended.details
        except TimeoutError:
            return Status.INVALID_ARGUMENT, f"a worker must say its Hello within {HELLO_SECONDS:g} seconds"
        return Status.OK, ""


class _AsWorker:
    """A stream that is a worker, from its hello on."""

    def __init__(
        self, session: Session, workers: Workers, stream: ServerStream, observer: Observer, patience: asyncio.Timeout
    ) -> None:
        self._observer = observer
        self._patience = patience
        self._session = session
        self._workers = workers
        self._stream = stream
        self._worker: RemoteWorker | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if self._worker is not None:
            if isinstance(error, PerdureError):
                log.warning("Worker %s is sent away: %s", self._worker.identity, error)
            self._workers.disconnect(self._worker)

    async def admit(self) -> None:
        """Not before its hello."""

    def hear(self, data: bytes) -> Awaitable[None] | None:
        """A batch from it."""
        messages = _read(pb.FromWorkers, data).messages
        if 0 < self._session.request_bytes < len(data):
            within(self._session, messages)
        worker = self._worker
        if worker is not None:
            # A token may have been revoked since.
            self._session.require(Permission.WORK, worker.namespace)
            self._observer.heard(len(messages))
            self._hear(worker, messages)
            wait_seconds = self._session.pace(len(messages))
            # What comes meanwhile waits on the worker's side: nothing is refused, and nothing lost.
            return asyncio.sleep(wait_seconds) if wait_seconds else None
        if not messages or messages[0].WhichOneof("message") != "hello":
            raise InvalidArgumentError("a worker's first message must be its Hello")
        hello = from_wire.hello(messages[0].hello)
        self._session.require(Permission.WORK, hello.namespace)
        worker = self._worker = self._workers.connect(hello, _WorkerLink(self._stream))
        self._patience.reschedule(None)
        return self._go_on(worker, messages[1:])

    async def _go_on(self, worker: RemoteWorker, messages: Sequence[pb.FromWorker]) -> None:
        await self._stream.admit()
        self._observer.heard(len(messages))
        self._hear(worker, messages)

    def _hear(self, worker: RemoteWorker, messages: Iterable[pb.FromWorker]) -> None:
        for message in messages:
            worker.hear(from_wire.from_worker(message, worker.identity))


class _WorkerLink:
    def __init__(self, stream: ServerStream) -> None:
        self._say = stream.say

    def send(self, message: ToWorker) -> None:
        self._say(to_wire.to_worker(message))


class _AsClient:
    """A stream that is a client, and its calls that are under way."""

    def __init__(
        self, session: Session, _: Workers, stream: ServerStream, observer: Observer, patience: asyncio.Timeout
    ) -> None:
        self._observer = observer
        self._session = session
        self._service = session.service
        self._stream = stream
        self._under_way: dict[int, asyncio.Future[Any]] = {}
        self._relief: asyncio.Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Nobody waits for any of them.
        for under_way in list(self._under_way.values()):
            under_way.cancel()

    async def admit(self) -> None:
        """It is let in at once."""
        await self._stream.admit()

    def hear(self, data: bytes) -> Awaitable[None] | None:
        """Some calls."""
        most = self._session.request_bytes
        for call in _read(pb.Calls, data).calls:
            if 0 < most < len(data) and call.ByteSize() > most:
                self._refuse_size(call)
            else:
                self._take(call)
        return self._bearable() if len(self._under_way) > CALLS_AT_ONCE else None

    async def _bearable(self) -> None:
        while len(self._under_way) > CALLS_AT_ONCE:
            self._relief = asyncio.get_running_loop().create_future()
            await self._relief

    def _refuse_size(self, call: pb.Call) -> None:
        """Answer a call that is larger than this caller may send; the others go on."""
        known = call.operation if call.operation in OPERATIONS else "other"
        try:
            self._session.check_size(known, call.ByteSize())
        except PerdureError as error:
            self._refuse(call.id, error)
            self._observer.answered(known, type(error).__name__, 0.0)

    def _take(self, call: pb.Call) -> None:
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
            self._refuse(call.id, error)
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
            self._stream.say(pb.Answer(id=call_id, result=encode(answer.result())).SerializeToString())
            return
        if not isinstance(error, PerdureError):
            log.error("Operation %s failed in a way that should be impossible", operation, exc_info=error)
        self._refuse(call_id, error)

    def _refuse(self, call_id: int, error: BaseException) -> None:
        self._stream.say(pb.Answer(id=call_id, error=error_to_wire(error)).SerializeToString())


M = TypeVar("M", pb.FromWorkers, pb.Calls)


def _read(kind: type[M], data: bytes) -> M:
    try:
        return kind.FromString(data)
    except DecodeError:
        raise InvalidArgumentError(
            f"{len(data):,} bytes are no {kind.DESCRIPTOR.name} of the worker protocol"
        ) from None
