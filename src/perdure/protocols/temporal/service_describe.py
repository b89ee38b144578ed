"""Where runs and task queues stand."""

from collections.abc import Iterable
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.activity.v1 import message_pb2 as activity_pb
from temporalio.api.common.v1 import message_pb2 as common
from temporalio.api.deployment.v1 import message_pb2 as deployment_pb
from temporalio.api.enums.v1 import event_type_pb2, task_queue_pb2
from temporalio.api.enums.v1 import workflow_pb2 as enums
from temporalio.api.taskqueue.v1 import message_pb2 as taskqueue
from temporalio.api.workflow.v1 import message_pb2 as workflow
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.kernel.run import Activity, Operation, Run, WorkflowTask
from perdure.model.errors import NotFoundError
from perdure.model.events import ActivityTaskScheduled
from perdure.model.service import RunSummary
from perdure.model.task_queues import Poller
from perdure.protocols.temporal.calls import Call, Methods, execution_of
from perdure.protocols.temporal.completion_callbacks import callback_infos
from perdure.protocols.temporal.failures import failure
from perdure.protocols.temporal.names import activity_type, execution, priority, queue, retry_policy, workflow_type
from perdure.protocols.temporal.options import PARENT_CLOSE
from perdure.protocols.temporal.overrides import shown_override
from perdure.protocols.temporal.payloads import memo, payloads, user_metadata
from perdure.protocols.temporal.pending_operations import pending_operation
from perdure.protocols.temporal.search_values import search_attributes
from perdure.protocols.temporal.times import duration, timestamp
from perdure.protocols.temporal.versions import UNVERSIONED, VERSIONED, behavior, plain_build, split, text, version

methods = Methods()

ActivityState = enums.PendingActivityState
TurnState = enums.PendingWorkflowTaskState
TURNS = task_queue_pb2.TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
STARTED = event_type_pb2.EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
OPTIONS_UPDATED = event_type_pb2.EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED
NEVER = Timestamp(seconds=-62_135_596_800)
"""The first instant that there is in Go: how Temporal's server says that a run has no deadline."""
OPERATIONS = task_queue_pb2.TaskQueueType.TASK_QUEUE_TYPE_NEXUS
ACTIVITIES = task_queue_pb2.TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY


def execution_info(summary: RunSummary, types: Any) -> workflow.WorkflowExecutionInfo:
    """A run as lists show it."""
    parent = summary.parent
    return workflow.WorkflowExecutionInfo(
        execution=execution(summary.workflow_id, summary.run_id),
        type=workflow_type(summary.workflow_type),
        start_time=timestamp(summary.start_time),
        execution_time=timestamp(summary.start_time),
        close_time=timestamp(summary.close_time),
        status=int(summary.status),  # type: ignore[arg-type]
        history_length=summary.history_length,
        parent_namespace_id=parent.namespace if parent is not None else "",
        parent_execution=execution(parent.workflow_id, parent.run_id) if parent is not None else None,
        memo=memo(summary.memo) or common.Memo(),
        search_attributes=search_attributes(summary.search_attributes, types),
        task_queue=summary.task_queue,
        root_execution=execution(summary.root_workflow_id, summary.root_run_id)
        if parent is not None
        else execution(summary.workflow_id, summary.run_id),
        execution_duration=duration(summary.close_time - summary.start_time) if summary.close_time else None,
        assigned_build_id="",
        most_recent_worker_version_stamp=common.WorkerVersionStamp(build_id=summary.build_id)
        if summary.build_id
        else None,
    )


