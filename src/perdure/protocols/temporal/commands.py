"""What a worker asks for at the end of a turn: its commands and messages, as the engine's commands."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from google.protobuf.message import DecodeError
from temporalio.api.command.v1 import message_pb2 as pb
from temporalio.api.enums.v1 import command_type_pb2
from temporalio.api.protocol.v1 import message_pb2 as protocol
from temporalio.api.update.v1 import message_pb2 as update_pb

from perdure.engine.endpoints import Endpoint
from perdure.model import commands as c
from perdure.model.events import ActivityTaskScheduled
from perdure.model.failures import BAD_COMMAND, Failure
from perdure.model.ids import RunAddress
from perdure.model.options import Initiator
from perdure.protocols.temporal.command_checks import CHECKS, name_of, wrong_sequence
from perdure.protocols.temporal.errors import Refused
from perdure.protocols.temporal.failures import to_failure
from perdure.protocols.temporal.names import camel, to_priority, to_retry_policy
from perdure.protocols.temporal.options import parent_close, reuse
from perdure.protocols.temporal.payloads import to_changed_attributes, to_map, to_payload, to_payloads, to_user_metadata
from perdure.protocols.temporal.times import ns_of, shortest, task_timeout

Kind = command_type_pb2.CommandType

NEXUS = Kind.COMMAND_TYPE_SCHEDULE_NEXUS_OPERATION

DEFAULT_RETRY = to_retry_policy(pb.ScheduleActivityTaskCommandAttributes().retry_policy)


class BadCommand(Exception):
    """The turn fails, for this cause."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message


def commands(
    given: Sequence[pb.Command],
    messages: Sequence[protocol.Message],
    namespace: str,
    run_timeout_ns: int = 0,
    endpoints: Mapping[str, Endpoint] | None = None,
) -> list[c.AnyCommand]:
    """A turn's commands, in order.

    Args:
        given: the commands.
        messages: what some of them refer to.
        namespace: of the run.
        run_timeout_ns: of the run; no activity has more time.
        endpoints: of Nexus, by name; those that the commands name are enough.

    Raises:
        Refused: there is no such command.
        BadCommand: one of them can't be carried out.
    """
    if wrong := wrong_sequence(given):
        raise Refused.invalid(wrong)
    by_id = {message.id: message for message in messages}
    asked: list[c.AnyCommand] = []
    for command in given:
        if command.command_type == Kind.COMMAND_TYPE_PROTOCOL_MESSAGE:
            name = command.protocol_message_command_attributes.message_id
            message = by_id.pop(name, None)
            if message is None:
                raise BadCommand(
                    "BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE",
                    f"ProtocolMessageCommand referenced absent message ID {name}",
                )
            asked.append(_message(message))
            continue
        found = COMMANDS.get(command.command_type)
        if found is None:
            raise Refused.invalid(f"unknown command type: {name_of(command.command_type)}")
        field, translate = found
        if not command.HasField(field):  # type: ignore[arg-type]
            raise BadCommand(_bad(field), f"{camel(field)} is not set on {name_of(command.command_type)}Command.")
        attributes = getattr(command, field)
        check = CHECKS.get(command.command_type)
        if check is not None and (wrong := check(attributes)):
            raise BadCommand(_bad(field), wrong)
        if command.command_type == NEXUS:
            translated = schedule_operation(attributes, endpoints or {}, run_timeout_ns)
        else:
            translated = translate(attributes, namespace)
        if translated.__class__ is c.ScheduleActivityTask:
            assert isinstance(translated, c.ScheduleActivityTask)
            translated = msgspec.structs.replace(translated, **bounded(translated, run_timeout_ns))
        if command.HasField("user_metadata") and hasattr(translated, "user_metadata"):
            metadata = to_user_metadata(command.user_metadata)
            translated = msgspec.structs.replace(translated, user_metadata=metadata)
        asked.append(translated)
    # Rejections come without a command.
    return [*(_message(message) for message in by_id.values()), *asked]


_SHORTER = {
    "signal_external_workflow_execution_command_attributes": "BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES",
    "start_child_workflow_execution_command_attributes": "BAD_START_CHILD_EXECUTION_ATTRIBUTES",
    "schedule_activity_task_command_attributes": "BAD_SCHEDULE_ACTIVITY_ATTRIBUTES",
    "request_cancel_activity_task_command_attributes": "BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES",
}


