"""What goes wrong on demand, and what a workflow makes of it, on every store."""

import asyncio
from datetime import timedelta

import pytest
from tests.soaking import often

import perdure
from perdure import App, Retry, activity, testing, workflow
from perdure.testing.seeds import Selection

app = App("shop")


@pytest.fixture(autouse=True, params=["memory://", "sqlite://"])
def every_store(request, monkeypatch):
    """As ``--perdure-store`` does."""
    monkeypatch.setattr(Selection, "store", request.param)


def causes_of(error: BaseException | None) -> str:
    """An error and its causes, in words."""
    return "" if error is None else f"{error}; {causes_of(error.__cause__)}"


class Shop:
    """Stands for the world: what really happened."""

    def __init__(self) -> None:
        self.charges: list[str] = []
        self.shipped: list[str] = []

    async def charge(self, order: str) -> str:
        self.charges.append(activity.info().idempotency_key)
        await asyncio.sleep(0.1)
        return f"paid for {order}"

    def ship(self, order: str) -> None:
        self.shipped.append(order)

    @property
    def mocks(self):
        return {charge: self.charge, ship: self.ship}


@app.activity(start_to_close=timedelta(seconds=30))
async def charge(order: str) -> str:
    raise NotImplementedError


@app.activity
def ship(order: str) -> None:
    raise NotImplementedError


@app.activity(retry=Retry(max_attempts=1))
async def once(shop: str) -> str:
    return shop


@app.activity(executor="process")
def count(words: list[str]) -> int:
    return len(words)


@app.workflow
async def order(id: str) -> str:
    receipt = await charge(id)
    await workflow.sleep(timedelta(days=3))
    await ship(id)
    return receipt


@app.workflow
async def only_once() -> str:
    return await once("x")


@app.workflow
async def counted(words: list[str]) -> int:
    return await count(words)


@app.workflow
class Talk:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.is_over = False

    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self.is_over)
        return self.said

    @workflow.signal
    def say(self, word: str) -> None:
        self.said.append(word)

    @workflow.update
    def count(self, word: str) -> int:
        self.said.append(word)
        return len(self.said)

    @workflow.signal
    def end(self) -> None:
        self.is_over = True

    @workflow.query
    def words(self) -> int:
        return len(self.said)


async def fulfil(faults: testing.Faults) -> tuple[Shop, timedelta]:
    shop = Shop()
    async with testing.environment(app, mocks=shop.mocks, faults=faults) as env:
        assert await env.client.execute(order, "1", id="order-1") == "paid for 1"
        return shop, env.elapsed


@pytest.mark.parametrize("commit", range(1, 5))
@pytest.mark.parametrize("seed", range(4))
async def test_a_crash_at_any_commit_loses_nothing(commit, seed):
    faults = testing.Faults(seed, crash_at_commit=[commit])
    shop, elapsed = await fulfil(faults)
    assert len(set(shop.charges)) == 1
    assert shop.shipped
    assert elapsed >= timedelta(days=3)
    assert faults.happened[0].startswith(f"the engine crashed at commit {commit}, ")


async def test_an_engine_may_crash_at_every_commit():
    faults = testing.Faults(5, crash_at_commit=range(1, 40, 2))
    await fulfil(faults)
    assert len(faults.happened) > 3


@pytest.mark.parametrize("seed", range(6))
async def test_a_lost_worker_means_another_attempt(seed):
    faults = testing.Faults(seed, lose_worker=[1])
    shop, _ = await fulfil(faults)
    is_before = "before it did anything" in faults.happened[0]
    assert len(shop.charges) == (1 if is_before else 2)
    assert len(set(shop.charges)) == 1, "both attempts have the same key"


async def test_an_attempt_allowed_only_once_is_not_made_again():
    async with testing.environment(app, faults=testing.Faults(lose_worker=[1])) as env:
        with pytest.raises(perdure.WorkflowFailedError) as caught:
            await env.client.execute(only_once)
    assert "the worker that ran this attempt was lost" in causes_of(caught.value)


