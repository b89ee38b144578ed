"""Thousands of timers due at one instant: what they start is recorded first, and goes on afterwards."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from perdure import App, Calendar, Client
from perdure.app import Embedded
from perdure.engine.settings import Settings
from perdure.engine.timers import AHEAD, SLICE
from perdure.stores.memory import MemoryStore
from perdure.testing.clock import VirtualClock

COUNT = 20 * AHEAD * SLICE
START = 1_800_000_000_000_000_000  # on the hour

app = App("rush")


@app.activity
async def step(number: int) -> int:
    return number


@app.workflow
async def body(number: int) -> int:
    return await step(number)


@app.workflow
async def starter(number: int) -> int:
    return number + await body(100 * number)


class Noting(MemoryStore):
    """Notes what becomes of the runs of a workflow: each one's key with the number of its commit, in order."""

    def __init__(self, workflow_type: str) -> None:
        super().__init__()
        self.workflow_type = workflow_type
        self.noted: list[tuple[int, int]] = []
        self.read_keys: list[int] = []
        self._keys: set[int] = set()

    def write(self, batch, done):
        for write in batch:
            if write.created is not None and write.created.workflow_type == self.workflow_type:
                self._keys.add(write.key)
            if write.key in self._keys:
                self.noted.append((write.key, write.number))
        super().write(batch, done)

    def read(self, key, then):
        self.read_keys.append(key)
        super().read(key, then)

    def read_many(self, keys, then):
        self.read_keys += keys
        super().read_many(keys, then)


@asynccontextmanager
async def opened(store: MemoryStore, resident_runs: int = 2000) -> AsyncIterator[tuple[Client, VirtualClock]]:
    clock = VirtualClock(START)
    embedded = Embedded([app], store, clock, settings=Settings(resident_runs=resident_runs))
    await embedded.open()

    async def tick() -> None:
        while True:
            clock.advance_to(clock.now_ns())
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    try:
        yield embedded.client, clock
    finally:
        ticking.cancel()
        await embedded.close()


async def schedule_all(client: Client, clock: VirtualClock) -> None:
    """All for the same second of every hour; and it is that second."""
    for number in range(COUNT):
        await client.schedules.create(f"s-{number}", body, number, calendar=Calendar(hour="*", minute=1))
    clock.advance_to(START + 60_000_000_000)


async def until_started(client: Client, count: int) -> None:
    async with asyncio.timeout(100):
        while "ScheduledById" not in await client.search_attributes() or (
            await client.count("ScheduledById IS NOT NULL") < count
        ):
            await asyncio.sleep(0.001)


async def results(client: Client) -> list[int]:
    runs = [run async for run in client.list("ScheduledById IS NOT NULL")]
    return sorted([await client.get(run.id, result_type=int).result() for run in runs])


async def test_all_runs_are_started_before_the_first_of_them_goes_on():
    store = Noting("body")
    async with opened(store, resident_runs=64) as (client, clock):
        await schedule_all(client, clock)
        await until_started(client, COUNT)
        assert await results(client) == list(range(COUNT))
    started = [number for _, number in store.noted].index(2)
    assert started >= COUNT - 1, "only the last one, behind which nobody stands, may go on at once"
    assert [number for _, number in store.noted[:started]] == [1] * started
    second = [key for key, number in store.noted if number == 2]
    first = [key for key, number in store.noted if number == 1]
    assert [key for key in second if key != first[-1]] == first[:-1], "they go on in the order in which they started"


async def test_what_is_started_and_has_not_gone_on_goes_on_after_a_restart():
    store = Noting("body")
    async with opened(store) as (client, clock):
        await schedule_all(client, clock)
        await until_started(client, 1)
    assert len(store.noted) < 2 * COUNT
    async with opened(store) as (client, clock):
        clock.advance_to(START + 60_000_000_000)
        await until_started(client, COUNT)
        assert await results(client) == list(range(COUNT))


async def test_runs_of_others_wait_for_neither():
    """Nor do the children that they start."""
    store = Noting("body")
    async with opened(store) as (client, clock):
        await schedule_all(client, clock)
        assert await client.execute(starter, 7) == 707
        # Each run that a schedule starts is written when it is started, and again when it has ended.
        assert len(store.noted) < 2 * COUNT
        await until_started(client, COUNT)
        assert await results(client) == list(range(COUNT))


async def test_runs_that_are_started_do_not_push_out_of_memory_what_starts_the_next():
    store = Noting("perdure.schedule")
    async with opened(store, resident_runs=COUNT + COUNT // 2) as (client, clock):
        await schedule_all(client, clock)
        await until_started(client, COUNT)
        assert await results(client) == list(range(COUNT))
    schedules = {key for key, _ in store.noted}
    assert len(schedules.intersection(store.read_keys)) < COUNT // 2
