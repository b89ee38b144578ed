"""Nexus operations between namespaces, over kills of the server, and asked for by those who have no business with them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import grpc
import httpx
import nexusrpc
import pytest
from nexusrpc.handler import (
    CancelOperationContext,
    OperationHandler,
    StartOperationContext,
    StartOperationResultAsync,
    operation_handler,
    service_handler,
    sync_operation,
)
from temporalio import nexus, workflow
from temporalio.api.common.v1 import Callback
from temporalio.api.enums.v1 import CallbackState, UpdateWorkflowExecutionLifecycleStage
from temporalio.api.nexus.v1 import EndpointSpec, EndpointTarget
from temporalio.api.nexus.v1 import message_pb2 as nexus_pb
from temporalio.api.operatorservice.v1 import (
    CreateNexusEndpointRequest,
    DeleteNexusEndpointRequest,
    ListNexusEndpointsRequest,
)
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import CancelledError, NexusOperationError, TimeoutError, TimeoutType
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from tests.protocols.temporal.server import DevServer

from perdure.app.server import Server
from perdure.engine import operations
from perdure.model.explanation import WaitKind
from perdure.model.ids import RunAddress
from perdure.model.namespaces import Namespace
from perdure.protocols.temporal.nexus_tokens import INTERNAL_URL, TOKEN_HEADER

ASKING, SERVING = "asking", "serving"
ACCEPTED = UpdateWorkflowExecutionLifecycleStage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED
STANDBY = CallbackState.CALLBACK_STATE_STANDBY
SUCCEEDED, FAILED = CallbackState.CALLBACK_STATE_SUCCEEDED, CallbackState.CALLBACK_STATE_FAILED
NONE: Mapping[str, float] = {}


@service_handler(name="Bank")
class Bank:
    """What is served; ``begun`` is how often it was asked for a transfer."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.go_on = asyncio.Event()
        self.go_on.set()

    @sync_operation
    async def greet(self, ctx: StartOperationContext, name: str) -> str:
        return f"hello {name}, here is {nexus.client().namespace}"

    @sync_operation
    async def slow(self, ctx: StartOperationContext, name: str) -> str:
        self.begun.append(ctx.request_id)
        await self.go_on.wait()
        return name

    @operation_handler
    def endless(self) -> OperationHandler[str, str]:
        return Endless()

    @nexus.workflow_run_operation
    async def transfer(self, ctx: nexus.WorkflowRunOperationContext, work_id: str) -> nexus.WorkflowHandle[str]:
        self.begun.append(ctx.request_id)
        return await ctx.start_workflow(Transfer.run, id=work_id)


class Endless(OperationHandler[str, str]):
    """Is accepted, and never ends."""

    async def start(self, ctx: StartOperationContext, input: str) -> StartOperationResultAsync:
        return StartOperationResultAsync("endless")

    async def cancel(self, ctx: CancelOperationContext, token: str) -> None:
        pass


@workflow.defn
class Transfer:
    def __init__(self) -> None:
        self.told = False

    @workflow.signal
    def go(self) -> None:
        self.told = True

    @workflow.update
    async def bargain(self, offer: str) -> str:
        await workflow.wait_condition(lambda: self.told)
        return f"{offer} is fine"

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.told)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return f"transferred in {workflow.info().namespace}"


@workflow.defn
class Ask:
    @workflow.run
    async def run(self, operation: str, input: str, timeouts: dict[str, float]) -> str:
        client = workflow.create_nexus_client(service="Bank", endpoint="bank")
        options: dict[str, Any] = {name: timedelta(seconds=value) for name, value in timeouts.items()}
        result: str = await client.execute_operation(operation, input, output_type=str, **options)
        return result


async def create_endpoint(client: Client, namespace: str, queue: str = SERVING) -> None:
    target = EndpointTarget(worker=EndpointTarget.Worker(namespace=namespace, task_queue=queue))
    spec = EndpointSpec(name="bank", target=target)
    await client.operator_service.create_nexus_endpoint(CreateNexusEndpointRequest(spec=spec))


def asking(client: Client) -> Worker:
    return Worker(client, task_queue=ASKING, workflows=[Ask], workflow_runner=UnsandboxedWorkflowRunner())


def serving(client: Client, bank: Bank) -> Worker:
    return Worker(
        client,
        task_queue=SERVING,
        workflows=[Transfer],
        nexus_service_handlers=[bank],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )


