"""The contract between the engine and whatever runs user code.

A *program* is one run's user code between turns: Python coroutines on a deterministic loop, or an interpreter of a
workflow language. The engine hands it what happened since its last turn and takes back commands. It neither knows nor
cares how the program keeps its state. A *replayed* program (Python code) does again what it did in older turns. A
*snapshotted* one keeps its state as data: each turn hands in what changed (``TurnCompleted.state``), which the turn's
``WorkflowTaskCompleted`` records, and a new program folds these instead of running anything again.

A *worker* owns programs and runs activities. In this process it is called directly, through ``Worker``; one in another
process stands behind the same protocol, and differs only in that turns and queries are not answered at once.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from perdure.model.affinity import Affinity
from perdure.model.commands import AnyCommand
from perdure.model.events import (
    ActivityTaskScheduled,
    AnyRecord,
    Event,
    EventFlushed,
    UpdateAdmitted,
    WorkflowExecutionStarted,
)
from perdure.model.failures import Failure
from perdure.model.ids import RunAddress
from perdure.model.payloads import PayloadMap, Payloads
from perdure.model.requests import Request


class TurnCompleted(msgspec.Struct, frozen=True, gc=False):
    """The turn's commands, in order. ``state`` is what changed in the state of a program that keeps it as data; only that
    program can read it."""

    commands: Sequence[AnyCommand]
    state: bytes = b""


class TurnFailed(msgspec.Struct, frozen=True, gc=False):
    """The program could not take its turn: a bug in it, or history that its code does not match.

    ``cause`` is a name of Temporal's ``WorkflowTaskFailedCause`` without its prefix, such as
    ``WORKFLOW_WORKER_UNHANDLED_FAILURE`` or ``NON_DETERMINISTIC_ERROR``.
    """

    cause: str
    failure: Failure


class Program(Protocol):
    """One run's user code. After a failed turn it is closed and never used again: the next turn gets a new one."""

    def turn(self, events: Sequence[Event], updates: Sequence[UpdateAdmitted]) -> TurnCompleted | TurnFailed | None:
        """Take one turn; None if it is taken elsewhere, and its end comes as a request.

        ``events`` are all events since the last call, its own commands' events among them, and the last one is the
        ``WorkflowTaskStarted`` of this turn. A new program gets the whole history, older turns included, and must repeat
        what it did in them, or fold the states that they handed in. ``updates`` are delivered in this turn after the events.
        Never raises.
        """
        ...

    def catch_up(self, events: Sequence[Event]) -> TurnFailed | None:
        """Bring a new program to where its history ends without a turn, so that it can be queried. Never raises."""
        ...

    def query(
        self, name: str, input: Payloads, header: PayloadMap | None = None
    ) -> Payloads | Failure | Awaitable[Payloads | Failure]:
        """Answer from the present state without changing it. ``header`` came with the question. Never raises."""
        ...

    def close(self) -> None:
        """Let go of everything, running no more user code."""
        ...


class ActivityTask(msgspec.Struct, frozen=True, gc=False):
    """One attempt of an activity, for a worker. Times are ns since 1970; ``attempt_scheduled_time`` is when this attempt
    could have started. ``first_attempt`` is the one that counts as the first."""

    address: RunAddress
    workflow_type: str
    scheduled: ActivityTaskScheduled
    attempt: int
    started_time: int
    heartbeat_details: Payloads = ()
    last_failure: Failure | None = None
    attempt_scheduled_time: int = 0
    first_attempt: int = 1

    @property
    def attempt_count(self) -> int:
        """Which attempt this is, as people count."""
        return self.attempt - self.first_attempt + 1

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of this activity of this run, and for nothing else."""
        return f"{self.address.run_id}:{self.scheduled.id}"


class PollActivity(Protocol):
    """Takes an activity task off a queue, waiting for one for so long; None if there is none by then."""

    def __call__(
        self,
        namespace: str,
        task_queue: str,
        *,
        identity: str,
        activity_types: Sequence[str],
        timeout_seconds: float,
        labels: Mapping[str, str],
    ) -> Awaitable[ActivityTask | None]: ...


Report = Callable[[RunAddress, Request], None]
"""How a worker hands in what became of an activity. Called on the engine's thread; the engine sees to it that it
lasts."""


class TurnHost(Protocol):
    """Who has programs. All calls come on the engine's thread and return at once, here as in what follows."""

    @property
    def identity(self) -> str:
        """Who this is, in histories."""
        ...

    @property
    def build_id(self) -> str:
        """Which version of the code this is, in histories."""
        ...

    @property
    def keeps_programs(self) -> bool:
        """Whether a program made for a query may take the run's next turn. Otherwise it is closed."""
        ...

    def has_turn_slot(self, key: int) -> bool:
        """Whether it can take a turn of one of its programs now. Otherwise the engine is asked to try this run again."""
        ...

    def create_program(self, address: RunAddress, started: WorkflowExecutionStarted) -> Program:
        """A new program for a run that this is the ``host`` of; ``address`` names the run exactly. Never raises."""
        ...


