"""Turns that a worker takes before it is asked to.

When an activity ends that is all a run waits for, what happens next is known: the end is recorded, and the run's program
takes a turn. A worker that has the program gives it these events itself, and hands in the end of the activity and the
commands of the turn together. The server takes both, or the end alone if the run has come to something else meanwhile;
then the program here is of no use any more, which shows when a turn comes that begins before the one it has taken.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from perdure.model.events import (
    ActivityTaskCompleted,
    ActivityTaskStarted,
    Event,
    WorkflowTaskScheduled,
    WorkflowTaskStarted,
)
from perdure.model.program import ActivityTask, Program, TurnCompleted
from perdure.model.requests import CompleteActivity
from perdure.model.workers import Attempt, StartActivity, TakeTurn, TurnAhead


class _Offer(msgspec.Struct, gc=False):
    """A turn that may be taken when ``task`` completes."""

    program: Program
    task: ActivityTask
    events: Sequence[Event]
    suggest_continue_as_new: bool
    came: int
    """When, by this process's clock, in ns. The server's stood at ``task.started_time`` a moment before."""


class Ahead:
    """What a worker may do, and has done, before it is asked to.

    Args:
        programs: those that it has, by run id.
        clock_ns: tells how time passes here, in ns.
    """

    def __init__(self, programs: Mapping[str, Program], clock_ns: Callable[[], int]) -> None:
        self._programs = programs
        self._clock_ns = clock_ns
        self._offers: dict[str, _Offer] = {}
        self._taken: dict[str, tuple[int, Attempt]] = {}
        """With which event the turn began that was taken last, and what had ended, until the server goes on from there. By
        run id."""

    def offered(self, start: StartActivity) -> Attempt | None:
        """An activity comes with the turn that follows. If it goes on from a turn that was taken here, the end that led to
        that is recorded: of this attempt."""
        task = start.task
        run_id = task.address.run_id
        taken = self._taken.pop(run_id, None)
        program = self._programs.get(run_id)
        if program is not None:
            self._offers[run_id] = _Offer(program, task, start.events, start.suggest_continue_as_new, self._clock_ns())
        return taken[1] if taken is not None and taken[0] < start.events[0].id else None

    def take(self, run_id: str, request: CompleteActivity) -> TurnAhead | None:
        """The turn that follows from an activity's end, if it may be taken."""
        offer = self._offers.pop(run_id, None)
        if (
            offer is None
            or offer.task.scheduled.id != request.scheduled_event_id
            or offer.task.attempt != request.attempt
            or self._programs.get(run_id) is not offer.program
        ):
            return None
        now = offer.task.started_time + self._clock_ns() - offer.came
        events = what_follows(offer.task, request, offer.events[-1].id, now, offer.suggest_continue_as_new)
        started_id = events[-1].id
        self._taken[run_id] = started_id, Attempt(run_id, request.scheduled_event_id, request.attempt)
        result = offer.program.turn((*offer.events, *events), ())
        if isinstance(result, TurnCompleted):
            return TurnAhead(started_id, now, tuple(result.commands), result.state)
        assert result is not None
        return TurnAhead(started_id, now, cause=result.cause, failure=result.failure)

    def is_lost(self, turn: TakeTurn) -> bool:
        """Whether the program has gone another way than the run, so that it can't take this turn."""
        run_id = turn.address.run_id
        self._offers.pop(run_id, None)
        taken = self._taken.pop(run_id, None)
        return taken is not None and not turn.is_new and turn.events[0].id <= taken[0]

    def forget(self, run_id: str) -> None:
        """A program is gone."""
        self._offers.pop(run_id, None)
        self._taken.pop(run_id, None)

    def clear(self) -> None:
        """All are."""
        self._offers.clear()
        self._taken.clear()


def what_follows(
    task: ActivityTask, request: CompleteActivity, last_event_id: int, now: int, suggest_continue_as_new: bool
) -> tuple[Event, Event, Event, WorkflowTaskStarted]:
    """The events from an activity's end to the turn that it leads to, as the history will have them.

    Args:
        last_event_id: the number of the last event so far.
        now: the time of all but the first, ns since 1970.
    """
    first, ref, identity = last_event_id + 1, task.scheduled.id, request.identity
    attempt = task.attempt_count
    return (
        ActivityTaskStarted(
            first, task.started_time, ref, identity, attempt, task.last_failure if attempt > 1 else None
        ),
        ActivityTaskCompleted(first + 1, now, ref, first, request.result, identity),
        WorkflowTaskScheduled(first + 2, now, task.scheduled.task_queue),
        WorkflowTaskStarted(first + 3, now, first + 2, identity, suggest_continue_as_new),
    )
