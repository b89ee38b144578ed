"""What Temporal's server says of commands that are not whole, in its words; what is wrong beyond that the engine says."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from temporalio.api.command.v1 import message_pb2 as pb
from temporalio.api.enums.v1 import command_type_pb2

Kind = command_type_pb2.CommandType

CLOSING = frozenset(
    {
        int(Kind.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION),
        int(Kind.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION),
        int(Kind.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION),
        int(Kind.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION),
    }
)


def name_of(number: int) -> str:
    """A type of commands as a word; of one that nobody knows its number."""
    try:
        word = Kind.Name(number).removeprefix("COMMAND_TYPE_")  # type: ignore[arg-type]
    except ValueError:
        return str(number)
    return "".join(part.capitalize() for part in word.split("_"))


def wrong_sequence(commands: Sequence[pb.Command]) -> str:
    """Why these can't follow each other; empty if they can. Nothing comes after a command that closes the run."""
    for command in commands[:-1]:
        if command.command_type in CLOSING:
            names = ", ".join(name_of(one.command_type) for one in commands)
            return f"invalid command sequence: [{names}], command {name_of(command.command_type)} must be the last command."
    return ""


def _activity(a: pb.ScheduleActivityTaskCommandAttributes) -> str:
    if not a.activity_id:
        return f"ActivityId is not set on ScheduleActivityTaskCommand. ActivityType={a.activity_type.name}"
    if not a.activity_type.name:
        return f"ActivityType is not set on ScheduleActivityTaskCommand. ActivityID={a.activity_id}"
    return ""


def _timer(a: pb.StartTimerCommandAttributes) -> str:
    if not a.timer_id:
        return "TimerId is not set on StartTimerCommand."
    if a.start_to_fire_timeout.seconds < 0 or a.start_to_fire_timeout.nanos < 0:
        return f"An invalid StartToFireTimeout is set on StartTimerCommand: negative duration. TimerId={a.timer_id}"
    return ""


def _cancel_timer(a: pb.CancelTimerCommandAttributes) -> str:
    return "" if a.timer_id else "TimerId is not set on CancelTimerCommand."


def _marker(a: pb.RecordMarkerCommandAttributes) -> str:
    return "" if a.marker_name else "MarkerName is not set on RecordMarkerCommand."


def _child(a: pb.StartChildWorkflowExecutionCommandAttributes) -> str:
    whose = "on StartChildWorkflowExecutionCommand."
    if not a.workflow_id:
        return (
            f"Required field WorkflowId is not set {whose} WorkflowType={a.workflow_type.name} Namespace={a.namespace}"
        )
    if not a.workflow_type.name:
        return f"Required field WorkflowType is not set {whose} WorkflowId={a.workflow_id} Namespace={a.namespace}"
    return ""


def _signal(a: pb.SignalExternalWorkflowExecutionCommandAttributes) -> str:
    whose = "on SignalExternalWorkflowExecutionCommand."
    to = a.execution
    if not to.workflow_id:
        return f"WorkflowId is not set {whose} Namespace={a.namespace} RunId={to.run_id} SignalName={a.signal_name}"
    if not a.signal_name:
        return f"SignalName is not set {whose} WorkflowId={to.workflow_id} Namespace={a.namespace} RunId={to.run_id}"
    return ""


CHECKS: Mapping[int, Callable[[Any], str]] = {
    Kind.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK: _activity,
    Kind.COMMAND_TYPE_START_TIMER: _timer,
    Kind.COMMAND_TYPE_CANCEL_TIMER: _cancel_timer,
    Kind.COMMAND_TYPE_RECORD_MARKER: _marker,
    Kind.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION: _child,
    Kind.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION: _signal,
}
"""What is wrong with the attributes of a command; empty if nothing is."""
