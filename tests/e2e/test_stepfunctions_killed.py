"""boto3 and the AWS command line against a server process that is killed in mid-Map."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

pytestmark = pytest.mark.slow

ITEMS = 60
FUNCTION = "arn:aws:lambda:us-east-1:1:function:work"
MACHINE = {
    "StartAt": "Each",
    "States": {
        "Each": {
            "Type": "Map",
            "MaxConcurrency": 8,
            "ItemProcessor": {
                "StartAt": "Work",
                "States": {
                    "Work": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:1:function:work", "End": True}
                },
            },
            "End": True,
        }
    },
}


class Functions:
    """Answers Lambda's Invoke call, and counts how often each item came and was answered. Those of ``failing`` fail."""

    def __init__(self) -> None:
        self.asked: Counter[int] = Counter()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.failing: set[int] = set()
        functions = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                if len(body) < int(self.headers["content-length"]):
                    return  # whoever asks was killed while it did
                item = json.loads(body)
                functions.asked[item] += 1
                if len(functions.asked) >= ITEMS // 2:
                    functions.may_answer.wait(60)
                content = json.dumps(item * 2).encode()
                try:
                    self.send_response(200)
                    if item in functions.failing:
                        self.send_header("x-amz-function-error", "Unhandled")
                    self.send_header("content-length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)
                except ConnectionError:
                    pass  # whoever asked is dead

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()


class ServerProcess:
    """``perdure server --stepfunctions`` over a file."""

    def __init__(self, folder: Path, **endpoints: str) -> None:
        self._file = folder / "work.db"
        self._endpoints = [f"--{name}-endpoint={url}" for name, url in endpoints.items()]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                Path(sys.executable).with_name("perdure"),
                "server",
                f"--store=sqlite:///{self._file}",
                "--rest-address=127.0.0.1:0",
                "--grpc-address=127.0.0.1:0",
                f"--stepfunctions-address=127.0.0.1:{self.port}",
                *self._endpoints,
            ],
            env={**os.environ, "AWS_ACCESS_KEY_ID": "111111111111", "AWS_SECRET_ACCESS_KEY": "any"},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline().startswith("http://")

    def kill(self) -> None:
        assert self._process is not None
        if self._process.returncode is not None:
            return
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()


@pytest.fixture
def functions():
    functions = Functions()
    yield functions
    functions.close()


@pytest.fixture
def server(tmp_path, functions):
    server = ServerProcess(tmp_path, **{"lambda": functions.url})
    server.start()
    yield server
    server.kill()


def client(server):
    return boto3.client(
        "stepfunctions",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id="111111111111",
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 1}),
    )


def until(what):
    while not (found := what()):
        time.sleep(0.02)
    return found


def test_a_map_goes_on_where_it_was_when_the_server_was_killed(server, functions):
    sfn = client(server)
    machine = sfn.create_state_machine(name="each", definition=json.dumps(MACHINE), roleArn="arn:aws:iam::1:role/r")
    functions.may_answer.clear()
    started = sfn.start_execution(
        stateMachineArn=machine["stateMachineArn"], name="one", input=json.dumps(list(range(ITEMS)))
    )
    execution = started["executionArn"]
    until(lambda: len(functions.asked) >= ITEMS // 2)

    def done():
        pages = sfn.get_paginator("get_execution_history").paginate(executionArn=execution)
        events = [event for page in pages for event in page["events"]]
        return {
            json.loads(event["lambdaFunctionSucceededEventDetails"]["output"]) // 2
            for event in events
            if event["type"] == "LambdaFunctionSucceeded"
        }

    recorded = done()
    assert recorded, "some were recorded before the server is killed"
    server.kill()
    server.start()
    functions.may_answer.set()
    found = until(lambda: (found := sfn.describe_execution(executionArn=execution))["status"] != "RUNNING" and found)
    assert (found["status"], found.get("cause")) == ("SUCCEEDED", None)
    assert json.loads(found["output"]) == [item * 2 for item in range(ITEMS)]
    assert all(functions.asked[item] == 1 for item in recorded), "what was recorded is not done again"
    assert max(functions.asked.values()) <= 2
    assert sfn.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"][0]["name"] == "one"


def test_tokens_and_redrives_outlive_the_server(server, functions):
    sfn = client(server)
    parameters = {"FunctionName": "work", "Payload.$": "$$.Task.Token"}
    state = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "Parameters": parameters}
    definition = json.dumps({"StartAt": "T", "States": {"T": {**state, "HeartbeatSeconds": 600, "End": True}}})
    machine = sfn.create_state_machine(name="token", definition=definition, roleArn="arn:aws:iam::1:role/r")
    execution = sfn.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"]
    (first,) = until(lambda: list(functions.asked))
    server.kill()  # whatever of the call and the token it had written by then
    server.start()
    sfn.send_task_failure(taskToken=first, error="Later")
    until(lambda: sfn.describe_execution(executionArn=execution)["status"] == "FAILED")
    sfn.redrive_execution(executionArn=execution)
    server.kill()
    server.start()
    (second,) = until(lambda: [token for token in functions.asked if token != first])
    sfn.send_task_success(taskToken=second, output="2")
    found = until(lambda: (found := sfn.describe_execution(executionArn=execution))["status"] != "RUNNING" and found)
    assert (found["status"], found["output"], found["redriveCount"]) == ("SUCCEEDED", "2", 1)


