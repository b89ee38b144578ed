"""A worker's side: takes what the server hands it, and hands in what became of it, through every broken connection.

Activities go on while the connection is away, and their ends are kept until the server has acknowledged them.
Programs are dropped with the connection, and come back with the whole history when they are next needed.
"""

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from google.protobuf.message import DecodeError

from perdure.model import workers as w
from perdure.model.errors import InvalidArgumentError
from perdure.model.events import WorkflowExecutionStarted
from perdure.model.failures import Failure
from perdure.model.ids import RunAddress
from perdure.model.payloads import Payloads
from perdure.model.program import ActivityTask, Program, TurnCompleted, Worker
from perdure.model.requests import CancelActivity, CompleteActivity, FailActivity, HeartbeatActivity, Request
from perdure.protocols.worker import from_wire, to_wire
from perdure.protocols.worker import worker_pb2 as pb
from perdure.protocols.worker.ahead import Ahead
from perdure.protocols.worker.connection import Backoff, Connection
from perdure.protocols.worker.streams import WORK, ClientStream, StreamEnded, error_of

log = logging.getLogger("perdure.worker")

UNREADABLE = "WORKFLOW_WORKER_UNHANDLED_FAILURE"
"""Why a turn fails that the worker can't make sense of."""


class Host(Worker, Protocol):
    """What runs the code: the SDK's worker."""

    @property
    def workflow_types(self) -> Collection[str]:
        """The workflows it can run."""
        ...

    @property
    def groups(self) -> Sequence[w.ActivityGroup]:
        """Its activities, by shared slots."""
        ...


