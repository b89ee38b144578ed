"""Letting go of coroutines that are in the middle of something, without running any more of them.

A run leaves memory when it is evicted, or closed from outside, while its code waits somewhere. Python would end each
suspended coroutine by raising ``GeneratorExit`` in it, which runs ``finally`` blocks, ``with`` exits and ``except
BaseException`` clauses. Here that would be wrong: the run goes on elsewhere, from its history, and a ``finally`` that
prints, counts or sends would do so at a moment that has no meaning in the workflow. A run that leaves memory must look
to its code like a power failure.

CPython skips all of this for a coroutine whose frame has completed; it then only releases what the frame holds. So
frames are marked as completed, in the one byte of the object that says so. Where that byte is, each interpreter is
asked when this module is loaded: it must be the only one that takes the known values before, while and after a sample
coroutine runs; and a trial must succeed. Should either fail, on some later interpreter, ``drop`` falls back to closing
coroutines one by one, with the run barred, so that whatever their clean-up tries to do in the workflow raises and is
ignored.
"""

import ctypes
import gc
import sys
import types
from collections import deque
from collections.abc import AsyncGenerator, Coroutine, Generator, Iterable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from typing import Any

_COMPLETED = 1
_CLEARED = 4
_CLOSE_ATTEMPTS = 100


class _Suspend:
    """Something to wait for that never comes."""

    def __await__(self) -> Generator[None, None, None]:
        yield


async def _sample(log: list[str]) -> None:
    try:
        await _Suspend()
    finally:
        log.append("ran")


def _find_state() -> int | None:
    """Where in a coroutine object its frame's state is; None if that is not certain."""
    if sys.implementation.name != "cpython":
        return None
    coroutine = _sample([])
    created = _bytes_of(coroutine)
    coroutine.send(None)
    suspended = _bytes_of(coroutine)
    coroutine.close()
    closed = _bytes_of(coroutine)
    found = [
        offset
        for offset, states in enumerate(zip(created, suspended, closed, strict=True))
        if states[0] < states[1] < 0 and states[2] == _CLEARED
    ]
    return found[0] if len(found) == 1 else None


def _bytes_of(coroutine: Coroutine[Any, Any, Any]) -> memoryview:
    size = type(coroutine).__basicsize__
    return memoryview(ctypes.string_at(id(coroutine), size)).cast("b")


def _is_safe(offset: int) -> bool:
    """Try it: no clean-up may run, and everything must be released."""
    log: list[str] = []
    references = sys.getrefcount(log)
    coroutine = _sample(log)
    coroutine.send(None)
    _mark_completed(coroutine, offset)
    del coroutine
    return not log and sys.getrefcount(log) == references


def _mark_completed(generator: object, offset: int) -> None:
    state = ctypes.c_int8.from_address(id(generator) + offset)
    # Zero is for a frame that is running, and more for one that has ended.
    if state.value < 0:
        state.value = _COMPLETED


_STATE_OFFSET = _find_state()
if _STATE_OFFSET is not None and not _is_safe(_STATE_OFFSET):
    _STATE_OFFSET = None


# --- what a suspended coroutine holds


@contextmanager
def _context() -> Generator[None, None, None]:
    yield


@asynccontextmanager
async def _async_context() -> AsyncGenerator[None, None]:
    yield


async def _async_generator() -> AsyncGenerator[None, None]:
    yield


def _find_links() -> frozenset[type]:
    """The types of what may stand between a coroutine and another one that it waits for, or a generator in its use."""
    coroutine = _sample([])
    awaiting: list[Any] = [coroutine.__await__()]
    for name, args in (("__anext__", ()), ("athrow", (ValueError,)), ("aclose", ())):
        awaiting.append(getattr(_async_generator(), name)(*args))
    found = {type(each) for each in awaiting}
    for each in awaiting:
        each.close()
    found |= {type(_context()), type(_async_context()), ExitStack, AsyncExitStack, types.MethodType}
    return frozenset(found)


_FRAME = {types.CoroutineType: "cr_frame", types.GeneratorType: "gi_frame", types.AsyncGeneratorType: "ag_frame"}
_LINKS = _find_links()
_CONTAINERS: frozenset[type] = frozenset({list, tuple, dict, deque})
_FOLLOWED = _LINKS | _CONTAINERS | frozenset(_FRAME)


def _unfinished(roots: Iterable[object]) -> list[Any]:
    """All coroutines and generators that have not ended and that only the roots can have in use, the roots among them.

    From the user's own lists and dictionaries only coroutines are taken: a generator there may be somebody else's too.
    """
    found: list[Any] = []
    seen: set[int] = set()
    # Pairs of an object and whether it was found in a container of the user's.
    ahead: list[tuple[object, bool]] = [(root, type(root) in _CONTAINERS) for root in roots]
    while ahead:
        holder, is_loose = ahead.pop()
        kind = type(holder)
        if id(holder) in seen or (is_loose and kind not in _CONTAINERS and kind is not types.CoroutineType):
            continue
        seen.add(id(holder))
        is_frame = kind in _FRAME
        if is_frame:
            if getattr(holder, _FRAME[kind]) is None:
                continue
            found.append(holder)
        for held in gc.get_referents(holder):
            if type(held) in _FOLLOWED:
                in_container = type(held) in _CONTAINERS
                ahead.append((held, (is_frame and in_container) or (is_loose and not is_frame)))
    return found


def drop(roots: Iterable[object]) -> None:
    """Let go of suspended coroutines and of all that they wait for.

    ``roots`` are coroutines, or collections of such.
    """
    if _STATE_OFFSET is None:
        _close_all(roots)
        return
    for each in _unfinished(roots):
        _mark_completed(each, _STATE_OFFSET)


def _close_all(roots: Iterable[object]) -> None:
    """The fallback: end each coroutine as Python does, against whatever resistance."""
    for each in roots:
        if isinstance(each, types.CoroutineType):
            for _ in range(_CLOSE_ATTEMPTS):
                try:
                    each.close()
                    break
                except BaseException:
                    # It waited again, or its clean-up failed; either way it is asked again until it has ended.
                    continue
