"""A worker runs activities on the loop and in threads, and reports how they end."""

import asyncio
import contextvars
import gc
import logging
import threading
import time
from dataclasses import dataclass
from typing import Any

import pytest
from tests.sdk.worker_driver import ADDRESS, Driver

from perdure.model.errors import ApplicationError, InvalidArgumentError
from perdure.model.events import WorkflowExecutionStarted
from perdure.model.failures import FailureKind
from perdure.model.options import RetryPolicy
from perdure.model.requests import CancelActivity, CompleteActivity, FailActivity, HeartbeatActivity
from perdure.sdk import activity
from perdure.sdk import worker as worker_module
from perdure.sdk.app import App
from perdure.sdk.converter import Converter
from perdure.sdk.running import Running
from perdure.sdk.worker import LocalWorker


@dataclass
class Order:
    id: str
    cents: int


class CardDeclined(Exception):
    pass


class CardStolen(CardDeclined):
    pass


app = App("test")
seen: contextvars.ContextVar[str] = contextvars.ContextVar("seen", default="nothing")


@app.activity
async def charge(order: Order) -> str:
    await asyncio.sleep(0)
    return f"{order.id}-{order.cents}"


@app.activity
def charge_in_thread(order: Order) -> str:
    assert threading.current_thread() is not threading.main_thread()
    return f"{order.id}-{order.cents}"


@app.activity
async def decline() -> None:
    raise CardStolen("stolen")


@app.activity
def decline_in_thread() -> None:
    raise CardStolen("stolen")


@app.activity
async def key() -> str:
    return activity.info().idempotency_key


@app.activity
def key_in_thread() -> str:
    return activity.info().idempotency_key


@app.activity
async def unstorable() -> object:
    return object()


@app.activity
def hidden_coroutine() -> Any:
    return charge(Order("a", 1))


