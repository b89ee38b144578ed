"""Executions, started and followed by boto3; functions answered by an HTTP server beside."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.protocols.stepfunctions.conftest import ACCOUNT, PASS, ROLE, Client, refused

from perdure.app.config import read_config
from perdure.app.server import Server
from perdure.app.stepfunctions import StepFunctions
from perdure.engine.service import EngineService
from perdure.model.errors import InvalidArgumentError
from perdure.model.ids import RunAddress
from perdure.protocols.stepfunctions.deletions import END

ACTIVITY = f"arn:aws:states:us-east-1:{ACCOUNT}:activity:pack"
INVOKE = "arn:aws:states:::lambda:invoke"


def task(resource, **more):
    return json.dumps({"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": resource, "End": True, **more}}})


WAIT = json.dumps({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": True}}})


async def machine(client, definition=PASS, name="orders", **more):
    made = await client.create_state_machine(name=name, definition=definition, roleArn=ROLE, **more)
    return made["stateMachineArn"]


async def ended(client, arn):
    while (found := await client.describe_execution(executionArn=arn))["status"] == "RUNNING":
        await asyncio.sleep(0.01)
    return found


@pytest.fixture
def functions():
    """Answers Lambda's Invoke call: ``echo`` gives its input back, ``broken`` fails, no other function is there."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            name = self.path.split("/functions/")[1].split("/")[0]
            status, headers = 200, {}
            if "echo" not in name and "broken" not in name:
                status, headers = 404, {"x-amzn-ErrorType": "ResourceNotFoundException"}
                body = b'{"Type": "User", "Message": "Function not found: nobody"}'
            elif "broken" in name:
                headers = {"X-Amz-Function-Error": "Unhandled"}
                body = b'{"errorMessage": "out of stock", "errorType": "StockError"}'
            self.send_response(status)
            for key, value in {**headers, "content-length": str(len(body)), "x-amzn-RequestId": "r-1"}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


async def test_an_execution_is_started_described_and_listed(client):
    arn = await machine(client)
    started = await client.start_execution(stateMachineArn=arn, name="one", input='{"n": 1}')
    execution = started["executionArn"]
    assert execution == f"arn:aws:states:us-east-1:{ACCOUNT}:execution:orders:one"
    found = await ended(client, execution)
    assert (found["status"], found["output"], found["input"]) == ("SUCCEEDED", '{"a":1}', '{"n": 1}')
    assert found["startDate"] == started["startDate"]
    assert found["redriveStatusReason"] == "Execution is SUCCEEDED and cannot be redriven"
    page = await client.list_executions(stateMachineArn=arn, statusFilter="SUCCEEDED")
    assert [one["name"] for one in page["executions"]] == ["one"] and "nextToken" not in page
    assert (await client.list_executions(stateMachineArn=arn, statusFilter="RUNNING"))["executions"] == []
    events = (await client.get_execution_history(executionArn=execution))["events"]
    assert [event["type"] for event in events] == [
        "ExecutionStarted",
        "PassStateEntered",
        "PassStateExited",
        "ExecutionSucceeded",
    ]
    back = await client.get_execution_history(executionArn=execution, reverseOrder=True, maxResults=1)
    assert back["events"][0]["id"] == 4
    bare = await client.get_execution_history(executionArn=execution, includeExecutionData=False)
    assert "input" not in bare["events"][0]["executionStartedEventDetails"]
    rest = await client.get_execution_history(
        executionArn=execution, reverseOrder=True, maxResults=3, nextToken=back["nextToken"]
    )
    assert [event["id"] for event in rest["events"]] == [3, 2, 1] and "nextToken" not in rest


