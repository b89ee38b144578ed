"""Task queues: limits, pauses, priority, fairness; and circuit breakers."""

import asyncio
from typing import Any

import pytest

from perdure import App, Breaker, Retry, testing

app = App("queues", task_queue="work")


class Service:
    """What the activities call. ``calls`` are the order in which they came, ``peak`` how many there were at once."""

    def __init__(self) -> None:
        self.is_down = False
        self.calls: list[Any] = []
        self.live: list[Any] = []
        self.peak = 0
        self.gate = asyncio.Event()
        self.gate.set()


service = Service()


@pytest.fixture(autouse=True)
async def fresh_service():
    global service
    service = Service()


@app.activity
async def call(what: Any) -> Any:
    service.calls.append(what)
    service.live.append(what)
    service.peak = max(service.peak, len(service.live))
    try:
        await service.gate.wait()
        await asyncio.sleep(0)
    finally:
        service.live.remove(what)
    return what


@app.activity(
    retry=Retry(initial=1, backoff=1, non_retryable=("ValueError",)),
    breaker=Breaker(failures=3, window=60, cool_down=30),
)
async def pay(amount: int) -> int:
    service.calls.append(amount)
    if amount < 0:
        raise ValueError("a payment must be above zero")
    if service.is_down:
        raise ConnectionError("the service is down")
    return amount


@app.workflow
async def payment(amount: int) -> int:
    return await pay(amount)


@app.workflow
async def calls(options: list[dict[str, Any]]) -> list[Any]:
    return list(await asyncio.gather(*(call.options(**each)(number) for number, each in enumerate(options))))


async def test_a_queue_runs_no_more_at_once_than_it_may(opened):
    async with opened(app) as client:
        await client.task_queues.set("work", concurrency=3)
        assert await client.execute(calls, [{}] * 50) == list(range(50))
        assert service.peak == 3
        assert service.calls == list(range(50))
        described = await client.task_queues.describe("work")
        assert (described.running, described.backlog, described.settings.concurrency) == (0, 0, 3)


async def test_an_open_breaker_lets_attempts_wait_and_burns_none(opened):
    service.is_down = True
    async with testing.environment(app) as env:
        runs = [await env.client.start(payment, amount) for amount in range(5)]
        await env.sleep(29)
        assert len(service.calls) == 3
        described = await env.client.task_queues.describe("work")
        assert described.holds == {"breaker_open": 5}
        assert [breaker.state for breaker in described.breakers] == ["open"]
        service.is_down = False
        await env.sleep(3)
        assert [await run.result() for run in runs] == [0, 1, 2, 3, 4]
        assert len(service.calls) == 8
