"""Aliases of state machines: names for one or two versions, with the share that each gets."""

import random
from collections.abc import Sequence
from typing import Any

import msgspec

from perdure.model.access import Permission
from perdure.protocols.stepfunctions import arns, paging
from perdure.protocols.stepfunctions.operations import Answer, Call, Operations
from perdure.protocols.stepfunctions.records import Alias, Route
from perdure.protocols.stepfunctions.refusals import Refusal, invalid, no_resource
from perdure.protocols.stepfunctions.registry import Registry

operations = Operations()

MOST_ALIASES = 100


@operations.add("CreateStateMachineAlias")
async def create_state_machine_alias(call: Call) -> Answer:
    """The same again does nothing more."""
    body, registry, now = call.body, call.parts.registry, call.parts.now()
    routes = _routes(body["routingConfiguration"])
    name = body["name"]
    machine_arn = routes[0].version_arn.rpartition(":")[0]
    arn = f"{machine_arn}:{name}"
    new = Alias(arn, name, machine_arn, body.get("description", ""), routes, now, now)

    async def create() -> Alias:
        async with registry.lock:
            await _check_versions(registry, routes)
            known = await registry.alias(arn)
            if known is None:
                if len(await registry.aliases(machine_arn)) >= MOST_ALIASES:
                    raise Refusal(
                        "ServiceQuotaExceededException", f"A state machine has {MOST_ALIASES} aliases at most."
                    )
                await registry.put_alias(new)
                return new
            if (known.routes, known.description) != (new.routes, new.description):
                raise Refusal(
                    "ConflictException",
                    "Failed to create alias because an alias with the same name and a different routing configuration already exists.",
                )
            return known

    alias = await call.change(create, arn)
    return {"stateMachineAliasArn": arn, "creationDate": alias.created}


@operations.add("UpdateStateMachineAlias")
async def update_state_machine_alias(call: Call) -> Answer:
    """Change the text, or where it leads."""
    body, registry, now = call.body, call.parts.registry, call.parts.now()
    arn = body["stateMachineAliasArn"]
    await alias_at(registry, arn)
    if body.get("description") is None and body.get("routingConfiguration") is None:
        raise invalid("Either the description or the routing configuration must be specified.")
    routes = _routes(body["routingConfiguration"]) if "routingConfiguration" in body else None

    async def update() -> None:
        async with registry.lock:
            alias = await alias_at(registry, arn)
            if routes is not None:
                if routes[0].version_arn.rpartition(":")[0] != alias.machine_arn:
                    raise invalid("Routing configuration must contain versions of the alias' state machine.")
                await _check_versions(registry, routes)
            await registry.put_alias(
                msgspec.structs.replace(
                    alias,
                    description=body.get("description", alias.description),
                    routes=routes or alias.routes,
                    updated=now,
                )
            )

    await call.change(update, arn)
    return {"updateDate": now}


@operations.add("DescribeStateMachineAlias")
async def describe_state_machine_alias(call: Call) -> Answer:
    """An alias, and where it leads."""
    call.require(Permission.READ)
    alias = await alias_at(call.parts.registry, call.body["stateMachineAliasArn"])
    return {
        "stateMachineAliasArn": alias.arn,
        "name": alias.name,
        "description": alias.description,
        "routingConfiguration": [
            {"stateMachineVersionArn": route.version_arn, "weight": route.weight} for route in alias.routes
        ],
        "creationDate": alias.created,
        "updateDate": alias.updated,
    }


@operations.add("ListStateMachineAliases")
async def list_state_machine_aliases(call: Call) -> Answer:
    """Those of a state machine, or only those that lead to one of its versions."""
    call.require(Permission.READ)
    said, registry = call.body["stateMachineArn"], call.parts.registry
    arn = arns.parse(said, "stateMachine")
    machine = await registry.machine_of(arn, said)
    known: list[Alias] = await registry.aliases(machine.arn)
    if arn.qualifier:
        known = [alias for alias in known if any(route.version_arn == said for route in alias.routes)]
    some, more = paging.page(known, call.body)
    return {
        "stateMachineAliases": [{"stateMachineAliasArn": alias.arn, "creationDate": alias.created} for alias in some],
        **more,
    }


@operations.add("DeleteStateMachineAlias")
async def delete_state_machine_alias(call: Call) -> Answer:
    """Remove an alias; its versions stay."""
    arn, registry = call.body["stateMachineAliasArn"], call.parts.registry

    async def delete() -> None:
        async with registry.lock:
            await registry.remove_alias(await alias_at(registry, arn))

    await alias_at(registry, arn)
    await call.change(delete, arn)
    return {}


async def alias_at(registry: Registry, arn: str) -> Alias:
    """Raises ``Refusal`` if there is none."""
    if not arns.parse(arn, "stateMachine").qualifier:
        raise invalid("The ARN must be of a state machine alias.")
    alias = await registry.alias(arn)
    if alias is None:
        raise Refusal("ResourceNotFound", "Request references a resource that does not exist.")
    return alias


def chosen(alias: Alias) -> str:
    """The version that the next execution gets, by weight."""
    return random.choices([r.version_arn for r in alias.routes], [r.weight for r in alias.routes])[0]


def _routes(asked: Sequence[dict[str, Any]]) -> tuple[Route, ...]:
    versions = [one["stateMachineVersionArn"] for one in asked]
    said = ", ".join(versions)
    if not all(arns.parse(arn, "stateMachine").qualifier.isdecimal() for arn in versions):
        raise invalid(f"Routing configuration must contain state machine version ARNs. Received: [{said}]")
    if len(set(versions)) != len(versions):
        raise invalid(f"Routing configuration must contain distinct state machine version ARNs. Received: [{said}]")
    if len({arn.rpartition(":")[0] for arn in versions}) > 1:
        raise invalid(f"Routing configuration must contain versions of one state machine. Received: [{said}]")
    weights = [one["weight"] for one in asked]
    if sum(weights) != 100:
        raise invalid(f"Sum of routing configuration weights must equal 100. Received: {weights}")
    return tuple(Route(arn, weight) for arn, weight in zip(versions, weights, strict=True))


async def _check_versions(registry: Registry, routes: Sequence[Route]) -> None:
    for route in routes:
        machine_arn, _, number = route.version_arn.rpartition(":")
        machine = await registry.machine_to_change(machine_arn)
        if machine.version(int(number)) is None:
            raise no_resource(route.version_arn)
