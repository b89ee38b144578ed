"""Runs for which there is no room in memory are read from the store each time, and are there once."""

import asyncio

import perdure
from perdure import workflow

app = perdure.App("forgotten")


@app.activity
async def echo(number: int) -> int:
    await asyncio.sleep(0)
    return number


@app.workflow
async def adds_up() -> int:
    first = await echo(1)
    second: int = await workflow.receive("more")
    return first + second + await echo(3)


async def test_messages_and_activities_meet_in_runs_that_are_forgotten_at_once(opened):
    async with opened(app, settings=perdure.Settings(resident_runs=0)) as client:

        async def one(number):
            run = await client.start(adds_up, id=f"run-{number}")
            await asyncio.gather(run.signal("more", number), run.describe(), run.explain())
            return await run.result()

        assert await asyncio.gather(*map(one, range(30))) == [number + 4 for number in range(30)]
