"""Turns and queries for those who come and ask, rather than being connected: one for one question.

A *desk* is where they ask: the task queue, or a queue of one worker alone that has kept the programs of runs whose
turns it took (Temporal's sticky queue). To the engine a desk is a ``TurnTaker`` with as many slots as polls stand open.

A run's program stays at a sticky desk from turn to turn, and is sent only what is new. One that nobody fetches there in
time goes back to the task queue, with its whole history, and the run's history says so; so does one whose worker has not
said that it keeps it, or has not been heard of for a while.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

import msgspec

from perdure.engine.turn_programs import Polled, PolledProgram, PolledTurn, Question
from perdure.model.affinity import Affinity
from perdure.model.deployments import Route
from perdure.model.events import WorkflowExecutionStarted
from perdure.model.ids import RunAddress
from perdure.model.program import Program
from perdure.model.requests import UnstickWorkflow
from perdure.model.task_queues import Poller

if TYPE_CHECKING:
    from perdure.engine.engine import Engine
    from perdure.engine.workers import Workers

STICKY_SECONDS = 5.0
"""A turn that waits for the worker that has the program waits so long, unless the worker says otherwise."""

GONE_SECONDS = 10.0
"""A worker that kept programs and has not asked for so long is taken to be gone."""

MOST_POLLERS = 100


class StickyQueue(msgspec.Struct, frozen=True):
    """The queue of a worker that keeps the program, and how long a turn may wait there."""

    name: str
    seconds: float = STICKY_SECONDS


class Poll:
    """Somebody who asks, until they have an answer or go."""

    __slots__ = ("answer", "identity")

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self.answer: asyncio.Future[Polled] = asyncio.get_running_loop().create_future()


class Desk:
    """Where turns of a queue are asked for. Implements ``TurnTaker``."""

    keeps_programs = False
    is_sticky = False
    seconds = 0.0
    """How long a turn waits at a sticky desk."""

    def __init__(
        self,
        engine: "Engine",
        workers: "Workers",
        namespace: str,
        name: str,
        build_id: str = "",
        routes: Callable[[], Mapping[tuple[str, str], Route]] = dict,
        *,
        is_version: bool = False,
    ) -> None:
        self.engine = engine
        self.namespace = namespace
        self.name = name
        self.build_id = build_id
        self.is_version = is_version
        """Whether the build belongs to a deployment, which says what comes here."""
        self._routes = routes
        self.task_queues: Collection[str] = (name,)
        self.asking: deque[Poll] = deque()
        self.expected: dict[str, Poll] = {}
        """Those who will take the next turn of a run, if there is one at once, by workflow id."""
        self.queries: OrderedDict[int, Question] = OrderedDict()
        self.turns: dict[str, PolledProgram] = {}
        """Turns that are out, by run id."""
        self.pollers: OrderedDict[str, int] = OrderedDict()
        """When whom has asked last, in ns since 1970."""
        self._workers = workers
        self._next: Poll | None = None

    # --- TurnTaker

    @property
    def identity(self) -> str:
        """Of whoever gets the turn that is about to start."""
        return self._next.identity if self._next is not None else ""

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
        return self if self.is_for(build_id, key) and self.has_turn_slot(key) else None

    def is_for(self, build_id: str, key: int) -> bool:
        """Whether runs that need this build, or any, are served here."""
        if build_id:
            return build_id == self.build_id
        route = self.route
        if route is None:
            return not self.is_version
        resident = self.engine.residents.by_key(key)
        version = route.version_for(resident.run.workflow_id) if resident is not None else route.current
        return version == (self.build_id if self.is_version else "")

    @property
    def route(self) -> Route | None:
        """Where turns go that no build has for itself, if a deployment says so."""
        routes = self._routes()
        return routes.get((self.namespace, self.name)) if routes else None

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
        return self if self.is_for(build_id, key) else None

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
        self._workers.turns.queue_free(self.namespace, self.name, lambda: bool(self.asking))
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

    def put(self, question: Question) -> None:
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

    def forget(self, key: int) -> None:
        """The run's next turn is anybody's; here they all are."""

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

    def __init__(
        self, engine: "Engine", workers: "Workers", namespace: str, name: str, normal: "Desk | None" = None
    ) -> None:
        super().__init__(engine, workers, namespace, name)
        self.normal = normal
        """Where the same worker asks for turns of any run."""
        self.seconds = STICKY_SECONDS
        self.last_asked = 0
        self._waiting: dict[int, None] = {}

    def has_turn_slot(self, key: int) -> bool:
        """As ``Desk``. Otherwise the turn waits here for a while, and then goes back to the task queue."""
        is_moved = not self._stays(key)
        if not is_moved and super().has_turn_slot(key):
            self._waiting.pop(key, None)
            return True
        if key not in self._waiting:
            self._waiting[key] = None
            now = self.engine.clock.now_ns()
            if is_moved or self.is_deserted:
                self.engine.clock.call_at(now, lambda: self._give_up(key, self.forget))
            else:
                due = now + int(self.seconds * 1e9)
                self.engine.clock.call_at(due, lambda: self._give_up(key, self.unstick))
        return False

    def _stays(self, key: int) -> bool:
        """Whether the run's turns still go to this worker's build."""
        normal = self.normal
        if normal is None or (normal.route is None and not normal.is_version):
            return True
        resident = self.engine.residents.by_key(key)
        return resident is None or normal.is_for(resident.run.pinned_build_id, key)

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

    def _give_up(self, key: int, leave: Callable[[int], None]) -> None:
        if key in self._waiting:
            del self._waiting[key]
            leave(key)

    def forget(self, key: int) -> None:
        """The run's next turn is anybody's."""
        resident = self.engine.residents.by_key(key)
        if resident is not None and resident.host is self and not resident.is_turn_out:
            resident.drop_program()
            if not self.engine.closing:
                self.engine.wake(resident)

    def unstick(self, key: int) -> None:
        """As ``forget``, and the history says that nobody came for the turn, if one waits here."""
        resident = self.engine.residents.by_key(key)
        if resident is not None and resident.host is self and not resident.is_turn_out:
            resident.drop_program()
            if not self.engine.closing:
                self.engine.decide(resident, UnstickWorkflow(), None)

    def close(self) -> None:
        """The worker is gone, or says that it goes."""
        waiting, self._waiting = self._waiting, {}
        for key in waiting:
            self.unstick(key)
        for resident in [resident for resident in self.engine.residents if resident.host is self]:
            self.forget(resident.key)
        for question in list(self.queries.values()):
            question.give_up()
        self.queries.clear()
