"""What a schedule is, as it is stored: the arguments, commands and answers of the workflow ``perdure.schedule``.

All of it is JSON in histories, read by later versions too: fields may be added with defaults, none renamed or removed.
"""

from enum import StrEnum

import msgspec

from perdure.model.payloads import PayloadMap
from perdure.model.requests import StartWorkflow
from perdure.model.system import SYSTEM_NAMESPACE as SYSTEM_NAMESPACE
from perdure.model.system import system_workflow_id
from perdure.sdk.schedules.times import Occasion, Spec

SYSTEM_QUEUE = "perdure.system"
WORKFLOW_TYPE = "perdure.schedule"
SYSTEM_RETENTION_DAYS = 30
"""A schedule goes on in a new run now and then; the old ones are the record of what it did, and are kept so long."""

CLOSED_SIGNAL = "closed"
COMMAND_SIGNAL = "tell"
STATE_QUERY = "look"
REPLACE_UPDATE = "replace"
MEMO = "schedule"

BUFFER_LIMIT = 1000
"""So many occasions wait at most behind an open run; further ones are skipped."""

OPEN_LIMIT = 100
"""So many open runs a schedule keeps in mind, the latest. Only with ``allow_all`` can there be more than one."""

RECENT = 10


class Overlap(StrEnum):
    """What an occasion does while a run that the schedule started is open (Temporal's ``ScheduleOverlapPolicy``)."""

    SKIP = "skip"
    BUFFER_ONE = "buffer_one"
    BUFFER_ALL = "buffer_all"
    CANCEL_OTHER = "cancel_other"
    TERMINATE_OTHER = "terminate_other"
    ALLOW_ALL = "allow_all"


class Definition(msgspec.Struct, frozen=True):
    """What a user asks for. ``start`` is how each run is started; its workflow id is the beginning of the runs' ids.
    ``max_runs`` 0 is no limit, -1 none at all. ``keep_for`` (ns) is how long it stays when its last time is past. ``memo`` and
    ``search_attributes`` are the schedule's own, not those of its runs."""

    namespace: str
    id: str
    spec: Spec
    start: StartWorkflow
    overlap: Overlap = Overlap.SKIP
    catch_up: int = 0
    max_runs: int = 0
    pause_on_failure: bool = False
    keep_workflow_id: bool = False
    keep_for: int = 0
    memo: PayloadMap | None = None
    search_attributes: PayloadMap | None = None


class Listed(msgspec.Struct, frozen=True):
    """What a list shows of a schedule without asking it: its memo."""

    namespace: str
    id: str
    workflow_type: str
    task_queue: str
    spec: Spec
    overlap: Overlap
    is_paused: bool = False
    note: str = ""
    memo: PayloadMap | None = None
    search_attributes: PayloadMap | None = None


class Started(msgspec.Struct, frozen=True):
    """A run that the schedule started. ``status`` is a ``RunStatus`` as a number. Times are ns since 1970."""

    workflow_id: str
    run_id: str
    nominal: int
    time: int
    status: int = 1


class Waiting(msgspec.Struct, frozen=True):
    """An occasion to be dealt with. ``origin`` makes it one of its own: a time may also be triggered or backfilled."""

    occasion: Occasion
    overlap: Overlap
    origin: str = ""


class Counts(msgspec.Struct):
    """``fired``: runs started. ``skipped``: not started because a run was open; of these, ``dropped`` because too many
    waited already. ``missed``: older than the catch-up window. ``buffered``: had to wait for a run to close. ``failed``:
    could not be started. ``scheduled``: of those fired, the ones that count for ``max_runs``."""

    fired: int = 0
    skipped: int = 0
    missed: int = 0
    buffered: int = 0
    failed: int = 0
    scheduled: int = 0
    dropped: int = 0


class Backfill(msgspec.Struct, frozen=True, tag=True):
    """Deal with the nominal times after ``after`` up to ``until`` now."""

    key: str
    after: int
    until: int
    overlap: Overlap