async def test_a_name_is_used_once(client):
    arn = await machine(client, WAIT)
    first = await client.start_execution(stateMachineArn=arn, name="one", input="{}")
    again = await client.start_execution(stateMachineArn=arn, name="one", input="{}")
    assert again["startDate"] == first["startDate"]
    expected = ("ExecutionAlreadyExists", f"Execution Already Exists: '{first['executionArn']}'")
    assert await refused(client.start_execution(stateMachineArn=arn, name="one", input="[]")) == expected
    await client.stop_execution(executionArn=first["executionArn"], error="Enough", cause="It is late.")
    found = await ended(client, first["executionArn"])
    assert (found["status"], found["error"], found["cause"]) == ("ABORTED", "Enough", "It is late.")
    assert await refused(client.start_execution(stateMachineArn=arn, name="one", input="{}")) == expected
    stopped = await client.stop_execution(executionArn=first["executionArn"])
    assert stopped["stopDate"] == found["stopDate"]


async def test_what_is_not_there_is_refused(client):
    nobody = f"arn:aws:states:us-east-1:{ACCOUNT}:execution:orders:nobody"
    message = f"Execution Does Not Exist: '{nobody}'"
    for asked in (client.describe_execution, client.get_execution_history, client.stop_execution):
        assert await refused(asked(executionArn=nobody)) == ("ExecutionDoesNotExist", message)
    code, _ = await refused(client.describe_execution(executionArn="nonsense"))
    assert code == "InvalidArn"
    arn = await machine(client)
    code, _ = await refused(client.start_sync_execution(stateMachineArn=arn))
    assert code == "StateMachineTypeNotSupported"
    code, _ = await refused(client.start_execution(stateMachineArn=arn, input="not json"))
    assert code == "InvalidExecutionInput"
    code, _ = await refused(client.start_execution(stateMachineArn=f"{arn}#NoSuchCase"))
    assert code == "ValidationException"
    assert await refused(client.send_task_success(taskToken="nonsense", output="{}")) == (
        "InvalidToken",
        "Invalid Token: 'Invalid token'",
    )


async def test_a_sync_execution_answers_with_its_end(client):
    arn = await machine(client, PASS, type="EXPRESS")
    done = await client.start_sync_execution(stateMachineArn=arn, name="quick", input="{}")
    assert (done["status"], done["output"], done["name"]) == ("SUCCEEDED", '{"a":1}', "quick")
    assert done["executionArn"].startswith(f"arn:aws:states:us-east-1:{ACCOUNT}:express:orders:quick:")
    bare = await client.start_sync_execution(stateMachineArn=arn, input="{}", includedData="METADATA_ONLY")
    assert bare["status"] == "SUCCEEDED"
    assert bare.keys().isdisjoint(("input", "inputDetails", "output", "outputDetails"))


async def test_a_version_goes_on_being_started_after_an_update(client):
    arn = await machine(client, PASS, publish=True)
    await client.update_state_machine(stateMachineArn=arn, definition=PASS.replace("1", "2"))
    alias = await client.create_state_machine_alias(
        name="prod", routingConfiguration=[{"stateMachineVersionArn": f"{arn}:1", "weight": 100}]
    )
    started = await client.start_execution(stateMachineArn=alias["stateMachineAliasArn"])
    found = await ended(client, started["executionArn"])
    assert found["output"] == '{"a":1}'
    assert (found["stateMachineVersionArn"], found["stateMachineAliasArn"]) == (f"{arn}:1", f"{arn}:prod")
    await ended(client, (await client.start_execution(stateMachineArn=arn))["executionArn"])
    page = await client.list_executions(stateMachineArn=f"{arn}:prod")
    assert [one["executionArn"] for one in page["executions"]] == [started["executionArn"]]
    then = await client.describe_state_machine_for_execution(executionArn=started["executionArn"])
    assert then["definition"] == PASS


async def test_an_activity_is_taken_and_ended_by_its_token(client):
    await client.create_activity(name="pack")
    arn = await machine(client, task(ACTIVITY, TimeoutSeconds=60, HeartbeatSeconds=30))
    execution = (await client.start_execution(stateMachineArn=arn, input='{"n": 1}'))["executionArn"]
    given = await client.get_activity_task(activityArn=ACTIVITY, workerName="ada")
    assert json.loads(given["input"]) == {"n": 1}
    await client.send_task_heartbeat(taskToken=given["taskToken"])
    code, _ = await refused(client.send_task_success(taskToken=given["taskToken"], output="no json"))
    assert code == "InvalidOutput"
    await client.send_task_success(taskToken=given["taskToken"], output='{"done": true}')
    assert json.loads((await ended(client, execution))["output"]) == {"done": True}
    assert (await refused(client.send_task_success(taskToken=given["taskToken"], output="{}")))[0] == "TaskTimedOut"
    events = (await client.get_execution_history(executionArn=execution))["events"]
    assert {"workerName": "ada"} in [event.get("activityStartedEventDetails") for event in events]