@methods.add
async def describe_workflow_execution(
    call: Call, request: pb.DescribeWorkflowExecutionRequest
) -> pb.DescribeWorkflowExecutionResponse:
    """Everything about one run but its history."""
    namespace = await call.namespace(request.namespace)
    description = await call.service.describe(execution_of(namespace, request.execution))
    summary = description.summary
    run = (await call.parts.turns.resident(execution_of(namespace, request.execution))).run
    started = run.started
    info = execution_info(summary, await call.service.search_attributes(namespace))
    backoff = started.first_workflow_task_backoff_ns
    info.execution_time.CopyFrom(timestamp(started.time + backoff))  # type: ignore[arg-type]
    info.first_run_id = started.first_execution_run_id
    if run.priority is not None:
        info.priority.CopyFrom(priority(run.priority))  # type: ignore[arg-type]
    info.history_size_bytes = description.history_size_bytes
    info.state_transition_count = summary.history_length
    _add_versioning(info, run)
    task = run.workflow_task
    return pb.DescribeWorkflowExecutionResponse(
        execution_config=workflow.WorkflowExecutionConfig(
            task_queue=queue(started.task_queue),
            workflow_execution_timeout=duration(started.workflow_execution_timeout_ns),
            workflow_run_timeout=duration(started.workflow_run_timeout_ns),
            default_workflow_task_timeout=duration(started.workflow_task_timeout_ns),
            user_metadata=user_metadata(started.user_metadata) if started.user_metadata is not None else None,
        ),
        workflow_execution_info=info,
        pending_activities=[_activity(activity) for activity in run.activities.values()],
        pending_children=[
            workflow.PendingChildExecutionInfo(
                workflow_id=child.initiated.workflow_id,
                run_id=child.run_id,
                workflow_type_name=child.initiated.workflow_type,
                initiated_id=ref,
                parent_close_policy=PARENT_CLOSE[child.initiated.parent_close_policy],
            )
            for ref, child in run.children.items()
        ],
        pending_nexus_operations=[_operation(call, operation) for operation in run.operations.values()],
        callbacks=await callback_infos(call.parts.turns, run),
        pending_workflow_task=_turn(task) if task is not None else None,
        workflow_extended_info=_extended(run),
    )


def _operation(call: Call, operation: Operation) -> workflow.PendingNexusOperationInfo:
    queue = (operation.scheduled.namespace, operation.scheduled.task_queue)
    return pending_operation(operation, call.parts.operations.blocked.get(queue, ""))


def _add_versioning(info: workflow.WorkflowExecutionInfo, run: Run) -> None:
    """Which version takes the run's turns, and why."""
    override = shown_override(run.pin_override, run.versioning_override, also_old=True)
    if not run.versioning and override is None:
        return
    build_id = plain_build(run.build_id, run.deployment)
    info.most_recent_worker_version_stamp.build_id = build_id
    info.worker_deployment_name = run.deployment or split(run.pin_override)[0]
    info.versioning_info.CopyFrom(
        workflow.WorkflowExecutionVersioningInfo(
            behavior=behavior(run.versioning),
            version=text(run.deployment, build_id) if run.deployment else "",
            deployment_version=version(run.deployment, build_id) if run.deployment else None,
            versioning_override=override,
        )
    )


def _extended(run: Run) -> workflow.WorkflowExecutionExtendedInfo:
    started, paused = run.started, run.paused
    return workflow.WorkflowExecutionExtendedInfo(
        execution_expiration_time=timestamp(started.workflow_execution_expiration_time),
        run_expiration_time=timestamp(started.workflow_run_expiration_time) or NEVER,
        cancel_requested=run.cancel_requested,
        original_start_time=timestamp(started.time),
        pause_info=workflow.WorkflowExecutionPauseInfo(
            identity=paused.identity, paused_time=timestamp(paused.time), reason=paused.reason
        )
        if paused is not None
        else None,
        request_id_infos=_request_ids(run),
    )


def _request_ids(run: Run) -> dict[str, workflow.RequestIdInfo]:
    """The requests that led to this run, with the events that say so."""
    known = dict[str, workflow.RequestIdInfo]()
    if run.started.request_id and not run.started.continued_execution_run_id:
        known[run.started.request_id] = workflow.RequestIdInfo(event_type=STARTED, event_id=1)
    for request_id, event_id in run.attached_request_ids.items():
        known[request_id] = workflow.RequestIdInfo(event_type=OPTIONS_UPDATED, event_id=event_id, buffered=not event_id)
    return known


