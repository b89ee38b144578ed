"""Everything at once under many faults: children, maps, timers, heartbeats, updates, cancellation, continue-as-new."""

import asyncio
import hashlib
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import perdure
from perdure import App, activity, testing, workflow

ROOT = Path(__file__).parents[2]

app = App("everything")


@app.activity(start_to_close=timedelta(seconds=20), heartbeat=timedelta(seconds=5))
async def step(number: int) -> int:
    for done in range(3):
        await asyncio.sleep(1)
        activity.heartbeat(done)
    return number


@app.activity
def add_one(number: int) -> int:
    return number + 1


@app.workflow
async def part(number: int) -> int:
    number = await step(number)
    await workflow.sleep(number)
    return await add_one(number)


@app.workflow
class Whole:
    def __init__(self) -> None:
        self.got: list[int] = []
        self.is_over = False

    async def run(self, parts: int, before: int = 0) -> tuple[int, int]:
        total = before
        async for number in workflow.map(part, range(parts), concurrency=3):
            total += number
        if not before:
            workflow.continue_as_new(parts, total)
        await workflow.wait_condition(lambda: self.is_over and workflow.all_handlers_finished())
        return total, len(self.got)

    @workflow.signal
    async def put(self, number: int) -> None:
        self.got.append(await add_one(number))

    @workflow.update
    async def add(self, number: int) -> int:
        self.got.append(await step(number))
        return len(self.got)

    @workflow.signal
    def end(self) -> None:
        self.is_over = True


@app.workflow
async def hunt() -> str:
    victim = await workflow.start_child(part, 1_000_000, id="victim")
    await workflow.sleep(5)
    await victim.cancel()
    try:
        await victim
    except perdure.ChildWorkflowError as error:
        return type(error.cause).__name__
    return "it got away"


async def everything(faults: testing.Faults) -> None:
    async with testing.environment(app, faults=faults) as env:
        client = env.client
        whole = await client.start(Whole, 4, id="whole")
        hunting = asyncio.create_task(client.execute(hunt, id="hunt"))
        await env.sleep(timedelta(hours=6))
        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(whole.signal(Whole.put, number))
            answers = [group.create_task(whole.update(Whole.add, number)) for number in range(3)]
        assert len({answer.result() for answer in answers}) == 3
        await whole.signal(Whole.end)
        assert await whole.result() == (20, 7)
        assert await hunting == "CancelledError"
        runs = [run async for run in client.list()]
        assert sorted(run.type for run in runs) == ["Whole"] * 2 + ["hunt"] + ["part"] * 9
        for run in runs:
            assert run.status.is_closed
            perdure.replay(app, await client.get(run.id, run.run_id).fetch_history())


@testing.seeds(60, at_most=20)
async def test_everything_at_once(faults):
    await everything(faults)


def digest_of_seeds() -> str:
    """What happened under some seeds."""
    stories = []

    async def told(faults: testing.Faults) -> None:
        await everything(faults)
        stories.append((faults.seed, faults.happened))

    testing.check(told, seeds=15, at_most=20)
    return hashlib.sha256(repr(stories).encode()).hexdigest()


def test_a_seed_gives_the_same_run_in_another_process():
    here = digest_of_seeds()
    code = "from tests.testing.test_whole_engine import digest_of_seeds; print(digest_of_seeds())"
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=ROOT)
        assert done.stdout.split() == [here], done.stderr
