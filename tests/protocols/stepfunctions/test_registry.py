"""State machines, versions, aliases, activities and tags, asked for by boto3."""

import json

import httpx
import pytest
from tests.protocols.stepfunctions.conftest import ACCOUNT, PASS, ROLE, Client, refused

ARN = f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:orders"
OTHER = json.dumps({**json.loads(PASS), "Comment": "another"})


async def create(client, name="orders", definition=PASS, **more):
    return await client.create_state_machine(name=name, definition=definition, roleArn=ROLE, **more)


async def test_a_state_machine_is_created_once_described_and_deleted(client):
    created = await create(client)
    assert created["stateMachineArn"] == ARN
    assert (await create(client))["creationDate"] == created["creationDate"]
    assert await refused(create(client, definition=OTHER)) == (
        "StateMachineAlreadyExists",
        f"State Machine Already Exists: '{ARN}'",
    )
    described = await client.describe_state_machine(stateMachineArn=ARN)
    assert described["definition"] == PASS
    assert described["loggingConfiguration"] == {"level": "OFF", "includeExecutionData": False}
    assert "revisionId" not in described
    await client.delete_state_machine(stateMachineArn=ARN)
    await client.delete_state_machine(stateMachineArn=ARN)
    assert await refused(client.describe_state_machine(stateMachineArn=ARN)) == (
        "StateMachineDoesNotExist",
        f"State Machine Does Not Exist: '{ARN}'",
    )


async def test_an_update_makes_a_revision_and_versions_stay(client):
    await create(client, publish=True, versionDescription="first")
    updated = await client.update_state_machine(stateMachineArn=ARN, definition=OTHER)
    again = await client.update_state_machine(stateMachineArn=ARN, definition=OTHER)
    assert again["revisionId"] == updated["revisionId"]
    code, message = await refused(
        client.publish_state_machine_version(stateMachineArn=ARN, revisionId="11111111-1111-1111-1111-111111111111")
    )
    assert code == "ConflictException" and updated["revisionId"] in message
    second = await client.publish_state_machine_version(stateMachineArn=ARN)
    assert second["stateMachineVersionArn"] == f"{ARN}:2"
    assert (await client.publish_state_machine_version(stateMachineArn=ARN))["creationDate"] == second["creationDate"]
    first = await client.describe_state_machine(stateMachineArn=f"{ARN}:1")
    assert (first["definition"], first["description"]) == (PASS, "first")
    page = await client.list_state_machine_versions(stateMachineArn=ARN, maxResults=1)
    assert [one["stateMachineVersionArn"] for one in page["stateMachineVersions"]] == [f"{ARN}:2"]
    rest = await client.list_state_machine_versions(stateMachineArn=ARN, nextToken=page["nextToken"])
    assert [one["stateMachineVersionArn"] for one in rest["stateMachineVersions"]] == [f"{ARN}:1"]
    assert await refused(client.list_state_machine_versions(stateMachineArn=ARN, nextToken="nonsense")) == (
        "InvalidToken",
        "Invalid Token: 'Invalid token'",
    )


async def test_an_alias_keeps_its_versions(client):
    await create(client, publish=True)
    route = [{"stateMachineVersionArn": f"{ARN}:1", "weight": 100}]
    await client.create_state_machine_alias(name="prod", routingConfiguration=route)
    await client.create_state_machine_alias(name="prod", routingConfiguration=route)
    code, message = await refused(client.delete_state_machine_version(stateMachineVersionArn=f"{ARN}:1"))
    assert code == "ConflictException" and message.endswith("[prod]")
    await client.update_state_machine_alias(stateMachineAliasArn=f"{ARN}:prod", description="live")
    described = await client.describe_state_machine_alias(stateMachineAliasArn=f"{ARN}:prod")
    assert (described["description"], described["routingConfiguration"]) == ("live", route)
    await client.delete_state_machine_alias(stateMachineAliasArn=f"{ARN}:prod")
    assert (await client.list_state_machine_aliases(stateMachineArn=ARN))["stateMachineAliases"] == []


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([70, 29], "Sum of routing configuration weights must equal 100. Received: [70, 29]"),
        (
            [101],
            "1 validation error detected: Value '101' at 'routingConfiguration.1.member.weight' failed to satisfy "
            "constraint: Member must have value less than or equal to 100",
        ),
    ],
)
async def test_weights_that_make_no_sense_are_refused(client, weights, message):
    await create(client, publish=True)
    await client.update_state_machine(stateMachineArn=ARN, definition=OTHER, publish=True)
    routes = [{"stateMachineVersionArn": f"{ARN}:{n}", "weight": weight} for n, weight in enumerate(weights, 1)]
    asked = client.create_state_machine_alias(name="prod", routingConfiguration=routes)
    assert await refused(asked) == ("ValidationException", message)


async def test_accounts_and_regions_live_side_by_side(client):
    await create(client)
    for account, region in (("222222222222", "us-east-1"), (ACCOUNT, "eu-west-1")):
        other = Client(client.port, account, region)
        assert (await other.list_state_machines())["stateMachines"] == []
        created = await create(other)
        assert created["stateMachineArn"] == f"arn:aws:states:{region}:{account}:stateMachine:orders"
        other.close()
    assert [one["stateMachineArn"] for one in (await client.list_state_machines())["stateMachines"]] == [ARN]


