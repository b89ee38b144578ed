"""Calls that would break replay, refused where they are made.

A workflow's code runs again from its history, so it must not ask the clock, chance or the outside world for anything.
Nothing is re-imported for that and there is no sandbox. While a run is on stage on a thread - exactly during its
turns - the following raise ``NotAllowedInWorkflowError`` with the line and what to use instead:

- functions of ``time``, ``random``, ``uuid``, ``os``, ``secrets``: their modules' attributes are replaced, once, by
  objects that look whether it is a turn and then call the original
- files, sockets, subprocesses, threads: CPython announces these itself (``sys.addaudithook``), however they are reached
- ``datetime.now`` and its like, and functions imported by name before they were replaced: see ``inspection``

Libraries are held to this too, since what they do in a turn is part of the workflow; but not those that only serve the
developer, such as ``logging``, and not imports. ``workflow.unguarded()`` lifts the guards for a block. Activities never
see them: they run outside of turns.
"""

import asyncio
import os
import random
import secrets
import sys
import threading
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from perdure.model.errors import NotAllowedInWorkflowError
from perdure.sdk.generators import is_collecting
from perdure.sdk.origins import place_of
from perdure.sdk.run import require_run
from perdure.sdk.turns import current_run, is_in_turn

CLOCK = "a replay would see another time; use workflow.now(), or asyncio.get_running_loop().time() for seconds"
_CHANCE = "a replay would see other values; use workflow.random()"
_SECRET = "a replay would see other values; make secrets in an activity"
_SLEEP = "it would stop every workflow on this thread; use await asyncio.sleep()"
_THREAD = (
    "a replay could not repeat what a thread does and when; use asyncio.create_task(), or an activity for heavy work"
)
_WORLD = "a replay could not repeat it; do it in an activity"

_CLOCKS = ("time", "monotonic", "perf_counter", "process_time", "thread_time")
_SECRETS = ("token_bytes", "token_hex", "token_urlsafe", "choice", "randbelow", "randbits")

_REPLACED: list[tuple[Any, str, str]] = [
    *((time, name, CLOCK) for name in _CLOCKS),
    *((time, f"{name}_ns", CLOCK) for name in _CLOCKS),
    (time, "sleep", _SLEEP),
    *((random, name, _CHANCE) for name in random.__all__ if name[0].islower()),
    # What random.SystemRandom and secrets are made of.
    (random, "_urandom", _SECRET),
    (uuid, "uuid1", "a replay would see another one; use workflow.uuid4()"),
    (uuid, "uuid4", "a replay would see another one; use workflow.uuid4()"),
    (os, "urandom", _SECRET),
    *((secrets, name, _SECRET) for name in _SECRETS),
    # From Python 3.12 on, this is audited instead.
    (threading, "_start_new_thread", _THREAD),
]
_SHOWN = {"_urandom": "os.urandom", "_start_new_thread": "threading.Thread.start"}
_WITHOUT_ARGUMENTS = ("localtime", "gmtime", "ctime", "asctime")
"""Functions of ``time`` that ask the clock only when they are not told the time."""

_AUDITED = {
    "open": ("open()", "a file may have changed when it is replayed; read it in an activity"),
    "socket.__new__": ("socket.socket()", _WORLD),
    "socket.getaddrinfo": ("socket.getaddrinfo()", _WORLD),
    "socket.gethostbyname": ("socket.gethostbyname()", _WORLD),
    "socket.gethostname": ("socket.gethostname()", _WORLD),
    "subprocess.Popen": ("subprocess.Popen()", _WORLD),
    "os.system": ("os.system()", _WORLD),
    "os.exec": ("os.exec()", _WORLD),
    "os.fork": ("os.fork()", _WORLD),
    "os.posix_spawn": ("os.posix_spawn()", _WORLD),
    "os.spawn": ("os.spawn()", _WORLD),
    "os.startfile": ("os.startfile()", _WORLD),
    "os.listdir": ("os.listdir()", _WORLD),
    "os.scandir": ("os.scandir()", _WORLD),
    "os.mkdir": ("os.mkdir()", _WORLD),
    "os.remove": ("os.remove()", _WORLD),
    "os.rename": ("os.rename()", _WORLD),
    "os.rmdir": ("os.rmdir()", _WORLD),
    "os.truncate": ("os.truncate()", _WORLD),
    "sqlite3.connect": ("sqlite3.connect()", _WORLD),
    "_thread.start_new_thread": ("threading.Thread.start()", _THREAD),
    "_thread.start_joinable_thread": ("threading.Thread.start()", _THREAD),
}

_LENIENT = {"logging", "warnings", "traceback", "linecache", "tokenize", "importlib", "zoneinfo", "gettext", "locale"}
_LENIENT |= {"encodings", "bdb", "pdb", "pudb", "pydevd", "_pydevd_bundle", "_pydev_bundle", "debugpy", "_pytest"}
"""Packages that serve the developer, or read what comes with the interpreter.

Whatever they do is no part of the workflow.
"""
_LENIENT_MODULES = frozenset(
    {"perdure.sdk.converter", "perdure.sdk.codec", "perdure.sdk.structures", "perdure.sdk.failures"}
)
_TURN = frozenset({"perdure.sdk.loop", "perdure.sdk.program"})