def _turn(task: WorkflowTask) -> workflow.PendingWorkflowTaskInfo:
    state = (
        TurnState.PENDING_WORKFLOW_TASK_STATE_STARTED
        if task.started_time
        else TurnState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED
    )
    return workflow.PendingWorkflowTaskInfo(
        state=state,
        scheduled_time=timestamp(task.scheduled_time),
        original_scheduled_time=timestamp(task.scheduled_time),
        started_time=timestamp(task.started_time),
        attempt=task.attempt,
    )


def activity_state(activity: Activity) -> Any:
    """Where an activity stands that has not ended."""
    state = ActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
    if activity.cancel_requested_event_id:
        state = ActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED
    elif activity.started_time:
        state = ActivityState.PENDING_ACTIVITY_STATE_STARTED
    if activity.paused is not None:
        state = (
            ActivityState.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED
            if activity.started_time and not activity.cancel_requested_event_id
            else ActivityState.PENDING_ACTIVITY_STATE_PAUSED
        )
    return state


def _activity(activity: Activity) -> workflow.PendingActivityInfo:
    scheduled, paused = activity.scheduled, activity.paused
    limit = scheduled.schedule_to_close_timeout_ns
    waits = activity.next_attempt_time and not activity.started_time
    beats = 0 < activity.started_time < activity.heartbeat_time  # an attempt's beginning counts as its first one
    return workflow.PendingActivityInfo(
        activity_id=scheduled.activity_id,
        activity_type=activity_type(scheduled.activity_type),
        state=activity_state(activity),
        heartbeat_details=payloads(activity.heartbeat_details),
        last_heartbeat_time=timestamp(activity.heartbeat_time if activity.heartbeat_details or beats else 0),
        last_started_time=timestamp(activity.started_time),
        attempt=activity.attempt_count,
        maximum_attempts=scheduled.retry_policy.max_attempts,
        scheduled_time=timestamp(activity.next_attempt_time if waits else activity.attempt_scheduled_time),
        expiration_time=timestamp(scheduled.time + limit if limit else 0),
        last_failure=failure(activity.last_failure),
        last_worker_identity=activity.identity or activity.last_identity,
        current_retry_interval=duration(activity.next_attempt_time - activity.failed_time) if waits else None,
        last_attempt_complete_time=timestamp(activity.failed_time),
        next_attempt_schedule_time=timestamp(activity.next_attempt_time) if waits else None,
        priority=priority(scheduled.priority),
        paused=paused is not None,
        pause_info=workflow.PendingActivityInfo.PauseInfo(
            pause_time=timestamp(paused.time),
            manual=workflow.PendingActivityInfo.PauseInfo.Manual(identity=paused.identity, reason=paused.reason),
        )
        if paused is not None
        else None,
        activity_options=activity_options(scheduled),
    )


def activity_options(scheduled: ActivityTaskScheduled) -> activity_pb.ActivityOptions:
    """With which options an activity goes on."""
    return activity_pb.ActivityOptions(
        task_queue=queue(scheduled.task_queue),
        schedule_to_close_timeout=duration(scheduled.schedule_to_close_timeout_ns),
        schedule_to_start_timeout=duration(scheduled.schedule_to_start_timeout_ns),
        start_to_close_timeout=duration(scheduled.start_to_close_timeout_ns),
        heartbeat_timeout=duration(scheduled.heartbeat_timeout_ns),
        retry_policy=retry_policy(scheduled.retry_policy),
        priority=priority(scheduled.priority),
    )


@methods.add
async def describe_task_queue(call: Call, request: pb.DescribeTaskQueueRequest) -> pb.DescribeTaskQueueResponse:
    """Who asks at a task queue, and how much waits there; in the newer mode for several kinds of tasks at once."""
    namespace = await call.namespace(request.namespace)
    name = request.task_queue.name
    if request.api_mode == task_queue_pb2.DescribeTaskQueueMode.DESCRIBE_TASK_QUEUE_MODE_ENHANCED:
        return pb.DescribeTaskQueueResponse(versions_info={"": await _all_kinds(call, namespace, request)})
    pollers, stats = await _of_kind(call, namespace, name, request.task_queue_type or TURNS)
    return pb.DescribeTaskQueueResponse(
        pollers=pollers,
        stats=stats,
        versioning_info=_routes(call, namespace, name),
        task_queue_status=taskqueue.TaskQueueStatus(backlog_count_hint=stats.approximate_backlog_count)
        if request.include_task_queue_status
        else None,
    )


