"""A worker that is lost, and whose reports come late or twice, when ``Faults`` say so."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from perdure.engine.ports import Clock
from perdure.model.ids import RunAddress
from perdure.model.options import SECOND_NS
from perdure.model.program import ActivityTask, Report
from perdure.model.requests import (
    CancelActivity,
    CompleteActivity,
    FailActivity,
    HeartbeatActivity,
    LoseActivity,
    Request,
)
from perdure.sdk.outcomes import Outcome
from perdure.sdk.running import Running
from perdure.sdk.threads import Job, Threads
from perdure.sdk.worker import LocalWorker
from perdure.testing.faults import Faults

TURN_SECONDS = 0.2

_ENDS = (CompleteActivity, FailActivity, CancelActivity)

Attempt = tuple[str, int, int]
"""An attempt: its run's id, the activity's scheduled event id, its number there."""


class TakingTurns(Threads):
    """Threads that the loop waits for, so that the order of what plain functions do is the same each time.

    One that takes longer than ``TURN_SECONDS`` may wait for somebody else; then the loop goes on beside it. ``outside``
    is told when that begins (1) and ends (-1), on the loop's thread.
    """

    def __init__(self, name: str, outside: Callable[[int], None]) -> None:
        super().__init__(name)
        self._outside = outside

    def start(self, job: Job) -> None:
        """As ``Threads.start``."""
        ended = threading.Event()

        def attended() -> None:
            try:
                job()
            finally:
                ended.set()

        super().start(attended)
        if not ended.wait(TURN_SECONDS):
            self._outside(1)
            super().start(lambda: (ended.wait(), self._outside(-1))[1])


class FaultyWorker(LocalWorker):
    """As ``LocalWorker``, but for what goes wrong between it and the engine."""

    def __init__(
        self, *args: Any, faults: Faults, clock: Clock, outside: Callable[[int], None], **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self._faults = faults
        self._clock = clock
        self._threads = TakingTurns("perdure-activity", outside)
        self._is_abandoned = False
        self._numbers: dict[Attempt, int] = {}
        """The attempts that run, and how they are numbered among all."""
        self._lost_at_end: set[Attempt] = set()
        self._lost: set[Attempt] = set()
        """Attempts that still run here though the engine was told they do not: nobody hears of them."""

    def open(self, report: Report) -> None:
        """As ``LocalWorker.open``; reports come by here."""
        self._tell = report
        super().open(self._pass_on)

    def abandon(self) -> None:
        """As ``LocalWorker.abandon``; what is still under way does not arrive."""
        self._is_abandoned = True
        super().abandon()

    @property
    def running(self) -> Sequence[ActivityTask]:
        """As ``LocalWorker.running``, without those that were lost: the worker that is there now does not have them."""
        return [task for task in super().running if _attempt_of(task) not in self._lost]

    def start_activity(self, task: ActivityTask) -> None:
        """As ``LocalWorker.start_activity``, unless the worker is lost before it begins."""
        if self._is_abandoned:
            return
        number = self._faults.next_attempt(task.scheduled.activity_type)
        match self._faults.lose_worker(number):
            case "before":
                self.release(task.scheduled.task_queue, task.scheduled.activity_type)
                self._loop.call_soon(self._lose, [task, *self.running])
                return
            case "after":
                self._lost_at_end.add(_attempt_of(task))
            case "":
                pass
        self._numbers[_attempt_of(task)] = number
        super().start_activity(task)

    def _end(self, running: Running, outcome: Outcome) -> None:
        """As ``LocalWorker``'s own, unless the worker is lost before it can say so."""
        attempt = _attempt_of(running.task)
        if attempt in self._lost_at_end:
            self._lost_at_end.discard(attempt)
            self._lose(self.running)
        super()._end(running, outcome)
        self._lost.discard(attempt)
        self._numbers.pop(attempt, None)

    def _lose(self, tasks: Sequence[ActivityTask]) -> None:
        """The worker is gone with all that it ran, and at once there is another."""
        for task in tasks:
            if _attempt_of(task) not in self._lost:
                if _attempt_of(task) in self._numbers:
                    self._lost.add(_attempt_of(task))
                    self.cancel_activity(task.address, task.scheduled.id)
                request = LoseActivity(task.scheduled.id, task.attempt, "the worker that ran this attempt was lost")
                self._arrive(task.address, request)

    def _pass_on(self, address: RunAddress, request: Request) -> None:
        """A report leaves the worker."""
        assert isinstance(request, (*_ENDS, HeartbeatActivity))
        attempt = (address.run_id, request.scheduled_event_id, request.attempt)
        if attempt in self._lost:
            return
        number = self._numbers.get(attempt, 0) if isinstance(request, _ENDS) else 0
        seconds = self._faults.delay_seconds(number) if number else 0.0
        times = 2 if number and self._faults.is_doubled(number) else 1
        if seconds:
            due = self._clock.now_ns() + round(seconds * SECOND_NS)
            self._clock.call_at(due, lambda: self._arrive(address, request, times))
        else:
            self._arrive(address, request, times)

    def _arrive(self, address: RunAddress, request: Request, times: int = 1) -> None:
        if not self._is_abandoned:
            for _ in range(times):
                self._tell(address, request)


def _attempt_of(task: ActivityTask) -> Attempt:
    return task.address.run_id, task.scheduled.id, task.attempt
