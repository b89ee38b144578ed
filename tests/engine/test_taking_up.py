"""A store that can't be read for a moment, while it is taken up: what waits in it goes on all the same."""

import asyncio
from collections import Counter

import pytest

import perdure
from perdure import App, workflow
from perdure.model.errors import StoreError
from perdure.stores.memory.disk import Disk
from perdure.stores.memory.store import MemoryStore

SOON = perdure.Settings(store_retry_ns=10_000_000, timer_horizon_ns=50_000_000)
app = App("taking up")


class UnsureStore(MemoryStore):
    """Fails the first times that it is asked what waits."""

    def __init__(self, disk: Disk) -> None:
        super().__init__(disk)
        self.asked: Counter[str] = Counter()

    def _fail_first(self, what: str) -> None:
        self.asked[what] += 1
        if self.asked[what] <= 2:
            raise StoreError("the disk has no mood")

    def read(self, key, then):
        try:
            self._fail_first("runs")
        except StoreError as error:
            then(error)
        else:
            super().read(key, then)

    async def tasks(self, *args):
        self._fail_first("tasks")
        return await super().tasks(*args)

    async def messages(self, *args):
        self._fail_first("messages")
        return await super().messages(*args)

    async def timers(self, *args):
        self._fail_first("timers")
        return await super().timers(*args)


@app.workflow
async def waits(number: int) -> int:
    await workflow.sleep(0.3)
    return await double(number)


@app.activity(start_to_close=60)
async def double(number: int) -> int:
    return 2 * number


@pytest.fixture
def disk():
    return Disk()


async def test_timers_ring(disk, caplog):
    async with perdure.open(app, store=UnsureStore(disk), settings=SOON) as client:
        assert await asyncio.wait_for(client.execute(waits, 7), 100) == 14
    assert "The store could not say what waits in it; trying again: the disk has no mood" in caplog.text


async def test_runs_of_the_last_owner_go_on(disk, caplog):
    async with perdure.open(store=MemoryStore(disk)) as client:
        await client.start("waits", 7, id="x", task_queue=app.task_queue)
    store = UnsureStore(disk)
    async with perdure.open(app, store=store, settings=SOON) as client:
        async with asyncio.timeout(100):
            while store.asked["runs"] < 3 or store.asked["messages"] < 3:
                await asyncio.sleep(0.005)
            assert await client.get("x").result() == 14
    assert "A run could not be taken up now; trying again: the disk has no mood" in caplog.text
