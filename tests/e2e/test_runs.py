"""What can be done with a run: starting, ending, looking, stopping, going back."""

import asyncio
from datetime import timedelta

import pytest

import perdure
from perdure import App, Retry, workflow

from .conftest import events_of

app = App("runs")


@app.activity
async def double(number: int) -> int:
    return number * 2


@app.workflow
async def doubled(number: int) -> int:
    return await double(number)


@app.workflow
async def until_told(start: int = 0) -> str:
    return await workflow.receive("word", str)


@app.workflow
async def fails(kind: str = "Bad") -> None:
    raise perdure.ApplicationError("it went wrong", {"why": "test"}, type=kind)


@app.workflow
async def cleans_up() -> str:
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        await double(21)
        raise
    return "slept"


@app.workflow
async def counts_down(left: int, rounds: int = 0) -> int:
    if left:
        workflow.continue_as_new(left - 1, rounds + 1)
    return rounds


@app.workflow
async def third_time_lucky() -> int:
    attempt = workflow.info().attempt
    if attempt < 3:
        raise perdure.ApplicationError(f"attempt {attempt}")
    return attempt


@app.workflow
class Account:
    def __init__(self) -> None:
        self.sum = 0

    async def run(self) -> None:
        await asyncio.Event().wait()

    @workflow.update
    async def add(self, amount: int) -> int:
        self.sum += amount
        return self.sum

    @workflow.query
    def total(self) -> int:
        return self.sum


async def test_a_run_starts_and_gives_its_result(opened):
    async with opened(app) as client:
        run = await client.start(doubled, 21, id="d", memo={"for": "tests"}, search_attributes={"Team": "core"})
        assert await run.result() == 42
        details = await run.describe()
        assert details.status.name == "COMPLETED"
        assert await events_of(run) == [
            "WorkflowExecutionStarted",
            "WorkflowTaskScheduled",
            "WorkflowTaskStarted",
            "WorkflowTaskCompleted",
            "ActivityTaskScheduled",
            "ActivityTaskStarted",
            "ActivityTaskCompleted",
            "WorkflowTaskScheduled",
            "WorkflowTaskStarted",
            "WorkflowTaskCompleted",
            "WorkflowExecutionCompleted",
        ]


async def test_a_running_id_gives_the_same_run_unless_told_otherwise(opened):
    async with opened(app) as client:
        first = await client.start(until_told, id="w")
        again = await client.start(until_told, id="w")
        assert (again.run_id, again.is_new) == (first.run_id, False)
        with pytest.raises(perdure.AlreadyExistsError, match="running"):
            await client.start(until_told, id="w", id_conflict="fail")
        replaced = await client.start(until_told, id="w", id_conflict="terminate")
        assert replaced.run_id != first.run_id
        with pytest.raises(perdure.WorkflowFailedError) as caught:
            await first.result()
        assert caught.value.status is perdure.RunStatus.TERMINATED
        await replaced.signal("word", "done")
        assert await replaced.result() == "done"


async def test_a_used_id_may_be_used_again_as_the_policy_says(opened):
    async with opened(app) as client:
        first = await client.start(doubled, 1, id="u")
        await first.result()
        second = await client.start(doubled, 2, id="u")
        assert second.run_id != first.run_id and await second.result() == 4
        with pytest.raises(perdure.AlreadyExistsError):
            await client.start(doubled, 3, id="u", id_reuse="reject")
        with pytest.raises(perdure.AlreadyExistsError):
            await client.start(doubled, 3, id="u", id_reuse="allow_if_failed")
        failed = await client.start(fails, id="f")
        with pytest.raises(perdure.WorkflowFailedError):
            await failed.result()
        assert await client.execute(doubled, 3, id="f", id_reuse="allow_if_failed") == 6


async def test_a_start_sent_twice_is_one_run(opened):
    async with opened(app) as client:
        first = await client.start(doubled, 1, id="r", request_id="once")
        await first.result()
        again = await client.start(doubled, 1, id="r", request_id="once", id_reuse="reject")
        assert again.run_id == first.run_id


async def test_starts_at_the_same_time_are_one_run(opened):
    async with opened(app) as client:
        runs = await asyncio.gather(*(client.start(until_told, id="same") for _ in range(20)))
        assert len({run.run_id for run in runs}) == 1
        assert sum(run.is_new for run in runs) == 1
        await runs[0].signal("word", "all")
        assert await asyncio.gather(*(run.result() for run in runs)) == ["all"] * 20


async def test_an_application_error_fails_the_run(opened):
    async with opened(app) as client:
        run = await client.start(fails, "Unlucky")
        with pytest.raises(perdure.WorkflowFailedError) as caught:
            await run.result()
        cause = caught.value.__cause__
        assert isinstance(cause, perdure.ApplicationError)
        assert (cause.type, cause.message, cause.details) == ("Unlucky", "it went wrong", ({"why": "test"},))


