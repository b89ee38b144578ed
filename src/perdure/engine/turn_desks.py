"""Turns and queries for those who come and ask, rather than being connected: one for one question.

A *desk* is where they ask: the task queue, or a queue of one worker alone that has kept the programs of runs whose
turns it took (Temporal's sticky queue). To the engine a desk is a ``Worker`` with as many slots as polls stand open.

A run's program stays at a sticky desk from turn to turn, and is sent only what is new. One that nobody fetches there in
time goes back to the task queue, with its whole history; so does one whose worker has not said that it keeps it.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Collection, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING

import msgspec

from perdure.model.affinity import Affinity
from perdure.model.events import Event, UpdateAdmitted, WorkflowExecutionStarted, WorkflowTaskScheduled
from perdure.model.failures import NO_WORKER, Failure
from perdure.model.ids import RunAddress
from perdure.model.payloads import Payloads
from perdure.model.program import ActivityTask, Program
from perdure.model.task_queues import Poller

if TYPE_CHECKING:
    from perdure.engine.engine import Engine
    from perdure.engine.workers import Workers

QUERY_SECONDS = 10.0
"""A query that nobody has answered after this has failed."""

STICKY_SECONDS = 5.0
"""A turn that waits for the worker that has the program waits so long, unless the worker says otherwise."""

GONE_SECONDS = 10.0
"""A worker that kept programs and has not asked for so long is taken to be gone."""

MOST_POLLERS = 100

_query_ids = count(1)


class StickyQueue(msgspec.Struct, frozen=True):
    """The queue of a worker that keeps the program, and how long a turn may wait there."""

    name: str
    seconds: float = STICKY_SECONDS


class PolledTurn(msgspec.Struct, frozen=True):
    """A turn for whoever asked. ``events`` are all of the run's, or those since its last turn where ``is_whole`` is
    false; its start is the last one. The answer names ``started_event_id`` and ``attempt``."""

    address: RunAddress
    started: WorkflowExecutionStarted
    started_event_id: int
    attempt: int
    is_whole: bool
    previous_started_event_id: int
    events: Sequence[Event]
    updates: Sequence[UpdateAdmitted] = ()


class PolledQuery(msgspec.Struct, frozen=True):
    """A query for whoever asked. ``events`` are the run's whole history, none where it keeps the program."""

    query_id: int
    address: RunAddress
    started: WorkflowExecutionStarted
    name: str
    input: Payloads
    previous_started_event_id: int
    events: Sequence[Event]


Polled = PolledTurn | PolledQuery


class Poll:
    """Somebody who asks, until they have an answer or go."""

    __slots__ = ("answer", "identity")

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self.answer: asyncio.Future[Polled] = asyncio.get_running_loop().create_future()


