"""A token has limits of its own on how often and how much is sent with it, by whatever protocol, or those of the settings."""

import asyncio
import json
from contextlib import AsyncExitStack
from datetime import timedelta

import httpx
import pytest
from tests.security.conftest import HOUR
from tests.security.test_server import command_line

import perdure
from perdure import ActivityError, App, workflow
from perdure.app.access import Access, FileSession, file_administration
from perdure.app.server import Server
from perdure.app.stepfunctions import StepFunctions
from perdure.model.access import Credentials
from perdure.model.errors import (
    InvalidArgumentError,
    LimitExceededError,
    PermissionDeniedError,
    WorkflowFailedError,
)
from perdure.security import Administration, Allowance, parse_grants

LIMIT = 4_000
LARGE = "x" * 5_000

app = App("sized")


@app.activity
def text_of(size: int) -> str:
    return "x" * size


@app.activity(heartbeat=timedelta(seconds=60))
async def beats(size: int) -> str:
    perdure.activity.heartbeat("x" * size)
    return "alive"


@app.workflow
async def asks(size: int) -> str:
    return await text_of(size)


@app.workflow
async def lives(size: int) -> str:
    return await beats(size)


@app.workflow
class Grows:
    size = 0

    @workflow.query
    def all_of_it(self, size: int) -> str:
        return "x" * size

    async def run(self) -> str:
        await workflow.sleep(0.01)
        return "x" * Grows.size


# --- the gate


async def test_a_token_goes_before_the_settings(secured):
    secured.gate = secured.make_gate(requests_per_second=5, messages_per_second=100, request_bytes=10)

    async def admitted(**own):
        _, text = await secured.tokens.create(
            "t", parse_grants(["admin"]), lifetime_ns=HOUR, allowance=Allowance(**own)
        )
        return await secured.admit(text), Credentials(f"Bearer {text}")

    usual, _ = await admitted()
    large, _ = await admitted(request_bytes=1_000)
    rare, again = await admitted(requests_per_second=1)
    slow, _ = await admitted(messages_per_second=10)
    usual.check_size("list", 10)
    with pytest.raises(LimitExceededError, match=r"'t' may send at most 10 bytes at once .* not 11\."):
        usual.check_size("list", 11)
    large.check_size("list", 1_000)
    with pytest.raises(LimitExceededError):
        rare.check_size("list", 11)
    with pytest.raises(LimitExceededError, match="more often than 1 times a second"):
        for _ in range(3):
            await secured.gate.admit(again)
    assert (usual.pace(110), slow.pace(20)) == (pytest.approx(0.1), pytest.approx(1.0))


async def test_whom_others_know_has_what_the_settings_say(secured):
    certificates = {"worker-1": parse_grants(["worker"])}
    secured.gate = secured.make_gate(certificates=certificates, request_bytes=10)
    session = await secured.gate.admit(Credentials("", "worker-1", "10.0.0.7"))
    with pytest.raises(LimitExceededError):
        session.check_size("list", 11)


async def test_only_an_admin_of_all_gives_more_than_the_settings(secured):
    administration = Administration(
        secured.tokens, secured.audit, secured.store, secured.clock, Allowance(requests_per_second=10)
    )
    ours, everywhere = await secured.session("admin:ours"), await secured.session("admin")

    async def make(session, **own):
        made, _ = await administration.create_token(session, "", "t", ["reader:ours"], HOUR, **own)
        return made.allowance

    assert await make(ours, requests_per_second=10, request_bytes=7) == Allowance(10, 0, 7)
    with pytest.raises(PermissionDeniedError):
        await make(ours, requests_per_second=11)
    assert await make(everywhere, requests_per_second=11) == Allowance(11)
    with pytest.raises(InvalidArgumentError, match="request_bytes of a token is a whole number"):
        await make(everywhere, request_bytes=-1)


# --- a server


class Place:
    """A server, a token whose messages may not be large, and one of somebody else."""

    def __init__(self, server, small, usual):
        self.server, self.small, self.usual = server, small, usual
        self.rest = f"http://127.0.0.1:{server.rest_port}"
        self.grpc = f"grpc://127.0.0.1:{server.grpc_port}"

    async def refused(self, *acts):
        """Which acts are in the audit log as refused to the small one, once all of these are: that is behind the answer."""
        headers = {"authorization": f"Bearer {self.usual}"}
        async with asyncio.timeout(60), httpx.AsyncClient(base_url=self.rest, headers=headers) as http:
            while True:
                entries = (await http.get("/api/v1/audit")).json()["entries"]
                found = [entry for entry in entries if "may send at most" in entry.get("reason", "")]
                if {entry["act"] for entry in found} >= set(acts):
                    assert {(entry["who"], entry["outcome"]) for entry in found} == {("small", "refused")}
                    return {entry["act"] for entry in found}
                await asyncio.sleep(0.05)


@pytest.fixture
async def place(tmp_path):
    url = f"sqlite:///{tmp_path / 'work.db'}"
    async with file_administration(url) as administration:
        made = FileSession("me"), "file"
        _, small = await administration.create_token(*made, "small", ["admin"], 0, request_bytes=LIMIT)
        _, usual = await administration.create_token(*made, "usual", ["admin"], 0)
    async with AsyncExitStack() as stack:
        server = Server(
            url,
            rest_address="127.0.0.1:0",
            grpc_address="127.0.0.1:0",
            temporal_address="127.0.0.1:0",
            access=Access(authentication="tokens"),
            stepfunctions=StepFunctions("127.0.0.1:0"),
        )
        await server.open()
        stack.push_async_callback(server.close)
        yield Place(server, small, usual)


