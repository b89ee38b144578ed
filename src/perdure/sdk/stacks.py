"""Where a run's code stands: the answer to the built-in query ``__stack_trace``."""

import asyncio
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from perdure.sdk.origins import Owner, owner_of
from perdure.sdk.run import Run

STACK_TRACE_QUERY = "__stack_trace"


def stack_traces(run: Run) -> str:
    """Each task that waits, by name, with the lines of the user's code that it waits in, innermost last."""
    waiting = [task for task in (run.main, *run.loop.tasks) if not task.done()]
    return "\n\n".join(_describe(task) for task in waiting) or "nothing is waiting"


def _describe(task: asyncio.Task[Any]) -> str:
    lines = [f"{task.get_name()}:"]
    awaited: Any = task.get_coro()
    while awaited is not None:
        match awaited:
            case CoroutineType():
                frame, inner = awaited.cr_frame, awaited.cr_await
            case GeneratorType():
                frame, inner = awaited.gi_frame, awaited.gi_yieldfrom
            case AsyncGeneratorType():
                frame, inner = awaited.ag_frame, awaited.ag_await
            case _:
                break
        if frame is not None and owner_of(frame.f_code.co_filename) in (Owner.USER, Owner.INSTALLED):
            lines.append(f"  {frame.f_code.co_filename}:{frame.f_lineno}, in {frame.f_code.co_qualname}")
        awaited = inner
    return "\n".join(lines)
