"""Runs as clients see them: from rows in lists and counts, from their state when they are described."""

from collections.abc import Sequence

import msgspec

from perdure.engine.ports import RunRow
from perdure.engine.search.evaluate import parent_of, root_above
from perdure.kernel.run import Run
from perdure.model import service as s
from perdure.model.events import ActivityPaused
from perdure.model.payloads import PayloadMap
from perdure.model.search import Group, Query

_decode_map = msgspec.msgpack.Decoder(PayloadMap).decode


def summary_of(row: RunRow) -> s.RunSummary:
    """A row as clients see it."""
    parent = parent_of(row.parent)
    root = (row.workflow_id, row.run_id) if parent is None else root_above(parent)
    return s.RunSummary(
        row.namespace,
        row.workflow_id,
        row.run_id,
        row.workflow_type,
        row.task_queue,
        row.status,
        row.start_time,
        row.close_time,
        row.history_length,
        _decode_map(row.memo) if row.memo else {},
        _decode_map(row.search_attributes) if row.search_attributes else {},
        parent,
        row.build_id,
        *root,
    )


def run_count(query: Query, groups: Sequence[Group]) -> s.RunCount:
    """A store's counts as clients see them."""
    ordered = sorted(groups, key=lambda group: (-group.count, [(value is None, value) for value in group.values]))
    return s.RunCount(sum(group.count for group in groups), query.groups, ordered)


def _pause(paused: ActivityPaused) -> tuple[int, str, str]:
    return paused.time, paused.reason, paused.identity


def describe(run: Run, history_bytes: int) -> s.RunDescription:
    """Everything about a run but its history."""
    started = run.started
    task = run.workflow_task
    return s.RunDescription(
        s.RunSummary(
            run.namespace,
            run.workflow_id,
            run.run_id,
            started.workflow_type,
            started.task_queue,
            run.status,
            started.time,
            run.close.time if run.close is not None else 0,
            run.history_length,
            run.memo,
            run.search_attributes,
            started.parent,
            run.build_id,
            *(
                (started.root_workflow_id, started.root_run_id)
                if started.parent is not None
                else (run.workflow_id, run.run_id)
            ),
        ),
        started.first_execution_run_id,
        started.attempt,
        history_bytes,
        started.workflow_execution_timeout_ns,
        started.workflow_run_timeout_ns,
        run.cancel_requested,
        run.build_id,
        None
        if task is None
        else s.PendingTurn(
            task.attempt,
            task.scheduled_time,
            task.started_time,
            task.next_attempt_time,
            task.last_cause,
            task.last_failure,
        ),
        [
            s.PendingActivity(
                ref,
                activity.scheduled.activity_id,
                activity.scheduled.activity_type,
                activity.scheduled.task_queue,
                activity.attempt_count,
                activity.scheduled.retry_policy.max_attempts,
                activity.scheduled.time,
                activity.started_time,
                activity.next_attempt_time,
                activity.heartbeat_time,
                activity.heartbeat_details,
                activity.last_failure,
                activity.identity,
                activity.cancel_requested_event_id > 0,
                activity.scheduled.affinity,
                *(() if activity.paused is None else _pause(activity.paused)),
            )
            for ref, activity in run.activities.items()
        ],
        [s.PendingTimer(timer_id, timer.started_event_id, timer.due) for timer_id, timer in run.timers.items()],
        [
            s.PendingChild(ref, child.initiated.workflow_id, child.run_id, child.initiated.workflow_type)
            for ref, child in run.children.items()
        ],
        run.pinned_build_id,
        started.affinity,
    )
