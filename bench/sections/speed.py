"""Throughput and latency, against the peers, in interleaved rounds."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.context import Bench, Peer
from bench.peers.process import PeerError
from bench.perdure_child.load import percentile
from bench.results import Figure, Section, Table, medians, number, pair, times
from bench.sections.machine import PREALLOCATED_BYTES, sync_times_ms

PERDURE = "Perdure"
SLACK_SECONDS = 120.0
"""On top of what a measurement should take: a process's start, its warm-up, a slow machine."""

TRIAL_RUNS = 50
ALONE_SECONDS_SHARE = 0.4
"""Runs alone settle sooner than throughput does."""


@dataclass(frozen=True)
class Kind:
    """One kind of load: how many activities a run has, and whether it is alone."""

    name: str
    activities: int
    is_alone: bool = False


ONE = Kind("runs of one activity", 1)
TEN = Kind("runs of ten activities in sequence", 10)
ALONE = Kind("one run alone", 1, is_alone=True)
KINDS = (ONE, TEN, ALONE)

# By engine, kind and runs in flight, what each round found.
Found = dict[tuple[str, Kind, int], list[dict[str, Any]]]


def measure(bench: Bench) -> Section:
    found: Found = defaultdict(list)
    failed: dict[str, str] = {}
    for turn in range(bench.scale.rounds):
        prefix = f"round {turn + 1} of {bench.scale.rounds}"
        for kind in KINDS:
            concurrency = 1 if kind.is_alone else bench.scale.concurrency
            bench.view.doing(f"{prefix}: {PERDURE}, {kind.name}")
            found[PERDURE, kind, concurrency].append(perdure(bench, kind, concurrency))
        for peer in bench.peers:
            if peer.name not in failed:
                try:
                    measure_peer(bench, peer, prefix, found)
                except PeerError as error:
                    failed[peer.name] = str(error).splitlines()[0]
                    bench.view.warn(f"{peer.title} could not be measured: {error}")
    with bench.fresh_folder() as folder:
        sync_ms = percentile(sync_times_ms(folder / "synced", 100, PREALLOCATED_BYTES), 50)
    others = []
    for concurrency in bench.scale.concurrencies:
        bench.view.doing(f"{PERDURE}, {concurrency:,} runs in flight")
        others.append((concurrency, perdure(bench, ONE, concurrency)))
    return Section(
        "speed",
        "Speed",
        text(bench, failed),
        figures(found, sync_ms),
        [comparison(bench, found), details(bench, found), in_flight(others)],
    )


def perdure(bench: Bench, kind: Kind, concurrency: int) -> dict[str, Any]:
    """One measurement of Perdure, in a fresh process, over a fresh file."""
    seconds = bench.scale.seconds * (ALONE_SECONDS_SHARE if kind.is_alone else 1)
    options = {"activities": kind.activities, "concurrency": concurrency, "seconds": seconds}
    measured = bench.measure("throughput", SLACK_SECONDS + 10 * seconds, **options)
    return measured | {"activities_per_second": measured["runs_per_second"] * kind.activities}


