"""Tags of state machines and activities."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from perdure.model.access import Permission
from perdure.protocols.stepfunctions import arns
from perdure.protocols.stepfunctions.operations import Answer, Call, Operations
from perdure.protocols.stepfunctions.records import Activity, Machine
from perdure.protocols.stepfunctions.refusals import Refusal, no_resource
from perdure.protocols.stepfunctions.registry import Registry

operations = Operations()

MOST_TAGS = 50


def checked_tags(asked: Sequence[Mapping[str, Any]], before: Mapping[str, str] | None = None) -> dict[str, str]:
    """Tags by key, with those that were there before. Raises ``Refusal`` if they are too many."""
    tags = {**(before or {}), **{one.get("key", ""): one.get("value", "") for one in asked}}
    if len(tags) > MOST_TAGS:
        raise Refusal("TooManyTags", f"A resource has {MOST_TAGS} tags at most.")
    return tags


@operations.add("TagResource")
async def tag_resource(call: Call) -> Answer:
    """Add tags, or change them."""
    await _change(call, lambda tags: checked_tags(call.body["tags"], tags))
    return {}


@operations.add("UntagResource")
async def untag_resource(call: Call) -> Answer:
    """Remove tags; those that are not there are no error."""
    gone = set(call.body["tagKeys"])
    await _change(call, lambda tags: {key: value for key, value in tags.items() if key not in gone})
    return {}


@operations.add("ListTagsForResource")
async def list_tags_for_resource(call: Call) -> Answer:
    """All of a resource."""
    call.require(Permission.READ)
    found = await _resource(call.parts.registry, call.body["resourceArn"])
    return {"tags": [{"key": key, "value": value} for key, value in found.tags.items()]}


async def _change(call: Call, changed: Callable[[Mapping[str, str]], dict[str, str]]) -> None:
    arn, registry = call.body["resourceArn"], call.parts.registry
    await _resource(registry, arn)

    async def change() -> None:
        async with registry.lock:
            found = await _resource(registry, arn)
            new = msgspec.structs.replace(found, tags=changed(found.tags))
            if isinstance(new, Machine):
                await registry.put_machine(new)
            else:
                await registry.put_activity(new)

    await call.change(change, arn)


async def _resource(registry: Registry, arn: str) -> Machine | Activity:
    kind = arns.parse(arn).kind
    found = await registry.find_activity(arn) if kind == "activity" else await registry.find_machine(arn)
    if found is None:
        raise no_resource(arn)
    return found