class Trigger(msgspec.Struct, frozen=True, tag=True):
    """Start a run now; ``nominal`` is the time that it is for, 0 for now, too."""

    key: str
    overlap: Overlap | None = None
    nominal: int = 0


class Pause(msgspec.Struct, frozen=True, tag=True):
    note: str = ""


class Resume(msgspec.Struct, frozen=True, tag=True):
    note: str = ""


class Replace(msgspec.Struct, frozen=True, tag=True):
    """Be this schedule from now on. What is None stays as it is; ``remaining`` says how many more runs there may be, in place
    of the definition's ``max_runs``."""

    definition: Definition
    is_paused: bool | None = None
    note: str | None = None
    remaining: int | None = None


Command = Backfill | Trigger | Pause | Resume | Replace


class State(msgspec.Struct):
    """Where a schedule stands. Nominal times up to ``cursor`` have been dealt with."""

    definition: Definition
    cursor: int
    is_paused: bool = False
    note: str = ""
    counts: Counts = msgspec.field(default_factory=Counts)
    open: list[Started] = msgspec.field(default_factory=list)
    buffer: list[Waiting] = msgspec.field(default_factory=list)
    urgent: list[Waiting] = msgspec.field(default_factory=list)
    """Occasions of triggers and backfills."""
    backfills: list[Backfill] = msgspec.field(default_factory=list)
    recent: list[Started] = msgspec.field(default_factory=list)
    last_error: str = ""
    last_error_time: int = 0
    by_command: bool = False
    """Whether its runs are started by commands. Schedules of before there were such go on by activities until their
    history is renewed."""
    told: list[Command] = msgspec.field(default_factory=list)
    """What it was told along with its creation."""
    by_marker: bool = False
    """Whether it finds its next times in a turn, which records them, where they are not hard to find. As ``by_command``."""
    revision: int = 1
    """Counts up with each change that somebody makes."""
    created: int = 0
    updated: int = 0
    by_state: bool = False
    """Whether its turns save what they change, and nothing is replayed. As ``by_command``."""


class Snapshot(msgspec.Struct, frozen=True):
    """The answer to the query: the state, and the next occasions as far as they are known."""

    state: State
    upcoming: list[Occasion]


# --- what the workflow asks of its activities


class AskTimes(msgspec.Struct, frozen=True):
    """Which occasions come after ``after``? Those before ``oldest`` are only counted."""

    spec: Spec
    key: str
    after: int
    oldest: int
    until: int
    limit: int


class Times(msgspec.Struct, frozen=True):
    """``missed`` are older than asked for; ``cursor`` is the last of them. ``is_last``: no time follows."""

    occasions: list[Occasion]
    missed: int
    cursor: int
    is_last: bool


class AskStart(msgspec.Struct, frozen=True):
    """Start a run, unless ``overlap`` says otherwise. ``open`` are the runs that were open when last heard of."""

    definition: Definition
    waiting: Waiting
    key: str
    open: list[Started]
    buffered: int


class Outcome(StrEnum):
    STARTED = "started"
    SKIPPED = "skipped"
    BUFFERED = "buffered"
    FAILED = "failed"
    DROPPED = "dropped"


class Answer(msgspec.Struct, frozen=True):
    """What came of an occasion. ``open`` are the earlier runs that are still open."""

    outcome: Outcome
    open: list[Started]
    started: Started | None = None
    error: str = ""


def schedule_workflow_id(namespace: str, schedule_id: str) -> str:
    """The workflow id of a schedule's own run."""
    return system_workflow_id("schedule", namespace, schedule_id)


def listed(state: State) -> Listed:
    """A schedule's memo."""
    definition = state.definition
    return Listed(
        definition.namespace,
        definition.id,
        definition.start.workflow_type,
        definition.start.task_queue,
        definition.spec,
        definition.overlap,
        state.is_paused,
        state.note,
        definition.memo,
        definition.search_attributes,
    )