async def test_a_cancelled_run_may_clean_up(opened):
    async with opened(app) as client:
        run = await client.start(cleans_up)
        await run.cancel("enough")
        with pytest.raises(perdure.WorkflowFailedError) as caught:
            await run.result()
        assert caught.value.status is perdure.RunStatus.CANCELED
        assert "ActivityTaskCompleted" in await events_of(run)


async def test_a_terminated_run_ends_at_once(opened):
    async with opened(app) as client:
        run = await client.start(cleans_up)
        await run.terminate("now")
        with pytest.raises(perdure.WorkflowFailedError, match="now"):
            await run.result()
        with pytest.raises(perdure.RunClosedError):
            await run.signal("word", "too late")


async def test_continue_as_new_goes_on_in_fresh_runs(opened):
    async with opened(app) as client:
        run = await client.start(counts_down, 5)
        assert await run.result() == 5
        assert (await run.describe()).status is perdure.RunStatus.CONTINUED_AS_NEW
        assert (await client.get(run.id).describe()).status is perdure.RunStatus.COMPLETED


async def test_a_run_retried_by_its_policy(environment):
    async with environment(app) as env:
        run = await env.client.start(third_time_lucky, retry=Retry(initial=60, max_attempts=5))
        assert await run.result() == 3
        assert env.elapsed >= timedelta(seconds=160)  # 60 s, then 100 s: the default maximum


async def test_timeouts_of_run_and_execution(environment):
    async with environment(app) as env:
        run = await env.client.start(until_told, run_timeout=timedelta(hours=1))
        with pytest.raises(perdure.WorkflowFailedError) as caught:
            await run.result()
        assert caught.value.status is perdure.RunStatus.TIMED_OUT
        assert timedelta(hours=1) <= env.elapsed < timedelta(hours=2)
        run = await env.client.start(until_told, execution_timeout=timedelta(days=1), retry=Retry())
        with pytest.raises(perdure.WorkflowFailedError):
            await run.result()


async def test_a_start_delay_waits(environment):
    async with environment(app) as env:
        assert await env.client.execute(doubled, 2, start_delay=timedelta(days=2)) == 4
        assert env.elapsed >= timedelta(days=2)


async def test_a_paused_run_waits_until_it_is_resumed(opened):
    async with opened(app) as client:
        run = await client.start(until_told)
        await run.pause("hold on")
        await run.signal("word", "go")
        assert (await run.describe()).status is perdure.RunStatus.PAUSED
        with pytest.raises(TimeoutError):
            await run.result(timeout=0.2)
        await run.resume()
        assert await run.result() == "go"


async def test_reset_takes_a_turn_again_and_keeps_later_signals(opened):
    async with opened(app) as client:
        run = await client.start(until_told, id="again")
        await run.signal("word", "kept")
        assert await run.result() == "kept"
        reset = await run.reset(3, "try again")
        assert reset.run_id != run.run_id
        assert await reset.result() == "kept"
        with pytest.raises(perdure.InvalidArgumentError):
            await run.reset(1, "before any turn")


async def test_reset_takes_later_updates_again(opened):
    async with opened(app) as client:
        run = await client.start(Account, id="account")
        assert await run.update(Account.add, 5) == 5
        assert await run.update(Account.add, 7) == 12
        await run.cancel()
        with pytest.raises(perdure.WorkflowFailedError):
            await run.result()
        reset = await run.reset(3, "the cancellation was a mistake")
        assert await reset.query(Account.total) == 12
        types = [event.type async for event in reset.history()]
        assert types.count("WorkflowExecutionUpdateCompleted") == 2
        assert "WorkflowExecutionCancelRequested" not in types
        await reset.terminate()


async def test_fork_goes_on_from_an_event_with_changed_input(opened):
    async with opened(app) as client:
        run = await client.start(doubled, 4, id="source")
        assert await run.result() == 8
        fork = await run.fork(3, id="forked", args=[10])
        assert await fork.result() == 20
        assert await run.result() == 8


async def test_delete_removes_a_run(opened):
    async with opened(app) as client:
        run = await client.start(doubled, 1, id="gone")
        await run.result()
        await run.delete()
        with pytest.raises(perdure.NotFoundError):
            await client.get("gone").describe()


async def test_history_can_be_followed_live(opened):
    async with opened(app) as client:
        run = await client.start(until_told)
        seen = []

        async def follow():
            async for event in run.history(follow=True):
                seen.append(event.type)

        following = asyncio.create_task(follow())
        await asyncio.sleep(0.05)
        await run.signal("word", "end")
        await asyncio.wait_for(following, 100)
        assert seen[-1] == "WorkflowExecutionCompleted"
        assert "WorkflowExecutionSignaled" in seen


