"""What is served of Temporal's protocol, read from the code that serves it: for the docs, and for the tests."""

from collections.abc import Iterator, Mapping

import msgspec
from temporalio.api.enums.v1 import command_type_pb2, event_type_pb2
from temporalio.api.operatorservice.v1 import service_pb2 as operator_pb
from temporalio.api.workflowservice.v1 import service_pb2 as workflow_pb

from perdure.protocols.temporal.commands import COMMANDS
from perdure.protocols.temporal.history import TYPES
from perdure.protocols.temporal.service_old_versioning import DISABLED
from perdure.protocols.temporal.services import OPERATOR_METHODS, WORKFLOW_METHODS

WORKS, PARTLY, NOT = "works", "partly", "not"

NOTES: Mapping[str, str] = {
    "StartWorkflowExecution": "links are kept with callbacks alone; a run that is found always gets the callbacks",
    "DescribeTaskQueue": "pollers and the backlog of activities; no versions",
    "ResetWorkflowExecution": "the signals and updates after the point are always applied again",
    "QueryWorkflow": "headers of the query do not reach the worker",
    "ListWorkflowExecutions": "the filter language is the engine's; attributes that only Temporal has are refused",
    "PollWorkflowTaskQueue": "queries come as tasks of their own, never with a turn",
    "UpdateWorkflowExecutionOptions": "pins to a version, and lets go; no automatic upgrade as an override, no priority",
    "StartActivityExecution": "no completion callbacks and links",
    "StartNexusOperationExecution": "no completion callbacks and links",
    "ListNexusOperationExecutions": "as ListWorkflowExecutions, by Endpoint, OperationId, and WorkflowType for Service/Operation",
    "ListActivityExecutions": "as ListWorkflowExecutions",
    "UpdateActivityExecutionOptions": "as UpdateActivityOptions; no start delay",
    "UpdateActivityOptions": "parts of the retry policy by their own paths, as with Temporal's server of today",
    "UpdateNexusEndpoint": "an operation under way stays with the task queue that it was scheduled for; a new URL counts at once",
    "UpdateWorkflowExecution": "a repeat of an update does not bring further callbacks; no links",
    "DescribeWorkerDeploymentVersion": "no statistics of task queues",
    "SetWorkerDeploymentCurrentVersion": "activities go to any worker that asks for them",
    "SetWorkerDeploymentRampingVersion": "activities go to any worker that asks for them",
    "SetWorkerDeploymentManager": "is shown; nobody else is kept from changing it",
    "CreateSchedule": "a calendar that can never match is refused, and so is timezone_data",
    "UpdateSchedule": "as CreateSchedule; another conflict token than the present one is refused",
    "ListSchedules": "filters by ScheduleId, TemporalSchedulePaused and the schedules' search attributes; no ORDER BY",
    "StartBatchOperation": "terminate, cancel, signal, delete, and reset to the first or last turn",
    "UpdateNamespace": "description and retention",
    "RegisterNamespace": "description and retention",
    "WORKFLOW_EXECUTION_OPTIONS_UPDATED": "pins, and callbacks that were attached",
    **dict.fromkeys(DISABLED, "is always refused, as by Temporal's server where it is not enabled"),
}
"""What a user must know of something that is there."""


class Row(msgspec.Struct, frozen=True):
    """One method, event or command."""

    name: str
    state: str
    note: str = ""


def _row(name: str, is_there: bool) -> Row:
    note = NOTES.get(name, "")
    return Row(name, (PARTLY if note else WORKS) if is_there else NOT, note if is_there else "")


def methods() -> Iterator[Row]:
    """Of both services."""
    for description, handlers in (
        (workflow_pb.DESCRIPTOR.services_by_name["WorkflowService"], WORKFLOW_METHODS),
        (operator_pb.DESCRIPTOR.services_by_name["OperatorService"], OPERATOR_METHODS),
    ):
        for method in description.methods:
            yield _row(method.name, method.name in handlers)


def events() -> Iterator[Row]:
    """All types of events."""
    known = {int(number) for number in TYPES.values()}
    for name, number in event_type_pb2.EventType.items():
        if number:
            yield _row(name.removeprefix("EVENT_TYPE_"), number in known)


def commands() -> Iterator[Row]:
    """All types of commands."""
    known = {*COMMANDS, command_type_pb2.CommandType.COMMAND_TYPE_PROTOCOL_MESSAGE}
    for name, number in command_type_pb2.CommandType.items():
        if number:
            yield _row(name.removeprefix("COMMAND_TYPE_"), number in known)
