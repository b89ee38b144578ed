"""What people do to activities that have not ended: pause, unpause, reset, change their options."""

from perdure.kernel.activity import is_ready
from perdure.kernel.activity_options import with_options
from perdure.kernel.commit import Commit, Reason, Rejection
from perdure.kernel.run import Activity
from perdure.model import events as e
from perdure.model.activity_options import ActivityOptions
from perdure.model.names import problem
from perdure.model.requests import (
    AboutActivities,
    PauseActivity,
    ResetActivity,
    UnpauseActivity,
    UpdateActivityOptions,
)


def pause(commit: Commit, request: PauseActivity) -> Rejection | None:
    """Start no further attempt."""
    chosen = _chosen(commit, request)
    if isinstance(chosen, Rejection):
        return chosen
    for activity in chosen:
        if activity.paused is None:
            ref = activity.scheduled.id
            commit.record(e.ActivityPaused(0, commit.now, ref, request.reason, request.identity))
            commit.change_task(ref)
    return None


def unpause(commit: Commit, request: UnpauseActivity) -> Rejection | None:
    """Let attempts start again. One that is not paused is as it was."""
    chosen = _chosen(commit, request)
    if isinstance(chosen, Rejection):
        return chosen
    if request.delay_ns < 0:
        return Rejection(Reason.INVALID, "delay_ns must not be negative.")
    for activity in chosen:
        if activity.paused is not None:
            ref = activity.scheduled.id
            commit.record(
                e.ActivityUnpaused(
                    0,
                    commit.now,
                    ref,
                    0 if activity.started_time else commit.now + request.delay_ns,
                    request.resets_attempts,
                    request.resets_heartbeat,
                    request.identity,
                )
            )
            _changed(commit, activity)
    return None


def reset(commit: Commit, request: ResetActivity) -> Rejection | None:
    """Count attempts anew, and let the next one start."""
    chosen = _chosen(commit, request)
    if isinstance(chosen, Rejection):
        return chosen
    if request.delay_ns < 0:
        return Rejection(Reason.INVALID, "delay_ns must not be negative.")
    for activity in chosen:
        ref = activity.scheduled.id
        if request.restores_options and activity.original is not None:
            commit.record(e.ActivityOptionsUpdated(0, commit.now, ref, None, 0, request.identity))
            _changed(commit, activity)
        if _is_reset(activity, request):
            continue
        commit.record(
            e.ActivityReset(
                0,
                commit.now,
                ref,
                0 if activity.started_time else commit.now + request.delay_ns,
                request.resets_heartbeat,
                request.keeps_paused,
                request.identity,
            )
        )
        _changed(commit, activity)
    return None


def _is_reset(activity: Activity, request: ResetActivity) -> bool:
    """Whether nothing would change: a reset that comes twice counts once."""
    if activity.attempt_count > 1 or (activity.paused is not None and not request.keeps_paused):
        return False
    if activity.started_time:
        return activity.reset is not None and activity.reset.resets_heartbeat >= request.resets_heartbeat
    return not (request.resets_heartbeat and activity.heartbeat_details)


def update_options(commit: Commit, request: UpdateActivityOptions) -> Rejection | None:
    """Go on with other options. A heartbeat that is late by the new ones is late at once."""
    options = request.options
    wrong = _wrong(options, commit.limits.id_length) if options is not None else None
    if wrong is not None:
        return Rejection(Reason.INVALID, wrong)
    chosen = _chosen(commit, request)
    if isinstance(chosen, Rejection):
        return chosen
    if options is not None:
        for activity in chosen:
            policy = with_options(activity.scheduled, options).retry_policy
            if policy.maximum_ns < policy.initial_ns:
                return Rejection(
                    Reason.INVALID,
                    f"Activity {activity.scheduled.activity_id} would wait longer before its first retry than a retry may "
                    "wait at most: change both.",
                )
    for activity in chosen:
        if options is None and activity.original is None:
            continue
        scheduled = activity.original if options is None else with_options(activity.scheduled, options)
        assert scheduled is not None
        if scheduled == activity.scheduled:
            continue
        due = activity.next_attempt_time
        if due > commit.now and not activity.started_time and scheduled.retry_policy != activity.scheduled.retry_policy:
            due = activity.failed_time + scheduled.retry_policy.delay_ns(max(1, activity.attempt_count - 1))
        commit.record(e.ActivityOptionsUpdated(0, commit.now, activity.scheduled.id, options, due, request.identity))
        _changed(commit, activity)
    return None


def _wrong(options: ActivityOptions, longest_name: int) -> str | None:
    if options.is_empty:
        return "No option of the activity is to change: name one, or restore the original ones."
    if options.task_queue is not None and (found := problem("task_queue", options.task_queue, longest_name)):
        return f"The activity's {found}."
    for name in options.__struct_fields__:
        value = getattr(options, name)
        least = 1 if name == "retry_backoff" else 0
        if isinstance(value, (int, float)) and not least <= value < (1 << 63):
            return f"The activity's {name}={value!r} must be at least {least}."
    return None


def _chosen(commit: Commit, request: AboutActivities) -> list[Activity] | Rejection:
    run, activity_id, activity_type = commit.run, request.activity_id, request.activity_type
    chosen = [
        activity
        for activity in run.activities.values()
        if (not activity_id or activity.scheduled.activity_id == activity_id)
        and (not activity_type or activity.scheduled.activity_type == activity_type)
    ]
    if chosen or not (activity_id or activity_type):
        return chosen
    named = f"id {activity_id!r}" if activity_id else f"type {activity_type!r}"
    return Rejection(
        Reason.NOT_FOUND,
        f"Run {run.run_id} of workflow {run.workflow_id!r} has no pending activity with {named}: it has ended, or never was.",
    )


def _changed(commit: Commit, activity: Activity) -> None:
    ref = activity.scheduled.id
    commit.change_task(ref)
    if is_ready(commit.run, activity, commit.now):
        commit.ready.append(ref)
