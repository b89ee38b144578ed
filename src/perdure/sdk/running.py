"""What a worker keeps of the activities it can run, and of those that run."""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any, Protocol

from perdure.sdk.attempt import Attempt
from perdure.sdk.callables import Activity
from perdure.sdk.outcomes import Outcome
from perdure.sdk.tracing import AttemptSpan

log = logging.getLogger("perdure.worker")


class EngineLoop:
    """The event loop that the engine and its worker share."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._thread_id = threading.get_ident()

    @property
    def is_here(self) -> bool:
        """Whether the caller runs on its thread."""
        return threading.get_ident() == self._thread_id

    def post(self, function: Callable[..., None], *args: Any) -> None:
        """Call a function on its thread. From threads that outlive the loop, nobody wants to hear any more."""
        try:
            self.loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            log.debug("the engine's loop is closed; %r is not called", function)


class Executor(Protocol):
    """A way to run activities. ``free`` is how many more of them may run; the worker counts."""

    capacity: int
    free: int

    def run(self, running: "Running") -> None:
        """Begin an attempt. Its outcome goes to the worker, on the engine's thread."""
        ...


End = Callable[["Running", Outcome], None]
"""How an executor hands in the outcome of an attempt; on the engine's thread."""


class Served:
    """An activity type, ready to run."""

    __slots__ = ("converter", "executor", "fn", "parameter_types", "path")

    def __init__(self, activity: Activity[..., Any], fn: Callable[..., Any], executor: Executor) -> None:
        self.fn = fn
        self.parameter_types = activity.__perdure_activity__.parameter_types
        self.converter = activity.app.converter
        self.executor = executor
        self.path = (activity.__module__, activity.__qualname__)


class Running(Attempt, eq=False, kw_only=True):
    """An attempt in progress.

    ``stop`` is what an executor does, beyond raising the flag, when the attempt is cancelled. ``span`` is there if it is
    traced.
    """

    served: Served
    key: tuple[str, int]
    """The run's id and the activity's scheduled event id."""
    stop: Callable[[], object] | None = None
    span: AttemptSpan | None = None
    beat_timer: asyncio.TimerHandle | None = None
    beat_is_posted: bool = False
    is_cancel_requested: bool = False
    has_ended: bool = False

    def interrupt(self) -> None:
        """Raise the flag, and do what the executor can do."""
        self.cancel()
        if self.stop is not None:
            self.stop()
