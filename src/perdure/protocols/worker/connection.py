"""A client's side: the client port over a connection that mends itself.

A call that was under way when the connection broke is made again, if it only asks, or has an id by which the server
knows it again; any other raises ``UnavailableError``, because nobody knows whether it was done.
"""

import asyncio
import logging
import random
import secrets
from itertools import count
from typing import Any, cast

import msgspec
from google.protobuf.message import DecodeError

from perdure.model.errors import InvalidArgumentError, PerdureError, UnavailableError
from perdure.model.requests import SignalWorkflow, StartWorkflow
from perdure.model.service import Service
from perdure.protocols.worker import worker_pb2 as pb
from perdure.protocols.worker.calls import OPERATIONS, error_from_wire
from perdure.protocols.worker.streams import CALL, Carrier, ClientStream, StreamEnded, error_of

log = logging.getLogger("perdure.client")

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
        "describe_namespace",
        "statistics",
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

    def next_seconds(self) -> float:
        """How long to wait this time."""
        seconds, self._seconds = self._seconds, min(LONGEST_WAIT_SECONDS, self._seconds * 2)
        return seconds * random.uniform(0.5, 1.0)

    async def wait(self) -> None:
        """Wait before the next try."""
        await asyncio.sleep(self.next_seconds())


class Connection:
    """The way to a server, and the client port over it.

    Args:
        carrier: how its streams come there; open.
        patience_seconds: how long a call waits for a server that is away.
    """

    def __init__(self, carrier: Carrier, patience_seconds: float = 60.0) -> None:
        self.carrier = carrier
        self._patience_seconds = patience_seconds
        self._ids = count(1)
        self._under_way: dict[int, _UnderWay] = {}
        self._stream: ClientStream | None = None
        """While the server is there."""
        self._is_closed = False
        self.service = cast(Service, _RemoteService(self))
        self._keeping = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Let go of the server. Calls under way raise ``UnavailableError``."""
        self._is_closed = True
        self._keeping.cancel()
        await asyncio.wait([self._keeping])
        self._fail_all(UnavailableError("The connection was closed before the answer came."))
        await self.carrier.close()

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
        wire = pb.Call(id=call_id, operation=name, arguments=operation.encode(args, options)).SerializeToString()
        call = self._under_way[call_id] = _UnderWay(name, wire, is_repeatable)
        if self._stream is not None:
            self._stream.say(wire)
            call.is_sent = True
        try:
            return operation.decode_answer(await call.answer)
        except asyncio.CancelledError:
            if self._stream is not None:
                self._stream.say(pb.Call(id=call_id, cancel=True).SerializeToString())
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
            except StreamEnded as ended:
                fatal = error_of(ended)
                if fatal is not None:
                    self._fail_all(fatal)
                reason = ended.details
            except DecodeError as error:
                reason = f"the server says what is no answer: {error}"
                log.error("The server at %s says what is no answer; connecting anew", self.carrier.target)
            except Exception as error:
                # If this ended, whoever asks would wait for ever.
                reason = f"it failed in a way that should be impossible: {error!r}"
                log.exception("The connection to %s failed in a way that should be impossible", self.carrier.target)
            if self._stream is not None:
                self._stream = None
                away_since = loop.time()
                for call in list(self._under_way.values()):
                    if call.is_sent and not call.is_repeatable:
                        call.fail(
                            UnavailableError(
                                f"The connection broke before {call.name} was answered ({reason}), so nobody knows "
                                "whether it was done. Look, and ask again if it was not."
                            )
                        )
                    call.is_sent = False
            elif away_since is None:
                away_since = loop.time()
            if loop.time() - away_since > self._patience_seconds:
                self._fail_all(
                    UnavailableError(
                        f"The server at {self.carrier.target} has been away for {self._patience_seconds:.0f} seconds "
                        f"({reason})."
                    )
                )
            await backoff.wait()

    async def _converse(self, backoff: Backoff) -> None:
        stream = await self.carrier.stream(CALL)
        try:
            await stream.admitted()
            self._stream = stream
            backoff.reset()
            for call in list(self._under_way.values()):
                stream.say(call.wire)
                call.is_sent = True
            await stream.listen(self._hear)
        finally:
            stream.close()

    def _hear(self, batch: bytes) -> None:
        for answer in pb.Answers.FromString(batch).answers:
            call = self._under_way.get(answer.id)
            if call is not None:
                call.take(answer)

    def _fail_all(self, error: PerdureError) -> None:
        for call in list(self._under_way.values()):
            call.fail(error)


class _UnderWay:
    def __init__(self, name: str, wire: bytes, is_repeatable: bool) -> None:
        self.name = name
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
