"""Those who give up waiting for a run leave nothing behind, however often they come back."""

from concurrent.futures import Future
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from perdure.engine.waiting import Waiting
from perdure.kernel.commit import Answer
from perdure.kernel.transition import start, transition
from perdure.model.requests import StartWorkflow, TerminateWorkflow
from perdure.model.service import UpdateStage


def test_those_who_gave_up_are_dropped():
    waiting = Waiting()
    faithful: Future[None] = Future()
    waiting.for_close(1, faithful, lambda run, event: None)

    for _ in range(10_000):
        waiter: Future[None] = Future()
        waiting.for_close(1, waiter, lambda run, event: None)
        waiting.for_growth(1, waiter, lambda: None)
        waiting.for_update(1, "u", UpdateStage.COMPLETED, waiter, lambda answer: None)
        waiter.cancel()

    assert len(waiting.closes[1]) < 16
    assert len(waiting.followers[1]) < 16
    assert len(waiting.updates[1, "u"]) < 16
    assert waiting.closes[1][0][0] is faithful


def test_the_count_is_of_those_who_wait():
    waiting = Waiting()
    for key in range(3):
        waiting.for_close(key, Future(), lambda run, event: None)
        waiting.for_growth(key, Future(), lambda: None)
        waiting.for_update(key, "u", UpdateStage.ACCEPTED, Future(), lambda answer: None)
        waiting.for_update(key, "u", UpdateStage.COMPLETED, Future(), lambda answer: None)
    assert waiting.count == 12

    waiting.grown(0)
    waiting.answer_updates(0, [Answer("u", UpdateStage.ACCEPTED)])
    assert waiting.count == 10
    commit = start("default", "run", StartWorkflow("w", "W"), 1)
    transition(commit.run, TerminateWorkflow("for a test"), 2)
    waiting.run_closed(0, commit.run)
    assert waiting.count == 8


def test_those_who_gave_up_take_nobodys_place():
    waiting = Waiting()
    faithful = [Future[None]() for _ in range(3)]
    for key in range(1_000):
        waiter: Future[None] = faithful[key] if key < len(faithful) else Future()
        waiting.for_close(key, waiter, lambda run, event: None)
        if key >= len(faithful):
            waiter.cancel()

    assert not waiting.is_full(1_001)
    assert not waiting.is_full(0)
    assert waiting.count == 1_000
    assert not waiting.is_full(4)
    assert waiting.count == len(waiting.closes) == 3
    assert waiting.is_full(3)


@given(st.lists(st.sampled_from(["come", "give up", "ask"]), max_size=200), st.integers(1, 5))
def test_whoever_gives_up_makes_room_in_the_end(steps: list[str], limit: int):
    waiting, living = Waiting(), list[Future[None]]()
    for key, step in enumerate(steps):
        if step == "come" and not waiting.is_full(limit):
            living.append(Future())
            waiting.for_growth(key, living[-1], lambda: None)
        elif step == "give up" and living:
            living.pop().cancel()
        elif step == "ask" and waiting.is_full(limit):
            assert waiting.count >= limit
        assert len(living) <= limit
    # So few are refused only if all of the others live.
    assert waiting.is_full(limit) == (len(living) >= limit)


def test_those_who_wait_are_all_called():
    waiting = Waiting()
    called: list[Any] = []
    for number in range(100):
        waiting.for_growth(1, Future(), partial(called.append, number))

    waiting.grown(1)

    assert called == list(range(100))