async def test_lists_are_newest_first_and_by_status(opened):
    async with opened(app) as client:
        for number in range(5):
            await client.execute(doubled, number, id=f"n{number}")
        waiting = await client.start(until_told, id="open")
        assert [found.id async for found in client.list(status="completed")] == ["n4", "n3", "n2", "n1", "n0"]
        assert [found.id async for found in client.list(workflow_type=until_told)] == ["open"]
        await waiting.terminate()


async def test_retention_deletes_closed_runs_of_its_namespace_only(environment):
    from perdure.engine import recovery

    async with environment(app) as env:
        kept = await env.client.start(doubled, 1, id="kept")
        await kept.result()
        await env.client.set_namespace("short", retention=timedelta(hours=1))
        short = env.client.with_namespace("short")
        gone = await short.start(until_told, id="gone")
        await gone.terminate()
        await env.sleep(timedelta(hours=2))
        assert await recovery.sweep(env._embedded.service.engine) == 1
        with pytest.raises(perdure.NotFoundError):
            await gone.describe()
        assert (await kept.describe()).status is perdure.RunStatus.COMPLETED


async def test_unknown_runs_and_bad_arguments_are_refused_clearly(opened):
    async with opened(app) as client:
        with pytest.raises(perdure.NotFoundError, match="nobody"):
            await client.get("nobody").signal("word", "x")
        with pytest.raises(perdure.InvalidArgumentError):
            await client.start(doubled, object())
        with pytest.raises(perdure.InvalidArgumentError):
            await client.start(doubled, 1, id_reuse="sometimes")


async def test_a_payload_over_the_limit_is_refused(store_url):
    settings = perdure.Settings(limits=perdure.Limits(payload_bytes=1000))
    async with perdure.open(app, store=store_url, settings=settings) as client:
        with pytest.raises(perdure.LimitExceededError, match="payload_bytes"):
            await client.start(until_told, "x" * 2000)  # type: ignore[arg-type]


BIG = "x" * 600


@pytest.mark.parametrize(
    "options",
    [
        {"memo": {"a": BIG}},
        {"search_attributes": {"A": BIG}},
        {"start_signal": perdure.message("noise", BIG)},
    ],
)
async def test_all_values_of_a_start_count(opened, options):
    settings = perdure.Settings(limits=perdure.Limits(request_bytes=1000))
    async with opened(app, settings=settings) as client:
        run = await client.start("until_told", **options)
        with pytest.raises(perdure.LimitExceededError, match="limit request_bytes of 1,000"):
            await client.start("until_told", BIG, **options)
        await run.terminate()


async def test_a_history_over_the_limit_ends_the_run(store_url):
    settings = perdure.Settings(limits=perdure.Limits(history_events=50))
    async with perdure.open(app, store=store_url, settings=settings) as client:
        run = await client.start(until_told)
        with pytest.raises(perdure.RunClosedError):
            for _ in range(100):
                await run.signal("noise", "x")
        with pytest.raises(perdure.WorkflowFailedError, match="history_events"):
            await run.result()


async def test_so_many_callers_wait_at_once_and_no_more(opened, tmp_path):
    settings = perdure.Settings(limits=perdure.Limits(waiting_callers=2))
    async with opened(app, settings=settings) as client:
        run = await client.start(until_told, id="awaited")
        assert await client.execute(doubled, 4) == 8
        waiting = [asyncio.create_task(run.result()) for _ in range(2)]
        refused = "2 callers wait for runs already"

        async def follow(run):
            return [event.type async for event in run.history(follow=True)]

        # Nobody tells when the two wait. Those who come first wait instead of them, and give up.
        while True:
            for number, task in enumerate(waiting):
                if task.done():  # on a busy machine one of those may have been there first
                    assert refused in str(task.exception())
                    waiting[number] = asyncio.create_task(run.result())
            try:
                await asyncio.wait_for(run.result(), 0.05)
            except TimeoutError:
                continue
            except perdure.LimitExceededError as error:
                assert refused in str(error)
                break
        with pytest.raises(perdure.LimitExceededError, match=f"{refused}.*nothing was started"):
            await client.execute(doubled, 4, id="refused")
        with pytest.raises(perdure.LimitExceededError, match=refused):
            await follow(run)
        with pytest.raises(perdure.NotFoundError):
            await client.get("refused").describe()

        await run.signal("word", "go")
        assert await asyncio.gather(*waiting) == ["go", "go"]
        assert await client.execute(doubled, 4, id="refused") == 8
        assert await client.get("refused").result() == 8
