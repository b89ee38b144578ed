"""Events about children and other runs."""

from collections.abc import Callable
from typing import Any

from temporalio.api.enums.v1 import failed_cause_pb2 as causes
from temporalio.api.history.v1 import message_pb2 as pb

from perdure.model import events as e
from perdure.protocols.temporal.failures import failure
from perdure.protocols.temporal.names import (
    execution,
    execution_at,
    number_of,
    priority,
    queue,
    retry_policy,
    workflow_type,
)
from perdure.protocols.temporal.options import PARENT_CLOSE, REUSE
from perdure.protocols.temporal.payloads import header, memo, payloads, search_attributes
from perdure.protocols.temporal.times import duration


def _initiated(v: e.StartChildWorkflowExecutionInitiated) -> Any:
    return pb.StartChildWorkflowExecutionInitiatedEventAttributes(
        namespace=v.namespace,
        namespace_id=v.namespace,
        workflow_id=v.workflow_id,
        workflow_type=workflow_type(v.workflow_type),
        task_queue=queue(v.task_queue),
        input=payloads(v.input),
        workflow_execution_timeout=duration(v.workflow_execution_timeout_ns),
        workflow_run_timeout=duration(v.workflow_run_timeout_ns),
        workflow_task_timeout=duration(v.workflow_task_timeout_ns),
        parent_close_policy=PARENT_CLOSE[v.parent_close_policy],
        workflow_task_completed_event_id=v.workflow_task_completed_event_id,
        workflow_id_reuse_policy=REUSE[v.workflow_id_reuse_policy],
        retry_policy=retry_policy(v.retry_policy),
        header=header(v.header),
        memo=memo(v.memo),
        search_attributes=search_attributes(v.search_attributes),
        priority=priority(v.priority),
        cron_schedule=v.cron_schedule,
    )


def _start_failed(v: e.StartChildWorkflowExecutionFailed) -> Any:
    return pb.StartChildWorkflowExecutionFailedEventAttributes(
        workflow_id=v.workflow_id,
        workflow_type=workflow_type(v.workflow_type),
        cause=number_of(
            causes.StartChildWorkflowExecutionFailedCause, "START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_", v.cause
        ),
        initiated_event_id=v.initiated_event_id,
    )


def _started(v: e.ChildWorkflowExecutionStarted) -> Any:
    return pb.ChildWorkflowExecutionStartedEventAttributes(
        initiated_event_id=v.initiated_event_id,
        workflow_execution=execution(v.workflow_id, v.run_id),
        workflow_type=workflow_type(v.workflow_type),
    )


def _about(v: Any) -> dict[str, Any]:
    return {
        "workflow_execution": execution(v.workflow_id, v.run_id),
        "workflow_type": workflow_type(v.workflow_type),
        "initiated_event_id": v.initiated_event_id,
        "started_event_id": v.started_event_id,
    }


def _completed(v: e.ChildWorkflowExecutionCompleted) -> Any:
    return pb.ChildWorkflowExecutionCompletedEventAttributes(result=payloads(v.result), **_about(v))


def _failed(v: e.ChildWorkflowExecutionFailed) -> Any:
    return pb.ChildWorkflowExecutionFailedEventAttributes(
        failure=failure(v.failure),
        retry_state=v.retry_state,  # type: ignore[arg-type]
        **_about(v),
    )


def _canceled(v: e.ChildWorkflowExecutionCanceled) -> Any:
    return pb.ChildWorkflowExecutionCanceledEventAttributes(details=payloads(v.details), **_about(v))


def _timed_out(v: e.ChildWorkflowExecutionTimedOut) -> Any:
    return pb.ChildWorkflowExecutionTimedOutEventAttributes(
        retry_state=v.retry_state,  # type: ignore[arg-type]
        **_about(v),
    )


def _terminated(v: e.ChildWorkflowExecutionTerminated) -> Any:
    return pb.ChildWorkflowExecutionTerminatedEventAttributes(**_about(v))


def _signal_initiated(v: e.SignalExternalWorkflowExecutionInitiated) -> Any:
    return pb.SignalExternalWorkflowExecutionInitiatedEventAttributes(
        workflow_task_completed_event_id=v.workflow_task_completed_event_id,
        control=v.control,
        namespace=v.workflow_execution.namespace,
        namespace_id=v.workflow_execution.namespace,
        workflow_execution=execution_at(v.workflow_execution),
        signal_name=v.signal_name,
        input=payloads(v.input),
        child_workflow_only=v.child_workflow_only,
        header=header(v.header),
    )


