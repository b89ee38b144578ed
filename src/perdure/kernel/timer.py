"""Deadlines: user timers, and everything else about a run that happens because time has passed."""

import msgspec

from perdure.kernel import activity, lifecycle, operation, workflow_task
from perdure.kernel.commit import Commit, Reason, Rejection, activity_due, turn_due
from perdure.kernel.run import EXECUTION_TIMEOUT, FIRST_TASK, RUN_TIMEOUT, WORKFLOW_TASK, Run
from perdure.model import events as e
from perdure.model.commands import CancelTimer, StartTimer
from perdure.model.requests import FireTimer


def start(commit: Commit, command: StartTimer, task_completed_id: int) -> None:
    """The program wants to be woken."""
    event = e.TimerStarted(
        commit.next_id,
        commit.now,
        command.timer_id,
        command.start_to_fire_timeout_ns,
        task_completed_id,
        command.user_metadata,
    )
    commit.record(event)
    commit.set_timer(commit.run.timers[command.timer_id].due, event.id)


def cancel(commit: Commit, command: CancelTimer, task_completed_id: int) -> None:
    """The program no longer wants to be woken."""
    name = command.timer_id
    timer = commit.run.timers.get(name)
    if timer is not None:
        commit.drop_timer(timer.due, timer.started_event_id)
        started_event_id = timer.started_event_id
    else:
        fired = fired_meanwhile(commit.run, name)
        assert fired is not None
        started_event_id = fired.started_event_id
    commit.record(e.TimerCanceled(commit.next_id, commit.now, name, started_event_id, task_completed_id))


def fired_meanwhile(run: Run, timer_id: str) -> e.TimerFired | None:
    """The event, if a timer with this id has fired since the present turn began."""
    for event in run.buffered:
        if isinstance(event, e.TimerFired) and event.timer_id == timer_id:
            return event
    return None


def deadline(run: Run, key: int) -> int:
    """When something must happen under this name (ns since 1970); 0 if nothing must."""
    if key > 0:
        pending = run.activities.get(key)
        if pending is not None:
            return activity_due(pending)
        timer_id = run.timer_ids.get(key)
        if timer_id is not None:
            return run.timers[timer_id].due
        asked = operation.named(run, key) if run.operations else None
        return operation.due(asked, key) if asked is not None else 0
    if key == WORKFLOW_TASK:
        return turn_due(run, run.workflow_task) if run.workflow_task is not None else 0
    return next((due for due, ref in lifecycle.own_timers(run) if ref == key), 0)


def deadline_after(run: Run, key: int, now: int) -> int:
    """When the next thing later than ``now`` must happen under this name (ns since 1970); 0 if nothing must.

    A retry that may start already may go on waiting for a worker: then its timeouts are what comes next.
    """
    due = deadline(run, key)
    if 0 < due <= now and key > 0:
        pending = run.activities.get(key)
        if pending is not None and not pending.started_time:
            due = activity_due(msgspec.structs.replace(pending, next_attempt_time=0))
    return due if due > now else 0


def fire(commit: Commit, request: FireTimer) -> Rejection | None:
    """A deadline has come, or is said to have: a timer that is gone or not due yet is refused."""
    run, key = commit.run, request.key
    due = deadline(run, key)
    if not due or due > commit.now:
        return Rejection(Reason.STALE, f"Run {run.run_id}: nothing is due under {key}.")
    if key > 0:
        pending = run.activities.get(key)
        if pending is not None:
            activity.clock(commit, pending)
        elif (asked := operation.named(run, key)) is not None:
            operation.clock(commit, asked, key)
        else:
            commit.drop_timer(due, key)
            commit.occur(e.TimerFired(commit.occurrence_id(), commit.now, run.timer_ids[key], key))
            workflow_task.schedule(commit)
    elif key == RUN_TIMEOUT:
        lifecycle.time_out(commit, whole_execution=False)
    elif key == EXECUTION_TIMEOUT:
        lifecycle.time_out(commit, whole_execution=True)
    elif key == FIRST_TASK:
        commit.drop_timer(due, key)
        lifecycle.first_task_ready(commit)
    elif key == WORKFLOW_TASK:
        # A failed turn's back-off is over by itself: the task may be started from now on.
        workflow_task.timed_out(commit)
    return None
