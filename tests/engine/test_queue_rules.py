"""Limits of task queues, and circuit breakers, each by itself against a model."""

from hypothesis import given
from hypothesis import strategies as st

from perdure.engine.breakers import Breaker, counts
from perdure.engine.queue_rules import Permit, QueueRules, has_rules
from perdure.model.failures import Failure, FailureKind, TimeoutType
from perdure.model.options import RetryPolicy
from perdure.model.task_queues import BreakerPolicy, HoldReason, TaskQueue

steps = st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["", "a", "b"])), max_size=200)


@given(st.integers(1, 6), st.integers(1, 50), steps)
def test_no_window_holds_more_starts_than_the_rate(rate, per_ns, wanted):
    rules = QueueRules(TaskQueue("default", "q", rate=rate, per_ns=per_ns))
    now = 1_000
    starts: list[int] = []
    for wait, _ in wanted:
        now += wait
        held = rules.held(now)
        assert held is None or not rules.admit(Permit(rules, "", now))
        in_window = [start for start in starts if start > now - per_ns]
        assert (held is not None) == (len(in_window) >= rate), "neither too many nor fewer than may"
        if held is None:
            rules.enter(Permit(rules, "", now))
            starts.append(now)
        else:
            reason, until = held
            assert reason is HoldReason.RATE_LIMIT
            assert until == in_window[-rate] + per_ns


@given(st.integers(1, 4), st.integers(1, 50), steps)
def test_each_key_has_a_rate_of_its_own(rate, per_ns, wanted):
    rules = QueueRules(TaskQueue("default", "q", rate_per_key=rate, per_ns=per_ns))
    now = 1_000
    starts: dict[str, list[int]] = {"": [], "a": [], "b": []}
    for wait, key in wanted:
        now += wait
        assert rules.held(now) is None
        held = bool(key) and rules.key_held(key, now) is not None
        assert held == (bool(key) and len([start for start in starts[key] if start > now - per_ns]) >= rate)
        if not held:
            rules.enter(Permit(rules, key, now))
            starts[key].append(now)


@given(st.integers(1, 5), st.integers(1, 3), st.lists(st.tuples(st.booleans(), st.sampled_from(["", "a", "b"]))))
def test_as_many_live_as_may(concurrency, per_key, wanted):
    rules = QueueRules(TaskQueue("default", "q", concurrency=concurrency, concurrency_per_key=per_key))
    living: list[Permit] = []
    for ends, key in wanted:
        if ends and living:
            rules.remove(living.pop(0))
        held = rules.held(0) is not None or (bool(key) and rules.key_held(key, 0) is not None)
        of_key = len([permit for permit in living if permit.limit_key == key])
        assert held == (len(living) >= concurrency or (bool(key) and of_key >= per_key))
        if not held:
            permit = Permit(rules, key, 0)
            assert rules.admit(permit)
            living.append(permit)
    for permit in living:
        rules.remove(permit)
        rules.remove(permit)  # twice changes nothing
    assert (rules.living, rules.living_by_key) == (0, {})


def test_a_start_that_was_taken_back_leaves_room():
    rules = QueueRules(TaskQueue("default", "q", rate=1, rate_per_key=1, per_ns=100))
    permit = Permit(rules, "a", 5)
    assert rules.admit(permit)
    assert rules.held(6) is not None
    rules.take_back(permit)
    assert rules.held(6) is None
    assert rules.key_held("a", 6) is None


def test_a_lower_rate_counts_what_has_started_before():
    rules = QueueRules(TaskQueue("default", "q", rate=5, per_ns=100))
    for now in range(5):
        rules.enter(Permit(rules, "", now))
    rules.change(TaskQueue("default", "q", rate=2, per_ns=100))
    assert rules.held(50) == (HoldReason.RATE_LIMIT, 103)
    assert rules.held(103) is None


def test_a_thousand_idle_keys_are_forgotten():
    rules = QueueRules(TaskQueue("default", "q", rate_per_key=3, per_ns=10))
    for number in range(10_000):
        rules.enter(Permit(rules, f"tenant-{number}", number))
    assert len(rules._of_keys) <= 1_001


def test_settings_that_are_all_defaults_are_no_rules():
    assert not has_rules(TaskQueue("n", "q", open_breakers={"pay": 5}))
    assert has_rules(TaskQueue("n", "q", is_paused=True))


# --- circuit breakers


@given(st.integers(1, 4), st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["fails", "works", "cancelled"]))))
def test_a_breaker_against_its_model(failures, wanted):
    """Attempts come one after the other; each that the breaker lets start ends at once."""
    policy = BreakerPolicy(failures, 100, 50)
    breaker = Breaker(("n", "q", "t"), policy)
    now, open_until = 1_000, 0
    recent: list[int] = []
    for wait, outcome in wanted:
        now += wait
        recent = [time for time in recent if time > now - 100]
        held = breaker.held_until(now)
        assert held == (open_until if now < open_until else None)
        if held is not None:
            continue
        is_trial = open_until > 0
        if is_trial:
            breaker.trial = Permit(None, "", now, is_live=False)
        if outcome == "fails":
            recent.append(now)
            opens = is_trial or len(recent) >= failures
            assert breaker.failed(now, is_trial=is_trial) == opens
            if opens:
                open_until, recent = now + 50, []
        elif outcome == "works" and is_trial:
            breaker.close()
            open_until, recent = 0, []
    assert breaker.open_until == open_until


def test_a_half_open_breaker_lets_one_attempt_through():
    breaker = Breaker(("n", "q", "t"), BreakerPolicy(1, 100, 50), open_until=100)
    assert breaker.held_until(99) == 100
    assert breaker.held_until(100) is None
    breaker.trial = Permit(None, "", 100)
    assert breaker.held_until(10_000) == 0
    breaker.trial.is_live = False
    assert breaker.held_until(10_000) is None, "a trial that told nothing makes room for another"


def test_what_counts_as_a_failure():
    policy = RetryPolicy(non_retryable=("Refused",))
    assert counts(Failure("down", type="ConnectionError"), policy) is True
    assert counts(Failure("late", FailureKind.TIMEOUT, timeout_type=TimeoutType.START_TO_CLOSE), policy) is True
    assert counts(Failure("no", type="Refused"), policy) is False
    assert counts(Failure("no", non_retryable=True), policy) is False
    assert counts(Failure("gone", type="WorkerLost"), policy) is None
    assert counts(Failure("stop", FailureKind.CANCELED), policy) is None
