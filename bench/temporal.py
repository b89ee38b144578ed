"""`python -m bench.temporal`: a worker in Temporal's own Python SDK against our server, and against Temporal's in the same run.

Server and load are processes of their own: the load has the worker, which is the SDK's core in Rust, and the callers, so
both compete for what the server leaves of the machine. Both servers keep their runs in a
file, or both in memory. A peer is measured where its
program or its address is named; nothing of it is part of this project.
"""

import argparse
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from rich.console import Console

from bench.processes import ROOT
from bench.results import Figure, Section, Table, number, times
from bench.terminal import show_section

OURS = "Perdure"
WANTED_RUNS = 400.0
START_SECONDS = 60.0
SLACK_SECONDS = 90.0
LIMIT = (
    "The worker and its callers, in Python, take more of the processors than the server does; the table says how much each "
    "takes for a run."
)


@dataclass(frozen=True)
class Target:
    """A server to measure: started by a command that takes a port and a file, or running at an address."""

    name: str
    command: Sequence[str] = ()
    address: str = ""

    @contextmanager
    def running(self, folder: Path, in_memory: bool) -> Iterator[tuple[str, psutil.Process | None]]:
        """Its address, and its process where it was started here."""
        if self.address:
            yield self.address, None
            return
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        store = [] if in_memory else ["--db-filename", str(folder / "work.db")]
        command = [*self.command, "--port", str(port), *store]
        with (folder / "server.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_for(port, process, folder)
            yield f"127.0.0.1:{port}", psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(port: int, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Until something listens there. Raises SystemExit if nothing does."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                said = (folder / "server.log").read_text(errors="replace")[-2000:]
                raise SystemExit(f"the server did not start:\n{said}") from None
            time.sleep(0.05)


def processor_seconds(process: psutil.Process | None) -> float:
    """What a process has used so far; nan of one that was not started here."""
    if process is None:
        return float("nan")
    spent = process.cpu_times()
    return float(spent.user + spent.system)


def measure(target: Target, options: argparse.Namespace) -> dict[str, float]:
    """One measurement, over a fresh file."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-temporal-")))
        address, server = stack.enter_context(target.running(folder, options.memory))
        load = subprocess.Popen(
            [sys.executable, "-m", "bench.temporal_load", address, str(options.concurrency), str(options.seconds)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert load.stdout is not None
            before = float("nan")
            for line in load.stdout:
                said: dict[str, Any] = json.loads(line)
                if said.pop("warm", False):
                    before = processor_seconds(server)
                else:
                    spent = processor_seconds(server) - before
                    return {**said, "server_ms": spent / max(1, said["runs"]) * 1000}
            raise SystemExit(f"the load against {target.name} ended with exit code {load.wait()}")
        finally:
            load.kill()
            load.wait()


def targets(options: argparse.Namespace) -> list[Target]:
    """Ours, and the peer if it is named."""
    found = [Target(OURS, [sys.executable, "-m", "perdure", "server", "--temporal-dev"])]
    if options.peer:
        found.append(Target("Temporal", address=options.peer))
    elif options.peer_binary:
        program = shutil.which(options.peer_binary)
        if program is None:
            raise SystemExit(
                f"{options.peer_binary} is no program; --peer-binary takes the path of Temporal's command line."
            )
        found.append(Target("Temporal", [program, "server", "start-dev", "--headless", "--log-level", "error"]))
    return found


def section(found: dict[str, list[dict[str, float]]], where: str) -> Section:
    """What is shown."""
    medians = {name: {key: median(each[key] for each in all_) for key in all_[0]} for name, all_ in found.items()}
    ours = medians[OURS]
    figures = [
        Figure(
            label="runs of one activity, by Temporal's Python SDK",
            value=ours["runs_per_second"],
            unit="runs/s",
            wanted=WANTED_RUNS,
            more_is_better=True,
            limit=LIMIT,
        ),
        Figure(label="the server's processor time for a run", value=ours["server_ms"], unit="ms"),
    ]
    names = list(medians)
    rows = []
    for label, key, more_is_better in (
        ("runs per second", "runs_per_second", True),
        ("server's processor time a run, ms", "server_ms", False),
        ("worker's and callers' processor time a run, ms", "load_ms", False),
        ("time of a run, median, ms", "p50_ms", False),
        ("time of a run, p99, ms", "p99_ms", False),
    ):
        values = [medians[name][key] for name in names]
        row = [label, *("not known" if value != value else number(value) for value in values)]
        if len(names) > 1:
            ratio = values[0] / values[1] if more_is_better else values[1] / values[0]
            row.append("" if ratio != ratio else times(ratio))
        rows.append(row)
    columns = ["", *names, *(["ratio"] if len(names) > 1 else [])]
    note = (
        "A ratio above 1 is in Perdure's favour."
        if len(names) > 1
        else "Name a Temporal server to compare with: --peer, --peer-binary."
    )
    return Section(
        "temporal",
        "Temporal's Python SDK",
        f"A server in a process of its own, {where}; a worker and callers in another; over loopback.",
        figures,
        [Table("", columns, rows, note)],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure in turns and show. The exit code: 0 whatever the figures are."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.temporal", description="Measure runs by Temporal's own Python SDK against our server."
    )
    parser.add_argument("--peer", metavar="HOST:PORT", help="a Temporal server that runs, to measure in the same turns")
    parser.add_argument(
        "--peer-binary", metavar="PATH", help="Temporal's command line, whose development server is started for it"
    )
    parser.add_argument("--memory", action="store_true", help="keep runs in memory instead of a file, both servers")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long each measurement takes")
    parser.add_argument("--concurrency", type=int, default=50, help="runs in flight")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    console = Console()
    if not console.is_terminal:
        console = Console(width=150)
    began = time.monotonic()
    found: dict[str, list[dict[str, float]]] = {}
    for turn in range(options.rounds):
        for target in targets(options):
            console.print(f"round {turn + 1} of {options.rounds}: {target.name}", highlight=False)
            found.setdefault(target.name, []).append(measure(target, options))
    where = "in memory" if options.memory else "over a file"
    measured = section(found, where).lasting(time.monotonic() - began)
    show_section(console, measured)
    for figure in measured.figures:
        console.print(
            f"{figure.label}: {number(figure.value)} {figure.unit}  {figure.demand}  {figure.verdict}", highlight=False
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
