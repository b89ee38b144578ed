"""The workflow that tells others of a closed run, with a virtual clock: how long it tries, and when it gives up."""

from datetime import UTC, datetime, timedelta

import pytest

from perdure import ApplicationError, testing
from perdure.model.ids import Completion
from perdure.sdk.callbacks import Order, Target, callback_app

ORDER = Order("shop", "order-17", [Target("https://a.example/", "default"), Target("https://b.example/", "default")])
COMPLETION = Completion("order-17", "r1", "r1", 2, 1)


class Outside:
    """``answers`` are what the next deliveries to a URL raise."""

    def __init__(self):
        self.answers = {}
        self.told = []
        self.is_there = True
        self.looks = 0

    async def deliver(self, delivery, own_id):
        assert delivery.completion == COMPLETION
        assert own_id == "callback:shop:x"
        waiting = self.answers.get(delivery.target.url, [])
        if waiting:
            raise waiting.pop(0)
        self.told.append((delivery.target.url, delivery.message_id))

    async def is_awaited(self, order, own_id):
        self.looks += 1
        return self.is_there


@pytest.fixture
def outside():
    return Outside()


@pytest.fixture
async def env(outside):
    app = callback_app(outside.deliver, outside.is_awaited)
    async with testing.environment(app, start_time=datetime(2026, 1, 1, tzinfo=UTC)) as env:
        yield env


async def begin(env):
    return await env.client.start("perdure.callback", ORDER, id="callback:shop:x", task_queue="perdure.system")


async def test_everybody_is_told_once(env, outside):
    run = await begin(env)
    await run.signal("closed", COMPLETION)

    assert [outcome.error for outcome in await run.result()] == ["", ""]
    assert sorted(url for url, _ in outside.told) == ["https://a.example/", "https://b.example/"]
    assert len({message_id for _, message_id in outside.told}) == 2


async def test_it_is_tried_for_days(env, outside):
    outside.answers["https://a.example/"] = [ApplicationError("It answered 503.") for _ in range(12)]
    run = await begin(env)
    await run.signal("closed", COMPLETION)

    await run.result()

    assert ("https://a.example/") in {url for url, _ in outside.told}
    assert timedelta(days=1) < env.elapsed < timedelta(days=3)


async def test_at_last_it_is_given_up(env, outside):
    outside.answers["https://a.example/"] = [ApplicationError("It answered 503.") for _ in range(100)]
    outside.answers["https://b.example/"] = [ApplicationError("It answered 410.", non_retryable=True)]
    run = await begin(env)
    await run.signal("closed", COMPLETION)

    errors = [outcome.error for outcome in await run.result()]

    assert errors == ["It answered 503.", "It answered 410."]
    assert timedelta(days=2.5) < env.elapsed < timedelta(days=3.5)


async def test_it_waits_as_long_as_the_run_is_there(env, outside):
    run = await begin(env)
    await env.sleep(timedelta(days=10))
    await run.signal("closed", COMPLETION)

    assert len(await run.result()) == 2
    assert outside.looks == 10


async def test_it_ends_if_the_run_was_never_started(env, outside):
    outside.is_there = False
    run = await begin(env)

    assert await run.result() == []
    assert env.elapsed < timedelta(minutes=3)
