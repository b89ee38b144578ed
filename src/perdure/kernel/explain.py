"""What a run waits for, as far as its state tells: since when, until when, and who or what can end it."""

from collections.abc import Iterator

from perdure.kernel.commit import activity_due, turn_due
from perdure.kernel.operation import operation_due
from perdure.kernel.run import Activity, Child, Operation, Run, WorkflowTask
from perdure.model.explanation import Explanation, Wait, WaitKind
from perdure.model.ids import RunAddress
from perdure.model.system import SYSTEM_NAMESPACE

CLOCK = "the clock"


def explain(run: Run, now: int) -> Explanation:
    """Why the run is where it is, at ``now`` (ns since 1970)."""
    started = run.started
    deadlines = [
        due for due in (started.workflow_run_expiration_time, started.workflow_execution_expiration_time) if due
    ]
    return Explanation(
        address=RunAddress(run.namespace, run.workflow_id, run.run_id),
        workflow_type=started.workflow_type,
        task_queue=started.task_queue,
        status=run.status,
        time=now,
        waits=waits(run, now),
        expires=min(deadlines, default=0) if run.close is None else 0,
        cancel_requested=run.cancel_requested,
        build_id=run.build_id,
        pinned_build_id=run.pinned_build_id,
    )


def waits(run: Run, now: int) -> list[Wait]:
    """All that an open run waits for at ``now``, what holds it up first; empty for a closed one."""
    if run.close is not None:
        return []
    found = list(_waits(run, now))
    if all(wait.kind is WaitKind.PAUSED for wait in found):
        found.append(
            Wait(
                kind=WaitKind.MESSAGE,
                what="a signal or an update",
                state="nothing else is pending, so only a message can wake it",
                ends_by="whoever signals, updates or cancels it",
                since=run.last_turn_time or run.started.time,
            )
        )
    return found


def _waits(run: Run, now: int) -> Iterator[Wait]:
    if run.is_paused:
        yield _pause(run)
    if run.first_task_pending:
        started = run.started
        yield Wait(
            kind=WaitKind.START_DELAY,
            what="its start",
            state="it was to start later",
            ends_by=CLOCK,
            since=started.time,
            until=started.time + started.first_workflow_task_backoff_ns,
            ref=started.id,
        )
    if run.workflow_task is not None:
        yield _turn(run, run.workflow_task, now)
    for activity in run.activities.values():
        yield _activity(activity, now)
    for timer_id, timer in run.timers.items():
        yield Wait(
            kind=WaitKind.TIMER,
            what=f"timer {timer_id} (#{timer.started_event_id})",
            state="it is set",
            ends_by=CLOCK,
            since=timer.started_time,
            until=timer.due,
            ref=timer.started_event_id,
        )
    for child in run.children.values():
        yield _child(child)
    for operation in run.operations.values():
        yield _operation(operation, run.started.task_queue, now)
    for signal in run.external_signals.values():
        yield _message(
            WaitKind.SIGNAL, f"signal {signal.signal_name}", signal.workflow_execution, signal.time, signal.id
        )
    for cancel in run.external_cancels.values():
        yield _message(WaitKind.CANCELLATION, "a cancellation", cancel.workflow_execution, cancel.time, cancel.id)


def _pause(run: Run) -> Wait:
    paused = run.paused
    by = f" by {paused.identity}" if paused is not None and paused.identity else ""
    reason = f": {paused.reason}" if paused is not None and paused.reason else ""
    return Wait(
        kind=WaitKind.PAUSED,
        what="being resumed",
        state=f"it was paused{by}{reason}; nothing new starts until it is resumed",
        ends_by="whoever resumes the run",
        since=paused.time if paused is not None else 0,
        ref=paused.id if paused is not None else 0,
    )


def _turn(run: Run, task: WorkflowTask, now: int) -> Wait:
    started = run.started
    since, until, expires = task.scheduled_time, 0, 0
    if task.started_time:
        state, ends_by = f"attempt {task.attempt} runs on {task.identity}", f"the worker {task.identity}"
        since, expires = task.started_time, turn_due(run, task)
    elif task.next_attempt_time > now:
        state = f"attempt {task.attempt} waits out its back-off"
        ends_by = f"{CLOCK}, or mended code: opening the store again tries it at once"
        until = task.next_attempt_time
    else:
        state = f"attempt {task.attempt} waits for a worker"
        ends_by = f"a worker that serves workflow type {started.workflow_type} on task queue {started.task_queue}"
        since = max(since, task.next_attempt_time)
    if run.pinned_build_id and not task.started_time:
        ends_by = f"{ends_by}, with build {run.pinned_build_id}, to which it is pinned"
    if started.affinity is not None and started.affinity.required and not task.started_time:
        ends_by = f"{ends_by}, with label {started.affinity}"
    if task.last_cause:
        state = f"{state}; the attempt before failed ({task.last_cause.lower().replace('_', ' ')})"
    return Wait(
        kind=WaitKind.TURN,
        what="its next turn",
        state=state,
        ends_by=ends_by,
        since=since,
        until=until,
        expires=expires,
        failure=task.last_failure,
        ref=task.scheduled_event_id,
    )


