"""Activities that no workflow asked for: retries, ids, cancellation, timeouts, and a crash in the middle."""

import pytest

import perdure
from perdure import App, Retry, activity

app = App("standalone", task_queue="goods")
tries: list[int] = []


@app.activity(retry=Retry(initial=10, max_attempts=5))
async def flaky(failures: int) -> int:
    attempt = activity.info().attempt
    if attempt <= failures:
        raise ConnectionError(f"attempt {attempt}")
    return attempt


@app.activity(retry=Retry(max_attempts=1))
async def refuse(text: str) -> None:
    raise perdure.ApplicationError(text, type="Refused")


@app.activity(start_to_close=1, retry=Retry(max_attempts=1))
async def late() -> None:
    activity.raise_complete_later()


async def test_it_is_tried_again_and_its_id_says_which_it_is(environment):
    async with environment(app) as env:
        client = env.client
        run = await client.start_activity(flaky, 2, id="one", search_attributes={"Goods": "tea"})
        again = await client.start_activity(flaky, 2, id="one")
        assert (run.is_new, again.is_new, again.run_id) == (True, False, run.run_id)
        assert await run.result() == 3
        assert await client.execute_activity("flaky", 0, id="two", task_queue="goods", result_type=int) == 1
        with pytest.raises(perdure.AlreadyExistsError):
            await client.start_activity(flaky, 0, id="two", id_reuse="reject")
        assert await client.execute_activity(flaky.options(retry=Retry(max_attempts=2)), 1, start_delay=60) == 2
        found = [one async for one in client.list("ActivityTaskQueue = 'goods' AND Goods = 'tea'")]
        assert [(one.id, str(one.status)) for one in found] == [("perdure.activity:one", "completed")]
        with pytest.raises(TypeError, match="no option run_timeout"):
            await client.start_activity(flaky, 0, run_timeout=1)


async def test_how_it_fails(environment):
    async with environment(app) as env:
        client = env.client
        with pytest.raises(perdure.WorkflowFailedError) as failed:
            await client.execute_activity(refuse, "no", id="r")
        assert failed.value.status is perdure.RunStatus.FAILED
        assert isinstance(failed.value.__cause__, perdure.ApplicationError)
        with pytest.raises(perdure.WorkflowFailedError) as failed:
            await client.execute_activity(late, id="l")
        assert failed.value.status is perdure.RunStatus.TIMED_OUT
        waiting = await client.start_activity("any", id="w", task_queue="nobody", start_delay=3600)
        idle = await client.start_activity("any", id="i", task_queue="nobody")
        for run in (waiting, idle):
            await run.cancel()
            with pytest.raises(perdure.WorkflowFailedError) as failed:
                await run.result()
            assert failed.value.status is perdure.RunStatus.CANCELED


async def test_a_run_without_an_order_fails_and_says_why(environment):
    async with environment(app) as env:
        run = await env.client.start("anything", task_queue="perdure.activity")
        with pytest.raises(perdure.WorkflowFailedError, match="does not say how the activity is to be scheduled"):
            await run.result()


async def test_it_goes_on_after_a_crash(tmp_path):
    url = f"sqlite:///{tmp_path / 'work.db'}"
    async with perdure.open(store=url) as client:
        await client.start_activity(flaky, 0, id="c")
    async with perdure.open(app, store=url) as client:
        assert await client.get("perdure.activity:c", result_type=int).result() == 1
