"""State machines in the Amazon States Language: executions, state transitions, TestState, and the items of a Map."""

from statistics import median

from bench.context import Bench
from bench.results import Figure, Section, Table, number, times

SLACK_SECONDS = 120.0


def measure(bench: Bench) -> Section:
    """Each figure is the median of the rounds."""
    scale = bench.scale
    found = []
    for turn in range(scale.rounds):
        bench.view.doing(f"round {turn + 1}: executions, transitions and Maps")
        found.append(
            bench.measure(
                "machines",
                SLACK_SECONDS + 10 * scale.seconds,
                concurrency=min(scale.concurrency, 300),
                seconds=scale.seconds,
                items=scale.long_activities,
                few_items=scale.short_activities,
            )
        )

    def of(name: str) -> float:
        return float(median(each[name] for each in found))

    def asked(value: float) -> float | None:
        return value if scale.seconds >= 1 else None

    ratio = median(each["many_us"] / each["few_us"] for each in found)
    return Section(
        "machines",
        "State machines",
        "Machines in the Amazon States Language, run by the engine's interpreter in one process. An execution has five "
        "states: Pass, Choice, Task on a local function, Wait of no seconds, Succeed. Transitions are those of machines of "
        "a hundred states. The Map's items are each a Task on a local function. TestState tries one Pass state with an "
        "intrinsic function.",
        [
            Figure(
                label="executions of five states",
                value=of("executions_per_second"),
                unit="/s",
                wanted=asked(2_000),
                more_is_better=True,
                limit="Two turns, an activity and AWS's ten events for each; all of it is Python in one thread.",
            ),
            Figure(
                label="state transitions",
                value=of("transitions_per_second"),
                unit="/s",
                wanted=asked(15_000),
                more_is_better=True,
                limit="Each is two of AWS's events, written with the turn.",
            ),
            Figure(
                label=f"an item of a Map of {scale.long_activities:,}, of one of {scale.short_activities:,}",
                value=ratio,
                unit="",
                wanted=asked(2),
                limit="What is saved does not grow; what is in memory does.",
            ),
            Figure(
                label="a TestState call, without the wire",
                value=of("test_state_ms"),
                unit="ms",
                wanted=asked(2),
                limit="The definition is checked anew for each call.",
            ),
            Figure(
                label="a TestState call, over the wire",
                value=of("test_state_wire_ms"),
                unit="ms",
                wanted=asked(2),
                limit="Raw HTTP on the loopback interface; boto3's own time comes on top of it.",
            ),
            Figure(
                label="executions started over the wire",
                value=of("starts_per_second"),
                unit="/s",
                more_is_better=True,
                limit="StartExecution of a machine of one state, in memory; server and caller in one thread.",
            ),
        ],
        [
            Table(
                "",
                ["", "here", "AWS, Standard, per account and region"],
                [
                    ["executions started", f"{number(of('executions_per_second'))}/s", "300/s, bursts of 1,300"],
                    [
                        "state transitions",
                        f"{number(of('transitions_per_second'))}/s",
                        "5,000/s in three regions, 800/s elsewhere",
                    ],
                    ["µs of processor an item, few items", number(of("few_us")), "-"],
                    ["µs of processor an item, many items", number(of("many_us")), "-"],
                    ["many, of few", times(ratio), "-"],
                ],
                "AWS's are the default quotas of its documentation, in tokens a second.",
            )
        ],
    )
