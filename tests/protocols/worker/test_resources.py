"""Slots by what the machine has left."""

import asyncio

import pytest
from tests.protocols.worker.conftest import app, one

import perdure
from perdure.protocols.worker import resources
from perdure.protocols.worker.resources import LEAST, ResourceLimits, Usage, keep_within, machine, next_share


def test_slots_are_halved_above_a_limit_and_grow_back_below_it():
    share, seen = 1.0, []
    for is_exceeded in [True, True, True, *[False] * 9]:
        share = next_share(share, is_exceeded)
        seen.append(round(share, 3))
    assert seen[:3] == [0.5, 0.25, 0.125]
    assert seen[-1] == 1.0
    for _ in range(100):
        share = next_share(share, True)
    assert share == LEAST


@pytest.mark.parametrize(
    ("limits", "usage", "is_exceeded"),
    [
        (ResourceLimits(cpu=0.8), Usage(0.9, 0.1), True),
        (ResourceLimits(cpu=0.8), Usage(0.7, 0.99), False),
        (ResourceLimits(memory=0.8), Usage(1.0, 0.7), False),
        (ResourceLimits(memory=0.8), Usage(0.0, 0.81), True),
        (ResourceLimits(), Usage(1.0, 1.0), False),
    ],
)
def test_each_limit_counts_for_itself(limits, usage, is_exceeded):
    assert limits.exceeded(usage) is is_exceeded


def test_what_the_machine_says_is_a_share():
    found = machine()
    assert 0 <= found.cpu <= 1 and 0 < found.memory < 1


@pytest.mark.parametrize("options", [{"max_cpu": 0}, {"max_cpu": 80}, {"max_memory": -0.1}])
async def test_limits_that_make_no_sense(client, options):
    with pytest.raises(perdure.InvalidArgumentError, match="must be a share"):
        perdure.Worker(client, app, **options)


async def test_a_worker_on_a_machine_that_is_full_offers_one_slot_and_all_again(client, monkeypatch):
    full = [True]
    monkeypatch.setattr(resources, "EVERY_SECONDS", 0.001)
    monkeypatch.setattr(resources, "machine", lambda: Usage(1.0 if full[0] else 0.0, 0.5))
    async with perdure.Worker(client, app, task_queues=["default", "raw"], max_async=50, max_cpu=0.9):

        async def slots():
            (worker,) = await client.service.workers("default")
            return worker.activity_slots

        while await slots() != 1:
            await asyncio.sleep(0.01)
        assert await client.execute(one, 1, id="goes on") == 2
        full[0] = False
        while await slots() != 50:
            await asyncio.sleep(0.01)


async def test_nothing_is_said_while_nothing_changes(monkeypatch):
    monkeypatch.setattr(resources, "EVERY_SECONDS", 0.001)
    told: list[float] = []
    asked = asyncio.Event()

    def usage():
        asked.set()
        return Usage(0.1, 0.1)

    keeping = asyncio.create_task(keep_within(ResourceLimits(cpu=0.5), told.append, usage))
    await asked.wait()
    await asyncio.sleep(0.05)
    keeping.cancel()
    assert told == []
