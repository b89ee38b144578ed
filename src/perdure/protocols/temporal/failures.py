"""Failures: chains of records with a kind here, of messages with one of several infos on the wire."""

from temporalio.api.common.v1 import message_pb2 as common
from temporalio.api.enums.v1 import common_pb2, nexus_pb2, workflow_pb2
from temporalio.api.failure.v1 import message_pb2 as pb

from perdure.model.failures import FailedOperation, Failure, FailureKind, RetryBehavior, RetryState, TimeoutType
from perdure.protocols.temporal.payloads import payload, payloads, to_payload, to_payloads
from perdure.protocols.temporal.times import duration, ns_of

DEEPEST = 100
"""A chain longer than this ends there: messages nested deeper can't be read back."""


def to_failure(given: pb.Failure, depth: int = 0) -> Failure:
    """A failure that was sent."""
    facts: dict[str, object] = {}
    match given.WhichOneof("failure_info"):
        case "application_failure_info":
            application = given.application_failure_info
            facts = {
                "type": application.type,
                "non_retryable": application.non_retryable,
                "details": to_payloads(application.details),
                "category": int(application.category),
            }
            if application.HasField("next_retry_delay"):
                facts["next_retry_delay_ns"] = ns_of(application.next_retry_delay)
        case "timeout_failure_info":
            timeout = given.timeout_failure_info
            facts = {
                "kind": FailureKind.TIMEOUT,
                "timeout_type": _known(TimeoutType, timeout.timeout_type),
                "details": to_payloads(timeout.last_heartbeat_details),
            }
        case "canceled_failure_info":
            facts = {
                "kind": FailureKind.CANCELED,
                "details": to_payloads(given.canceled_failure_info.details),
                "identity": given.canceled_failure_info.identity,
            }
        case "terminated_failure_info":
            facts = {"kind": FailureKind.TERMINATED, "identity": given.terminated_failure_info.identity}
        case "server_failure_info":
            facts = {"kind": FailureKind.SERVER, "non_retryable": given.server_failure_info.non_retryable}
        case "reset_workflow_failure_info":
            facts = {
                "type": "ResetWorkflow",
                "details": to_payloads(given.reset_workflow_failure_info.last_heartbeat_details),
            }
        case "activity_failure_info":
            activity = given.activity_failure_info
            facts = {
                "kind": FailureKind.ACTIVITY,
                "scheduled_event_id": activity.scheduled_event_id,
                "started_event_id": activity.started_event_id,
                "identity": activity.identity,
                "activity_type": activity.activity_type.name,
                "activity_id": activity.activity_id,
                "retry_state": _known(RetryState, activity.retry_state),
            }
        case "child_workflow_execution_failure_info":
            child = given.child_workflow_execution_failure_info
            facts = {
                "kind": FailureKind.CHILD_WORKFLOW,
                "workflow_id": child.workflow_execution.workflow_id,
                "run_id": child.workflow_execution.run_id,
                "workflow_type": child.workflow_type.name,
                "scheduled_event_id": child.initiated_event_id,
                "started_event_id": child.started_event_id,
                "retry_state": _known(RetryState, child.retry_state),
                "namespace": child.namespace,
            }
        case "nexus_handler_failure_info":
            facts = {
                "kind": FailureKind.HANDLER,
                "type": given.nexus_handler_failure_info.type,
                "retry_behavior": _known(RetryBehavior, given.nexus_handler_failure_info.retry_behavior),
            }
        case "nexus_operation_execution_failure_info":
            asked = given.nexus_operation_execution_failure_info
            facts = {
                "kind": FailureKind.OPERATION,
                "scheduled_event_id": asked.scheduled_event_id,
                "operation": FailedOperation(
                    asked.endpoint, asked.service, asked.operation, asked.operation_token or asked.operation_id
                ),
            }
        case _:
            facts = {"category": PLAIN}
    return Failure(
        given.message,
        cause=to_failure(given.cause, depth + 1) if given.HasField("cause") and depth < DEEPEST else None,
        stack_trace=given.stack_trace,
        source=given.source,
        encoded_attributes=to_payload(given.encoded_attributes) if given.HasField("encoded_attributes") else None,
        **facts,  # type: ignore[arg-type]
    )


def _known(enum: type, value: int) -> object:
    try:
        return enum(value)
    except ValueError:
        return enum(0)


