"""What Terraform's provider for AWS asks for when it plans, applies, updates and destroys, call by call.

The order and the members are those of its resources aws_sfn_state_machine, aws_sfn_activity and aws_sfn_alias (their source:
github.com/hashicorp/terraform-provider-aws, internal/service/sfn). A plan has no differences if what is read back is what was
written, and what nobody wrote stays as it was read first.
"""

from tests.protocols.stepfunctions.conftest import ACCOUNT, PASS, ROLE, refused

CHANGED = PASS.replace("1", "2")
INVALID = PASS.replace('"StartAt": "A"', '"StartAt": "B"')
READ = (
    "name",
    "type",
    "status",
    "roleArn",
    "definition",
    "description",
    "creationDate",
    "revisionId",
    "encryptionConfiguration",
    "loggingConfiguration",
    "tracingConfiguration",
)


async def read_machine(client, arn):
    """A resource's Read, and the tags that are read after it."""
    found = await client.describe_state_machine(stateMachineArn=arn)
    versions = (await client.list_state_machine_versions(stateMachineArn=arn))["stateMachineVersions"]
    tags = (await client.list_tags_for_resource(resourceArn=arn))["tags"]
    return {
        **{name: found.get(name) for name in READ},
        "version": versions[0]["stateMachineVersionArn"] if versions else None,
        "tags": sorted((tag["key"], tag["value"]) for tag in tags),
    }


async def planned(client, definition):
    return await client.validate_state_machine_definition(definition=definition, type="STANDARD")


async def test_a_state_machine_is_planned_applied_updated_and_destroyed(client):
    assert (await planned(client, PASS))["result"] == "OK"
    found = await planned(client, INVALID)
    assert found["result"] == "FAIL" and {"severity", "code", "message"} <= found["diagnostics"][0].keys()

    tags = [{"key": "team", "value": "shop"}, {"key": "env", "value": "test"}]
    made = await client.create_state_machine(
        name="orders", definition=PASS, roleArn=ROLE, type="STANDARD", publish=False, tags=tags
    )
    arn = made["stateMachineArn"]
    state = await read_machine(client, arn)
    assert (state["definition"], state["roleArn"], state["type"]) == (PASS, ROLE, "STANDARD")
    assert (state["status"], state["version"]) == ("ACTIVE", None)
    assert state["tags"] == [("env", "test"), ("team", "shop")]
    # What the configuration does not say is what AWS has then.
    assert state["loggingConfiguration"] == {"level": "OFF", "includeExecutionData": False}
    assert state["tracingConfiguration"] == {"enabled": False}
    assert state["encryptionConfiguration"] == {"type": "AWS_OWNED_KEY"}
    assert await read_machine(client, arn) == state, "a plan has no differences"

    assert (await planned(client, CHANGED))["result"] == "OK"
    updated = await client.update_state_machine(stateMachineArn=arn, definition=CHANGED, roleArn=ROLE, publish=False)
    assert updated["revisionId"]
    # It is asked until it says what it was told.
    assert (await client.describe_state_machine(stateMachineArn=arn))["definition"] == CHANGED
    await client.tag_resource(resourceArn=arn, tags=[{"key": "env", "value": "live"}])
    await client.untag_resource(resourceArn=arn, tagKeys=["team"])
    after = await read_machine(client, arn)
    assert after["tags"] == [("env", "live")] and after["revisionId"] != state["revisionId"]
    kept = ("creationDate", "roleArn", "loggingConfiguration", "tracingConfiguration", "encryptionConfiguration")
    assert [after[name] for name in kept] == [state[name] for name in kept]
    assert await read_machine(client, arn) == after

    # The data source finds it by its name.
    listed = (await client.list_state_machines())["stateMachines"]
    assert [one["stateMachineArn"] for one in listed if one["name"] == "orders"] == [arn]

    await client.delete_state_machine(stateMachineArn=arn)
    code, _ = await refused(client.describe_state_machine(stateMachineArn=arn))
    assert code == "StateMachineDoesNotExist", "what the provider waits for"


async def test_configurations_are_read_back_as_they_were_written(client):
    group = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/orders:*"
    logging = {
        "level": "ERROR",
        "includeExecutionData": True,
        "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": group}}],
    }
    made = await client.create_state_machine(
        name="quick",
        definition=PASS,
        roleArn=ROLE,
        type="EXPRESS",
        publish=False,
        loggingConfiguration=logging,
        tracingConfiguration={"enabled": True},
    )
    state = await read_machine(client, made["stateMachineArn"])
    assert (state["loggingConfiguration"], state["tracingConfiguration"]) == (logging, {"enabled": True})
    await client.update_state_machine(
        stateMachineArn=made["stateMachineArn"],
        definition=PASS,
        roleArn=ROLE,
        publish=False,
        loggingConfiguration={**logging, "level": "ALL"},
        tracingConfiguration={"enabled": False},
    )
    state = await read_machine(client, made["stateMachineArn"])
    assert state["loggingConfiguration"] == {**logging, "level": "ALL"}
    assert state["tracingConfiguration"] == {"enabled": False}


async def test_versions_are_published_and_an_alias_follows_them(client):
    made = await client.create_state_machine(
        name="orders", definition=PASS, roleArn=ROLE, type="STANDARD", publish=True
    )
    arn = made["stateMachineArn"]
    assert (await read_machine(client, arn))["version"] == f"{arn}:1"
    # The provider sends an empty description with each version that it publishes.
    await client.update_state_machine(
        stateMachineArn=arn, definition=CHANGED, roleArn=ROLE, publish=True, versionDescription=""
    )
    assert (await read_machine(client, arn))["version"] == f"{arn}:2"

    def routed(*weights):
        return [
            {"stateMachineVersionArn": f"{arn}:{number}", "weight": weight}
            for number, weight in enumerate(weights, 1)
            if weight
        ]

    alias = (await client.create_state_machine_alias(name="live", routingConfiguration=routed(100)))[
        "stateMachineAliasArn"
    ]
    found = await client.describe_state_machine_alias(stateMachineAliasArn=alias)
    assert (found["name"], found["routingConfiguration"]) == ("live", routed(100))
    await client.update_state_machine_alias(
        stateMachineAliasArn=alias, description="half", routingConfiguration=routed(50, 50)
    )
    found = await client.describe_state_machine_alias(stateMachineAliasArn=alias)
    assert (found["description"], found["routingConfiguration"]) == ("half", routed(50, 50))
    listed = (await client.list_state_machine_aliases(stateMachineArn=arn))["stateMachineAliases"]
    assert [one["stateMachineAliasArn"] for one in listed] == [alias]
    await client.delete_state_machine_alias(stateMachineAliasArn=alias)
    assert (await refused(client.describe_state_machine_alias(stateMachineAliasArn=alias)))[0] == "ResourceNotFound"
    await client.delete_state_machine(stateMachineArn=arn)


async def test_an_activity_is_made_read_and_destroyed(client):
    made = await client.create_activity(name="pack", tags=[{"key": "team", "value": "shop"}])
    arn = made["activityArn"]
    found = await client.describe_activity(activityArn=arn)
    assert (found["name"], found["creationDate"]) == ("pack", made["creationDate"])
    assert found["encryptionConfiguration"] == {"type": "AWS_OWNED_KEY"}
    assert (await client.list_tags_for_resource(resourceArn=arn))["tags"] == [{"key": "team", "value": "shop"}]
    assert [one["activityArn"] for one in (await client.list_activities())["activities"]] == [arn]
    await client.delete_activity(activityArn=arn)
    assert (await refused(client.describe_activity(activityArn=arn)))[0] == "ActivityDoesNotExist"
