"""Why a run is not moving: each kind of wait says what it is, since when, and who ends it."""

import asyncio
from datetime import timedelta

import pytest
from tests.e2e.conftest import settled

import perdure
from perdure import App, Retry, workflow
from perdure.model.explanation import Wait, WaitKind

app = App("waits")
other = App("others", task_queue="elsewhere")


@app.activity(retry=Retry(initial=3600, maximum=3600, max_attempts=5))
async def flaky() -> None:
    raise ConnectionError("the carrier is down")


@app.activity(start_to_close=60)
async def slow() -> None:
    await asyncio.Event().wait()


@other.activity
async def unserved() -> None: ...


@app.workflow
async def calls(which: str) -> None:
    await {"flaky": flaky, "slow": slow, "unserved": unserved.options(task_queue="elsewhere")}[which]()


@app.workflow
class Loan:
    def __init__(self) -> None:
        self.decision = ""

    async def run(self) -> str:
        await workflow.wait_condition(lambda: bool(self.decision))
        return self.decision

    @workflow.signal
    def decide(self, decision: str) -> None:
        self.decision = decision

    @workflow.update
    async def add(self, document: str) -> str:
        return document


@app.workflow
async def receives() -> str:
    return await workflow.receive("word", str)


@app.workflow
async def many() -> None:
    child = await workflow.start_child(Loan, id="child-loan")
    await asyncio.gather(asyncio.sleep(3600), slow(), child.result())


@app.workflow
async def broken() -> None:
    raise TypeError("a bug in the program")


@other.workflow
async def elsewhere() -> None: ...


async def waits_of(run: perdure.Run, *kinds: WaitKind) -> list[Wait]:
    """What the run waits for, once it waits for these."""
    while True:
        explanation = await run.explain()
        if [wait.kind for wait in explanation.waits] == list(kinds):
            return list(explanation.waits)
        await asyncio.sleep(0.01)


async def test_a_back_off_says_which_attempt_comes_when_and_what_went_wrong(opened):
    async with opened(app) as client:
        run = await client.start(calls, "flaky", id="x")
        (wait,) = await waits_of(run, WaitKind.ACTIVITY)
        while not wait.until:
            (wait,) = await waits_of(run, WaitKind.ACTIVITY)
        assert wait.state == "attempt 2 of 5 waits out its back-off"
        assert wait.ends_by == "the clock"
        assert wait.until - wait.since == timedelta(hours=1).total_seconds() * 1e9
        text = str(await run.explain())
        assert "activity flaky" in text and "last error: ConnectionError: the carrier is down" in text
        assert "(in 0:59:" in text or "(in 1:00:00)" in text


async def test_a_running_activity_names_its_worker_and_its_timeout(opened):
    async with opened(app, identity="worker-7") as client:
        run = await client.start(calls, "slow", id="x")
        (wait,) = await waits_of(run, WaitKind.ACTIVITY)
        assert wait.state == "attempt 1 runs on worker-7"
        assert wait.expires - wait.since == 60 * 10**9


async def test_what_nobody_serves_is_named(opened):
    async with opened(app) as client:
        run = await client.start(calls, "unserved", id="x")
        (wait,) = await waits_of(run, WaitKind.ACTIVITY)
        assert wait.state.endswith(
            "waits for a worker: no worker here runs activity type unserved on task queue elsewhere"
        )
        strange = await client.start("elsewhere", task_queue="elsewhere", id="y")
        (wait,) = await waits_of(strange, WaitKind.TURN)
        assert wait.state.endswith("no worker here serves workflow type elsewhere on task queue elsewhere")
        assert wait.ends_by == "a worker that serves workflow type elsewhere on task queue elsewhere"


async def test_full_slots_are_named(opened):
    async with opened(app, max_async=1) as client:
        first = await client.start(calls, "slow", id="first")
        await waits_of(first, WaitKind.ACTIVITY)
        (wait,) = await waits_of(await client.start(calls, "slow", id="second"), WaitKind.ACTIVITY)
        assert wait.state == "attempt 1 waits for a worker: all slots for it here are taken"


async def test_a_wait_for_a_message_names_the_line_and_the_handlers(opened):
    async with opened(app) as client:
        run = await client.start(Loan, id="loan")
        await settled(run)
        explanation = await run.explain()
        (wait,) = explanation.waits
        line = Loan.run.__code__.co_firstlineno + 1
        assert wait.kind is WaitKind.MESSAGE
        assert wait.state == f"nothing else is pending; its code waits for a condition at {__file__}:{line}"
        assert wait.ends_by == "a message that its code handles (signals decide; updates add)"
        assert explanation.signals == ["decide"] and explanation.updates == ["add"]

        receiver = await client.start(receives, id="receiver")
        await settled(receiver)
        receiving = await receiver.explain()
        assert "signal word at" in receiving.waits[0].state and "signals word" in receiving.waits[0].ends_by


async def test_a_run_that_is_not_in_memory_is_asked_all_the_same(store_url, tmp_path):
    url = f"sqlite:///{tmp_path / 'kept.db'}"
    async with perdure.open(app, store=url) as client:
        await client.start(Loan, id="loan")
    async with perdure.open(app, store=url) as client:
        assert "a condition at" in str(await client.get("loan").explain())
    async with perdure.open(store=url) as client:
        explanation = await client.get("loan").explain()
        assert not explanation.code
        assert explanation.waits[0].ends_by == "whoever signals, updates or cancels it"


async def test_several_waits_are_all_told_with_the_code_that_waits(opened):
    async with opened(app) as client:
        run = await client.start(many, id="x")
        activity, timer, child = await waits_of(run, WaitKind.ACTIVITY, WaitKind.TIMER, WaitKind.CHILD)
        assert activity.what.startswith("activity slow (#")
        assert timer.until - timer.since == 3600 * 10**9
        assert child.what.startswith("child child-loan (#") and child.ends_by == "workflow child-loan, when it closes"
        code = {each.on for each in (await run.explain()).code}
        assert {"activity slow", "a timer", "child child-loan"} <= code


async def test_a_pause_names_who_and_why(opened):
    async with opened(app, identity="alice") as client:
        run = await client.start(Loan, id="loan")
        await settled(run)
        await run.pause("lunch")
        paused, _ = await waits_of(run, WaitKind.PAUSED, WaitKind.MESSAGE)
        assert paused.state.startswith("it was paused") and ": lunch;" in paused.state and paused.since
        await run.resume()
        await waits_of(run, WaitKind.MESSAGE)


async def test_a_failed_turn_tells_its_error_and_its_next_attempt(opened):
    async with opened(app) as client:
        run = await client.start(broken, id="x")
        await settled(run)
        (wait,) = await waits_of(run, WaitKind.TURN)
        assert "waits out its back-off; the attempt before failed (workflow worker unhandled failure)" in wait.state
        assert wait.until > wait.since and wait.failure is not None
        assert "last error: TypeError: a bug in the program" in str(await run.explain())


async def test_a_delayed_start_and_a_closed_run(opened):
    async with opened(app) as client:
        delayed = await client.start(Loan, id="later", start_delay=60, run_timeout=600)
        (wait,) = await waits_of(delayed, WaitKind.START_DELAY)
        assert wait.until - wait.since == 60 * 10**9
        assert (await delayed.explain()).expires is not None
        await delayed.terminate()
        explanation = await delayed.explain()
        assert not explanation.waits and str(explanation).endswith("is terminated.")


async def test_asking_for_a_run_that_is_not_there(opened):
    async with opened(app) as client:
        with pytest.raises(perdure.NotFoundError):
            await client.get("nobody").explain()