@app.activity
async def sleep(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "slept"


@app.activity
async def clean_up() -> str:
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        assert activity.cancelled()
        return "cleaned up"
    return "slept"


@app.activity
async def shielded() -> str:
    waiting = asyncio.ensure_future(activity.wait_for_cancelled())
    try:
        await asyncio.shield(waiting)
    except asyncio.CancelledError:
        await waiting
        return "saw it"
    return "did not"


@app.activity
async def cancels_itself() -> None:
    raise asyncio.CancelledError


@app.activity
async def leaves() -> None:
    raise SystemExit(3)


@app.activity
def beats(steps: int, pause: float) -> int:
    done = activity.info().heartbeat_details or 0
    for step in range(done, steps):
        activity.heartbeat(step + 1)
        time.sleep(pause)
    return done


@app.activity
async def beats_async(steps: int, pause: float) -> int:
    done = activity.info().heartbeat_details or 0
    for step in range(done, steps):
        activity.heartbeat(step + 1)
        await asyncio.sleep(pause)
    return done


@app.activity
def waits_in_thread() -> bool:
    return activity.wait_for_cancelled_in_thread(30)


@app.activity
async def beats_then_fails() -> None:
    for step in range(5):
        activity.heartbeat(step + 1)
    raise ValueError("after five")


@app.activity
async def later() -> None:
    activity.heartbeat("half")
    activity.raise_complete_later()


@app.activity
async def context() -> str:
    return seen.get()


@app.activity(task_queue="elsewhere")
async def elsewhere() -> None: ...


@app.workflow
async def fulfil(order: Order) -> str:
    return await charge(order)


# --- results


@pytest.mark.parametrize("name", ["charge", "charge_in_thread"])
async def test_arguments_and_results_keep_their_types(name: str) -> None:
    async with Driver(app, identity="me") as driver:
        request = await driver.run(name, Order("a", 3))
        assert request == CompleteActivity(5, 1, driver.converter.to_payloads(["a-3"]), "me")


@pytest.mark.parametrize("name", ["decline", "decline_in_thread"])
async def test_errors_fail_the_attempt(name: str) -> None:
    async with Driver(app) as driver:
        request = await driver.run(name)
        assert isinstance(request, FailActivity)
        assert (request.failure.type, request.failure.message) == ("CardStolen", "stolen")
        assert "test_worker.py" in request.failure.stack_trace
        assert not request.failure.non_retryable
        # A subclass of what is listed is final too.
        request = await driver.run(name, retry=RetryPolicy(non_retryable=("CardDeclined",)))
        assert request.failure.non_retryable


@pytest.mark.parametrize("name", ["key", "key_in_thread"])
async def test_the_idempotency_key_is_the_same_on_every_attempt(name: str) -> None:
    async with Driver(app) as driver:
        assert await driver.result(name, event_id=9, attempt=1) == "run-1:9"
        assert await driver.result(name, event_id=9, attempt=2) == "run-1:9"


async def test_a_result_that_cannot_be_stored_is_final() -> None:
    async with Driver(app) as driver:
        request = await driver.run("unstorable")
        assert request.failure.non_retryable
        assert "unstorable did its work, but its result is lost: a value of type object" in request.failure.message


async def test_arguments_that_do_not_fit_are_tried_again() -> None:
    async with Driver(app) as driver:
        for name in ("charge", "charge_in_thread"):
            request = await driver.run(name, {"id": "a"})
            assert not request.failure.non_retryable
            assert "cannot read its arguments: argument 1: the value is no Order" in request.failure.message


async def test_a_plain_function_that_returns_a_coroutine_says_so() -> None:
    async with Driver(app) as driver:
        request = await driver.run("hidden_coroutine")
        assert "make the wrapper async too" in request.failure.message


async def test_leaving_the_interpreter_only_fails_the_attempt() -> None:
    async with Driver(app) as driver:
        assert (await driver.run("leaves")).failure.type == "SystemExit"


async def test_context_variables_of_the_engine_are_not_seen() -> None:
    async with Driver(app) as driver:
        seen.set("a caller's")
        assert await driver.result("context") == "nothing"


# --- slots and queues


async def test_slots_are_per_kind_and_free_when_the_end_is_reported() -> None:
    async with Driver(app, max_async=2, max_threads=1) as driver:
        worker = driver.worker
        assert worker.reserve("default", "default", "charge")
        assert worker.reserve("default", "default", "charge")
        assert not worker.reserve("default", "default", "sleep")
        assert worker.reserve("default", "default", "charge_in_thread")
        assert not worker.reserve("default", "default", "beats")
        worker.release("default", "charge")
        assert worker.reserve("default", "default", "sleep")
        worker.release("default", "charge")
        worker.release("default", "sleep")
        worker.release("default", "charge_in_thread")

        reserved: list[bool] = []
        worker.open(
            lambda address, request: reserved.append(worker.reserve("default", "default", "key_in_thread") is worker)
        )
        driver.start("key_in_thread")
        while not reserved:
            await asyncio.sleep(0.01)
        assert reserved == [True]


async def test_queues_are_those_that_the_apps_name_unless_given() -> None:
    worker = LocalWorker([app])
    worker.open(lambda address, request: None)
    assert worker.task_queues == {"default", "elsewhere"}
    assert worker.reserve("default", "elsewhere", "elsewhere")
    assert not worker.reserve("default", "nowhere", "charge")
    assert not worker.reserve("default", "default", "unknown")
    assert worker.serves_workflow("default", "default", "fulfil")
    assert not worker.serves_workflow("default", "nowhere", "fulfil")
    assert not worker.serves_workflow("default", "default", "charge")

    charge.options(task_queue="named later")
    assert worker.reserve("default", "named later", "charge")

    worker = LocalWorker([app], task_queues=["warehouse"])
    worker.open(lambda address, request: None)
    assert worker.reserve("default", "warehouse", "charge")
    assert not worker.reserve("default", "default", "charge")
    assert worker.activity_types >= {"charge", "elsewhere"}
    assert worker.workflow_types == {"fulfil"}


async def test_identity_and_build_id() -> None:
    other = App("other", build_id="v2")
    assert LocalWorker([app]).build_id == app.build_id
    assert LocalWorker([other]).build_id == "v2"
    assert LocalWorker([app, other]).build_id == LocalWorker([other, app]).build_id != app.build_id
    assert "@" in LocalWorker([app]).identity
    assert LocalWorker([app], identity="me").identity == "me"


def test_two_apps_cannot_define_the_same_type() -> None:
    twin = App("twin")
    twin.activity(name="charge")(charge.fn)
    with pytest.raises(InvalidArgumentError, match="both define an activity type 'charge'"):
        LocalWorker([app, twin])
    twin = App("twin")
    twin.workflow(name="fulfil")(fulfil.fn)
    with pytest.raises(InvalidArgumentError, match="'test' and 'twin' both define a workflow type 'fulfil'"):
        LocalWorker([app, twin])
    with pytest.raises(InvalidArgumentError, match="max_threads"):
        LocalWorker([app], max_threads=0)


async def test_programs() -> None:
    async with Driver(app) as driver:
        started = WorkflowExecutionStarted(1, 1, "workflow-1", "fulfil", "default")
        program = driver.worker.create_program(ADDRESS, started)
        program.close()


async def test_mocks_take_the_place_of_activities() -> None:
    def plain(order: Order) -> str:
        assert isinstance(order, Order)
        return f"mock {order.id}"

    async def coroutine() -> str:
        raise ApplicationError("mocked")

    async with Driver(app, mocks={charge: plain, "key_in_thread": coroutine}) as driver:
        assert await driver.result("charge", Order("a", 1)) == "mock a"
        assert (await driver.run("key_in_thread")).failure.message == "mocked"
    with pytest.raises(InvalidArgumentError, match="'chrage'"):
        LocalWorker([app], mocks={"chrage": plain})


# --- cancellation


async def test_an_async_activity_is_interrupted_where_it_waits() -> None:
    async with Driver(app) as driver:
        event_id = driver.start("sleep", 60)
        await asyncio.sleep(0.01)
        driver.cancel(event_id)
        assert await driver.end(event_id) == CancelActivity(event_id, 1, (), driver.worker.identity)


async def test_one_that_has_not_begun_is_cancelled_too() -> None:
    async with Driver(app) as driver:
        event_id = driver.start("sleep", 60)
        driver.cancel(event_id)
        assert isinstance(await driver.end(event_id), CancelActivity)
        assert driver.worker.running_count == 0
        assert driver.worker._on_loop.free == driver.worker._on_loop.capacity


async def test_an_activity_may_clean_up_and_still_complete() -> None:
    async with Driver(app) as driver:
        for name, result in (("clean_up", "cleaned up"), ("shielded", "saw it")):
            event_id = driver.start(name)
            await asyncio.sleep(0.01)
            driver.cancel(event_id)
            request = await driver.end(event_id)
            assert driver.converter.from_payloads(request.result) == [result]


async def test_a_thread_is_told_at_its_next_heartbeat() -> None:
    async with Driver(app) as driver:
        event_id = driver.start("beats", 1_000_000, 0.001)
        await driver.heartbeat(event_id)
        driver.cancel(event_id)
        assert isinstance(await driver.end(event_id), CancelActivity)


async def test_a_thread_may_wait_for_it() -> None:
    async with Driver(app) as driver:
        event_id = driver.start("waits_in_thread")
        await asyncio.sleep(0.05)
        driver.cancel(event_id)
        assert driver.converter.from_payloads((await driver.end(event_id)).result) == [True]


async def test_cancelling_oneself_is_a_failure_like_any_other() -> None:
    async with Driver(app) as driver:
        request = await driver.run("cancels_itself")
        assert request.failure.kind is FailureKind.APPLICATION
        assert (request.failure.type, request.failure.non_retryable) == ("CancelledError", False)


async def test_cancelling_what_is_not_there_changes_nothing() -> None:
    async with Driver(app) as driver:
        driver.cancel(99)


async def test_an_activity_that_ignores_cancellation_keeps_its_slot_and_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker_module, "LINGERING_SECONDS", 0.05)
    stubborn = App("stubborn")
    let_go = threading.Event()

    @stubborn.activity
    def ignores() -> None:
        let_go.wait(30)

    async with Driver(stubborn, max_threads=1) as driver:
        event_id = driver.start("ignores")
        driver.cancel(event_id)
        driver.cancel(event_id)
        await asyncio.sleep(0.2)
        assert [task.scheduled.id for task in driver.worker.lingering] == [event_id]
        assert not driver.worker.reserve("default", "default", "ignores")
        warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert len(warnings) == 1
        assert "ignores (workflow workflow-1, attempt 1)" in warnings[0].getMessage()
        let_go.set()
        assert isinstance(await driver.end(event_id), CompleteActivity)
        assert driver.worker.reserve("default", "default", "ignores")
        assert driver.worker.lingering == []


