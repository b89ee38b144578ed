"""Tasks that call AWS's services, against emulated ones: sqs, sns, dynamodb, s3, events, and any other by ``aws-sdk``."""

import datetime
import gzip
import io
import json
import time
from decimal import Decimal

import pytest
from tests.protocols.stepfunctions.emulated import Emulator, Server, machine, task

EMULATED_ACCOUNT = "123456789012"


@pytest.fixture(scope="module")
def aws():
    emulator = Emulator()
    yield emulator
    emulator.close()


@pytest.fixture(scope="module")
def server(aws):
    # Two by their own options, the rest by the one for all.
    server = Server(f"--sqs-endpoint={aws.url}", f"--dynamodb-endpoint={aws.url}", f"--aws-endpoint={aws.url}")
    yield server
    server.close()


@pytest.fixture(scope="module")
def bucket(aws):
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="kept")
    return s3


@pytest.fixture(scope="module")
def table(aws):
    dynamodb = aws.client("dynamodb")
    dynamodb.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return dynamodb


# --- SQS


def test_a_message_is_sent_with_a_body_that_is_json(aws, server):
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="plain")["QueueUrl"]
    sent = server.run(
        machine(task("sqs:sendMessage", {"QueueUrl": url, "MessageBody": {"n.$": "$.n", "all": [1, "é"]}})), {"n": 7}
    )
    (got,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert (json.loads(got["Body"]), got["MessageId"]) == ({"n": 7, "all": [1, "é"]}, sent["MessageId"])
    assert sent["MD5OfMessageBody"] == got["MD5OfBody"]
    assert sent["SdkHttpMetadata"]["HttpStatusCode"] == 200 and sent["SdkResponseMetadata"]["RequestId"]


def test_a_message_carries_a_token_and_the_task_waits_for_it(aws, server):
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="tokens")["QueueUrl"]
    body = {"token.$": "$$.Task.Token", "execution.$": "$$.Execution.Id"}
    resource = "sqs:sendMessage.waitForTaskToken"
    caught = task(resource, {"QueueUrl": url, "MessageBody": body}, ResultPath="$.first", TimeoutSeconds=300)
    failing = task(resource, {"QueueUrl": url, "MessageBody": body}, ResultPath=None)
    failing["Catch"] = [{"ErrorEquals": ["Refused"], "ResultPath": "$.second", "Next": "S2"}]
    execution = server.start(machine(caught, failing, {"Type": "Pass"}), {"n": 1})

    def received():
        while not (found := sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages")):
            pass
        return json.loads(found[0]["Body"])

    first = received()
    assert first["execution"] == execution
    server.api.send_task_heartbeat(taskToken=first["token"])
    server.api.send_task_success(taskToken=first["token"], output='{"ok": true}')
    server.api.send_task_failure(taskToken=received()["token"], error="Refused", cause="no")
    assert server.end_of(execution) == {"n": 1, "first": {"ok": True}, "second": {"Error": "Refused", "Cause": "no"}}
    types = [event["type"] for event in server.events(execution)]
    assert types[1:6] == ["TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]


def test_a_queue_that_is_not_there_is_an_error_by_name(aws, server):
    for resource, error, cause in (
        ("sqs:sendMessage", "SQS.QueueDoesNotExistException", "(Service: AmazonSQS; Status Code: 400; Error Code: "),
        ("aws-sdk:sqs:sendMessage", "Sqs.QueueDoesNotExistException", "(Service: Sqs, Status Code: 400, Request ID: "),
    ):
        parameters = {"QueueUrl": f"{aws.url}/{EMULATED_ACCOUNT}/none", "MessageBody": "m"}
        found = server.run(machine(task(resource, parameters)))
        assert found[0] == error and cause in found[1]
        caught = task(resource, parameters, Catch=[{"ErrorEquals": [error], "Next": "S1"}])
        assert server.run(machine(caught, {"Type": "Pass", "Result": "caught"})) == "caught"


# --- SNS, EventBridge


def test_a_message_is_published(aws, server):
    sns, sqs = aws.client("sns"), aws.client("sqs")
    topic = sns.create_topic(Name="news")["TopicArn"]
    url = sqs.create_queue(QueueName="subscribed")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    attributes = {"kind": {"DataType": "String", "StringValue.$": "$.kind"}}
    published = server.run(
        machine(
            task(
                "sns:publish",
                {"TopicArn": topic, "Message.$": "$", "Subject": "new", "MessageAttributes": attributes},
            )
        ),
        {"kind": "order"},
    )
    (got,) = sqs.receive_message(QueueUrl=url)["Messages"]
    told = json.loads(got["Body"])
    assert (json.loads(told["Message"]), told["MessageId"]) == ({"kind": "order"}, published["MessageId"])
    assert told["MessageAttributes"]["kind"]["Value"] == "order"
    found = server.run(machine(task("sns:publish", {"TopicArn": topic + "-not", "Message": "m"})))
    assert found[0] == "SNS.NotFoundException"


def test_events_are_put_with_the_execution_among_their_resources(aws, server):
    events, logs = aws.client("events"), aws.client("sqs")
    url = logs.create_queue(QueueName="events")["QueueUrl"]
    arn = logs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="all", EventPattern='{"source": ["shop"]}')
    events.put_targets(Rule="all", Targets=[{"Id": "queue", "Arn": arn}])
    entry = {"Source": "shop", "DetailType": "sold", "Detail": {"n.$": "$.n"}, "Resources": ["r"]}
    execution = server.start(machine(task("events:putEvents", {"Entries": [entry]})), {"n": 3})
    put = server.end_of(execution)
    assert (put["FailedEntryCount"], len(put["Entries"])) == (0, 1)
    (got,) = logs.receive_message(QueueUrl=url)["Messages"]
    told = json.loads(got["Body"])
    machine_arn = execution.replace(":execution:", ":stateMachine:").removesuffix(":one")
    assert (told["detail"], told["resources"]) == ({"n": 3}, ["r", execution, machine_arn])


# --- DynamoDB


def test_an_item_is_put_updated_read_and_deleted(server, table):
    key = {"id": {"S.$": "$.id"}}
    steps = (
        task("dynamodb:putItem", {"TableName": "orders", "Item": {**key, "n": {"N": "1"}}}, ResultPath="$.put"),
        task(
            "dynamodb:updateItem",
            {
                "TableName": "orders",
                "Key": key,
                "UpdateExpression": "SET n = n + :one",
                "ExpressionAttributeValues": {":one": {"N": "1"}},
                "ReturnValues": "ALL_NEW",
            },
            ResultSelector={"n.$": "$.Attributes.n.N"},
            ResultPath="$.updated",
        ),
        task("dynamodb:getItem", {"TableName": "orders", "Key": key}, ResultPath="$.got"),
        task("dynamodb:deleteItem", {"TableName": "orders", "Key": key}, ResultPath="$.deleted"),
    )
    output = server.run(machine(*steps), {"id": "a"})
    assert output["updated"] == {"n": "2"}
    assert output["got"]["Item"] == {"id": {"S": "a"}, "n": {"N": "2"}}
    assert "Item" not in table.get_item(TableName="orders", Key={"id": {"S": "a"}})


def test_a_condition_that_does_not_hold_is_an_error_by_name(server, table):
    table.put_item(TableName="orders", Item={"id": {"S": "taken"}})
    for resource, prefix in (("dynamodb:putItem", "DynamoDB"), ("aws-sdk:dynamodb:putItem", "DynamoDb")):
        put = task(
            resource,
            {
                "TableName": "orders",
                "Item": {"id": {"S": "taken"}},
                "ConditionExpression": "attribute_not_exists(id)",
            },
        )
        error, cause = server.run(machine(put))
        assert error == f"{prefix}.ConditionalCheckFailedException"
        assert cause.startswith("The conditional request failed (Service: ")
    # An error that the service's model does not have is the client's for all else.
    for resource, other in (
        ("dynamodb:getItem", "DynamoDB.AmazonDynamoDBException"),
        ("aws-sdk:dynamodb:getItem", "DynamoDb.DynamoDbException"),
    ):
        bad = task(resource, {"TableName": "orders", "Key": {"wrong": {"S": "taken"}}})
        assert server.run(machine(bad))[0] == other


# --- aws-sdk


def test_any_call_of_any_service_may_be_made(aws, server, bucket):
    bucket.put_object(Bucket="kept", Key="note.txt", Body=b"hello")
    got = server.run(machine(task("aws-sdk:s3:getObject", {"Bucket": "kept", "Key": "note.txt"})))
    assert (got["Body"], got["ContentLength"]) == ("hello", 5) and "SdkHttpMetadata" not in got
    put = task("aws-sdk:s3:putObject", {"Bucket": "kept", "Key": "made.json", "Body": {"a": [1]}})
    server.run(machine(put))
    assert bucket.get_object(Bucket="kept", Key="made.json")["Body"].read() == b'{"a":[1]}'
    assert (
        server.run(machine(task("aws-sdk:s3:getObject", {"Bucket": "kept", "Key": "no"})))[0] == "S3.NoSuchKeyException"
    )

    aws.client("secretsmanager").create_secret(Name="key", SecretString="hidden")
    got = server.run(machine(task("aws-sdk:secretsmanager:getSecretValue", {"SecretId": "key"})))
    assert got["SecretString"] == "hidden" and got["CreatedDate"].endswith("Z")
    lost = server.run(machine(task("aws-sdk:secretsmanager:getSecretValue", {"SecretId": "no"})))
    assert lost[0] == "SecretsManager.ResourceNotFoundException"

    # Its service's own members begin with small letters; a state's do not.
    stream = task("aws-sdk:cloudwatchlogs:createLogGroup", {"LogGroupName": "/made"})
    found = task("aws-sdk:cloudwatchlogs:describeLogGroups", {"LogGroupNamePrefix": "/made"})
    output = server.run(machine(stream, found))
    assert [group["LogGroupName"] for group in output["LogGroups"]] == ["/made"]


def test_what_is_no_call_of_a_service_is_refused(server):
    error, cause = server.run(machine(task("aws-sdk:s3:getObject", {"Bucket": "kept"})))
    assert error == "States.Runtime" and 'Missing required parameter in input: "Key"' in cause


def test_a_parameter_that_a_call_has_not_fails_the_task(server):
    said = ("States.Runtime", 'The field "Bukket" is not supported by Step Functions')
    assert server.run(machine(task("aws-sdk:s3:listObjectsV2", {"Bukket": "kept"}))) == said
    said = ("States.Runtime", 'The field "TaskToken" is not supported by Step Functions')
    assert server.run(machine(task("lambda:invoke", {"FunctionName": "f", "TaskToken": "t"}))) == said


def test_a_service_that_is_not_there_is_tried_again_and_found(server, table):
    """A Retry by the error's name, with intervals by the machine's own clock; then the item is there."""
    get = task(
        "aws-sdk:dynamodb:describeTable",
        {"TableName": "late"},
        Retry=[
            {
                "ErrorEquals": ["DynamoDb.ResourceNotFoundException"],
                "IntervalSeconds": 1,
                "MaxAttempts": 100,
                "BackoffRate": 1,
            }
        ],
    )
    execution = server.start(machine(get))
    while not any(event["type"] == "TaskFailed" for event in server.events(execution)):
        time.sleep(0.02)
    table.create_table(
        TableName="late",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    assert server.end_of(execution)["Table"]["TableName"] == "late"


def test_timeouts_and_heartbeats_come_from_the_input(aws, server):
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="never")["QueueUrl"]
    waiting = {"QueueUrl": url, "MessageBody": {"token.$": "$$.Task.Token"}}
    resource = "sqs:sendMessage.waitForTaskToken"
    for fields, error in (
        ({"TimeoutSecondsPath": "$.one"}, "States.Timeout"),
        ({"TimeoutSecondsPath": "$.many", "HeartbeatSecondsPath": "$.one"}, "States.HeartbeatTimeout"),
    ):
        catch = [{"ErrorEquals": [error], "ResultPath": "$.error", "Next": "S1"}]
        execution = server.start(
            machine(task(resource, waiting, Catch=catch, **fields), {"Type": "Pass"}), {"one": 1, "many": 600}
        )
        assert server.end_of(execution)["error"]["Error"] == error
        scheduled = next(event for event in server.events(execution) if event["type"] == "TaskScheduled")
        assert scheduled["taskScheduledEventDetails"]["timeoutInSeconds"] == (1 if error == "States.Timeout" else 600)


# --- Maps over S3


def distributed(reader, **more):
    """A Map whose children give back what they get."""
    inner = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Item",
        "States": {"Item": {"Type": "Pass", "End": True}},
    }
    return machine({"Type": "Map", "ItemReader": reader, "ItemProcessor": inner, **more})


