"""Operations of endpoints that lead to a URL: asked for by HTTP, of a small server that speaks Nexus, and ended by its callback."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio import workflow
from temporalio.api.enums.v1 import PendingNexusOperationState
from temporalio.api.nexus.v1 import EndpointSpec, EndpointTarget
from temporalio.api.operatorservice.v1 import CreateNexusEndpointRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError, CancelledError, NexusOperationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from tests.protocols.temporal.server import DevServer

from perdure.app.server import Server
from perdure.model.explanation import WaitKind
from perdure.model.ids import RunAddress
from perdure.protocols.nexus.breaker import FAILURES, Breaker

BLOCKED = PendingNexusOperationState.PENDING_NEXUS_OPERATION_STATE_BLOCKED


class Bank:
    """Serves operations over HTTP; ``asked`` are the requests that came."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[Request] = asyncio.Queue()
        self.is_well = True
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __aenter__(self) -> "Bank":
        routes = [
            Route("/bank/{service}/{operation}", self.start, methods=["POST"]),
            Route("/bank/{service}/{operation}/cancel", self.cancel, methods=["POST"]),
        ]
        self.server = uvicorn.Server(
            uvicorn.Config(Starlette(routes=routes), port=0, log_level="error", lifespan="off")
        )
        self.serving = asyncio.create_task(self.server.serve())
        while not self.server.started:
            await asyncio.sleep(0.01)
        self.url = f"http://127.0.0.1:{self.server.servers[0].sockets[0].getsockname()[1]}/bank"
        return self

    async def __aexit__(self, *error: object) -> None:
        self.server.should_exit = True
        await self.serving

    async def start(self, request: Request) -> Response:
        body = await request.body()
        self.asked.put_nowait(request)
        await self.may_answer.wait()
        if not self.is_well:
            return Response(status_code=503)
        match request.path_params["operation"]:
            case "greet":
                return Response(b'"hello ' + body.strip(b'"') + b'"', media_type="application/json")
            case "transfer" | "transfer and stop":
                return JSONResponse({"token": "transfer 7", "state": "running"}, status_code=201)
            case "refuse":
                return JSONResponse({"message": "no funds"}, 424, headers={"nexus-operation-state": "failed"})
            case _:
                return JSONResponse({"message": "what?"}, 400)

    async def cancel(self, request: Request) -> Response:
        self.asked.put_nowait(request)
        return Response(status_code=202)


@workflow.defn
class Ask:
    def __init__(self) -> None:
        self.is_over = False

    @workflow.signal
    def stop(self) -> None:
        self.is_over = True

    @workflow.run
    async def run(self, operation: str, input: str) -> str:
        client = workflow.create_nexus_client(service="my bank", endpoint="bank")
        headers = {"My-Header": "mine"}
        handle = await client.start_operation(operation, input, output_type=str, headers=headers)
        if operation == "transfer and stop":
            await workflow.wait_condition(lambda: self.is_over)
            handle.cancel()
        result: str = await handle
        return result


async def create_endpoint(client: Client, bank: Bank) -> None:
    spec = EndpointSpec(name="bank", target=EndpointTarget(external=EndpointTarget.External(url=bank.url)))
    await client.operator_service.create_nexus_endpoint(CreateNexusEndpointRequest(spec=spec))


def asking(client: Client) -> Worker:
    return Worker(client, task_queue="q", workflows=[Ask], workflow_runner=UnsandboxedWorkflowRunner())


@pytest.fixture
async def bank(client: Client) -> AsyncIterator[Bank]:
    async with Bank() as bank:
        await create_endpoint(client, bank)
        async with asking(client):
            yield bank


async def ask(client: Client, operation: str, id: str = "") -> WorkflowHandle[Any, Any]:
    return await client.start_workflow(Ask.run, args=[operation, "you"], id=id or operation, task_queue="q")


async def failure(handle: WorkflowHandle[Any, Any]) -> BaseException:
    """Why the operation of a run did not succeed."""
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    assert isinstance(failed.value.cause, NexusOperationError)
    return failed.value.cause.__cause__ or failed.value.cause


async def tell(asked: Request, state: str, body: str, **headers: str) -> int:
    """Say how an operation has ended, as the request that asked for it says; the answer's status."""
    return await tell_at(asked, asked, state, body, **headers)


async def tell_at(place: Request, asked: Request, state: str, body: str, **headers: str) -> int:
    """The same, but where another request says."""
    url = parse_qs(place.url.query)["callback"][0]
    token = asked.headers["nexus-callback-temporal-callback-token"]
    sent = {"temporal-callback-token": token, "nexus-operation-state": state, "content-type": "application/json"}
    async with httpx.AsyncClient() as http:
        status: int = (await http.post(url, headers=sent | headers, content=body.encode())).status_code
        return status


async def test_an_operation_that_ends_at_once(client: Client, bank: Bank) -> None:
    greeted = await ask(client, "greet")
    assert await greeted.result() == "hello you"
    asked = bank.asked.get_nowait()
    assert asked.url.path == "/bank/my bank/greet" and asked.headers["my-header"] == "mine"
    refused = await failure(await ask(client, "refuse"))
    assert isinstance(refused, ApplicationError) and refused.message == "no funds"
    assert "what?" in str(await failure(await ask(client, "unheard-of")))


