"""What a decision comes to: everything that one transaction must record, and what may be done once it has.

A ``Commit`` is filled while a request is decided. ``record`` lets a record take effect on the run at once, so that
later steps of the same decision see it; nothing outside the run has happened yet. The engine then writes ``records``,
``tasks``, ``timers`` and ``messages`` in one transaction, and only after that acts on ``ready``, ``cancelled``,
``answers`` and the messages.

Several decisions on one run may share a commit: a turn that follows at once from a start or a completion is recorded
with it.
"""

from enum import IntEnum

import msgspec

from perdure.kernel.apply import APPLIERS, out_of_order
from perdure.kernel.run import WORKFLOW_TASK, WORKFLOW_TASK_REF, Activity, Run, WorkflowTask
from perdure.model.events import AnyRecord, Event, EventBuffered, NexusOperationScheduled
from perdure.model.failures import Failure
from perdure.model.ids import RunAddress
from perdure.model.limits import DEFAULT_LIMITS, Limits
from perdure.model.options import DEFAULT_NAMESPACE
from perdure.model.payloads import Payloads
from perdure.model.requests import Request, StartWorkflow
from perdure.model.search import AttributeTypes
from perdure.model.service import UpdateStage
from perdure.model.task_queues import Placement


class Reason(IntEnum):
    """Why a request was refused."""

    INVALID = 1
    NOT_FOUND = 2
    ALREADY_EXISTS = 3
    CLOSED = 4
    STALE = 5
    """The request belongs to an attempt, a turn or a deadline that is over: somebody else was first."""
    LIMIT = 6


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """A refusal. The run is as it was."""

    reason: Reason
    message: str


class Task(msgspec.Struct, frozen=True, gc=False):
    """Work for a worker: an activity (``ref`` is its scheduled event id) or the run's next turn (``ref`` 0).

    ``due`` (ns since 1970, 0 for never) is when something must happen to it; it may be earlier than necessary, never
    later. ``placement`` is where an activity that waits stands in its task queue, None for where all do by default.
    """

    ref: int
    task_queue: str
    type: str
    started: bool
    due: int
    placement: Placement | None = None


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A request to another run, sent once the commit is durable and again until it has arrived.

    ``ref`` names it in the run. ``wants_reply``: what came of it is a request to this run in turn.
    """

    ref: int
    target: RunAddress
    request: Request
    wants_reply: bool = False


class Answer(msgspec.Struct, frozen=True, gc=False):
    """How far an update has come, for those who wait for it."""

    update_id: str
    stage: UpdateStage
    result: Payloads = ()
    failure: Failure | None = None


class Successor(msgspec.Struct, frozen=True, gc=False):
    """The run that goes on in this one's place; it starts in the same transaction."""

    run_id: str
    request: StartWorkflow


NO_TURN = -1


def activity_due(activity: Activity) -> int:
    """When something must happen to the activity: its next attempt or a timeout (ns since 1970); 0 for never."""
    scheduled = activity.scheduled
    soonest = 0
    if activity.started_time:
        if scheduled.start_to_close_timeout_ns:
            soonest = activity.started_time + scheduled.start_to_close_timeout_ns
        if scheduled.heartbeat_timeout_ns:
            beat = (activity.heartbeat_time or activity.started_time) + scheduled.heartbeat_timeout_ns
            soonest = min(soonest, beat) if soonest else beat
    elif activity.paused is not None:
        return 0
    else:
        soonest = activity.next_attempt_time
        if scheduled.schedule_to_start_timeout_ns:
            late = activity.attempt_scheduled_time + scheduled.schedule_to_start_timeout_ns
            soonest = min(soonest, late) if soonest else late
    if scheduled.schedule_to_close_timeout_ns:
        end = scheduled.time + scheduled.schedule_to_close_timeout_ns
        soonest = min(soonest, end) if soonest else end
    return soonest


def task_of(namespace: str, activity: Activity) -> Task:
    """The activity as a task for workers."""
    scheduled = activity.scheduled
    return Task(
        scheduled.id,
        scheduled.task_queue,
        scheduled.activity_type,
        activity.started_time > 0,
        activity_due(activity),
        None
        if activity.started_time
        or (
            scheduled.priority is None
            and not scheduled.limit_key
            and scheduled.affinity is None
            and namespace == DEFAULT_NAMESPACE
        )
        else Placement(namespace, scheduled.priority, scheduled.limit_key, scheduled.affinity),
    )


def turn_due(run: Run, turn: WorkflowTask) -> int:
    """When something must happen to a turn (ns since 1970): its next attempt, or the end of the time a worker has for
    it. 0: never."""
    if turn.started_time:
        return turn.started_time + run.started.workflow_task_timeout_ns
    return turn.next_attempt_time