def reader(key, config, action="getObject"):
    parameters = {"Bucket": "kept", ("Key" if action == "getObject" else "Prefix"): key}
    return {"Resource": f"arn:aws:states:::s3:{action}", "ReaderConfig": config, "Parameters": parameters}


@pytest.mark.parametrize(
    "key, body, config, items",
    [
        ("a.json", '[{"n": 1}, {"n": 2}]', {"InputType": "JSON"}, [{"n": 1}, {"n": 2}]),
        ("a.jsonl", '{"n": 1}\n\n{"n": 2}\n', {"InputType": "JSONL"}, [{"n": 1}, {"n": 2}]),
        (
            "a.csv",
            "n,s\n1,é\n2,\n",
            {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
            [{"n": "1", "s": "é"}, {"n": "2", "s": ""}],
        ),
        (
            "b.csv",
            "1|x\n2|y\n3|z\n",
            {
                "InputType": "CSV",
                "CSVHeaderLocation": "GIVEN",
                "CSVHeaders": ["n", "s"],
                "CSVDelimiter": "PIPE",
                "MaxItems": 2,
            },
            [{"n": "1", "s": "x"}, {"n": "2", "s": "y"}],
        ),
    ],
)
def test_a_map_reads_its_items_from_s3(server, bucket, key, body, config, items):
    bucket.put_object(Bucket="kept", Key=key, Body=body.encode())
    assert server.run(distributed(reader(key, config))) == items


def test_a_map_reads_an_inventory(server, bucket):
    bucket.put_object(
        Bucket="kept", Key="inventory/1.csv.gz", Body=gzip.compress(b'"kept","x.txt","3"\n"kept","y.txt","4"\n')
    )
    bucket.put_object(Bucket="kept", Key="inventory/2.csv.gz", Body=gzip.compress(b'"kept","z.txt","5"\n'))
    manifest = {
        "sourceBucket": "kept",
        "destinationBucket": "arn:aws:s3:::kept",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size",
        "files": [{"key": "inventory/1.csv.gz"}, {"key": "inventory/2.csv.gz"}],
    }
    bucket.put_object(Bucket="kept", Key="inventory/manifest.json", Body=json.dumps(manifest).encode())
    found = server.run(distributed(reader("inventory/manifest.json", {"InputType": "MANIFEST"})))
    assert found == [
        {"Bucket": "kept", "Key": f"{name}.txt", "Size": size} for name, size in (("x", "3"), ("y", "4"), ("z", "5"))
    ]


def parquet(**columns):
    import pyarrow
    import pyarrow.parquet

    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


def test_a_map_reads_parquet_files(server, bucket):
    day = datetime.date(2026, 1, 31)
    bucket.put_object(
        Bucket="kept",
        Key="rows.parquet",
        Body=parquet(n=[1, 2], day=[day, None], price=[Decimal("1.5"), Decimal("2")], raw=[b"a", b"\xff"]),
    )
    config = {"InputType": "PARQUET"}
    rows = [
        {"n": 1, "day": "2026-01-31", "price": 1.5, "raw": "a"},
        {"n": 2, "day": None, "price": 2, "raw": "/w=="},
    ]
    assert server.run(distributed(reader("rows.parquet", config))) == rows
    assert server.run(distributed(reader("rows.parquet", {**config, "MaxItems": 1}))) == rows[:1]
    bucket.put_object(Bucket="kept", Key="broken.parquet", Body=b"PAR1")
    error, cause = server.run(distributed(reader("broken.parquet", config)))
    assert error == "States.ItemReaderFailed" and "'broken.parquet' can't be read as Parquet" in cause


def test_a_map_reads_the_files_that_a_manifest_or_a_listing_names(server, bucket):
    bucket.put_object(Bucket="kept", Key="data/1.parquet", Body=parquet(n=[1]))
    bucket.put_object(Bucket="kept", Key="data/2.parquet", Body=parquet(n=[2, 3]))
    bucket.put_object(Bucket="kept", Key="lines/", Body=b"")
    bucket.put_object(Bucket="kept", Key="lines/1.jsonl", Body=b'{"n": 1}\n')
    bucket.put_object(Bucket="kept", Key="lines/2.jsonl.gz", Body=gzip.compress(b'{"n": 2}\n{"n": 3}\n'))
    bucket.put_object(
        Bucket="kept", Key="unload-manifest.csv", Body=b"s3://kept/lines/1.jsonl\ns3://kept/lines/2.jsonl.gz\n"
    )
    inventory = {
        "destinationBucket": "arn:aws:s3:::kept",
        "fileFormat": "Parquet",
        "files": [{"key": "data/1.parquet"}, {"key": "data/2.parquet"}],
    }
    bucket.put_object(Bucket="kept", Key="parquet-manifest.json", Body=json.dumps(inventory).encode())
    found = [{"n": 1}, {"n": 2}, {"n": 3}]
    athena = {"ManifestType": "ATHENA_DATA", "InputType": "JSONL"}
    assert server.run(distributed(reader("unload-manifest.csv", athena))) == found
    assert server.run(distributed(reader("parquet-manifest.json", {"ManifestType": "S3_INVENTORY"}))) == found
    for prefix, kind in (("data/", "PARQUET"), ("lines/", "JSONL")):
        config = {"InputType": kind, "Transformation": "LOAD_AND_FLATTEN"}
        assert server.run(distributed(reader(prefix, config, "listObjectsV2"))) == found
    error, cause = server.run(distributed(reader("lines/1.jsonl", athena)))
    assert error == "States.ItemReaderFailed" and "is no URI" in cause


def test_a_map_goes_over_all_objects_of_a_bucket(server, bucket):
    for number in range(5):
        bucket.put_object(Bucket="kept", Key=f"many/{number}", Body=b"x" * number)
    listing = reader("many/", {}, "listObjectsV2")
    listing["Parameters"]["MaxKeys"] = 2  # several pages
    found = server.run(distributed(listing))
    assert [(one["Key"], one["Size"]) for one in found] == [(f"many/{number}", number) for number in range(5)]
    assert isinstance(found[0]["LastModified"], int) and found[0]["Etag"].startswith('"')
    assert len(server.run(distributed({**listing, "ReaderConfig": {"MaxItems": 3}}))) == 3


def test_what_can_not_be_read_fails_the_map(server, bucket):
    bucket.put_object(Bucket="kept", Key="broken.csv", Body=b'n,s\n1,"open\n')
    bucket.put_object(Bucket="kept", Key="broken.json", Body=b"[1, 2")
    csv = {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}
    json_ = {"InputType": "JSON"}
    for key, config in (("none.json", json_), ("broken.csv", csv), ("broken.json", json_)):
        error, cause = server.run(distributed(reader(key, config)))
        assert error == "States.ItemReaderFailed" and cause


def test_a_map_writes_its_results_to_s3(server, bucket):
    bucket.put_object(Bucket="kept", Key="three.json", Body=b"[1, 2, 3]")
    writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "kept", "Prefix": "results"}}
    output = server.run(distributed(reader("three.json", {"InputType": "JSON"}), ResultWriter=writer))
    details = output["ResultWriterDetails"]
    assert details["Bucket"] == "kept" and details["Key"].startswith("results/")

    def read(key):
        return json.loads(bucket.get_object(Bucket="kept", Key=key)["Body"].read())

    manifest = read(details["Key"])
    assert (manifest["DestinationBucket"], manifest["MapRunArn"]) == ("kept", output["MapRunArn"])
    (file,) = manifest["ResultFiles"]["SUCCEEDED"]
    results = read(file["Key"])
    assert [(one["Input"], one["Output"], one["Status"]) for one in results] == [(n, n, "SUCCEEDED") for n in "123"]
    child = server.api.describe_execution(executionArn=results[0]["ExecutionArn"])
    assert (child["name"], child["output"], child["stateMachineArn"]) == (
        results[0]["Name"],
        "1",
        results[0]["StateMachineArn"],
    )
    assert results[0]["StartDate"] <= results[0]["StopDate"]
    lines = {**writer, "WriterConfig": {"OutputType": "JSONL", "Transformation": "COMPACT"}}
    output = server.run(distributed(reader("three.json", {"InputType": "JSON"}), ResultWriter=lines))
    (file,) = read(output["ResultWriterDetails"]["Key"])["ResultFiles"]["SUCCEEDED"]
    assert bucket.get_object(Bucket="kept", Key=file["Key"])["Body"].read() == b"1\n2\n3\n"
    lost = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "no-such-bucket", "Prefix": "r"}}
    error, _ = server.run(distributed(reader("three.json", {"InputType": "JSON"}), ResultWriter=lost))
    assert error == "States.ResultWriterFailed"


def test_results_look_as_the_writer_says(server):
    def results(kind, items):
        definition = distributed(None, ResultWriter={"WriterConfig": {"Transformation": kind, "OutputType": "JSON"}})
        del definition["States"]["S0"]["ItemReader"]
        return server.run(definition, items)

    assert results("COMPACT", [[1, 2], [3]]) == [[1, 2], [3]]
    assert results("FLATTEN", [[1, 2], [3], 4]) == [1, 2, 3, 4]
    (told,) = results("NONE", [{"a": 1}])
    assert (told["Input"], told["Output"], told["Status"]) == ('{"a":1}', '{"a":1}', "SUCCEEDED")
    assert told["ExecutionArn"].endswith(f":{told['Name']}") and told["OutputDetails"] == {"Included": True}
