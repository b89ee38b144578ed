"""Attempts that are only put down while no limit is near are admitted as if each were looked at."""

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.engine import admission as admissions
from perdure.engine import queue_rules
from perdure.engine.admission import HELD, Admission
from perdure.engine.backlog import Backlog
from perdure.kernel.run import Activity, Run
from perdure.model.events import ActivityTaskScheduled, WorkflowExecutionStarted
from perdure.model.ids import RunAddress
from perdure.model.program import ActivityTask
from perdure.model.requests import CompleteActivity
from perdure.model.task_queues import HoldReason, TaskQueue
from perdure.testing.clock import VirtualClock

QUEUE = ("default", "q")

limits = st.just(0) | st.integers(1, 6) | st.integers(8, 60)
steps = st.lists(
    st.tuples(st.sampled_from(["start", "start", "start", "end", "again", "undone", "ask", "set"]), st.integers(0, 30)),
    min_size=60,
    max_size=200,
)


@pytest.fixture(autouse=True)
def soon_near(monkeypatch):
    """Limits that tests can reach are far enough to be passed by."""
    monkeypatch.setattr(queue_rules, "_FEW", 2)
    monkeypatch.setattr(queue_rules, "_MOST_LISTED", 20)
    monkeypatch.setattr(admissions, "_MOST_ENDED", 30)


class Driven:
    """Admission to a queue for attempts of one activity each."""

    def __init__(self) -> None:
        clock = VirtualClock(1_000)
        self.admission = Admission(clock, None, Backlog(), lambda: None)

    def rules(self) -> Any:
        return self.admission.rules.get(QUEUE)

    def start(self, number: int, key: str, now: int) -> bool:
        scheduled = cast("Any", ActivityTaskScheduled)(5, now, "1", "work", "q", limit_key=key)
        run = Run("default", f"run-{number}", cast("WorkflowExecutionStarted", None))
        return self.admission.admit(QUEUE, run, Activity(scheduled), now) is not HELD

    def end(self, number: int) -> None:
        address = RunAddress("default", "w", f"run-{number}")
        if self.admission.permits or self.admission.listed:
            self.admission.reported(address, CompleteActivity(5, 1, (), ""))

    def undone(self, number: int, key: str) -> None:
        scheduled = cast("Any", ActivityTaskScheduled)(5, 0, "1", "work", "q", limit_key=key)
        self.admission.undone(ActivityTask(RunAddress("default", "w", f"run-{number}"), "W", scheduled, 1, 0))

    def standing(self, now: int) -> Any:
        rules = self.rules()
        if rules is None:
            return None
        self.admission.settle()
        return rules.living, rules.living_by_key, rules.held(now), rules.key_held("a", now), rules.key_held("b", now)


@given(limits, limits, limits, limits, st.sampled_from([50, 5_000]), steps)
def test_whoever_is_put_down_counts(concurrency, rate, of_key, rate_of_key, per_ns, story):
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
    listing, looking = Driven(), Driven()
    for driven in (listing, looking):
        driven.admission.set(settings, ())
    looking.rules().look = lambda: None  # each start is looked at
    living: list[tuple[int, str]] = []
    now = 1_000
    for number, (what, amount) in enumerate(story):
        now += amount % 7
        key = ("", "a", "b")[amount % 3]
        match what:
            case "start":
                may = listing.start(number, key, now)
                assert may == looking.start(number, key, now), (number, now)
                if may:
                    living.append((number, key))
            case "end" | "again" if living:
                ended = living.pop(amount % len(living))[0]
                for driven in (listing, looking):
                    for _ in range(1 if what == "end" else 2):
                        driven.end(ended)
            case "undone" if living:
                undone = living.pop()
                for driven in (listing, looking):
                    driven.undone(*undone)
            case "set" if amount > 25:
                for driven in (listing, looking):
                    driven.admission.set(settings, ())
            case "ask":
                assert listing.standing(now) == looking.standing(now)
            case _:
                pass
    assert listing.standing(now) == looking.standing(now)
    if settings.concurrency or settings.concurrency_per_key:
        assert listing.rules().living == len(living), "no more and no fewer than live"
    assert not looking.admission.listed


def test_ends_of_other_queues_are_not_kept_for_ever():
    driven = Driven()
    driven.admission.set(TaskQueue("default", "q", concurrency=100), ())
    assert driven.start(0, "", 1)
    assert driven.start(1, "", 1)
    assert driven.admission.listed
    for number in range(2, 200):
        driven.end(number)
    assert len(driven.admission._ended) <= 30
    assert driven.admission.why(QUEUE, "work", "", 1).reason is HoldReason.NO_WORKER
    assert driven.rules().living == 2
