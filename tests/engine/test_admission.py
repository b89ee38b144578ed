"""Attempts that need no permit while no limit is near are admitted as if each had one."""

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.engine import queue_rules
from perdure.engine.admission import HELD, Admission
from perdure.engine.backlog import Backlog
from perdure.kernel.run import Activity, Run
from perdure.model.events import ActivityTaskScheduled, WorkflowExecutionStarted
from perdure.model.ids import RunAddress
from perdure.model.program import ActivityTask
from perdure.model.requests import CompleteActivity, HeartbeatActivity
from perdure.model.task_queues import TaskQueue
from perdure.testing.clock import VirtualClock

QUEUE = ("default", "q")

limits = st.just(0) | st.integers(1, 6) | st.integers(8, 60)
steps = st.lists(
    st.tuples(
        st.sampled_from(["start", "start", "start", "start", "end", "again", "leave", "undone", "ask", "set"]),
        st.integers(0, 30),
    ),
    min_size=60,
    max_size=200,
)


@pytest.fixture(autouse=True)
def soon_near(monkeypatch):
    """Limits that tests can reach are far enough to be passed by."""
    monkeypatch.setattr(queue_rules, "_FEW", 2)
    monkeypatch.setattr(queue_rules, "_MOST_NOTED", 20)


class Driven:
    """Admission to a queue for attempts of one activity each. ``running`` are those that a worker has."""

    def __init__(self) -> None:
        self.running: dict[int, ActivityTask] = {}
        self.outside: dict[int, Run] = {}
        clock = VirtualClock(1_000)
        self.admission = Admission(clock, None, Backlog(), lambda: list(self.running.values()), lambda: None)

    def rules(self) -> Any:
        return self.admission.rules.get(QUEUE)

    def start(self, number: int, key: str, now: int) -> bool:
        pending = _activity(key, now)
        if self.admission.admit(QUEUE, _run(number), pending, now) is HELD:
            return False
        self.running[number] = ActivityTask(_address(number), "W", pending.scheduled, 1, now)
        return True

    def end(self, number: int) -> None:
        self.running.pop(number, None)
        if self.admission.permits.named:
            self.admission.permits.reported(_address(number), CompleteActivity(5, 1, (), ""))
        run = self.outside.pop(number, None)
        permit = self.admission.permits.find(f"run-{number}", 5, 1)
        if run is not None and permit is not None:
            self.admission.permits.remove(permit)

    def leave(self, number: int) -> None:
        task = self.running.pop(number, None)
        if task is not None:
            run = self.outside[number] = _run(number)
            run.activities[5] = Activity(task.scheduled, started_time=task.started_time)
            self.admission.left(run, HeartbeatActivity(5, 1, (), "", leaves=True))

    def undone(self, number: int) -> None:
        task = self.running.pop(number, None)
        if task is not None:
            self.admission.undone(task)

    def standing(self, now: int) -> Any:
        rules = self.admission.near_rules(QUEUE)
        if rules is None:
            return None
        return rules.living, rules.living_by_key, rules.held(now), rules.key_held("a", now), rules.key_held("b", now)


def _address(number: int) -> RunAddress:
    return RunAddress("default", "w", f"run-{number}")


def _run(number: int) -> Run:
    return Run("default", f"run-{number}", cast("WorkflowExecutionStarted", None))


def _activity(key: str, now: int) -> Activity:
    scheduled = cast("Any", ActivityTaskScheduled)(5, now, "1", "work", "q", limit_key=key)
    return Activity(scheduled)


@given(limits, limits, limits, limits, st.sampled_from([50, 5_000]), steps)
def test_whoever_has_no_permit_counts(concurrency, rate, of_key, rate_of_key, per_ns, story):
    settings = TaskQueue(
        "default",
        "q",
        concurrency=concurrency,
        rate=rate,
        concurrency_per_key=of_key,
        rate_per_key=rate_of_key,
        per_ns=per_ns,
        ageing_ns=7,
    )
    passing, looking = Driven(), Driven()
    both = (passing, looking)
    for driven in both:
        driven.admission.set(settings)
    looking.rules().look = lambda now, seen: None  # each start is looked at
    living: list[int] = []
    now = 1_000
    for number, (what, amount) in enumerate(story):
        now += amount % 7
        key = ("", "a", "b")[amount % 3]
        match what:
            case "start":
                may = passing.start(number, key, now)
                assert may == looking.start(number, key, now), (number, now)
                if may:
                    living.append(number)
            case "end" | "again" if living:
                ended = living.pop(amount % len(living))
                for driven in both:
                    for _ in range(1 if what == "end" else 2):
                        driven.end(ended)
            case "leave" if living:
                for driven in both:
                    driven.leave(living[amount % len(living)])
            case "undone" if living and living[-1] in passing.running:
                undone = living.pop()
                for driven in both:
                    driven.undone(undone)
            case "set" if amount > 25:
                for driven in both:
                    driven.admission.set(settings)
            case "ask":
                assert passing.standing(now) == looking.standing(now)
            case _:
                pass
    assert passing.standing(now) == looking.standing(now)
    if settings.concurrency or settings.concurrency_per_key:
        assert passing.rules().living == len(living), "no more and no fewer than live"
    assert not looking.rules().is_far


def test_attempts_far_from_limits_leave_nothing_behind():
    driven = Driven()
    driven.admission.set(TaskQueue("default", "q", concurrency=1_000))
    assert driven.start(0, "", 1), "the first has a permit, and shows how far the limits are"
    for number in range(1, 3_000):
        assert driven.start(number, "", number)
        driven.end(number - 1)
    assert driven.rules().is_far
    assert not driven.admission.permits.named
    assert driven.standing(3_000)[0] == 1
