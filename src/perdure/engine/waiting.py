"""Those who wait for a run: for its end, for an update, for its history to grow. They wait here even while the run is
not in memory.

Whoever gives up need not say so: a list that grows is gone through now and then, and those who are done are dropped.
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


W = TypeVar("W", bound="tuple[Any, ...]")

_FEW = 8


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

    def __bool__(self) -> bool:
        return bool(self.closes or self.updates or self.followers)

    def for_close(self, key: int, waiter: Waiter, then: OnClose) -> None:
        """Call back with the run and its last event, once that is written."""
        waiting = self.closes.setdefault(key, [])
        waiting.append((waiter, then))
        if len(waiting) >= _FEW:
            _drop_done(waiting)

    def for_update(self, key: int, update_id: str, stage: UpdateStage, waiter: Waiter, then: OnUpdate) -> None:
        """Call back once the update has come as far as ``stage``, or with None if the run closes first."""
        waiting = self.updates.setdefault((key, update_id), [])
        waiting.append((waiter, stage, then))
        if len(waiting) >= _FEW:
            _drop_done(waiting)

    def for_growth(self, key: int, waiter: Waiter, then: OnGrowth) -> None:
        """Call back once anything more is written."""
        waiting = self.followers.setdefault(key, [])
        waiting.append((waiter, then))
        if len(waiting) >= _FEW:
            _drop_done(waiting)

    def answer_updates(self, key: int, answers: Sequence[Answer]) -> None:
        """Updates have come further."""
        for answer in answers:
            waiting = self.updates.pop((key, answer.update_id), None)
            if waiting is None:
                continue
            still = []
            for waiter, stage, then in waiting:
                if answer.stage >= stage:
                    then(answer)
                else:
                    still.append((waiter, stage, then))
            if still:
                self.updates[key, answer.update_id] = still

    def run_closed(self, key: int, run: Run) -> None:
        """Nothing more will happen."""
        waiting = self.closes.pop(key, None)
        if waiting is not None:
            assert run.close is not None
            for _, then in waiting:
                then(run, run.close)
        if self.updates:
            for name in [name for name in self.updates if name[0] == key]:
                for _, _, on_update in self.updates.pop(name):
                    on_update(None)
        self.grown(key)

    def grown(self, key: int) -> None:
        """There is more history."""
        waiting = self.followers.pop(key, None)
        if waiting is not None:
            for _, then in waiting:
                then()


def _drop_done(waiting: list[W]) -> None:
    """Looks through all whenever their number has doubled: seldom enough to cost nothing."""
    count = len(waiting)
    if count & (count - 1) == 0:
        waiting[:] = [one for one in waiting if not one[0].done()]
