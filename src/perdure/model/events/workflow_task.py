"""Workflow tasks: the turns of the program."""

from perdure.model.events.record import Record
from perdure.model.failures import Failure, TimeoutType
from perdure.model.options import Versioning


class WorkflowTaskScheduled(Record, frozen=True, array_like=True, gc=False, tag=5):
    """There is something new for the program. ``sticky_queue`` is where the worker asks for it that has the program."""

    task_queue: str
    start_to_close_timeout_ns: int = 0
    attempt: int = 1
    sticky_queue: str = ""


class WorkflowTaskStarted(Record, frozen=True, array_like=True, gc=False, tag=6):
    """A worker took the turn."""

    scheduled_event_id: int
    identity: str = ""
    suggest_continue_as_new: bool = False
    history_size_bytes: int = 0


class WorkflowTaskCompleted(Record, frozen=True, array_like=True, gc=False, tag=7):
    """The program took its turn; what it asked for follows.

    ``build_id`` names the code that took the turn (Temporal's ``worker_version.build_id``). ``sdk_metadata`` is what the
    worker's SDK must know again when it replays the turn; only it can read that. With a ``sticky_queue`` the worker has
    kept the program, and asks there for its next turn. ``state`` is what the turn changed in the state of a program that
    keeps it as data; only that program can read it. ``deployment`` is that of the build, if it belongs to one, whose id
    begins with its name; ``versioning`` says whether the run stays with the build.
    """

    scheduled_event_id: int
    started_event_id: int
    identity: str = ""
    build_id: str = ""
    sdk_metadata: bytes = b""
    sticky_queue: str = ""
    state: bytes = b""
    deployment: str = ""
    versioning: Versioning = Versioning.UNSPECIFIED


class WorkflowTaskTimedOut(Record, frozen=True, array_like=True, gc=False, tag=8):
    """The worker that had the turn took too long."""

    scheduled_event_id: int
    started_event_id: int
    timeout_type: TimeoutType = TimeoutType.START_TO_CLOSE


class WorkflowTaskFailed(Record, frozen=True, array_like=True, gc=False, tag=9):
    """The program could not take its turn; it is tried again. Also marks where a reset or fork begins.

    ``cause`` is a name of Temporal's ``WorkflowTaskFailedCause`` without its prefix.
    """

    scheduled_event_id: int
    started_event_id: int
    cause: str
    failure: Failure | None = None
    identity: str = ""
    base_run_id: str = ""
    new_run_id: str = ""
    build_id: str = ""


class WorkflowTaskAttemptStarted(Record, frozen=True, array_like=True, gc=False, tag=104):
    """A turn that is not in the history yet was handed out: a repeated one, or one that only brings updates."""

    identity: str = ""


class WorkflowTaskAttemptFailed(Record, frozen=True, array_like=True, gc=False, tag=105):
    """A repeated turn failed again; only the first failure of a series becomes an event."""

    cause: str
    failure: Failure | None = None


class WorkflowTaskRetryScheduled(Record, frozen=True, array_like=True, gc=False, tag=106):
    """The failed turn is tried again at ``next_attempt_time`` (ns since 1970)."""

    next_attempt_time: int


class WorkflowTaskDropped(Record, frozen=True, array_like=True, gc=False, tag=107):
    """A turn that only brought updates rejected them all, and so leaves no trace in the history."""

    rejected: tuple[str, ...] = ()


class StickyQueueDropped(Record, frozen=True, array_like=True, gc=False, tag=121):
    """No worker keeps the program any more, as far as is known: the next turn is anybody's."""


class WorkflowTaskRequested(Record, frozen=True, array_like=True, gc=False, tag=111):
    """A turn is wanted only to bring updates. It enters the history if the program accepts one."""
