"""Histories: events here become ``HistoryEvent``. Their numbers are the same ones, so this is a table and no more."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from temporalio.api.common.v1 import message_pb2 as common
from temporalio.api.failure.v1 import message_pb2 as failure_pb
from temporalio.api.history.v1 import message_pb2 as pb
from temporalio.api.sdk.v1 import task_complete_metadata_pb2
from temporalio.api.update.v1 import message_pb2 as update_pb

from perdure.model import events as e
from perdure.model.failures import BAD_COMMAND, Failure, FailureKind, RetryState
from perdure.model.ids import CompletionCallback
from perdure.protocols.temporal import children_history as children
from perdure.protocols.temporal import nexus_history as nexus
from perdure.protocols.temporal.failures import failure, is_own_timeout
from perdure.protocols.temporal.names import (
    activity_type,
    camel,
    execution,
    priority,
    queue,
    retry_policy,
    turn_failed_cause,
    turn_queue,
    workflow_type,
)
from perdure.protocols.temporal.nexus_links import stored
from perdure.protocols.temporal.overrides import shown_override
from perdure.protocols.temporal.payloads import header, memo, payloads, search_attributes, user_metadata
from perdure.protocols.temporal.times import duration, timestamp
from perdure.protocols.temporal.versions import behavior, plain_build, version


def history(events: Iterable[e.Event], namespace: str) -> pb.History:
    """The history of a run in a namespace, or a stretch of one."""
    return pb.History(events=[event(one, namespace) for one in events])


def event(value: e.Event, namespace: str) -> pb.HistoryEvent:
    """One event."""
    kind = value.__class__
    name, make = EVENTS[kind]
    attributes = make(value)
    if kind in children.IN_NAMESPACES and not attributes.namespace:
        attributes.namespace = attributes.namespace_id = namespace
    made = pb.HistoryEvent(
        event_id=value.id,
        event_time=timestamp(value.time),
        event_type=TYPES[kind],
        task_id=value.id,
        **{name: attributes},
    )
    if value.__class__ in _WITH_METADATA and (metadata := value.user_metadata) is not None:
        made.user_metadata.CopyFrom(user_metadata(metadata))
    if value.__class__ in nexus.LINKED:
        made.links.extend(stored(value.links))
    if kind in _IGNORABLE:
        made.worker_may_ignore = True
    return made


_WITH_METADATA = frozenset(
    {
        e.WorkflowExecutionStarted,
        e.ActivityTaskScheduled,
        e.TimerStarted,
        e.StartChildWorkflowExecutionInitiated,
        e.NexusOperationScheduled,
    }
)


_IGNORABLE = frozenset(
    {
        e.WorkflowExecutionOptionsUpdated,
        e.NexusOperationCancelRequestCompleted,
        e.NexusOperationCancelRequestFailed,
    }
)
"""Events that older SDKs do not know, and need not."""


def _started(v: e.WorkflowExecutionStarted) -> Any:
    parent = v.parent
    return pb.WorkflowExecutionStartedEventAttributes(
        workflow_id=v.workflow_id,
        workflow_type=workflow_type(v.workflow_type),
        task_queue=queue(v.task_queue),
        input=payloads(v.input),
        workflow_execution_timeout=duration(v.workflow_execution_timeout_ns),
        workflow_run_timeout=duration(v.workflow_run_timeout_ns),
        workflow_task_timeout=duration(v.workflow_task_timeout_ns),
        identity="" if v.continued_execution_run_id else v.identity,
        first_execution_run_id=v.first_execution_run_id,
        original_execution_run_id=v.original_execution_run_id,
        continued_execution_run_id=v.continued_execution_run_id,
        initiator=v.initiator,  # type: ignore[arg-type]
        continued_failure=failure(v.continued_failure),
        last_completion_result=payloads(v.last_completion_result),
        retry_policy=retry_policy(v.retry_policy),
        attempt=v.attempt,
        workflow_execution_expiration_time=timestamp(v.workflow_execution_expiration_time),
        first_workflow_task_backoff=duration(v.first_workflow_task_backoff_ns),
        memo=memo(v.memo),
        search_attributes=search_attributes(v.search_attributes),
        header=header(v.header),
        parent_workflow_namespace=parent.namespace if parent is not None else "",
        parent_workflow_namespace_id=parent.namespace if parent is not None else "",
        parent_workflow_execution=execution(parent.workflow_id, parent.run_id) if parent is not None else None,
        parent_initiated_event_id=parent.initiated_event_id if parent is not None else 0,
        priority=priority(v.priority),
        cron_schedule=v.cron_schedule,
        root_workflow_execution=execution(v.root_workflow_id, v.root_run_id) if parent is not None else None,
        completion_callbacks=shown_callbacks(v.completion_callbacks),
        versioning_override=shown_override(v.pinned_build_id, v.versioning_override) if _is_first(v) else None,
        eager_execution_accepted=v.eager_execution_accepted,
    )


def _is_first(v: e.WorkflowExecutionStarted) -> bool:
    """Whether a client began it; runs that others began may be pinned as these were."""
    return v.parent is None and not v.continued_execution_run_id


def _completed(v: e.WorkflowExecutionCompleted) -> Any:
    return pb.WorkflowExecutionCompletedEventAttributes(
        result=payloads(v.result),
        workflow_task_completed_event_id=v.workflow_task_completed_event_id,
        new_execution_run_id=v.new_execution_run_id,
    )


def _failed(v: e.WorkflowExecutionFailed) -> Any:
    return pb.WorkflowExecutionFailedEventAttributes(
        failure=failure(v.failure),
        retry_state=v.retry_state,  # type: ignore[arg-type]
        workflow_task_completed_event_id=v.workflow_task_completed_event_id,
        new_execution_run_id=v.new_execution_run_id,
    )


def _timed_out(v: e.WorkflowExecutionTimedOut) -> Any:
    return pb.WorkflowExecutionTimedOutEventAttributes(
        retry_state=v.retry_state,  # type: ignore[arg-type]
        new_execution_run_id=v.new_execution_run_id,
    )


def _continued(v: e.WorkflowExecutionContinuedAsNew) -> Any:
    return pb.WorkflowExecutionContinuedAsNewEventAttributes(
        new_execution_run_id=v.new_execution_run_id,
        workflow_type=workflow_type(v.workflow_type),
        task_queue=queue(v.task_queue),
        input=payloads(v.input),
        workflow_run_timeout=duration(v.workflow_run_timeout_ns),
        workflow_task_timeout=duration(v.workflow_task_timeout_ns),
        workflow_task_completed_event_id=v.workflow_task_completed_event_id,
        backoff_start_interval=duration(v.backoff_start_interval_ns),
        initiator=v.initiator,  # type: ignore[arg-type]
        failure=failure(v.failure),
        last_completion_result=payloads(v.last_completion_result),
        header=header(v.header),
        memo=memo(v.memo),
        search_attributes=search_attributes(v.search_attributes),
    )


def _canceled(v: e.WorkflowExecutionCanceled) -> Any:
    return pb.WorkflowExecutionCanceledEventAttributes(
        workflow_task_completed_event_id=v.workflow_task_completed_event_id, details=payloads(v.details)
    )


def _terminated(v: e.WorkflowExecutionTerminated) -> Any:
    return pb.WorkflowExecutionTerminatedEventAttributes(
        reason=v.reason, details=payloads(v.details), identity=v.identity
    )


def _cancel_requested(v: e.WorkflowExecutionCancelRequested) -> Any:
    external = v.external_workflow_execution
    return pb.WorkflowExecutionCancelRequestedEventAttributes(
        cause=v.cause,
        external_initiated_event_id=v.external_initiated_event_id,
        external_workflow_execution=execution(external.workflow_id, external.run_id) if external else None,
        identity=v.identity,
    )


def _signaled(v: e.WorkflowExecutionSignaled) -> Any:
    external = v.external_workflow_execution
    return pb.WorkflowExecutionSignaledEventAttributes(
        signal_name=v.signal_name,
        input=payloads(v.input),
        identity=v.identity,
        header=header(v.header),
        external_workflow_execution=execution(external.workflow_id, external.run_id) if external else None,
    )


def _paused(v: e.WorkflowExecutionPaused) -> Any:
    return pb.WorkflowExecutionPausedEventAttributes(identity=v.identity, reason=v.reason, request_id=v.request_id)


def _unpaused(v: e.WorkflowExecutionUnpaused) -> Any:
    return pb.WorkflowExecutionUnpausedEventAttributes(identity=v.identity, reason=v.reason, request_id=v.request_id)


def shown_callbacks(callbacks: Iterable[CompletionCallback]) -> list[common.Callback]:
    """Those that a client has asked for, as it did."""
    return [common.Callback.FromString(callback.shown) for callback in callbacks if callback.shown]


def _options(v: e.WorkflowExecutionOptionsUpdated) -> Any:
    leaves_pin = v.leaves_pin or bool(v.attached_callbacks)
    override = None if leaves_pin else shown_override(v.pinned_build_id, v.versioning)
    return pb.WorkflowExecutionOptionsUpdatedEventAttributes(
        versioning_override=override,
        unset_versioning_override=not leaves_pin and override is None,
        priority=(priority(v.priority) or common.Priority()) if v.sets_priority else None,
        attached_request_id=v.request_id,
        attached_completion_callbacks=shown_callbacks(v.attached_callbacks),
        identity=v.identity,
    )


# --- workflow tasks


def _turn_scheduled(v: e.WorkflowTaskScheduled) -> Any:
    return pb.WorkflowTaskScheduledEventAttributes(
        task_queue=turn_queue(v.task_queue, v.sticky_queue),
        start_to_close_timeout=duration(v.start_to_close_timeout_ns),
        attempt=v.attempt,
    )


def _turn_started(v: e.WorkflowTaskStarted) -> Any:
    return pb.WorkflowTaskStartedEventAttributes(
        scheduled_event_id=v.scheduled_event_id,
        identity=v.identity,
        suggest_continue_as_new=v.suggest_continue_as_new,
        history_size_bytes=v.history_size_bytes,
    )


def _turn_completed(v: e.WorkflowTaskCompleted) -> Any:
    metadata, build_id = None, plain_build(v.build_id, v.deployment)
    if v.sdk_metadata:
        metadata = task_complete_metadata_pb2.WorkflowTaskCompletedMetadata.FromString(v.sdk_metadata)
    return pb.WorkflowTaskCompletedEventAttributes(
        scheduled_event_id=v.scheduled_event_id,
        started_event_id=v.started_event_id,
        identity=v.identity,
        worker_version=common.WorkerVersionStamp(build_id=build_id) if build_id else None,
        sdk_metadata=metadata,
        versioning_behavior=behavior(v.versioning),
        worker_deployment_name=v.deployment,
        deployment_version=version(v.deployment, build_id) if v.deployment else None,
    )


def _turn_timed_out(v: e.WorkflowTaskTimedOut) -> Any:
    return pb.WorkflowTaskTimedOutEventAttributes(
        scheduled_event_id=v.scheduled_event_id,
        started_event_id=v.started_event_id,
        timeout_type=v.timeout_type,  # type: ignore[arg-type]
    )


HISTORY = "history-service"
"""Who resets a run, as by Temporal's server."""


