"""Activities and their attempts."""

from typing import Any

from perdure.kernel.activity_options import with_options
from perdure.kernel.appliers.applier import Applier, nothing
from perdure.kernel.run import Activity, Run
from perdure.model import events as e


def _activity_scheduled(run: Run, event: e.ActivityTaskScheduled) -> None:
    run.activities[event.id] = Activity(event, attempt_scheduled_time=event.time)
    run.activity_ids[event.activity_id] = event.id


def _attempt_started(run: Run, record: e.ActivityAttemptStarted) -> None:
    activity = run.activities[record.scheduled_event_id]
    activity.started_time = record.time
    activity.identity = record.identity
    activity.worker_id = record.worker_id
    activity.next_attempt_time = 0
    activity.heartbeat_time = 0


def _attempt_failed(run: Run, record: e.ActivityAttemptFailed) -> None:
    activity = run.activities[record.scheduled_event_id]
    activity.attempt = record.attempt + 1
    activity.started_time = 0
    activity.is_outside = False
    activity.last_identity, activity.identity = activity.identity, ""
    activity.last_failure = record.failure
    activity.next_attempt_time = record.next_attempt_time
    activity.attempt_scheduled_time = record.next_attempt_time
    activity.failed_time = record.time
    if activity.reset is not None:
        if activity.reset.resets_heartbeat:
            activity.heartbeat_details = ()
        activity.reset = None


def _heartbeat(run: Run, record: e.ActivityHeartbeatRecorded) -> None:
    activity = run.activities[record.scheduled_event_id]
    activity.heartbeat_time = record.time
    activity.heartbeat_details = record.details
    activity.is_outside = activity.is_outside or record.is_outside


def _activity_cancel_requested(run: Run, event: e.ActivityTaskCancelRequested) -> None:
    activity = run.activities.get(event.scheduled_event_id)
    if activity is not None:  # else it ended while the turn that no longer wants it was taken
        activity.cancel_requested_event_id = event.id


def _activity_paused(run: Run, record: e.ActivityPaused) -> None:
    run.activities[record.scheduled_event_id].paused = record


def _activity_unpaused(run: Run, record: e.ActivityUnpaused) -> None:
    activity = run.activities[record.scheduled_event_id]
    activity.paused = None
    if record.resets_attempts:
        activity.first_attempt = activity.attempt
    if record.resets_heartbeat:
        activity.heartbeat_details = ()
    _retry_at(activity, record.next_attempt_time)


def _activity_reset(run: Run, record: e.ActivityReset) -> None:
    activity = run.activities[record.scheduled_event_id]
    activity.first_attempt = activity.attempt
    if not record.keeps_paused:
        activity.paused = None
    if activity.started_time:
        activity.reset = record
    elif record.resets_heartbeat:
        activity.heartbeat_details = ()
    _retry_at(activity, record.next_attempt_time)


def _activity_options(run: Run, record: e.ActivityOptionsUpdated) -> None:
    activity = run.activities[record.scheduled_event_id]
    original = activity.original or activity.scheduled
    if record.options is None:
        activity.scheduled, activity.original = original, None
    else:
        activity.scheduled, activity.original = with_options(activity.scheduled, record.options), original
    _retry_at(activity, record.next_attempt_time)


def _retry_at(activity: Activity, time: int) -> None:
    if time:
        activity.next_attempt_time = activity.attempt_scheduled_time = time


def _activity_ended(run: Run, event: Any) -> None:
    activity = run.activities.pop(event.scheduled_event_id)
    del run.activity_ids[activity.scheduled.activity_id]


APPLIERS: dict[type, Applier] = {
    e.ActivityTaskScheduled: _activity_scheduled,
    e.ActivityTaskStarted: nothing,
    e.ActivityTaskCompleted: _activity_ended,
    e.ActivityTaskFailed: _activity_ended,
    e.ActivityTaskTimedOut: _activity_ended,
    e.ActivityTaskCancelRequested: _activity_cancel_requested,
    e.ActivityTaskCanceled: _activity_ended,
    e.ActivityAttemptStarted: _attempt_started,
    e.ActivityAttemptFailed: _attempt_failed,
    e.ActivityHeartbeatRecorded: _heartbeat,
    e.ActivityPaused: _activity_paused,
    e.ActivityUnpaused: _activity_unpaused,
    e.ActivityReset: _activity_reset,
    e.ActivityOptionsUpdated: _activity_options,
}
