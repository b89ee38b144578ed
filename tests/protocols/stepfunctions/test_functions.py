"""Lambda functions: answered by an HTTP server that speaks Lambda's Invoke call, or by registered Python functions."""

import asyncio
import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest
from tests.protocols.stepfunctions.emulated import Server, machine, task

import perdure

INVOKE = "lambda:invoke"


def arn(name):
    return f"arn:aws:lambda:us-east-1:111111111111:function:{name}"


class Lambda:
    """Answers as Lambda does, by the function's name; keeps what it was asked last."""

    def __init__(self):
        self.asked: dict = {}
        self.count = 0
        kept = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                parts = urlsplit(self.path)
                name = unquote(parts.path.split("/functions/")[1].split("/")[0]).rpartition(":")[2]
                kept.asked = {"headers": dict(self.headers), "query": parts.query, "body": body}
                status, headers, content = kept.answer(name, body)
                self.send_response(status)
                for key, value in {**headers, "Content-Length": str(len(content)), "x-amzn-RequestId": "r-1"}.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, name, body):
        match name:
            case "echo":
                return 200, {"X-Amz-Executed-Version": "3"}, body
            case "event":
                return 202, {}, b""
            case "broken":
                content = {"errorMessage": "none left", "errorType": "StockError", "stackTrace": ["a", "b"]}
                return 200, {"X-Amz-Function-Error": "Unhandled"}, json.dumps(content).encode()
            case "silent":
                return (
                    200,
                    {"X-Amz-Function-Error": "Unhandled"},
                    b'{"errorMessage": "2026 Task timed out after 3.00 seconds"}',
                )
            case "busy":
                self.count += 1
                if self.count < 3:
                    return 429, {"x-amzn-ErrorType": "TooManyRequestsException"}, b'{"message": "Rate Exceeded."}'
                return 200, {}, b'"done"'
            case _:
                refusal = b'{"Type": "User", "Message": "Function not found: nobody"}'
                return 404, {"x-amzn-ErrorType": "ResourceNotFoundException:http://internal.amazon.com"}, refusal

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def functions():
    functions = Lambda()
    yield functions
    functions.close()


@pytest.fixture(scope="module")
def server(functions):
    server = Server(
        f"--lambda-endpoint={functions.url}",
        f"--task-targets={arn('charge')} = charge@shop,{arn('ship')}=ship@shop,arn:aws:states:::sqs:sendMessage=send@shop",
        "--wait-time-scale=0.01",
    )
    yield server
    server.close()


def test_an_invocation_is_made_as_it_was_told(functions, server):
    parameters = {
        "FunctionName": arn("echo"),
        "Qualifier": "live",
        "ClientContext": base64.b64encode(b'{"custom": {}}').decode(),
        "Payload": {"n.$": "$.n"},
    }
    got = server.run(machine(task(INVOKE, parameters)), {"n": 7})
    assert (got["Payload"], got["StatusCode"], got["ExecutedVersion"]) == ({"n": 7}, 200, "3")
    assert got["SdkResponseMetadata"] == {"RequestId": "r-1"}
    headers = {name.lower(): value for name, value in functions.asked["headers"].items()}
    assert functions.asked["query"] == "Qualifier=live"
    assert headers["x-amz-invocation-type"] == "RequestResponse"
    assert headers["x-amz-client-context"] == parameters["ClientContext"]
    event = server.run(machine(task(INVOKE, {"FunctionName": "event", "InvocationType": "Event", "Payload": "text"})))
    assert (event["StatusCode"], event["Payload"], functions.asked["body"]) == (202, None, b'"text"')


def test_a_function_by_its_own_arn_gets_the_input_and_gives_the_output(server):
    execution = server.start(machine(task(arn("echo"), ResultPath="$.got")), {"n": 7})
    assert server.end_of(execution) == {"n": 7, "got": {"n": 7}}
    types = [event["type"] for event in server.events(execution)]
    assert types[2:5] == ["LambdaFunctionScheduled", "LambdaFunctionStarted", "LambdaFunctionSucceeded"]


def test_what_a_function_raises_is_the_error(server):
    for resource in (task(INVOKE, {"FunctionName": "broken"}), task(arn("broken"))):
        error, cause = server.run(machine(resource))
        assert error == "StockError"
        assert json.loads(cause) == {"errorMessage": "none left", "errorType": "StockError", "stackTrace": ["a", "b"]}
    error, cause = server.run(machine(task(arn("silent"))))
    assert error == "Lambda.Unknown" and "timed out" in cause
    caught = task(arn("broken"), Catch=[{"ErrorEquals": ["StockError"], "ResultPath": "$.error", "Next": "S1"}])
    assert server.run(machine(caught, {"Type": "Pass", "OutputPath": "$.error.Error"})) == "StockError"


def test_what_lambda_refuses_is_an_error_of_lambda(functions, server):
    error, cause = server.run(machine(task(INVOKE, {"FunctionName": "nobody"})))
    assert error == "Lambda.ResourceNotFoundException"
    assert cause.startswith("Function not found: nobody (Service: Lambda, Status Code: 404, Request ID: r-1)")
    functions.count = 0
    busy = task(
        INVOKE,
        {"FunctionName": "busy"},
        OutputPath="$.Payload",
        Retry=[{"ErrorEquals": ["Lambda.TooManyRequestsException"], "IntervalSeconds": 5, "MaxAttempts": 6}],
    )
    assert (server.run(machine(busy)), functions.count) == ("done", 3)


app = perdure.App("shop", task_queue="shop")


@app.activity
async def charge(order: dict) -> dict:
    if order["amount"] > 100:
        raise PermissionError("too much")
    return {"paid": order["amount"]}


@app.activity
async def ship(order: dict) -> dict:
    await asyncio.sleep(order.get("seconds", 0))
    return {"shipped": order["amount"]}


@app.activity
async def send(message: dict) -> dict:
    return {"MessageId": message["MessageBody"]["n"]}


async def test_registered_functions_stand_for_functions_and_services(server):
    def run(definition, input):
        return asyncio.to_thread(server.run, definition, input)

    by_name = {"FunctionName": "ship", "Payload.$": "$"}
    late = task(
        INVOKE, by_name, TimeoutSecondsPath="$.timeout", Catch=[{"ErrorEquals": ["States.Timeout"], "Next": "S1"}]
    )
    async with await perdure.connect(server.url, app) as client, perdure.Worker(client, app, grace=0.2):
        assert await run(machine(task(arn("charge"))), {"amount": 7}) == {"paid": 7}
        output = await run(machine(task(INVOKE, by_name)), {"amount": 7})
        assert (output["Payload"], output["StatusCode"]) == ({"shipped": 7}, 200)
        assert await run(
            machine(task("sqs:sendMessage", {"QueueUrl": "q", "MessageBody": {"n.$": "$.amount"}})), {"amount": 7}
        ) == {"MessageId": 7}
        error, cause = await run(machine(task(arn("charge"))), {"amount": 700})
        assert (error, json.loads(cause)) == (
            "PermissionError",
            {"errorMessage": "too much", "errorType": "PermissionError"},
        )
        ended = await run(
            machine(late, {"Type": "Pass", "Parameters": {"late": True}}), {"amount": 7, "seconds": 60, "timeout": 1}
        )
        assert ended == {"late": True}


def test_targets_that_make_no_sense_are_refused():
    with pytest.raises(AssertionError, match="must be ARN"):
        Server("--task-targets=nonsense")