def _why_failed(v: e.WorkflowTaskFailed) -> failure_pb.Failure | None:
    """Temporal's server puts the cause before what it says of a command."""
    said = v.failure
    if v.base_run_id and said is not None:
        return failure_pb.Failure(message=said.message)
    if said is None or said.type != BAD_COMMAND:
        return failure(said)
    name = camel(v.cause)
    message = name if v.cause == "UNHANDLED_COMMAND" else f"{name}: {said.message}"
    return failure_pb.Failure(message=message, server_failure_info=failure_pb.ServerFailureInfo())


def _turn_failed(v: e.WorkflowTaskFailed) -> Any:
    return pb.WorkflowTaskFailedEventAttributes(
        scheduled_event_id=v.scheduled_event_id,
        started_event_id=v.started_event_id,
        cause=turn_failed_cause(v.cause),
        failure=_why_failed(v),
        identity=v.identity or (HISTORY if v.base_run_id else ""),
        base_run_id=v.base_run_id,
        new_run_id=v.new_run_id,
        worker_version=common.WorkerVersionStamp(build_id=v.build_id) if v.build_id else None,
    )


# --- activities


def _activity_scheduled(v: e.ActivityTaskScheduled) -> Any:
    return pb.ActivityTaskScheduledEventAttributes(
        activity_id=v.activity_id,
        activity_type=activity_type(v.activity_type),
        task_queue=queue(v.task_queue),
        header=header(v.header),
        input=payloads(v.input),
        schedule_to_close_timeout=duration(v.schedule_to_close_timeout_ns),
        schedule_to_start_timeout=duration(v.schedule_to_start_timeout_ns),
        start_to_close_timeout=duration(v.start_to_close_timeout_ns),
        heartbeat_timeout=duration(v.heartbeat_timeout_ns),
        workflow_task_completed_event_id=v.workflow_task_completed_event_id,
        retry_policy=retry_policy(v.retry_policy),
        priority=priority(v.priority),
    )


