"""Thousands of timers due at one instant: what they start is recorded first, and goes on afterwards."""

import asyncio
from datetime import UTC, datetime, timedelta

from perdure import App, Calendar, Client
from perdure.app import Embedded
from perdure.engine.clock import SystemClock
from perdure.engine.settings import Settings
from perdure.engine.timers import AHEAD, SLICE
from perdure.stores.memory import MemoryStore

COUNT = 6 * AHEAD * SLICE

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
        self._keys: set[int] = set()

    def write(self, batch, done):
        for write in batch:
            if write.created is not None and write.created.workflow_type == self.workflow_type:
                self._keys.add(write.key)
            if write.key in self._keys:
                self.noted.append((write.key, write.number))
        super().write(batch, done)


def opened(store: MemoryStore, resident_runs: int = 2000) -> Embedded:
    settings = Settings(resident_runs=resident_runs)
    return Embedded([app], store, SystemClock(asyncio.get_running_loop()), settings=settings)


async def schedule_all(client: Client) -> None:
    """All for the same second, which is near."""
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    when = Calendar(
        year=due.year, month=due.month, day_of_month=due.day, hour=due.hour, minute=due.minute, second=due.second
    )
    for number in range(COUNT):
        await client.schedules.create(f"s-{number}", body, number, calendar=when)


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
    embedded = opened(store, resident_runs=64)
    await embedded.open()
    try:
        await schedule_all(embedded.client)
        await until_started(embedded.client, COUNT)
        assert await results(embedded.client) == list(range(COUNT))
    finally:
        await embedded.close()
    started = [number for _, number in store.noted].index(2)
    assert started >= COUNT - 1, "only the last one, behind which nobody stands, may go on at once"
    assert [number for _, number in store.noted[:started]] == [1] * started
    second = [key for key, number in store.noted if number == 2]
    first = [key for key, number in store.noted if number == 1]
    assert [key for key in second if key != first[-1]] == first[:-1], "they go on in the order in which they started"


async def test_what_is_started_and_has_not_gone_on_goes_on_after_a_restart():
    store = Noting("body")
    embedded = opened(store)
    await embedded.open()
    await schedule_all(embedded.client)
    await until_started(embedded.client, 1)
    await embedded.close()
    assert len(store.noted) < 2 * COUNT
    embedded = opened(store)
    await embedded.open()
    try:
        await until_started(embedded.client, COUNT)
        assert await results(embedded.client) == list(range(COUNT))
    finally:
        await embedded.close()


async def test_runs_of_others_wait_for_neither():
    """Nor do the children that they start."""
    store = Noting("starter")
    embedded = opened(store)
    await embedded.open()
    try:
        await schedule_all(embedded.client)
        await until_started(embedded.client, 1)
        assert await embedded.client.execute(starter, 7) == 707
        assert await embedded.client.count("ScheduledById IS NOT NULL AND CloseTime IS NULL") > 0
        await until_started(embedded.client, COUNT)
        assert await results(embedded.client) == list(range(COUNT))
    finally:
        await embedded.close()
