"""The machine itself, measured in the same run, so that figures from different machines can be compared."""

import os
import platform
import sqlite3
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from bench.context import Bench
from bench.perdure_child.load import percentile
from bench.results import Figure, Section, Table, number, pair

WRITE_BYTES = 32 * 1024
"""About what a transaction of a few runs writes to the log."""

PREALLOCATED_BYTES = 8 << 20
LOOPS = 3_000_000
IDLE_SECONDS = 2.0
BUSY_SHARE = 0.1


def measure(bench: Bench) -> Section:
    quick = bench.scale.name != "full"
    bench.view.doing("the machine")
    busy = busy_share(0.2 if quick else IDLE_SECONDS)
    if busy > BUSY_SHARE:
        bench.view.warn(f"Other programs keep the processor {busy:.0%} busy; the figures will be worse for it.")
    count = 50 if quick else 500
    with bench.fresh_folder() as folder:
        overwriting = sync_times_ms(folder / "overwritten", count, PREALLOCATED_BYTES)
        appending = sync_times_ms(folder / "appended", count, 0)
        file_system = file_system_of(folder)
    loop_ns = python_loop_ns()
    rows = [
        ["processor", processor()],
        ["cores", str(os.cpu_count())],
        ["memory", f"{memory_gb():.0f} GB"],
        ["system", platform.system()],
        ["Python", f"{platform.python_implementation()} {platform.python_version()}"],
        ["SQLite", sqlite3.sqlite_version],
        ["uvloop, msgspec", f"{version('uvloop')}, {version('msgspec')}"],
        ["file system", file_system],
        [f"sync after overwriting {WRITE_BYTES // 1024} KiB, p50 / p99", f"{pair(*middle(overwriting))} ms"],
        [f"sync after appending {WRITE_BYTES // 1024} KiB, p50 / p99", f"{pair(*middle(appending))} ms"],
        ["one turn of `for i in range(n): x += i`", f"{number(loop_ns)} ns"],
        ["busy with other programs just before", f"{busy:.0%}"],
    ]
    return Section(
        "machine",
        "The machine",
        "Everything was measured on this machine. The syncs and the loop of Python tell how fast it is, "
        "without Perdure.",
        [
            Figure(label="sync after overwriting", value=percentile(overwriting, 50), unit="ms"),
            Figure(label="sync after appending", value=percentile(appending, 50), unit="ms"),
            Figure(label="turn of a Python loop", value=loop_ns, unit="ns"),
        ],
        [Table("", ["", ""], rows)],
    )


def middle(values: list[float]) -> tuple[float, float]:
    return percentile(values, 50), percentile(values, 99)


def sync_times_ms(path: Path, count: int, preallocated_bytes: int) -> list[float]:
    """How long a write and its sync take, as of SQLite's log: in place where there is room, else at the end."""
    sync: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    data = os.urandom(WRITE_BYTES)
    times_ms = []
    try:
        if preallocated_bytes:
            os.pwrite(file, bytes(preallocated_bytes), 0)
            os.fsync(file)
        for turn in range(count):
            at = turn * WRITE_BYTES
            began = time.perf_counter()
            os.pwrite(file, data, at % preallocated_bytes if preallocated_bytes else at)
            sync(file)
            times_ms.append((time.perf_counter() - began) * 1000)
    finally:
        os.close(file)
    return times_ms


def python_loop_ns() -> float:
    """The best of a few, since all that disturbs makes it slower."""

    def once() -> float:
        x = 0
        began = time.perf_counter()
        for i in range(LOOPS):
            x += i
        return (time.perf_counter() - began) / LOOPS * 1e9

    return min(once() for _ in range(5))


def busy_share(seconds: float) -> float:
    """Which share of the processor others take while nothing is done here; 0 where it cannot be told."""

    def times() -> tuple[int, int]:
        line = Path("/proc/stat").read_text().splitlines()[0]
        ticks = [int(field) for field in line.split()[1:9]]
        return sum(ticks), ticks[3] + ticks[4]

    try:
        total_before, idle_before = times()
        time.sleep(seconds)
        total, idle = times()
    except OSError:
        return 0.0
    return 1 - (idle - idle_before) / max(total - total_before, 1)


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def memory_gb() -> float:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):
        return 0.0


def file_system_of(folder: Path) -> str:
    """Its type: of all mounts that hold the folder, the innermost counts."""
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return sys.platform
    holding = [mount for mount in mounts if folder.is_relative_to(mount[1])]
    return max(holding, key=lambda mount: len(mount[1]))[2] if holding else "unknown"
