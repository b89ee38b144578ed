"""State machines: create, update, describe, list, delete."""

import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from perdure.model.access import Permission
from perdure.protocols.stepfunctions import arns, deletions, paging
from perdure.protocols.stepfunctions.operations import Answer, Call, Operations
from perdure.protocols.stepfunctions.records import AWS_OWNED, OFF, UNTRACED, Machine, Revision, Version
from perdure.protocols.stepfunctions.refusals import Refusal, deleting, invalid, no_machine
from perdure.protocols.stepfunctions.tags import checked_tags

operations = Operations()

MOST_VERSIONS = 1000

LOG_GROUP = re.compile(r"arn:[\w-]+:logs:[\w-]*:\d*:log-group:.")

DATA = frozenset({"definition", "variableReferences"})
"""What is left out where only metadata is asked for."""


@operations.add("CreateStateMachine")
async def create_state_machine(call: Call) -> Answer:
    """The same again does nothing more; another one of the same name is refused."""
    body, registry, now = call.body, call.parts.registry, call.parts.now()
    name, kind = body["name"], body.get("type", "STANDARD")
    arns.check_name(name)
    if body.get("versionDescription") is not None and not body.get("publish"):
        raise invalid("Version description can only be set when publish is true")
    check_role(body["roleArn"])
    check_definition(call, body["definition"], kind)
    revision = Revision(
        "",
        body["definition"],
        body["roleArn"],
        logging_of(body.get("loggingConfiguration"), OFF),
        {**UNTRACED, **body.get("tracingConfiguration", {})},
        body.get("encryptionConfiguration", AWS_OWNED),
        now,
    )
    arn = arns.make(call.region, call.account, "stateMachine", name)
    new = Machine(arn, name, kind, now, revision, uuid.uuid4().hex, tags=checked_tags(body.get("tags", [])))

    async def create() -> Machine:
        async with registry.lock:
            machine = await registry.find_machine(arn)
            if machine is None:
                machine = published(new, body.get("versionDescription", ""), now) if body.get("publish") else new
                await registry.put_new_machine(machine)
            elif machine.is_deleting:
                raise deleting(arn)
            elif not _is_same(machine, new):
                raise Refusal("StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'")
            return machine

    machine = await call.change(create, arn)
    answer: Answer = {"stateMachineArn": arn, "creationDate": machine.created}
    if body.get("publish") and machine.versions:
        answer["stateMachineVersionArn"] = version_arn(machine, machine.versions[-1])
    return answer


@operations.add("UpdateStateMachine")
async def update_state_machine(call: Call) -> Answer:
    """Executions that run go on as they began."""
    body, registry, now = call.body, call.parts.registry, call.parts.now()
    arn = body["stateMachineArn"]
    machine = await registry.machine_to_change(arn)
    if not any(
        body.get(name) is not None
        for name in (
            "definition",
            "roleArn",
            "loggingConfiguration",
            "tracingConfiguration",
            "encryptionConfiguration",
        )
    ):
        raise Refusal(
            "MissingRequiredParameter",
            "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified",
        )
    if body.get("versionDescription") is not None and not body.get("publish"):
        raise invalid("Version description can only be set when publish is true")
    if "roleArn" in body:
        check_role(body["roleArn"])
    if "definition" in body:
        check_definition(call, body["definition"], machine.type)

    async def update() -> Machine:
        async with registry.lock:
            machine = await registry.machine_to_change(arn)
            old = machine.revision
            new = Revision(
                old.id,
                body.get("definition", old.definition),
                body.get("roleArn", old.role_arn),
                logging_of(body.get("loggingConfiguration"), old.logging),
                {**old.tracing, **body.get("tracingConfiguration", {})},
                body.get("encryptionConfiguration", old.encryption),
                old.updated,
            )
            if new != old:
                new = msgspec.structs.replace(new, id=str(uuid.uuid4()), updated=now)
                machine = msgspec.structs.replace(machine, revision=new)
            if body.get("publish"):
                machine = published(machine, body.get("versionDescription", ""), now)
            await registry.put_machine(machine)
            return machine

    machine = await call.change(update, arn)
    answer: Answer = {"updateDate": machine.revision.updated, "revisionId": machine.revision.id or "INITIAL"}
    if body.get("publish"):
        answer["stateMachineVersionArn"] = version_arn(machine, machine.versions[-1])
    return answer


@operations.add("DescribeStateMachine")
async def describe_state_machine(call: Call) -> Answer:
    """A state machine as it is now, or a version of it, or what an alias leads to."""
    call.require(Permission.READ)
    said = call.body["stateMachineArn"]
    arn = arns.parse(said, "stateMachine")
    machine = await call.parts.registry.machine_of(arn, said)
    revision, description, created = machine.revision, "", machine.created
    if arn.qualifier:
        version = machine.version(int(arn.qualifier)) if arn.qualifier.isdecimal() else None
        if version is None:
            raise no_machine(said)
        revision, description, created = version.revision, version.description, version.created
    answer = {
        "stateMachineArn": said,
        "name": machine.name,
        "status": "DELETING" if machine.is_deleting else "ACTIVE",
        "definition": revision.definition,
        "roleArn": revision.role_arn,
        "type": machine.type,
        "creationDate": created,
        "loggingConfiguration": revision.logging,
        "tracingConfiguration": revision.tracing,
        "encryptionConfiguration": revision.encryption,
    }
    if references := call.parts.language.variable_references(revision.definition):
        answer["variableReferences"] = references
    if description:
        answer["description"] = description
    if revision.id:
        answer["revisionId"] = revision.id
    if call.body.get("includedData") == "METADATA_ONLY":
        answer = {name: value for name, value in answer.items() if name not in DATA}
    return answer