def _bad(field: str) -> str:
    return _SHORTER.get(field) or f"BAD_{field.removesuffix('_command_attributes').upper()}_ATTRIBUTES"


def _message(message: protocol.Message) -> c.AnyCommand:
    update_id, body = message.protocol_instance_id, message.body
    if body.Is(update_pb.Acceptance.DESCRIPTOR):
        return c.AcceptUpdate(update_id)
    if body.Is(update_pb.Rejection.DESCRIPTOR):
        rejection = _unpacked(body, update_pb.Rejection())
        return c.RejectUpdate(update_id, to_failure(rejection.failure))
    if body.Is(update_pb.Response.DESCRIPTOR):
        response = _unpacked(body, update_pb.Response())
        if response.outcome.HasField("failure"):
            return c.CompleteUpdate(update_id, failure=to_failure(response.outcome.failure))
        return c.CompleteUpdate(update_id, to_payloads(response.outcome.success))
    raise BadCommand("BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE", f"unknown message body {body.type_url}")


def _unpacked(body: Any, message: Any) -> Any:
    try:
        body.Unpack(message)
    except DecodeError:
        raise BadCommand("BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE", "unable to decode the message's body") from None
    return message


def _schedule_activity(a: pb.ScheduleActivityTaskCommandAttributes, namespace: str) -> c.AnyCommand:
    to_close, to_start = ns_of(a.schedule_to_close_timeout), ns_of(a.schedule_to_start_timeout)
    start_to_close = ns_of(a.start_to_close_timeout)
    if not to_close and not start_to_close:
        raise BadCommand(
            "BAD_SCHEDULE_ACTIVITY_ATTRIBUTES",
            "A valid StartToClose or ScheduleToCloseTimeout is not set on ScheduleActivityTaskCommand. "
            f"ActivityId={a.activity_id} ActivityType={a.activity_type.name}",
        )
    return c.ScheduleActivityTask(
        a.activity_id,
        a.activity_type.name,
        a.task_queue.name,
        to_payloads(a.input),
        to_close,
        to_start,
        start_to_close,
        ns_of(a.heartbeat_timeout),
        to_retry_policy(a.retry_policy) if a.HasField("retry_policy") else DEFAULT_RETRY,
        to_map(a.header.fields),
        to_priority(a.priority),
    )


def bounded(activity: c.ScheduleActivityTask | ActivityTaskScheduled, run_timeout_ns: int) -> Mapping[str, int]:
    """The timeouts of an activity as Temporal's server fills them in, and shows them, by their names here.

    Args:
        activity: with the timeouts that were asked for.
        run_timeout_ns: of the run, which no activity outlasts; 0 for none.
    """
    to_close, to_start = activity.schedule_to_close_timeout_ns, activity.schedule_to_start_timeout_ns
    start_to_close, heartbeat = activity.start_to_close_timeout_ns, activity.heartbeat_timeout_ns
    if to_close:
        to_start = min(to_start or to_close, to_close)
        start_to_close = min(start_to_close or to_close, to_close)
    else:
        to_close, to_start = run_timeout_ns, to_start or run_timeout_ns
    if run_timeout_ns:
        to_close, to_start = min(to_close, run_timeout_ns), min(to_start, run_timeout_ns)
        start_to_close = min(start_to_close, run_timeout_ns)
    return {
        "schedule_to_close_timeout_ns": to_close,
        "schedule_to_start_timeout_ns": to_start,
        "start_to_close_timeout_ns": start_to_close,
        "heartbeat_timeout_ns": min(heartbeat, start_to_close),
    }


def _cancel_activity(a: pb.RequestCancelActivityTaskCommandAttributes, namespace: str) -> c.AnyCommand:
    return c.RequestCancelActivityTask(a.scheduled_event_id)


def _start_timer(a: pb.StartTimerCommandAttributes, namespace: str) -> c.AnyCommand:
    return c.StartTimer(a.timer_id, ns_of(a.start_to_fire_timeout))