class ActivityHost(Protocol):
    """Who has slots for activities."""

    @property
    def identity(self) -> str:
        """Who this is, in histories."""
        ...

    @property
    def worker_id(self) -> str:
        """What finds it again after it, or the engine, was away; empty for one that ends with the engine's process."""
        ...

    def release(self, task_queue: str, activity_type: str) -> None:
        """Give back a slot that was reserved and will not be used."""
        ...

    def start_activity(self, task: ActivityTask) -> None:
        """Run an activity in the slot reserved for it, and report how it ends; then the slot is free again."""
        ...


class Hosts(Protocol):
    """Whom the engine asks who is to have a task, be there one worker or a thousand."""

    @property
    def task_queues(self) -> Collection[str]:
        """The queues it serves."""
        ...

    def serves_workflow(
        self, namespace: str, task_queue: str, workflow_type: str, affinity: Affinity | None = None
    ) -> bool:
        """Whether programs of this type on this queue, which ask for this, run here."""
        ...

    def declares(self, namespace: str, task_queue: str, name: str) -> str:
        """Whether a "workflow" or an "activity" of just this name is served on this queue; empty if neither is."""
        ...

    def builds(self, namespace: str, task_queue: str, workflow_type: str) -> Collection[str]:
        """The builds in which programs of this type on this queue run here."""
        ...

    def host(
        self,
        namespace: str,
        task_queue: str,
        workflow_type: str,
        build_id: str,
        key: int,
        affinity: Affinity | None = None,
    ) -> TurnHost | None:
        """Who can take a turn of such a program now, in the given build if one is given; None if nobody can.

        Where that may change, the engine is asked to try the run with this key again.
        """
        ...

    def host_to_ask(
        self,
        namespace: str,
        task_queue: str,
        workflow_type: str,
        build_id: str,
        key: int,
        affinity: Affinity | None = None,
    ) -> TurnHost | None:
        """Who can answer a query of such a program; as ``host``, but where the query may wait, somebody is named even if
        nobody is free now."""
        ...

    def serves_activity(
        self, namespace: str, task_queue: str, activity_type: str, affinity: Affinity | None = None
    ) -> bool:
        """Whether activities of this type on this queue, which ask for this, run here when a slot is free."""
        ...

    def reserve(
        self, namespace: str, task_queue: str, activity_type: str, affinity: Affinity | None = None
    ) -> ActivityHost | None:
        """Take a slot for one activity, if it is served here, by a worker that it asks for, and a slot is free. Who has
        the slot: ``release`` it there, or ``start_activity`` there."""
        ...

    @property
    def running(self) -> Sequence[ActivityTask]:
        """The attempts whose code runs now."""
        ...

    def runs_activity(self, address: RunAddress, scheduled_event_id: int, attempt: int) -> bool:
        """Whether an attempt's code runs now, even if nobody wants it any more."""
        ...

    def adopt(self, task: ActivityTask, worker_id: str) -> bool:
        """The worker of this id had this attempt when the last owner of the store ended: whether it may still have
        it. If it turns out that it does not, the engine is told that the attempt is lost."""
        ...

    def cancel_activity(self, address: RunAddress, scheduled_event_id: int) -> None:
        """Let the activity know, at its next heartbeat, that its run wants it cancelled or is gone."""
        ...


class Worker(TurnHost, ActivityHost, Hosts, Protocol):
    """One worker: it has what it is asked for itself."""

    @property
    def labels(self) -> Mapping[str, str]:
        """What tasks may ask of it."""
        ...

    @property
    def used_slots(self) -> int:
        """How much it has to do: its activities."""
        ...


def numbered(records: Sequence[AnyRecord]) -> list[Event]:
    """The events of a stored history, in order, without the facts."""
    events: list[Event] = []
    for record in records:
        if record.id:
            events.append(record)  # type: ignore[arg-type]  # facts have no number, so this is an Event
        elif record.__class__ is EventFlushed:
            events.append(record.event)
    return events