def _activity_started(v: e.ActivityTaskStarted) -> Any:
    return pb.ActivityTaskStartedEventAttributes(
        scheduled_event_id=v.scheduled_event_id,
        identity=v.identity,
        attempt=v.attempt,
        last_failure=failure(_without_details(v.last_failure)),
    )


def _without_details(last: Failure | None) -> Failure | None:
    """What an attempt reported goes with the next attempt, not with the failure of the last one."""
    if last is None or last.kind is not FailureKind.TIMEOUT or not last.details:
        return last
    return msgspec.structs.replace(last, details=())


def _activity_completed(v: e.ActivityTaskCompleted) -> Any:
    return pb.ActivityTaskCompletedEventAttributes(
        result=payloads(v.result),
        scheduled_event_id=v.scheduled_event_id,
        started_event_id=v.started_event_id,
        identity=v.identity,
    )


def _activity_failed(v: e.ActivityTaskFailed) -> Any:
    return pb.ActivityTaskFailedEventAttributes(
        failure=failure(v.failure),
        scheduled_event_id=v.scheduled_event_id,
        started_event_id=v.started_event_id,
        identity=v.identity,
        retry_state=v.retry_state,  # type: ignore[arg-type]
    )


def _activity_timed_out(v: e.ActivityTaskTimedOut) -> Any:
    state = v.retry_state
    if state is RetryState.TIMEOUT and is_own_timeout(v.failure):
        # That the whole time is up is, to Temporal, a failure that is not retried.
        state = RetryState.NON_RETRYABLE_FAILURE
    return pb.ActivityTaskTimedOutEventAttributes(
        failure=failure(v.failure),
        scheduled_event_id=v.scheduled_event_id,
        started_event_id=v.started_event_id,
        retry_state=state,  # type: ignore[arg-type]
    )


