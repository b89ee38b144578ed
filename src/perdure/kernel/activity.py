"""Activities: attempts, retries, timeouts, heartbeats, cancellation.

An attempt is a fact (``ActivityAttemptStarted``) recorded before a worker gets it, so it counts even if everything
dies the next moment; with ``max_attempts=1`` nothing can start it again. The history shows ``ActivityTaskStarted``
once, when the last attempt ends, as Temporal's does.
"""

from collections.abc import Sequence

from perdure.kernel import workflow_task
from perdure.kernel.commit import Commit, Reason, Rejection
from perdure.kernel.run import Activity, Run
from perdure.model import events as e
from perdure.model.commands import AnyCommand, RequestCancelActivityTask, ScheduleActivityTask
from perdure.model.failures import Failure, FailureKind, RetryState, TimeoutType
from perdure.model.options import PAUSED, RetryPolicy
from perdure.model.payloads import Payloads
from perdure.model.requests import (
    CancelActivity,
    CompleteActivity,
    FailActivity,
    HeartbeatActivity,
    LoseActivity,
    StartActivity,
)


def is_ready(run: Run, activity: Activity, now: int) -> bool:
    """Whether its next attempt may start now."""
    return (
        not activity.started_time
        and activity.next_attempt_time <= now
        and run.status is not PAUSED
        and activity.paused is None
    )


# --- from the program


def schedule(commit: Commit, command: ScheduleActivityTask, task_completed_id: int) -> None:
    """The program wants an activity run."""
    run = commit.run
    ref = run.next_event_id
    commit.record(
        e.ActivityTaskScheduled(
            ref,
            commit.now,
            command.activity_id,
            command.activity_type,
            command.task_queue or run.started.task_queue,
            command.input,
            command.schedule_to_close_timeout_ns,
            command.schedule_to_start_timeout_ns,
            command.start_to_close_timeout_ns,
            command.heartbeat_timeout_ns,
            command.retry_policy,
            task_completed_id,
            command.header,
            command.priority if command.priority is not None else run.priority,
            command.limit_key,
            command.breaker,
            command.affinity,
            command.user_metadata,
        )
    )
    commit.add_task(ref)
    commit.ready.append(ref)


def request_cancel(commit: Commit, command: RequestCancelActivityTask, task_completed_id: int) -> None:
    """The program no longer wants it. A running attempt is told; one that does not run ends with the turn
    (``end_cancelled``)."""
    activity = commit.run.activities.get(command.scheduled_event_id)
    if activity is not None and activity.cancel_requested_event_id:
        return
    commit.record(
        e.ActivityTaskCancelRequested(commit.next_id, commit.now, command.scheduled_event_id, task_completed_id)
    )
    if activity is not None and activity.started_time:
        commit.cancelled.append(command.scheduled_event_id)


def end_cancelled(commit: Commit, asked: Sequence[AnyCommand]) -> bool:
    """All of the turn's commands have become events: attempts they cancel that have not started never will. Whether
    there are any."""
    is_any = False
    for command in asked:
        if command.__class__ is RequestCancelActivityTask:
            activity = commit.run.activities.get(command.scheduled_event_id)
            if activity is not None and not activity.started_time:
                commit.occur(_cancelled(commit, activity, (), "", started_event_id=0))
                commit.finish_task(command.scheduled_event_id)
                is_any = True
    return is_any


# --- from workers


def _running(run: Run, scheduled_event_id: int, attempt: int) -> Activity | None:
    activity = run.activities.get(scheduled_event_id)
    if activity is not None and activity.attempt == attempt and activity.started_time:
        return activity
    return None


def _not_running(run: Run, scheduled_event_id: int, attempt: int) -> Rejection:
    activity = run.activities.get(scheduled_event_id)
    if activity is None:
        return Rejection(
            Reason.STALE,
            f"Run {run.run_id} has no open activity with scheduled event id {scheduled_event_id}: it has ended, or never was.",
        )
    present = f"attempt {activity.attempt} {'runs' if activity.started_time else 'has not started'}"
    return Rejection(
        Reason.STALE,
        f"Attempt {attempt} of activity {activity.scheduled.activity_id} of run {run.run_id} is not running; {present}.",
    )


def start(commit: Commit, request: StartActivity) -> Rejection | None:
    """A worker takes an attempt."""
    run = commit.run
    activity = run.activities.get(request.scheduled_event_id)
    if activity is None or activity.attempt != request.attempt or not is_ready(run, activity, commit.now):
        return Rejection(
            Reason.STALE,
            f"Run {run.run_id}: attempt {request.attempt} of {request.scheduled_event_id} can't start now.",
        )
    begin(commit, activity, request.identity)
    return None


def begin(commit: Commit, activity: Activity, identity: str, worker_id: str = "") -> None:
    """An attempt that ``is_ready`` starts, at a worker that can be found again by ``worker_id``, if it has one."""
    ref = activity.scheduled.id
    commit.record(e.ActivityAttemptStarted(0, commit.now, ref, activity.attempt, identity, worker_id))
    commit.change_task(ref)