async def ask(
    client: Client, operation: str, input: str = "", timeouts: Mapping[str, float] = NONE
) -> WorkflowHandle[Any, Any]:
    return await client.start_workflow(
        Ask.run, args=[operation, input, dict(timeouts)], id=f"ask-{operation}", task_queue=ASKING
    )


async def names(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """A run's events of operations."""
    found = []
    async for event in handle.fetch_history_events():
        kind = event.WhichOneof("attributes") or ""
        if kind.startswith("nexus_operation"):
            found.append(kind.removeprefix("nexus_operation_").removesuffix("_event_attributes"))
    return found


async def until(handle: WorkflowHandle[Any, Any], name: str) -> None:
    while name not in await names(handle):
        await asyncio.sleep(0.02)


# --- between namespaces


@pytest.fixture
async def elsewhere(server: Server, client: Client) -> Client:
    """A client in the namespace that the endpoint leads to."""
    await server.service.set_namespace(Namespace("finance"))
    await create_endpoint(client, "finance")
    return await Client.connect(f"127.0.0.1:{server.temporal_port}", namespace="finance")


async def test_a_worker_of_another_namespace_serves_operations(client: Client, elsewhere: Client) -> None:
    async with asking(client), serving(elsewhere, Bank()):
        greeted = await ask(client, "greet", "you")
        assert await greeted.result() == "hello you, here is finance"
        transferred = await ask(client, "transfer", "work")
        await until(transferred, "started")
        await elsewhere.get_workflow_handle("work").signal(Transfer.go)
        assert await transferred.result() == "transferred in finance"
    assert await names(transferred) == ["scheduled", "started", "completed"]


async def test_a_run_says_that_it_waits_for_an_operation(server: Server, client: Client, elsewhere: Client) -> None:
    async with asking(client):
        handle = await ask(client, "greet", "you")
        await until(handle, "scheduled")
        address = RunAddress("default", handle.id)
        (wait,) = [wait for wait in (await server.service.explain(address)).waits if wait.kind is WaitKind.OPERATION]
        assert wait.what == "operation Bank/greet (#5)"
        assert wait.ends_by == "a worker that serves Bank on task queue serving of namespace finance"
        async with serving(elsewhere, Bank()):
            await handle.result()


@pytest.mark.parametrize(
    ("operation", "timeouts", "expected"),
    [
        ("endless", {"start_to_close_timeout": 0.3}, TimeoutType.START_TO_CLOSE),
        ("endless", {"schedule_to_close_timeout": 0.3}, TimeoutType.SCHEDULE_TO_CLOSE),
        ("unserved", {"schedule_to_start_timeout": 0.3}, TimeoutType.SCHEDULE_TO_START),
    ],
)
async def test_an_operation_that_takes_too_long(
    client: Client, operation: str, timeouts: dict[str, float], expected: TimeoutType
) -> None:
    await create_endpoint(client, "default", SERVING if operation == "endless" else "nobody")
    async with asking(client), serving(client, Bank()):
        handle = await ask(client, operation, "", timeouts)
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    error = failed.value.cause
    assert isinstance(error, NexusOperationError) and isinstance(error.cause, TimeoutError)
    assert error.cause.type is expected
    assert (await names(handle))[-1] == "timed_out"


# --- by hand


@pytest.fixture
async def offered(client: Client, raw: Any) -> AsyncIterator[WorkflowHandle[Any, Any]]:
    """A run that waits for an operation that a test answers by hand."""
    await create_endpoint(client, "default")
    async with asking(client):
        yield await ask(client, "greet", "you")


async def polled(raw: Any, namespace: str = "default") -> pb.PollNexusTaskQueueResponse:
    request = pb.PollNexusTaskQueueRequest(namespace=namespace, identity="by hand")
    request.task_queue.name = SERVING
    answer: pb.PollNexusTaskQueueResponse = await raw.PollNexusTaskQueue(request, timeout=30)
    return answer


def accepted(token: bytes) -> pb.RespondNexusTaskCompletedRequest:
    request = pb.RespondNexusTaskCompletedRequest(namespace="default", task_token=token)
    request.response.start_operation.async_success.operation_token = "by hand"
    return request


async def test_an_answer_is_taken_once(offered: WorkflowHandle[Any, Any], raw: Any) -> None:
    task = await polled(raw)
    await raw.RespondNexusTaskCompleted(accepted(task.task_token))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await raw.RespondNexusTaskCompleted(accepted(task.task_token))
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    assert await names(offered) == ["scheduled", "started"]


async def test_tokens_that_nobody_was_given(
    server: Server, offered: WorkflowHandle[Any, Any], raw: Any, client: Client
) -> None:
    task = await polled(raw)
    forged = task.task_token[:-3] + bytes([task.task_token[-3] ^ 1]) + task.task_token[-2:]
    await server.service.set_namespace(Namespace("finance"))
    request = accepted(task.task_token)
    request.namespace = "finance"
    for wrong in (accepted(forged), accepted(b"x"), request):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await raw.RespondNexusTaskCompleted(wrong)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    token = task.request.start_operation.callback_header[TOKEN_HEADER]
    for url, given in ((INTERNAL_URL, "x" + token[1:]), (INTERNAL_URL, ""), ("http://169.254.169.254/hook", token)):
        start = pb.StartWorkflowExecutionRequest(namespace="default", workflow_id="thief", request_id="1")
        start.workflow_type.name, start.task_queue.name = "Transfer", SERVING
        start.completion_callbacks.append(Callback(nexus=Callback.Nexus(url=url, header={TOKEN_HEADER: given})))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await raw.StartWorkflowExecution(start)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(RPCError) as missing:
        await client.get_workflow_handle("thief").describe()
    assert missing.value.status is RPCStatusCode.NOT_FOUND


async def test_answers_in_the_older_form(offered: WorkflowHandle[Any, Any], raw: Any) -> None:
    task = await polled(raw)
    error = nexus_pb.HandlerError(error_type="BAD_REQUEST", failure=nexus_pb.Failure(message="what?"))
    await raw.RespondNexusTaskFailed(
        pb.RespondNexusTaskFailedRequest(namespace="default", task_token=task.task_token, error=error)
    )
    with pytest.raises(WorkflowFailureError) as failed:
        await offered.result()
    cause = failed.value.cause.__cause__
    assert isinstance(cause, nexusrpc.HandlerError)
    assert "what?" in str(cause)


async def test_an_operation_is_cancelled_with_what_is_said_of_it(
    offered: WorkflowHandle[Any, Any], raw: Any, client: Client
) -> None:
    task = await polled(raw)
    request = pb.RespondNexusTaskCompletedRequest(namespace="default", task_token=task.task_token)
    error = request.response.start_operation.operation_error
    error.operation_state = "canceled"
    error.failure.CopyFrom(nexus_pb.Failure(message="called off", metadata={"type": "note"}, details=b'{"by": "me"}'))
    await raw.RespondNexusTaskCompleted(request)
    with pytest.raises(WorkflowFailureError) as failed:
        await offered.result()
    said = failed.value.cause.__cause__
    assert isinstance(said, CancelledError) and said.message == "called off"
    assert said.details == ({"message": "", "metadata": {"type": "note"}, "details": {"by": "me"}},)


async def test_whoever_does_not_answer_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, offered: WorkflowHandle[Any, Any], raw: Any
) -> None:
    monkeypatch.setattr(operations, "ANSWER_SECONDS", 0.05)
    first = await polled(raw)
    second = await polled(raw)
    assert second.request.start_operation.request_id == first.request.start_operation.request_id
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await raw.RespondNexusTaskCompleted(accepted(first.task_token))
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


