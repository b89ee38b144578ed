"""Ending turns that do not end by themselves.

Workflow code shares its thread with everything else, so ``while True: pass`` would stop the engine. A watchdog thread
looks now and then whether the same turn is still under way. After the time limit it raises ``TurnInterrupted`` in the
thread that takes the turn, and the turn fails with the line at which it was stuck.

A turn pays two attribute writes and one read for this. The watchdog must never interrupt what comes after the turn:

    the turn's thread                      the watchdog
    (1) run = None                         (A) suspected = True
    (2) reads suspected;                   (B) with lock: if it is still the same turn,
        if set, takes the lock once            interrupt

If (2) reads False it came before (A), so (1) came before (B), which then sees that the turn is over. If it reads True,
the lock puts it before or behind (B); behind it, an interruption that has not been raised yet is raised and caught
there.
"""

import ctypes
import logging
import sys
import threading
from time import sleep
from types import FrameType

from perdure.sdk.origins import place_of
from perdure.sdk.turns import Stage, TurnInterrupted, stages

log = logging.getLogger("perdure.workflow")

_POLLS_PER_LIMIT = 4
_LONGEST_POLL_SECONDS = 0.5
_DEBUGGERS = frozenset({"bdb", "pdb", "pydevd", "_pydevd_bundle", "debugpy", "pudb"})


_set_async_exc = ctypes.pythonapi.PyThreadState_SetAsyncExc
_set_async_exc.argtypes = [ctypes.c_ulong, ctypes.py_object]


def _interrupt(thread_id: int) -> None:
    """Raise ``TurnInterrupted`` in a thread as soon as it runs Python code."""
    _set_async_exc(thread_id, ctypes.py_object(TurnInterrupted))


class Watch:
    """What the watchdog knows about one stage: the turn that it saw last, and how often."""

    __slots__ = ("polls", "seen", "stage")

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.seen = 0
        self.polls = 0

    def poll(self, poll_seconds: float) -> None:
        """Look once. Polls are counted rather than time, so a machine that was asleep does not count as a slow turn."""
        stage = self.stage
        run, number = stage.run, stage.number
        if run is None or number != self.seen:
            self.seen = number
            self.polls = 0
            return
        self.polls += 1
        if self.polls * poll_seconds < stage.limit_seconds:
            return
        # Code that catches everything, or is deep in C, gets the same time again.
        self.polls = 0
        frame = sys._current_frames().get(stage.thread_id)
        if frame is None or _is_debugged(frame):
            return
        stage.suspected = True
        with stage.lock:
            if stage.run is None or stage.number != number:
                return
            if stage.stuck:
                log.error(
                    "workflow %s (run %s) is stuck at %s and cannot be interrupted there",
                    run.address.workflow_id,
                    run.address.run_id,
                    stage.stuck,
                    extra=run.log_fields,
                )
            stage.stuck = place_of(frame) or "an unknown line"
            _interrupt(stage.thread_id)


_starting = threading.Lock()
_watchdog: threading.Thread | None = None
_watches: list[Watch] = []


def stage_of_thread() -> Stage:
    """The stage of the calling thread. The first call starts the watchdog."""
    return stages.get(threading.get_ident()) or _set_up_stage()


def _set_up_stage() -> Stage:
    global _watchdog
    with _starting:
        thread_id = threading.get_ident()
        stage = stages[thread_id] = Stage(thread_id)
        if _watchdog is None or not _watchdog.is_alive():
            _watches.clear()
            _watchdog = threading.Thread(target=_patrol, name="perdure-watchdog", daemon=True)
            _watchdog.start()
        _watches.append(Watch(stage))
        return stage


def _patrol() -> None:
    while True:
        watches = list(_watches)
        limits = [watch.stage.limit_seconds for watch in watches if watch.stage.limit_seconds > 0]
        poll_seconds = min(_LONGEST_POLL_SECONDS, min(limits, default=_LONGEST_POLL_SECONDS) / _POLLS_PER_LIMIT)
        sleep(poll_seconds)
        for watch in watches:
            try:
                watch.poll(poll_seconds)
            except Exception:
                log.exception("the watchdog failed")


def _is_debugged(frame: FrameType | None) -> bool:
    """Whether somebody has stopped the thread to look around."""
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] in _DEBUGGERS:
            return True
        frame = frame.f_back
    return False
