"""Versions of state machines: publish, list, delete."""

import msgspec

from perdure.model.access import Permission
from perdure.protocols.stepfunctions import arns, paging
from perdure.protocols.stepfunctions.machines import published, version_arn
from perdure.protocols.stepfunctions.operations import Answer, Call, Operations
from perdure.protocols.stepfunctions.records import Machine
from perdure.protocols.stepfunctions.refusals import Refusal, invalid

operations = Operations()


@operations.add("PublishStateMachineVersion")
async def publish_state_machine_version(call: Call) -> Answer:
    """A version of what the state machine is now; the one that there is, if nothing has changed since."""
    body, registry, now = call.body, call.parts.registry, call.parts.now()
    arn = body["stateMachineArn"]
    await registry.machine_to_change(arn)

    async def publish() -> Machine:
        async with registry.lock:
            machine = await registry.machine_to_change(arn)
            current, wanted = machine.revision.id or "INITIAL", body.get("revisionId")
            if wanted is not None and wanted != current:
                raise Refusal(
                    "ConflictException",
                    f"Failed to publish the State Machine version for revision {wanted}. "
                    f"The current State Machine revision is {current}.",
                )
            machine = published(machine, body.get("description", ""), now)
            await registry.put_machine(machine)
            return machine

    machine = await call.change(publish, arn)
    version = machine.versions[-1]
    return {"stateMachineVersionArn": version_arn(machine, version), "creationDate": version.created}


@operations.add("ListStateMachineVersions")
async def list_state_machine_versions(call: Call) -> Answer:
    """Those of a state machine, the newest first."""
    call.require(Permission.READ)
    arn = call.body["stateMachineArn"]
    arns.parse(arn, "stateMachine")
    machine = await call.parts.registry.find_machine(arn)
    versions = () if machine is None else machine.versions[::-1]
    some, more = paging.page(versions, call.body)
    return {
        "stateMachineVersions": [
            {"stateMachineVersionArn": f"{arn}:{version.number}", "creationDate": version.created} for version in some
        ],
        **more,
    }


@operations.add("DeleteStateMachineVersion")
async def delete_state_machine_version(call: Call) -> Answer:
    """Only if no alias leads to it; what is not there is no error."""
    said, registry = call.body["stateMachineVersionArn"], call.parts.registry
    arn = arns.parse(said, "stateMachine")
    if not arn.qualifier.isdecimal():
        raise invalid("The ARN must be of a state machine version.")

    async def delete() -> None:
        async with registry.lock:
            machine = await registry.find_machine(said.rpartition(":")[0])
            if machine is None:
                return
            names = [
                alias.name
                for alias in await registry.aliases(machine.arn)
                if any(route.version_arn == said for route in alias.routes)
            ]
            if names:
                raise Refusal(
                    "ConflictException",
                    "Version to be deleted must not be referenced by an alias. "
                    f"Current list of aliases referencing this version: [{', '.join(names)}]",
                )
            left = tuple(version for version in machine.versions if version.number != int(arn.qualifier))
            if left != machine.versions:
                await registry.put_machine(msgspec.structs.replace(machine, versions=left))

    await call.change(delete, said)
    return {}
