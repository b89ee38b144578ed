"""Async generators of workflows, kept apart from those of the loop that the engine runs on.

Python tells the running loop, by hooks of the thread, when an async generator is used for the first time and when one
is dropped before its end. The outer loop would close a workflow's generator in a task of its own, outside of any turn.
So the outer loop's hooks are replaced by ``FirstHook`` and ``LastHook``, which pass on what is not a workflow's. They
stay in place between turns, until the outer loop ends and takes its hooks back: to change them is audited, and would
cost more than all the rest of entering a turn.

A workflow's generator is closed in the turn in which its last reference goes away, as asyncio would do. What the
garbage collector finds, and what leaves memory with its run, is not closed at all, since no replay could do that at the
same moment.
"""

import asyncio
import gc
import sys
from collections.abc import AsyncGenerator, Callable
from typing import Any

Generator = AsyncGenerator[Any, Any]
Hook = Callable[[Generator], None]

_own: set[int] = set()
"""The ``id`` of each generator that a workflow began to use.

One that has ended leaves it here until it is used again.
"""

_collecting = False


def _note_collection(phase: str, info: dict[str, int]) -> None:
    global _collecting
    _collecting = phase == "start"


gc.callbacks.append(_note_collection)


def is_collecting() -> bool:
    """Whether the garbage collector is at work, so that whatever runs now runs because of it."""
    return _collecting


class FirstHook:
    """Called when a generator is about to be used for the first time. ``outer`` is the outer loop's hook."""

    __slots__ = ("is_in_turn", "outer")

    def __init__(self, outer: Hook | None, is_in_turn: Callable[[], bool]) -> None:
        self.outer = outer
        self.is_in_turn = is_in_turn

    def __call__(self, generator: Generator) -> None:
        if self.is_in_turn():
            _own.add(id(generator))
        else:
            _own.discard(id(generator))
            if self.outer is not None:
                self.outer(generator)


class LastHook(FirstHook):
    """Called when a generator is dropped before its end."""

    __slots__ = ()

    def __call__(self, generator: Generator) -> None:
        if id(generator) in _own:
            _own.discard(id(generator))
            if self.is_in_turn() and not _collecting:
                # The run's loop keeps its tasks itself.
                asyncio.ensure_future(generator.aclose())  # noqa: RUF006
        elif self.outer is not None:
            self.outer(generator)


def replace_hooks(is_in_turn: Callable[[], bool]) -> tuple[Hook | None, Hook | None] | None:
    """See to it that this thread's hooks tell workflows' generators from others.

    Returns what must be restored after the turn. Nothing need be where there is an outer loop, which does that itself.
    """
    first, last = sys.get_asyncgen_hooks()
    if first.__class__ is FirstHook:
        return None
    sys.set_asyncgen_hooks(FirstHook(first, is_in_turn), LastHook(last, is_in_turn))
    return None if first is not None else (first, last)