async def test_an_activity_fails_in_its_own_words(client):
    await client.create_activity(name="pack")
    arn = await machine(client, task(ACTIVITY))
    execution = (await client.start_execution(stateMachineArn=arn))["executionArn"]
    given = await client.get_activity_task(activityArn=ACTIVITY)
    await client.send_task_failure(taskToken=given["taskToken"], error="Broken", cause="It fell.")
    found = await ended(client, execution)
    assert (found["status"], found["error"], found["cause"]) == ("FAILED", "Broken", "It fell.")


async def test_functions_are_invoked_at_their_endpoint(serve, functions):
    server = await serve(endpoints={"lambda": functions})
    client = Client(server.stepfunctions_port)
    for name, definition, status, output, error in (
        ("direct", task("arn:aws:lambda:us-east-1:1:function:echo"), "SUCCEEDED", {"n": 1}, None),
        ("broken", task("arn:aws:lambda:us-east-1:1:function:broken"), "FAILED", None, "StockError"),
        (
            "nobody",
            task(INVOKE, Parameters={"FunctionName": "nobody"}),
            "FAILED",
            None,
            "Lambda.ResourceNotFoundException",
        ),
    ):
        arn = await machine(client, definition, name)
        found = await ended(
            client, (await client.start_execution(stateMachineArn=arn, input='{"n": 1}'))["executionArn"]
        )
        assert (found["status"], found.get("error")) == (status, error)
        assert output is None or json.loads(found["output"]) == output
        if name == "nobody":
            assert found["cause"].startswith(
                "Function not found: nobody (Service: Lambda, Status Code: 404, Request ID: r-1)"
            )


async def test_a_task_waits_for_its_token(serve, functions):
    server = await serve(endpoints={"lambda": functions})
    client = Client(server.stepfunctions_port)
    parameters = {"FunctionName": "echo", "Payload": {"token.$": "$$.Task.Token"}}
    arn = await machine(client, task(f"{INVOKE}.waitForTaskToken", Parameters=parameters))
    execution = (await client.start_execution(stateMachineArn=arn))["executionArn"]
    token = None
    while token is None:
        for event in (await client.get_execution_history(executionArn=execution))["events"]:
            if event["type"] == "TaskSubmitted":
                token = json.loads(event["taskSubmittedEventDetails"]["output"])["Payload"]["token"]
        await asyncio.sleep(0.01)
    await client.send_task_success(taskToken=token, output='"yes"')
    assert (await ended(client, execution))["output"] == '"yes"'
    assert (await refused(client.send_task_success(taskToken=token, output="{}")))[0] == "TaskTimedOut"


async def test_an_execution_starts_another_and_waits_for_it(client):
    inner = await machine(client, PASS, "inner")
    parameters = {"StateMachineArn": inner, "Input": {"n.$": "$.n"}}
    outer = await machine(client, task("arn:aws:states:::states:startExecution.sync:2", Parameters=parameters), "outer")
    started = await client.start_execution(stateMachineArn=outer, input='{"n": 7}')
    output = json.loads((await ended(client, started["executionArn"]))["output"])
    assert (output["Status"], output["Output"], output["Input"]) == ("SUCCEEDED", {"a": 1}, {"n": 7})
    nested = await client.describe_execution(executionArn=output["ExecutionArn"])
    assert nested["stateMachineArn"] == inner
    lost = await machine(
        client,
        task("arn:aws:states:::states:startExecution", Parameters={"StateMachineArn": inner.replace("inner", "no")}),
        "lost",
    )
    found = await ended(client, (await client.start_execution(stateMachineArn=lost))["executionArn"])
    assert found["error"] == "StepFunctions.StateMachineDoesNotExistException"


