"""Servers and workers are killed with SIGKILL: nothing is lost, and nothing recorded is done twice."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.e2e.serving import app

import perdure

SERVING = Path(__file__).with_name("serving.py")

pytestmark = pytest.mark.slow


def free_port() -> int:
    """One that is free, and stays so until it is used: not of those that the system gives to whoever asks for any."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


class Town:
    """A server and workers, each a process, on one store."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log.txt"
        self.log.touch()
        self._store = f"sqlite:///{folder / 'work.db'}"
        self._ports = (free_port(), free_port())
        self.url = f"http://127.0.0.1:{self._ports[0]}"
        self._processes: list[subprocess.Popen[str]] = []
        self.server: subprocess.Popen[str]

    async def start_server(self) -> None:
        self.server = await self._start("server", self._store, *map(str, self._ports))

    async def start_worker(self) -> subprocess.Popen[str]:
        return await self._start("worker", self.url)

    async def _start(self, *arguments: str) -> subprocess.Popen[str]:
        environment = os.environ | {"SERVING_LOG": str(self.log)}
        process = subprocess.Popen(
            [sys.executable, str(SERVING), *arguments], stdout=subprocess.PIPE, text=True, env=environment
        )
        self._processes.append(process)
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == "ready\n"
        return process

    def kill(self, process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                self.kill(process)
            assert process.stdout is not None
            process.stdout.close()

    def done(self) -> Counter[str]:
        """How often each thing was begun and ended."""
        return Counter(line.rsplit(" ", 1)[0] for line in self.log.read_text().splitlines())

    async def until(self, words: str) -> None:
        while not self.done()[words]:
            await asyncio.sleep(0.02)


@pytest.fixture
async def town(tmp_path):
    town = Town(tmp_path)
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