async def test_an_operation_may_be_an_update(
    client: Client, offered: WorkflowHandle[Any, Any], raw: Any, server: Server
) -> None:
    task = await polled(raw)
    async with Worker(client, task_queue="work", workflows=[Transfer], workflow_runner=UnsandboxedWorkflowRunner()):
        work = await client.start_workflow(Transfer.run, id="work", task_queue="work")
        update = pb.UpdateWorkflowExecutionRequest(namespace="default")
        update.workflow_execution.workflow_id = "work"
        update.wait_policy.lifecycle_stage = ACCEPTED
        update.request.meta.update_id, update.request.input.name = "u", "bargain"
        update.request.input.args.payloads.add(metadata={"encoding": b"json/plain"}, data=b'"7 euros"')
        asked = task.request.start_operation
        update.request.request_id = asked.request_id
        update.request.completion_callbacks.append(
            Callback(nexus=Callback.Nexus(url=asked.callback, header=dict(asked.callback_header)))
        )
        await raw.UpdateWorkflowExecution(update)
        await raw.RespondNexusTaskCompleted(accepted(task.task_token))
        assert await states(work) == [STANDBY]
        await work.signal(Transfer.go)
        assert await offered.result() == "7 euros is fine"
        assert await states(work) == [SUCCEEDED]
    assert await names(offered) == ["scheduled", "started", "completed"]