async def test_a_redrive_tries_again_only_what_failed(client):
    await client.create_activity(name="pack")
    arn = await machine(
        client,
        json.dumps(
            {
                "StartAt": "A",
                "States": {
                    "A": {"Type": "Task", "Resource": ACTIVITY, "ResultPath": "$.a", "Next": "B"},
                    "B": {"Type": "Task", "Resource": ACTIVITY, "ResultPath": "$.b", "End": True},
                },
            }
        ),
    )
    execution = (await client.start_execution(stateMachineArn=arn, input="{}"))["executionArn"]
    first = await client.get_activity_task(activityArn=ACTIVITY)
    await client.send_task_success(taskToken=first["taskToken"], output="1")
    second = await client.get_activity_task(activityArn=ACTIVITY)
    await client.send_task_failure(taskToken=second["taskToken"], error="Broken", cause="It fell.")
    found = await ended(client, execution)
    assert (found["status"], found["redriveStatus"]) == ("FAILED", "REDRIVABLE")
    await client.redrive_execution(executionArn=execution)
    again = await client.get_activity_task(activityArn=ACTIVITY)
    assert json.loads(again["input"]) == {"a": 1}
    await client.send_task_success(taskToken=again["taskToken"], output="2")
    found = await ended(client, execution)
    assert (json.loads(found["output"]), found["redriveCount"]) == ({"a": 1, "b": 2}, 1)
    types = [event["type"] for event in (await client.get_execution_history(executionArn=execution))["events"]]
    assert types.count("ExecutionRedriven") == 1 and types.count("TaskStateEntered") == 2
    listed = (await client.list_executions(stateMachineArn=arn))["executions"]
    assert [one["status"] for one in listed] == ["SUCCEEDED"]
    assert await refused(client.redrive_execution(executionArn=execution)) == (
        "ExecutionNotRedrivable",
        "Execution is SUCCEEDED and cannot be redriven",
    )


async def test_a_state_machine_is_being_deleted_while_executions_of_it_run(client):
    arn = await machine(client, WAIT, publish=True)
    version = f"{arn}:1"
    routes = [{"stateMachineVersionArn": version, "weight": 100}]
    await client.create_state_machine_alias(name="prod", routingConfiguration=routes)
    execution = (await client.start_execution(stateMachineArn=arn))["executionArn"]
    await client.delete_state_machine(stateMachineArn=arn)
    await client.delete_state_machine(stateMachineArn=arn)
    assert (await client.describe_state_machine(stateMachineArn=arn))["status"] == "DELETING"
    for asked in (
        client.start_execution(stateMachineArn=arn),
        client.start_execution(stateMachineArn=f"{arn}:prod"),
        client.create_state_machine(name="orders", definition=WAIT, roleArn=ROLE),
        client.update_state_machine(stateMachineArn=arn, definition=PASS),
        client.publish_state_machine_version(stateMachineArn=arn),
        client.create_state_machine_alias(name="more", routingConfiguration=routes),
    ):
        assert (await refused(asked))[0] == "StateMachineDeleting"
    assert [one["name"] for one in (await client.list_state_machines())["stateMachines"]] == ["orders"]
    await client.stop_execution(executionArn=execution)
    assert (await refused(client.describe_state_machine(stateMachineArn=arn)))[0] == "StateMachineDoesNotExist"
    assert (await client.list_state_machines())["stateMachines"] == []
    await machine(client, WAIT)
    assert (await refused(client.start_execution(stateMachineArn=f"{arn}:prod")))[0] == "StateMachineDoesNotExist"


TWO = json.dumps(
    {
        "StartAt": "A",
        "States": {
            "A": {"Type": "Task", "Resource": ACTIVITY, "Next": "B"},
            "B": {"Type": "Task", "Resource": ACTIVITY, "End": True},
        },
    }
)


async def gone(client, arn):
    while True:
        try:
            await client.describe_state_machine(stateMachineArn=arn)
        except client.exceptions.StateMachineDoesNotExist:
            return
        await asyncio.sleep(0.01)


