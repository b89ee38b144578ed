"""Workers of Temporal's Python SDK, and the server, are killed with SIGKILL in the middle of their tasks; nothing is lost."""

import asyncio
import os
import random
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from tests.protocols.temporal.programs import ROOT
from tests.protocols.temporal.python.killing import QUEUE, Steps
from tests.protocols.temporal.server import DevServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

# The SDK goes on handing in for ten seconds (max_elapsed_time of its calls' retries); the first pauses are within them.
SDK_PATIENCE_SECONDS = 8.0
COMPLETED = EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED


class Town:
    """A server over a file, and workers, each a process."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log.txt"
        self.log.touch()
        self.server = DevServer(folder, file=True)
        self.workers: list[subprocess.Popen[str]] = []

    async def start_server(self) -> None:
        await asyncio.to_thread(self.server.start)

    async def start_worker(self) -> None:
        command = [sys.executable, "-m", "tests.protocols.temporal.python.killing", self.server.address, str(self.log)]
        worker = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=dict(os.environ)
        )
        self.workers.append(worker)
        assert worker.stdout is not None
        assert await asyncio.to_thread(worker.stdout.readline) == "ready\n"

    def kill_worker(self) -> None:
        worker = self.workers.pop(0)
        worker.kill()
        worker.wait()
        assert worker.stdout is not None
        worker.stdout.close()

    def close(self) -> None:
        while self.workers:
            self.kill_worker()
        self.server.kill()

    def done(self) -> Counter[str]:
        """How often each thing was begun and ended."""
        return Counter(self.log.read_text().splitlines())

    async def until(self, words: str) -> None:
        while not self.done()[words]:
            await asyncio.sleep(0.02)


@pytest.fixture
async def town(tmp_path):
    town = Town(tmp_path)
    await town.start_server()
    yield town
    town.close()


async def start(client, run_id, count, seconds, patience=2.0):
    return await client.start_workflow(
        Steps.run, args=[count, seconds, patience], id=run_id, task_queue=QUEUE, task_timeout=timedelta(seconds=2)
    )


async def result(client, run_id):
    """Wait, whether the server is there just now or not."""
    while True:
        try:
            return await client.get_workflow_handle(run_id).result(rpc_timeout=timedelta(seconds=5))
        except (RuntimeError, OSError):
            raise
        except Exception as error:
            if type(error).__name__ != "RPCError":
                raise
            await asyncio.sleep(0.1)


async def test_an_activity_of_a_killed_worker_runs_again_elsewhere(town):
    await town.start_worker()
    client = await Client.connect(town.server.address)
    handle = await start(client, "moved", 2, 0.5)
    await town.until("begin moved.0")
    town.kill_worker()
    await town.start_worker()
    assert await asyncio.wait_for(handle.result(), 60) == ["moved.0", "moved.1"]
    assert town.done()["begin moved.0"] == 2
    history = await handle.fetch_history()
    started = [e.activity_task_started_event_attributes for e in history.events if e.event_type == 11]
    assert [(one.attempt, bool(one.last_failure.message)) for one in started] == [(2, True), (1, False)]


async def test_a_worker_does_not_notice_that_the_server_was_killed(town):
    await town.start_worker()
    client = await Client.connect(town.server.address)
    for name in ("steady", "steadier", "steadiest"):
        await start(client, name, 3, 0.7, patience=60.0)
        await town.until(f"begin {name}.0")
        town.server.kill()
        await town.until(f"end {name}.0")
        away_since = time.monotonic()
        await town.start_server()
        seconds_away = time.monotonic() - away_since
        assert await asyncio.wait_for(result(client, name), 120) == [f"{name}.{n}" for n in range(3)]
        if seconds_away < SDK_PATIENCE_SECONDS:
            break
    else:
        pytest.skip("a server takes longer to start here than the SDK goes on handing in what its worker has done")
    # What the worker had done meanwhile was handed in; nothing was done twice.
    done = {f"{what} {name}.{n}": 1 for what in ("begin", "end") for n in range(3)}
    assert {word: times for word, times in town.done().items() if name + "." in word} == done


async def test_both_die_again_and_again_under_load(town):
    """Each step of each run is recorded once, whoever dies when; what is recorded can be replayed."""
    await town.start_worker()
    await town.start_worker()
    client = await Client.connect(town.server.address)
    draw = random.Random(11)
    names = [f"run-{number}" for number in range(10)]
    for name in names:
        await start(client, name, 12, 0.02)
    for _ in range(5):
        await asyncio.sleep(draw.uniform(0.3, 1.0))
        if draw.random() < 0.5:
            town.server.kill()
            await town.start_server()
        else:
            town.kill_worker()
            await town.start_worker()
    results = await asyncio.wait_for(asyncio.gather(*(result(client, name) for name in names)), 150)
    assert results == [[f"{name}.{step}" for step in range(12)] for name in names]
    replayer = Replayer(workflows=[Steps], workflow_runner=UnsandboxedWorkflowRunner())
    for name in names:
        history = await client.get_workflow_handle(name).fetch_history()
        assert [event.event_id for event in history.events] == list(range(1, len(history.events) + 1))
        assert sum(event.event_type == COMPLETED for event in history.events) == 12
        await replayer.replay_workflow(history)