def measure_peer(bench: Bench, peer: Peer, prefix: str, found: Found) -> None:
    """One round of a peer: all kinds, each with the numbers of runs in flight that are worth it."""
    bench.view.doing(f"{prefix}: starting {peer.title}")
    with peer.open() as running:
        for kind in KINDS:
            for concurrency in (1,) if kind.is_alone else peer.concurrencies:
                bench.view.doing(f"{prefix}: {peer.title}, {kind.name}, {concurrency:,} in flight")
                seconds = bench.scale.seconds * (ALONE_SECONDS_SHARE if kind.is_alone else 1)
                # How many runs take so long is found by trying, since peers differ by orders of magnitude.
                trial = running.throughput(
                    max(TRIAL_RUNS // kind.activities, concurrency), kind.activities, concurrency
                )
                runs = max(round(trial.runs_per_second * seconds), 2 * concurrency, 20)
                if kind.is_alone:
                    result = running.alone(runs)
                else:
                    result = running.throughput(runs, kind.activities, concurrency)
                found[peer.name, kind, concurrency].append(
                    {
                        "runs_per_second": result.runs_per_second,
                        "activities_per_second": result.activities_per_second,
                        "p50_ms": result.p50_ms,
                        "p99_ms": result.p99_ms,
                    }
                )


def best(found: Found, engine: str, kind: Kind) -> tuple[int, dict[str, float]] | None:
    """How many runs in flight were best for an engine, and the medians over the rounds."""
    of_engine = [(key[2], medians(rounds)) for key, rounds in found.items() if key[:2] == (engine, kind) and rounds]
    return max(of_engine, key=lambda each: each[1]["runs_per_second"], default=None)


def own(found: Found, kind: Kind) -> dict[str, float]:
    """Perdure's medians."""
    measured = best(found, PERDURE, kind)
    assert measured is not None
    return measured[1]


def figures(found: Found, sync_ms: float) -> Sequence[Figure]:
    one, ten, alone = (own(found, kind) for kind in KINDS)
    return [
        Figure(
            label="runs of one activity",
            value=one["runs_per_second"],
            unit="runs/s",
            wanted=10_000,
            aim=20_000,
            more_is_better=True,
            limit=throughput_limit(one, "run", one["runs_per_second"]),
        ),
        Figure(
            label="activities, in runs of ten",
            value=ten["activities_per_second"],
            unit="activities/s",
            wanted=30_000,
            aim=60_000,
            more_is_better=True,
            limit=throughput_limit(ten, "run of ten activities", ten["runs_per_second"]),
        ),
        Figure(
            label="one run alone, median",
            value=alone["p50_ms"],
            unit="ms",
            wanted=0.5,
            limit="A run is two commits, one after the other, and each is synced, for which the disk alone took "
            f"{number(sync_ms)} ms (median, just before). The run takes {number(alone['cpu_us'] / 1000)} ms of the "
            f"processor, {number(alone['loop_us'] / 1000)} ms of it on the event loop's thread. What is left is the "
            "threads waking each other, and whatever else the machine does.",
        ),
    ]


def throughput_limit(measured: dict[str, float], what: str, rate: float) -> str:
    busy = measured["loop_share"]
    sentence = (
        f"The event loop's thread is busy {busy:.0%} of the time, with {number(measured['loop_us'])} µs of the "
        f"processor for each {what}; {number(measured['cpu_us'] - measured['loop_us'])} µs more are the threads' "
        "that write. "
    )
    if busy > 0.85:
        return sentence + "So Python on that one thread is the limit, not the disk."
    return sentence + (
        f"So the thread waits {1 - busy:.0%} of the time: for the disk, for the interpreter's lock, or for a processor."
    )


def comparison(bench: Bench, found: Found) -> Table:
    """The ratios."""
    engines = [peer for peer in bench.peers if best(found, peer.name, ONE) is not None]
    columns = ["", PERDURE, *(peer.name for peer in engines), *(f"Perdure to {peer.name}" for peer in engines)]
    lines: list[tuple[str, Kind, str, bool]] = [
        ("runs of one activity per second", ONE, "runs_per_second", True),
        ("activities per second, in runs of ten", TEN, "activities_per_second", True),
        ("one run alone, median, ms", ALONE, "p50_ms", False),
        ("one run alone, p99, ms", ALONE, "p99_ms", False),
    ]
    rows = []
    for label, kind, name, more_is_better in lines:
        ours = own(found, kind)[name]
        theirs = [measured[1][name] for peer in engines if (measured := best(found, peer.name, kind))]
        ratios = [ours / their if more_is_better else their / ours for their in theirs]
        rows.append([label, number(ours), *map(number, theirs), *map(times, ratios)])
    return Table(
        "Perdure and its peers",
        columns,
        rows,
        "A ratio above 1 is in Perdure's favour. For each engine, the number of runs in flight that served it best.",
    )


def details(bench: Bench, found: Found) -> Table:
    """Latencies under load, and how much the rounds differ."""
    rows = []
    for engine in [PERDURE, *(peer.name for peer in bench.peers)]:
        for kind in KINDS:
            measured = best(found, engine, kind)
            if measured is None:
                continue
            concurrency, middle = measured
            rounds = [each["runs_per_second"] for each in found[engine, kind, concurrency]]
            rows.append(
                [
                    f"{engine}, {kind.name}",
                    f"{concurrency:,}",
                    number(middle["runs_per_second"]),
                    pair(middle["p50_ms"], middle["p99_ms"]),
                    f"{number(min(rounds))} to {number(max(rounds))}",
                ]
            )
    columns = ["", "in flight", "runs/s", "p50 / p99, ms", "runs/s by round"]
    return Table("Latency under load, and the rounds", columns, rows)


def in_flight(others: Sequence[tuple[int, dict[str, Any]]]) -> Table:
    """What the number of runs in flight does to Perdure."""
    rows = [
        [
            f"{concurrency:,}",
            number(measured["runs_per_second"]),
            pair(measured["p50_ms"], measured["p99_ms"]),
            number(measured["cpu_us"]),
            number(measured["loop_us"]),
            f"{measured['loop_share']:.0%}",
            number(measured["runs_per_sync"]) if measured["runs_per_sync"] else "",
        ]
        for concurrency, measured in others
    ]
    return Table(
        "Perdure, runs of one activity, by how many are in flight",
        [
            "in flight",
            "runs/s",
            "p50 / p99, ms",
            "CPU, µs/run",
            "of it the event loop's",
            "its thread busy",
            "runs/sync",
        ],
        rows,
        "Measured once each. Syncs are all that the disk was asked for meanwhile, other programs' included.",
    )


def text(bench: Bench, failed: dict[str, str]) -> str:
    scale = bench.scale
    peers = "; ".join(peer.title for peer in bench.peers) or "none"
    absent = "".join(f" {name} is missing: {why}" for name, why in {**bench.absent, **failed}.items())
    return (
        "Workflows of one activity, and of ten in sequence, each returning its input. Every run is started and "
        "awaited by a caller, and its result compared; latencies are the caller's, from asking to having the "
        "result. All that is answered has been synced (`synchronous=FULL`, or the peer's own durable setting). "
        f"Perdure has {scale.concurrency:,} runs in flight, or one alone. Each measurement takes about "
        f"{scale.seconds:g} s after a warm-up, in a fresh process over a fresh file; figures are medians of "
        f"{scale.rounds} rounds, in each of which all engines have their turn. Peers: {peers}.{absent} How they are "
        "set up is in `bench/peers/README.md`."
    )
