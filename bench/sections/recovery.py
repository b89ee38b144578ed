"""SIGKILL with runs in flight, and what the next process makes of it."""

import time
from dataclasses import dataclass
from typing import Any

from bench.context import Bench
from bench.perdure_child.memory import DAY_SECONDS
from bench.results import Figure, Section, Table, number, pair

IN_FLIGHT_RUNS = 10_000
OPEN_RUNS = 100_000
RESUMED_SECONDS = 1.0
READY_SECONDS = 2.0

STEP_SECONDS = 1.0
STEPS = 600
"""More than the runs can do before they are killed."""

LIMIT_SECONDS = 90.0


@dataclass(frozen=True)
class Taken:
    """What the second process found, in seconds from its start; `open_...` from when it opened the store."""

    label: str
    runs: int
    resumed: int
    ready: float
    open_ready: float
    first: float | None
    open_first: float | None
    last: float | None
    new_run_p50_ms: float
    new_run_most_ms: float
    stored_mb: float
    memory_mb: float


def measure(bench: Bench) -> Section:
    scale = bench.scale
    killed = kill_and_take_up(
        bench,
        f"{scale.killed_runs:,} in activities of {STEP_SECONDS:g} s",
        scale.killed_runs,
        "activity",
        slow=STEPS,
        seconds=STEP_SECONDS,
    )
    busy = kill_and_take_up(
        bench, f"{scale.open_runs:,} in one long activity", scale.open_runs, "activity", seconds=DAY_SECONDS
    )
    asleep = kill_and_take_up(bench, f"{scale.open_runs:,} asleep for a day", scale.open_runs, "timer")
    assert killed.first is not None and killed.open_first is not None
    figures = [
        Figure(
            label=f"SIGKILL with {scale.killed_runs:,} runs in flight: first resumed step after the start",
            value=killed.first,
            unit="s",
            wanted=RESUMED_SECONDS if scale.killed_runs >= IN_FLIGHT_RUNS else None,
            limit=f"The interpreter's start and the imports take {number(killed.first - killed.open_first)} s of "
            f"it, opening the store and resuming the first step {number(killed.open_first)} s.",
        )
    ]
    figures += [
        Figure(
            label=f"{taken.label}: a new run is done after the start",
            value=taken.ready,
            unit="s",
            wanted=READY_SECONDS if scale.open_runs >= OPEN_RUNS else None,
            limit=f"The interpreter's start and the imports take {number(taken.ready - taken.open_ready)} s of it; "
            f"opening the store and the new run take {number(taken.open_ready)} s.",
        )
        for taken in (busy, asleep)
    ]
    return Section(
        "recovery",
        "After a crash",
        "A process opens a file, brings all the runs to where they wait, and is ended by SIGKILL "
        f"{scale.kill_after_seconds:g} s later; its attempts have begun and are lost with it. A second process "
        "opens the file. Steps report themselves when they begin, by the clock that all processes share. From the "
        "moment it has opened the store, the second process also executes new runs, one after another, until all "
        "of the old ones are taken up.",
        figures,
        [in_seconds([killed, busy, asleep]), beside([killed, busy, asleep])],
    )


def kill_and_take_up(
    bench: Bench, label: str, runs: int, waits_for: str, slow: int = 1, seconds: float = 0.0, quick: int = 0
) -> Taken:
    """Leave runs open, kill their process, and see how another takes them up."""
    bench.view.doing(f"{label}: bringing them there")
    with bench.fresh_folder() as folder:
        options: dict[str, Any] = {
            "slow": slow,
            "seconds": seconds,
            "quick": quick,
            "concurrency": bench.scale.concurrency,
        }
        with bench.child("leave_open", folder, runs=runs, waits_for=waits_for, **options) as child:
            left = child.hear("ready", 300)
            time.sleep(bench.scale.kill_after_seconds)
            child.kill()
        bench.view.doing(f"{label}: killed, and opened again")
        with bench.child("take_up", folder, runs=runs, waits_for=waits_for, limit_seconds=LIMIT_SECONDS) as child:
            found = child.hear("result", LIMIT_SECONDS + 120)
            started_ns = child.started_ns
    if waits_for == "activity" and found["resumed"] < runs:
        bench.view.warn(f"{label}: only {found['resumed']:,} were resumed in {LIMIT_SECONDS:g} s.")
    return taken(label, runs, found, left, started_ns)


def taken(label: str, runs: int, found: dict[str, Any], left: dict[str, Any], started_ns: int) -> Taken:
    opening_ns = found["opening_ns"]

    def since(moment_ns: int | None, origin_ns: int) -> float | None:
        return None if moment_ns is None else (moment_ns - origin_ns) / 1e9

    return Taken(
        label,
        runs,
        found["resumed"],
        (found["ready_ns"] - started_ns) / 1e9,
        (found["ready_ns"] - opening_ns) / 1e9,
        since(found["first_ns"], started_ns),
        since(found["first_ns"], opening_ns),
        since(found["last_ns"], started_ns),
        found["new_run_p50_ms"],
        found["new_run_most_ms"],
        left["stored_mb"],
        found["memory"].get("resident_mb", 0.0),
    )


def in_seconds(all_taken: list[Taken]) -> Table:
    def shown(seconds: float | None) -> str:
        return "" if seconds is None else number(seconds)

    rows = [
        [
            each.label,
            shown(each.first),
            shown(each.open_first),
            shown(each.ready),
            shown(each.open_ready),
            shown(each.last) if each.resumed in (0, each.runs) else f"{each.resumed:,} of them",
        ]
        for each in all_taken
    ]
    return Table(
        "Seconds until ...",
        [
            "open runs",
            "a step is resumed, from the process's start",
            "from opening",
            "a new run is done, from the process's start",
            "from opening",
            "all are resumed, from the process's start",
        ],
        rows,
    )


def beside(all_taken: list[Taken]) -> Table:
    rows = [
        [
            each.label,
            pair(each.new_run_p50_ms, each.new_run_most_ms),
            number(each.memory_mb),
            number(each.stored_mb),
        ]
        for each in all_taken
    ]
    columns = ["open runs", "new runs meanwhile, p50 / longest, ms", "resident, MB", "file with its log, MB"]
    return Table("Beside that", columns, rows)
