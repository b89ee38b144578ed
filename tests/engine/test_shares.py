"""Whose turn it is among namespaces and their queues."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from perdure.engine.backlog import Line
from perdure.engine.shares import FORGET_ABOVE, Shares


def lines(*queues: tuple[str, str]) -> list[Line]:
    return [Line(queue, {}) for queue in queues]


def served(shares: Shares, waiting: list[Line], slots: int) -> Counter[tuple[str, str]]:
    """Who gets so many slots, where all want more than there are."""
    got: Counter[tuple[str, str]] = Counter()

    def start(line: Line) -> bool:
        if got.total() == slots:
            return False
        got[line.queue] += 1
        return True

    shares.in_turn(waiting, start)
    return got


def test_a_namespace_with_many_queues_gets_no_more_than_one_with_few():
    many = [("a", f"q{number}") for number in range(9)]
    got = served(Shares(), lines(*many, ("b", "q")), 40)
    assert got["b", "q"] == 20
    assert sum(got[queue] for queue in many) == 20
    assert max(got[queue] for queue in many) - min(got[queue] for queue in many) <= 1


def test_slots_that_come_one_by_one_go_round():
    shares, waiting = Shares(), lines(("a", "q"), ("b", "q"), ("c", "q"))
    got: Counter[tuple[str, str]] = Counter()
    for _ in range(30):
        got += served(shares, waiting, 1)
    assert set(got.values()) == {10}


def test_shares_weigh():
    shares, waiting = Shares(), lines(("a", "q"), ("b", "q"))
    shares.shares = {"a": 3.0, "b": 1.0}
    got: Counter[tuple[str, str]] = Counter()
    for _ in range(40):
        got += served(shares, waiting, 1)
    assert got == {("a", "q"): 30, ("b", "q"): 10}


def test_who_comes_late_catches_nothing_up():
    shares = Shares()
    served(shares, lines(("a", "q"), ("b", "q")), 100)
    got = served(shares, lines(("a", "q"), ("b", "q"), ("c", "q")), 30)
    assert all(abs(count - 10) <= 1 for count in got.values()), got


def test_who_cannot_start_holds_up_nobody():
    shares, waiting = Shares(), lines(("a", "q"), ("b", "q"))
    started: Counter[Any] = Counter()

    def start(line: Line) -> bool:
        if line.queue[0] == "a" or started.total() == 5:
            return False
        started[line.queue] += 1
        return True

    shares.in_turn(waiting, start)
    assert started == {("b", "q"): 5}


def test_those_who_wait_no_more_are_forgotten():
    shares = Shares()
    for number in range(1000):
        served(shares, lines((f"n{number}", "q"), (f"n{number}", "p"), ("other", "q")), 9)
    assert len(shares._had) <= FORGET_ABOVE + 3
    assert len(shares._had_of_queue) <= FORGET_ABOVE + 3


@given(
    rounds=st.lists(
        st.tuples(st.sets(st.integers(0, 5), min_size=1), st.integers(min_value=1, max_value=8)),
        min_size=1,
        max_size=40,
    )
)
def test_nobody_who_always_waits_gets_less_than_another(rounds: list[tuple[set[int], int]]) -> None:
    """Namespace ``always`` waits all the time, others come and go: each of them gets at most one more in any stretch."""
    shares = Shares()
    always, got = 0, Counter[str]()
    for present, slots in rounds:
        waiting = lines(("always", "q"), *((f"n{number}", "q") for number in sorted(present)))
        for queue, count in served(shares, waiting, slots).items():
            got[queue[0]] += count
        always = got["always"]
        assert all(count <= always + 1 for count in got.values()), got
