"""Those who wait for a run: for its end, for an update, for its history to grow. They wait here even while the run is
not in memory.

Whoever gives up need not say so: a list that grows is gone through now and then, and those who are done are dropped;
so are all, when there are as many as may be.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from perdure.kernel.commit import Answer
from perdure.kernel.run import Run
from perdure.model.events import Event
from perdure.model.service import UpdateStage

OnClose = Callable[[Run, Event], None]
OnUpdate = Callable[[Answer | None], None]
OnGrowth = Callable[[], None]


N = TypeVar("N")
W = TypeVar("W", bound="tuple[Any, ...]")

_FEW = 8

_SELDOM = 16
"""Looking through all for those who gave up is paid for by one in so many of them who are refused."""


class Waiter(Protocol):
    """A future, say."""

    def done(self) -> bool:
        """Whether nobody waits any more."""
        ...


class Waiting:
    """By run key. Every callback is called at most once."""

    def __init__(self) -> None:
        self.closes: dict[int, list[tuple[Waiter, OnClose]]] = {}
        self.updates: dict[tuple[int, str], list[tuple[Waiter, UpdateStage, OnUpdate]]] = {}
        self.followers: dict[int, list[tuple[Waiter, OnGrowth]]] = {}
        self.count = 0
        """How many wait, with those who gave up and are not dropped yet."""
        self._refused = 0
        self._remained = 0

    def __bool__(self) -> bool:
        return bool(self.closes or self.updates or self.followers)

    def is_full(self, limit: int) -> bool:
        """Whether ``limit`` wait already, so that nobody else may; 0 is no limit."""
        if not 0 < limit <= self.count:
            return False
        self._refused += 1
        if self._refused > self._remained // _SELDOM:
            self._refused = 0
            self._drop_done_of(self.closes)
            self._drop_done_of(self.updates)
            self._drop_done_of(self.followers)
            self._remained = self.count
        return self.count >= limit

    def for_close(self, key: int, waiter: Waiter, then: OnClose) -> None:
        """Call back with the run and its last event, once that is written."""
        waiting = self.closes.setdefault(key, [])
        waiting.append((waiter, then))
        self.count += 1
        if len(waiting) >= _FEW:
            self.count -= _drop_done(waiting)

    def for_update(self, key: int, update_id: str, stage: UpdateStage, waiter: Waiter, then: OnUpdate) -> None:
        """Call back once the update has come as far as ``stage``, or with None if the run closes first."""
        waiting = self.updates.setdefault((key, update_id), [])
        waiting.append((waiter, stage, then))
        self.count += 1
        if len(waiting) >= _FEW:
            self.count -= _drop_done(waiting)

    def for_growth(self, key: int, waiter: Waiter, then: OnGrowth) -> None:
        """Call back once anything more is written."""
        waiting = self.followers.setdefault(key, [])
        waiting.append((waiter, then))
        self.count += 1
        if len(waiting) >= _FEW:
            self.count -= _drop_done(waiting)

    def answer_updates(self, key: int, answers: Sequence[Answer]) -> None:
        """Updates have come further."""
        for answer in answers:
            waiting = self.updates.pop((key, answer.update_id), None)
            if waiting is None:
                continue
            still = [one for one in waiting if answer.stage < one[1]]
            self.count -= len(waiting) - len(still)
            for _, stage, then in waiting:
                if answer.stage >= stage:
                    then(answer)
            if still:
                self.updates[key, answer.update_id] = still

    def run_closed(self, key: int, run: Run) -> None:
        """Nothing more will happen."""
        waiting = self.closes.pop(key, None)
        if waiting is not None:
            self.count -= len(waiting)
            assert run.close is not None
            for _, then in waiting:
                then(run, run.close)
        if self.updates:
            for name in [name for name in self.updates if name[0] == key]:
                answered = self.updates.pop(name)
                self.count -= len(answered)
                for _, _, on_update in answered:
                    on_update(None)
        self.grown(key)

    def grown(self, key: int) -> None:
        """There is more history."""
        waiting = self.followers.pop(key, None)
        if waiting is not None:
            self.count -= len(waiting)
            for _, then in waiting:
                then()

    def _drop_done_of(self, by_name: dict[N, list[W]]) -> None:
        for name, waiting in list(by_name.items()):
            remaining = [one for one in waiting if not one[0].done()]
            self.count -= len(waiting) - len(remaining)
            if remaining:
                waiting[:] = remaining
            else:
                del by_name[name]


def _drop_done(waiting: list[W]) -> int:
    """Looks through all whenever their number has doubled, which is seldom enough to cost nothing. How many were
    dropped."""
    count = len(waiting)
    if count & (count - 1) == 0:
        waiting[:] = [one for one in waiting if not one[0].done()]
    return count - len(waiting)
