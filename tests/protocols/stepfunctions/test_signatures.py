"""Signatures, where callers must say who they are."""

import json
import time

import httpx
import pytest
from tests.protocols.stepfunctions.conftest import PASS, ROLE, Client, refused

from perdure.app import store_of
from perdure.app.access import Access, FileSession, file_administration


@pytest.fixture
async def guarded(serve, tmp_path):
    """A server with tokens, and those for signing, by role."""
    url = f"sqlite:///{tmp_path / 'guarded.db'}"
    made = {}
    async with file_administration(url) as administration:
        for role in ("operator", "reader", "worker"):
            record, text = await administration.create_token(FileSession("me"), "file", role, [role], 0, True)
            made[role] = record.id, text
        record, text = await administration.create_token(FileSession("me"), "file", "plain", ["operator"], 0)
        made["plain"] = record.id, text
    server = await serve(store_of(url), Access(authentication="tokens"), account="999999999999")
    return server.stepfunctions_port, made


async def test_who_signs_with_a_token_may_do_what_it_may(guarded):
    port, made = guarded
    clients = {role: Client(port, key, secret=secret) for role, (key, secret) in made.items()}
    made_machine = await clients["operator"].create_state_machine(name="a", definition=PASS, roleArn=ROLE)
    assert made_machine["stateMachineArn"] == "arn:aws:states:us-east-1:999999999999:stateMachine:a"
    listed = await clients["reader"].list_state_machines()
    assert len(listed["stateMachines"]) == 1
    code, message = await refused(
        clients["reader"].delete_state_machine(stateMachineArn=made_machine["stateMachineArn"])
    )
    assert code == "AccessDeniedException" and "reader" in message
    code, _ = await refused(clients["worker"].start_execution(stateMachineArn=made_machine["stateMachineArn"]))
    assert code == "AccessDeniedException"
    started = await clients["operator"].start_execution(stateMachineArn=made_machine["stateMachineArn"])
    assert started["executionArn"].startswith("arn:aws:states:us-east-1:999999999999:execution:a:")
    code, _ = await refused(clients["plain"].list_state_machines())
    assert code == "UnrecognizedClientException"


async def test_what_a_connection_adds_is_told_to_administrators_alone(guarded):
    port, made = guarded
    parameters = {
        "ApiEndpoint": "http://127.0.0.1:1/",
        "Method": "GET",
        "Authentication": {"ConnectionArn": "arn:aws:events:us-east-1:999999999999:connection/a/1"},
    }
    state = {"Type": "Task", "Resource": "arn:aws:states:::http:invoke", "Parameters": parameters, "End": True}
    asked = {"definition": json.dumps(state), "roleArn": ROLE, "inspectionLevel": "TRACE"}
    operator = Client(port, made["operator"][0], secret=made["operator"][1])
    assert (await operator.test_state(**asked))["status"] == "FAILED"  # nobody listens there
    code, message = await refused(operator.test_state(**asked, revealSecrets=True))
    assert code == "AccessDeniedException" and "admin" in message


async def test_whoever_has_not_the_secret_is_turned_away(guarded):
    port, made = guarded
    for key, secret in (
        (made["operator"][0], "wrong"),
        ("nobody", made["operator"][1]),
        (made["operator"][0], made["reader"][1]),
    ):
        code, _ = await refused(Client(port, key, secret=secret).list_state_machines())
        assert code == "UnrecognizedClientException"


async def test_a_request_is_what_was_signed(guarded):
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials

    port, made = guarded
    key = botocore.credentials.Credentials(*made["operator"])

    def signed(body, at=None):
        request = botocore.awsrequest.AWSRequest(
            "POST",
            f"http://127.0.0.1:{port}/",
            {"x-amz-target": "AWSStepFunctions.ListStateMachines", "content-type": "application/x-amz-json-1.0"},
            data=body,
        )
        botocore.auth.SigV4Auth(key, "states", "us-east-1").add_auth(request)
        if at is not None:
            request.headers.replace_header("X-Amz-Date", at)
        return dict(request.headers)

    async with httpx.AsyncClient() as http:

        async def status(headers, body=b"{}"):
            answer = await http.post(f"http://127.0.0.1:{port}/", headers=headers, content=body)
            return answer.status_code, answer.json().get("__type")

        assert await status(signed(b"{}")) == (200, None)
        assert await status(signed(b"{}"), b'{"maxResults": 1}') == (403, "UnrecognizedClientException")
        assert await status({**signed(b"{}"), "x-amz-target": "AWSStepFunctions.ListActivities"}) == (
            403,
            "UnrecognizedClientException",
        )
        old = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - 1_000))
        assert (await status(signed(b"{}", old)))[1] in ("InvalidSignatureException", "UnrecognizedClientException")
        assert await status({"x-amz-target": "AWSStepFunctions.ListStateMachines"}) == (
            403,
            "MissingAuthenticationTokenException",
        )
        bearer = {"x-amz-target": "AWSStepFunctions.ListStateMachines", "authorization": f"Bearer {made['plain'][1]}"}
        assert await status(bearer) == (200, None)
