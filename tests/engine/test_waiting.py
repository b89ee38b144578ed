"""Those who give up waiting for a run leave nothing behind, however often they come back."""

from concurrent.futures import Future
from functools import partial
from typing import Any

from perdure.engine.waiting import Waiting
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


def test_those_who_wait_are_all_called():
    waiting = Waiting()
    called: list[Any] = []
    for number in range(100):
        waiting.for_growth(1, Future(), partial(called.append, number))

    waiting.grown(1)

    assert called == list(range(100))