def test_redriven_child_executions_go_on_when_the_server_is_killed(server, functions):
    sfn = client(server)
    work = {
        "StartAt": "First",
        "States": {
            "First": {"Type": "Task", "Resource": FUNCTION, "Next": "Second"},
            "Second": {"Type": "Task", "Resource": FUNCTION, "End": True},
        },
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
    }
    definition = json.dumps({"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": work, "End": True}}})
    machine = sfn.create_state_machine(name="map", definition=definition, roleArn="arn:aws:iam::1:role/r")
    functions.failing = {6}  # what the second state makes of 3
    execution = sfn.start_execution(stateMachineArn=machine["stateMachineArn"], input="[3]")["executionArn"]

    def closed():
        found = sfn.describe_execution(executionArn=execution)
        return found["status"] != "RUNNING" and found

    assert until(closed)["status"] == "FAILED"
    functions.failing = set()
    sfn.redrive_execution(executionArn=execution)
    server.kill()  # whether or not the child has heard of it
    server.start()
    found = until(closed)
    assert (found["status"], json.loads(found["output"])) == ("SUCCEEDED", [12])
    assert functions.asked[3] == 1, "what was done before is not done again"


def test_the_aws_command_line_does_the_same(server, functions, tmp_path):
    def aws(*words):
        answer = subprocess.run(
            [
                Path(sys.executable).with_name("aws"),
                "stepfunctions",
                *words,
                "--endpoint-url",
                server.url,
                "--output",
                "json",
            ],
            env={
                **os.environ,
                "AWS_ACCESS_KEY_ID": "222222222222",
                "AWS_SECRET_ACCESS_KEY": "any",
                "AWS_DEFAULT_REGION": "eu-west-1",
                "AWS_CONFIG_FILE": str(tmp_path / "none"),
                "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
                "AWS_PAGER": "",
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
        return json.loads(answer.stdout) if answer.returncode == 0 and answer.stdout.strip() else answer.stderr

    role = "arn:aws:iam::222222222222:role/r"
    file = tmp_path / "machine.json"
    file.write_text(json.dumps(MACHINE))
    machine = aws("create-state-machine", "--name", "each", "--definition", f"file://{file}", "--role-arn", role)
    arn = "arn:aws:states:eu-west-1:222222222222:stateMachine:each"
    assert machine["stateMachineArn"] == arn
    started = aws("start-execution", "--state-machine-arn", arn, "--name", "one", "--input", "[1, 2, 3]")
    server.kill()
    server.start()
    described = until(
        lambda: (
            (found := aws("describe-execution", "--execution-arn", started["executionArn"]))["status"] != "RUNNING"
            and found
        )
    )
    assert json.loads(described["output"]) == [2, 4, 6]
    assert [one["name"] for one in aws("list-state-machines")["stateMachines"]] == ["each"]
    refused = aws("describe-state-machine", "--state-machine-arn", arn.replace("each", "none"))
    assert "(StateMachineDoesNotExist)" in refused and arn.replace("each", "none") in refused
    assert aws("delete-state-machine", "--state-machine-arn", arn) == ""
