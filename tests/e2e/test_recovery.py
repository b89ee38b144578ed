"""Kill -9, again and again: nothing is lost, and nothing recorded runs twice."""

import collections
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import perdure
from perdure import App, workflow

CRASHING = Path(__file__).with_name("crashing.py")
CRASHING_QUEUE = Path(__file__).with_name("crashing_queue.py")
RUNS = 40


def words(ledger: Path) -> list[list[str]]:
    # The last line may be cut short by the kill.
    return [line.split() for line in ledger.read_text().split("\n")[:-1]] if ledger.exists() else []


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_again_and_again(tmp_path, seed):
    chance = random.Random(seed)
    store, ledger = tmp_path / "work.db", tmp_path / "ledger"
    command = [sys.executable, str(CRASHING), f"sqlite:///{store}", str(ledger), str(RUNS)]
    for _ in range(6):
        process = subprocess.Popen(command)
        before = len(words(ledger))
        until = before + chance.randrange(5, 120)
        deadline = time.monotonic() + 100
        while len(words(ledger)) < until and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert verified(store) == 0
    subprocess.run(command, check=True, timeout=240)
    judge(words(ledger))
    assert verified(store) == 0


@pytest.mark.parametrize("seed", [1, 2])
def test_a_killed_engine_leaks_no_place_of_a_limited_queue(tmp_path, seed):
    chance, runs, limit = random.Random(seed), 30, 3
    store, ledger = tmp_path / "work.db", tmp_path / "ledger"
    command = [sys.executable, str(CRASHING_QUEUE), f"sqlite:///{store}", str(ledger), str(runs), str(limit)]
    for _ in range(5):
        process = subprocess.Popen(command)
        until = len(words(ledger)) + chance.randrange(10, 60)
        deadline = time.monotonic() + 100
        while len(words(ledger)) < until and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True, timeout=240)
    lines = words(ledger)
    assert lines[-1][1:] == ["results", str(runs * 45), "0", "0"]
    starts = collections.Counter(tuple(line[2:]) for line in lines if line[1] == "start")
    assert max(starts.values()) == 1, "an attempt started twice"
    for process_id in {line[0] for line in lines}:
        live = peak = 0
        for line in lines:
            if line[0] == process_id and line[1] in ("start", "end"):
                live += 1 if line[1] == "start" else -1
                peak = max(peak, live)
        assert peak == limit, "each process in turn uses the limit to the full, and never more"
    assert verified(store) == 0


def verified(store: Path) -> int:
    return subprocess.run([sys.executable, "-m", "perdure", "verify", str(store)], timeout=240).returncode


def judge(lines: list[list[str]]) -> None:
    once = collections.Counter(line[1] for line in lines if line[0] == "once")
    assert all(count == 1 for count in once.values()), "max_attempts=1 started twice"
    keys: dict[tuple[str, str], set[str]] = collections.defaultdict(set)
    for line in lines:
        if line[0] == "step":
            keys[line[1], line[2]].add(line[3])
    assert all(len(found) == 1 for found in keys.values()), "attempts of one activity had different keys"
    assert len(keys) == RUNS * 5, "a step never ran"
    [last] = [line for line in lines if line[0] == "results"][-1:]
    results = [int(word) for word in last[1:]]
    assert len(results) == RUNS
    # 0+1+2+3, the child's 100, the signal's 10,000 once; 1,000 more where the one attempt was lost.
    assert set(results) <= {10_106, 11_106}


async def test_a_store_opened_again_goes_on_where_it_was(tmp_path):
    app = App("again")

    @app.workflow
    async def waits() -> str:
        first = await workflow.receive("word", str)
        return first + await workflow.receive("word", str)

    store = f"sqlite:///{tmp_path / 'work.db'}"
    async with perdure.open(app, store=store) as client:
        run = await client.start(waits, id="w")
        await run.signal("word", "half ")
    async with perdure.open(app, store=store) as client:
        again = client.get("w")
        await again.signal("word", "done")
        assert await again.result() == "half done"


async def test_two_engines_cannot_own_one_file(tmp_path):
    store = f"sqlite:///{tmp_path / 'work.db'}"
    async with perdure.open(store=store):
        with pytest.raises(perdure.StoreLockedError, match="pid"):
            async with perdure.open(store=store):
                pass


async def test_few_runs_in_memory_are_enough_for_many(tmp_path):
    """Runs that wait are forgotten, programs and all, and come back by replay."""
    app = App("many")

    @app.activity
    async def double(number: int) -> int:
        return 2 * number

    @app.workflow
    async def doubles(number: int) -> int:
        total = await double(number)
        return total + await workflow.receive("more", int)

    settings = perdure.Settings(resident_runs=5)
    async with perdure.open(app, store=f"sqlite:///{tmp_path / 'work.db'}", settings=settings) as client:
        runs = [await client.start(doubles, number, id=f"d{number}") for number in range(60)]
        for run in reversed(runs):
            await run.signal("more", 1)
        assert [await run.result(timeout=100) for run in runs] == [2 * number + 1 for number in range(60)]


async def test_large_values_are_kept_apart_and_come_back_whole(tmp_path):
    app = App("large")
    big = "x" * 300_000

    @app.activity
    async def echo(text: str) -> str:
        return text

    @app.workflow
    async def passes(text: str) -> int:
        for _ in range(3):
            text = await echo(text)
        await workflow.receive("end", str)
        return len(text)

    path = tmp_path / "work.db"
    async with perdure.open(app, store=f"sqlite:///{path}") as client:
        run = await client.start(passes, big, id="p")
        while (await run.describe()).activities or (await run.describe()).turn:
            pass
    async with perdure.open(app, store=f"sqlite:///{path}") as client:
        run = client.get("p")
        await run.signal("end", "")
        assert await run.result(timeout=100) == len(big)
        inputs = [event async for event in run.history() if event.type == "ActivityTaskScheduled"]
        assert len(inputs) == 3
    # Seven mentions of the value in the history, one copy of it in the file.
    assert path.stat().st_size < 4 * len(big)
