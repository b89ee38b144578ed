"""Where the time of a run goes."""

import re
import shutil
from typing import Any

from bench.context import Bench
from bench.processes import ChildError
from bench.results import Section, Table, number

THREADS = {
    "MainThread": "the event loop: SDK, engine, kernel",
    "perdure-sqlite-writer": "the writer: SQLite's transactions and their syncs",
    "perdure-sqlite-checkpointer": "the checkpointer: copies the log into the file",
}
CACHEGRIND_SECONDS = 400.0


def measure(bench: Bench) -> Section:
    scale = bench.scale
    options = {"runs": scale.profiled_runs, "concurrency": scale.concurrency}
    bench.view.doing("the threads' shares")
    threads = bench.measure("threads", 180, **options)
    bench.view.doing("the functions' shares")
    functions = bench.measure("functions", 300, **options)
    instructions = count_instructions(bench) if scale.counted_runs else None
    counted = ""
    if instructions is not None:
        counted = (
            f" Under valgrind, one run is {number(instructions / 1000)} thousand instructions in all threads, a "
            "figure that depends on the code more than on the machine."
        )
    return Section(
        "profile",
        "Where the time goes",
        f"Runs of one activity, {scale.concurrency:,} in flight. First the processor's time of each thread, without "
        f"a profiler ({number(threads['runs_per_second'])} runs/s). Then the event loop's thread under cProfile, "
        "which makes every call dearer, so that parts with many small calls look larger than they are; its shares "
        "are applied to the thread's time without a profiler. C functions count with their caller, except "
        f"msgspec's and the loop's.{counted}",
        (),
        [threads_table(threads), layers_table(threads, functions), functions_table(functions)],
    )


def threads_table(found: dict[str, Any]) -> Table:
    total = sum(sum(times) for times in found["threads_us"].values()) or 1.0
    ordered = sorted(found["threads_us"].items(), key=lambda each: -sum(each[1]))
    rows = [
        [THREADS.get(name, name), number(user + system), number(user), number(system), f"{(user + system) / total:.0%}"]
        for name, (user, system) in ordered
        if (user + system) / total >= 0.001
    ]
    columns = ["thread", "µs/run", "in user mode", "in the kernel", "share"]
    return Table(
        "The processor's time by thread", columns, rows, f"Together {number(total)} µs of the processor per run."
    )


def layers_table(threads: dict[str, Any], functions: dict[str, Any]) -> Table:
    layers: dict[str, float] = functions["layers_us"]
    # What no function accounts for is the loop's own: it is C code that calls into Python, and is not called from it.
    profiled = max(functions["loop_us"], sum(layers.values()))
    layers = dict(layers)
    layers["uvloop"] = layers.get("uvloop", 0.0) + profiled - sum(layers.values())
    rows = [
        [name, number(us / profiled * threads["loop_us"]), f"{us / profiled:.0%}"]
        for name, us in sorted(layers.items(), key=lambda each: -each[1])
    ]
    note = f"The whole thread: {number(threads['loop_us'])} µs per run without the profiler."
    return Table("The event loop's thread by part", ["part", "µs/run", "share"], rows, note)


def functions_table(functions: dict[str, Any]) -> Table:
    profiled = max(functions["loop_us"], sum(functions["layers_us"].values()))
    rows = [[name, f"{us / profiled:.1%}", number(calls)] for name, us, calls in functions["functions"]]
    return Table("The functions that take most", ["function", "share", "calls/run"], rows)


def count_instructions(bench: Bench) -> float | None:
    """The difference between two counts, so that imports and opening fall out; None without valgrind."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        return None
    runs, concurrency = bench.scale.counted_runs, bench.scale.concurrency
    try:
        counts = [count(bench, valgrind, factor * runs, concurrency) for factor in (1, 3)]
    except ChildError as error:
        bench.view.warn(f"The instructions could not be counted: {error}")
        return None
    return (counts[1] - counts[0]) / (2 * runs)


def count(bench: Bench, valgrind: str, runs: int, concurrency: int) -> int:
    bench.view.doing(f"the instructions of {runs:,} runs, under valgrind")
    prefix = [valgrind, "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", "--fair-sched=try"]
    options = {"runs": runs, "concurrency": min(runs, concurrency)}
    with bench.fresh_folder() as folder, bench.child("counted", folder, prefix, **options) as child:
        child.hear("result", CACHEGRIND_SECONDS)
        child.end()
        told = re.search(r"I\s+refs:\s+([\d,]+)", child.last_words())
    if told is None:
        raise ChildError("valgrind told no count")
    return int(told[1].replace(",", ""))
