"""A run's program in another process, as the engine sees it: its turns and queries go to the worker that has it."""

import asyncio
from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING

from perdure.model.events import Event, UpdateAdmitted, WorkflowTaskScheduled
from perdure.model.failures import Failure
from perdure.model.ids import RunAddress
from perdure.model.payloads import PayloadMap, Payloads
from perdure.model.program import TurnCompleted, TurnFailed
from perdure.model.workers import (
    AnswerQuery,
    TakeTurn,
    TurnAhead,
    TurnReport,
)

if TYPE_CHECKING:
    from perdure.engine.remote_worker import RemoteWorker

_turn_tokens = count(1)


class RemoteProgram:
    """A run's program in another process. Implements ``Program``."""

    def __init__(self, worker: "RemoteWorker", address: RunAddress) -> None:
        self.address = address
        self.turn_in_hand: tuple[int, int, int] | None = None
        """Its started event, its attempt, and its token."""
        self.questions: list[tuple[AnswerQuery, int]] = []
        """Queries that wait for so many turns to end, so that they see what happened before they were asked."""
        self.has_whole_turn = False
        """Whether the turn in hand has the whole history."""
        self.offered = 0
        """Where the turn begins that the worker may take itself; 0 when there is none."""
        self.ahead: TurnAhead | None = None
        """That turn, as it was taken; while what leads to it is decided."""
        self.worker = worker
        self._is_new = True
        self._history: Sequence[Event] = ()

    def turn(self, events: Sequence[Event], updates: Sequence[UpdateAdmitted]) -> TurnCompleted | TurnFailed | None:
        """Have it taken there, and the end comes as a request; unless it was taken there already."""
        ahead, self.offered = self.ahead, 0
        if ahead is not None:
            started = events[-1]
            if ahead.started_event_id == started.id and ahead.time == started.time and not updates:
                self.ahead = None
                if ahead.failure is not None:
                    return TurnFailed(ahead.cause, ahead.failure)
                return TurnCompleted(ahead.commands, ahead.state)
        self._hand_out(events, updates)
        return None

    def take_again(self, events: Sequence[Event], updates: Sequence[UpdateAdmitted]) -> None:
        """Have the turn in hand taken by a new program; ``events`` are the whole history up to it."""
        self._is_new = True
        self._hand_out(events, updates)

    def _hand_out(self, events: Sequence[Event], updates: Sequence[UpdateAdmitted]) -> None:
        started = events[-1]
        scheduled = events[-2]
        attempt = scheduled.attempt if isinstance(scheduled, WorkflowTaskScheduled) else 1
        token = next(_turn_tokens)
        self.turn_in_hand = (started.id, attempt, token)
        self.has_whole_turn = self._is_new
        self.worker.take_turn(
            self, TakeTurn(self.address, started.id, attempt, self._is_new, tuple(events), tuple(updates), token)
        )
        self._is_new = False

    def has_in_hand(self, report: TurnReport) -> bool:
        """Whether the turn that is handed in is the one in hand. Its number and attempt do not tell: when a commit fails,
        they go to another turn, with other events before it. Workers of earlier versions know no more, though."""
        turn = self.turn_in_hand
        return (
            turn is not None
            and turn[0] == report.started_event_id
            and turn[1] == report.attempt
            and report.token in (turn[2], 0)
        )

    def catch_up(self, events: Sequence[Event]) -> None:
        """What the next query must bring along."""
        self._history = events
        self._is_new = False

    def query(
        self, name: str, input: Payloads, header: PayloadMap | None = None
    ) -> "asyncio.Future[Payloads | Failure]":
        """Ask there."""
        events, self._history = self._history, ()
        return self.worker.ask(self, name, input, header, events)

    def close(self) -> None:
        """Have it forgotten there."""
        self.worker.forget(self)