async def test_operations_are_counted_by_their_endpoints(client: Client, bank: Bank, server: Server) -> None:
    await (await ask(client, "greet")).result()
    await failure(await ask(client, "refuse"))
    page = (await asyncio.to_thread(httpx.get, f"{server.url}/metrics")).text
    of = 'endpoint="bank",namespace="default"'
    for line in (
        f"perdure_nexus_operations_scheduled_total{{{of}}} 2.0",
        f'perdure_nexus_operations_closed_total{{{of},outcome="completed"}} 1.0',
        f'perdure_nexus_operations_closed_total{{{of},outcome="failed"}} 1.0',
        f"perdure_nexus_operation_duration_seconds_count{{{of}}} 2.0",
        'perdure_callbacks_total{outcome="delivered"} 0.0',
    ):
        assert line in page.splitlines(), [one for one in page.splitlines() if "nexus" in one]


async def test_an_operation_that_ends_later(client: Client, bank: Bank) -> None:
    handle = await ask(client, "transfer")
    asked = await bank.asked.get()
    wrong = {"temporal-callback-token": "x" * 80}
    assert await tell(asked, "succeeded", '"done"', **wrong) == 400
    assert await tell(asked, "half done", '"done"') == 400
    assert await tell(asked, "failed", "no JSON") == 400
    assert await tell(asked, "succeeded", '"' + "x" * (2 << 20) + '"') == 413
    assert (await handle.describe()).raw_description.pending_nexus_operations[0].operation == "transfer"
    assert await tell(asked, "succeeded", '"done"') == 200
    assert await tell(asked, "succeeded", '"done twice"') == 404
    assert await handle.result() == "done"
    failing = await ask(client, "transfer", "failing")
    assert await tell(await bank.asked.get(), "failed", '{"message": "broke"}') == 200
    broken = await failure(failing)
    assert isinstance(broken, ApplicationError) and broken.message == "broke"


async def test_an_end_that_is_told_before_the_answer_is_in(client: Client, bank: Bank) -> None:
    bank.is_well = False
    handle = await ask(client, "transfer")
    assert await tell(await bank.asked.get(), "succeeded", '"early"', **{"nexus-operation-token": "t"}) == 200
    assert await handle.result() == "early"


async def test_a_cancellation_is_passed_on(client: Client, bank: Bank) -> None:
    handle = await ask(client, "transfer and stop")
    asked = await bank.asked.get()
    await handle.signal(Ask.stop)
    cancelled = await bank.asked.get()
    assert cancelled.url.path == "/bank/my bank/transfer and stop/cancel"
    assert cancelled.headers["nexus-operation-token"] == "transfer 7"
    assert await tell(asked, "canceled", '{"message": "stopped"}') == 200
    assert isinstance(await failure(handle), CancelledError)


async def test_whoever_keeps_failing_is_left_alone(server: Server, client: Client, bank: Bank) -> None:
    bank.is_well = False
    handles = [await ask(client, "greet", f"ask-{number}") for number in range(FAILURES)]
    for _ in handles:
        await bank.asked.get()

    async def is_blocked(handle: WorkflowHandle[Any, Any]) -> bool:
        (one,) = (await handle.describe()).raw_description.pending_nexus_operations
        assert not one.blocked_reason or one.blocked_reason == "The circuit breaker is open."
        return one.state == BLOCKED

    while not all([await is_blocked(handle) for handle in handles]):
        await asyncio.sleep(0.05)
    assert bank.asked.empty()
    (wait,) = (await server.service.explain(RunAddress("default", "ask-0"))).waits
    assert (wait.kind, wait.state.partition(": ")[2]) == (
        WaitKind.OPERATION,
        "BLOCKED: The circuit breaker is open.",
    )


def test_a_breaker() -> None:
    breaker = Breaker()
    assert not any(breaker.note(is_down=True) for _ in range(FAILURES - 1))
    assert not breaker.note(is_down=False)
    assert [breaker.note(is_down=True) for _ in range(FAILURES)][-1]
    assert breaker.is_tried and breaker.note(is_down=True)
    assert not breaker.note(is_down=False) and not breaker.is_tried


async def ends(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """How the operations of a run ended, as its history says."""
    kinds = [event.WhichOneof("attributes") or "" async for event in handle.fetch_history_events()]
    short = [kind.removeprefix("nexus_operation_").removesuffix("_event_attributes") for kind in kinds]
    return [kind for kind in short if kind in ("completed", "failed", "canceled", "timed_out")]


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_operations_end_once_though_the_server_is_killed(tmp_path: Any) -> None:
    server = DevServer(tmp_path, file=True)
    await asyncio.to_thread(server.start)
    try:
        client = await Client.connect(server.address)
        async with Bank() as bank, asking(client):
            await create_endpoint(client, bank)
            transferred = await ask(client, "transfer")
            accepted = await bank.asked.get()
            while not (await transferred.describe()).raw_description.pending_nexus_operations[0].operation_token:
                await asyncio.sleep(0.02)
            bank.may_answer.clear()
            greeted = await ask(client, "greet")
            first = await bank.asked.get()
            server.kill()  # one operation was accepted and goes on elsewhere, the other has no answer yet
            bank.may_answer.set()
            await asyncio.to_thread(server.start)
            again = await asyncio.wait_for(bank.asked.get(), 100)
            assert again.headers["nexus-request-id"] == first.headers["nexus-request-id"]
            assert await asyncio.wait_for(greeted.result(), 100) == "hello you"
            # A callback's address is where the server was; the token is what lasts.
            assert await tell_at(again, accepted, "succeeded", '"done"') == 200
            assert await asyncio.wait_for(transferred.result(), 100) == "done"
            assert await tell_at(again, accepted, "succeeded", '"done twice"') == 404
            assert [await ends(one) for one in (greeted, transferred)] == [["completed"], ["completed"]]
            assert bank.asked.empty()
    finally:
        server.kill()
