"""A run's state: what folding its history gives, and nothing else.

Only ``kernel.apply`` writes to these objects. They hold references to events rather than copies of their attributes,
so a waiting run stays small.
"""

import msgspec

from perdure.model.events import (
    ActivityPaused,
    ActivityReset,
    ActivityTaskScheduled,
    Event,
    NexusOperationCancelRequested,
    NexusOperationScheduled,
    RequestCancelExternalWorkflowExecutionInitiated,
    SignalExternalWorkflowExecutionInitiated,
    StartChildWorkflowExecutionInitiated,
    UpdateAdmitted,
    WorkflowExecutionPaused,
    WorkflowExecutionStarted,
    WorkflowExecutionUpdateCompleted,
)
from perdure.model.failures import Failure
from perdure.model.ids import CompletionCallback
from perdure.model.options import PAUSED, RUNNING, RunStatus, Versioning
from perdure.model.payloads import PayloadMap, Payloads
from perdure.model.task_queues import Priority

# Names of a run's own deadlines. Activities and user timers are named by their event ids, which are positive.
RUN_TIMEOUT = -1
EXECUTION_TIMEOUT = -2
FIRST_TASK = -3
WORKFLOW_TASK = -4

WORKFLOW_TASK_REF = 0
"""How a workflow task is named among a run's tasks; activities go by their scheduled event ids."""


class WorkflowTask(msgspec.Struct, gc=False):
    """The turn that the run waits for. ``scheduled_event_id`` is 0 while the turn is not in the history:
    a repeated attempt, or one that was made only to bring updates. ``started_time`` is 0 until a worker has it.
    """

    scheduled_event_id: int
    scheduled_time: int
    attempt: int = 1
    started_event_id: int = 0
    started_time: int = 0
    identity: str = ""
    next_attempt_time: int = 0
    last_cause: str = ""
    last_failure: Failure | None = None
    failed_before: int = 0
    """The number that the first event gets that comes after the last failure."""


class Activity(msgspec.Struct, gc=False):
    """An activity that has not ended. ``attempt`` is the one that runs (``started_time`` > 0) or comes next."""

    scheduled: ActivityTaskScheduled
    attempt: int = 1
    started_time: int = 0
    next_attempt_time: int = 0
    identity: str = ""
    last_failure: Failure | None = None
    heartbeat_time: int = 0
    heartbeat_details: Payloads = ()
    cancel_requested_event_id: int = 0
    attempt_scheduled_time: int = 0
    failed_time: int = 0
    """When the attempt before failed."""
    is_outside: bool = False
    """The attempt that runs is no worker's any more: a process that dies does not take it along."""
    worker_id: str = ""
    """Which worker has the attempt that runs, if that worker may outlive the engine's process."""
    paused: ActivityPaused | None = None
    first_attempt: int = 1
    """The attempt that counts as the first. A number is never used for two attempts, so nobody takes one for another."""
    original: ActivityTaskScheduled | None = None
    """As it was scheduled, if it has other options now."""
    reset: ActivityReset | None = None
    """Of the attempt that runs: whoever runs it may want to stop, and begin anew."""
    last_identity: str = ""
    """Who had the attempt before the one that comes next."""

    @property
    def attempt_count(self) -> int:
        """Which attempt this is, as people count."""
        return self.attempt - self.first_attempt + 1


class Timer(msgspec.Struct, gc=False):
    """A user timer that has not fired. Times are ns since 1970."""

    started_event_id: int
    due: int
    started_time: int


class Child(msgspec.Struct, gc=False):
    """A child that has not closed. ``run_id`` is empty until it has started; ``started_event_id`` is 0 until that is
    numbered."""

    initiated: StartChildWorkflowExecutionInitiated
    started_event_id: int = 0
    run_id: str = ""


