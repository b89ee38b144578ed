"""Histories page by page: whole, in order, and each commit read once by whoever follows."""

import asyncio
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import perdure
from perdure import App, workflow
from perdure.engine.paging import Pages
from perdure.engine.ports import StoredRun
from perdure.stores.memory import MemoryStore

app = App("paging")


class CountingStore(MemoryStore):
    """Counts the commits that are read for pages."""

    def __init__(self) -> None:
        super().__init__()
        self.commits = 0

    async def history(self, key: int, skipped: int = 0) -> StoredRun | None:
        stored = await super().history(key, skipped)
        self.commits += len(stored.commits) if stored is not None else 0
        return stored


@app.workflow
async def listens(until: int) -> int:
    for _ in range(until):
        await workflow.receive("word", int)
    return until


async def test_following_reads_only_what_is_new():
    store = CountingStore()
    async with perdure.open(app, store=store) as client:
        run = await client.start(listens, 100, id="x")

        async def follow() -> list[int]:
            return [event.id async for event in run.history(follow=True)]

        followers = [asyncio.create_task(follow()) for _ in range(2)]
        for number in range(100):
            await run.signal("word", number)
        ids = await asyncio.gather(*followers)
        resident_commits = len((await client.get("x").fetch_history()).events)
    assert ids[0] == ids[1] == list(range(1, resident_commits + 1))
    # Two followers and one whole reading; were each page read from the beginning, it would be some 10,000.
    assert store.commits < 1000


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=30))
def test_pages_of_any_sizes_give_the_whole_history(sizes):
    async def check() -> None:
        store = CountingStore()
        async with perdure.open(app, store=store, tune_interpreter=False) as client:
            run = await client.start(listens, 5, id="x")
            for number in range(5):
                await run.signal("word", number)
            await run.result()
            whole = [event.id for event in (await run.fetch_history()).events]
            pages, after, seen = Pages(store), 0, list[int]()
            for index in count():
                page = await pages.page(1, after, sizes[index % len(sizes)])
                assert page is not None
                if not page:
                    break
                assert len(page) <= sizes[index % len(sizes)]
                seen += [event.id for event in page]
                after = seen[-1]
            assert seen == whole
            # An unknown place is found as well.
            again = await Pages(store).page(1, 4, 3)
            assert again is not None and [event.id for event in again] == [5, 6, 7]

    asyncio.run(check())


async def test_a_run_that_is_not_there():
    store = MemoryStore()
    await store.open()
    assert await Pages(store).page(7, 0, 10) is None
    await store.close()


async def test_a_deleted_run_is_refused():
    async with perdure.open(app, store="memory://") as client:
        run = await client.start(listens, 0, id="x")
        await run.result()
        await run.delete()
        with pytest.raises(perdure.NotFoundError):
            await run.fetch_history()
