"""Schedules as Temporal's messages: what they start, their policies and their state, both ways."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from temporalio.api.schedule.v1 import message_pb2 as pb
from temporalio.api.workflow.v1 import message_pb2 as workflow_pb

from perdure.model.requests import StartWorkflow
from perdure.protocols.temporal.errors import Refused
from perdure.protocols.temporal.names import (
    execution,
    priority,
    queue,
    retry_policy,
    to_priority,
    to_retry_policy,
    workflow_type,
)
from perdure.protocols.temporal.payloads import (
    header,
    memo,
    payloads,
    search_attributes,
    to_map,
    to_payloads,
    to_user_metadata,
    user_metadata,
)
from perdure.protocols.temporal.schedule_times import length, ns, schedule_spec, timing_options
from perdure.protocols.temporal.times import SECOND_NS, duration, ns_of, timestamp

OVERLAPS: Mapping[int, str] = {
    1: "skip",
    2: "buffer_one",
    3: "buffer_all",
    4: "cancel_other",
    5: "terminate_other",
    6: "allow_all",
}
"""Words for ``ScheduleOverlapPolicy``."""

_NUMBERS = {word: number for number, word in OVERLAPS.items()}

SHORTEST_CATCH_UP_NS = 10 * SECOND_NS
DEFAULT_CATCH_UP_NS = 365 * 86_400 * SECOND_NS
KEPT_NS = 7 * 86_400 * SECOND_NS
"""A schedule whose last time is past is kept so long, as by Temporal's server."""


def overlap_word(number: int, default: str) -> str:
    """The word for an overlap policy. Raises ``Refused``."""
    if not number:
        return default
    if number not in OVERLAPS:
        raise Refused.invalid(f"Unknown schedule overlap policy {number}.")
    return OVERLAPS[number]


def start_of(schedule: pb.Schedule, identity: str, schedule_id: str) -> StartWorkflow:
    """What starts each run; without a workflow id the runs have the schedule's. Raises ``Refused``."""
    if not schedule.action.HasField("start_workflow"):
        raise Refused.invalid("Schedule action not set on request.")
    action = schedule.action.start_workflow
    if not action.workflow_type.name:
        raise Refused.invalid("WorkflowType is not set on request.")
    if not action.task_queue.name:
        raise Refused.invalid("TaskQueue is not set on request.")
    if action.cron_schedule:
        raise Refused.invalid("A schedule's workflow can't have a CronSchedule.")
    return StartWorkflow(
        action.workflow_id or schedule_id,
        action.workflow_type.name,
        action.task_queue.name,
        to_payloads(action.input),
        execution_timeout_ns=ns_of(action.workflow_execution_timeout),
        run_timeout_ns=ns_of(action.workflow_run_timeout),
        task_timeout_ns=ns_of(action.workflow_task_timeout),
        retry_policy=to_retry_policy(action.retry_policy) if action.HasField("retry_policy") else None,
        memo=to_map(action.memo.fields),
        search_attributes=to_map(action.search_attributes.indexed_fields),
        header=to_map(action.header.fields),
        identity=identity,
        user_metadata=to_user_metadata(action.user_metadata),
        priority=to_priority(action.priority),
    )


def options_of(schedule: pb.Schedule) -> dict[str, Any]:
    """All options of a schedule besides what it starts. Raises ``Refused``."""
    policies, state = schedule.policies, schedule.state
    catch_up = ns_of(policies.catchup_window) if policies.HasField("catchup_window") else DEFAULT_CATCH_UP_NS
    return {
        **timing_options(schedule.spec),
        "overlap": overlap_word(policies.overlap_policy, "skip"),
        "catch_up": length(max(catch_up, SHORTEST_CATCH_UP_NS)),
        "pause_on_failure": policies.pause_on_failure,
        "keep_workflow_id": policies.keep_original_workflow_id,
        "keep_for": length(KEPT_NS),
        "paused": state.paused,
        "note": state.notes,
        "remaining": max(0, state.remaining_actions) if state.limited_actions else None,
    }


def schedule_message(found: Any) -> pb.Schedule:
    """What a client is shown of a schedule, and may send back."""
    remaining = found.remaining
    return pb.Schedule(
        spec=schedule_spec(found.spec),
        action=pb.ScheduleAction(start_workflow=_action(found.start)),
        policies=pb.SchedulePolicies(
            overlap_policy=_NUMBERS[found.overlap],  # type: ignore[arg-type]  # enums are numbers on the wire
            catchup_window=duration(round(found.catch_up.total_seconds() * SECOND_NS)),
            pause_on_failure=found.pause_on_failure,
            keep_original_workflow_id=found.keep_workflow_id,
        ),
        state=pb.ScheduleState(
            notes=found.note,
            paused=found.is_paused,
            limited_actions=remaining is not None,
            remaining_actions=max(0, remaining or 0),
        ),
    )


def _action(start: StartWorkflow) -> workflow_pb.NewWorkflowExecutionInfo:
    return workflow_pb.NewWorkflowExecutionInfo(
        workflow_id=start.workflow_id,
        workflow_type=workflow_type(start.workflow_type),
        task_queue=queue(start.task_queue),
        input=payloads(start.input),
        workflow_execution_timeout=duration(start.execution_timeout_ns),
        workflow_run_timeout=duration(start.run_timeout_ns),
        workflow_task_timeout=duration(start.task_timeout_ns) if start.task_timeout_ns else None,
        retry_policy=retry_policy(start.retry_policy),
        memo=memo(start.memo),
        search_attributes=search_attributes(start.search_attributes),
        header=header(start.header),
        user_metadata=None if start.user_metadata is None else user_metadata(start.user_metadata),
        priority=priority(start.priority),
    )


def info_message(found: Any, future: list[datetime]) -> pb.ScheduleInfo:
    """What has become of a schedule so far."""
    counts = found.counts
    return pb.ScheduleInfo(
        action_count=counts.fired,
        missed_catchup_window=counts.missed,
        overlap_skipped=counts.skipped - counts.dropped,
        buffer_dropped=counts.dropped,
        buffer_size=found.buffered,
        running_workflows=[execution(run.id, run.run_id) for run in found.open if not run.status.is_closed],
        recent_actions=[
            pb.ScheduleActionResult(
                schedule_time=timestamp(ns(run.nominal)),
                actual_time=timestamp(ns(run.started)),
                start_workflow_result=execution(run.id, run.run_id),
                start_workflow_status=int(run.status),  # type: ignore[arg-type]
            )
            for run in found.recent
        ],
        future_action_times=[timestamp(ns(time)) for time in future],  # type: ignore[misc]
        create_time=None if found.created is None else timestamp(ns(found.created)),
        update_time=None if found.updated is None else timestamp(ns(found.updated)),
    )
