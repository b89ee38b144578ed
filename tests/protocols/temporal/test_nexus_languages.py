"""Operations between Perdure's apps and Temporal's workers, either way, behind endpoints that were set up over REST."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from nexusrpc.handler import StartOperationContext, service_handler, sync_operation
from temporalio import nexus
from temporalio import workflow as temporal
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError, NexusOperationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

import perdure
from perdure import workflow
from perdure.app.server import Server

app = perdure.App("treasury", task_queue="treasury")


@app.activity(name="Treasury/rate")
async def rate(currency: str) -> float:
    return {"EUR": 1.0}[currency]


@app.workflow(name="Treasury/pay")
async def pay(amount: int) -> str:
    if amount < 0:
        raise perdure.ApplicationError("no funds", type="NoFunds")
    return f"paid {amount}"


@app.workflow
async def ask(operation: str, input: str) -> list[Any]:
    handle = await workflow.start_operation(operation, input, endpoint="bank", headers={"Tenant": "acme"})
    try:
        return [bool(handle.token), await handle]
    except perdure.OperationError as error:
        return [error.endpoint, str(error.cause), str(getattr(error.cause, "cause", ""))]


@app.workflow
async def call_off(work_id: str) -> str:
    handle: workflow.OperationHandle[str] = await workflow.start_operation("Bank/wait", work_id, endpoint="bank")
    handle.cancel()
    try:
        return await handle
    except perdure.OperationError as error:
        return type(error.cause).__name__


@service_handler(name="Bank")
class Bank:
    @sync_operation
    async def greet(self, ctx: StartOperationContext, name: str) -> str:
        if name == "nobody":
            raise ApplicationError("who?", type="Nobody")
        return f"hello {name} of {ctx.headers['tenant']}"

    @nexus.workflow_run_operation
    async def transfer(self, ctx: nexus.WorkflowRunOperationContext, amount: str) -> nexus.WorkflowHandle[str]:
        return await ctx.start_workflow(Transfer.run, amount, id=f"transfer-{amount}")

    @nexus.workflow_run_operation
    async def wait(self, ctx: nexus.WorkflowRunOperationContext, id: str) -> nexus.WorkflowHandle[str]:
        return await ctx.start_workflow(Waiting.run, id=id)


@temporal.defn
class Transfer:
    @temporal.run
    async def run(self, amount: str) -> str:
        return f"transferred {amount}"


@temporal.defn
class Waiting:
    @temporal.run
    async def run(self) -> str:
        await asyncio.Event().wait()
        return ""


@temporal.defn
class Ask:
    @temporal.run
    async def run(self, operation: str, input: Any) -> Any:
        client = temporal.create_nexus_client(service="Treasury", endpoint="treasury")
        return await client.execute_operation(operation, input, output_type=None)


@pytest.fixture
async def ours(server: Server) -> AsyncIterator[perdure.Client]:
    """A client of Perdure's; its worker serves the app, and the endpoints are set up."""
    async with httpx.AsyncClient(base_url=f"{server.url}/api/v1") as http:
        for name, queue in (("bank", "bank"), ("treasury", "treasury")):
            body = {"namespace": "default", "task_queue": queue}
            assert (await http.put(f"/endpoints/{name}", json=body)).status_code == 200
    async with await perdure.connect(server.url, app) as client, perdure.Worker(client, app, grace=0.2):
        yield client


async def test_our_workflow_asks_for_operations_of_a_temporal_worker(ours: perdure.Client, client: Client) -> None:
    async with Worker(
        client,
        task_queue="bank",
        workflows=[Transfer, Waiting],
        nexus_service_handlers=[Bank()],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        assert await ours.execute(ask, "Bank/greet", "you", id="greet") == [False, "hello you of acme"]
        assert await ours.execute(ask, "Bank/transfer", "7", id="transfer") == [True, "transferred 7"]
        unknown = await ours.execute(ask, "Bank/unheard-of", "7", id="unknown")
        assert unknown[0] == "bank" and "NOT_FOUND" in unknown[1]
        assert await ours.execute(call_off, "waiting", id="call-off") == "CancelledError"


async def test_a_temporal_workflow_asks_for_operations_of_our_app(ours: perdure.Client, client: Client) -> None:
    async def asked(operation: str, input: Any) -> Any:
        return await client.execute_workflow(Ask.run, args=[operation, input], id=operation, task_queue="q")

    async with Worker(client, task_queue="q", workflows=[Ask], workflow_runner=UnsandboxedWorkflowRunner()):
        assert await asked("rate", "EUR") == 1.0
        assert await asked("pay", 7) == "paid 7"
        with pytest.raises(WorkflowFailureError) as failed:
            await asked("pay", -1)
    error = failed.value.cause
    assert isinstance(error, NexusOperationError) and isinstance(error.cause, ApplicationError)
    assert (error.cause.message, error.cause.type) == ("no funds", "NoFunds")
    listed = {one.id.partition("-")[0]: str(one.status) async for one in ours.list("WorkflowType = 'Treasury/pay'")}
    assert set(listed) == {"pay"}
