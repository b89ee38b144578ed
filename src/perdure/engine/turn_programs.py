"""What is handed to those who poll: turns and queries of programs that they build themselves.

A ``PolledProgram`` is the engine's side of such a program. It sends what is new, or the whole history, to whoever asks at
its desk next; queries wait at the desk, too, and go to anybody if the worker that keeps the program does not come.
"""

import asyncio
from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING

import msgspec

from perdure.engine import queries
from perdure.model.events import Event, UpdateAdmitted, WorkflowExecutionStarted, WorkflowTaskScheduled
from perdure.model.failures import NO_WORKER, Failure
from perdure.model.ids import RunAddress
from perdure.model.payloads import PayloadMap, Payloads

if TYPE_CHECKING:
    from perdure.engine.turn_desks import Desk

QUERY_SECONDS = 10.0
"""A query that nobody has answered after this has failed."""

_query_ids = count(1)


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
    header: PayloadMap | None = None


Polled = PolledTurn | PolledQuery


class PolledProgram:
    """A run's program at whoever asks for its turns. Implements ``Program``."""

    def __init__(self, desk: "Desk", address: RunAddress, started: WorkflowExecutionStarted) -> None:
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

    def moved(self, desk: "Desk") -> None:
        """It is at another desk from now on."""
        self.desk.turn_ended(self)
        self.desk = desk

    def catch_up(self, events: Sequence[Event]) -> None:
        """What the next query must bring along."""
        self._history = events

    def query(
        self, name: str, input: Payloads, header: PayloadMap | None = None
    ) -> "asyncio.Future[Payloads | Failure]":
        """Ask whoever comes next."""
        return asyncio.ensure_future(Question.ask(self, name, input, header, self._history))

    def close(self) -> None:
        """Nobody needs to be told."""
        self.desk.turn_ended(self)

    @property
    def started(self) -> WorkflowExecutionStarted:
        """How the run began."""
        return self._started


class Question:
    """A query on its way to whoever asks, and its answer."""

    open: dict[int, "Question"] = {}  # noqa: RUF012  # those that are handed out or wait, of all engines

    def __init__(self, query: PolledQuery) -> None:
        self.query = query
        self.answer: asyncio.Future[Payloads | Failure | None] = asyncio.get_running_loop().create_future()

    def give_up(self) -> None:
        """Nobody will fetch it here."""
        if not self.answer.done():
            self.answer.set_result(None)

    @classmethod
    async def ask(
        cls, program: PolledProgram, name: str, input: Payloads, header: PayloadMap | None, events: Sequence[Event]
    ) -> Payloads | Failure:
        """The answer of whoever fetches the query from the program's desk."""
        desk = program.desk
        query = PolledQuery(
            next(_query_ids),
            program.address,
            program.started,
            name,
            input,
            program.previous_started_event_id,
            events,
            header,
        )
        question = cls(query)
        cls.open[query.query_id] = question
        desk.put(question)
        patience = desk.seconds if desk.is_sticky else QUERY_SECONDS
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
        if not desk.is_sticky:
            return Failure(
                f"No worker answered the query within {QUERY_SECONDS:.0f} seconds. Is there one for task queue {desk.name!r}?",
                type=NO_WORKER,
            )
        return await _ask_anybody(desk, program, query)


async def _ask_anybody(desk: "Desk", program: PolledProgram, query: PolledQuery) -> Payloads | Failure:
    """The worker that kept the program does not answer."""
    engine, address = desk.engine, program.address
    resident = engine.residents.find(address.namespace, address.workflow_id, address.run_id)
    if resident is not None:
        desk.forget(resident.key)
        if resident.host is not desk:
            return await queries.query(engine, resident, query.name, query.input, query.header)
    return Failure(f"The worker {desk.name!r}, which has the run's program, did not answer the query. Ask again.")


def query_answered(query_id: int, namespace: str, answer: Payloads | Failure) -> bool:
    """A query has its answer. False if nobody waits for it any more."""
    question = Question.open.get(query_id)
    if question is None or question.query.address.namespace != namespace or question.answer.done():
        return False
    question.answer.set_result(answer)
    return True