def complete(commit: Commit, request: CompleteActivity) -> Rejection | None:
    """An attempt succeeded."""
    activity = _running(commit.run, request.scheduled_event_id, request.attempt)
    if activity is None:
        return _not_running(commit.run, request.scheduled_event_id, request.attempt)
    started_id = _record_started(commit, activity)
    _end(
        commit,
        activity,
        e.ActivityTaskCompleted(
            commit.occurrence_id(), commit.now, request.scheduled_event_id, started_id, request.result, request.identity
        ),
    )
    return None


def fail(commit: Commit, request: FailActivity) -> Rejection | None:
    """An attempt failed; the retry policy says whether there is another."""
    activity = _running(commit.run, request.scheduled_event_id, request.attempt)
    if activity is None:
        return _not_running(commit.run, request.scheduled_event_id, request.attempt)
    if request.heartbeat_details is not None:
        commit.record(e.ActivityHeartbeatRecorded(0, commit.now, request.scheduled_event_id, request.heartbeat_details))
    _attempt_failed(commit, activity, request.failure, request.identity)
    return None


def lose(commit: Commit, request: LoseActivity) -> Rejection | None:
    """The worker that had the attempt is gone. It counts as an attempt, and the next one does not wait."""
    activity = _running(commit.run, request.scheduled_event_id, request.attempt)
    if activity is None:
        return _not_running(commit.run, request.scheduled_event_id, request.attempt)
    failure = Failure(
        request.reason or "the worker that ran this attempt was lost",
        type="WorkerLost",
        source="perdure",
        next_retry_delay_ns=0,
    )
    _attempt_failed(commit, activity, failure, activity.identity)
    return None


def cancel(commit: Commit, request: CancelActivity) -> Rejection | None:
    """An attempt has stopped because it was asked to."""
    activity = _running(commit.run, request.scheduled_event_id, request.attempt)
    if activity is None:
        return _not_running(commit.run, request.scheduled_event_id, request.attempt)
    if not activity.cancel_requested_event_id:
        return Rejection(
            Reason.INVALID,
            f"Activity {activity.scheduled.activity_id} of run {commit.run.run_id} was not asked to cancel; report a failure.",
        )
    started_id = _record_started(commit, activity)
    _end(commit, activity, _cancelled(commit, activity, request.details, request.identity, started_event_id=started_id))
    return None


def heartbeat(commit: Commit, request: HeartbeatActivity) -> Rejection | None:
    """An attempt is alive, and this is how far it has come."""
    activity = _running(commit.run, request.scheduled_event_id, request.attempt)
    if activity is None:
        return _not_running(commit.run, request.scheduled_event_id, request.attempt)
    commit.record(
        e.ActivityHeartbeatRecorded(0, commit.now, request.scheduled_event_id, request.details, request.leaves)
    )
    if activity.cancel_requested_event_id:
        commit.cancelled.append(request.scheduled_event_id)
    return None


# --- from the clock


def clock(commit: Commit, activity: Activity) -> bool:
    """Whatever is due for this activity by now. False when nothing is."""
    now, scheduled = commit.now, activity.scheduled
    if activity.paused is not None and not activity.started_time:
        return False
    if scheduled.schedule_to_close_timeout_ns and now >= scheduled.time + scheduled.schedule_to_close_timeout_ns:
        _time_out(commit, activity, TimeoutType.SCHEDULE_TO_CLOSE)
    elif not activity.started_time:
        late = activity.attempt_scheduled_time + scheduled.schedule_to_start_timeout_ns
        if scheduled.schedule_to_start_timeout_ns and now >= late:
            _time_out(commit, activity, TimeoutType.SCHEDULE_TO_START)
        elif activity.next_attempt_time and now >= activity.next_attempt_time:
            commit.ready.append(scheduled.id)
        else:
            return False
    elif scheduled.start_to_close_timeout_ns and now >= activity.started_time + scheduled.start_to_close_timeout_ns:
        _time_out(commit, activity, TimeoutType.START_TO_CLOSE)
    elif scheduled.heartbeat_timeout_ns and now >= (
        (activity.heartbeat_time or activity.started_time) + scheduled.heartbeat_timeout_ns
    ):
        _time_out(commit, activity, TimeoutType.HEARTBEAT)
    else:
        return False
    return True


_TIMEOUT_NAMES = {
    TimeoutType.START_TO_CLOSE: "start-to-close",
    TimeoutType.SCHEDULE_TO_START: "schedule-to-start",
    TimeoutType.SCHEDULE_TO_CLOSE: "schedule-to-close",
    TimeoutType.HEARTBEAT: "heartbeat",
}


