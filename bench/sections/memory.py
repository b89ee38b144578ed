"""What runs that wait cost in memory."""

from typing import Any

from bench.context import Bench
from bench.results import Figure, Section, Table, number

WAITING_MB = 60.0
WAITING_RUNS = 10_000
SLEEPING_MB = 1000.0
SLEEPING_RUNS = 1_000_000


def measure(bench: Bench) -> Section:
    scale = bench.scale
    bench.view.doing(f"{scale.waiting_runs:,} waiting runs")
    waiting = bench.measure("waiting", 120, runs=scale.waiting_runs, concurrency=scale.starts_at_once)
    with bench.fresh_folder() as folder:
        bench.view.doing(f"{scale.sleeping_runs:,} sleeping runs")
        options: dict[str, Any] = {
            "runs": scale.sleeping_runs,
            "concurrency": scale.concurrency,
            "limit_seconds": scale.growth_limit_seconds,
        }
        with bench.child("sleeping", folder, **options) as child:
            sleeping = child.hear("result", 120 + 2 * scale.growth_limit_seconds)
            child.end()
        bench.view.doing(f"{sleeping['runs']:,} sleeping runs, opened again")
        with bench.child("sleeping_again", folder) as child:
            again = child.hear("result", 120)

    idle, full = waiting["idle"]["resident_mb"], waiting["full"]["resident_mb"]
    runs = sleeping["runs"]
    most = max(sleeping["full"]["most_mb"], again["full"]["most_mb"])
    is_asked_waiting = scale.waiting_runs >= WAITING_RUNS
    limit = (
        f"The idle engine has {number(idle)} MB already: Python, Perdure and SQLite. Each waiting run adds "
        f"{number((full - idle) * 1000 / scale.waiting_runs)} kB: its state, its program with its coroutine, and "
        "its part of SQLite's cache."
    )
    figures = [
        Figure(
            label=f"{scale.waiting_runs:,} waiting runs: what they add",
            value=full - idle,
            unit="MB",
            wanted=WAITING_MB if is_asked_waiting else None,
            limit=limit,
        ),
        Figure(
            label=f"{scale.waiting_runs:,} waiting runs: the whole process",
            value=full,
            unit="MB",
            wanted=WAITING_MB if is_asked_waiting else None,
            limit=limit,
        ),
        Figure(
            label=f"{runs:,} sleeping runs: the process at most",
            value=most,
            unit="MB",
            wanted=SLEEPING_MB if scale.sleeping_runs >= SLEEPING_RUNS else None,
            limit=f"It had {number(sleeping['idle']['resident_mb'])} MB before, "
            f"{number(sleeping['full']['resident_mb'])} MB once all slept.",
        ),
    ]
    rows = [
        ["the idle engine, after 100 runs", "", number(idle), number(waiting["idle"]["mapped_mb"]), ""],
        [
            "waiting for a signal",
            f"{scale.waiting_runs:,}",
            number(full),
            number(waiting["full"]["mapped_mb"]),
            number((full - idle) * 1000 / scale.waiting_runs),
        ],
        ["a new engine", "", number(sleeping["idle"]["resident_mb"]), number(sleeping["idle"]["mapped_mb"]), ""],
        [
            "sleeping for a day, just started",
            f"{runs:,}",
            number(sleeping["full"]["resident_mb"]),
            number(sleeping["full"]["mapped_mb"]),
            number((sleeping["full"]["resident_mb"] - sleeping["idle"]["resident_mb"]) * 1000 / runs),
        ],
        [
            "the same, opened by another process",
            f"{runs:,}",
            number(again["full"]["resident_mb"]),
            number(again["full"]["mapped_mb"]),
            number((again["full"]["resident_mb"] - sleeping["idle"]["resident_mb"]) * 1000 / runs),
        ],
    ]
    columns = ["", "runs", "resident, MB", "of it mapped files, MB", "kB per run"]
    short = ""
    if runs < scale.sleeping_runs:
        short = f" The time was up before there were {scale.sleeping_runs:,}."
        bench.view.warn(f"Only {runs:,} runs were put to sleep in time.")
    return Section(
        "memory",
        "Memory",
        "Resident memory of the process with engine, worker and client, after a garbage collection. "
        f"{scale.waiting_runs:,} runs wait for a signal, started by {scale.starts_at_once:,} callers at "
        f"{number(waiting['starts_per_second'])} starts/s; {runs:,} runs sleep for a day in one file, started by "
        f"{scale.concurrency:,} callers at {number(sleeping['starts_per_second'])} starts/s.{short} The file has then "
        f"{number(sleeping['stored_mb'])} MB ({number(sleeping['stored_mb'] * 1e6 / runs)} bytes per run). Another "
        f"process opens it and completes a new run {number(again['ready_seconds'])} s later. A waiting run that is "
        f"sent its signal is done after {number(waiting['answered_ms'])} ms. MB are 10^6 bytes.",
        figures,
        [Table("Resident memory", columns, rows)],
    )
