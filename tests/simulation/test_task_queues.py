"""Random programs on queues with random limits, under faults: no limit is ever exceeded, nothing is lost, nothing starts
twice, and in the end every place is free again."""

import asyncio
from collections import Counter
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from perdure import App, Breaker, Retry, activity, testing

app = App("simulated", task_queue="work")
BREAKER = Breaker(failures=4, window=20, cool_down=5)


class Watch:
    """What the activities do, as seen from inside them."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.env: testing.Environment | None = None
        self.attempts: Counter[str] = Counter()
        self.live: Counter[str] = Counter()
        self.starts: list[float] = []
        self.too_many: list[str] = []
        self.concurrency = 0
        self.per_key = 0

    def begins(self, key: str) -> None:
        assert self.env is not None
        info = activity.info()
        self.attempts[f"{info.idempotency_key} {info.attempt}"] += 1
        self.starts.append(self.env.elapsed.total_seconds())
        self.live[""] += 1
        self.live["key " + key] += 1
        if self.concurrency and self.live[""] > self.concurrency:
            self.too_many.append(f"{self.live['']} at once, of {self.concurrency}")
        if key and self.per_key and self.live["key " + key] > self.per_key:
            self.too_many.append(f"{self.live['key ' + key]} of {key} at once, of {self.per_key}")

    def ends(self, key: str) -> None:
        self.live[""] -= 1
        self.live["key " + key] -= 1


watch = Watch(0)


async def work(key: str, seconds: float, fails: int) -> None:
    watch.begins(key)
    try:
        await asyncio.sleep(seconds)
        if activity.info().attempt <= fails:
            raise ConnectionError("not yet")
    finally:
        watch.ends(key)


retry = Retry(initial=0.5, backoff=1.5, maximum=5)
steady = app.activity(name="steady", retry=retry)(work)
guarded = app.activity(name="guarded", retry=retry, breaker=BREAKER)(work)


@app.workflow
async def fan(plan: list[tuple[bool, dict[str, Any], str, float, int]]) -> int:
    await asyncio.gather(
        *(
            (guarded if is_guarded else steady).options(**options)(key, seconds, fails)
            for is_guarded, options, key, seconds, fails in plan
        )
    )
    return len(plan)


def random_plan(chance: Random) -> list[tuple[bool, dict[str, Any], str, float, int]]:
    plan = []
    for _ in range(chance.randint(1, 12)):
        key = chance.choice(["", "a", "b", "c"])
        options: dict[str, Any] = {"limit_key": key}
        if chance.random() < 0.5:
            options["priority"] = chance.randint(1, 5)
        if chance.random() < 0.5:
            options |= {"fairness_key": chance.choice("xyz"), "fairness_weight": chance.choice([0.5, 1, 3])}
        plan.append((chance.random() < 0.4, options, key, chance.choice([0, 0, 0.001]), chance.choice([0, 0, 0, 1, 2])))
    return plan


def random_limits(chance: Random) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    for name in ("concurrency", "concurrency_per_key", "rate", "rate_per_key"):
        if chance.random() < 0.5:
            limits[name] = chance.randint(1, 6)
    return limits | {"per": chance.choice([0.5, 2, 10]), "ageing": chance.choice([0.5, 60])}


@pytest.mark.parametrize("seed", range(1, 25))
async def test_limits_hold_and_nothing_is_lost(seed):
    global watch
    chance, watch = Random(seed), Watch(seed)
    faults = testing.Faults(seed if seed % 2 else 0, at_most=4)
    limits = random_limits(chance)
    watch.concurrency = limits.get("concurrency", 0)
    watch.per_key = limits.get("concurrency_per_key", 0)
    async with testing.environment(app, faults=faults, max_async=chance.choice([2, 5, 1000])) as env:
        watch.env = env
        await env.client.task_queues.set("work", **limits)
        plans = [random_plan(chance) for _ in range(chance.randint(1, 8))]
        runs = [await env.client.start(fan, plan, id=f"run-{number}") for number, plan in enumerate(plans)]
        if chance.random() < 0.5:
            await env.client.task_queues.pause("work", "for a while")
            await env.sleep(timedelta(seconds=30))
            before = len(watch.starts)
            await env.sleep(timedelta(seconds=30))
            assert len(watch.starts) == before, "a paused queue starts nothing"
            await env.client.task_queues.resume("work")
        assert [await run.result() for run in runs] == [len(plan) for plan in plans]
        await env.sleep(1000)
        described = await env.client.task_queues.describe("work")
    assert (described.running, dict(described.running_by_key), described.backlog) == (0, {}, 0), "every place is free"
    assert watch.too_many == []
    assert [name for name, count in watch.attempts.items() if count > 1] == [], "an attempt started twice"
    crashes = sum("crash" in happened for happened in faults.happened)
    if rate := limits.get("rate"):
        times = sorted(watch.starts)
        # What was let start before a crash may start late beside what the next engine lets start, hence the slack.
        for first, last in zip(times, times[rate * (1 + crashes) :], strict=False):
            assert last - first >= limits["per"] - 0.2
