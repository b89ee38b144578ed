"""Activities: where they run, how they fail, how long they may take, how they stop."""

import asyncio
import os
import sys
import threading
from datetime import timedelta
from typing import Any, Literal

import pytest

import perdure
from perdure import App, Retry, activity, workflow

from .conftest import events_of

app = App("activities")
tries: dict[str, int] = {}
keys: dict[str, list[str]] = {}
tokens: asyncio.Queue[str] = asyncio.Queue()


@pytest.fixture(autouse=True)
def own_tokens(monkeypatch):
    """A queue belongs to the loop of the first test that waits for it."""
    monkeypatch.setattr(sys.modules[__name__], "tokens", asyncio.Queue())


class Refused(Exception):
    pass


def tried(name: str) -> int:
    tries[name] = tries.get(name, 0) + 1
    return tries[name]


@app.activity(retry=Retry(initial=10, backoff=3, maximum=60, max_attempts=5, non_retryable=(Refused,)))
async def flaky(name: str, failures: int) -> int:
    keys.setdefault(name, []).append(activity.info().idempotency_key)
    attempt = tried(name)
    if attempt <= failures:
        raise ConnectionError(f"attempt {attempt}")
    return attempt


@app.activity(retry=Retry(non_retryable=(Refused,)))
async def refuses(name: str) -> None:
    tried(name)
    raise Refused("never")


@app.activity(retry=Retry(initial=1))
async def says_when(name: str) -> int:
    if (attempt := tried(name)) == 1:
        raise perdure.ApplicationError("later", next_retry_delay=500)
    return attempt


@app.activity(start_to_close=0.1, retry=Retry(initial=1, max_attempts=2))
async def too_slow(name: str) -> None:
    tried(name)
    await asyncio.Event().wait()


@app.activity(heartbeat=0.2, retry=Retry(initial=1, max_attempts=2))
async def silent(name: str) -> str:
    attempt = tried(name)
    if attempt == 1:
        activity.heartbeat("half way")
        await asyncio.Event().wait()
    return str(activity.info().heartbeat_details)


@app.activity(schedule_to_start=7, task_queue="nobody-serves-this")
async def unserved() -> None: ...


@app.activity(schedule_to_close=30, retry=Retry(initial=10, backoff=1))
async def never_works(name: str) -> None:
    tried(name)
    raise ConnectionError("still down")


@app.activity
def in_a_thread() -> bool:
    return threading.current_thread() is not threading.main_thread()


@app.activity(executor="process")
def in_a_process(parent: int) -> bool:
    return os.getpid() != parent


@app.activity(heartbeat=60, start_to_close=60)
async def stoppable() -> str:
    while True:
        activity.heartbeat()
        await asyncio.sleep(0.005)


@app.activity(start_to_close=60)
async def later() -> str:
    await tokens.put(activity.info().task_token)
    activity.raise_complete_later()


@app.workflow
async def runs(name: str, *args: Any) -> Any:
    return await ACTIVITIES[name](*args)


@app.workflow
async def stops_it(cancellation: Literal["try", "wait"]) -> str:
    task = asyncio.create_task(stoppable.options(cancellation=cancellation)())
    await asyncio.sleep(0.05)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return "stopped"
    return "went on"


@app.workflow
async def fan(count: int) -> int:
    total = 0
    async for number in workflow.map(flaky, [f"fan-{n}" for n in range(count)], 0, concurrency=7):
        total += number
    return total


ACTIVITIES: dict[str, Any] = {
    "flaky": flaky, "refuses": refuses, "says_when": says_when, "too_slow": too_slow, "silent": silent,
    "unserved": unserved, "never_works": never_works, "in_a_thread": in_a_thread, "in_a_process": in_a_process,
    "later": later,
}  # fmt: skip


@pytest.fixture(autouse=True)
def fresh():
    tries.clear()
    keys.clear()


def cause_of(caught):
    failed = caught.value.__cause__
    assert isinstance(failed, perdure.ActivityError)
    return failed.__cause__


async def test_attempts_back_off_and_share_one_key(environment):
    async with environment(app) as env:
        run = await env.client.start(runs, "flaky", "a", 3)
        assert await run.result() == 4
        assert timedelta(seconds=10 + 30 + 60) <= env.elapsed < timedelta(seconds=110)
        assert len(set(keys["a"])) == 1 and len(keys["a"]) == 4
        events = await events_of(run)
        assert events.count("ActivityTaskStarted") == 1, "attempts between are facts, not events"


