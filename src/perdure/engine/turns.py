"""Turns: a program in this process runs at once, and what it asks for joins the commit that made it run; one elsewhere is
sent what it needs, at once as well, since a program's code has no effects that would have to wait for the commit."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from perdure.engine.loading import Loader
from perdure.engine.pipeline import Done, Pipeline
from perdure.engine.remote_program import RemoteProgram
from perdure.engine.remote_worker import RemoteWorker
from perdure.engine.resident import Resident
from perdure.kernel.commit import Commit
from perdure.kernel.run import WorkflowTask
from perdure.kernel.transition import transition
from perdure.kernel.turn import finish
from perdure.kernel.workflow_task import begin, preview, record_failure, suggests_continue_as_new
from perdure.model.errors import PerdureError
from perdure.model.events import AnyRecord
from perdure.model.limits import Limits
from perdure.model.log_fields import about_run
from perdure.model.program import ActivityTask, TurnCompleted, TurnFailed, numbered
from perdure.model.requests import Request, TerminateWorkflow
from perdure.model.workers import TurnAhead

if TYPE_CHECKING:
    from perdure.engine.engine import Engine

log = logging.getLogger("perdure.engine")

AHEAD = 3
"""The turn that follows from an activity's end begins so many events after the next one: the activity has started and
ended, the turn is scheduled."""


def take(resident: Resident, commit: Commit, turn: WorkflowTask) -> None:
    """The program takes its turn, and the turn is decided. ``resident.program`` must be there.

    If it is taken elsewhere, it is decided when its end comes in.
    """
    run, program, host = resident.run, resident.program, resident.host
    assert program is not None and host is not None
    identity = host.identity
    begin(commit, turn, identity)
    note_events(resident, commit)
    events = resident.unseen
    if turn.started_event_id >= run.next_event_id:
        events += preview(run, suggests_continue_as_new(commit))
    resident.unseen = []
    resident.seen = turn.started_event_id
    updates = [u.admitted for u in run.updates.values() if u.admitted is not None] if run.updates else []
    result = program.turn(events, updates)
    if commit.later:
        commit.now, commit.later = commit.later, 0
    if result is None:
        resident.is_turn_out = True
        return
    if result.__class__ is TurnCompleted:
        finish(commit, turn, result.commands, identity, host.build_id, state=result.state)
    else:
        assert isinstance(result, TurnFailed)
        log.warning(
            "Workflow %s, run %s: its turn failed: %s",
            run.workflow_id,
            run.run_id,
            result.failure.message,
            extra=_about(resident),
        )
        record_failure(commit, turn, result.cause, result.failure, identity, host.build_id)
    ended(resident, commit)


def ended(resident: Resident, commit: Commit) -> None:
    """A turn is over, in whatever way. One that failed costs the program: the next one is built anew from the
    history."""
    run = resident.run
    resident.is_turn_out = False
    task = run.workflow_task
    if task is not None and task.attempt > 1:
        resident.drop_program()
        limit = commit.limits.turn_attempts
        if limit and task.attempt > limit:
            transition(run, TerminateWorkflow(_hopeless(limit, task)), commit.now, commit.limits, commit)
    elif resident.seen >= run.next_event_id:
        # The turn has left no trace, so the numbers the program saw will be used by other events.
        resident.seen = run.next_event_id - 1


def _about(resident: Resident) -> dict[str, object]:
    started = resident.run.started
    return about_run(resident.address, started.workflow_type, started.header)


def _hopeless(limit: int, task: WorkflowTask) -> str:
    failure = task.last_failure
    error = f": {failure.type}: {failure.message}" if failure is not None else ""
    return f"its turn failed {limit} times in a row (limit turn_attempts){error}"


def note_events(resident: Resident, commit: Commit) -> None:
    """Add to ``resident.unseen`` the events recorded in this commit that the program has neither seen nor been noted
    for."""
    if not resident.has_history:
        return
    unseen = resident.unseen
    last = unseen[-1].id if unseen else resident.seen
    records = commit.records[commit.noted :] if commit.noted else commit.records
    commit.noted = len(commit.records)
    # Facts have number 0, so this leaves the events; a buffered one is wrapped in a fact.
    unseen += [event for event in (numbered(records) if commit.has_flushed else records) if event.id > last]  # type: ignore[misc]


def start_activity(resident: Resident, worker: RemoteWorker, task: ActivityTask, limits: Limits) -> None:
    """Send an attempt to its worker elsewhere. If the run waits for nothing else, and its program is there too and has not
    been told yet that the activity is scheduled as it is, the worker is told what the program has not been told, and may
    take the next turn itself when the attempt completes."""
    program, run, scheduled = resident.program, resident.run, task.scheduled
    if (
        worker.goes_ahead
        and resident.host is worker
        and not resident.is_turn_out
        and len(run.activities) == 1
        and run.workflow_task is None
        and any(event is scheduled for event in resident.unseen)
    ):
        assert isinstance(program, RemoteProgram)
        program.offered = begins = run.next_event_id + AHEAD
        suggest = limits.suggest_history_events
        worker.start_activity(task, resident.unseen, suggest_continue_as_new=0 < suggest <= begins)
    else:
        worker.start_activity(task)


def decide_ahead(
    engine: Engine, resident: Resident, program: RemoteProgram, ahead: TurnAhead, request: Request, done: Done
) -> None:
    """Decide the end of an activity that came with the turn that follows; that counts if the decision leads to it.

    A worker whose turn does not count has a program that is of no use any more. If it was sent a turn meanwhile it will
    say so itself (``hand_out_again``); otherwise a new program takes the next one.
    """
    run, now = resident.run, engine.clock.now_ns()
    if (
        program.offered == ahead.started_event_id == run.next_event_id + AHEAD
        and run.workflow_task is None
        and run.last_turn_time <= ahead.time <= now < ahead.time + run.started.workflow_task_timeout_ns
    ):
        program.ahead = ahead
        engine.decide(resident, request, done, ahead.time)
        if program.ahead is None:
            return
        program.ahead = None
    else:
        engine.decide(resident, request, done)
    program.worker.distrust(program)
    if resident.program is program and program.turn_in_hand is None:
        resident.drop_program()


def hand_out_again(resident: Resident, loader: Loader, pipeline: Pipeline, limits: Limits) -> None:
    """A worker elsewhere lacks the program for the turn that it has in hand: send the turn with the whole history. Nothing
    has happened, so the history does not learn of it."""
    program = resident.program
    assert isinstance(program, RemoteProgram)
    in_hand = program.turn_in_hand

    def read(records: list[AnyRecord] | PerdureError | None) -> None:
        if resident.is_lost or resident.program is not program or program.turn_in_hand != in_hand:
            return
        run, turn = resident.run, resident.run.workflow_task
        if not isinstance(records, list) or turn is None:
            # It times out, and is tried again.
            log.error("The history of run %s can't be read: %s", run.run_id, records, extra=_about(resident))
            return
        events = numbered(records)
        events += pipeline.events_under_way(resident, events[-1].id if events else 0)
        events = [event for event in events if event.id <= turn.started_event_id]
        events += preview(run, suggests_continue_as_new(Commit(run, 0, limits)))
        updates = [u.admitted for u in run.updates.values() if u.admitted is not None and u.is_delivered]
        program.take_again(events, updates)

    loader.history(resident.key, read)


def prepare(resident: Resident, loader: Loader, pipeline: Pipeline, ready: Callable[[], None]) -> bool:
    """See that the run's history is in memory, for a new program. If it has to be waited for: False, and ``ready`` is
    called then."""
    if resident.has_history:
        return True
    waited = False

    def read(records: list[AnyRecord] | PerdureError | None) -> None:
        if isinstance(records, list) and not resident.is_lost and not resident.has_history:
            events = numbered(records)
            resident.unseen = events + pipeline.events_under_way(resident, events[-1].id if events else 0)
            resident.seen = 0
            resident.has_history = True
        elif isinstance(records, PerdureError):
            log.error("The history of run %s can't be read: %s", resident.run.run_id, records, extra=_about(resident))
            return
        if waited:
            ready()

    loader.history(resident.key, read)
    waited = True
    return resident.has_history