def _cancel_timer(a: pb.CancelTimerCommandAttributes, namespace: str) -> c.AnyCommand:
    return c.CancelTimer(a.timer_id)


def _complete(a: pb.CompleteWorkflowExecutionCommandAttributes, namespace: str) -> c.AnyCommand:
    return c.CompleteWorkflowExecution(to_payloads(a.result))


def _fail(a: pb.FailWorkflowExecutionCommandAttributes, namespace: str) -> c.AnyCommand:
    if not a.HasField("failure"):
        raise BadCommand(
            "BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES", "Failure is not set on FailWorkflowExecutionCommand."
        )
    return c.FailWorkflowExecution(to_failure(a.failure))


def _cancel(a: pb.CancelWorkflowExecutionCommandAttributes, namespace: str) -> c.AnyCommand:
    return c.CancelWorkflowExecution(to_payloads(a.details))


def _continue_as_new(a: pb.ContinueAsNewWorkflowExecutionCommandAttributes, namespace: str) -> c.AnyCommand:
    return c.ContinueAsNewWorkflowExecution(
        a.workflow_type.name,
        a.task_queue.name,
        to_payloads(a.input),
        ns_of(a.workflow_run_timeout) if a.HasField("workflow_run_timeout") else -1,
        ns_of(a.workflow_task_timeout) if a.HasField("workflow_task_timeout") else -1,
        ns_of(a.backoff_start_interval),
        _initiator(a.initiator),
        # What the worker does not pass on is gone: SDKs whose memo lasts send it along.
        to_map(a.memo.fields) or {},
        to_map(a.search_attributes.indexed_fields) if a.HasField("search_attributes") else None,
        to_retry_policy(a.retry_policy) if a.HasField("retry_policy") else None,
        to_map(a.header.fields) or {},
    )


def _initiator(number: int) -> Initiator:
    try:
        return Initiator(number)
    except ValueError:
        return Initiator.WORKFLOW


def _start_child(a: pb.StartChildWorkflowExecutionCommandAttributes, namespace: str) -> c.AnyCommand:
    return c.StartChildWorkflowExecution(
        a.workflow_id,
        a.workflow_type.name,
        a.task_queue.name,
        a.namespace or namespace,
        to_payloads(a.input),
        ns_of(a.workflow_execution_timeout),
        shortest(ns_of(a.workflow_run_timeout), ns_of(a.workflow_execution_timeout)),
        task_timeout(
            ns_of(a.workflow_task_timeout), shortest(ns_of(a.workflow_run_timeout), ns_of(a.workflow_execution_timeout))
        ),
        parent_close(a.parent_close_policy),
        reuse(a.workflow_id_reuse_policy),
        to_retry_policy(a.retry_policy) if a.HasField("retry_policy") else None,
        to_map(a.memo.fields),
        to_map(a.search_attributes.indexed_fields),
        to_map(a.header.fields),
        priority=to_priority(a.priority),
        cron_schedule=a.cron_schedule,
    )


def _signal(a: pb.SignalExternalWorkflowExecutionCommandAttributes, namespace: str) -> c.AnyCommand:
    return c.SignalExternalWorkflowExecution(
        RunAddress(a.namespace or namespace, a.execution.workflow_id, a.execution.run_id),
        a.signal_name,
        to_payloads(a.input),
        a.child_workflow_only,
        to_map(a.header.fields),
        a.control,
    )


def _request_cancel(a: pb.RequestCancelExternalWorkflowExecutionCommandAttributes, namespace: str) -> c.AnyCommand:
    return c.RequestCancelExternalWorkflowExecution(
        RunAddress(a.namespace or namespace, a.workflow_id, a.run_id),
        a.child_workflow_only,
        a.reason,
        a.control,
    )


def _marker(a: pb.RecordMarkerCommandAttributes, namespace: str) -> c.AnyCommand:
    return c.RecordMarker(
        a.marker_name,
        {name: to_payloads(values) for name, values in a.details.items()},
        to_map(a.header.fields),
        to_failure(a.failure) if a.HasField("failure") else None,
    )


def _upsert(a: pb.UpsertWorkflowSearchAttributesCommandAttributes, namespace: str) -> c.AnyCommand:
    return c.UpsertWorkflowSearchAttributes(to_changed_attributes(a.search_attributes.indexed_fields))