def _routes(call: Call, namespace: str, name: str) -> taskqueue.TaskQueueVersioningInfo:
    """Where new turns of a task queue go."""
    route = call.parts.deployments.routes.get((namespace, name))
    if route is None:
        return taskqueue.TaskQueueVersioningInfo(current_version=UNVERSIONED)
    current, ramping = split(route.current), split(route.ramping)
    return taskqueue.TaskQueueVersioningInfo(
        current_version=text(*current),
        current_deployment_version=version(*current),
        ramping_version=text(*ramping) if route.percentage else "",
        ramping_deployment_version=version(*ramping),
        ramping_version_percentage=route.percentage,
        update_time=timestamp(route.changed),
    )


async def _all_kinds(
    call: Call, namespace: str, request: pb.DescribeTaskQueueRequest
) -> taskqueue.TaskQueueVersionInfo:
    """Builds are not told apart, so there is one version: none."""
    kinds = {}
    for kind in request.task_queue_types or (TURNS, ACTIVITIES):
        pollers, stats = await _of_kind(call, namespace, request.task_queue.name, kind)
        kinds[int(kind)] = taskqueue.TaskQueueTypeInfo(
            pollers=pollers if request.report_pollers else (), stats=stats if request.report_stats else None
        )
    return taskqueue.TaskQueueVersionInfo(types_info=kinds)


async def _of_kind(
    call: Call, namespace: str, name: str, kind: int
) -> tuple[list[taskqueue.PollerInfo], taskqueue.TaskQueueStats]:
    stats = taskqueue.TaskQueueStats(approximate_backlog_age=duration(0))
    if kind == OPERATIONS:
        stats.approximate_backlog_count = call.parts.operations.backlog(namespace, name)
        return _pollers(call.parts.operations.pollers(namespace, name)), stats
    of_turns = kind == TURNS
    found: list[Poller] = call.parts.turns.pollers(namespace, name) if of_turns else []
    try:
        description = await call.service.describe_task_queue(namespace, name)
    except NotFoundError:
        description = None
    if description is not None and not of_turns:
        found = [poller for poller in description.pollers if poller.worker_id]
        stats = taskqueue.TaskQueueStats(
            approximate_backlog_count=description.backlog,
            approximate_backlog_age=duration(description.oldest_wait_ns),
            tasks_add_rate=description.added_per_second,
            tasks_dispatch_rate=description.started_per_second,
        )
    return _pollers(found), stats


def _pollers(found: Iterable[Poller]) -> list[taskqueue.PollerInfo]:
    return [
        taskqueue.PollerInfo(
            identity=poller.identity,
            last_access_time=timestamp(poller.last_poll_time or poller.connected_time),
            rate_per_second=100_000,
            deployment_options=_deployment(poller.build_id),
        )
        for poller in found
    ]


def _deployment(build: str) -> deployment_pb.WorkerDeploymentOptions | None:
    """Of which version a worker is; None for one of none."""
    deployment, build_id = split(build)
    if not deployment:
        return None
    return deployment_pb.WorkerDeploymentOptions(
        deployment_name=deployment, build_id=build_id, worker_versioning_mode=VERSIONED
    )


@methods.add
async def list_task_queue_partitions(
    call: Call, request: pb.ListTaskQueuePartitionsRequest
) -> pb.ListTaskQueuePartitionsResponse:
    """Queues have one."""
    namespace = await call.namespace(request.namespace)
    await call.service.task_queues(namespace)
    part = [taskqueue.TaskQueuePartitionMetadata(key=request.task_queue.name)]
    return pb.ListTaskQueuePartitionsResponse(activity_task_queue_partitions=part, workflow_task_queue_partitions=part)
