"""The server form, against a peer that has one: server, worker and callers in processes of their own."""

from collections import defaultdict
from contextlib import ExitStack
from typing import Any

from bench.context import Bench
from bench.peers.process import PeerError
from bench.results import Figure, Section, Table, number, times
from bench.sections.speed import ALONE, KINDS, ONE, PERDURE, SLACK_SECONDS, TEN, Found, Kind, best, measure_peer

PEER = "Restate"


def measure(bench: Bench) -> Section:
    """Rounds of all kinds of load, in turns with the peer; then what idle workers and REST cost."""
    scale = bench.scale
    found: Found = defaultdict(list)
    peers = [peer for peer in bench.peers if peer.name == PEER]
    for turn in range(scale.rounds):
        prefix = f"round {turn + 1} of {scale.rounds}"
        for kind in KINDS:
            bench.view.doing(f"{prefix}: {PERDURE}'s server, {kind.name}")
            concurrency = 1 if kind.is_alone else min(scale.concurrency, 300)
            found[PERDURE, kind, concurrency].append(served(bench, kind, concurrency))
        for peer in peers:
            try:
                measure_peer(bench, peer, prefix, found)
            except PeerError as error:
                bench.view.warn(f"{peer.title} could not be measured: {error}")
                peers = []
    bench.view.doing(f"{scale.idle_workers:,} idle workers")
    idle = idle_workers(bench)
    bench.view.doing("starts over REST")
    rest = rest_starts(bench)
    one, ten, alone = (mine(found, kind) for kind in KINDS)

    def asked(wanted: float) -> float | None:
        """Nothing is asked of hardly any load."""
        return wanted if scale.seconds >= 1 else None

    return Section(
        "server",
        "The server",
        "A server, one Python worker and the callers, three processes on this machine that talk over loopback.",
        [
            Figure(
                label="runs of one activity, with a server",
                value=one["runs_per_second"],
                unit="runs/s",
                wanted=asked(3_000),
                more_is_better=True,
                limit=LIMIT,
            ),
            Figure(
                label="activities in runs of ten, with a server",
                value=ten["runs_per_second"] * 10,
                unit="activities/s",
                wanted=asked(15_000),
                more_is_better=True,
                limit=LIMIT,
            ),
            Figure(
                label="one run alone with a server, median",
                value=alone["p50_ms"],
                unit="ms",
                wanted=asked(2.0),
                limit=ALONE_LIMIT,
            ),
            Figure(
                label=f"a server with {scale.idle_workers:,} idle workers",
                value=idle["resident_mb"],
                unit="MB",
                wanted=asked(200.0),
                limit=IDLE_LIMIT,
            ),
            Figure(
                label=f"a server with {scale.idle_workers:,} idle workers, of a processor",
                value=idle["processor_share"] * 100,
                unit="%",
                wanted=asked(5.0),
                limit=IDLE_LIMIT,
            ),
            Figure(
                label="a start over REST, of the server's processor, median",
                value=rest["server_ms"],
                unit="ms",
                wanted=asked(1.0),
                limit="Reading the request, deciding, encoding and answering, in Python.",
            ),
        ],
        [comparison(found)],
    )


LIMIT = (
    "Three processes share two processors: a run takes the server's engine and messages, the worker's turns and "
    "activities, and the caller's share. The server's one thread is busy all the time: it hears and answers twice for each "
    "activity, once for its end and once for the turn that follows, before both are one commit."
)
IDLE_LIMIT = (
    "Each has two connections of its own, as worker and as client, with their buffers, and a word on each now and then."
)

ALONE_LIMIT = (
    "A run is a call, two turns and an activity: four ways there and back, each of which wakes two processes, and two "
    "transactions that are synced."
)


def served(bench: Bench, kind: Kind, concurrency: int) -> dict[str, Any]:
    """One measurement, over a fresh file."""
    seconds = bench.scale.seconds * (0.4 if kind.is_alone else 1)
    with ExitStack() as stack:
        folder = stack.enter_context(bench.fresh_folder())
        server = stack.enter_context(bench.child("serve", folder))
        url = server.hear("ready", SLACK_SECONDS)["url"]
        stack.enter_context(bench.child("work", folder, url=url)).hear("ready", SLACK_SECONDS)
        caller = bench.child(
            "call", folder, url=url, activities=kind.activities, concurrency=concurrency, seconds=seconds
        )
        measured = stack.enter_context(caller).hear("result", SLACK_SECONDS + 10 * seconds)
    return measured | {"activities_per_second": measured["runs_per_second"] * kind.activities}


def idle_workers(bench: Bench) -> dict[str, Any]:
    """What they cost the server."""
    with ExitStack() as stack:
        folder = stack.enter_context(bench.fresh_folder())
        ready = stack.enter_context(bench.child("serve", folder)).hear("ready", SLACK_SECONDS)
        workers = bench.child("idle_workers", folder, url=ready["url"], workers=bench.scale.idle_workers)
        stack.enter_context(workers).hear("result", SLACK_SECONDS + bench.scale.idle_workers)
        return bench.measure("look", SLACK_SECONDS, pid=ready["pid"], seconds=bench.scale.seconds)


def rest_starts(bench: Bench) -> dict[str, Any]:
    """What a start takes its caller, and the server's processor; medians."""
    starts = bench.scale.rest_starts
    with ExitStack() as stack:
        folder = stack.enter_context(bench.fresh_folder())
        ready = stack.enter_context(bench.child("serve", folder)).hear("ready", SLACK_SECONDS)
        server = {"url": ready["url"], "pid": ready["pid"]}
        warm = stack.enter_context(bench.child("rest_starts", folder, starts=max(10, starts // 5), **server))
        warm.hear("result", SLACK_SECONDS)
        caller = bench.child("rest_starts", folder, starts=starts, **server)
        return stack.enter_context(caller).hear("result", SLACK_SECONDS)


def mine(found: Found, kind: Kind) -> dict[str, float]:
    """Perdure's medians."""
    measured = best(found, PERDURE, kind)
    assert measured is not None
    return measured[1]


def comparison(found: Found) -> Table:
    """The ratios."""
    rows = []
    lines: list[tuple[str, Kind, str, bool]] = [
        ("runs of one activity per second", ONE, "runs_per_second", True),
        ("activities per second, in runs of ten", TEN, "activities_per_second", True),
        ("one run alone, median, ms", ALONE, "p50_ms", False),
        ("one run alone, p99, ms", ALONE, "p99_ms", False),
    ]
    for label, kind, name, more_is_better in lines:
        ours = mine(found, kind)[name]
        measured = best(found, PEER, kind)
        if measured is None:
            rows.append([label, number(ours), "", ""])
        else:
            their = measured[1][name]
            rows.append([label, number(ours), number(their), times(ours / their if more_is_better else their / ours)])
    return Table("", ["", "Perdure's server", PEER, "ratio"], rows, "A ratio above 1 is in Perdure's favour.")
