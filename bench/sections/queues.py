"""What limits, priorities and circuit breakers cost: runs with them and without, in turns."""

from statistics import median
from typing import Any

from bench.context import Bench
from bench.results import Figure, Section, Table, number

SLACK_SECONDS = 120.0
WANTED = 0.95
PLENTY = 1_000_000
PAIRS_A_ROUND = 2


def measure(bench: Bench) -> Section:
    """The ratios of the processor's time, which other programs disturb less than the throughput."""
    scale = bench.scale
    found: dict[tuple[int, bool], list[dict[str, Any]]] = {}
    for turn in range(PAIRS_A_ROUND * scale.rounds):
        for activities in (1, 10):
            for is_used in (False, True):
                bench.view.doing(f"pair {turn + 1}: runs of {activities}, {'with' if is_used else 'without'} limits")
                measured = bench.measure(
                    "queued",
                    SLACK_SECONDS + 10 * scale.seconds,
                    activities=activities,
                    concurrency=scale.concurrency,
                    seconds=scale.seconds,
                    is_used=is_used,
                    slots=PLENTY,
                    limit=PLENTY,
                )
                found.setdefault((activities, is_used), []).append(measured)
    ratios = {
        activities: median(
            without["loop_us"] / used["loop_us"]
            for without, used in zip(found[activities, False], found[activities, True], strict=True)
        )
        for activities in (1, 10)
    }
    return Section(
        "queues",
        "Task queues and circuit breakers",
        "The same runs twice, in turns: plain ones, and ones whose activities have a priority, a fairness key, a limit "
        "key and a circuit breaker, on a task queue with all four limits set, none of which is ever reached. The ratio is "
        "that of the processor's time of the event loop's thread, which is what limits throughput; 1 would be no cost.",
        [
            Figure(
                label="everything used, of the plain throughput, runs of one activity",
                value=ratios[1],
                unit="",
                wanted=WANTED if scale.seconds >= 1 else None,
                more_is_better=True,
                limit="Each attempt is put down as it starts, and its event carries three attributes more; in Python that is a "
                "microsecond or two.",
            )
        ],
        [
            Table(
                "",
                ["", "plain, µs/run", "everything used, µs/run", "ratio"],
                [
                    [
                        f"runs of {activities}",
                        number(median(each["loop_us"] for each in found[activities, False])),
                        number(median(each["loop_us"] for each in found[activities, True])),
                        f"{ratios[activities]:.2f}",
                    ]
                    for activities in (1, 10)
                ],
            )
        ],
    )
