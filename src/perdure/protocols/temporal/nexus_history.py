"""Events of Nexus operations, as in ``history``."""

from collections.abc import Callable
from typing import Any

from temporalio.api.history.v1 import message_pb2 as pb

from perdure.model import events as e
from perdure.protocols.temporal.failures import failure
from perdure.protocols.temporal.payloads import payload
from perdure.protocols.temporal.times import duration


def _scheduled(v: e.NexusOperationScheduled) -> Any:
    return pb.NexusOperationScheduledEventAttributes(
        endpoint=v.endpoint,
        service=v.service,
        operation=v.operation,
        input=payload(v.input[0]) if v.input else None,
        schedule_to_close_timeout=duration(v.schedule_to_close_timeout_ns),
        schedule_to_start_timeout=duration(v.schedule_to_start_timeout_ns),
        start_to_close_timeout=duration(v.start_to_close_timeout_ns),
        nexus_header=v.nexus_header,
        workflow_task_completed_event_id=v.workflow_task_completed_event_id,
        request_id=v.request_id,
        endpoint_id=v.endpoint_id,
    )


def _started(v: e.NexusOperationStarted) -> Any:
    return pb.NexusOperationStartedEventAttributes(
        scheduled_event_id=v.scheduled_event_id,
        operation_id=v.operation_token,
        operation_token=v.operation_token,
        request_id=v.request_id,
    )


def _completed(v: e.NexusOperationCompleted) -> Any:
    return pb.NexusOperationCompletedEventAttributes(
        scheduled_event_id=v.scheduled_event_id,
        result=payload(v.result[0]) if v.result else None,
        request_id=v.request_id,
    )


def _failed(v: e.NexusOperationFailed) -> Any:
    return pb.NexusOperationFailedEventAttributes(
        scheduled_event_id=v.scheduled_event_id, failure=failure(v.failure), request_id=v.request_id
    )


def _canceled(v: e.NexusOperationCanceled) -> Any:
    return pb.NexusOperationCanceledEventAttributes(
        scheduled_event_id=v.scheduled_event_id, failure=failure(v.failure), request_id=v.request_id
    )


def _timed_out(v: e.NexusOperationTimedOut) -> Any:
    return pb.NexusOperationTimedOutEventAttributes(
        scheduled_event_id=v.scheduled_event_id, failure=failure(v.failure), request_id=v.request_id
    )


def _cancel_requested(v: e.NexusOperationCancelRequested) -> Any:
    return pb.NexusOperationCancelRequestedEventAttributes(
        scheduled_event_id=v.scheduled_event_id, workflow_task_completed_event_id=v.workflow_task_completed_event_id
    )


def _cancel_completed(v: e.NexusOperationCancelRequestCompleted) -> Any:
    return pb.NexusOperationCancelRequestCompletedEventAttributes(
        requested_event_id=v.requested_event_id, scheduled_event_id=v.scheduled_event_id
    )


def _cancel_failed(v: e.NexusOperationCancelRequestFailed) -> Any:
    return pb.NexusOperationCancelRequestFailedEventAttributes(
        requested_event_id=v.requested_event_id, scheduled_event_id=v.scheduled_event_id, failure=failure(v.failure)
    )


_OPERATION = "nexus_operation"

EVENTS: dict[type, tuple[str, Callable[[Any], Any]]] = {
    e.NexusOperationScheduled: (f"{_OPERATION}_scheduled_event_attributes", _scheduled),
    e.NexusOperationStarted: (f"{_OPERATION}_started_event_attributes", _started),
    e.NexusOperationCompleted: (f"{_OPERATION}_completed_event_attributes", _completed),
    e.NexusOperationFailed: (f"{_OPERATION}_failed_event_attributes", _failed),
    e.NexusOperationCanceled: (f"{_OPERATION}_canceled_event_attributes", _canceled),
    e.NexusOperationTimedOut: (f"{_OPERATION}_timed_out_event_attributes", _timed_out),
    e.NexusOperationCancelRequested: (f"{_OPERATION}_cancel_requested_event_attributes", _cancel_requested),
    e.NexusOperationCancelRequestCompleted: (
        f"{_OPERATION}_cancel_request_completed_event_attributes",
        _cancel_completed,
    ),
    e.NexusOperationCancelRequestFailed: (f"{_OPERATION}_cancel_request_failed_event_attributes", _cancel_failed),
}
"""As in ``history``."""

LINKED = frozenset({e.NexusOperationStarted, e.NexusOperationCompleted})
"""Events that say what else they are about."""
