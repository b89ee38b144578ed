"""Why a run is not moving: what it waits for, since when, and who or what can end the wait.

``kernel.explain`` says what a run's state tells; the engine adds what only it knows: whether a worker here could go on,
and where the run's code stands.
"""

from collections.abc import Sequence
from enum import IntEnum

import msgspec

from perdure.model.failures import Failure
from perdure.model.ids import RunAddress
from perdure.model.options import RunStatus
from perdure.model.payloads import Payloads


class WaitKind(IntEnum):
    """What a run can wait for."""

    PAUSED = 1
    """To be resumed."""
    START_DELAY = 2
    TURN = 3
    """Its program, which has something to do."""
    ACTIVITY = 4
    TIMER = 5
    CHILD = 6
    SIGNAL = 7
    """That a signal to another run arrives."""
    CANCELLATION = 8
    """That a request to cancel another run arrives."""
    MESSAGE = 9
    """A signal or an update to itself: nothing else is pending."""
    PARKED = 10
    """Mended software: the run broke an invariant of the engine, which leaves it alone."""
    OPERATION = 11
    """Whoever serves an endpoint."""


class Wait(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing that a run waits for. Times are ns since 1970, 0 where there is no such time.

    ``what`` names it, ``state`` says how it stands, ``ends_by`` who or what can end the wait. ``until`` is when it ends
    by itself, ``expires`` when a timeout would end it. ``failure`` is the last one; ``heartbeat_time`` and ``details`` are
    the last heartbeat and what it said; ``ref`` is the event that began the wait. Of several waits any may end first.
    """

    kind: WaitKind
    what: str
    state: str
    ends_by: str
    since: int = 0
    until: int = 0
    expires: int = 0
    failure: Failure | None = None
    heartbeat_time: int = 0
    details: Payloads = ()
    ref: int = 0


class CodeWait(msgspec.Struct, frozen=True, gc=False):
    """Where one task of a run's code stands: what it waits ``on``, in which line of the user's.

    ``file`` is empty where no code of the user's is on the way.
    """

    task: str
    on: str
    file: str = ""
    line: int = 0
    function: str = ""

    def __str__(self) -> str:
        return f"{self.on} at {self.file}:{self.line}" if self.file else self.on


class ProgramView(msgspec.Struct, frozen=True, gc=False):
    """What a run's program says about itself: the answer to the built-in query ``PROGRAM_VIEW_QUERY``, as JSON."""

    code: Sequence[CodeWait] = ()
    signals: Sequence[str] = ()
    """The signals that it handles or receives now."""
    updates: Sequence[str] = ()
    queries: Sequence[str] = ()


PROGRAM_VIEW_QUERY = "__program_view"


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a run is where it is, at ``time`` (ns since 1970).

    ``waits`` has what holds it up first; empty for a closed run. ``code`` is where its program stands, and ``signals`` and
    ``updates`` are what that handles; empty where no program could be asked. ``expires`` is when a timeout ends the
    whole run, 0 for never.
    """

    address: RunAddress
    workflow_type: str
    task_queue: str
    status: RunStatus
    time: int
    waits: Sequence[Wait]
    expires: int = 0
    cancel_requested: bool = False
    build_id: str = ""
    """The build that took the last turn."""
    pinned_build_id: str = ""
    """The only build that may take the next ones; empty for any."""
    code: Sequence[CodeWait] = ()
    signals: Sequence[str] = ()
    updates: Sequence[str] = ()
