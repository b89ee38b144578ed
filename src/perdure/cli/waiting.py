"""Why a run is not moving: what it waits for, since when, and who or what can end the wait."""

from collections.abc import Iterator

import msgspec

from perdure.cli.times import TimeStyle
from perdure.cli.values import address_text, failures_text, payloads_text, visible
from perdure.kernel.run import Activity, Child, Run, WorkflowTask
from perdure.model.options import RunStatus

_LIMIT = 160


class Wait(msgspec.Struct, frozen=True):
    """One thing that the run waits for: what it is, and how it stands."""

    what: str
    state: str


def waits_of(run: Run, style: TimeStyle) -> list[Wait]:
    """All that an open run waits for, what holds it up first; empty for a closed one."""
    if run.close is not None:
        return []
    found = list(_waits(run, style))
    if not any(wait.what != _PAUSED for wait in found):
        found.append(
            Wait("a signal or an update", "no activity, timer or child is pending, so only a message can wake it")
        )
    return found


_PAUSED = "being resumed"


def _waits(run: Run, style: TimeStyle) -> Iterator[Wait]:
    if run.status is RunStatus.PAUSED:
        yield Wait(_PAUSED, "it is paused, so nothing new starts until somebody resumes it")
    if run.first_task_pending:
        due = run.started.time + run.started.first_workflow_task_backoff_ns
        yield Wait("its delayed start", style.until(due))
    if run.workflow_task is not None:
        yield Wait("its next turn", _turn(run, run.workflow_task, style))
    for activity in run.activities.values():
        scheduled = activity.scheduled
        yield Wait(f"activity {visible(scheduled.activity_type)} (#{scheduled.id})", _activity(activity, style))
    for timer_id, timer in run.timers.items():
        yield Wait(f"timer {visible(timer_id)} (#{timer.started_event_id})", style.until(timer.due))
    for child in run.children.values():
        yield Wait(f"child {visible(child.initiated.workflow_id)}", _child(child, style))
    for signal in run.external_signals.values():
        target = address_text(signal.workflow_execution)
        yield Wait(
            f"signal {visible(signal.signal_name)} to {target}",
            f"sent {style.since(signal.time)}, and not delivered yet",
        )
    for cancel in run.external_cancels.values():
        target = address_text(cancel.workflow_execution)
        yield Wait(f"cancellation of {target}", f"sent {style.since(cancel.time)}, and not delivered yet")


def _turn(run: Run, task: WorkflowTask, style: TimeStyle) -> str:
    queue = visible(run.started.task_queue)
    if task.started_time:
        return f"attempt {task.attempt} began {style.since(task.started_time)}, on {visible(task.identity)}"
    if task.attempt == 1:
        return f"wanted since {style.moment(task.scheduled_time)}; a worker of task queue {queue} must take it"
    failed = visible(task.last_cause.lower().replace("_", " "))
    if task.last_failure is not None:
        failed = f"{failed}: {failures_text(task.last_failure, _LIMIT * 2)}"
    return f"attempt {task.attempt} {_next(task.next_attempt_time, style)}; the one before failed: {failed}"


def _next(next_attempt_time: int, style: TimeStyle) -> str:
    """``in 3s, at ...``; once that is past, the attempt waits for a worker with a free slot."""
    if next_attempt_time > style.now:
        return style.until(next_attempt_time)
    return f"may start since {style.moment(next_attempt_time)}" if next_attempt_time else "may start"


def _activity(activity: Activity, style: TimeStyle) -> str:
    scheduled = activity.scheduled
    limit = scheduled.retry_policy.max_attempts
    attempt = f"attempt {activity.attempt} of {limit}" if limit else f"attempt {activity.attempt}"
    if activity.started_time:
        parts = [f"{attempt} began {style.since(activity.started_time)}, on {visible(activity.identity)}"]
    elif activity.next_attempt_time > style.now:
        parts = [f"{attempt} {style.until(activity.next_attempt_time)}"]
    else:
        since = activity.next_attempt_time or scheduled.time
        parts = [
            f"{attempt} waits for a worker of task queue {visible(scheduled.task_queue)} since {style.moment(since)}"
        ]
    if activity.heartbeat_time:
        parts.append(f"last heartbeat {style.since(activity.heartbeat_time)}")
    if activity.heartbeat_details:
        parts.append(f"it said {payloads_text(activity.heartbeat_details, _LIMIT)}")
    if activity.cancel_requested_event_id:
        parts.append("it was asked to stop")
    if activity.last_failure is not None:
        parts.append(f"last error: {failures_text(activity.last_failure, _LIMIT)}")
    return "; ".join(parts)


def _child(child: Child, style: TimeStyle) -> str:
    kind = visible(child.initiated.workflow_type)
    if child.run_id:
        return f"{kind}, run {visible(child.run_id)}, asked for {style.since(child.initiated.time)}"
    return f"{kind}, not started yet, asked for {style.since(child.initiated.time)}"
