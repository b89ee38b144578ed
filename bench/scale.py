"""How much is measured: in full, quickly, or hardly at all (for the bench's own tests)."""

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True)
class Scale:
    """`seconds` is how long one measurement of throughput takes. Runs are counts; limits end a measurement early.

    `concurrency` is how many runs are in flight where throughput is measured, `concurrencies` what else is tried.
    `starts_at_once` is how many starts are under way where what stays in memory is measured, not what a rush takes.
    `kill_after_seconds` is how long all the runs are in flight before they are killed: with steps of a second, some
    attempts have then just ended, and some have just begun.
    """

    name: str
    rounds: int = 3
    seconds: float = 5.0
    concurrency: int = 1000
    concurrencies: tuple[int, ...] = (10, 100, 300, 1000, 3000)
    starts_at_once: int = 100
    waiting_runs: int = 10_000
    sleeping_runs: int = 1_000_000
    killed_runs: int = 10_000
    open_runs: int = 100_000
    closed_runs: int = 1_000_000
    searched_runs: int = 1_000_000
    schedules: int = 10_000
    idle_workers: int = 1_000
    rest_starts: int = 2_000
    quiet_seconds: float = 5.0
    window_runs: int = 20_000
    long_activities: int = 10_000
    short_activities: int = 100
    profiled_runs: int = 20_000
    counted_runs: int = 1_000
    growth_limit_seconds: float = 240.0
    kill_after_seconds: float = 1.5

    def by(self, factor: float) -> "Scale":
        """The same with `factor` times as many runs wherever their number is what matters."""
        if factor == 1:
            return self
        shrinking = (
            "waiting_runs",
            "sleeping_runs",
            "killed_runs",
            "open_runs",
            "closed_runs",
            "searched_runs",
            "profiled_runs",
        )
        counts = {field.name: getattr(self, field.name) for field in fields(self) if field.name in shrinking}
        scaled = {name: max(10, round(count * factor)) for name, count in counts.items()}
        return replace(self, name=f"{self.name}-{factor:g}", **scaled)


FULL = Scale("full")
QUICK = Scale(
    "quick",
    rounds=1,
    seconds=1.5,
    concurrencies=(100, 1000),
    sleeping_runs=30_000,
    killed_runs=2_000,
    open_runs=10_000,
    closed_runs=30_000,
    searched_runs=100_000,
    schedules=2_000,
    idle_workers=100,
    rest_starts=500,
    window_runs=3_000,
    long_activities=2_000,
    profiled_runs=3_000,
    counted_runs=0,
    growth_limit_seconds=20.0,
)
TINY = Scale(
    "tiny",
    rounds=1,
    seconds=0.05,
    concurrency=20,
    concurrencies=(5,),
    waiting_runs=20,
    sleeping_runs=50,
    killed_runs=20,
    open_runs=50,
    closed_runs=60,
    searched_runs=200,
    schedules=20,
    idle_workers=10,
    rest_starts=30,
    quiet_seconds=1.0,
    window_runs=20,
    long_activities=40,
    short_activities=10,
    profiled_runs=40,
    counted_runs=0,
    growth_limit_seconds=10.0,
    kill_after_seconds=0.1,
)