async def test_a_late_end_comes_late():
    shop, elapsed = await fulfil(testing.Faults(delay_completion={1: timedelta(seconds=20)}))
    assert len(shop.charges) == 1
    assert elapsed >= timedelta(days=3, seconds=20)


async def test_an_end_that_comes_after_the_timeout_is_too_late():
    shop, _ = await fulfil(testing.Faults(delay_completion={1: 31}))
    assert len(shop.charges) == 2


async def test_a_doubled_end_counts_once():
    shop, _ = await fulfil(testing.Faults(double_completion=[1, 2]))
    assert (len(shop.charges), shop.shipped) == (1, ["1"])


async def test_a_process_activity_runs_here():
    async with testing.environment(app, faults=testing.Faults(3)) as env:
        assert await env.client.execute(counted, ["a", "b"]) == 2


@testing.seeds(often(60))
async def test_messages_arrive_once_whatever_happens(faults):
    async with testing.environment(app, faults=faults) as env:
        talk = await env.client.start(Talk, id="talk")
        assert talk.is_new
        await talk.signal(Talk.say, "a")
        assert await talk.update(Talk.count, "b") == 2
        assert await talk.query(Talk.words) == 2
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(talk.signal(Talk.say, "c"))
        await talk.signal(Talk.end)
        assert await talk.result() == ["a", "b", *"ccccc"]
        assert [run.status.name async for run in env.client.list()] == ["COMPLETED"]


async def test_a_run_that_is_terminated_while_the_engine_crashes_is_terminated():
    async with testing.environment(app, faults=testing.Faults(1, crash_at_commit=[2, 3])) as env:
        talk = await env.client.start(Talk, id="talk")
        await talk.terminate("enough")
        with pytest.raises(perdure.WorkflowFailedError) as caught:
            await talk.result()
    assert caught.value.status is perdure.RunStatus.TERMINATED


TOKENS: list[str] = []


@app.activity(start_to_close=timedelta(days=7))
async def ask_somebody() -> str:
    TOKENS.append(activity.info().task_token)
    activity.raise_complete_later()


@app.workflow
async def asks() -> str:
    return await ask_somebody()


@pytest.mark.parametrize("commit", range(3, 7))
async def test_an_attempt_left_to_somebody_outside_survives_a_crash(commit):
    TOKENS.clear()
    faults = testing.Faults(4, crash_at_commit=[commit])
    async with testing.environment(app, faults=faults) as env:
        run = await env.client.start(asks)
        await env.sleep(1)
        talk = await env.client.start(Talk)
        for word in "abc":
            await talk.signal(Talk.say, word)
        assert faults.happened
        assert len(TOKENS) == 1
        assert "attempt 1 was left to somebody outside" in str(await run.explain())
        await env.client.heartbeat_activity(TOKENS[0], "half-way")
        await env.client.complete_activity(TOKENS[0], "yes")
        assert await run.result() == "yes"
        await talk.terminate()


async def test_an_attempt_left_to_somebody_outside_still_times_out_after_a_crash():
    TOKENS.clear()
    faults = testing.Faults(4, crash_at_commit=[3])
    async with testing.environment(app, faults=faults) as env:
        run = await env.client.start(asks)
        await env.sleep(1)
        await env.client.execute(counted, ["a"])
        assert faults.happened
        await env.sleep(timedelta(days=7))
        await env.sleep(2)
        assert len(TOKENS) == 2
        await env.client.complete_activity(TOKENS[1], "yes")
        assert await run.result() == "yes"


async def test_with_faults_time_begins_at_the_same_moment_and_run_ids_are_the_same():
    ids = []
    for _ in range(2):
        async with testing.environment(app, faults=testing.Faults(9)) as env:
            assert env.now.isoformat() == "2030-01-01T00:00:00+00:00"
            ids.append((await env.client.start(Talk)).run_id)
    assert ids[0] == ids[1]


@pytest.mark.parametrize("wrong", [{"crash_at_commit": [0]}, {"lose_worker": ["1"]}, {"delay_completion": {1: -1}}])
def test_faults_that_make_no_sense_are_refused(wrong):
    with pytest.raises(perdure.InvalidArgumentError, match=next(iter(wrong))):
        testing.Faults(1, **wrong)