@operations.add("ListStateMachines")
async def list_state_machines(call: Call) -> Answer:
    """All of the account in the region, by name."""
    call.require(Permission.READ)
    known = await call.parts.registry.machines(call.region, call.account)
    some, more = paging.page(list(known.values()), call.body)
    return {
        "stateMachines": [
            {
                "stateMachineArn": machine.arn,
                "name": machine.name,
                "type": machine.type,
                "creationDate": machine.created,
            }
            for machine in some
        ],
        **more,
    }


@operations.add("DeleteStateMachine")
async def delete_state_machine(call: Call) -> Answer:
    """What runs ends at its next state, and so long it is being deleted; what is not there is no error."""
    arn = call.body["stateMachineArn"]
    if arns.parse(arn, "stateMachine").qualifier:
        raise invalid("The state machine ARN must not be qualified by a version or an alias.")
    registry = call.parts.registry

    async def delete() -> None:
        async with registry.lock:
            machine = await registry.find_machine(arn)
            if machine is None:
                return
            if not await registry.is_busy(machine):
                await registry.remove_machine(machine)
                return
            if not machine.is_deleting:
                await registry.put_machine(msgspec.structs.replace(machine, is_deleting=True))
        await deletions.end_executions(call.parts, machine)

    await call.change(delete, arn)
    return {}


@operations.add("ValidateStateMachineDefinition")
async def validate_state_machine_definition(call: Call) -> Answer:
    """What is wrong with a definition, without making a state machine of it."""
    call.require(Permission.READ)
    body = call.body
    found = call.parts.language.diagnostics(body["definition"], body.get("type", "STANDARD"))
    if body.get("severity", "ERROR") == "ERROR":
        found = [one for one in found if one["severity"] == "ERROR"]
    most = body.get("maxResults") or 100
    return {
        "result": "FAIL" if any(one["severity"] == "ERROR" for one in found) else "OK",
        "diagnostics": [dict(one) for one in found[:most]],
        "truncated": len(found) > most,
    }


def check_definition(call: Call, definition: str, kind: str) -> None:
    """Raise ``Refusal`` for a definition that AWS would not take."""
    message = call.parts.language.refusal(definition, kind)
    if message is not None:
        raise Refusal("InvalidDefinition", message)


def check_role(arn: str) -> None:
    """Raise ``Refusal`` for what is no ARN. Roles mean nothing here: nobody assumes them."""
    if not arn.startswith("arn:"):
        raise Refusal("InvalidArn", f"Invalid Role Arn: '{arn}'")


def logging_of(asked: Mapping[str, Any] | None, before: Mapping[str, Any]) -> dict[str, Any]:
    """A logging configuration with what nobody has said. Raises ``Refusal``."""
    if asked is None:
        return dict(before)
    destinations: Sequence[Any] = asked.get("destinations", ())
    level = asked.get("level", "OFF")
    groups = [one.get("cloudWatchLogsLogGroup", {}).get("logGroupArn") for one in destinations]
    if len(groups) > 1 or (level != "OFF" and not groups) or None in groups:
        raise Refusal(
            "InvalidLoggingConfiguration", "Invalid Logging Configuration: Must specify exactly one Log Destination."
        )
    if groups and not LOG_GROUP.match(groups[0]):
        raise Refusal("InvalidLoggingConfiguration", "Invalid Logging Configuration: Log Destination not found.")
    return {**OFF, **asked}


def published(machine: Machine, description: str, now: float) -> Machine:
    """The state machine with a version of what it is now: the last one, if that is the same."""
    last = machine.versions[-1] if machine.versions else None
    if last is not None and last.revision == machine.revision:
        return machine
    if len(machine.versions) >= MOST_VERSIONS:
        raise Refusal("ServiceQuotaExceededException", f"A state machine has {MOST_VERSIONS} versions at most.")
    version = Version(machine.last_version + 1, machine.revision, description, now)
    return msgspec.structs.replace(machine, last_version=version.number, versions=(*machine.versions, version))


def version_arn(machine: Machine, version: Version) -> str:
    """What names a version."""
    return f"{machine.arn}:{version.number}"


def _is_same(one: Machine, other: Machine) -> bool:
    """Whether a second creation is the first one again. AWS does not look at the role and the tags."""
    was, asked = one.revision, other.revision
    return (one.type, was.definition, was.logging, was.tracing, was.encryption) == (
        other.type,
        asked.definition,
        asked.logging,
        asked.tracing,
        asked.encryption,
    )
