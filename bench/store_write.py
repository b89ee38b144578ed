"""What the SQLite store can take, without an engine: ``python -m bench.store_write [--folder FOLDER] [--seconds 5] ...``

- ``runs``: one-activity runs, each two writes: a new run with its records (400 bytes) and a task; its end (300 bytes).
- ``steps``: writes of 2,000 open runs in turn: records (350 bytes), one new task, one that is done.
- ``lone``: one write at a time, and nothing else going on.
- ``find``: lookups of workflow ids that do not exist, that are recent, and that are older, while nothing is written.

``--work`` lets the event loop's thread burn so many microseconds of Python for each write, as an engine would: the writer's
thread must then win the interpreter's lock from it. ``--switch-interval`` is Python's, in seconds (0.005 unless set).
Batches are written one at a time, as the engine does, while the next one is being made.

What led to the store as it is, in microseconds of CPU in the writer's thread, at 500 runs a transaction; Python 3.11, SQLite
3.40, two virtual cores, ext4 on a virtual disk:

=====================================================================  ========  =========
one-activity runs (two writes each)                                    at first  at 1 M
=====================================================================  ========  =========
one statement for 256 rows, indexes over workflow ids, status, close         41  54 (at 300 k)
index over close times dropped, over workflow ids kept as in
``workflow_ids.py``                                                          22         25
values bound as plain int, str and bytearray                                 18         20
pages of 8192 bytes instead of 4096                                          16         18
=====================================================================  ========  =========

=====================================================================  =========
steps of 2,400 open runs (a write each)
=====================================================================  =========
history ordered by run                                                        15
history in the order of the commits                                          5.6
=====================================================================  =========

With 12 microseconds of work for each write beside it, Python's switch interval decides how long the writer waits for the
interpreter's lock: 15,300 runs and 34,900 steps a second at 0.005 s, 21,400 and 58,000 at 0.0005 s, on a machine that had other
work as well. Undisturbed, 50,000 to 55,000 runs and 150,000 steps a second; a lone write takes 0.37 ms, 0.2 of it in SQLite.
"""

import argparse
import asyncio
import itertools
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from perdure.engine.ports import RunRow, TaskRow, Write
from perdure.model.errors import StoreError
from perdure.model.options import RunStatus
from perdure.model.search import EVERYTHING, Place
from perdure.stores.sqlite import SqliteStore

BATCHES_AHEAD = 2
STEPS_PER_RUN = 30
OPEN_RUNS = 2_000

Batches = Iterator[list[Write]]


def run_row(key: int, chance: random.Random) -> RunRow:
    """A new run; its workflow id is random, as the worst case of an index over them."""
    workflow_id, run_id = f"order-{chance.getrandbits(128):032x}", f"{key:032x}"
    return RunRow(key, "default", workflow_id, run_id, "OrderWorkflow", "default", RunStatus.RUNNING, time.time_ns())


def one_activity_runs(first_key: int, size: int) -> Batches:
    """Starts and ends in turn; each end is of the runs started two batches before."""
    chance, keys = random.Random(first_key), itertools.count(first_key)
    start, end = os.urandom(400), os.urandom(300)
    waiting: list[list[RunRow]] = []
    while True:
        rows = [run_row(next(keys), chance) for _ in range(size)]
        waiting.append(rows)
        yield [Write(row.key, 1, start, created=row, tasks=(task(row.key, 5),)) for row in rows]
        if len(waiting) > 1:
            rows = waiting.pop(0)
            for row in rows:
                row.status, row.close_time, row.history_length = RunStatus.COMPLETED, time.time_ns(), 11
            yield [Write(row.key, 2, end, changed=row, tasks_done=(5,)) for row in rows]


def steps(first_key: int, size: int) -> Batches:
    """Steps of open runs in turn; a run that has had its steps makes room for a new one."""
    chance, keys = random.Random(first_key), itertools.count(first_key)
    records = os.urandom(350)
    numbers = {next(keys): 0 for _ in range(OPEN_RUNS)}
    turn = itertools.cycle(range(OPEN_RUNS))
    places = list(numbers)
    while True:
        batch = []
        for place in itertools.islice(turn, size):
            key = places[place]
            if numbers[key] == STEPS_PER_RUN:
                del numbers[key]
                key = places[place] = next(keys)
                numbers[key] = 0
            number = numbers[key] = numbers[key] + 1
            if number == 1:
                batch.append(Write(key, 1, records, created=run_row(key, chance), tasks=(task(key, 5),)))
            else:
                done = number * 5 - 5
                batch.append(Write(key, number, records, tasks=(task(key, number * 5),), tasks_done=(done,)))
        yield batch