class Desk:
    """Where turns of a queue are asked for. Implements ``Worker`` as far as hosts are asked."""

    worker_id = ""
    running: Sequence[ActivityTask] = ()
    keeps_programs = False
    is_sticky = False

    def __init__(self, engine: "Engine", workers: "Workers", namespace: str, name: str, build_id: str = "") -> None:
        self.engine = engine
        self.namespace = namespace
        self.name = name
        self.build_id = build_id
        self.task_queues: Collection[str] = (name,)
        self.asking: deque[Poll] = deque()
        self.expected: dict[str, Poll] = {}
        """Those who will take the next turn of a run, if there is one at once, by workflow id."""
        self.queries: OrderedDict[int, _Question] = OrderedDict()
        self.turns: dict[str, PolledProgram] = {}
        """Turns that are out, by run id."""
        self.pollers: OrderedDict[str, int] = OrderedDict()
        """When whom has asked last, in ns since 1970."""
        self._workers = workers
        self._next: Poll | None = None

    # --- Worker

    @property
    def identity(self) -> str:
        """Of whoever gets the turn that is about to start."""
        return self._next.identity if self._next is not None else ""

    labels: Mapping[str, str] = {}  # nobody changes it
    used_slots = 0

    def serves_workflow(
        self, namespace: str, task_queue: str, workflow_type: str, affinity: Affinity | None = None
    ) -> bool:
        """Any on its queue that asks for nothing."""
        return namespace == self.namespace and task_queue == self.name and (affinity is None or not affinity.required)

    def builds(self, namespace: str, task_queue: str, workflow_type: str) -> Collection[str]:
        """The one of those who ask here."""
        return [self.build_id] if self.serves_workflow(namespace, task_queue, workflow_type) else []

    def host(
        self,
        namespace: str,
        task_queue: str,
        workflow_type: str,
        build_id: str,
        key: int,
        affinity: Affinity | None = None,
    ) -> "Desk | None":
        """This desk, if somebody asks."""
        return self if build_id in ("", self.build_id) and self.has_turn_slot(key) else None

    def host_to_ask(
        self,
        namespace: str,
        task_queue: str,
        workflow_type: str,
        build_id: str,
        key: int,
        affinity: Affinity | None = None,
    ) -> "Desk | None":
        """This desk: a query waits for somebody."""
        return self if build_id in ("", self.build_id) else None

    def has_turn_slot(self, key: int) -> bool:
        """Whether somebody asks for a turn now; they are the ones to get the next."""
        if self.expected:
            resident = self.engine.residents.by_key(key)
            expecting = self.expected.get(resident.run.workflow_id) if resident is not None else None
            if expecting is not None:
                self._next = expecting
                return True
        self._next = self.asking[0] if self.asking else None
        return self._next is not None

    def create_program(self, address: RunAddress, started: WorkflowExecutionStarted) -> Program:
        """A program that whoever takes its turn builds."""
        return PolledProgram(self, address, started)

    def runs_activity(self, address: RunAddress, scheduled_event_id: int, attempt: int) -> bool:
        """No activities here."""
        return False

    def serves_activity(
        self, namespace: str, task_queue: str, activity_type: str, affinity: Affinity | None = None
    ) -> bool:
        """No activities here."""
        return False

    def reserve(self, namespace: str, task_queue: str, activity_type: str, affinity: Affinity | None = None) -> None:
        """No activities here."""

    def adopt(self, task: ActivityTask, worker_id: str) -> bool:
        """No activities here."""
        return False

    def release(self, task_queue: str, activity_type: str) -> None:
        """No activities here."""

    def start_activity(self, task: ActivityTask) -> None:
        """No activities here."""

    def cancel_activity(self, address: RunAddress, scheduled_event_id: int) -> None:
        """No activities here."""

    # --- those who ask

    async def ask(self, identity: str, timeout_seconds: float) -> Polled | None:
        """Wait for a turn or a query; None if there is none in time."""
        poll = Poll(identity)
        self.note(identity)
        self.asking.append(poll)
        try:
            self.serve()
            if not poll.answer.done():
                await asyncio.wait([poll.answer], timeout=timeout_seconds)
            return poll.answer.result() if poll.answer.done() else None
        finally:
            if poll in self.asking:
                self.asking.remove(poll)
            self.note(identity)

    def note(self, identity: str) -> None:
        """Somebody asks."""
        self.pollers[identity] = self.engine.clock.now_ns()
        self.pollers.move_to_end(identity)
        if len(self.pollers) > MOST_POLLERS:
            self.pollers.popitem(last=False)

    def serve(self) -> None:
        """Somebody asks: give them what waits."""
        self._workers.wake_queue(self.namespace, self.name, lambda: bool(self.asking))
        self.serve_queries()

    def serve_queries(self) -> None:
        """Hand out queries that wait, except those of runs with a turn that is out: that comes first."""
        if not self.queries:
            return
        for query_id, question in list(self.queries.items()):
            if not self.asking:
                return
            if question.query.address.run_id in self.turns:
                continue
            del self.queries[query_id]
            self.asking.popleft().answer.set_result(question.query)

    def put(self, question: "_Question") -> None:
        """A query waits for somebody."""
        self.queries[question.query.query_id] = question
        self.serve_queries()

    # --- what programs send

    def hand_out(self, program: "PolledProgram", turn: PolledTurn) -> None:
        """Give a turn to whoever is to get it."""
        poll = self._next
        self._next = None
        assert poll is not None
        self.turns[program.address.run_id] = program
        if self.expected.get(program.address.workflow_id) is poll:
            del self.expected[program.address.workflow_id]
        elif poll in self.asking:
            self.asking.remove(poll)
        poll.answer.set_result(turn)

    def turn_ended(self, program: "PolledProgram") -> None:
        """A turn is not out any more."""
        if self.turns.get(program.address.run_id) is program:
            del self.turns[program.address.run_id]
        self.serve_queries()

    def describe(self) -> list[Poller]:
        """Who has asked lately."""
        since = self.engine.clock.now_ns() - 300_000_000_000
        return [
            Poller(identity, self.build_id, last_poll_time=time)
            for identity, time in self.pollers.items()
            if time > since
        ]