async def heard(client, execution):
    """Wait until an execution has heard that its state machine is deleted."""
    while True:
        address = RunAddress("default", execution)
        page = await client.server.service.history(address, after=0, limit=100, wait=False)
        if any(getattr(event, "signal_name", "") == END for event in page.events):
            return
        await asyncio.sleep(0.01)


async def test_executions_of_a_deleted_state_machine_end_at_their_next_state(client):
    await client.create_activity(name="pack")
    arn = await machine(client, TWO)
    executions = [(await client.start_execution(stateMachineArn=arn))["executionArn"] for _ in range(3)]
    taken = [await client.get_activity_task(activityArn=ACTIVITY) for _ in executions]
    await client.delete_state_machine(stateMachineArn=arn)
    for execution in executions:
        await heard(client, execution)
        assert (await client.describe_execution(executionArn=execution))["status"] == "RUNNING"
    await client.stop_execution(executionArn=executions[0])
    found = await client.describe_execution(executionArn=executions[0])
    assert found["redriveStatusReason"] == "State machine is in DELETING status"
    assert await refused(client.redrive_execution(executionArn=executions[0])) == (
        "ExecutionNotRedrivable",
        "State machine is in DELETING status",
    )
    await client.delete_state_machine(stateMachineArn=arn)
    for one in taken:
        try:
            await client.send_task_success(taskToken=one["taskToken"], output="1")
        except client.exceptions.TaskTimedOut:
            pass  # of the one that was stopped
    for execution in executions:
        assert (await ended(client, execution))["status"] == "ABORTED"
    types = [event["type"] for event in (await client.get_execution_history(executionArn=executions[1]))["events"]]
    assert types[-2:] == ["TaskStateExited", "ExecutionAborted"]
    await gone(client, arn)


async def test_a_deletion_that_was_cut_short_is_seen_to_by_the_next_server(serve, store_url):
    if store_url.startswith("memory"):
        pytest.skip("nothing is left of it")
    server = await serve()
    client = Client(server.stepfunctions_port)
    await client.create_activity(name="pack")
    arn = await machine(client, TWO)
    execution = (await client.start_execution(stateMachineArn=arn))["executionArn"]
    token = (await client.get_activity_task(activityArn=ACTIVITY))["taskToken"]
    server._stepfunctions.parts.signal_all = None  # it dies before this
    await client.delete_state_machine(stateMachineArn=arn)
    client.close()
    await server.close()

    server = await serve()
    client = Client(server.stepfunctions_port)
    client.server = server
    await heard(client, execution)
    await client.send_task_success(taskToken=token, output="1")
    assert (await ended(client, execution))["status"] == "ABORTED"
    await gone(client, arn)
    client.close()


async def test_an_execution_that_begins_while_its_machine_is_deleted_hears_of_it(client, monkeypatch):
    await client.create_activity(name="pack")
    arn = await machine(client, TWO)
    start = EngineService.start

    async def deleted_meanwhile(self, namespace, request):
        if request.workflow_type == "orders":
            await client.delete_state_machine(stateMachineArn=arn)
        return await start(self, namespace, request)

    monkeypatch.setattr(EngineService, "start", deleted_meanwhile)
    execution = (await client.start_execution(stateMachineArn=arn))["executionArn"]
    await heard(client, execution)


