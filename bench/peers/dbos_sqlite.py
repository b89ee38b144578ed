"""DBOS on SQLite, set up as well as we could find.

DBOS is a library: workflows run in the process that calls it, and each step is recorded in its system database. So
the peer is one process that calls its workflows itself, as an application would. What was tried, on two cores with
DBOS 3.4, in one-activity runs per second:

- Workflows called directly from a pool of threads: 230. Started with a handle and then awaited: 210. The asynchronous
  API: 145 to 165 (180 on uvloop); it hands every database call to a thread. So: plain functions, called directly.
- The database in WAL mode: 230; in SQLite's default rollback journal, which is what DBOS makes by itself: 130. So: the
  file is put in WAL mode before DBOS opens it.
- A pool of 4 database connections: 230; 20, DBOS's default: 200 to 230, with fewer threads waiting in SQLite's busy
  handler. So: 4.
- Two processes on the same file: 230 in all. Three: 120 to 240. The work is Python's and SQLite's single writer's, so
  more processes win nothing here. So: one.
- Garbage-collector thresholds raised: no difference. They are raised anyway, as Perdure's are.
- Runs in flight: 260 with 1, 255 with 4, 225 with 16 or 50, 210 with 1,000. In runs of ten steps: 530 steps/s with 1,
  480 with 4, 450 with 50. Threads only wait for each other, for the interpreter's lock and SQLite's.

`synchronous` is FULL, as in Perdure's own store: every commit is synced, three for a run of one step. All else is as
DBOS has it, logging quieted to errors. SQLite is DBOS's default, for prototyping and testing; for production, its
documentation recommends PostgreSQL.
"""

import importlib.metadata
import importlib.util
import os
import sqlite3
from types import TracebackType
from typing import Final, Self

from bench.peers.process import PeerProcess
from bench.peers.result import Result

# Runs in flight worth measuring, the better one here first: with slower disks, threads can compute while one syncs.
CONCURRENCIES: Final = (1, 4)


def title() -> str:
    return f"DBOS {importlib.metadata.version('dbos')} on SQLite {sqlite3.sqlite_version}"


def available() -> str | None:
    """None when DBOS can be measured here, else a sentence that says what is missing."""
    if os.name != "posix":
        return "The peers are run in process groups, which this system does not have."
    if importlib.util.find_spec("dbos") is None:
        return "The package dbos is missing: pip install 'perdure[bench]'."
    return None


class DbosSqlite:
    """`with DbosSqlite() as peer:` starts DBOS in a fresh folder; leaving ends it and removes the folder."""

    def __init__(self) -> None:
        self._process = PeerProcess("bench.peers.dbos_child")

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.stop()

    def throughput(self, runs: int, activities: int, concurrency: int) -> Result:
        """`runs` runs of `activities` steps in sequence, `concurrency` in flight."""
        return self._process.measure(runs, activities, concurrency)

    def alone(self, runs: int) -> Result:
        """`runs` runs of one step, one at a time."""
        return self._process.measure(runs, 1, 1)