@pytest.mark.parametrize("is_served", [True, False])
async def test_the_endpoint_of_an_operation_that_nobody_has_answered_is_removed(
    client: Client, monkeypatch: pytest.MonkeyPatch, is_served: bool
) -> None:
    monkeypatch.setattr(operations, "ANSWER_SECONDS", 0.2)
    await create_endpoint(client, "default", SERVING if is_served else "nobody")
    bank = Bank()
    bank.go_on.clear()
    async with asking(client), serving(client, bank):
        handle = await ask(client, "slow", "you")
        await until(handle, "scheduled")
        while is_served and not bank.begun:
            await asyncio.sleep(0.02)
        (endpoint,) = (await client.operator_service.list_nexus_endpoints(ListNexusEndpointsRequest())).endpoints
        removal = DeleteNexusEndpointRequest(id=endpoint.id, version=endpoint.version)
        await client.operator_service.delete_nexus_endpoint(removal)
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
        bank.go_on.set()
    error = failed.value.cause
    assert isinstance(error, NexusOperationError) and isinstance(error.cause, nexusrpc.HandlerError)
    assert "endpoint not registered" in str(error.cause)
    assert await names(handle) == ["scheduled", "failed"]


# --- to others, by HTTP


class Receiver:
    """Somebody who is told, and answers with ``status``."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.received: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()

    async def __aenter__(self) -> "Receiver":
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/callback"
        return self

    async def __aexit__(self, *error: object) -> None:
        self.server.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        writer.write(f"HTTP/1.1 {self.status} .\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()
        self.received.put_nowait((headers, body))


async def states(handle: WorkflowHandle[Any, Any]) -> list[int]:
    """How far callbacks of a run have come."""
    return [one.state for one in (await handle.describe()).raw_description.callbacks]


async def test_others_are_told_of_an_end_by_http(server: Server, client: Client, raw: Any) -> None:
    async with Receiver(200) as thankful, Receiver(410) as gone, serving(client, Bank()):
        start = pb.StartWorkflowExecutionRequest(namespace="default", workflow_id="work", request_id="1")
        start.workflow_type.name, start.task_queue.name = "Transfer", SERVING
        for receiver in (thankful, gone):
            header = {"My-Token": "mine", "Nexus-Operation-State": "forged"}
            start.completion_callbacks.append(Callback(nexus=Callback.Nexus(url=receiver.url, header=header)))
        await raw.StartWorkflowExecution(start)
        await raw.StartWorkflowExecution(start)  # the same again starts nothing, and tells nobody twice
        handle = client.get_workflow_handle("work")
        assert await states(handle) == [STANDBY, STANDBY]
        await handle.signal(Transfer.go)
        headers, body = await asyncio.wait_for(thankful.received.get(), 60)
        assert (headers["my-token"], headers["nexus-operation-state"]) == ("mine", "succeeded")
        assert (headers["content-type"], body) == ("application/json", b'"transferred in default"')
        while await states(handle) != [SUCCEEDED, FAILED]:
            await asyncio.sleep(0.05)
        assert thankful.received.empty() and gone.received.qsize() == 1
        page = (await asyncio.to_thread(httpx.get, f"{server.url}/metrics")).text.splitlines()
        assert {f'perdure_callbacks_total{{outcome="{what}"}} 1.0' for what in ("delivered", "failed")} <= set(page)


# --- the server is killed


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_operations_end_once_though_the_server_is_killed(tmp_path: Any) -> None:
    server = DevServer(tmp_path, file=True)
    await asyncio.to_thread(server.start)
    try:
        client = await Client.connect(server.address)
        await create_endpoint(client, "default")
        bank = Bank()
        bank.go_on.clear()
        async with asking(client), serving(client, bank):
            transferred, slow = await ask(client, "transfer", "work"), await ask(client, "slow", "and steady")
            await until(transferred, "started")
            while len(bank.begun) < 2:
                await asyncio.sleep(0.02)
            server.kill()  # one operation runs as a workflow, the other is in the handler's hands
            await asyncio.to_thread(server.start)
            bank.go_on.set()
            while True:
                try:
                    await client.get_workflow_handle("work").signal(Transfer.go)
                    break
                except RPCError:
                    await asyncio.sleep(0.1)
            assert await asyncio.wait_for(transferred.result(), 100) == "transferred in default"
            assert await asyncio.wait_for(slow.result(), 100) == "and steady"
        assert await names(transferred) == ["scheduled", "started", "completed"]
        assert await names(slow) == ["scheduled", "completed"]
        assert len(set(bank.begun)) == 2  # whoever is asked twice sees that it is the same
    finally:
        server.kill()
