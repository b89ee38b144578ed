"""The port through which clients reach an engine, wherever it runs.

The SDK's ``Client`` is written against ``Service``; the engine in this process implements it, and so will a
connection to a server. Refusals are raised as the errors of ``model.errors``.
"""

from collections.abc import Awaitable, Sequence
from enum import IntEnum
from typing import Protocol

import msgspec

from perdure.model.affinity import Affinity
from perdure.model.events import Event
from perdure.model.explanation import Explanation
from perdure.model.failures import Failure
from perdure.model.figures import Figures
from perdure.model.ids import ParentLink, RunAddress
from perdure.model.namespaces import Namespace as Namespace
from perdure.model.namespaces import NamespaceDescription as NamespaceDescription
from perdure.model.options import RunStatus
from perdure.model.payloads import PayloadMap, Payloads
from perdure.model.requests import OutsideRequest, StartWorkflow, UpdateWorkflow
from perdure.model.search import Attribute, AttributeTypes, Group
from perdure.model.task_queues import TaskQueue, TaskQueueDescription
from perdure.model.workers import WorkerDescription


class StartResult(msgspec.Struct, frozen=True, gc=False):
    """Which run a start led to; ``is_new`` is false when an existing run was used."""

    run_id: str
    is_new: bool


class UpdateStage(IntEnum):
    """How far an update has come (Temporal's ``UpdateWorkflowExecutionLifecycleStage``)."""

    ADMITTED = 1
    ACCEPTED = 2
    COMPLETED = 3


class UpdateOutcome(msgspec.Struct, frozen=True, gc=False):
    """``stage`` COMPLETED comes with a ``result``, or a ``failure`` when the update was rejected or its handler
    failed."""

    stage: UpdateStage
    result: Payloads = ()
    failure: Failure | None = None


class PendingActivity(msgspec.Struct, frozen=True, gc=False):
    """An activity that has not ended. Times are ns since 1970, 0 when not so; ``attempt`` counts from the last reset."""

    scheduled_event_id: int
    activity_id: str
    activity_type: str
    task_queue: str
    attempt: int
    max_attempts: int
    scheduled_time: int
    started_time: int
    next_attempt_time: int
    last_heartbeat_time: int
    heartbeat_details: Payloads
    last_failure: Failure | None
    identity: str
    cancel_requested: bool
    affinity: Affinity | None = None
    paused_time: int = 0
    pause_reason: str = ""
    pause_identity: str = ""


class PendingTimer(msgspec.Struct, frozen=True, gc=False):
    """A timer that has not fired; ``due`` is ns since 1970."""

    timer_id: str
    started_event_id: int
    due: int


class PendingChild(msgspec.Struct, frozen=True, gc=False):
    """A child workflow that has not closed. ``run_id`` is empty until it has started."""

    initiated_event_id: int
    workflow_id: str
    run_id: str
    workflow_type: str


class PendingTurn(msgspec.Struct, frozen=True, gc=False):
    """A workflow task that has not completed. ``last_failure`` is set when ``attempt`` is above 1."""

    attempt: int
    scheduled_time: int
    started_time: int
    next_attempt_time: int
    last_cause: str
    last_failure: Failure | None


class RunSummary(msgspec.Struct, frozen=True, gc=False):
    """One run in a list. Times are ns since 1970; ``close_time`` is 0 while it is open. ``build_id`` names the code
    that took its last turn; ``root_workflow_id`` and ``root_run_id`` the run above all others, which is nobody's child
    and may be itself."""

    namespace: str
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    status: RunStatus
    start_time: int
    close_time: int
    history_length: int
    memo: PayloadMap
    search_attributes: PayloadMap
    parent: ParentLink | None = None
    build_id: str = ""
    root_workflow_id: str = ""
    root_run_id: str = ""