class Guarded:
    """A function that is refused in a workflow.

    An object rather than a function, since functions in a class become methods.
    """

    def __init__(self, original: Callable[..., Any], name: str, advice: str, *, only_without_arguments: bool) -> None:
        self.original = original
        self.name = name
        self.advice = advice
        self.only_without_arguments = only_without_arguments
        self.__doc__ = original.__doc__
        self.__name__ = getattr(original, "__name__", name)
        self.__module__ = getattr(original, "__module__", None) or name.partition(".")[0]
        self.__wrapped__ = original

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        run = current_run()
        if run is not None and run.is_guarded and not (args and self.only_without_arguments):
            refuse(f"{self.name}()", self.advice)
        return self.original(*args, **kwargs)

    def __reduce__(self) -> str:
        return self.__name__

    def __repr__(self) -> str:
        return f"<{self.name}, guarded in workflows>"


guarded: dict[int, Guarded] = {}
"""What was replaced, by the ``id`` of the original."""


def refuse(call: str, advice: str) -> None:
    """Raise ``NotAllowedInWorkflowError`` for a call that is being made now, unless a lenient package makes it.

    Finalizers that the garbage collector runs may do what they like: it is by chance that they run in this turn.
    """
    if is_collecting():
        return
    innermost = frame = sys._getframe(1)
    while frame.f_back is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module in _TURN:
            break
        if module.partition(".")[0] in _LENIENT or module in _LENIENT_MODULES:
            return
        frame = frame.f_back
    place = place_of(innermost)
    raise NotAllowedInWorkflowError(
        f"{call} is not allowed in a workflow{f' ({place})' if place else ''}: {advice}. "
        "If nothing the workflow does depends on it, wrap it in `with workflow.unguarded():`"
    )


def _audit(event: str, args: tuple[Any, ...]) -> None:
    # Called for every audited event of the process, so what concerns nobody must be seen at once.
    if event in _AUDITED:
        run = current_run()
        if run is not None and run.is_guarded and not (event == "open" and _is_time_zone(args[0])):
            refuse(*_AUDITED[event])


def _is_time_zone(path: object) -> bool:
    """Whether a file belongs to the time zone database, which ``ZoneInfo`` reads without any frame of its own."""
    return isinstance(path, str) and f"{os.sep}zoneinfo{os.sep}" in path


_is_installed = False


def install() -> None:
    """Put the guards in place, once for the process. Until the first program is made, nothing is touched."""
    global _is_installed
    if _is_installed:
        return
    _is_installed = True
    for module, name, advice in _REPLACED:
        _replace(module, name, advice, only_without_arguments=False)
    for name in _WITHOUT_ARGUMENTS:
        _replace(time, name, CLOCK, only_without_arguments=True)
    asyncio.as_completed = asyncio.tasks.as_completed = _in_order(asyncio.as_completed)
    asyncio.all_tasks = asyncio.tasks.all_tasks = _of_run(asyncio.all_tasks)
    sys.addaudithook(_audit)


def _replace(module: Any, name: str, advice: str, *, only_without_arguments: bool) -> None:
    original = getattr(module, name, None)
    if original is not None and not isinstance(original, Guarded):
        shown = _SHOWN.get(name, f"{module.__name__}.{name}")
        guard = Guarded(original, shown, advice, only_without_arguments=only_without_arguments)
        guarded[id(original)] = guard
        setattr(module, name, guard)


def _in_order(original: Callable[..., Any]) -> Any:
    """``asyncio.as_completed`` starts coroutines in the order of a set, which is that of their addresses.

    Not in a workflow.
    """

    def as_completed(fs: Any, *, timeout: float | None = None) -> Any:
        if is_in_turn():
            fs = [asyncio.ensure_future(each) for each in fs]
        return original(fs, timeout=timeout)

    as_completed.__doc__ = original.__doc__
    as_completed.__wrapped__ = original  # type: ignore[attr-defined]
    return as_completed


def _of_run(original: Callable[..., Any]) -> Any:
    """``asyncio.all_tasks`` goes through the tasks of all loops in no certain order. Not in a workflow."""

    def all_tasks(loop: asyncio.AbstractEventLoop | None = None) -> set[asyncio.Task[Any]]:
        run = current_run()
        if run is None:
            return original(loop)  # type: ignore[no-any-return]
        # The main task is a plain one, without a number. Added last, it does not change the order of the others.
        return {task for task in (*run.loop.tasks, run.main) if not task.done()}

    all_tasks.__doc__ = original.__doc__
    all_tasks.__wrapped__ = original  # type: ignore[attr-defined]
    return all_tasks


@contextmanager
def unguarded() -> Generator[None, None, None]:
    """A block in which clocks, chance, files and threads are allowed: ``with workflow.unguarded():``.

    For what no decision of the workflow depends on, such as measuring or debugging. Do not wait in it: the guards are
    off for all tasks of the run until the block is left.
    """
    run = require_run()
    before, run.is_guarded = run.is_guarded, False
    try:
        yield
    finally:
        run.is_guarded = before
