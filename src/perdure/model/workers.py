"""What an engine and a worker in another process say to each other, whatever carries it.

A worker says ``Hello``, is handed tasks as far as its slots go, and reports what became of them. Reports about
activities are acknowledged once they are recorded; until then the worker keeps them, and hands them in again after it
has lost the connection, so neither side's death loses what an activity did. Programs belong to a connection: when it
ends, the worker drops them, and whoever takes the run's next turn gets the whole history.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, Union

import msgspec

from perdure.model.commands import AnyCommand
from perdure.model.events import Event, UpdateAdmitted
from perdure.model.failures import Failure
from perdure.model.ids import RunAddress
from perdure.model.payloads import PayloadMap, Payloads
from perdure.model.program import ActivityTask
from perdure.model.requests import CancelActivity, CompleteActivity, FailActivity, HeartbeatActivity

NO_PROGRAM = "RESET_STICKY_TASK_QUEUE"
"""Why a worker can't take a turn for which the server believes a program there that is not: it needs the whole
history."""

ANY_TYPE = ""
"""As an activity type: whichever there is."""


class Attempt(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Names one attempt of an activity."""

    run_id: str
    scheduled_event_id: int
    attempt: int


class ActivityGroup(msgspec.Struct, frozen=True, gc=False):
    """Activities that share slots: of these types, at most ``slots`` run at once. ``ANY_TYPE`` takes all others."""

    activity_types: Sequence[str]
    slots: int


# --- from the worker


class Hello(msgspec.Struct, frozen=True, gc=False):
    """The first thing a worker says.

    ``worker_id`` is its own choice, random, and the same on each of its connections; ``running`` are the attempts it
    still has from the last one. It takes turns of ``workflow_types``, at most ``turn_slots`` at once. One that
    ``goes_ahead`` may be given a run's next turn together with the activity that the run waits for.
    """

    worker_id: str
    identity: str
    build_id: str
    namespace: str
    task_queues: Sequence[str]
    workflow_types: Sequence[str] = ()
    turn_slots: int = 0
    groups: Sequence[ActivityGroup] = ()
    running: Sequence[Attempt] = ()
    labels: Mapping[str, str] = {}
    goes_ahead: bool = False


class Capacity(msgspec.Struct, frozen=True, gc=False):
    """From now on it has so many slots: for turns, and for each group of its ``Hello`` in order."""

    turn_slots: int
    slots: Sequence[int]


ActivityRequest = Union[CompleteActivity, FailActivity, CancelActivity, HeartbeatActivity]


class TurnAhead(msgspec.Struct, frozen=True, gc=False):
    """The turn that follows from an activity's end, taken by the worker before it was asked to.

    It counts if the run comes to that turn at once and as the worker thought: it begins with the event
    ``started_event_id``, at ``time`` (ns since 1970, by the server's clock). Otherwise it never was. The rest is as in
    ``TurnReport``.
    """

    started_event_id: int
    time: int
    commands: tuple[AnyCommand, ...] = ()
    state: bytes = b""
    cause: str = ""
    failure: Failure | None = None


class ActivityReport(msgspec.Struct, frozen=True, gc=False):
    """What became of an attempt, or how far it is; with the turn that follows, if the worker has gone ahead."""

    address: RunAddress
    request: ActivityRequest
    ahead: TurnAhead | None = None


class TurnReport(msgspec.Struct, frozen=True, gc=False):
    """A turn is taken: its commands and ``state`` as in ``TurnCompleted``, or why it could not be (``cause`` as in
    ``TurnFailed``)."""

    address: RunAddress
    started_event_id: int
    attempt: int
    commands: tuple[AnyCommand, ...] = ()
    cause: str = ""
    failure: Failure | None = None
    state: bytes = b""
    token: int = 0


class QueryReport(msgspec.Struct, frozen=True, gc=False):
    """The answer to a query."""

    query_id: int
    result: Payloads = ()
    failure: Failure | None = None


FromWorker = Union[Capacity, ActivityReport, TurnReport, QueryReport]


# --- to the worker


class StartActivity(msgspec.Struct, frozen=True, gc=False):
    """Run this attempt.

    With ``events`` the worker may go ahead when it completes: these are what the run's program, which the worker has,
    has not been told, up to the last there is; and whether its next turn would ``suggest_continue_as_new``. If they follow
    a turn that the worker took so, the end that it came with is recorded, and no ``Acknowledge`` says so.
    """

    task: ActivityTask
    events: Sequence[Event] = ()
    suggest_continue_as_new: bool = False


class CancelAttempt(msgspec.Struct, frozen=True, gc=False):
    """Nobody wants the attempt any more: tell it, at its next heartbeat at the latest."""

    address: RunAddress
    scheduled_event_id: int


class Acknowledge(msgspec.Struct, frozen=True, gc=False):
    """The report about this attempt is recorded, or ``refused``: too late, or not the worker's to make."""

    run_id: str
    scheduled_event_id: int
    attempt: int
    refused: str = ""


class TakeTurn(msgspec.Struct, frozen=True, gc=False):
    """Take a turn: ``events`` are those since the run's last one here, all of them if it ``is_new``. The answer names
    ``started_event_id``, ``attempt`` and ``token``."""

    address: RunAddress
    started_event_id: int
    attempt: int
    is_new: bool
    events: tuple[Event, ...]
    updates: tuple[UpdateAdmitted, ...] = ()
    token: int = 0


class AnswerQuery(msgspec.Struct, frozen=True, gc=False):
    """Answer a query from the run's present state. ``events``, if any, are the whole history, for a program that is
    not there."""

    query_id: int
    address: RunAddress
    name: str
    input: Payloads
    events: tuple[Event, ...] = ()
    header: PayloadMap | None = None


class Evict(msgspec.Struct, frozen=True, gc=False):
    """Forget the run's program."""

    run_id: str


ToWorker = Union[StartActivity, CancelAttempt, Acknowledge, TakeTurn, AnswerQuery, Evict]


class Link(Protocol):
    """The way to a worker that is connected."""

    def send(self, message: ToWorker) -> None:
        """Send, in order, without waiting."""
        ...


class WorkerDescription(msgspec.Struct, frozen=True, gc=False):
    """A worker that is connected, or was a moment ago. ``connected_time`` is ns since 1970; slots are those in use and
    all."""

    worker_id: str
    identity: str
    build_id: str
    task_queues: Sequence[str]
    workflow_types: Sequence[str]
    activity_types: Sequence[str]
    is_connected: bool
    connected_time: int
    activities: int
    activity_slots: int
    turns: int
    turn_slots: int
    programs: int
    labels: Mapping[str, str] = {}
