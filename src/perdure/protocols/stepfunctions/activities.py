"""Activities: work that is done by whoever asks for it. Their tasks wait on a task queue that is named as the activity."""

from perdure.model.access import Permission
from perdure.protocols.stepfunctions import arns, paging
from perdure.protocols.stepfunctions.operations import Answer, Call, Operations
from perdure.protocols.stepfunctions.records import AWS_OWNED, Activity
from perdure.protocols.stepfunctions.refusals import Refusal
from perdure.protocols.stepfunctions.tags import checked_tags

operations = Operations()


@operations.add("CreateActivity")
async def create_activity(call: Call) -> Answer:
    """The same again does nothing more."""
    body, registry = call.body, call.parts.registry
    arns.check_name(body["name"])
    arn = arns.make(call.region, call.account, "activity", body["name"])
    new = Activity(
        arn,
        body["name"],
        call.parts.now(),
        body.get("encryptionConfiguration", AWS_OWNED),
        checked_tags(body.get("tags", [])),
    )

    async def create() -> Activity:
        async with registry.lock:
            known = await registry.find_activity(arn)
            if known is None:
                await registry.put_activity(new)
                return new
            if known.encryption != new.encryption:
                raise Refusal("ActivityAlreadyExists", f"Activity Already Exists: '{arn}'")
            return known

    activity = await call.change(create, arn)
    return {"activityArn": arn, "creationDate": activity.created}


@operations.add("DescribeActivity")
async def describe_activity(call: Call) -> Answer:
    """An activity."""
    call.require(Permission.READ)
    activity = await call.parts.registry.activity(call.body["activityArn"])
    return {
        "activityArn": activity.arn,
        "name": activity.name,
        "creationDate": activity.created,
        "encryptionConfiguration": activity.encryption,
    }


@operations.add("ListActivities")
async def list_activities(call: Call) -> Answer:
    """All of the account in the region, by name."""
    call.require(Permission.READ)
    known = await call.parts.registry.activities(call.region, call.account)
    some, more = paging.page(list(known.values()), call.body)
    return {
        "activities": [
            {"activityArn": activity.arn, "name": activity.name, "creationDate": activity.created} for activity in some
        ],
        **more,
    }


@operations.add("DeleteActivity")
async def delete_activity(call: Call) -> Answer:
    """What is not there is no error."""
    arn, registry = call.body["activityArn"], call.parts.registry
    arns.parse(arn, "activity")

    async def delete() -> None:
        async with registry.lock:
            if await registry.find_activity(arn) is not None:
                await registry.remove_activity(arn)

    await call.change(delete, arn)
    return {}