class Runner:
    """Serves a worker's code to a server, until ``close``.

    Args:
        connection: to the server; open.
        host: what runs the code.
        namespace: whose tasks it takes.
        turn_slots: how many turns it may have in hand.
        labels: what tasks may ask for.
        clock_ns: tells how time passes, in ns; for tests in which it passes otherwise.
    """

    def __init__(
        self,
        connection: Connection,
        host: Host,
        namespace: str,
        turn_slots: int,
        labels: Mapping[str, str] | None = None,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._connection = connection
        self._host = host
        self._namespace = namespace
        self._turn_slots = turn_slots
        self._labels = labels or {}
        self._worker_id = secrets.token_hex(16)
        self._programs: dict[str, Program] = {}
        self._ahead = Ahead(self._programs, clock_ns)
        self._queued: deque[ActivityTask] = deque()
        """Attempts that have no slot yet: the server counted one more than is free."""
        self._unacknowledged: dict[w.Attempt, w.ActivityReport] = {}
        self._stream: ClientStream | None = None
        """While the server is there."""
        self._keeping: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()
        self._is_draining = False
        self._share = 1.0
        self._settled: asyncio.Event | None = None

    async def open(self) -> None:
        """Connect, and go on connecting. Raises what keeps the server from letting it in."""
        self._keeping = asyncio.create_task(self._keep())
        await self.serve(self._connected.wait())

    def offer(self, share: float) -> None:
        """From now on, offer this share of all slots, from 0 to 1; but at least one of each kind."""
        self._share = share
        self._say(w.Capacity(self._slots(self._turn_slots), [group.slots for group in self._groups()]))

    async def drain(self) -> None:
        """Take nothing more."""
        self._is_draining = True
        self.offer(0.0)

    def _slots(self, all_of_them: int) -> int:
        return 0 if self._is_draining else max(min(1, all_of_them), int(all_of_them * self._share))

    def _groups(self) -> list[w.ActivityGroup]:
        return [w.ActivityGroup(group.activity_types, self._slots(group.slots)) for group in self._host.groups]

    async def handed_in(self, timeout_seconds: float) -> bool:
        """Wait until the server has acknowledged all ends; whether it has."""
        self._settled = self._settled or asyncio.Event()
        if not self._unacknowledged or self.is_sent_away:
            return not self._unacknowledged
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._settled.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """End the connection."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        self._drop_programs()

    @property
    def is_sent_away(self) -> bool:
        """Whether the server has sent it away for good; ``serve`` says why."""
        return self._keeping is not None and self._keeping.done()

    async def serve(self, until: Awaitable[object]) -> None:
        """Wait for something, unless the server sends this worker away before. Then that is raised:
        ``UnauthenticatedError``, ``PermissionDeniedError`` ..."""
        assert self._keeping is not None
        waiting = asyncio.ensure_future(until)
        try:
            await asyncio.wait({self._keeping, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if self._keeping.done():
                await self._keeping
        finally:
            waiting.cancel()

    # --- the connection

    async def _keep(self) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._converse(backoff)
                reason = "the server ended the connection"
            except StreamEnded as ended:
                reason = ended.details
                fatal = error_of(ended)
                if fatal is not None:
                    log.error("The server at %s refuses this worker: %s", self._connection.carrier.target, fatal)
                    raise fatal from None
            except DecodeError as error:
                reason = f"the server says what is no message: {error}"
            except Exception:
                # Nobody may be waiting in ``serve``, so nobody else may say so.
                log.exception("This worker ends: it failed in a way that should be impossible")
                raise
            finally:
                self._stream = None
                self._drop_programs()
            if self._connected.is_set():
                log.warning("The connection to %s is lost (%s); trying again", self._connection.carrier.target, reason)
                self._connected.clear()
            await backoff.wait()

    async def _converse(self, backoff: Backoff) -> None:
        stream = await self._connection.carrier.stream(WORK)
        try:
            # The server looks at the hello before it lets anybody in, and only then is anything else said.
            stream.say(to_wire.hello(self._hello()))
            await stream.admitted()
            self._stream = stream
            for report in self._unacknowledged.values():
                stream.say(to_wire.from_worker(report))
            backoff.reset()
            self._connected.set()
            await stream.listen(self._hear)
        finally:
            stream.close()

    def _hello(self) -> w.Hello:
        host = self._host
        running = [
            w.Attempt(task.address.run_id, task.scheduled.id, task.attempt) for task in (*host.running, *self._queued)
        ]
        return w.Hello(
            self._worker_id,
            host.identity,
            host.build_id,
            self._namespace,
            sorted(host.task_queues),
            sorted(host.workflow_types),
            self._slots(self._turn_slots),
            self._groups(),
            [*running, *(attempt for attempt in self._unacknowledged if attempt not in running)],
            self._labels,
            goes_ahead=True,
        )

    def _say(self, message: w.FromWorker) -> None:
        if self._stream is not None:
            self._stream.say(to_wire.from_worker(message))

    # --- what the server says

    def _hear(self, batch: bytes) -> None:
        for message in pb.ToWorkers.FromString(batch).messages:
            try:
                self._obey(message)
            except Exception as error:
                self._cannot(message, error)

    def _cannot(self, message: pb.ToWorker, error: Exception) -> None:
        """Say that something can't be done, here and to the server; all else goes on."""
        what = message.WhichOneof("message")
        if isinstance(error, InvalidArgumentError):
            log.error(
                "The server's %s message can't be read: %s. The server may be newer than this worker.", what, error
            )
            failure = Failure(
                f"worker {self._host.identity} can't read what the server said: {error}; it may be too old"
            )
        else:
            log.exception(
                "The server's %s message could not be followed, which should be impossible", what, exc_info=error
            )
            failure = Failure(f"worker {self._host.identity} failed in a way that should be impossible: {error!r}")
        match what:
            case "activity":
                task = message.activity
                request = FailActivity(task.scheduled_event_id, task.attempt, failure, self._host.identity)
                self.report(from_wire.run(task.run), request)
            case "turn":
                turn = message.turn
                address, name = from_wire.run(turn.run), (turn.started_event_id, turn.attempt)
                self._forget(address.run_id)
                self._say(w.TurnReport(address, *name, (), UNREADABLE, failure, token=turn.token))
            case "query":
                self._say(w.QueryReport(message.query.query_id, (), failure))
            case _:
                pass  # nobody waits for an answer

    def _obey(self, message: pb.ToWorker) -> None:
        match from_wire.to_worker(message):
            case w.StartActivity(task, events) as start:
                if events and (recorded := self._ahead.offered(start)) is not None:
                    self._acknowledged(recorded)
                self._queued.append(task)
                self._start_queued()
            case w.TakeTurn() as turn:
                self._take_turn(turn)
            case w.Acknowledge(run_id, event_id, attempt, refused):
                if refused:
                    log.info("The end of attempt %d of %s/%d changed nothing: %s", attempt, run_id, event_id, refused)
                self._acknowledged(w.Attempt(run_id, event_id, attempt))
            case w.CancelAttempt(address, event_id):
                self._host.cancel_activity(address, event_id)
            case w.AnswerQuery() as query:
                self._answer(query)
            case w.Evict(run_id):
                self._forget(run_id)
            case None:
                log.warning("The server said something that this version does not know; it is ignored")

    def _forget(self, run_id: str) -> None:
        self._ahead.forget(run_id)
        program = self._programs.pop(run_id, None)
        if program is not None:
            program.close()

    def _acknowledged(self, attempt: w.Attempt) -> None:
        self._unacknowledged.pop(attempt, None)
        if self._settled is not None and not self._unacknowledged:
            self._settled.set()

    def _start_queued(self) -> None:
        for _ in range(len(self._queued)):
            task = self._queued.popleft()
            scheduled = task.scheduled
            if self._host.reserve(task.address.namespace, scheduled.task_queue, scheduled.activity_type) is None:
                self._queued.append(task)
            else:
                self._host.start_activity(task)

    def report(self, address: RunAddress, request: Request) -> None:
        """The code has something to say about an attempt."""
        assert isinstance(request, (CompleteActivity, FailActivity, CancelActivity, HeartbeatActivity))
        report = w.ActivityReport(address, request)
        if not isinstance(request, HeartbeatActivity) or request.leaves:
            self._unacknowledged[w.Attempt(address.run_id, request.scheduled_event_id, request.attempt)] = report
        if isinstance(request, CompleteActivity) and not self._is_draining and self._stream is not None:
            ahead = self._ahead.take(address.run_id, request)
            if ahead is not None:
                # Only here: over another connection the end is handed in alone, since programs are dropped with this one.
                report = w.ActivityReport(address, request, ahead)
        self._say(report)
        if self._queued:
            self._start_queued()

    # --- programs

    def _take_turn(self, turn: w.TakeTurn) -> None:
        run_id = turn.address.run_id
        name = (turn.address, turn.started_event_id, turn.attempt)
        program = self._programs.get(run_id)
        if self._ahead.is_lost(turn) and program is not None:
            del self._programs[run_id]
            program.close()
            program = None
        if turn.is_new:
            if program is not None:
                program.close()
            program = self._programs[run_id] = self._create(turn.address, turn.events)
        if program is None:
            failed = Failure("the worker does not have the run's program")
            self._say(w.TurnReport(*name, (), w.NO_PROGRAM, failed, token=turn.token))
            return
        result = program.turn(turn.events, turn.updates)
        if isinstance(result, TurnCompleted):
            report = w.TurnReport(*name, tuple(result.commands), state=result.state, token=turn.token)
        else:
            assert result is not None
            report = w.TurnReport(*name, (), result.cause, result.failure, token=turn.token)
        self._say(report)

    def _create(self, address: RunAddress, events: Sequence[Any]) -> Program:
        started = events[0]
        assert isinstance(started, WorkflowExecutionStarted)
        return self._host.create_program(address, started)

    def _answer(self, query: w.AnswerQuery) -> None:
        run_id = query.address.run_id
        program = self._programs.get(run_id)
        if query.events:
            self._ahead.forget(run_id)
            if program is not None:
                program.close()
            program = self._create(query.address, query.events)
            failed = program.catch_up(query.events)
            if failed is not None:
                program.close()
                self._programs.pop(run_id, None)
                self._say(w.QueryReport(query.query_id, (), failed.failure))
                return
            self._programs[run_id] = program
        if program is None:
            self._say(w.QueryReport(query.query_id, (), Failure("the worker does not have the run's program")))
            return
        answer: Payloads | Failure | Awaitable[Payloads | Failure] = program.query(
            query.name, query.input, query.header
        )
        if isinstance(answer, Failure):
            self._say(w.QueryReport(query.query_id, (), answer))
        else:
            assert isinstance(answer, tuple)
            self._say(w.QueryReport(query.query_id, answer))

    def _drop_programs(self) -> None:
        for program in self._programs.values():
            program.close()
        self._programs.clear()
        self._ahead.clear()