class OperationCancel(msgspec.Struct, gc=False):
    """That an operation is to stop. ``is_told``: whoever carries it out knows, or can't stop it."""

    requested: NexusOperationCancelRequested
    attempt: int = 1
    next_attempt_time: int = 0
    last_failure: Failure | None = None
    failed_time: int = 0
    is_told: bool = False


class Operation(msgspec.Struct, gc=False):
    """An operation that has not ended. Times are ns since 1970; ``started_time`` is 0 until it is accepted,
    ``next_attempt_time`` while nothing is put off."""

    scheduled: NexusOperationScheduled
    attempt: int = 1
    next_attempt_time: int = 0
    last_failure: Failure | None = None
    failed_time: int = 0
    started_time: int = 0
    token: str = ""
    cancel: OperationCancel | None = None


class Update(msgspec.Struct, gc=False):
    """An update from admission on; finished ones stay, to answer those who ask again. ``is_delivered``: a turn with it
    has been started."""

    admitted: UpdateAdmitted | None
    accepted_event_id: int = 0
    completed: WorkflowExecutionUpdateCompleted | None = None
    is_delivered: bool = False
    callbacks: tuple[CompletionCallback, ...] = ()


class Run(msgspec.Struct):
    """``next_event_id`` counts the events, ``close`` is the last one once the run is closed.

    ``activity_ids`` maps the program's names to scheduled event ids. ``buffered`` are events without a number yet.
    ``last_turn_time`` is when the last turn was handed in, 0 before the first; ``last_started_event_id`` is the event with
    which it began.
    """

    namespace: str
    run_id: str
    started: WorkflowExecutionStarted
    status: RunStatus = RUNNING
    next_event_id: int = 1
    close: Event | None = None
    workflow_task: WorkflowTask | None = None
    first_task_pending: bool = False
    cancel_requested: bool = False
    build_id: str = ""
    activities: dict[int, Activity] = {}
    activity_ids: dict[str, int] = {}
    timers: dict[str, Timer] = {}
    timer_ids: dict[int, str] = {}
    children: dict[int, Child] = {}
    external_signals: dict[int, SignalExternalWorkflowExecutionInitiated] = {}
    external_cancels: dict[int, RequestCancelExternalWorkflowExecutionInitiated] = {}
    updates: dict[str, Update] = {}
    buffered: list[Event] = []
    memo: PayloadMap = {}
    search_attributes: PayloadMap = {}
    request_ids: set[str] = set()
    paused: WorkflowExecutionPaused | None = None
    last_turn_time: int = 0
    pinned_build_id: str = ""
    last_started_event_id: int = 0
    sticky_queue: str = ""
    """Where the worker asks for turns that has kept the program, if it said so."""
    pin_override: str = ""
    """The build to which somebody has pinned the run, whatever its turns say."""
    versioning_override: Versioning = Versioning.UNSPECIFIED
    """AUTO_UPGRADE if somebody has said that it is to go along with its deployment, whatever its turns say."""
    priority: Priority | None = None
    """Of its activities and children that have none of their own."""
    attached_request_ids: dict[str, int] = {}
    """Of starts that found the run there, with the events that say so (0 while these have no number)."""
    versioning: Versioning = Versioning.UNSPECIFIED
    deployment: str = ""
    """Of the build that took the last turn."""
    operations: dict[int, Operation] = {}
    callbacks: list[CompletionCallback] = []
    """Who is told when the run closes."""

    @property
    def workflow_id(self) -> str:
        """The id callers chose."""
        return self.started.workflow_id

    @property
    def history_length(self) -> int:
        """How many events there are."""
        return self.next_event_id - 1

    @property
    def is_open(self) -> bool:
        """Whether anything can still happen."""
        return self.close is None

    @property
    def is_paused(self) -> bool:
        """Whether nothing new may start."""
        return self.status is PAUSED

    @property
    def turn_in_hand(self) -> bool:
        """Whether a worker holds a turn, so that new events must wait for their numbers."""
        task = self.workflow_task
        return task is not None and task.started_time > 0
