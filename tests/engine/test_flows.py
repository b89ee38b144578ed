"""How fast a task queue fills and empties."""

from hypothesis import given
from hypothesis import strategies as st

from perdure.engine.flows import MANY, WINDOW_NS, Flow, Flows

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def test_a_steady_flow_shows_its_rate():
    flow, now = Flow(START), START
    for tick in range(100 * 10):
        now = START + tick * SECOND // 10
        flow.add(now)
        if tick % 2:
            flow.start(now)
    added, started = flow.rates(now)
    assert 9.9 <= added <= 10.1
    assert 4.9 <= started <= 5.1


def test_a_rush_is_not_spread_over_the_silence_before_it():
    flow, later = Flow(START), START + 3600 * SECOND
    for _ in range(50):
        flow.add(later)
    assert flow.rates(later + 10 * SECOND)[0] == 5.0


def test_what_is_long_past_no_longer_counts():
    flow = Flow(START)
    flow.add(START)
    assert flow.rates(START + 3600 * SECOND) == (0.0, 0.0)
    assert flow.added == 1


@given(st.lists(st.tuples(st.integers(0, 20 * SECOND), st.booleans()), max_size=60))
def test_a_rate_never_exceeds_what_happened_in_its_window(steps):
    flow, now, adds = Flow(START), START, []
    for pause, is_add in steps:
        now += pause
        if is_add:
            flow.add(now)
            adds.append(now)
        lately = sum(at >= now - 2 * WINDOW_NS for at in adds)
        assert 0 <= flow.rates(now)[0] <= lately
    assert flow.added == len(adds)


def test_quiet_queues_are_forgotten_when_there_are_very_many():
    flows = Flows()
    for number in range(MANY + 5):
        flows.of(("default", f"queue-{number}"), START + number * SECOND).add(START + number * SECOND)
    assert len(flows) < MANY
