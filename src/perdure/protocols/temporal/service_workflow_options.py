"""Options of a run that can be changed while it is open: to which version of the workers it is pinned."""

from temporalio.api.workflow.v1 import message_pb2 as workflow
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.model.requests import UpdateWorkflowOptions
from perdure.protocols.temporal.calls import Call, Methods, execution_of
from perdure.protocols.temporal.errors import Code, Refused
from perdure.protocols.temporal.history import pinned
from perdure.protocols.temporal.versions import pin_of

methods = Methods()

OVERRIDE = "versioning_override"
_FIELDS = frozenset(workflow.WorkflowExecutionOptions.DESCRIPTOR.fields_by_name)


@methods.add
async def update_workflow_execution_options(
    call: Call, request: pb.UpdateWorkflowExecutionOptionsRequest
) -> pb.UpdateWorkflowExecutionOptionsResponse:
    """Pin a run to a version of the workers, or let it go."""
    namespace = await call.namespace(request.namespace)
    address = execution_of(namespace, request.workflow_execution)
    paths = list(request.update_mask.paths)
    if not paths:
        raise Refused.invalid("UpdateMask is required")
    if not request.HasField("workflow_execution_options"):
        raise Refused.invalid("WorkflowExecutionOptions is required")
    for path in paths:
        field = path.partition(".")[0]
        if field not in _FIELDS:
            raise Refused.invalid(
                f'error parsing UpdateMask: proto: invalid path "{path}" for message "temporal.api.workflow.v1.WorkflowExecutionOptions"'
            )
        if field != OVERRIDE:
            raise Refused(Code.UNIMPLEMENTED, f"The option {field} of a run can't be changed here; {OVERRIDE} can.")
    override = request.workflow_execution_options.versioning_override
    pin = pin_of(override)
    if not pin and request.workflow_execution_options.HasField("versioning_override"):
        raise Refused(
            Code.UNIMPLEMENTED,
            "A run can be pinned to a version, by its deployment and build, or its override be taken away; nothing else.",
        )
    await call.service.request(address, UpdateWorkflowOptions(pin, request.identity))
    return pb.UpdateWorkflowExecutionOptionsResponse(
        workflow_execution_options=workflow.WorkflowExecutionOptions(
            versioning_override=pinned(pin) if pin else None,
        )
    )