def _time_out(commit: Commit, activity: Activity, timeout_type: TimeoutType) -> None:
    failure = Failure(
        f"activity {_TIMEOUT_NAMES[timeout_type]} timeout",
        FailureKind.TIMEOUT,
        details=activity.heartbeat_details,
        cause=activity.last_failure,
        source="perdure",
        timeout_type=timeout_type,
    )
    ref = activity.scheduled.id
    if activity.started_time:
        commit.cancelled.append(ref)
    retryable = timeout_type in (TimeoutType.START_TO_CLOSE, TimeoutType.HEARTBEAT)
    state, delay_ns = _next_attempt(commit, activity, failure) if retryable else (RetryState.TIMEOUT, 0)
    if state is RetryState.IN_PROGRESS:
        _retry(commit, activity, failure, delay_ns)
        return
    if retryable and state is RetryState.TIMEOUT:
        failure = Failure(
            "not enough time for another attempt before the activity's schedule-to-close timeout",
            FailureKind.TIMEOUT,
            details=activity.heartbeat_details,
            cause=failure,
            source="perdure",
            timeout_type=TimeoutType.SCHEDULE_TO_CLOSE,
        )
    started_id = _record_started(commit, activity) if activity.started_time else 0
    _end(commit, activity, e.ActivityTaskTimedOut(commit.occurrence_id(), commit.now, ref, started_id, failure, state))


# --- what they share

_TIMEOUT_TYPES = {
    TimeoutType.START_TO_CLOSE: "TemporalTimeout:StartToClose",
    TimeoutType.HEARTBEAT: "TemporalTimeout:Heartbeat",
}
"""What a retry policy calls time-outs that are final."""


def next_attempt(
    policy: RetryPolicy, attempt: int, failure: Failure, now: int, expiration: int
) -> tuple[RetryState, int]:
    """What a retry policy says after attempt number ``attempt`` failed: why not again, or IN_PROGRESS and the delay
    in ns.

    ``expiration`` (ns since 1970, 0 for never) is when an attempt would be too late.
    """
    if failure.non_retryable or failure.type in policy.non_retryable:
        return RetryState.NON_RETRYABLE_FAILURE, 0
    if failure.kind in (FailureKind.CANCELED, FailureKind.TERMINATED):
        return RetryState.NON_RETRYABLE_FAILURE, 0
    if policy.non_retryable and _TIMEOUT_TYPES.get(failure.timeout_type) in policy.non_retryable:
        return RetryState.NON_RETRYABLE_FAILURE, 0
    if policy.max_attempts and attempt >= policy.max_attempts:
        return RetryState.MAXIMUM_ATTEMPTS_REACHED, 0
    delay_ns = failure.next_retry_delay_ns
    if delay_ns < 0:
        delay_ns = policy.delay_ns(attempt)
    if expiration and now + delay_ns >= expiration:
        return RetryState.TIMEOUT, 0
    return RetryState.IN_PROGRESS, delay_ns


def _next_attempt(commit: Commit, activity: Activity, failure: Failure) -> tuple[RetryState, int]:
    if activity.cancel_requested_event_id:
        return RetryState.CANCEL_REQUESTED, 0
    scheduled = activity.scheduled
    limit = scheduled.schedule_to_close_timeout_ns
    return next_attempt(
        scheduled.retry_policy, activity.attempt_count, failure, commit.now, scheduled.time + limit if limit else 0
    )


def _attempt_failed(commit: Commit, activity: Activity, failure: Failure, identity: str) -> None:
    state, delay_ns = _next_attempt(commit, activity, failure)
    if state is RetryState.IN_PROGRESS:
        _retry(commit, activity, failure, delay_ns)
        return
    started_id = _record_started(commit, activity)
    ref = activity.scheduled.id
    _end(
        commit,
        activity,
        e.ActivityTaskFailed(commit.occurrence_id(), commit.now, ref, started_id, failure, state, identity),
    )


def _retry(commit: Commit, activity: Activity, failure: Failure, delay_ns: int) -> None:
    ref = activity.scheduled.id
    failed = e.ActivityAttemptFailed(0, commit.now, ref, activity.attempt, failure, commit.now + delay_ns)
    commit.record(failed)
    commit.ended.append((activity, failed))
    commit.change_task(ref)
    if delay_ns == 0:
        commit.ready.append(ref)


def _record_started(commit: Commit, activity: Activity) -> int:
    """Write the start that the history has been spared so far; the event's number, 0 while it has none."""
    number, attempt = commit.occurrence_id(), activity.attempt - activity.first_attempt + 1
    commit.occur(
        e.ActivityTaskStarted(
            number,
            activity.started_time,
            activity.scheduled.id,
            activity.identity,
            attempt,
            activity.last_failure if attempt > 1 else None,
        )
    )
    return number


def _cancelled(
    commit: Commit, activity: Activity, details: Payloads, identity: str, *, started_event_id: int
) -> e.ActivityTaskCanceled:
    return e.ActivityTaskCanceled(
        commit.occurrence_id(),
        commit.now,
        activity.scheduled.id,
        started_event_id,
        details,
        activity.cancel_requested_event_id,
        identity,
    )


def _end(commit: Commit, activity: Activity, event: e.Event) -> None:
    commit.occur(event)
    commit.ended.append((activity, event))
    commit.finish_task(activity.scheduled.id)
    workflow_task.schedule(commit)