async def test_a_new_attempt_beside_one_that_does_not_end() -> None:
    async with Driver(app) as driver:
        first = driver.start("clean_up", event_id=7)
        await asyncio.sleep(0.01)
        driver.start("sleep", 0.01, event_id=7, attempt=2)
        # The attempt before is asked to stop, and both ends are reported for what they are.
        assert isinstance(await driver.end(first, 1), CompleteActivity)
        assert isinstance(await driver.end(first, 2), CompleteActivity)
        assert driver.worker.running_count == 0


# --- heartbeats


@pytest.mark.parametrize("name", ["beats", "beats_async"])
async def test_the_first_heartbeat_goes_at_once_and_the_latest_after_the_interval(name: str) -> None:
    async with Driver(app) as driver:
        begun = time.monotonic()
        event_id = driver.start(name, 40, 0.005, heartbeat_timeout=0.1)
        await driver.heartbeat(event_id)
        assert driver.worker.running_count == 1
        await driver.end(event_id)
        intervals = (time.monotonic() - begun) / 0.08
        beats = [request for request in driver.requests if isinstance(request, HeartbeatActivity)]
        assert 2 <= len(beats) <= intervals + 1
        steps = [driver.converter.from_payloads(beat.details)[0] for beat in beats]
        assert steps == sorted(set(steps))


