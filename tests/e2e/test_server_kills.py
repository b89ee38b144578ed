"""Servers and workers are killed with SIGKILL: nothing is lost, and nothing recorded is done twice."""

import asyncio
import random
import signal

import pytest
from tests.e2e.serving import app
from tests.e2e.town import Town

import perdure

pytestmark = pytest.mark.slow


by_each_carrier = pytest.mark.parametrize("town", ["http", "grpc"], indirect=True)


@pytest.fixture
async def town(request, tmp_path):
    town = Town(tmp_path, getattr(request, "param", "http"))
    # Who says nothing for three seconds is gone, rather than for a minute.
    town.variables["SERVING_TICK"] = "0.5"
    await town.start_server()
    yield town
    town.close()


async def test_a_server_that_was_killed_takes_running_activities_back(town):
    await town.start_worker()
    async with await perdure.connect(town.url, app) as client:
        run = await client.start("careful", "ship", 1.5, id="a", result_type=str)
        await town.until("begin ship")
        town.kill(town.server)
        await town.start_server()
        assert await asyncio.wait_for(run.result(), 100) == "ship by attempt 1"
    assert town.done() == {"begin ship": 1, "end ship": 1}


@by_each_carrier
async def test_what_ended_while_the_server_was_away_is_handed_in(town):
    await town.start_worker()
    async with await perdure.connect(town.url, app) as client:
        run = await client.start("careful", "ship", 0.3, id="a", result_type=str)
        await town.until("begin ship")
        town.kill(town.server)
        await town.until("end ship")
        await town.start_server()
        assert await asyncio.wait_for(run.result(), 100) == "ship by attempt 1"
    assert town.done() == {"begin ship": 1, "end ship": 1}


async def test_work_of_a_worker_that_was_killed_goes_on_elsewhere(town):
    first = await town.start_worker()
    async with await perdure.connect(town.url, app) as client:
        retried = await client.start("stubborn", "pack", 60.0, id="a", result_type=str)
        single = await client.start("careful", "pay", 60.0, id="b", result_type=str)
        await town.until("begin pack")
        await town.until("begin pay")
        town.kill(first)
        await town.start_worker()
        with pytest.raises(perdure.WorkflowFailedError) as failed:
            await asyncio.wait_for(single.result(), 100)
        assert isinstance(failed.value.__cause__, perdure.ActivityError)
        while town.done()["begin pack"] < 2:
            await asyncio.sleep(0.02)
        await retried.terminate("seen enough")
    assert town.done()["begin pay"] == 1


async def test_what_nobody_has_any_more_goes_on_when_server_and_worker_were_killed(town):
    worker = await town.start_worker()
    async with await perdure.connect(town.url, app) as client:
        run = await client.start("stubborn", "pack", 1.0, id="a", result_type=str)
        await town.until("begin pack")
        town.kill(town.server)
        town.kill(worker)
        await town.start_server()
        await town.start_worker()
        assert await asyncio.wait_for(run.result(), 100) == "pack by attempt 2"
    assert town.done() == {"begin pack": 2, "end pack": 1}


async def test_a_worker_that_is_frozen_loses_its_work_to_another_and_changes_nothing_when_it_wakes(town):
    frozen = await town.start_worker()
    async with await perdure.connect(town.url, app) as client:
        run = await client.start("stubborn", "pack", 1.5, id="a", result_type=str)
        await town.until("begin pack")
        frozen.send_signal(signal.SIGSTOP)
        await town.start_worker()
        assert await asyncio.wait_for(run.result(), 100) == "pack by attempt 2"
        frozen.send_signal(signal.SIGCONT)
        while town.done()["end pack"] < 2:
            await asyncio.sleep(0.02)
        while len(await client.service.workers("default")) < 2:
            await asyncio.sleep(0.02)
        assert [event.type async for event in run.history()].count("ActivityTaskCompleted") == 1
        assert await run.result() == "pack by attempt 2"


@by_each_carrier
async def test_both_die_again_and_again_under_load(town):
    """Each step of each run is recorded once, whoever dies when."""
    workers = [await town.start_worker(), await town.start_worker()]
    draw = random.Random(7)
    async with await perdure.connect(town.url, app) as client:
        runs = [await client.start("steps", 20, id=f"run-{number}", result_type=int) for number in range(20)]
        results = asyncio.gather(*(run.result() for run in runs))
        for _ in range(6):
            await asyncio.sleep(draw.uniform(0.1, 0.6))
            if draw.random() < 0.5:
                town.kill(town.server)
                await town.start_server()
            else:
                town.kill(workers.pop(0))
                workers.append(await town.start_worker())
        assert await asyncio.wait_for(results, 100) == [190] * 20
        for run in runs:
            completed = [e.id async for e in run.history() if e.type == "ActivityTaskCompleted"]
            assert len(completed) == 20
    done = town.done()
    assert all(done[f"end run-{run}.{step}"] >= 1 for run in range(20) for step in range(20))
