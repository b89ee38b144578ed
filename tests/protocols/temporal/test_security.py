"""Temporal's listener asks who calls, and lets nobody do what their role does not allow."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from temporalio.api.operatorservice.v1 import request_response_pb2 as operator
from temporalio.api.operatorservice.v1 import service_pb2_grpc as operator_stubs
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb
from temporalio.api.workflowservice.v1 import service_pb2_grpc as stubs
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from perdure.app.access import Access, FileSession, file_administration
from perdure.app.server import Server
from perdure.protocols.temporal.services import OPERATOR_METHODS, WORKFLOW_METHODS
from perdure.protocols.temporal.tokens import ActivityToken, QueryToken, TurnToken, encode

PUBLIC = {"GetSystemInfo", "GetClusterInfo"}
"""What concerns no namespace and changes nothing."""

TOKENS = {
    "RespondWorkflowTaskCompleted": TurnToken("mine", "w", "r", 3, 1),
    "RespondWorkflowTaskFailed": TurnToken("mine", "w", "r", 3, 1),
    "RespondQueryTaskCompleted": QueryToken("mine", 1),
}


async def token(url: str, *grants: str) -> str:
    async with file_administration(url) as administration:
        _, text = await administration.create_token(FileSession("me"), "file", "test", list(grants), 0)
        return text


@pytest.fixture
async def secured(tmp_path: Path) -> AsyncIterator[tuple[Server, dict[str, str]]]:
    url = f"sqlite:///{tmp_path / 'secured.db'}"
    tokens = {
        "admin": await token(url, "admin"),
        "stranger": await token(url, "admin:elsewhere"),
        "reader": await token(url, "reader:default"),
        "worker": await token(url, "worker:default"),
    }
    server = Server(
        url,
        access=Access(authentication="tokens", failed_attempts_per_minute=0),
        rest_address="127.0.0.1:0",
        grpc_address="127.0.0.1:0",
        temporal_address="127.0.0.1:0",
    )
    await server.open()
    yield server, tokens
    await server.close()


def request_of(name: str, module: Any) -> Any:
    """A request about namespace ``mine``."""
    request = getattr(module, f"{name}Request")()
    if "namespace" in request.DESCRIPTOR.fields_by_name:
        request.namespace = "mine"
    if "task_token" in request.DESCRIPTOR.fields_by_name:
        request.task_token = encode(TOKENS.get(name, ActivityToken("mine", "w", "r", 5, 1)))
    return request


async def test_every_method_asks_who_calls(secured: tuple[Server, dict[str, str]]) -> None:
    server, tokens = secured
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.temporal_port}") as channel:
        services: list[tuple[Any, Any, Any]] = [
            (stubs.WorkflowServiceStub(channel), WORKFLOW_METHODS, pb),  # type: ignore[arg-type]
            (operator_stubs.OperatorServiceStub(channel), OPERATOR_METHODS, operator),  # type: ignore[arg-type]
        ]
        for stub, methods, module in services:
            for name in methods:
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await getattr(stub, name)(request_of(name, module))
                assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED, name
                request = request_of(name, module)
                if not hasattr(request, "namespace") or name in PUBLIC:
                    continue
                strange = (("authorization", f"Bearer {tokens['stranger']}"),)
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await getattr(stub, name)(request, metadata=strange)
                assert refused.value.code() in (
                    grpc.StatusCode.PERMISSION_DENIED,
                    grpc.StatusCode.INVALID_ARGUMENT,  # looked at before anything is done or told
                ), (name, refused.value.details())


async def test_an_api_key_is_a_token(secured: tuple[Server, dict[str, str]]) -> None:
    server, tokens = secured
    address = f"127.0.0.1:{server.temporal_port}"
    admin = await Client.connect(address, api_key=tokens["admin"], tls=False)
    handle = await admin.start_workflow("Anything", id="w", task_queue="q")
    reader = await Client.connect(address, api_key=tokens["reader"], tls=False)
    assert (await reader.get_workflow_handle("w").describe()).id == "w"
    with pytest.raises(RPCError) as refused:
        await reader.start_workflow("Anything", id="other", task_queue="q", rpc_timeout=timedelta(seconds=5))
    assert refused.value.status is RPCStatusCode.PERMISSION_DENIED
    poll = pb.PollWorkflowTaskQueueRequest(namespace="default", task_queue=TaskQueue(name="q"), identity="me")
    with pytest.raises(RPCError) as refused:
        await reader.workflow_service.poll_workflow_task_queue(poll, timeout=timedelta(seconds=5))
    assert refused.value.status is RPCStatusCode.PERMISSION_DENIED
    worker = await Client.connect(address, api_key=tokens["worker"], tls=False)
    task = await worker.workflow_service.poll_workflow_task_queue(poll, timeout=timedelta(seconds=20))
    assert task.workflow_execution.run_id == handle.first_execution_run_id