async def test_a_heartbeat_is_passed_on_even_if_no_other_follows() -> None:
    once = App("once")

    @once.activity
    async def twice_then_silent() -> None:
        activity.heartbeat(1)
        activity.heartbeat(2)
        await asyncio.sleep(60)

    async with Driver(once) as driver:
        event_id = driver.start("twice_then_silent", heartbeat_timeout=0.1)
        assert driver.converter.from_payloads((await driver.heartbeat(event_id, 2)).details) == [2]
        await asyncio.sleep(0.2)
        assert len(driver.requests) == 2


async def test_a_heartbeat_may_come_from_a_thread_of_an_async_activity() -> None:
    both = App("both")

    @both.activity
    async def in_between() -> None:
        await asyncio.to_thread(activity.heartbeat, "from a thread")

    async with Driver(both) as driver:
        event_id = driver.start("in_between")
        await driver.end(event_id)
        beat = await driver.heartbeat(event_id)
        assert driver.converter.from_payloads(beat.details) == ["from a thread"]


async def test_what_was_not_sent_goes_along_with_the_failure() -> None:
    async with Driver(app) as driver:
        event_id = driver.start("beats_then_fails", heartbeat_timeout=10)
        request = await driver.end(event_id)
        assert driver.converter.from_payloads((await driver.heartbeat(event_id)).details) == [1]
        assert driver.converter.from_payloads(request.heartbeat_details) == [5]
        assert (await driver.run("decline")).heartbeat_details is None


async def test_the_next_attempt_goes_on_from_the_last_heartbeat() -> None:
    async with Driver(app) as driver:
        details = driver.converter.to_payloads([3])
        assert await driver.result("beats", 5, 0, details=details, attempt=2) == 3


# --- completion from outside


async def test_an_activity_that_completes_later_frees_its_slot() -> None:
    async with Driver(app, max_async=1) as driver:
        event_id = driver.start("later")
        beat = await driver.heartbeat(event_id, 2)
        assert driver.converter.from_payloads(beat.details) == ["half"]
        assert driver.worker.reserve("default", "default", "charge")
        assert driver.worker.running_count == 0
        assert all(isinstance(request, HeartbeatActivity) for request in driver.requests)


# --- the end


async def test_draining_waits_for_what_runs_and_takes_nothing_new() -> None:
    async with Driver(app) as driver:
        event_id = driver.start("sleep", 0.05)
        assert await driver.worker.drain(timeout=0.001) is False
        assert not driver.worker.reserve("default", "default", "charge")
        assert await driver.worker.drain(timeout=10) is True
        assert isinstance(await driver.end(event_id), CompleteActivity)


async def test_closing_interrupts_what_runs_for_another_attempt() -> None:
    driver = Driver(app)
    async with driver:
        asynchronous = driver.start("sleep", 60)
        thread = driver.start("beats", 1_000_000, 0.001)
        await driver.heartbeat(thread)
    for event_id in (asynchronous, thread):
        failure = (await driver.end(event_id)).failure
        assert (failure.type, failure.non_retryable) == ("WorkerShutdown", False)
    await driver.worker.close()


async def test_closing_does_not_wait_for_the_stubborn(caplog: pytest.LogCaptureFixture) -> None:
    stubborn = App("stubborn")
    let_go = threading.Event()

    @stubborn.activity
    def ignores() -> None:
        let_go.wait(30)

    driver = Driver(stubborn)
    async with driver:
        driver.start("ignores")
        await driver.worker.close(grace=0.05)
    assert "still running" in caplog.text
    let_go.set()
    await asyncio.sleep(0.05)
    assert driver.requests == []


async def test_many_at_once() -> None:
    async with Driver(app, max_async=500, max_threads=50) as driver:
        ids = [driver.start("charge", Order(str(n), n)) for n in range(500)]
        ids += [driver.start("charge_in_thread", Order(str(n), n)) for n in range(50)]
        for event_id in ids:
            assert isinstance(await driver.end(event_id), CompleteActivity)
        assert len(driver.requests) == 550


async def test_each_app_has_its_own_converter() -> None:
    narrow = App("narrow", converter=Converter(max_payload_bytes=10))

    @narrow.activity
    async def long_text() -> str:
        return "x" * 100

    async with Driver(app, narrow) as driver:
        assert "max_payload_bytes" in (await driver.run("long_text")).failure.message


async def test_an_attempt_that_has_ended_leaves_nothing_for_the_garbage_collector():
    async with Driver(app) as driver:
        await driver.end(driver.start("charge", Order("a", 1)))
        gc.collect()
        gc.disable()
        try:
            others = sum(type(one) is Running for one in gc.get_objects())
            for number in range(20):
                await driver.end(driver.start("charge", Order("a", number)))
            await asyncio.sleep(0)
            assert sum(type(one) is Running for one in gc.get_objects()) < others + 5
        finally:
            gc.enable()
