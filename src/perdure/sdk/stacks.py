"""Where a run's code stands: the answers to the built-in queries ``__stack_trace`` and ``__program_view``."""

import asyncio
import gc
from collections.abc import Iterator
from inspect import iscoroutine
from itertools import islice
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType
from typing import TYPE_CHECKING, Any

from perdure.model.explanation import CodeWait, ProgramView
from perdure.sdk.origins import Owner, owner_of
from perdure.sdk.run import Run

if TYPE_CHECKING:
    from perdure.sdk.mailbox import Mailbox

STACK_TRACE_QUERY = "__stack_trace"

MOST_TASKS = 100
"""A fan-out may wait in thousands of tasks that all say the same."""


def stack_traces(run: Run) -> str:
    """Each task that waits, by name, with the lines of the user's code that it waits in, innermost last."""
    return "\n\n".join(map(_describe, _waiting(run))) or "nothing is waiting"


def program_view(run: Run, mailbox: "Mailbox") -> ProgramView:
    """What each task waits for, and which messages there are handlers for."""
    receivers = [name for name, waiters in mailbox.waiters.items() if any(not waiter.done() for waiter in waiters)]
    return ProgramView(
        [_wait_of(task) for task in islice(_waiting(run), MOST_TASKS)],
        sorted({*mailbox.signals, *receivers}),
        sorted(mailbox.updates),
        sorted(mailbox.queries),
    )


def _waiting(run: Run) -> Iterator[asyncio.Task[Any]]:
    return (task for task in (run.main, *run.loop.tasks) if not task.done())


def _describe(task: asyncio.Task[Any]) -> str:
    lines = [f"{task.get_name()}:"]
    for frame in _frames(task):
        if _is_users(frame):
            lines.append(f"  {frame.f_code.co_filename}:{frame.f_lineno}, in {frame.f_code.co_qualname}")
    return "\n".join(lines)


def _wait_of(task: asyncio.Task[Any]) -> CodeWait:
    users: FrameType | None = None
    on = ""
    for frame in _frames(task):
        if _is_users(frame):
            users, on = frame, ""
        else:
            on = _known(frame) or on or (f"asyncio's {frame.f_code.co_qualname}" if _is_asyncio(frame) else "")
    on = on or "other tasks"
    if users is None:
        return CodeWait(task.get_name(), on)
    return CodeWait(task.get_name(), on, users.f_code.co_filename, users.f_lineno, users.f_code.co_qualname)


def _known(frame: FrameType) -> str:
    """What our own code waits for in this frame; empty where that is not its business."""
    names = frame.f_locals
    match frame.f_code.co_qualname:
        case "wait_condition":
            return "a condition"
        case "Mailbox.receive":
            return f"signal {names['name']}"
        case "run_activity":
            return f"activity {names['definition'].name}"
        case "child_started" | "child_result":
            return f"child {names['pending'].workflow_id}"
        case "_delivered":
            return str(names["what"])
        case "sleep" if _is_asyncio(frame):
            return "a timer"
        case _:
            return ""


def _is_users(frame: FrameType) -> bool:
    return owner_of(frame.f_code.co_filename) in (Owner.USER, Owner.INSTALLED)


def _is_asyncio(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).startswith("asyncio.")


def _frames(task: asyncio.Task[Any]) -> Iterator[FrameType]:
    """The frames that a task waits in, outermost first."""
    awaited: Any = task.get_coro()
    while awaited is not None:
        match awaited:
            case CoroutineType():
                frame, inner = awaited.cr_frame, awaited.cr_await
            case GeneratorType():
                frame, inner = awaited.gi_frame, awaited.gi_yieldfrom
            case AsyncGeneratorType():
                frame, inner = awaited.ag_frame, awaited.ag_await
            case _ if type(awaited).__name__ == "coroutine_wrapper":
                # What ``coroutine.__await__()`` gives names its coroutine to nobody but the collector.
                frame, inner = None, next(filter(iscoroutine, gc.get_referents(awaited)), None)
            case _:
                return
        if frame is not None:
            yield frame
        awaited = inner
