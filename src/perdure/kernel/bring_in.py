"""Bringing in a run from elsewhere: a new run here with a whole history that was exported there.

A history tells events, not the facts that only an engine needs. So a closed run comes as it was; an open one comes as a
crash at its last event would have left it: a turn that was under way is taken again, activities that had not ended begin
with their first attempt, timers fire when they are due.
"""

from collections.abc import Sequence

import msgspec

from perdure.kernel import external, lifecycle, workflow_task
from perdure.kernel.commit import Commit, Reason, Rejection
from perdure.kernel.run import Run
from perdure.model import events as e
from perdure.model.failures import Failure
from perdure.model.limits import DEFAULT_LIMITS, Limits

CAUSE = "RESET_WORKFLOW"
"""Temporal has no word for it; this is what a turn ends by there that is taken again from a copied history."""


def bring_in(
    namespace: str, run_id: str, events: Sequence[e.Event], now: int, limits: Limits = DEFAULT_LIMITS
) -> Commit | Rejection:
    """Begin a run with a history that was exported elsewhere. Refused when that makes no sense, or when the run would wait
    for children that are not here."""
    if not events or not isinstance(events[0], e.WorkflowExecutionStarted):
        return Rejection(Reason.INVALID, "A history begins with the event WorkflowExecutionStarted.")
    started = events[0]
    if limits.history_events and len(events) > limits.history_events:
        return Rejection(
            Reason.LIMIT,
            f"The history has {len(events)} events, more than the limit history_events, {limits.history_events}.",
        )
    is_open = not isinstance(events[-1], _CLOSING)
    if is_open:
        # Nobody here waits for its end.
        events = [lifecycle.without_callbacks(event) for event in events]
        assert isinstance(events[0], e.WorkflowExecutionStarted)
        started = msgspec.structs.replace(events[0], parent=None)
    ended = _ended(events)
    run = Run(namespace, run_id, started)
    commit = Commit(run, now, limits)
    commit.is_visible = commit.is_found_by_other_values = True
    for number, event in enumerate((started, *events[1:]), 1):
        if event.id != number or run.close is not None:
            return Rejection(
                Reason.INVALID, f"Event {event.id} ({event.__class__.__name__}) can't stand at place {number}."
            )
        if isinstance(event, e.ActivityTaskScheduled) and is_open and event.id not in ended:
            # It begins anew, so its clocks do; or its timeouts would be over before it could start.
            event = msgspec.structs.replace(event, time=now)
        try:
            commit.record(event)
        except Exception as error:  # appliers trust what they are given, so a wrong history may raise anything
            what = f"{error.__class__.__name__}: {error}"
            return Rejection(
                Reason.INVALID, f"Event {number} ({event.__class__.__name__}) does not fit those before it ({what})."
            )
    if run.close is None:
        return _go_on(commit)
    return commit


def _go_on(commit: Commit) -> Commit | Rejection:
    run = commit.run
    if run.children:
        names = ", ".join(sorted(child.initiated.workflow_id for child in run.children.values()))
        return Rejection(
            Reason.INVALID, f"The run waits for children that are not here ({names}). Import it when they have ended."
        )
    if run.operations:
        names = ", ".join(
            sorted(f"{one.scheduled.service}/{one.scheduled.operation}" for one in run.operations.values())
        )
        return Rejection(
            Reason.INVALID,
            f"The run waits for operations that were asked for elsewhere ({names}). Import it when they end.",
        )
    for ref in run.activities:
        commit.add_task(ref)
        commit.ready.append(ref)
    for timer in run.timers.values():
        commit.set_timer(timer.due, timer.started_event_id)
    for due, ref in lifecycle.own_timers(run):
        commit.set_timer(due, ref)
    external.send_again(commit)
    task = run.workflow_task
    if task is not None and task.started_time:
        commit.record(
            e.WorkflowTaskFailed(
                commit.next_id,
                commit.now,
                task.scheduled_event_id,
                task.started_event_id,
                CAUSE,
                Failure("the run was imported while this turn was under way", source="perdure"),
                base_run_id=run.run_id,
                new_run_id=run.run_id,
            )
        )
        workflow_task.schedule(commit)
    return commit


def _ended(events: Sequence[e.Event]) -> set[int]:
    return {event.scheduled_event_id for event in events if isinstance(event, _ENDS_OF_ACTIVITIES)}


_ENDS_OF_ACTIVITIES = (
    e.ActivityTaskCompleted,
    e.ActivityTaskFailed,
    e.ActivityTaskTimedOut,
    e.ActivityTaskCanceled,
)
_CLOSING = (
    e.WorkflowExecutionCompleted,
    e.WorkflowExecutionFailed,
    e.WorkflowExecutionTimedOut,
    e.WorkflowExecutionCanceled,
    e.WorkflowExecutionTerminated,
    e.WorkflowExecutionContinuedAsNew,
)
