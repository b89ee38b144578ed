"""A run that leaves memory runs no more code, makes no noise and leaves nothing behind."""

import asyncio
import gc
import logging
import warnings
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from tests.sdk.fake_kernel import FakeKernel

from perdure.sdk import teardown, workflow
from perdure.sdk.app import App

app = App("test")
trace: list[str] = []


@app.activity
async def wait(tag: str) -> None: ...


@app.activity(cancellation="wait")
async def wait_long(tag: str) -> None: ...


@contextmanager
def context(tag: str) -> Iterator[None]:
    try:
        yield
    finally:
        trace.append(f"context {tag}")


@asynccontextmanager
async def async_context(tag: str) -> AsyncIterator[None]:
    try:
        yield
    finally:
        trace.append(f"async context {tag}")
        await wait("in context")


async def numbers() -> AsyncIterator[int]:
    try:
        for n in range(10):
            yield n
            await wait("number")
    finally:
        trace.append("generator")


async def nested(tag: str) -> None:
    try:
        with context(tag):
            await wait(tag)
    except asyncio.CancelledError:
        trace.append("cancelled")
    except BaseException:
        trace.append("base exception")
        raise
    finally:
        trace.append("finally")
        await wait("clean-up")


@app.workflow
async def ordinary() -> None:
    held = Held()
    alive.add(held)
    await asyncio.gather(wait("a"), asyncio.wait_for(wait("b"), 10), workflow.wait_condition(lambda: False, timeout=3))


def test_an_ordinary_run_is_released_without_the_garbage_collector() -> None:
    alive.clear()
    run = FakeKernel(ordinary)
    run.turn()
    gc.disable()
    try:
        assert len(alive) == 1
        run.program.close()
        assert len(alive) == 0
    finally:
        gc.enable()


class Held:
    """Something on a frame that must be released."""


alive: "weakref.WeakSet[Held]" = weakref.WeakSet()


@app.workflow
async def everything() -> None:
    held = Held()
    alive.add(held)
    event = asyncio.Event()
    unstarted = nested("never awaited")

    async def waits_for_event() -> None:
        try:
            await event.wait()
        finally:
            trace.append(f"event {held}")

    async def iterates() -> None:
        async for _ in numbers():
            pass

    async def maps() -> None:
        async for _ in workflow.map(wait, ["a", "b", "c"], concurrency=2):
            pass

    async with async_context("outer"), asyncio.TaskGroup() as group, workflow.saga() as saga:
        saga.compensate(wait, "undo")
        group.create_task(waits_for_event())
        group.create_task(iterates())
        group.create_task(maps())
        group.create_task(nested("task"))
        task = group.create_task(nested("awaited"))
        group.create_task(asyncio.wait_for(nested("timed"), 100))
        group.create_task(workflow.wait_condition(lambda: bool(trace), timeout=5))
        group.create_task(asyncio.shield(task))  # type: ignore[arg-type]
        await asyncio.gather(nested("gathered"), wait_long("x"), asyncio.sleep(10))
        await task
    await unstarted


@pytest.fixture(params=["drop", "close"])
def technique(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "close":
        monkeypatch.setattr(teardown, "_STATE_OFFSET", None)
    return str(request.param)


def test_this_interpreter_is_known() -> None:
    assert teardown._STATE_OFFSET is not None


@pytest.mark.parametrize("turns", [1, 2])
def test_no_code_runs_when_a_run_leaves_memory(
    turns: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    noise: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", noise.append)
    trace.clear()
    alive.clear()
    with warnings.catch_warnings(record=True) as warned, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        run = FakeKernel(everything)
        run.turn()
        if turns == 2:
            run.complete("wait").turn()
        assert len(alive) == 1
        run.program.close()
        gc.collect()
    assert len(alive) == 0
    assert trace == []
    assert noise == []
    assert warned == []
    assert caplog.records == []


def shared_numbers() -> Iterator[int]:
    yield from range(100)


shared = [shared_numbers()]


@app.workflow
async def uses_what_is_shared() -> None:
    kept = {"numbers": shared, "unstarted": [nested("x")]}
    next(shared[0])
    await wait("x")
    print(kept)


def test_what_others_use_too_is_left_alone() -> None:
    run = FakeKernel(uses_what_is_shared)
    run.turn()
    run.program.close()
    assert next(shared[0]) == 1


@app.workflow
async def stubborn() -> None:
    while True:
        try:
            await wait("again")
        except BaseException:
            trace.append("kept on")


def test_a_run_that_resists_is_dropped_all_the_same(technique: str, monkeypatch: pytest.MonkeyPatch) -> None:
    noise: list[Any] = []
    trace.clear()
    run = FakeKernel(stubborn)
    run.turn()
    if technique == "drop":
        monkeypatch.setattr("sys.unraisablehook", noise.append)
        run.program.close()
        del run
        gc.collect()
        assert trace == []
        assert noise == []


@app.workflow
async def tidy() -> None:
    try:
        await wait("long")
    finally:
        trace.append("finally")
        workflow.progress(1)


def test_the_fallback_lets_clean_up_have_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teardown, "_STATE_OFFSET", None)
    noise: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", noise.append)
    trace.clear()
    run = FakeKernel(tidy)
    run.turn()
    run.program.close()
    gc.collect()
    assert trace == ["finally"]
    assert noise == []


def test_closing_twice_is_closing_once() -> None:
    run = FakeKernel(everything)
    run.turn()
    run.program.close()
    run.program.close()


@app.workflow
async def leaves_a_loop() -> int:
    async for n in numbers():
        if n == 1:
            break
    return len(trace)


def test_a_generator_dropped_in_a_turn_is_closed_in_that_turn() -> None:
    trace.clear()
    run = FakeKernel(leaves_a_loop)
    run.turn()
    run.complete("wait").turn()
    assert trace == ["generator"]


async def test_inside_another_loop_generators_stay_apart() -> None:
    trace.clear()

    async def outer() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            trace.append("outer")

    generator = outer()
    await anext(generator)
    run = FakeKernel(leaves_a_loop)
    run.turn()
    run.program.close()
    del run
    gc.collect()
    await asyncio.sleep(0)
    assert trace == []
    async for _ in generator:
        pass
    assert trace == ["outer"]
    assert asyncio.get_running_loop() is asyncio.get_event_loop()
    assert asyncio.current_task() is not None
