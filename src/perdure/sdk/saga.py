"""Undoing what was done, when the rest cannot be."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, ParamSpec

from perdure.sdk.closing import FailureTypes, continuation, is_failure
from perdure.sdk.run import require_run

P = ParamSpec("P")


class Saga:
    """Remembers how to undo each step, and undoes them, newest first, when its block is left by an exception.

    ``errors`` are the compensations that failed themselves.
    """

    __slots__ = ("_failure_types", "_steps", "errors")

    def __init__(self, failure_types: FailureTypes) -> None:
        self._failure_types = failure_types
        self._steps: list[tuple[Callable[..., Awaitable[Any]], tuple[Any, ...], dict[str, Any]]] = []
        self.errors: list[BaseException] = []

    def compensate(self, undo: Callable[P, Awaitable[Any]], *args: P.args, **kwargs: P.kwargs) -> None:
        """If the block fails later on, call and await ``undo(*args)``: an activity, a child or any async function."""
        self._steps.append((undo, args, kwargs))

    async def undo(self) -> None:
        """Undo everything so far, newest first, without an exception. What was undone is forgotten.

        A compensation that fails does not stop the others; it is kept in ``errors``. A cancellation does not stop any
        either: it is raised here once all are done.
        """
        cancelled: asyncio.CancelledError | None = None
        while self._steps:
            undo, args, kwargs = self._steps.pop()
            task: asyncio.Task[None] = asyncio.ensure_future(_call(undo, args, kwargs))
            while not task.done():
                try:
                    # wait() leaves the task alone when it is cancelled itself.
                    await asyncio.wait([task])
                except asyncio.CancelledError as error:
                    cancelled = error
            failure = asyncio.CancelledError() if task.cancelled() else task.exception()
            if failure is not None:
                name = getattr(undo, "__name__", repr(undo))
                failure.add_note(f"while undoing with {name}{args!r}")
                if not is_failure(failure, self._failure_types) and not isinstance(failure, asyncio.CancelledError):
                    # A bug, like any other in a workflow, fails the turn: once it is mended, everything is undone.
                    raise failure
                self.errors.append(failure)
        if cancelled is not None:
            raise cancelled

    async def __aenter__(self) -> "Saga":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # To continue as new is not to fail. Nor is GeneratorExit: that run is only leaving memory.
        if error is None or isinstance(error, GeneratorExit) or continuation(error) is not None:
            return
        try:
            await self.undo()
        except asyncio.CancelledError:
            # Raised again only if it is what the block is left by anyway; the first reason counts.
            pass
        for failure in self.errors:
            note = "; ".join(getattr(failure, "__notes__", ()))
            error.add_note(f"compensation failed {note}: {type(failure).__name__}: {failure}")


async def _call(undo: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    await undo(*args, **kwargs)


def saga() -> Saga:
    """A block that undoes its steps when it fails: ``async with workflow.saga() as saga:``.

    After each step say how to undo it: ``saga.compensate(refund, payment)``. When the block is left by an exception,
    cancellation included, the compensations run one after another, newest first, and the exception goes on. A
    compensation that fails does not stop the others: it becomes a note of the exception. Cancelling the run again does
    not interrupt them. A bug in a compensation, as anywhere in a workflow, fails the turn until it is mended.
    """
    return Saga(require_run().failure_types)
