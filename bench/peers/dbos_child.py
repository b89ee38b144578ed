"""DBOS and its load, in one process: its setting is in dbos_sqlite.py, the conversation in process.py."""

import gc
import sqlite3
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from dbos import DBOS

from bench.peers.process import Bench
from bench.peers.result import Result

CONNECTIONS = 4
WARM_UP_RUNS = 100
WAIT_SECONDS = 600


class FullSync(sqlite3.Connection):
    """SQLite's usual default, said aloud, because a build of SQLite may choose another."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.execute("PRAGMA synchronous = FULL")


@DBOS.step()
def step(value: int) -> int:
    return value


@DBOS.workflow()
def workflow(value: int, activities: int) -> int:
    for _ in range(activities):
        value = step(value)
    return value


def launch(folder: Path) -> None:
    file = folder / "dbos.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")  # kept in the file, so it holds for DBOS's connections too
    DBOS(
        config={
            "name": "perdure-bench",
            "system_database_url": f"sqlite:///{file}",
            "sys_db_pool_size": CONNECTIONS,
            # A thousand threads may wait for four connections; that is the load, not an error.
            "db_engine_kwargs": {"connect_args": {"factory": FullSync}, "pool_timeout": WAIT_SECONDS},
            "log_level": "ERROR",
        }
    )
    DBOS.launch()


def measure(runs: int, activities: int, concurrency: int) -> Result:
    """Each of `concurrency` threads calls one workflow after another, until all are done."""
    values = iter(range(runs))
    taking = threading.Lock()
    latencies_ms: list[float] = []
    failures: list[Exception] = []
    started = threading.Barrier(concurrency + 1)

    def call() -> None:
        started.wait(WAIT_SECONDS)
        while not failures:
            with taking:
                value = next(values, None)
            if value is None:
                return
            asked = time.perf_counter()
            try:
                if workflow(value, activities) != value:
                    raise ValueError("a workflow returned another value than its own")
            except Exception as error:
                failures.append(error)
                return
            latencies_ms.append((time.perf_counter() - asked) * 1000)

    threads = [threading.Thread(target=call, daemon=True) for _ in range(concurrency)]
    for thread in threads:
        thread.start()
    started.wait(WAIT_SECONDS)
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    if failures:
        raise failures[0]
    return Result(runs, activities, seconds, latencies_ms)


def main(folder: Path) -> None:
    with Bench(folder) as bench:
        gc.set_threshold(50_000, 50, 100)
        launch(folder)
        measure(WARM_UP_RUNS, 1, CONNECTIONS)
        bench.answer(measure)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