async def test_the_address_of_rest_does_too(serve):
    server = await serve()
    client = Client(server.rest_port)
    await create(client)
    assert len((await client.list_state_machines())["stateMachines"]) == 1


async def test_activities_and_tags(client):
    created = await client.create_activity(name="pack", tags=[{"key": "team", "value": "a"}])
    arn = created["activityArn"]
    assert (await client.create_activity(name="pack"))["creationDate"] == created["creationDate"]
    await client.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "b"}, {"key": "x", "value": "y"}])
    await client.untag_resource(resourceArn=arn, tagKeys=["x", "nothing"])
    assert (await client.list_tags_for_resource(resourceArn=arn))["tags"] == [{"key": "team", "value": "b"}]
    assert [one["name"] for one in (await client.list_activities())["activities"]] == ["pack"]
    assert await refused(client.create_activity(name="a b")) == ("InvalidName", "Invalid Name: 'a b'")
    await client.delete_activity(activityArn=arn)
    assert await refused(client.get_activity_task(activityArn=arn)) == (
        "ActivityDoesNotExist",
        f"Activity Does Not Exist: '{arn}'",
    )


async def test_what_was_registered_is_there_after_a_restart(serve, tmp_path):
    url = f"sqlite:///{tmp_path / 'kept.db'}"
    server = await serve(url)
    client = Client(server.stepfunctions_port)
    await create(client, publish=True, tags=[{"key": "k", "value": "v"}])
    await server.close()
    server = await serve(url)
    client = Client(server.stepfunctions_port)
    assert (await client.describe_state_machine(stateMachineArn=f"{ARN}:1"))["definition"] == PASS
    assert (await client.list_tags_for_resource(resourceArn=ARN))["tags"] == [{"key": "k", "value": "v"}]


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        ({}, b"{}", "UnknownOperationException"),
        ({"x-amz-target": "AWSStepFunctions.MakeCoffee"}, b"{}", "UnknownOperationException"),
        ({"x-amz-target": "AWSStepFunctions.ListActivities"}, b"{", "SerializationException"),
        ({"x-amz-target": "AWSStepFunctions.ListActivities"}, b"[1]", "SerializationException"),
        ({"x-amz-target": "AWSStepFunctions.ListActivities"}, b"\xff", "SerializationException"),
        ({"x-amz-target": "AWSStepFunctions.ListActivities"}, b'{"maxResults": "1"}', "SerializationException"),
        ({"x-amz-target": "AWSStepFunctions.ListActivities"}, b'{"nextToken": "AAAA"}', "InvalidToken"),
        (
            {"x-amz-target": "AWSStepFunctions.CreateStateMachineAlias"},
            b'{"name": "a", "routingConfiguration": [1, null, {}]}',
            "SerializationException",
        ),
        ({"x-amz-target": "AWSStepFunctions.ListActivities"}, b'{"nextToken": "LTE="}', "InvalidToken"),
        ({"x-amz-target": "AWSStepFunctions.DescribeActivity"}, b'{"activityArn": "arn:aws:sqs:a:b:c"}', "InvalidArn"),
        ({"x-amz-target": "AWSStepFunctions.DescribeActivity"}, b'{"activityArn": "arn:aws"}', "InvalidArn"),
        ({"x-amz-target": "AWSStepFunctions.DescribeActivity"}, b"{}", "ValidationException"),
        (
            {"x-amz-target": "AWSStepFunctions.ListActivities", "origin": "http://x.example"},
            b"{}",
            "AccessDeniedException",
        ),
        ({"x-amz-target": "AWSStepFunctions.ListActivities", "host": "x.example"}, b"{}", "AccessDeniedException"),
        (
            {"x-amz-target": "AWSStepFunctions.ListActivities", "authorization": "AWS4-HMAC-SHA256 x"},
            b"{}",
            "IncompleteSignatureException",
        ),
    ],
)
async def test_what_makes_no_sense_is_refused_in_words(client, headers, body, code):
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"http://127.0.0.1:{client.port}/", headers=headers, content=body)
    assert answer.json()["__type"] == code
    assert 400 <= answer.status_code < 500
    assert answer.headers["x-amzn-requestid"]


@pytest.mark.parametrize(
    ("destinations", "why"),
    [
        ([], "Must specify exactly one Log Destination."),
        ([{}], "Must specify exactly one Log Destination."),
        ([{"cloudWatchLogsLogGroup": {}}], "Must specify exactly one Log Destination."),
        ([{"cloudWatchLogsLogGroup": {"logGroupArn": "nowhere"}}], "Log Destination not found."),
    ],
)
async def test_a_log_needs_one_place(client, destinations, why):
    logging = {"level": "ALL", "destinations": destinations}
    assert await refused(create(client, loggingConfiguration=logging)) == (
        "InvalidLoggingConfiguration",
        f"Invalid Logging Configuration: {why}",
    )