class RunDescription(msgspec.Struct, frozen=True, gc=False):
    """Everything about one run but its history."""

    summary: RunSummary
    first_run_id: str
    attempt: int
    history_size_bytes: int
    execution_timeout_ns: int
    run_timeout_ns: int
    cancel_requested: bool
    build_id: str
    turn: PendingTurn | None
    activities: Sequence[PendingActivity]
    timers: Sequence[PendingTimer]
    children: Sequence[PendingChild]
    pinned_build_id: str = ""
    affinity: Affinity | None = None


class HistoryPage(msgspec.Struct, frozen=True, gc=False):
    """A stretch of a history. ``is_closed`` says that no event will follow the last one here."""

    run_id: str
    events: Sequence[Event]
    is_closed: bool


class RunPage(msgspec.Struct, frozen=True, gc=False):
    """A page of a list. ``next_cursor`` is empty on the last page."""

    runs: Sequence[RunSummary]
    next_cursor: str


class RunCount(msgspec.Struct, frozen=True, gc=False):
    """How many runs a filter has: of each group of its GROUP BY, the largest first, and together."""

    total: int
    attributes: Sequence[Attribute]
    groups: Sequence[Group]


class Service(Protocol):
    """What a client can ask of an engine. Addresses with an empty run id mean the workflow id's current run.

    Raises ``NotFoundError`` where the run does not exist, ``RunClosedError`` where it is closed and the request needs
    it open, ``StoreError`` when the store cannot be used, and what each method says.
    """

    def start(self, namespace: str, request: StartWorkflow) -> Awaitable[StartResult]:
        """Start a run. Raises ``AlreadyExistsError`` as the request's policies say."""
        ...

    def execute(self, namespace: str, request: StartWorkflow) -> Awaitable[tuple[str, Event]]:
        """``start``, then ``wait_closed`` with ``follow``, in one step."""
        ...

    async def request(self, address: RunAddress, request: OutsideRequest) -> None:
        """Do something to a run: signal, cancel, terminate, pause, resume, or hand in an activity's end."""
        ...

    async def update(self, address: RunAddress, request: UpdateWorkflow, wait: UpdateStage) -> UpdateOutcome:
        """Deliver an update, or join the one with the same id, and wait until it has come as far as ``wait`` (or
        ended)."""
        ...

    async def query(
        self, address: RunAddress, name: str, input: Payloads, header: PayloadMap | None = None
    ) -> Payloads:
        """Ask the run's program, open or closed. ``header`` is for whoever answers. Raises ``QueryFailedError``."""
        ...

    def wait_closed(self, address: RunAddress, *, follow: bool) -> Awaitable[tuple[str, Event]]:
        """Wait until the run closes; its run id and last event.

        ``follow``: when it continued as new or is retried, wait for the run that goes on in its place, and so on.
        """
        ...

    async def describe(self, address: RunAddress) -> RunDescription:
        """Where a run stands, and what it waits for."""
        ...

    async def explain(self, address: RunAddress) -> Explanation:
        """Why a run is not moving: what it waits for, since when, and who or what can end the wait."""
        ...

    async def history(self, address: RunAddress, *, after: int, limit: int, wait: bool) -> HistoryPage:
        """Events with ids above ``after``, at most ``limit``. ``wait``: if there are none yet and the run is open,
        wait."""
        ...

    async def list(
        self,
        namespace: str,
        *,
        filter: str,
        statuses: Sequence[RunStatus],
        workflow_type: str,
        cursor: str,
        limit: int,
    ) -> RunPage:
        """A page of the runs that a filter asks for, in its order or newest first.

        Empty ``statuses`` or ``workflow_type`` mean any. Raises ``InvalidArgumentError`` for a filter, or a cursor,
        that can't be used; the message says where.
        """
        ...

    async def count(
        self, namespace: str, *, filter: str, statuses: Sequence[RunStatus], workflow_type: str
    ) -> RunCount:
        """How many runs a filter has, and how many of each group of its GROUP BY. Raises as ``list``."""
        ...

    async def search_attributes(self, namespace: str) -> AttributeTypes:
        """The custom search attributes of a namespace, with their types."""
        ...

    async def add_search_attributes(self, namespace: str, types: AttributeTypes) -> None:
        """Fix the types of custom search attributes before their first use.

        Raises ``InvalidArgumentError`` for a name that can't be used, ``AlreadyExistsError`` if one has another type.
        """
        ...

    async def remove_search_attributes(self, namespace: str, names: Sequence[str]) -> None:
        """Let nobody set or ask for these any more, until they are added again, maybe with another type.

        The values stay in the runs' histories. One that is not there is no error. Raises ``InvalidArgumentError`` for
        one that is the engine's own.
        """
        ...

    async def reset(
        self,
        address: RunAddress,
        *,
        event_id: int,
        reason: str,
        request_id: str,
        loses_children: bool = False,
        leaves_out: Sequence[str] = (),
    ) -> str:
        """Terminate the run, if open, and start it again from a copy of its history up to the turn that ``event_id``
        is in.

        With ``loses_children``, children that it waited for there have ended for it: as they did, or as terminated.
        Without it, having such is an error. Signals and updates that came later are delivered again, except those that
        ``leaves_out`` names: ``signals``, ``updates``. The same ``request_id`` again changes nothing.

        Returns the new run id. Raises ``InvalidArgumentError``.
        """
        ...

    async def fork(
        self,
        address: RunAddress,
        *,
        event_id: int,
        workflow_id: str,
        input: Payloads | None,
        reason: str,
        request_id: str,
    ) -> str:
        """Start a new run from a copy of this one's history up to the turn that ``event_id`` is in.

        ``input`` replaces the workflow's arguments; None keeps them. Returns the new run id.
        """
        ...

    async def import_run(self, address: RunAddress, events: Sequence[Event]) -> str:
        """Bring in a run with the history that it had elsewhere, under its own ids: a closed one as it was; an open one
        goes on, and activities that had not ended there are tried anew.

        Returns its run id. Raises ``AlreadyExistsError`` if the workflow id has an open run or this very run is there,
        ``InvalidArgumentError`` if the history makes no sense.
        """
        ...

    async def delete(self, address: RunAddress) -> None:
        """Remove a run and its history for good; an open one is terminated first."""
        ...

    async def set_namespace(self, namespace: Namespace) -> None:
        """Create or change a namespace. Raises ``InvalidArgumentError``."""
        ...

    async def describe_namespace(self, name: str) -> NamespaceDescription:
        """A namespace and how many runs it has. Raises ``NotFoundError`` if it was never set and has none."""
        ...

    async def delete_namespace(self, name: str, *, force: bool) -> None:
        """Remove a namespace with all that is in it: at once it takes nothing new, and then its runs go one after the
        other, also after a restart; open ones, which only ``force`` allows, are terminated first.

        Raises ``NotFoundError``; ``InvalidArgumentError`` if it has open runs and ``force`` is not set, or can't be deleted.
        """
        ...

    async def namespaces(self) -> Sequence[Namespace]:
        """All namespaces, by name."""
        ...

    async def statistics(self, days: int) -> Figures:
        """What the store holds, of all namespaces, with what happened on the last so many days (3,660 at most).

        Looks at every run once, not at histories. Raises ``InvalidArgumentError``.
        """
        ...

    async def set_task_queue(self, settings: TaskQueue) -> None:
        """Set what there is to set about a task queue; it takes effect at once. Raises ``InvalidArgumentError``."""
        ...

    async def pause_task_queue(self, namespace: str, name: str, reason: str | None) -> None:
        """Start nothing of a task queue from now on; with None for a reason, go on.

        Raises ``NotFoundError`` if nobody knows of such a queue.
        """
        ...

    async def task_queues(self, namespace: str) -> Sequence[TaskQueue]:
        """The settings of all task queues that are known of, by name."""
        ...

    async def describe_task_queue(self, namespace: str, name: str) -> TaskQueueDescription:
        """How a task queue stands. Raises ``NotFoundError`` if nobody knows of such a queue."""
        ...

    async def workers(self, namespace: str) -> Sequence[WorkerDescription]:
        """The workers that are connected and serve a namespace."""
        ...
