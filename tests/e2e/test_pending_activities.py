"""What people do to activities that have not ended, on each store and over a server."""

import asyncio

import pytest

from perdure import App, InvalidArgumentError, NotFoundError, Retry, activity

app = App("pending")
attempts: dict[str, list[int]] = {}


@app.activity(retry=Retry(initial=3600, maximum=3600, max_attempts=2))
async def fails_first(name: str) -> int:
    tried = attempts.setdefault(name, [])
    tried.append(activity.info().attempt)
    if len(tried) < 3:
        raise ConnectionError("not yet")
    return activity.info().attempt


@app.workflow
async def tries(name: str) -> int:
    return await fails_first(name)


async def pending(run, is_so):
    """The run's only activity, once this is so of it."""
    while True:
        found = (await run.describe()).activities
        if found and is_so(found[0]):
            return found[0]
        await asyncio.sleep(0.01)


async def test_an_activity_is_paused_changed_reset_and_goes_on(opened, request):
    name = request.node.name
    async with opened(app) as client:
        run = await client.start(tries, name, id="w")
        found = await pending(run, lambda each: each.next_attempt_time)
        ours = run.activities(found.activity_id)
        await ours.pause("the bank is down")
        paused = await pending(run, lambda each: each.paused_time)
        assert (paused.attempt, paused.pause_reason) == (2, "the bank is down")
        assert "the bank is down" in str(await run.explain())

        # An hour is too long; still it waits for whoever unpauses it.
        await ours.update_options(retry=Retry(initial=0.01, maximum=1, max_attempts=2))
        assert attempts[name] == [1]
        await ours.unpause(reset_attempts=True)
        # The second attempt counts as the first, so the policy allows a third.
        assert await run.result(timeout=60) == 2
        assert attempts[name] == [1, 1, 2]
        with pytest.raises(NotFoundError, match="There is no workflow"):
            await client.get("nobody").activities().pause()


async def test_a_reset_gives_the_next_attempt_now(opened, request):
    name = request.node.name
    async with opened(app) as client:
        run = await client.start(tries, name, id="w")
        await pending(run, lambda each: each.next_attempt_time)
        await run.activities(type="fails_first").reset()
        await pending(run, lambda each: each.next_attempt_time and len(attempts[name]) == 2)
        await run.activities().reset()
        assert await run.result(timeout=60) == 1
        assert attempts[name] == [1, 1, 1]


async def test_one_that_waits_for_a_worker_is_moved_to_another_queue(opened, request):
    lonely = App("lonely")

    @lonely.activity
    async def greets() -> str:
        return "hello"

    @lonely.workflow(name="Lonely")
    async def run_lonely() -> str:
        return await greets.options(task_queue="stopped")()

    async with opened(lonely) as client:
        await client.task_queues.set("stopped", concurrency=1)
        await client.task_queues.pause("stopped")
        run = await client.start("Lonely", id="w")
        await pending(run, lambda each: True)
        await run.activities(type="greets").update_options(task_queue=lonely.task_queue, start_to_close=30)
        assert await run.result(timeout=60) == "hello"


async def test_what_is_not_there_or_makes_no_sense_is_refused(opened, request):
    async with opened(app) as client:
        run = await client.start(tries, request.node.name, id="w")
        await pending(run, lambda each: each.next_attempt_time)
        with pytest.raises(NotFoundError, match="no pending activity with id 'other'"):
            await run.activities("other").pause()
        with pytest.raises(InvalidArgumentError, match="not both"):
            run.activities("a", type="b")
        with pytest.raises(InvalidArgumentError, match="No option"):
            await run.activities().update_options()
        with pytest.raises(InvalidArgumentError, match="delay"):
            await run.activities().unpause(delay=-1)
        await run.terminate()