def task(key: int, ref: int) -> TaskRow:
    return TaskRow(key, ref, "default", "charge_card", True, 0)


def burn(seconds: float) -> None:
    """Hold the interpreter's lock, as an engine does."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


async def flood(store: SqliteStore, batches: Batches, seconds: float, work_seconds: float) -> tuple[int, list[float]]:
    """Write batches for a while; how many writes were done, and how long each batch took in seconds."""
    loop = asyncio.get_running_loop()
    finished = loop.create_future()
    end = time.perf_counter() + seconds
    writes, under_way, times = 0, 0, []

    def send() -> None:
        nonlocal under_way
        batch = next(batches)
        burn(len(batch) * work_seconds)
        under_way += 1
        began = time.perf_counter()

        def done(error: StoreError | None) -> None:
            nonlocal writes, under_way
            assert error is None, error
            times.append(time.perf_counter() - began)
            writes += len(batch)
            under_way -= 1
            if time.perf_counter() < end:
                send()
            elif not under_way:
                finished.set_result(None)

        store.write(batch, done)

    for _ in range(BATCHES_AHEAD):
        send()
    await finished
    return writes, times


async def one_by_one(store: SqliteStore, batches: Batches, seconds: float) -> list[float]:
    """Write batches of one, each when the one before is done; how long each took in seconds."""
    loop = asyncio.get_running_loop()
    end = time.perf_counter() + seconds
    times = []
    while time.perf_counter() < end:
        outcome: asyncio.Future[StoreError | None] = loop.create_future()
        began = time.perf_counter()
        store.write(next(batches), outcome.set_result)
        assert await outcome is None
        times.append(time.perf_counter() - began)
    return times


def look_up(store: SqliteStore, workflow_ids: list[str]) -> list[float]:
    """Find each; how long each took in seconds."""
    times = []
    for workflow_id in workflow_ids:
        began = time.perf_counter()
        store.find("default", workflow_id, "", lambda found: None)
        times.append(time.perf_counter() - began)
    return times


def quantiles(times: list[float]) -> str:
    """Median and the like, in microseconds."""
    ordered = sorted(times)
    shown = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return "  ".join(f"{name} {ordered[int((len(ordered) - 1) * at)] * 1e6:,.1f} us" for name, at in shown.items())


async def measure(options: argparse.Namespace, folder: str) -> None:
    kinds: dict[str, Callable[[int, int], Batches]] = {"runs": one_activity_runs, "steps": steps}
    for what, batches in kinds.items():
        store = SqliteStore(Path(folder) / f"{what}.db")
        first_key = (await store.open()).next_key
        began, cpu = time.perf_counter(), time.process_time()
        writes, times = await flood(store, batches(first_key, options.batch), options.seconds, options.work / 1e6)
        elapsed, busy = time.perf_counter() - began, time.process_time() - cpu
        count = writes / 2 if what == "runs" else writes
        print(
            f"{what:6} {count / elapsed:9,.0f} /s   cpu {busy / count * 1e6:5.1f} us each   batch {quantiles(times)}",
            flush=True,
        )
        await store.close()

    store = SqliteStore(Path(folder) / "runs.db")
    first_key = (await store.open()).next_key
    times = await one_by_one(store, one_activity_runs(first_key, 1), options.seconds)
    print(f"lone   {quantiles(times)}", flush=True)
    listed = await store.runs("default", EVERYTHING, None, 1_000)
    older = await store.runs("default", EVERYTHING, Place((), listed[-1].start_time, first_key // 2), 1_000)
    for name, ids in {
        "none": [f"new-{number}" for number in range(1_000)],
        "recent": [row.workflow_id for row in listed],
        "older": [row.workflow_id for row in older],
    }.items():
        print(f"find   {name:7} {quantiles(look_up(store, ids) or [0.0])}", flush=True)
    await store.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.store_write", description="What the SQLite store can take.")
    parser.add_argument("--folder", help="where the files go; the system's temporary folder without it")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each measurement")
    parser.add_argument("--batch", type=int, default=500, help="writes in each batch")
    parser.add_argument("--work", type=float, default=0.0, help="microseconds of Python for each write, beside it")
    parser.add_argument("--switch-interval", type=float, default=sys.getswitchinterval(), help="Python's, in seconds")
    parser.add_argument("--uvloop", action="store_true", help="use uvloop")
    options = parser.parse_args()
    sys.setswitchinterval(options.switch_interval)
    with TemporaryDirectory(dir=options.folder, prefix="perdure-bench-") as folder:
        if options.uvloop:
            import uvloop

            uvloop.run(measure(options, folder))
        else:
            asyncio.run(measure(options, folder))


if __name__ == "__main__":
    main()