async def test_rest(place):
    async with httpx.AsyncClient(base_url=f"{place.rest}/api/v1/namespaces/default") as http:

        async def start(token, *, chunked=False):
            body = json.dumps({"workflow_type": "asks", "input": [LARGE]}).encode()

            async def parts():
                yield body

            headers = {"authorization": f"Bearer {token}"}
            return await http.post("/workflows", content=parts() if chunked else body, headers=headers)

        for chunked in (False, True):
            refused = await start(place.small, chunked=chunked)
            assert (refused.status_code, refused.json()["code"]) == (413, "limit_exceeded")
            assert refused.headers["content-type"] == "application/problem+json"
            assert "'small' may send at most 4,000 bytes" in refused.json()["detail"]
        assert (await start(place.usual)).status_code == 201
    assert await place.refused("start_workflow") == {"start_workflow"}


@pytest.mark.parametrize("how", ["rest", "grpc"])
async def test_a_client(place, how):
    async with await perdure.connect(getattr(place, how), token=place.small) as client:
        with pytest.raises(LimitExceededError, match=r"'small' may send at most 4,000 bytes"):
            await client.start("asks", LARGE)
        # The connection goes on, also where many small calls travel as one.
        await asyncio.gather(*(client.start("asks", "x" * 1_000, id=f"w{number}") for number in range(20)))
    async with await perdure.connect(getattr(place, how), token=place.usual) as client:
        await client.start("asks", LARGE)
    assert await place.refused("start") == {"start"}


@pytest.mark.parametrize("how", ["rest", "grpc"])
async def test_a_worker(place, how):
    Grows.size = LIMIT * 2
    async with (
        await perdure.connect(place.rest, app, token=place.usual) as client,
        await perdure.connect(getattr(place, how), app, token=place.small) as theirs,
        perdure.Worker(theirs, app),
    ):
        with pytest.raises(WorkflowFailedError) as failed:
            await client.execute(asks, LIMIT * 2)
        cause = failed.value.cause
        assert isinstance(cause, ActivityError) and "may send at most 4,000 bytes" in str(cause.cause)
        assert await client.execute(lives, LIMIT * 2) == "alive"
        run = await client.start(Grows, id="grows")
        acts = await place.refused("activity of a worker", "turn of a worker")
        with pytest.raises(perdure.QueryFailedError, match="may send at most"):
            await run.query("all_of_it", LIMIT * 2)
        Grows.size = 10
        assert await run.result() == "x" * 10
        assert await client.execute(asks, 10) == "x" * 10
    assert await place.refused(*acts) <= {"activity of a worker", "turn of a worker", "query of a worker"}


async def test_temporals_protocol(place):
    from temporalio.client import Client
    from temporalio.service import RPCError, RPCStatusCode

    address = f"127.0.0.1:{place.server.temporal_port}"
    client = await Client.connect(address, api_key=place.small, tls=False)
    async with asyncio.timeout(30):  # the SDK would go on for minutes with what may be tried again
        with pytest.raises(RPCError, match="may send at most 4,000 bytes") as refused:
            await client.start_workflow("Any", LARGE, id="w", task_queue="q")
    assert refused.value.status is RPCStatusCode.RESOURCE_EXHAUSTED
    await client.start_workflow("Any", "small", id="w", task_queue="q")
    assert await place.refused("StartWorkflowExecution") == {"StartWorkflowExecution"}


async def test_step_functions(place):
    url = f"http://127.0.0.1:{place.server.stepfunctions_port}"
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": LARGE, "End": True}}})
    body = {"name": "m", "definition": definition, "roleArn": "arn:aws:iam::123456789012:role/any"}

    async def create(token):
        headers = {"authorization": f"Bearer {token}", "x-amz-target": "AWSStepFunctions.CreateStateMachine"}
        async with httpx.AsyncClient() as http:
            return await http.post(url, json=body, headers=headers)

    refused = await create(place.small)
    assert (refused.status_code, refused.json()["__type"]) == (413, "RequestEntityTooLarge")
    assert (await create(place.usual)).status_code == 200
    assert await place.refused("CreateStateMachine") == {"CreateStateMachine"}


async def test_tokens_with_limits_are_made_and_listed(place):
    async def run(*arguments, **options):
        return await asyncio.to_thread(command_line, *arguments, token=place.usual, **options)

    given = ("--requests-per-second", "20", "--messages-per-second", "200", "--request-bytes", "64KiB")
    await run("token", "create", place.rest, "partner", "--role", "reader", *given)
    listed = (await run("token", "list", place.rest)).stdout
    assert "20 requests/s, 200 messages/s, 64KiB" in " ".join(listed.split())
    (record,) = [
        found
        for line in (await run("token", "list", place.rest, "--json")).stdout.splitlines()
        if (found := json.loads(line))["name"] == "partner"
    ]
    assert [record[name] for name in Allowance.__struct_fields__] == [20, 200, 65_536]
    said = (await run("audit", "list", place.rest, "--json")).stdout
    assert json.loads(said.splitlines()[-1])["request_bytes"] == 65_536
    wrong = await run("token", "create", place.rest, "x", "--role", "reader", "--request-bytes", "much", check=False)
    assert wrong.exit_code == 2 and "--request-bytes is 'much'" in wrong.stderr