class StickyDesk(Desk):
    """Where one worker asks for turns of programs that it has kept."""

    is_sticky = True

    def __init__(self, engine: "Engine", workers: "Workers", namespace: str, name: str, build_id: str = "") -> None:
        super().__init__(engine, workers, namespace, name, build_id)
        self.seconds = STICKY_SECONDS
        self.last_asked = engine.clock.now_ns()
        self._waiting: dict[int, None] = {}

    def has_turn_slot(self, key: int) -> bool:
        """As ``Desk``. Otherwise the turn waits here for a while, and then goes back to the task queue."""
        if super().has_turn_slot(key):
            self._waiting.pop(key, None)
            return True
        if key not in self._waiting:
            self._waiting[key] = None
            due = self.engine.clock.now_ns() + (0 if self.is_deserted else int(self.seconds * 1e9))
            self.engine.clock.call_at(due, lambda: self._give_up(key))
        return False

    @property
    def is_deserted(self) -> bool:
        """Whether the worker seems to be gone."""
        silent = self.engine.clock.now_ns() - self.last_asked
        return not self.asking and silent > GONE_SECONDS * 1e9

    def note(self, identity: str) -> None:
        """The worker asks."""
        super().note(identity)
        self.last_asked = self.engine.clock.now_ns()

    def serve(self) -> None:
        """The worker asks: give it what waits."""
        while self._waiting and self.asking:
            key = next(iter(self._waiting))
            del self._waiting[key]
            self.engine.wake_key(key)
        self.serve_queries()

    def _give_up(self, key: int) -> None:
        if key in self._waiting:
            del self._waiting[key]
            self.forget(key)

    def forget(self, key: int) -> None:
        """The run's next turn is anybody's."""
        resident = self.engine.residents.by_key(key)
        if resident is not None and resident.host is self and not resident.is_turn_out:
            resident.drop_program()
            if not self.engine.closing:
                self.engine.wake(resident)

    def close(self) -> None:
        """The worker is gone, or says that it goes."""
        self._waiting.clear()
        for resident in [resident for resident in self.engine.residents if resident.host is self]:
            self.forget(resident.key)
        for question in list(self.queries.values()):
            question.give_up()
        self.queries.clear()


