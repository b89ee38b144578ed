"""Options of a run that can be changed while it is open: its priority, and to which version of the workers it is pinned."""

from temporalio.api.common.v1 import message_pb2 as common
from temporalio.api.workflow.v1 import message_pb2 as workflow
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.model.ids import RunAddress
from perdure.model.options import Versioning
from perdure.model.requests import UpdateWorkflowOptions
from perdure.model.task_queues import Priority
from perdure.protocols.temporal.calls import Call, Methods, execution_of
from perdure.protocols.temporal.errors import Code, Refused
from perdure.protocols.temporal.names import is_run_id, priority, to_priority
from perdure.protocols.temporal.overrides import check_override, to_override
from perdure.protocols.temporal.start_checks import check_priority

methods = Methods()

OVERRIDE, PRIORITY = "versioning_override", "priority"
_FIELDS = workflow.WorkflowExecutionOptions.DESCRIPTOR.fields_by_name


@methods.add
async def update_workflow_execution_options(
    call: Call, request: pb.UpdateWorkflowExecutionOptionsRequest
) -> pb.UpdateWorkflowExecutionOptionsResponse:
    """Pin a run to a version of the workers, or let it go; give it another priority."""
    namespace = await call.namespace(request.namespace)
    address = execution_of(namespace, request.workflow_execution)
    if address.run_id and not is_run_id(address.run_id):
        raise Refused.invalid("RunId is not valid UUID.")
    if not request.HasField("update_mask"):
        raise Refused.invalid("UpdateMask is required")
    if not request.HasField("workflow_execution_options"):
        raise Refused.invalid("WorkflowExecutionOptions is required")
    paths = list(request.update_mask.paths)
    for path in paths:
        _check(path)
    given = request.workflow_execution_options
    sets_pin, sets_priority = OVERRIDE in paths, any(path.partition(".")[0] == PRIORITY for path in paths)
    if given.HasField("versioning_override"):
        check_override(given.versioning_override)
    check_priority(given.priority)
    pin, versioning = to_override(given.versioning_override) if sets_pin else ("", Versioning.UNSPECIFIED)
    wanted = await _priority(call, address, paths, given) if sets_priority else None
    await call.service.request(
        address,
        UpdateWorkflowOptions(
            pin,
            request.identity,
            versioning=versioning,
            leaves_pin=not sets_pin,
            priority=wanted,
            sets_priority=sets_priority,
        ),
    )
    return pb.UpdateWorkflowExecutionOptionsResponse(
        workflow_execution_options=workflow.WorkflowExecutionOptions(
            versioning_override=given.versioning_override
            if sets_pin and given.HasField("versioning_override")
            else None,
            priority=priority(wanted),
        )
    )


def _check(path: str) -> None:
    field, _, inner = path.partition(".")
    known = _FIELDS.get(field)
    message = known.message_type if known is not None else None
    if message is None or (inner and inner not in message.fields_by_name):
        raise Refused.invalid(
            f'error parsing UpdateMask: proto: invalid path "{path}" for message "temporal.api.workflow.v1.WorkflowExecutionOptions"'
        )
    if field not in (OVERRIDE, PRIORITY) or (field == OVERRIDE and inner):
        raise Refused(
            Code.UNIMPLEMENTED, f"The option {path} of a run can't be changed here; {OVERRIDE} and {PRIORITY} can."
        )


async def _priority(
    call: Call, address: RunAddress, paths: list[str], given: workflow.WorkflowExecutionOptions
) -> Priority | None:
    """The new priority: all of it, or what of it is named over what there was."""
    if PRIORITY in paths:
        return to_priority(given.priority)
    present = priority((await call.parts.turns.resident(address)).run.priority) or common.Priority()
    for path in paths:
        field, _, inner = path.partition(".")
        if field == PRIORITY:
            setattr(present, inner, getattr(given.priority, inner))
    return to_priority(present)
