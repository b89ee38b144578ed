"""A batch through kill -9: each run is dealt with once, whatever is done to it, and the counts are sound."""

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.soaking import often

import perdure
from perdure import RunStatus

BATCHING = Path(__file__).with_name("batching.py")
COUNT = 300


@pytest.mark.timeout(600)
@pytest.mark.parametrize("operation", ["signal", "cancel", "terminate", "reset", "delete"])
def test_killed_again_and_again_each_run_is_dealt_with_once(tmp_path, operation):
    chance = random.Random(operation)
    store, ledger = f"sqlite:///{tmp_path / 'work.db'}", tmp_path / "ledger"
    command = [sys.executable, str(BATCHING), store, str(ledger), operation]
    for opened in range(1, often(3) + 1):
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
    asyncio.run(judge(store, operation))


async def judge(store: str, operation: str) -> None:
    async with perdure.open(store=store) as client:
        ended = await client.batches.get("all").describe()
        assert (ended.total, ended.done, ended.skipped, ended.failed) == (COUNT, COUNT, 0, 0)
        runs = [run async for run in client.list("WorkflowType = 'Counts'")]
        statuses = Counter(run.status for run in runs)
        match operation:
            case "delete":
                assert not runs
            case "reset":
                assert statuses == {RunStatus.TERMINATED: COUNT, RunStatus.RUNNING: COUNT}
                assert Counter(Counter(run.id for run in runs).values()) == {2: COUNT}
            case "terminate":
                assert statuses == {RunStatus.TERMINATED: COUNT}
            case _:
                wanted = "WorkflowExecutionSignaled" if operation == "signal" else "WorkflowExecutionCancelRequested"
                for run in runs:
                    events = [event.type async for event in client.get(run.id).history()]
                    assert events.count(wanted) == 1, run.id
                assert len(runs) == COUNT
