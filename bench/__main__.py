"""`python -m bench`: what to measure, where to keep it, and the page."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from bench.context import Bench
from bench.opponents import opponents
from bench.page import ORDER, page
from bench.processes import ROOT, ChildError
from bench.results import Section
from bench.scale import FULL, QUICK
from bench.sections import (
    growth,
    machine,
    machines,
    memory,
    profile,
    queues,
    recovery,
    schedules,
    search,
    server,
    speed,
)
from bench.terminal import TerminalView, show_summary

# The machine first, before anything has warmed it or filled its disk's cache.
SECTIONS: Mapping[str, Callable[[Bench], Section]] = {
    "machine": machine.measure,
    "speed": speed.measure,
    "queues": queues.measure,
    "recovery": recovery.measure,
    "memory": memory.measure,
    "growth": growth.measure,
    "search": search.measure,
    "schedules": schedules.measure,
    "machines": machines.measure,
    "server": server.measure,
    "profile": profile.measure,
}
assert SECTIONS.keys() == set(ORDER)

WORK_FOLDER = ROOT / ".bench"
WIDTH_IN_A_FILE = 150
PAGE = ROOT / "docs" / "benchmarks.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, show and write. The exit code: 0 whatever the figures are, 1 if something could not be measured."""
    # Ended politely, the bench still ends what it started and removes its folders.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    chosen = parse(arguments)
    scale = (QUICK if chosen.quick else FULL).by(chosen.scale)
    names = [name for name in SECTIONS if not chosen.only or name in chosen.only or name == "machine"]
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH_IN_A_FILE)
    peers, absent = ([], {}) if chosen.no_peers else opponents()
    for name, why in absent.items():
        console.print(f"{name} is not measured: {why}", soft_wrap=True, highlight=False, markup=False)
    WORK_FOLDER.mkdir(exist_ok=True)
    (WORK_FOLDER / ".gitignore").write_text("*\n")
    remove_left_over()
    kind = scale.name + ("-no-peers" if chosen.no_peers else "")
    kept = WORK_FOLDER / "results" / kind
    try:
        with (
            tempfile.TemporaryDirectory(
                prefix=f"run-{os.getpid()}-", dir=WORK_FOLDER, ignore_cleanup_errors=True
            ) as folder,
            TerminalView(console, len(names)) as view,
        ):
            # The peers make their folders where Python makes temporary ones, and they belong on the same disk.
            tempfile.tempdir = folder
            bench = Bench(Path(folder), scale, view, peers, absent)
            failed = measure_all(bench, names, kept)
    except KeyboardInterrupt:
        console.print("Interrupted; all that was started has ended.")
        return 130
    sections = load_all(kept)
    show_summary(console, sections)
    if not chosen.no_write:
        target = PAGE if kind == FULL.name else WORK_FOLDER / f"benchmarks-{kind}.md"
        write_page(target, sections, names, console)
    return 1 if failed else 0


def remove_left_over() -> None:
    """Remove what a bench that was killed could not: files of gigabytes."""
    if os.name != "posix":
        return  # elsewhere, this way of asking whether a process is there would end it
    for folder in WORK_FOLDER.glob("run-*-*"):
        try:
            os.kill(int(folder.name.split("-")[1]), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except (ValueError, OSError):
            pass


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure Perdure, and its peers in the same run."
    )
    parser.add_argument("--quick", action="store_true", help="less of everything, in about two minutes")
    parser.add_argument(
        "--only", nargs="+", choices=list(SECTIONS), metavar="SECTION", help=f"of {', '.join(SECTIONS)}"
    )
    parser.add_argument("--no-peers", action="store_true", help="Perdure alone")
    parser.add_argument("--no-write", action="store_true", help="show the figures, but write no page")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="how many runs wait, sleep, close ..., against the usual 1"
    )
    return parser.parse_args(arguments)


def measure_all(bench: Bench, names: Sequence[str], kept: Path) -> list[str]:
    """Measure the sections and keep what they found; the names of those that failed."""
    kept.mkdir(parents=True, exist_ok=True)
    failed, commit = [], commit_here()
    for name in names:
        began = time.monotonic()
        file = kept / f"{name}.json"
        # A section that fails must not be told from the last time, as if it had been measured now.
        file.unlink(missing_ok=True)
        try:
            section = SECTIONS[name](bench).lasting(time.monotonic() - began, commit)
        except ChildError as error:
            failed.append(name)
            bench.view.warn(f"{name} could not be measured: {error}")
            continue
        file.write_bytes(msgspec.json.encode(section))
        bench.view.section_done(section)
    return failed


def commit_here() -> str:
    """The commit of the sources, with a plus where they have been changed since; empty where nobody knows."""
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--exclude=*", "--dirty=+"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout.strip() if told.returncode == 0 else ""


def load_all(kept: Path) -> list[Section]:
    """What was found, in this run of the bench or, for sections left out of it, in an earlier one."""
    files = [kept / f"{name}.json" for name in ORDER]
    return [msgspec.json.decode(file.read_bytes(), type=Section) for file in files if file.exists()]


def write_page(target: Path, sections: Sequence[Section], measured: Sequence[str], console: Console) -> None:
    target.write_text(page(sections), encoding="utf-8")
    old = [section.name for section in sections if section.name not in measured]
    missing = [name for name in ORDER if name not in {section.name for section in sections}]
    words = f"Written: {target}"
    if old:
        words += f"; from an earlier run of the bench: {', '.join(old)}"
    if missing:
        words += f"; missing: {', '.join(missing)}"
    console.print(words, soft_wrap=True, highlight=False, markup=False)


if __name__ == "__main__":
    sys.exit(main())
