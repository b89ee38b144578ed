"""Schedules through kill -9: each nominal time starts exactly one run."""

import asyncio
import collections
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import perdure

SCHEDULING = Path(__file__).with_name("scheduling.py")
SECOND = timedelta(seconds=1)


def test_killed_again_and_again_each_time_has_one_run(tmp_path):
    chance = random.Random(3)
    store, ledger = f"sqlite:///{tmp_path / 'work.db'}", tmp_path / "ledger"
    command = [sys.executable, str(SCHEDULING), store, str(ledger)]
    for opened in range(1, 6):
        process = subprocess.Popen([*command, "60"])
        deadline = time.monotonic() + 100
        while not ledger.exists() or ledger.read_text().count("open\n") < opened:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.002)
        # Kill around the instant at which all are due, in the midst of what happens then.
        time.sleep(1 - time.time() % 1 + chance.uniform(-0.005, 0.04))
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run([*command, "1.5"], check=True, timeout=240)
    assert (
        subprocess.run([sys.executable, "-m", "perdure", "verify", str(tmp_path / "work.db")], timeout=240).returncode
        == 0
    )
    asyncio.run(judge(store, ledger))


async def judge(store, ledger):
    runs = collections.defaultdict(list)
    async with perdure.open(store=store) as client:
        async for run in client.list():
            runs[run.search_attributes["ScheduledById"]].append(run)
        for name in ("a", "b", "c"):
            times = sorted(run.search_attributes["ScheduledStartTime"] for run in runs[name])
            assert len(times) >= 5
            assert times == [times[0] + n * SECOND for n in range(len(times))], "a time has no run, or two"
            description = await client.schedules.get(name).describe()
            assert (description.counts.fired, description.counts.missed) == (len(times), 0)
            assert description.last_error == ""
    noted = {line for line in ledger.read_text().split("\n")[:-1] if line != "open"}
    started = {f"{run.id} {run.run_id}" for found in runs.values() for run in found}
    assert noted == started