def _modify(a: pb.ModifyWorkflowPropertiesCommandAttributes, namespace: str) -> c.AnyCommand:
    return c.ModifyWorkflowProperties(to_map(a.upserted_memo.fields) or {})


def _schedule_operation(a: pb.ScheduleNexusOperationCommandAttributes, namespace: str) -> c.AnyCommand:
    return schedule_operation(a, {}, 0)


def schedule_operation(
    a: pb.ScheduleNexusOperationCommandAttributes, endpoints: Mapping[str, Endpoint], run_timeout_ns: int
) -> c.AnyCommand:
    """An operation, of whoever an endpoint leads to. Raises ``BadCommand``."""
    endpoint = endpoints.get(a.endpoint)
    if endpoint is None:
        raise BadCommand("BAD_SCHEDULE_NEXUS_OPERATION_ATTRIBUTES", f'endpoint "{a.endpoint}" not found')
    namespace, task_queue = endpoint.queue
    to_close = shortest(ns_of(a.schedule_to_close_timeout), run_timeout_ns)
    to_start, start_to_close = ns_of(a.schedule_to_start_timeout), ns_of(a.start_to_close_timeout)
    return c.ScheduleNexusOperation(
        a.endpoint,
        a.service,
        a.operation,
        namespace,
        task_queue,
        (to_payload(a.input),) if a.HasField("input") else (),
        to_close,
        min(to_start, to_close) if to_close else to_start,
        min(start_to_close, to_close) if to_close else start_to_close,
        dict(a.nexus_header) or None,
        endpoint.id,
    )


def _cancel_operation(a: pb.RequestCancelNexusOperationCommandAttributes, namespace: str) -> c.AnyCommand:
    return c.RequestCancelNexusOperation(a.scheduled_event_id)


COMMANDS: Mapping[int, tuple[str, Callable[[Any, str], c.AnyCommand]]] = {
    Kind.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK: ("schedule_activity_task_command_attributes", _schedule_activity),
    Kind.COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK: (
        "request_cancel_activity_task_command_attributes",
        _cancel_activity,
    ),
    Kind.COMMAND_TYPE_START_TIMER: ("start_timer_command_attributes", _start_timer),
    Kind.COMMAND_TYPE_CANCEL_TIMER: ("cancel_timer_command_attributes", _cancel_timer),
    Kind.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION: ("complete_workflow_execution_command_attributes", _complete),
    Kind.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION: ("fail_workflow_execution_command_attributes", _fail),
    Kind.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION: ("cancel_workflow_execution_command_attributes", _cancel),
    Kind.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION: (
        "continue_as_new_workflow_execution_command_attributes",
        _continue_as_new,
    ),
    Kind.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION: (
        "start_child_workflow_execution_command_attributes",
        _start_child,
    ),
    Kind.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION: (
        "signal_external_workflow_execution_command_attributes",
        _signal,
    ),
    Kind.COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION: (
        "request_cancel_external_workflow_execution_command_attributes",
        _request_cancel,
    ),
    Kind.COMMAND_TYPE_RECORD_MARKER: ("record_marker_command_attributes", _marker),
    Kind.COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: (
        "upsert_workflow_search_attributes_command_attributes",
        _upsert,
    ),
    Kind.COMMAND_TYPE_SCHEDULE_NEXUS_OPERATION: (
        "schedule_nexus_operation_command_attributes",
        _schedule_operation,
    ),
    Kind.COMMAND_TYPE_REQUEST_CANCEL_NEXUS_OPERATION: (
        "request_cancel_nexus_operation_command_attributes",
        _cancel_operation,
    ),
    Kind.COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES: ("modify_workflow_properties_command_attributes", _modify),
}
"""Each type of command but ``PROTOCOL_MESSAGE``: its field, and what translates it."""


def bad_command_failure(error: BadCommand) -> Failure:
    """For the history."""
    return Failure(error.message, type=BAD_COMMAND, source="perdure")


__all__ = ["COMMANDS", "BadCommand", "bad_command_failure", "bounded", "commands"]
