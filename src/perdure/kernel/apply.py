"""The only code that changes a run.

One small function per record type, in the tables of ``appliers``. Appliers never decide, never look at the clock and never
fail: whatever led to the record was decided in ``transition``. The same functions run when a decision is made and when a
history is read back.
"""

from collections.abc import Iterable

from perdure.kernel.appliers import activity, child, external, note, operation, timer, update, workflow, workflow_task
from perdure.kernel.appliers.applier import Applier
from perdure.kernel.run import Run
from perdure.model import events as e
from perdure.model.errors import InvariantError


def fold(namespace: str, run_id: str, records: Iterable[e.AnyRecord]) -> Run:
    """The state that a history gives. Raises ``InvariantError`` if it does not begin with its start or skips a
    number."""
    remaining = iter(records)
    started = next(remaining, None)
    if not isinstance(started, e.WorkflowExecutionStarted):
        raise InvariantError(f"The history of run {run_id} does not begin with WorkflowExecutionStarted.")
    run = Run(namespace, run_id, started)
    apply(run, started)
    for record in remaining:
        apply(run, record)
    return run


def apply(run: Run, record: e.AnyRecord) -> None:
    """Let one record take effect. Raises ``InvariantError`` if it is an event whose number is not the next one."""
    number = record.id
    if number:
        if number != run.next_event_id:
            raise out_of_order(run, record)
        run.next_event_id = number + 1
    APPLIERS[record.__class__](run, record)


def out_of_order(run: Run, record: e.AnyRecord) -> InvariantError:
    """What is wrong with a record whose number is not the next one."""
    return InvariantError(
        f"Run {run.run_id}: event {record.__class__.__name__} has number {record.id}, expected {run.next_event_id}."
    )


def _buffered(run: Run, record: e.EventBuffered) -> None:
    run.buffered.append(record.event)
    APPLIERS[record.event.__class__](run, record.event)


def _flushed(run: Run, record: e.EventFlushed) -> None:
    event = record.event
    if event.id != run.next_event_id:
        raise InvariantError(f"Run {run.run_id}: buffered event got number {event.id}, expected {run.next_event_id}.")
    run.next_event_id += 1
    del run.buffered[0]
    # Its effect came with EventBuffered; only what is named by its number is still to be told.
    if event.__class__ is e.ChildWorkflowExecutionStarted:
        child = run.children.get(event.initiated_event_id)
        if child is not None:
            child.started_event_id = event.id
    elif event.__class__ is e.WorkflowExecutionOptionsUpdated and event.request_id in run.attached_request_ids:
        run.attached_request_ids = {**run.attached_request_ids, event.request_id: event.id}


APPLIERS: dict[type, Applier] = {
    **workflow.APPLIERS,
    **workflow_task.APPLIERS,
    **activity.APPLIERS,
    **timer.APPLIERS,
    **note.APPLIERS,
    **child.APPLIERS,
    **external.APPLIERS,
    **update.APPLIERS,
    **operation.APPLIERS,
    e.EventBuffered: _buffered,
    e.EventFlushed: _flushed,
}