async def test_a_page_of_executions_asks_the_engine_no_more_often_than_one_of_few(client, monkeypatch):
    asked: list[str] = []
    for name in ("list", "count", "describe", "query", "history"):
        call = getattr(EngineService, name)

        def counted(self, *arguments, _call=call, _name=name, **more):
            asked.append(_name)
            return _call(self, *arguments, **more)

        monkeypatch.setattr(EngineService, name, counted)
    counts = []
    fail = json.dumps({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E"}}})
    for machine_name, size in (("few", 2), ("many", 12)):
        arn = await machine(client, fail, machine_name)
        for _ in range(size):
            await ended(client, (await client.start_execution(stateMachineArn=arn))["executionArn"])
        asked.clear()
        assert len((await client.list_executions(stateMachineArn=arn))["executions"]) == size
        counts.append(len(asked))
    assert counts[0] == counts[1] == 2


async def test_a_map_run_and_its_executions_are_seen(client):
    inner = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, **inner}
    states = {"M": {"Type": "Map", "Label": "each", "ItemProcessor": processor, "End": True}}
    arn = await machine(client, json.dumps({"StartAt": "M", "States": states}))
    execution = (await client.start_execution(stateMachineArn=arn, input="[1, 2, 3]"))["executionArn"]
    assert json.loads((await ended(client, execution))["output"]) == [1, 2, 3]
    (listed,) = (await client.list_map_runs(executionArn=execution))["mapRuns"]
    assert listed["stateMachineArn"] == f"{arn}/each"
    described = await client.describe_map_run(mapRunArn=listed["mapRunArn"])
    assert (described["status"], described["executionArn"]) == ("SUCCEEDED", execution)
    assert described["itemCounts"]["succeeded"] == described["executionCounts"]["total"] == 3
    children = (await client.list_executions(mapRunArn=listed["mapRunArn"]))["executions"]
    assert {(one["status"], one["mapRunArn"]) for one in children} == {("SUCCEEDED", listed["mapRunArn"])}
    child = await client.describe_execution(executionArn=children[0]["executionArn"])
    assert (child["mapRunArn"], child["stateMachineArn"]) == (listed["mapRunArn"], f"{arn}/each")
    assert [one["executionArn"] for one in (await client.list_executions(stateMachineArn=arn))["executions"]] == [
        execution
    ]
    last = "1" if listed["mapRunArn"].endswith("0") else "0"
    none = listed["mapRunArn"][:-1] + last
    assert (await refused(client.describe_map_run(mapRunArn=none)))[0] == "ResourceNotFound"


async def test_a_mock_file_stands_for_services(serve, tmp_path):
    file = tmp_path / "mocks.json"
    answers = {"0": {"Throw": {"Error": "Busy", "Cause": "later"}}, "1-5": {"Return": {"MessageId": "m"}}}
    file.write_text(
        json.dumps(
            {
                "StateMachines": {"orders": {"TestCases": {"busy": {"T": "sent"}}}},
                "MockedResponses": {"sent": answers},
            }
        )
    )
    server = await serve(mock_config=str(file))
    client = Client(server.stepfunctions_port)
    retry = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 2}]
    arn = await machine(
        client, task("arn:aws:states:::sqs:sendMessage", Parameters={"QueueUrl": "q", "MessageBody": "m"}, Retry=retry)
    )
    found = await ended(client, (await client.start_execution(stateMachineArn=f"{arn}#busy"))["executionArn"])
    assert json.loads(found["output"]) == {"MessageId": "m"}


async def test_an_execution_goes_on_after_a_restart(serve, tmp_path):
    url = f"sqlite:///{tmp_path / 'kept.db'}"
    server = await serve(url)
    client = Client(server.stepfunctions_port)
    await client.create_activity(name="pack")
    arn = await machine(client, task(ACTIVITY))
    execution = (await client.start_execution(stateMachineArn=arn))["executionArn"]
    given = await client.get_activity_task(activityArn=ACTIVITY)
    await server.close()
    server = await serve(url)
    client = Client(server.stepfunctions_port)
    await client.send_task_success(taskToken=given["taskToken"], output="3")
    assert (await ended(client, execution))["output"] == "3"


async def test_calls_wait_for_a_server_that_makes_them(serve, functions, tmp_path):
    url = f"sqlite:///{tmp_path / 'kept.db'}"
    server = await serve(url, endpoints={"lambda": functions})
    client = Client(server.stepfunctions_port)
    states = {
        "W": {"Type": "Wait", "Seconds": 1, "Next": "T"},
        "T": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:1:function:echo", "End": True},
    }
    arn = await machine(client, json.dumps({"StartAt": "W", "States": states}))
    execution = (await client.start_execution(stateMachineArn=arn, input='{"n": 1}'))["executionArn"]
    await server.close()
    server = Server(url, rest_address="127.0.0.1:0", grpc_address="127.0.0.1:0")
    await server.open()
    address = RunAddress("default", execution)
    try:
        while not (described := await server.service.describe(address)).activities:
            await asyncio.sleep(0.01)
        (wait,) = (await server.service.explain(address)).waits
        assert described.summary.status.name == "RUNNING" and "no worker here runs activity type" in wait.state
    finally:
        await server.close()
    server = await serve(url, endpoints={"lambda": functions})
    found = await ended(Client(server.stepfunctions_port), execution)
    assert (found["status"], found["output"]) == ("SUCCEEDED", '{"n":1}')


