"""What becomes of the executions of a state machine that is deleted: they end at their next state, as on AWS.

They hear of it by a signal from a batch, which is durable as soon as it has begun, and finds them a page at a time. That the
machine is being deleted is kept before, so a server that died in between begins the batch when it is back.

Source: https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachine.html
"""

from perdure.model.errors import NotFoundError, RunClosedError
from perdure.model.ids import RunAddress
from perdure.model.requests import SignalWorkflow
from perdure.protocols.stepfunctions.operations import Call
from perdure.protocols.stepfunctions.parts import Parts
from perdure.protocols.stepfunctions.records import Machine
from perdure.protocols.stepfunctions.standing import running_of

END = "perdure.end_at_next_state"
"""The signal, as the interpreter knows it."""


async def end_executions(parts: Parts, machine: Machine) -> None:
    """Have all executions of a state machine that is being deleted end at their next state; again changes nothing. Those of
    EXPRESS machines go on: they take five minutes at most."""
    if machine.type != "EXPRESS" and parts.signal_all is not None:
        await parts.signal_all(running_of(machine), END, f"delete {machine.name} {machine.incarnation}")


async def resume(parts: Parts) -> None:
    """Go on with the deletions that a server has begun and not seen to."""
    for machine in await parts.registry.being_deleted():
        await end_executions(parts, machine)


async def end_late(call: Call, machine: Machine, execution: str) -> None:
    """An execution may have begun while its state machine was deleted, and been found by nobody: it hears of that, too.

    Args:
        machine: as it was looked up for the start.
        execution: the execution's ARN.
    """
    now = await call.parts.registry.find_machine(machine.arn)
    if now is not None and not now.is_deleting and now.incarnation == machine.incarnation:
        return
    try:
        await call.service.request(RunAddress(call.namespace, execution), SignalWorkflow(END, identity=call.identity))
    except (NotFoundError, RunClosedError):
        pass
