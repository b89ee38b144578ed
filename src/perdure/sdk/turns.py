"""Whose turn it is.

Each thread that takes turns has one ``Stage``, with at most one run on it. While a run is on stage its loop is the
running loop of the thread, inside whatever loop the engine runs on; ``workflow.*`` finds its run here, the guards look
here whether to refuse, and the watchdog (``deadlock``) looks here for turns that do not end.

The stage is looked up by the thread's number. ``asyncio.get_running_loop()`` would tell as well, but up to Python 3.11
it asks the operating system for the process's number each time, which costs more than all the rest.
"""

import os
import sys
import threading
from asyncio import AbstractEventLoop, _get_running_loop, _set_running_loop
from collections.abc import Callable
from sys import get_asyncgen_hooks
from threading import get_ident
from types import FrameType
from typing import TYPE_CHECKING, Any

from perdure.sdk.generators import FirstHook, Hook, replace_hooks

if TYPE_CHECKING:
    from perdure.sdk.run import Run


ProfileFunction = Callable[[FrameType, str, Any], object]

_STEPS_TO_BE_INTERRUPTED = 1000


class TurnInterrupted(BaseException):
    """Raised in workflow code by the watchdog. Not an ``Exception``, so that ``except Exception`` lets it pass."""


class Stage:
    """One thread's place for turns. ``number`` tells turns apart.

    ``suspected``, ``stuck`` and ``lock`` belong to the agreement with the watchdog that ``deadlock`` explains.
    """

    __slots__ = (
        "hooks",
        "is_entered",
        "limit_seconds",
        "lock",
        "number",
        "outer",
        "profile",
        "run",
        "stuck",
        "suspected",
        "thread_id",
    )

    def __init__(self, thread_id: int) -> None:
        self.thread_id = thread_id
        self.run: Run | None = None
        self.number = 0
        self.limit_seconds = 0.0
        self.lock = threading.Lock()
        self.suspected = False
        self.stuck = ""
        self.is_entered = False
        # What must be restored afterwards, and what must be taken away.
        self.outer: AbstractEventLoop | None = None
        self.hooks: tuple[Hook | None, Hook | None] | None = None
        self.profile: ProfileFunction | None = None

    def enter(self, run: "Run", limit_seconds: float) -> None:
        """A run's turn begins."""
        self.number += 1
        self.limit_seconds = limit_seconds
        self.outer = _get_running_loop()
        self.hooks = None if get_asyncgen_hooks()[0].__class__ is FirstHook else replace_hooks(is_in_turn)
        self.profile = run.profile
        self.is_entered = True
        self.run = run
        _set_running_loop(run.loop)
        if self.profile is not None and sys.getprofile() is None:
            sys.setprofile(self.profile)

    def leave(self) -> str:
        """The turn is over. Where it was interrupted, if it was. When that happens in here, this is called again."""
        self.run = None
        stuck = self._settle_with_watchdog() if self.suspected else ""
        if self.is_entered:
            if self.profile is not None and sys.getprofile() is self.profile:
                sys.setprofile(None)
            if self.hooks is not None:
                sys.set_asyncgen_hooks(*self.hooks)
            _set_running_loop(self.outer)
            self.outer = None
            self.is_entered = False
        return stuck

    def _settle_with_watchdog(self) -> str:
        with self.lock:
            stuck = self.stuck
        if stuck:
            # An interruption that has not been raised yet is raised here, where it does no harm. CPython can also take
            # one back, but then goes on looking for it at every step, for ever.
            try:
                for _ in range(_STEPS_TO_BE_INTERRUPTED):
                    pass
            except TurnInterrupted:
                pass
        self.suspected = False
        self.stuck = ""
        return stuck


stages: dict[int, Stage] = {}
"""By thread number."""

if hasattr(os, "register_at_fork"):
    # Threads do not live on in a child process.
    os.register_at_fork(after_in_child=stages.clear)


def current_run() -> "Run | None":
    """The run whose turn it is on this thread."""
    stage = stages.get(get_ident())
    return stage.run if stage is not None else None


def is_in_turn() -> bool:
    """Whether this is called by a workflow's code."""
    stage = stages.get(get_ident())
    return stage is not None and stage.run is not None
