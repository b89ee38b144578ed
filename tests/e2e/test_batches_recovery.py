"""A batch through kill -9: each run is dealt with once."""

import asyncio
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import perdure

BATCHING = Path(__file__).with_name("batching.py")


def test_killed_again_and_again_each_run_is_signalled_once(tmp_path):
    chance = random.Random(5)
    store, ledger = f"sqlite:///{tmp_path / 'work.db'}", tmp_path / "ledger"
    command = [sys.executable, str(BATCHING), store, str(ledger)]
    for opened in range(1, 6):
        process = subprocess.Popen(command)
        deadline = time.monotonic() + 100
        while not ledger.exists() or ledger.read_text().count("open\n") < opened:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(chance.uniform(0.05, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True, timeout=240)
    assert ledger.read_text().endswith("ended\n")
    asyncio.run(judge(store))


async def judge(store):
    async with perdure.open(store=store) as client:
        ended = await client.batches.get("all").describe()
        assert (ended.total, ended.done, ended.skipped, ended.failed) == (300, 300, 0, 0)
        async for run in client.list("WorkflowType = 'Counts'"):
            events = [event.type async for event in client.get(run.id).history()]
            assert events.count("WorkflowExecutionSignaled") == 1, run.id