class PolledProgram:
    """A run's program at whoever asks for its turns. Implements ``Program``."""

    def __init__(self, desk: Desk, address: RunAddress, started: WorkflowExecutionStarted) -> None:
        self.desk = desk
        self.address = address
        self._started = started
        self._started_event_id = 0
        self._last: Sequence[Event] = ()
        self._history: Sequence[Event] = ()

    def turn(self, events: Sequence[Event], updates: Sequence[UpdateAdmitted]) -> None:
        """Hand it out; the end comes as a request."""
        is_whole = events[0].id == 1
        if not is_whole and events[0].id <= self._started_event_id:
            # The last turn left no trace: whoever took it goes back to before it, and needs what it had brought again.
            events = [*(event for event in self._last if event.id < events[0].id), *events]
        begun, scheduled = events[-1], events[-2]
        attempt = scheduled.attempt if isinstance(scheduled, WorkflowTaskScheduled) else 1
        self._started_event_id = begun.id
        self._last = () if is_whole else events
        turn = PolledTurn(
            self.address,
            self._started,
            begun.id,
            attempt,
            is_whole,
            self.previous_started_event_id,
            tuple(events),
            tuple(updates),
        )
        self.desk.hand_out(self, turn)

    @property
    def previous_started_event_id(self) -> int:
        """With which event the last turn that was completed began."""
        address = self.address
        resident = self.desk.engine.residents.find(address.namespace, address.workflow_id, address.run_id)
        return resident.run.last_started_event_id if resident is not None else 0

    def moved(self, desk: Desk) -> None:
        """It is at another desk from now on."""
        self.desk.turn_ended(self)
        self.desk = desk

    def catch_up(self, events: Sequence[Event]) -> None:
        """What the next query must bring along."""
        self._history = events

    def query(self, name: str, input: Payloads) -> "asyncio.Future[Payloads | Failure]":
        """Ask whoever comes next."""
        return asyncio.ensure_future(_Question.ask(self, name, input, self._history))

    def close(self) -> None:
        """Nobody needs to be told."""
        self.desk.turn_ended(self)

    @property
    def started(self) -> WorkflowExecutionStarted:
        """How the run began."""
        return self._started


class _Question:
    """A query on its way."""

    open: dict[int, "_Question"] = {}  # noqa: RUF012  # those that are handed out or wait, of all engines

    def __init__(self, query: PolledQuery) -> None:
        self.query = query
        self.answer: asyncio.Future[Payloads | Failure | None] = asyncio.get_running_loop().create_future()

    def give_up(self) -> None:
        """Nobody will fetch it here."""
        if not self.answer.done():
            self.answer.set_result(None)

    @classmethod
    async def ask(
        cls, program: PolledProgram, name: str, input: Payloads, events: Sequence[Event]
    ) -> Payloads | Failure:
        """The answer of whoever fetches the query from the program's desk."""
        desk = program.desk
        query = PolledQuery(
            next(_query_ids), program.address, program.started, name, input, program.previous_started_event_id, events
        )
        question = cls(query)
        cls.open[query.query_id] = question
        desk.put(question)
        patience = desk.seconds if isinstance(desk, StickyDesk) else QUERY_SECONDS
        try:
            await asyncio.wait([question.answer], timeout=patience)
            if not question.answer.done() and query.query_id not in desk.queries:
                await asyncio.wait([question.answer], timeout=QUERY_SECONDS)
            answer = question.answer.result() if question.answer.done() else None
        finally:
            desk.queries.pop(query.query_id, None)
            del cls.open[query.query_id]
        if answer is not None:
            return answer
        if not isinstance(desk, StickyDesk):
            return Failure(
                f"No worker answered the query within {QUERY_SECONDS:.0f} seconds. Is there one for task queue {desk.name!r}?",
                type=NO_WORKER,
            )
        return await _ask_anybody(desk, program, name, input)


async def _ask_anybody(desk: StickyDesk, program: PolledProgram, name: str, input: Payloads) -> Payloads | Failure:
    """The worker that kept the program does not answer."""
    engine, address = desk.engine, program.address
    resident = engine.residents.find(address.namespace, address.workflow_id, address.run_id)
    if resident is not None:
        desk.forget(resident.key)
        if resident.host is not desk:
            return await engine.query(resident, name, input)
    return Failure(f"The worker {desk.name!r}, which has the run's program, did not answer the query. Ask again.")


def query_answered(query_id: int, namespace: str, answer: Payloads | Failure) -> bool:
    """A query has its answer. False if nobody waits for it any more."""
    question = _Question.open.get(query_id)
    if question is None or question.query.address.namespace != namespace or question.answer.done():
        return False
    question.answer.set_result(answer)
    return True