def _activity(activity: Activity, now: int) -> Wait:
    scheduled = activity.scheduled
    limit = scheduled.retry_policy.max_attempts
    attempt = f"attempt {activity.attempt_count} of {limit}" if limit else f"attempt {activity.attempt_count}"
    until, expires = 0, activity_due(activity)
    if activity.is_outside:
        state, since = f"{attempt} was left to somebody outside", activity.started_time
        ends_by = "whoever completes it from outside, by its task token"
    elif activity.started_time:
        state, since = f"{attempt} runs on {activity.identity}", activity.started_time
        ends_by = f"the worker {activity.identity}, or whoever completes it from outside"
    elif (paused := activity.paused) is not None:
        by = f" by {paused.identity}" if paused.identity else ""
        state, since = f"{attempt} is paused{by}{f': {paused.reason}' if paused.reason else ''}", paused.time
        ends_by = "whoever unpauses the activity"
    elif activity.next_attempt_time > now:
        state, since = f"{attempt} waits out its back-off", activity.failed_time or scheduled.time
        ends_by, until = CLOCK, activity.next_attempt_time
        expires = 0 if expires == until else expires
    else:
        state, since = f"{attempt} waits for a worker", max(activity.attempt_scheduled_time, scheduled.time)
        ends_by = f"a worker that runs activity type {scheduled.activity_type} on task queue {scheduled.task_queue}"
        if scheduled.affinity is not None and scheduled.affinity.required:
            ends_by = f"{ends_by}, with label {scheduled.affinity}"
        expires = 0 if expires == activity.next_attempt_time else expires
    if activity.cancel_requested_event_id:
        state = f"{state}; it was asked to stop"
    return Wait(
        kind=WaitKind.ACTIVITY,
        what=f"activity {scheduled.activity_type} (#{scheduled.id})",
        state=state,
        ends_by=ends_by,
        since=since,
        until=until,
        expires=expires,
        failure=activity.last_failure,
        heartbeat_time=activity.heartbeat_time,
        details=activity.heartbeat_details,
        ref=scheduled.id,
    )


def _child(child: Child) -> Wait:
    initiated = child.initiated
    state = f"{initiated.workflow_type} runs as {child.run_id}" if child.run_id else "it has not started yet"
    is_child = initiated.detached is None
    return Wait(
        kind=WaitKind.CHILD,
        what=f"{'child' if is_child else 'workflow'} {initiated.workflow_id} (#{initiated.id})",
        state=state,
        ends_by=f"workflow {initiated.workflow_id}, when it {'closes' if is_child else 'has started'}",
        since=initiated.time,
        ref=initiated.id,
    )


def _operation(operation: Operation, own_queue: str, now: int) -> Wait:
    scheduled, cancel = operation.scheduled, operation.cancel
    served = f"task queue {scheduled.task_queue} of namespace {scheduled.namespace}"
    if not scheduled.namespace:
        served = (
            f"endpoint {scheduled.endpoint}"
            if scheduled.endpoint
            else f"task queue {scheduled.task_queue or own_queue}"
        )
    since, until, expires = scheduled.time, 0, operation_due(operation)
    if operation.started_time:
        since = operation.started_time
        state = f"it was accepted as {operation.token}" if operation.token else "it was accepted"
        ends_by = f"whoever carries it out behind endpoint {scheduled.endpoint}" if scheduled.endpoint else "its run"
    elif operation.next_attempt_time > now:
        state, since = f"attempt {operation.attempt} waits out its back-off", operation.failed_time
        ends_by, until = CLOCK, operation.next_attempt_time
        expires = 0 if expires == until else expires
    else:
        state = f"attempt {operation.attempt} waits for an answer"
        ends_by = f"a worker that serves {scheduled.service} on {served}"
        if scheduled.namespace == SYSTEM_NAMESPACE:
            ends_by = f"whoever serves the URL that endpoint {scheduled.endpoint} leads to"
    if cancel is not None:
        state = f"{state}; it was asked to stop"
    return Wait(
        kind=WaitKind.OPERATION,
        what=f"operation {scheduled.service}/{scheduled.operation} (#{scheduled.id})",
        state=state,
        ends_by=ends_by,
        since=since,
        until=until,
        expires=expires,
        failure=operation.last_failure,
        ref=scheduled.id,
    )


def _message(kind: WaitKind, what: str, target: RunAddress, since: int, ref: int) -> Wait:
    return Wait(
        kind=kind,
        what=f"{what} to workflow {target.workflow_id} (#{ref})",
        state="it is sent, and not delivered yet",
        ends_by="the engine, which delivers it or learns that it can't be",
        since=since,
        ref=ref,
    )
