"""A disk that is full for a while: callers are told, nothing is lost, and all goes on once there is room."""

import asyncio
import collections
import itertools
from contextlib import closing

import pytest

import perdure
from perdure import App, workflow
from perdure.app import open_reader
from perdure.model.options import MILLISECOND_NS
from perdure.stores.sqlite.connections import connect_writer

app = App("full-disk")
ran: collections.Counter[str] = collections.Counter()


@app.activity
async def produce(run: int, number: int) -> str:
    ran[f"{run}-{number}"] += 1
    return "x" * 20_000


@app.workflow
async def produces(run: int) -> int:
    total = 0
    for number in range(20):
        total += len(await produce(run, number))
        await asyncio.sleep(0.005)
    return total + await workflow.receive("extra", int)


async def test_runs_go_on_when_there_is_room_again(tmp_path, monkeypatch):
    connections = []

    def connect(path):
        connections.append(connect_writer(path))
        return connections[0]

    monkeypatch.setattr("perdure.stores.sqlite.writer.connect_writer", connect)
    ran.clear()
    path = tmp_path / "work.db"
    settings = perdure.Settings(store_retry_ns=20 * MILLISECOND_NS)
    async with perdure.open(app, store=f"sqlite:///{path}", settings=settings) as client:
        runs = [await client.start(produces, number, id=f"run-{number}") for number in range(10)]
        # SQLite fails as if the disk were full when its file would have more pages than this.
        [pages] = connections[0].execute("PRAGMA page_count").fetchone()
        connections[0].execute(f"PRAGMA max_page_count = {pages + 20}")

        refused: list[str] = []
        for number in itertools.count():
            try:
                await client.start(produces, -1, id=f"more-{number}", memo={"large": "y" * 50_000})
            except perdure.StoreError as error:
                assert "the disk is full; free some space" in str(error)
                refused.append(f"more-{number}")
                if len(refused) == 5:
                    break
        assert (await runs[0].describe()).status.name == "RUNNING"

        connections[0].execute("PRAGMA max_page_count = 1000000")
        for run in runs:
            await run.signal("extra", 1)
        assert [await run.result(timeout=100) for run in runs] == [400_001] * 10
        for workflow_id in refused:
            with pytest.raises(perdure.NotFoundError):
                await client.get(workflow_id).describe()
        for run in runs:
            types = collections.Counter([event.type async for event in run.history()])
            assert types["ActivityTaskCompleted"] == 20
    assert set(ran.values()) == {1}, "an activity ran again although nothing had crashed"
    with closing(open_reader(path)) as reader:
        assert reader.integrity() == []
