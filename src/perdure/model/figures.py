"""What a store holds, in figures: for people who run one."""

from collections.abc import Sequence

import msgspec

from perdure.model.options import RunStatus


class RunFigures(msgspec.Struct, frozen=True, gc=False):
    """How many runs there are of a kind. ``build_id`` is that of their last turn, empty before the first.

    ``oldest_start`` is when the first of them started, in ns since 1970.
    """

    namespace: str
    status: RunStatus
    workflow_type: str
    build_id: str
    count: int
    oldest_start: int


class OldestWait(msgspec.Struct, frozen=True, gc=False):
    """The run that waits for a worker and started first; ``since`` is when this wait began, in ns since 1970."""

    workflow_id: str
    run_id: str
    since: int


class TaskFigures(msgspec.Struct, frozen=True, gc=False):
    """How many tasks of a kind there are on a queue. ``is_turn``: workflow tasks, otherwise activities.

    ``started`` ones are with a worker; ``waiting`` ones wait for one, or for their next attempt. ``oldest_key`` is the run
    that started first of those that wait, by its key in the store, 0 if none does; ``oldest`` says which one that is.
    """

    task_queue: str
    type: str
    is_turn: bool
    started: int
    waiting: int
    oldest_key: int
    oldest: OldestWait | None = None


class DayFigures(msgspec.Struct, frozen=True, gc=False):
    """What happened on a day in UTC; ``day`` is its first moment, in ns since 1970."""

    day: int
    started: int
    closed: int


class Figures(msgspec.Struct, frozen=True, gc=False):
    """A store at one moment. Times are ns since 1970, 0 for none; sizes are bytes.

    ``runs`` and ``days`` come from looking at every run. ``free_bytes`` are pages that deleted runs have left, to be used
    again; ``log_bytes`` is what the log beside the file takes.
    """

    runs: Sequence[RunFigures]
    tasks: Sequence[TaskFigures]
    days: Sequence[DayFigures]
    timers: int
    next_timer: int
    messages: int
    blobs: int
    blob_bytes: int
    file_bytes: int
    free_bytes: int
    log_bytes: int
