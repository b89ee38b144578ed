"""Schedules that are due in the same second: how soon their runs start, and what it costs the runs of others."""

from bench.context import Bench
from bench.results import Figure, Section, number

START_SECONDS = 5.0
DELAY_MS = 50.0
SCHEDULES = 10_000


def measure(bench: Bench) -> Section:
    scale = bench.scale
    bench.view.doing(f"{scale.schedules:,} schedules due at once")
    found = bench.measure("due_at_once", 300, schedules=scale.schedules, quiet_seconds=scale.quiet_seconds)
    is_asked = scale.schedules >= SCHEDULES
    quiet, rush = found["quiet"], found["rush"]
    figures = [
        Figure(
            label=f"{scale.schedules:,} schedules due in one second: until all runs have started",
            value=found["all_started_seconds"],
            unit="s",
            wanted=START_SECONDS if is_asked else None,
            limit="Each is a timer, two turns and the start of the run, recorded at once; most are read first, "
            "since only so many stay in memory. What the runs do comes after that.",
        ),
        Figure(
            label="meanwhile, other runs' p99: how much longer",
            value=max(0.0, rush["p99_ms"] - quiet["p99_ms"]),
            unit="ms",
            wanted=DELAY_MS if is_asked else None,
            limit="The rush takes turns with other runs on one event loop, three milliseconds of it at a time.",
        ),
    ]
    return Section(
        "schedules",
        "Schedules",
        f"{scale.schedules:,} schedules are due at one instant, and each starts a run of one activity. Beside them others execute "
        f"50 such runs a second, timed from when each was to be asked for: p99 is {number(quiet['p99_ms'])} ms before that instant "
        f"({quiet['runs']:,} runs), and {number(rush['p99_ms'])} ms from then until all have started ({rush['runs']:,} runs). "
        f"Schedules were created at {number(found['created_per_second'])} a second.",
        figures,
    )