class Commit(msgspec.Struct, eq=False, gc=False):
    """See the module. ``tasks`` maps refs to what they are now, None when they are done; ``timers`` maps ``(due,
    ref)`` to whether it is set or dropped; ``messages`` maps refs to what to send, None when it need not be sent any
    more. ``ready`` are activities whose next attempt may start; ``cancelled`` those whose worker must be told to
    stop. ``is_visible`` says that what lists show of the run has changed, ``is_found_by_other_values`` that its search
    attributes have, ``has_flushed`` that buffered events got their numbers. ``attribute_types`` are those of the
    namespace's search attributes. ``ended`` are the attempts of activities that are over, each with the record that says
    so: nothing in the run tells any more what they were; ``operations`` the same of operations that are asked for, fail to be
    taken in hand, or end. ``turn_failure`` is why a turn failed. ``noted`` belongs to
    the engine: how many of the records it has noted for the run's program. ``later`` too, if it is not 0: what is decided
    after the turn that follows is decided then, not at ``now``.
    """

    run: Run
    now: int
    limits: Limits = DEFAULT_LIMITS
    attribute_types: AttributeTypes | None = None
    records: list[AnyRecord] = []
    tasks: dict[int, Task | None] = {}
    timers: dict[tuple[int, int], bool] = {}
    messages: dict[int, Message | None] = {}
    ready: list[int] = []
    cancelled: list[int] = []
    answers: list[Answer] = []
    ended: list[tuple[Activity, AnyRecord]] = []
    operations: tuple[tuple[NexusOperationScheduled, AnyRecord], ...] = ()
    turn_failure: str = ""
    successor: Successor | None = None
    is_visible: bool = False
    is_found_by_other_values: bool = False
    has_flushed: bool = False
    noted: int = 0
    later: int = 0
    _tasks: dict[int, bool] = {}
    """Activities that this commit has touched, and whether they are new in it."""
    _turn_started: bool = False
    _turn_due: int = NO_TURN
    """The run's turn as it was before the commit."""

    def __post_init__(self) -> None:
        turn = self.run.workflow_task
        if turn is not None and self.run.next_event_id > 1:
            self._turn_started = turn.started_time > 0
            self._turn_due = turn_due(self.run, turn)

    def seal(self) -> None:
        """Nothing more is decided: say what has become of the run's tasks. Many come and go within one commit, so
        only now is it known."""
        run = self.run
        if self._tasks:
            activities = run.activities
            for ref, is_fresh in self._tasks.items():
                activity = activities.get(ref)
                if activity is not None:
                    self.tasks[ref] = task_of(run.namespace, activity)
                elif not is_fresh:
                    self.tasks[ref] = None
        turn = run.workflow_task
        if turn is not None:
            self._seal_turn(turn)
        elif self._turn_due != NO_TURN:
            self.tasks[WORKFLOW_TASK_REF] = None
            if self._turn_due:
                self.timers[self._turn_due, WORKFLOW_TASK] = False

    def _seal_turn(self, turn: WorkflowTask) -> None:
        run = self.run
        due = turn_due(run, turn)
        started = turn.started_time > 0
        if due == self._turn_due and started == self._turn_started:
            return
        self.tasks[WORKFLOW_TASK_REF] = Task(
            WORKFLOW_TASK_REF, run.started.task_queue, run.started.workflow_type, started, due
        )
        if due != self._turn_due:
            if self._turn_due > 0:
                self.timers[self._turn_due, WORKFLOW_TASK] = False
            if due:
                self.timers[due, WORKFLOW_TASK] = True

    def record(self, record: AnyRecord) -> None:
        """Record it and let it take effect: ``apply``, written out here because nothing is called more often."""
        run = self.run
        number = record.id
        if number:
            if number != run.next_event_id:
                raise out_of_order(run, record)
            run.next_event_id = number + 1
        APPLIERS[record.__class__](run, record)
        self.records.append(record)

    def occur(self, event: Event) -> None:
        """Record an event made with ``occurrence_id()``: numbered now, or later if a worker has a turn in hand."""
        if event.id:
            self.record(event)
        else:
            self.record(EventBuffered(0, event.time, event))

    @property
    def next_id(self) -> int:
        """The number for an event that is part of the turn being recorded."""
        return self.run.next_event_id

    def occurrence_id(self) -> int:
        """The number for an event that comes from outside the program: 0 while a worker has a turn in hand."""
        run = self.run
        turn = run.workflow_task
        return 0 if turn is not None and turn.started_time else run.next_event_id

    def add_task(self, ref: int) -> None:
        """An activity is there that was not before."""
        self._tasks[ref] = True

    def change_task(self, ref: int) -> None:
        """An activity's task is different now."""
        if ref not in self._tasks:
            self._tasks[ref] = False

    finish_task = change_task
    """An activity is over. One that began in this same commit is never written."""

    def set_timer(self, due: int, ref: int) -> None:
        """Wake the run at ``due`` (ns since 1970)."""
        self.timers[due, ref] = True

    def drop_timer(self, due: int, ref: int) -> None:
        """Do not wake it then. What was set in this same commit is never written."""
        if self.timers.get((due, ref)):
            del self.timers[due, ref]
        else:
            self.timers[due, ref] = False

    def send(self, message: Message) -> None:
        """Send a request to another run after the commit, in place of an earlier message with the same ref."""
        self.messages[message.ref] = message

    def arrived(self, ref: int) -> None:
        """A message need not be sent any more. One that was asked for in this same commit is never written."""
        if self.messages.pop(ref, None) is None:
            self.messages[ref] = None