OURS = "perdure"

TIMEOUTS = {
    TimeoutType.START_TO_CLOSE: "StartToClose",
    TimeoutType.SCHEDULE_TO_START: "ScheduleToStart",
    TimeoutType.SCHEDULE_TO_CLOSE: "ScheduleToClose",
    TimeoutType.HEARTBEAT: "Heartbeat",
}

PLAIN = -1
"""The category of a failure of no kind that was named."""


def is_own_timeout(value: Failure) -> bool:
    """Whether the engine recorded it, since a clock of an activity ran out."""
    return value.kind is FailureKind.TIMEOUT and value.source == OURS and value.message.startswith("activity ")


def failure(value: Failure | None) -> pb.Failure | None:
    """A failure, with its causes."""
    if value is None:
        return None
    message = pb.Failure(
        message=f"activity {TIMEOUTS[value.timeout_type]} timeout" if is_own_timeout(value) else value.message,
        source="Server" if value.source == OURS else value.source,
        stack_trace=value.stack_trace,
        cause=failure(value.cause),
        encoded_attributes=payload(value.encoded_attributes) if value.encoded_attributes is not None else None,
    )
    match value.kind:
        case FailureKind.APPLICATION if value.category == PLAIN:
            pass
        case FailureKind.APPLICATION:
            message.application_failure_info.CopyFrom(
                pb.ApplicationFailureInfo(
                    type=value.type,
                    non_retryable=value.non_retryable,
                    details=payloads(value.details),
                    next_retry_delay=duration(value.next_retry_delay_ns) if value.next_retry_delay_ns >= 0 else None,
                    category=common_pb2.ApplicationErrorCategory.ValueType(value.category),
                )
            )
        case FailureKind.TIMEOUT:
            message.timeout_failure_info.CopyFrom(
                pb.TimeoutFailureInfo(
                    timeout_type=workflow_pb2.TimeoutType.ValueType(value.timeout_type),
                    last_heartbeat_details=payloads(value.details),
                )
            )
        case FailureKind.CANCELED:
            message.canceled_failure_info.CopyFrom(
                pb.CanceledFailureInfo(details=payloads(value.details), identity=value.identity)
            )
        case FailureKind.TERMINATED:
            message.terminated_failure_info.CopyFrom(pb.TerminatedFailureInfo(identity=value.identity))
        case FailureKind.SERVER:
            message.server_failure_info.CopyFrom(pb.ServerFailureInfo(non_retryable=value.non_retryable))
        case FailureKind.ACTIVITY:
            message.activity_failure_info.CopyFrom(
                pb.ActivityFailureInfo(
                    scheduled_event_id=value.scheduled_event_id,
                    started_event_id=value.started_event_id,
                    identity=value.identity,
                    activity_type=common.ActivityType(name=value.activity_type),
                    activity_id=value.activity_id,
                    retry_state=workflow_pb2.RetryState.ValueType(value.retry_state),
                )
            )
        case FailureKind.CHILD_WORKFLOW:
            message.child_workflow_execution_failure_info.CopyFrom(
                pb.ChildWorkflowExecutionFailureInfo(
                    namespace=value.namespace,
                    workflow_execution=common.WorkflowExecution(workflow_id=value.workflow_id, run_id=value.run_id),
                    workflow_type=common.WorkflowType(name=value.workflow_type),
                    initiated_event_id=value.scheduled_event_id,
                    started_event_id=value.started_event_id,
                    retry_state=workflow_pb2.RetryState.ValueType(value.retry_state),
                )
            )
        case FailureKind.HANDLER:
            message.nexus_handler_failure_info.CopyFrom(
                pb.NexusHandlerFailureInfo(
                    type=value.type,
                    retry_behavior=nexus_pb2.NexusHandlerErrorRetryBehavior.ValueType(value.retry_behavior),
                )
            )
        case FailureKind.OPERATION:
            asked = value.operation or FailedOperation("", "", "")
            message.nexus_operation_execution_failure_info.CopyFrom(
                pb.NexusOperationFailureInfo(
                    scheduled_event_id=value.scheduled_event_id,
                    endpoint=asked.endpoint,
                    service=asked.service,
                    operation=asked.operation,
                    operation_id=asked.token,
                    operation_token=asked.token,
                )
            )
    return message
