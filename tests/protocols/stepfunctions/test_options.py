"""Each of Step Functions Local's options does what it says."""

import json
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.protocols.stepfunctions.emulated import Server, machine, task

CALLS = {
    "sns": ("sns:publish", {"TopicArn": "arn:aws:sns:us-east-1:111111111111:news", "Message": "m"}),
    "sqs": ("sqs:sendMessage", {"QueueUrl": "http://queue", "MessageBody": "m"}),
    "dynamodb": ("dynamodb:getItem", {"TableName": "orders", "Key": {"id": {"S": "a"}}}),
    "events": ("events:putEvents", {"Entries": [{"Source": "s", "DetailType": "d", "Detail": {}}]}),
    "s3": ("aws-sdk:s3:headBucket", {"Bucket": "kept"}),
    "batch": ("aws-sdk:batch:describeJobs", {"Jobs": ["a"]}),
    "ecs": ("aws-sdk:ecs:describeClusters", {}),
    "glue": ("aws-sdk:glue:getDatabases", {}),
    "sage-maker": ("aws-sdk:sagemaker:listModels", {}),
    "step-functions": ("aws-sdk:sfn:listActivities", {}),
    "lambda": ("lambda:invoke", {"FunctionName": "f"}),
    "aws": ("aws-sdk:kms:listKeys", {}),
}
"""By what is before ``-endpoint`` in the option: a call that goes there."""


@pytest.fixture(scope="module")
def asked():
    """Who was asked: the first part of each path, and the region and account that the request is signed for."""
    found: list[tuple[str, str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def refuse(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            scope = self.headers["authorization"].partition("Credential=")[2].split("/")
            found.append((self.path.split("/")[1].partition("?")[0], scope[2], scope[0]))
            self.send_response(400)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    for method in ("GET", "POST", "PUT", "HEAD"):
        setattr(Handler, f"do_{method}", Handler.refuse)
    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    found_at = f"http://127.0.0.1:{listener.server_port}"
    yield found_at, found
    listener.shutdown()
    listener.server_close()


@pytest.fixture(scope="module")
def server(asked):
    url, _ = asked
    server = Server(
        "--aws-account=222222222222", "--aws-region=eu-west-1", *(f"--{name}-endpoint={url}/{name}" for name in CALLS)
    )
    yield server
    server.close()


@pytest.mark.parametrize("name", CALLS)
def test_a_service_is_asked_where_its_option_says(server, asked, name):
    resource, parameters = CALLS[name]
    error, _ = server.run(machine(task(resource, parameters)))
    assert "." in error, "what answers there refuses everything"
    assert asked[1][-1] == (name, "us-east-1", "111111111111"), "in the execution's region and account"


def test_callers_who_say_neither_have_the_account_and_region_of_the_options(server):
    request = urllib.request.Request(
        server.url,
        b'{"name": "pack"}',
        {"content-type": "application/x-amz-json-1.0", "x-amz-target": "AWSStepFunctions.CreateActivity"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert json.load(answer)["activityArn"] == "arn:aws:states:eu-west-1:222222222222:activity:pack"