async def test_a_history_is_read_in_pages(client, monkeypatch):
    state = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sfn:listActivities", "Parameters": {}, "End": True}
    processor = {"StartAt": "L", "States": {"L": state}}
    states = {
        "M": {"Type": "Map", "MaxConcurrency": 2, "ItemProcessor": processor, "Next": "W"},
        "W": {"Type": "Wait", "Seconds": 3600, "End": True},
    }
    arn = await machine(client, json.dumps({"StartAt": "M", "States": states}))
    execution = (await client.start_execution(stateMachineArn=arn, input="[1, 2, 3, 4, 5]"))["executionArn"]

    async def whole(**asked):
        return (await client.get_execution_history(executionArn=execution, maxResults=1000, **asked))["events"]

    while (await whole())[-1]["type"] != "WaitStateEntered":
        await asyncio.sleep(0.01)
    await client.stop_execution(executionArn=execution)
    # The engine hands out its own events in pieces, too, whose ends are anywhere.
    monkeypatch.setattr("perdure.protocols.stepfunctions.histories._AT_ONCE", 7)
    events = await whole()
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["executionStartedEventDetails"]["input"] == "[1, 2, 3, 4, 5]"
    assert events[-1]["type"] == "ExecutionAborted"
    assert (await whole(reverseOrder=True)) == events[::-1]
    for size, is_back in ((1, False), (1, True), (4, False), (4, True), (len(events), False), (len(events), True)):
        pages: list[dict[str, object]] = []
        more: dict[str, str] = {}
        while True:
            page = await client.get_execution_history(
                executionArn=execution, maxResults=size, reverseOrder=is_back, **more
            )
            pages += page["events"]
            assert len(page["events"]) <= size
            if "nextToken" not in page:
                break
            more = {"nextToken": page["nextToken"]}
        assert pages == (events[::-1] if is_back else events)
    assert (await refused(client.get_execution_history(executionArn=execution, nextToken="bm9uZQ==")))[
        0
    ] == "InvalidToken"
    server_counts = client.server.watched.http_requests
    assert server_counts["POST", "stepfunctions GetExecutionHistory", "200"].value > 10
    assert server_counts["POST", "stepfunctions GetExecutionHistory", "400"].value == 1
    errors = client.server.watched.http_errors
    assert errors["stepfunctions GetExecutionHistory", "InvalidToken"].value == 1


async def test_the_settings_say_which_workers_serve_a_resource(serve):
    arn = "arn:aws:lambda:us-east-1:111122223333:function:charge"
    flags = {"stepfunctions_address": "127.0.0.1:0", "task_targets": f"{arn}=charge@orders"}
    settings = StepFunctions.of(read_config(flags, {}))
    assert settings is not None
    server = await serve(targets=settings.targets)
    client = Client(server.stepfunctions_port)
    for resource, more in ((arn, {}), (INVOKE, {"Parameters": {"FunctionName": "charge", "Payload.$": "$"}})):
        made = await machine(client, task(resource, **more), f"orders{len(more)}")
        execution = (await client.start_execution(stateMachineArn=made, input='{"n": 1}'))["executionArn"]
        while not (activities := (await server.service.describe(RunAddress("default", execution))).activities):
            await asyncio.sleep(0.01)
        assert [(one.activity_type, one.task_queue) for one in activities] == [("charge", "orders")]
    with pytest.raises(InvalidArgumentError, match="ARN=ACTIVITY@TASK-QUEUE"):
        StepFunctions.of(read_config({**flags, "task_targets": "charge@orders"}, {}))