def _activity_cancel_requested(v: e.ActivityTaskCancelRequested) -> Any:
    return pb.ActivityTaskCancelRequestedEventAttributes(
        scheduled_event_id=v.scheduled_event_id, workflow_task_completed_event_id=v.workflow_task_completed_event_id
    )


def _activity_canceled(v: e.ActivityTaskCanceled) -> Any:
    return pb.ActivityTaskCanceledEventAttributes(
        details=payloads(v.details),
        latest_cancel_requested_event_id=v.latest_cancel_requested_event_id,
        scheduled_event_id=v.scheduled_event_id,
        started_event_id=v.started_event_id,
        identity=v.identity,
    )


# --- timers, markers, properties


def _timer_started(v: e.TimerStarted) -> Any:
    return pb.TimerStartedEventAttributes(
        timer_id=v.timer_id,
        start_to_fire_timeout=duration(v.start_to_fire_timeout_ns),
        workflow_task_completed_event_id=v.workflow_task_completed_event_id,
    )


def _timer_fired(v: e.TimerFired) -> Any:
    return pb.TimerFiredEventAttributes(timer_id=v.timer_id, started_event_id=v.started_event_id)


def _timer_canceled(v: e.TimerCanceled) -> Any:
    return pb.TimerCanceledEventAttributes(
        timer_id=v.timer_id,
        started_event_id=v.started_event_id,
        workflow_task_completed_event_id=v.workflow_task_completed_event_id,
    )


def _marker(v: e.MarkerRecorded) -> Any:
    return pb.MarkerRecordedEventAttributes(
        marker_name=v.marker_name,
        details={name: payloads(values) or common.Payloads() for name, values in v.details.items()},
        workflow_task_completed_event_id=v.workflow_task_completed_event_id,
        header=header(v.header),
        failure=failure(v.failure),
    )


def _attributes_upserted(v: e.UpsertWorkflowSearchAttributes) -> Any:
    return pb.UpsertWorkflowSearchAttributesEventAttributes(
        workflow_task_completed_event_id=v.workflow_task_completed_event_id,
        search_attributes=search_attributes(v.search_attributes),
    )


def _properties_modified(v: e.WorkflowPropertiesModified) -> Any:
    return pb.WorkflowPropertiesModifiedEventAttributes(
        workflow_task_completed_event_id=v.workflow_task_completed_event_id, upserted_memo=memo(v.upserted_memo)
    )


# --- updates


def _update_accepted(v: e.WorkflowExecutionUpdateAccepted) -> Any:
    return pb.WorkflowExecutionUpdateAcceptedEventAttributes(
        protocol_instance_id=v.protocol_instance_id,
        accepted_request_message_id=f"{v.protocol_instance_id}/request",
        accepted_request_sequencing_event_id=v.accepted_request_sequencing_event_id,
        accepted_request=update_pb.Request(
            meta=update_pb.Meta(update_id=v.protocol_instance_id, identity=v.identity),
            input=update_pb.Input(header=header(v.header), name=v.update_name, args=payloads(v.input)),
            completion_callbacks=shown_callbacks(v.callbacks),
        ),
    )