async def test_attempts_run_out(environment):
    async with environment(app) as env:
        with pytest.raises(perdure.WorkflowFailedError) as caught:
            await env.client.execute(runs, "flaky", "b", 99)
        assert tries["b"] == 5
        assert "attempt 5" in str(cause_of(caught))


async def test_a_non_retryable_error_is_final(environment):
    async with environment(app) as env:
        with pytest.raises(perdure.WorkflowFailedError) as caught:
            await env.client.execute(runs, "refuses", "c")
        cause = cause_of(caught)
        assert isinstance(cause, perdure.ApplicationError) and cause.type == "Refused"
        assert tries["c"] == 1


async def test_the_error_may_say_when_to_try_again(environment):
    async with environment(app) as env:
        assert await env.client.execute(runs, "says_when", "d") == 2
        assert env.elapsed >= timedelta(seconds=500)


@pytest.mark.parametrize(
    ("name", "word"), [("too_slow", "start-to-close"), ("unserved", "schedule-to-start"), ("never_works", "still down")]
)
async def test_timeouts(name, word, environment):
    async with environment(app, task_queues=["default"]) as env:
        args = [] if name == "unserved" else [name]
        with pytest.raises(perdure.WorkflowFailedError) as caught:
            await env.client.execute(runs, name, *args)
        assert word in str(cause_of(caught))


async def test_heartbeat_details_reach_the_next_attempt(environment):
    async with environment(app) as env:
        assert await env.client.execute(runs, "silent", "h") == "half way"
        assert timedelta(seconds=1.2) <= env.elapsed < timedelta(seconds=10)


async def test_threads_and_processes(opened):
    async with opened(app) as client:
        assert await client.execute(runs, "in_a_thread") is True
        assert await client.execute(runs, "in_a_process", os.getpid()) is True


@pytest.mark.parametrize("cancellation", ["try", "wait"])
async def test_cancellation_arrives_at_a_heartbeat(opened, cancellation):
    async with opened(app) as client:
        run = await client.start(stops_it, cancellation)
        assert await run.result(timeout=100) == "stopped"
        assert "ActivityTaskCancelRequested" in await events_of(run)


async def test_completion_from_outside_by_token(opened):
    async with opened(app) as client:
        run = await client.start(runs, "later")
        await client.complete_activity(await tokens.get(), "from outside")
        assert await run.result(timeout=100) == "from outside"


async def test_a_token_is_good_once(opened):
    async with opened(app) as client:
        run = await client.start(runs, "later")
        token = await tokens.get()
        await client.complete_activity(token, "first")
        assert await run.result(timeout=100) == "first"
        with pytest.raises((perdure.NotFoundError, perdure.RunClosedError)):
            await client.complete_activity(token, "second")


async def test_map_keeps_order_and_bounds(opened):
    async with opened(app) as client:
        assert await client.execute(fan, 50) == 50


async def test_more_activities_than_slots_all_run(store_url):
    async with perdure.open(app, store=store_url, max_async=3) as client:
        assert await client.execute(fan, 40) == 40


async def test_an_activity_that_ignores_cancellation_does_not_hold_up_its_run(opened):
    started, ended = threading.Event(), threading.Event()
    go_on = threading.Event()
    stubborn_app = App("stubborn")

    @stubborn_app.activity(start_to_close=0.2, retry=Retry(max_attempts=1))
    def stubborn() -> None:
        started.set()
        go_on.wait(100)
        ended.set()

    @stubborn_app.workflow
    async def tries_it() -> None:
        await stubborn()

    try:
        async with opened(stubborn_app) as client:
            with pytest.raises(perdure.WorkflowFailedError):
                await client.execute(tries_it)
            assert started.is_set() and not ended.is_set()
            go_on.set()
    finally:
        go_on.set()


async def test_a_retry_that_finds_no_slot_still_times_out(opened):
    crowded = App("crowded")
    release = asyncio.Event()

    @crowded.activity
    async def hog() -> None:
        await release.wait()

    @crowded.activity(schedule_to_start=0.3, retry=Retry(initial=0.1))
    async def fails_first() -> None:
        raise ConnectionError

    @crowded.workflow
    async def hogs() -> None:
        await hog()

    @crowded.workflow
    async def waits_its_turn() -> None:
        await fails_first()

    async with opened(crowded, max_async=1) as client:
        try:
            waiting = await client.start(waits_its_turn)
            hogging = await client.start(hogs)
            with pytest.raises(perdure.WorkflowFailedError) as caught:
                await waiting.result(timeout=100)
            assert "schedule-to-start" in str(cause_of(caught))
        finally:
            release.set()
        await hogging.result(timeout=100)