def _signal_failed(v: e.SignalExternalWorkflowExecutionFailed) -> Any:
    return pb.SignalExternalWorkflowExecutionFailedEventAttributes(
        cause=number_of(
            causes.SignalExternalWorkflowExecutionFailedCause,
            "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_",
            v.cause,
            1,
        ),
        control=v.control,
        namespace=v.workflow_execution.namespace,
        namespace_id=v.workflow_execution.namespace,
        workflow_execution=execution_at(v.workflow_execution),
        initiated_event_id=v.initiated_event_id,
    )


def _signal_delivered(v: e.ExternalWorkflowExecutionSignaled) -> Any:
    return pb.ExternalWorkflowExecutionSignaledEventAttributes(
        initiated_event_id=v.initiated_event_id,
        control=v.control,
        namespace=v.workflow_execution.namespace,
        namespace_id=v.workflow_execution.namespace,
        workflow_execution=execution_at(v.workflow_execution),
    )


def _cancel_initiated(v: e.RequestCancelExternalWorkflowExecutionInitiated) -> Any:
    return pb.RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(
        workflow_task_completed_event_id=v.workflow_task_completed_event_id,
        control=v.control,
        namespace=v.workflow_execution.namespace,
        namespace_id=v.workflow_execution.namespace,
        workflow_execution=execution_at(v.workflow_execution),
        child_workflow_only=v.child_workflow_only,
        reason=v.reason,
    )


def _cancel_failed(v: e.RequestCancelExternalWorkflowExecutionFailed) -> Any:
    return pb.RequestCancelExternalWorkflowExecutionFailedEventAttributes(
        cause=number_of(
            causes.CancelExternalWorkflowExecutionFailedCause,
            "CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_",
            v.cause,
            1,
        ),
        namespace=v.workflow_execution.namespace,
        namespace_id=v.workflow_execution.namespace,
        workflow_execution=execution_at(v.workflow_execution),
        initiated_event_id=v.initiated_event_id,
    )


def _cancel_delivered(v: e.ExternalWorkflowExecutionCancelRequested) -> Any:
    return pb.ExternalWorkflowExecutionCancelRequestedEventAttributes(
        initiated_event_id=v.initiated_event_id,
        namespace=v.workflow_execution.namespace,
        namespace_id=v.workflow_execution.namespace,
        workflow_execution=execution_at(v.workflow_execution),
    )


_CHILD = "child_workflow_execution"

EVENTS: dict[type, tuple[str, Callable[[Any], Any]]] = {
    e.StartChildWorkflowExecutionInitiated: (f"start_{_CHILD}_initiated_event_attributes", _initiated),
    e.StartChildWorkflowExecutionFailed: (f"start_{_CHILD}_failed_event_attributes", _start_failed),
    e.ChildWorkflowExecutionStarted: (f"{_CHILD}_started_event_attributes", _started),
    e.ChildWorkflowExecutionCompleted: (f"{_CHILD}_completed_event_attributes", _completed),
    e.ChildWorkflowExecutionFailed: (f"{_CHILD}_failed_event_attributes", _failed),
    e.ChildWorkflowExecutionCanceled: (f"{_CHILD}_canceled_event_attributes", _canceled),
    e.ChildWorkflowExecutionTimedOut: (f"{_CHILD}_timed_out_event_attributes", _timed_out),
    e.ChildWorkflowExecutionTerminated: (f"{_CHILD}_terminated_event_attributes", _terminated),
    e.SignalExternalWorkflowExecutionInitiated: (
        "signal_external_workflow_execution_initiated_event_attributes",
        _signal_initiated,
    ),
    e.SignalExternalWorkflowExecutionFailed: (
        "signal_external_workflow_execution_failed_event_attributes",
        _signal_failed,
    ),
    e.ExternalWorkflowExecutionSignaled: ("external_workflow_execution_signaled_event_attributes", _signal_delivered),
    e.RequestCancelExternalWorkflowExecutionInitiated: (
        "request_cancel_external_workflow_execution_initiated_event_attributes",
        _cancel_initiated,
    ),
    e.RequestCancelExternalWorkflowExecutionFailed: (
        "request_cancel_external_workflow_execution_failed_event_attributes",
        _cancel_failed,
    ),
    e.ExternalWorkflowExecutionCancelRequested: (
        "external_workflow_execution_cancel_requested_event_attributes",
        _cancel_delivered,
    ),
}

IN_NAMESPACES = frozenset(
    {
        e.StartChildWorkflowExecutionFailed,
        e.ChildWorkflowExecutionStarted,
        e.ChildWorkflowExecutionCompleted,
        e.ChildWorkflowExecutionFailed,
        e.ChildWorkflowExecutionCanceled,
        e.ChildWorkflowExecutionTimedOut,
        e.ChildWorkflowExecutionTerminated,
    }
)
"""Events that name the child's namespace, which is its parent's."""
