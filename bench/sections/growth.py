"""What becomes of the speed as runs close by the million, and as a history grows long."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from bench.context import Bench
from bench.perdure_child.memory import DAY_SECONDS
from bench.results import Figure, Section, Table, number, times
from bench.sections.recovery import Taken, kill_and_take_up

CLOSED_RUNS = 1_000_000
LONG_ACTIVITIES = 10_000
LEAST_RATIO = 0.9
MOST_RATIO = 1.1
"""A cost that "does not grow" may still be measured a tenth higher."""

COMPARED_WINDOWS = 5
SHOWN_WINDOWS = 10


def measure(bench: Bench) -> Section:
    scale = bench.scale
    closing = {
        name: measure_closing(bench, name, is_random) for name, is_random in (("in sequence", False), ("random", True))
    }
    bench.view.doing(f"runs of {scale.long_activities:,} activities against runs of {scale.short_activities:,}")
    long = bench.measure(
        "long_history", 300, long=scale.long_activities, short=scale.short_activities, rounds=max(scale.rounds, 2)
    )
    taken = {
        activities: kill_and_take_up(
            bench, f"a run of {activities:,} activities", 1, "activity", quick=activities, seconds=DAY_SECONDS
        )
        for activities in (scale.short_activities, scale.long_activities)
    }
    figures = [closing_figure(bench, name, found) for name, found in closing.items()]
    figures.append(
        Figure(
            label=f"an activity in a run of {scale.long_activities:,}, against one in a run of "
            f"{scale.short_activities:,}",
            value=long["long_us"] / long["short_us"],
            unit="× the time",
            wanted=MOST_RATIO if scale.long_activities >= LONG_ACTIVITIES else None,
            limit=f"The processor's time alone: {number(long['long_cpu_us'])} µs against "
            f"{number(long['short_cpu_us'])} µs.",
        )
    )
    return Section(
        "growth",
        "As things grow",
        f"Runs of one activity close, {scale.concurrency:,} in flight, in windows of {scale.window_runs:,}, with "
        "workflow ids of the caller's, in sequence or random. The first windows are compared with the last, those "
        f"after the count was reached (medians of up to {COMPARED_WINDOWS}). Then one run of "
        f"{scale.long_activities:,} activities in sequence against as many activities in runs of "
        f"{scale.short_activities:,}, one run at a time, by turns, warm. Last, a run is killed after so many "
        "activities, in one more, and taken up by another process.",
        figures,
        [closing_table(closing), windows_table(closing), long_table(bench, long), taken_table(taken)],
    )


def measure_closing(bench: Bench, name: str, is_random: bool) -> dict[str, Any]:
    scale = bench.scale
    bench.view.doing(f"{scale.closed_runs:,} closed runs, ids {name}")
    found = bench.measure(
        "closing",
        120 + 2 * scale.growth_limit_seconds,
        runs=scale.closed_runs,
        window=scale.window_runs,
        windows_after=COMPARED_WINDOWS,
        concurrency=scale.concurrency,
        is_random=is_random,
        seconds=scale.seconds,
        limit_seconds=scale.growth_limit_seconds,
    )
    if found["closed"] < scale.closed_runs:
        bench.view.warn(f"Only {found['closed']:,} runs closed in time, ids {name}.")
    return found


def compared(found: dict[str, Any], name: str) -> tuple[float, float]:
    """The medians of the first windows and of the last, without overlap."""
    windows = [window[name] for window in found["windows"]]
    count = compared_windows(found)
    return median(windows[:count]), median(windows[-count:])


def compared_windows(found: dict[str, Any]) -> int:
    return max(1, min(COMPARED_WINDOWS, len(found["windows"]) // 2))


def closed_before(found: dict[str, Any]) -> int:
    """How many runs had closed before the last windows began."""
    return int(sum(window["runs"] for window in found["windows"][: -compared_windows(found)]))


def closing_figure(bench: Bench, name: str, found: dict[str, Any]) -> Figure:
    first, last = compared(found, "runs_per_second")
    first_cpu, last_cpu = compared(found, "cpu_us")
    return Figure(
        label=f"throughput after {closed_before(found):,} closed runs, ids {name}",
        value=last / first,
        unit="× that of the start",
        wanted=LEAST_RATIO if closed_before(found) >= CLOSED_RUNS else None,
        more_is_better=True,
        limit=f"The processor's time for each run went from {number(first_cpu)} to {number(last_cpu)} µs.",
    )


def closing_table(closing: dict[str, dict[str, Any]]) -> Table:
    rows = []
    for name, found in closing.items():
        first, last = compared(found, "runs_per_second")
        first_cpu, last_cpu = compared(found, "cpu_us")
        first_p99, last_p99 = compared(found, "p99_ms")
        rows.append(
            [
                f"ids {name}",
                f"{closed_before(found):,}",
                number(first),
                number(last),
                times(last / first),
                f"{number(first_cpu)} to {number(last_cpu)}",
                f"{number(first_p99)} to {number(last_p99)}",
                number(found["stored_mb"] * 1e6 / found["closed"]),
            ]
        )
    columns = ["", "closed before", "runs/s first", "runs/s last", "ratio", "CPU, µs/run", "p99, ms", "bytes per run"]
    return Table("Throughput as runs close", columns, rows)


def windows_table(closing: dict[str, dict[str, Any]]) -> Table:
    """About ten rows, each the median of the windows up to there."""
    rows = []
    windows: Sequence[Any] = next(iter(closing.values()))["windows"]
    count = min(len(found["windows"]) for found in closing.values())
    size = max(1, count // SHOWN_WINDOWS)
    for begin in range(0, count - size + 1, size):
        rates = [
            median(window["runs_per_second"] for window in found["windows"][begin : begin + size])
            for found in closing.values()
        ]
        rows.append([f"{sum(window['runs'] for window in windows[: begin + size]):,}", *map(number, rates)])
    return Table("The way there", ["closed up to", *(f"runs/s, ids {name}" for name in closing)], rows)


def long_table(bench: Bench, found: dict[str, Any]) -> Table:
    scale = bench.scale
    segments = found["segments_us"]
    rows = [
        [f"in runs of {scale.short_activities:,}", number(found["short_us"]), number(found["short_cpu_us"]), "", ""],
        [
            f"in a run of {scale.long_activities:,}",
            number(found["long_us"]),
            number(found["long_cpu_us"]),
            number(segments[0]),
            number(segments[-1]),
        ],
    ]
    columns = ["one activity", "µs", "of the processor, µs", "in its first tenth, µs", "in its last tenth, µs"]
    return Table("A long history", columns, rows)


def taken_table(taken: dict[int, Taken]) -> Table:
    rows = [
        [f"{activities:,}", "" if each.open_first is None else number(each.open_first * 1000)]
        for activities, each in taken.items()
    ]
    columns = ["activities before the kill", "its next step begins, ms from opening the store"]
    return Table("Taking up a long run", columns, rows, "The history is read and folded, and the program replayed.")