def _update_completed(v: e.WorkflowExecutionUpdateCompleted) -> Any:
    outcome = (
        update_pb.Outcome(failure=failure(v.failure))
        if v.failure is not None
        else update_pb.Outcome(success=payloads(v.result) or common.Payloads())
    )
    return pb.WorkflowExecutionUpdateCompletedEventAttributes(
        meta=update_pb.Meta(update_id=v.update_id), accepted_event_id=v.accepted_event_id, outcome=outcome
    )


EVENTS: dict[type, tuple[str, Callable[[Any], Any]]] = {
    e.WorkflowExecutionStarted: ("workflow_execution_started_event_attributes", _started),
    e.WorkflowExecutionCompleted: ("workflow_execution_completed_event_attributes", _completed),
    e.WorkflowExecutionFailed: ("workflow_execution_failed_event_attributes", _failed),
    e.WorkflowExecutionTimedOut: ("workflow_execution_timed_out_event_attributes", _timed_out),
    e.WorkflowExecutionContinuedAsNew: ("workflow_execution_continued_as_new_event_attributes", _continued),
    e.WorkflowExecutionCanceled: ("workflow_execution_canceled_event_attributes", _canceled),
    e.WorkflowExecutionTerminated: ("workflow_execution_terminated_event_attributes", _terminated),
    e.WorkflowExecutionCancelRequested: ("workflow_execution_cancel_requested_event_attributes", _cancel_requested),
    e.WorkflowExecutionSignaled: ("workflow_execution_signaled_event_attributes", _signaled),
    e.WorkflowExecutionPaused: ("workflow_execution_paused_event_attributes", _paused),
    e.WorkflowExecutionUnpaused: ("workflow_execution_unpaused_event_attributes", _unpaused),
    e.WorkflowExecutionOptionsUpdated: ("workflow_execution_options_updated_event_attributes", _options),
    e.WorkflowTaskScheduled: ("workflow_task_scheduled_event_attributes", _turn_scheduled),
    e.WorkflowTaskStarted: ("workflow_task_started_event_attributes", _turn_started),
    e.WorkflowTaskCompleted: ("workflow_task_completed_event_attributes", _turn_completed),
    e.WorkflowTaskTimedOut: ("workflow_task_timed_out_event_attributes", _turn_timed_out),
    e.WorkflowTaskFailed: ("workflow_task_failed_event_attributes", _turn_failed),
    e.ActivityTaskScheduled: ("activity_task_scheduled_event_attributes", _activity_scheduled),
    e.ActivityTaskStarted: ("activity_task_started_event_attributes", _activity_started),
    e.ActivityTaskCompleted: ("activity_task_completed_event_attributes", _activity_completed),
    e.ActivityTaskFailed: ("activity_task_failed_event_attributes", _activity_failed),
    e.ActivityTaskTimedOut: ("activity_task_timed_out_event_attributes", _activity_timed_out),
    e.ActivityTaskCancelRequested: ("activity_task_cancel_requested_event_attributes", _activity_cancel_requested),
    e.ActivityTaskCanceled: ("activity_task_canceled_event_attributes", _activity_canceled),
    e.TimerStarted: ("timer_started_event_attributes", _timer_started),
    e.TimerFired: ("timer_fired_event_attributes", _timer_fired),
    e.TimerCanceled: ("timer_canceled_event_attributes", _timer_canceled),
    e.MarkerRecorded: ("marker_recorded_event_attributes", _marker),
    e.UpsertWorkflowSearchAttributes: ("upsert_workflow_search_attributes_event_attributes", _attributes_upserted),
    e.WorkflowPropertiesModified: ("workflow_properties_modified_event_attributes", _properties_modified),
    e.WorkflowExecutionUpdateAccepted: ("workflow_execution_update_accepted_event_attributes", _update_accepted),
    e.WorkflowExecutionUpdateCompleted: ("workflow_execution_update_completed_event_attributes", _update_completed),
    **children.EVENTS,
    **nexus.EVENTS,
}
"""Each kind of event: its field in ``HistoryEvent``, and what makes its attributes."""

TYPES: dict[type, Any] = {kind: kind.__struct_config__.tag for kind in EVENTS}  # type: ignore[attr-defined]
"""The numbers of ``EventType``, which are the tags of the stored records."""
