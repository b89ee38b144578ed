"""Turns: a program in this process runs at once, and what it asks for joins the commit that made it run; one elsewhere is
sent what it needs, at once as well, since a program's code has no effects that would have to wait for the commit."""

import logging
from collections.abc import Callable

from perdure.engine.loading import Loader
from perdure.engine.pipeline import Pipeline
from perdure.engine.resident import Resident
from perdure.kernel.commit import Commit
from perdure.kernel.run import WorkflowTask
from perdure.kernel.transition import transition
from perdure.kernel.turn import finish
from perdure.kernel.workflow_task import begin, preview, record_failure, suggests_continue_as_new
from perdure.model.errors import PerdureError
from perdure.model.events import AnyRecord
from perdure.model.log_fields import about_run
from perdure.model.program import TurnCompleted, TurnFailed, numbered
from perdure.model.requests import TerminateWorkflow

log = logging.getLogger("perdure.engine")


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
