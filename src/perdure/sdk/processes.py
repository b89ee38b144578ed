"""Child processes that CPU-bound activities run in.

A child runs one activity at a time and is used again. Over one pipe it is told what to run and that it is cancelled,
and tells its heartbeats and the end. A child that dies takes nothing with it but the attempt it was running, which
fails as ``WorkerLost`` and is tried again; the next attempt gets another child.

Children import the activity's module by name, and so find its app and its converter there: nothing needs to be pickled.
"""

import contextlib
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from perdure.model.errors import InvalidArgumentError
from perdure.model.failures import Failure
from perdure.model.payloads import Payloads
from perdure.model.program import ActivityTask
from perdure.sdk.attempt import Attempt
from perdure.sdk.callables import Activity
from perdure.sdk.outcomes import Canceled, Completed, Failed, Later, Outcome, run_plain

# Where no activity runs in a process, ``multiprocessing`` is not loaded.
if TYPE_CHECKING:
    from multiprocessing.connection import Connection


class WorkerLost(Exception):
    """The child died while it ran an activity."""


class Job(msgspec.Struct, tag="job"):
    """Run an activity. ``number`` tells jobs of one child apart."""

    number: int
    module: str
    qualname: str
    task: ActivityTask


class Cancel(msgspec.Struct, tag="cancel"):
    """Ask a job to stop."""

    number: int


class Beat(msgspec.Struct, tag="beat"):
    """The job's latest heartbeat."""

    details: Payloads


class Ready(msgspec.Struct, tag="ready"):
    """The child has begun to listen."""


_encode = msgspec.msgpack.Encoder().encode
_decode_for_child = msgspec.msgpack.Decoder(Job | Cancel).decode
_decode_for_parent = msgspec.msgpack.Decoder(Ready | Beat | Completed | Failed | Canceled | Later).decode


def find_activity(module: str, qualname: str) -> "Activity[..., Any]":
    """The activity at a place in the code. Raises ``InvalidArgumentError`` when there is none."""
    found: Any = importlib.import_module(module)
    for name in qualname.split("."):
        found = getattr(found, name, None)
    if not isinstance(found, Activity):
        raise InvalidArgumentError(
            f"{module}.{qualname} runs in a process of its own, which must find the activity under that name, but "
            f"finds {found!r}; declare it with @app.activity(executor='process') at the top level of its module"
        )
    return found


# --- the parent's side


class Processes:
    """A pool of children. They are started when they are first needed; the caller's slots bound how many there are."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[Child] = []
        self._all: set[Child] = set()
        self._closed = False

    def run(
        self,
        path: tuple[str, str],
        task: ActivityTask,
        on_start: "Callable[[Child], None]",
        on_beat: Callable[[Payloads], None],
    ) -> Outcome:
        """Run an activity in a child and wait for its end. Blocks; called in a thread.

        Args:
            path: the module and qualified name of the activity.
            task: the attempt.
            on_start: called, in this thread, with the child that has it.
            on_beat: called, in this thread, with the details of each heartbeat.

        Raises:
            WorkerLost: the child died.
        """
        child = self._take(path, task)
        on_start(child)
        try:
            outcome = child.wait(on_beat)
        except (EOFError, OSError):
            self._forget(child)
            raise WorkerLost(f"the process that ran it died{child.obituary()}") from None
        with self._lock:
            if not self._closed:
                self._idle.append(child)
        return outcome

    def close(self) -> None:
        """End all children, whatever they do."""
        with self._lock:
            self._closed = True
            children = list(self._all)
            self._idle.clear()
        for child in children:
            child.kill()

    def _take(self, path: tuple[str, str], task: ActivityTask) -> "Child":
        while True:
            with self._lock:
                child = self._idle.pop() if self._idle else None
            if child is None:
                child = Child()
                with self._lock:
                    self._all.add(child)
                    if self._closed:
                        child.kill()
            try:
                child.give(path, task)
                return child
            except OSError:
                # It died while idle, or as it started; what was sent cannot have run.
                self._forget(child)
                if self._closed:
                    raise WorkerLost("the worker is closed") from None

    def _forget(self, child: "Child") -> None:
        with self._lock:
            self._all.discard(child)
        child.kill()


class Child:
    """One child process, seen from its parent."""

    def __init__(self) -> None:
        import multiprocessing

        # A fork of a process with threads may deadlock; the fork server has none.
        method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        context: Any = multiprocessing.get_context(method)
        self._connection, theirs = context.Pipe(duplex=True)
        self._process = context.Process(target=_main, args=(theirs,), name="perdure-activity", daemon=True)
        self._process.start()
        theirs.close()
        self._sending = threading.Lock()
        self._number = 0
        self._is_ready = False

    @property
    def pid(self) -> int:
        """Its process id."""
        return int(self._process.pid)

    def give(self, path: tuple[str, str], task: ActivityTask) -> None:
        """Hand it a job. Raises ``OSError`` when it is dead."""
        self._number += 1
        message = _encode(Job(self._number, path[0], path[1], task))
        with self._sending:
            self._connection.send_bytes(message)

    def wait(self, on_beat: Callable[[Payloads], None]) -> Outcome:
        """Wait until it is done. Raises ``EOFError`` or ``OSError`` when it dies instead."""
        while True:
            message = _decode_for_parent(self._connection.recv_bytes())
            match message:
                case Ready():
                    self._is_ready = True
                case Beat(details):
                    on_beat(details)
                case _:
                    outcome: Outcome = message
                    return outcome

    def cancel(self) -> None:
        """Ask its job to stop."""
        with self._sending, contextlib.suppress(OSError):
            self._connection.send_bytes(_encode(Cancel(self._number)))

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(OSError, ValueError):
            self._process.kill()

    def obituary(self) -> str:
        """How it died, as far as is known."""
        self._process.join(1)
        code = self._process.exitcode
        if code is None:
            return ""
        how = f" of signal {signal.Signals(-code).name}" if code < 0 else f" with exit code {code}"
        if not self._is_ready:
            how += ' before it could begin; if your program is a script, is its work under if __name__ == "__main__"?'
        return how


# --- the child's side


def _main(connection: "Connection") -> None:
    # A Ctrl-C at the terminal reaches the children too; their parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        connection.send_bytes(_encode(Ready()))
        while True:
            message = _decode_for_child(connection.recv_bytes())
            if isinstance(message, Job):
                connection.send_bytes(_encode(_perform(message, connection)))
    except (EOFError, OSError):
        # The parent is gone, or lets go of this child.
        sys.stderr.flush()
        os._exit(0)


def _perform(job: Job, connection: "Connection") -> Outcome:
    def beat(attempt: Attempt) -> None:
        attempt.unsent = False
        connection.send_bytes(_encode(Beat(attempt.details)))

    def poll(timeout_seconds: float) -> bool:
        while connection.poll(None if timeout_seconds < 0 else timeout_seconds):
            message = _decode_for_child(connection.recv_bytes())
            if isinstance(message, Cancel) and message.number == job.number:
                return True
        return False

    try:
        activity = find_activity(job.module, job.qualname)
    except Exception as error:
        return Failed(Failure(f"the worker process cannot load it: {error}", type=type(error).__name__))
    attempt = Attempt(job.task, activity.app.converter, beat, poll)
    definition = activity.__perdure_activity__
    return run_plain(attempt, definition.fn, definition.parameter_types)
