"""The backlog: nobody is lost or started twice, urgent first, shares by key, and everybody's turn comes."""

from collections import Counter
from collections.abc import Container
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.engine.backlog import AGEING_SHARE, FREE, Backlog, Entry, HeldUntil, Line
from perdure.model.affinity import Affinity
from perdure.model.options import SECOND_NS
from perdure.model.task_queues import Priority

QUEUE = ("default", "work")

placements = st.one_of(
    st.none(),
    st.builds(
        Priority, st.integers(0, 5), st.sampled_from(["", "a", "b", "c"]), st.sampled_from([0.0, 0.5, 1.0, 2.0, 10.0])
    ),
)
arrivals = st.lists(
    st.tuples(st.sampled_from(["x", "y"]), placements, st.sampled_from(["", "k1", "k2"]), st.booleans()), max_size=60
)


NOBODY = -1


def first(line: Line, now: int, closed: Container[str], held_until: HeldUntil) -> Entry | None:
    """The lane to start from, of types that are not ``closed``."""
    return next((entry for entry in line.in_order(now, held_until) if entry[3].activity_type not in closed), None)


def start_one(
    backlog: Backlog, now: int, closed: frozenset[str] = frozenset(), held: frozenset[str] = frozenset()
) -> int:
    """Who starts next, by the number of its run."""
    line = backlog.waiting.get(QUEUE)
    entry = None if line is None else first(line, now, closed, lambda key: 0 if key in held else FREE)
    if line is None or entry is None:
        if line is not None:
            backlog.tidy(line)
        return NOBODY
    assert entry[3].activity_type not in closed
    assert entry[3].limit_key not in held
    name = line.take(entry)
    backlog.tidy(line)
    return name[0]


def add(
    backlog: Backlog, number: int, now: int = 0, priority: Priority | None = None, type: str = "x", key: str = ""
) -> Line:
    return backlog.add(QUEUE, type, (number, 5), now, priority, key)


@given(arrivals, st.data())
@settings(max_examples=200)
def test_everybody_starts_once_unless_it_ended(wanted, data):
    backlog = Backlog()
    started: list[int] = []
    ended: set[int] = set()
    now = 0
    for number, (type, priority, key, ends) in enumerate(wanted):
        now += data.draw(st.integers(0, 40 * SECOND_NS))
        line = add(backlog, number, now, priority, type, key)
        add(backlog, number, now, priority, type, key)  # asked twice, it stands there once
        if ends:
            backlog.discard((number, 5))
            ended.add(number)
        if data.draw(st.booleans()):
            closed = data.draw(st.frozensets(st.sampled_from(["x", "y"])))
            held = data.draw(st.frozensets(st.sampled_from(["k1", "k2"])))
            started.append(start_one(backlog, now, closed, held))
            line.free_all_keys()
    while (found := start_one(backlog, now)) != NOBODY:
        started.append(found)
    started = [number for number in started if number != NOBODY]
    assert Counter(started) == Counter(set(range(len(wanted))) - ended)
    assert not backlog.waiting
    assert len(backlog) == 0


@given(
    st.lists(st.tuples(placements, st.sampled_from(["x", "y"]), st.sampled_from(["", "k"])), min_size=1, max_size=40)
)
def test_within_a_lane_who_came_first_starts_first(wanted):
    backlog = Backlog()
    for number, (priority, type, key) in enumerate(wanted):
        add(backlog, number, number, priority, type, key)
    order = [start_one(backlog, 100) for _ in wanted]
    for lane in set(wanted):
        of_lane = [number for number in order if wanted[number] == lane]
        assert of_lane == sorted(of_lane)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=40))
def test_urgent_first_while_nobody_has_waited_too_long(keys):
    backlog = Backlog()
    for number, key in enumerate(keys):
        add(backlog, number, 0, Priority(key))
    order = [start_one(backlog, SECOND_NS) for _ in keys]
    assert [keys[number] for number in order] == sorted(keys)


def test_what_has_waited_too_long_gets_a_share_whatever_urgent_comes():
    backlog = Backlog()
    for number in range(10):
        add(backlog, number, 0, Priority(5))
    backlog.waiting[QUEUE].ageing_ns = 60 * SECOND_NS
    now, urgent, order = 61 * SECOND_NS, 100, []
    for _ in range(10 * AGEING_SHARE):
        add(backlog, urgent, now, Priority(1))
        order.append(start_one(backlog, now))
        urgent += 1
    assert [number for number in order if number < 100] == list(range(10))
    # And the urgent are never more than one start away.
    assert all(min(pair) < 100 <= max(pair) or min(pair) >= 100 for pair in pairwise(order))


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.sampled_from([0.5, 1.0, 2.0, 4.0]), min_size=2),
    st.integers(20, 80),
)
def test_keys_that_wait_get_shares_by_weight(weights, starts):
    backlog = Backlog()
    number = 0
    for _ in range(400):
        for key, weight in weights.items():
            add(backlog, number, number, Priority(0, key, weight))
            number += 1
    names = [key for _ in range(400) for key in weights]
    had = Counter(names[start_one(backlog, number)] for _ in range(starts))
    # Start-time fair queueing: what two keys had, by weight, never differs by more than one start of each.
    shares = [(had[key] / weight, 1 / weight) for key, weight in weights.items()]
    for had_a, one_a in shares:
        for had_b, one_b in shares:
            assert abs(had_a - had_b) <= one_a + one_b + 1e-9


def test_a_quiet_key_does_not_wait_behind_a_noisy_one():
    backlog = Backlog()
    for number in range(1000):
        add(backlog, number, 0, Priority(0, "noisy"))
    for _ in range(100):
        start_one(backlog, 1)
    add(backlog, 5000, 2, Priority(0, "quiet"))
    assert 5000 in [start_one(backlog, 3) for _ in range(2)]


def test_a_held_key_does_not_hold_others_and_goes_on_when_it_is_free():
    backlog = Backlog()
    line = add(backlog, 1, key="k1")
    add(backlog, 2, key="k2")
    assert start_one(backlog, 0, held=frozenset({"k1"})) == 2
    assert start_one(backlog, 0, held=frozenset({"k1"})) == NOBODY
    assert backlog.waiting, "who is held stays"
    line.free_key("k1")
    assert start_one(backlog, 0) == 1


def test_a_key_held_until_a_time_is_due_then():
    backlog = Backlog()
    line = add(backlog, 1, key="k1")
    assert first(line, 0, (), lambda key: 70) is None
    assert line.next_due == 70
    line.free_due_keys(69)
    assert first(line, 69, (), lambda key: FREE) is None
    line.free_due_keys(70)
    assert first(line, 70, (), lambda key: FREE) is not None


def test_those_that_ask_for_other_workers_stand_in_lanes_of_their_own():
    backlog, a100, h100 = Backlog(), Affinity((("gpu", "a100"),)), Affinity((("gpu", "h100"),))
    for number, affinity in enumerate([a100, None, h100, a100, None]):
        backlog.add(QUEUE, "x", (number, 5), number, affinity=affinity)
    line = backlog.waiting[QUEUE]
    assert backlog.is_behind(QUEUE, ("x", a100), is_ruled=False)
    assert not backlog.is_behind(QUEUE, ("y", a100), is_ruled=False)
    assert [entry[3].affinity for entry in line.in_order(9, None)] == [a100, None, h100]
    order = []
    for wanted in (None, h100, a100, a100, None):
        entry = next(entry for entry in line.in_order(9, None) if entry[3].affinity == wanted)
        order.append(line.take(entry)[0])
    assert order == [1, 2, 0, 3, 4]
    assert not line
