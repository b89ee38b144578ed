"""The comparison with peers: fake ones, since the real ones are installed only for the bench."""

from collections import defaultdict
from contextlib import contextmanager

import pytest
from bench.context import Bench, Peer
from bench.peers.process import PeerError
from bench.peers.result import Result
from bench.scale import TINY
from bench.sections import speed
from bench.sections.speed import ALONE, ONE, TEN


class SilentView:
    def __init__(self):
        self.warnings = []

    def doing(self, what): ...
    def progress(self, done, total): ...
    def warn(self, what):
        self.warnings.append(what)

    def section_done(self, section): ...


class FakePeer:
    """Best with four in flight; every activity takes 10 ms."""

    def throughput(self, runs, activities, concurrency):
        each = activities * 0.01
        return Result(runs, activities, runs * each / min(concurrency, 4), [each * 1000] * runs)

    def alone(self, runs):
        return self.throughput(runs, 1, 1)


class BrokenPeer(FakePeer):
    def throughput(self, runs, activities, concurrency):
        raise PeerError("it ended\nand here is its log")


def peer(name, running):
    @contextmanager
    def opened():
        yield running

    return Peer(name, f"{name} 1.0", (1, 4), opened)


@pytest.fixture
def perdure(monkeypatch):
    """Perdure as a constant, so that the test is about the comparison."""

    def measured(bench, kind, concurrency):
        rate = {ONE: 10_000.0, TEN: 4_000.0, ALONE: 2_000.0}[kind]
        return {
            "runs_per_second": rate,
            "activities_per_second": rate * kind.activities,
            "p50_ms": 0.5,
            "p99_ms": 1.0,
            "cpu_us": 90.0,
            "loop_us": 60.0,
            "loop_share": 0.6,
            "runs_per_sync": None,
        }

    monkeypatch.setattr(speed, "perdure", measured)


def test_peers_are_measured_with_the_number_in_flight_that_serves_them_best(tmp_path, perdure):
    section = speed.measure(Bench(tmp_path, TINY, SilentView(), [peer("Fake", FakePeer())]))
    comparison = section.tables[0]
    assert comparison.columns == ["", "Perdure", "Fake", "Perdure to Fake"]
    assert comparison.rows[0] == ["runs of one activity per second", "10,000", "400", "25.0×"]
    assert comparison.rows[1] == ["activities per second, in runs of ten", "40,000", "400", "100×"]
    assert comparison.rows[2] == ["one run alone, median, ms", "0.500", "10.0", "20.0×"]


def test_a_peer_that_fails_is_named_and_the_rest_is_measured(tmp_path, perdure):
    view = SilentView()
    peers = [peer("Broken", BrokenPeer()), peer("Fake", FakePeer())]
    section = speed.measure(Bench(tmp_path, TINY, view, peers, {"Other": "not installed."}))
    assert section.tables[0].columns == ["", "Perdure", "Fake", "Perdure to Fake"]
    assert "Broken is missing: it ended" in section.text
    assert "Other is missing: not installed." in section.text
    assert len(view.warnings) == 1


def test_each_round_is_kept(tmp_path):
    found: speed.Found = defaultdict(list)
    bench = Bench(tmp_path, TINY, SilentView())
    for _ in range(3):
        speed.measure_peer(bench, peer("Fake", FakePeer()), "", found)
    assert {key[1:]: len(rounds) for key, rounds in found.items()} == {
        (ONE, 1): 3,
        (ONE, 4): 3,
        (TEN, 1): 3,
        (TEN, 4): 3,
        (ALONE, 1): 3,
    }
