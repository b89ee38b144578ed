"""Temporal's listener asks who calls, and lets nobody do what their role does not allow: tokens are API keys, and TLS is TLS."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from temporalio.api.operatorservice.v1 import service_pb2_grpc as operator_stubs
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb
from temporalio.api.workflowservice.v1 import service_pb2_grpc as stubs
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode, TLSConfig
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from tests.protocols.temporal.asked import ASKED, SERVED, request
from tests.protocols.temporal.test_slice import Hello, greet
from tests.security.authority import Authority

from perdure.app.access import Access, FileSession, file_administration
from perdure.app.server import Server
from perdure.model.access import ALL_NAMESPACES, ALLOWED, Permission, Role
from perdure.model.errors import InvalidArgumentError
from perdure.protocols.temporal.service_old_versioning import DISABLED
from perdure.protocols.temporal.services import OPERATOR_METHODS

DENIED = grpc.StatusCode.PERMISSION_DENIED
LOCAL: dict[str, Any] = {
    "rest_address": "127.0.0.1:0",
    "grpc_address": "127.0.0.1:0",
    "temporal_address": "127.0.0.1:0",
}


async def tokens_of(url: str, *grants: str) -> dict[str, str]:
    """A token for each of these grants."""
    async with file_administration(url) as administration:
        made = [await administration.create_token(FileSession("me"), "file", one, [one], 0) for one in grants]
    return dict(zip(grants, (text for _, text in made), strict=True))


@pytest.fixture
async def secured(tmp_path: Path) -> AsyncIterator[tuple[Server, dict[str, str]]]:
    url = f"sqlite:///{tmp_path / 'secured.db'}"
    roles = [f"{role}:default" for role in Role]
    tokens = await tokens_of(url, "admin", "admin:elsewhere", *roles)
    access = Access(authentication="tokens", failed_attempts_per_minute=0)
    server = Server(url, access=access, **LOCAL)
    await server.open()
    yield server, tokens
    await server.close()


Ask = Callable[..., Any]


@pytest.fixture
async def ask(secured: tuple[Server, dict[str, str]]) -> AsyncIterator[Ask]:
    """Call a method with a token; the status that it ends with."""
    server, tokens = secured
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.temporal_port}") as channel:
        workflow: Any = stubs.WorkflowServiceStub(channel)  # type: ignore[arg-type]  # made for either kind
        operator: Any = operator_stubs.OperatorServiceStub(channel)  # type: ignore[arg-type]

        async def ask(name: str, grant: str) -> grpc.StatusCode:
            stub = operator if name in OPERATOR_METHODS else workflow
            said = (("authorization", f"Bearer {tokens[grant]}"),) if grant else ()
            try:
                # A second before the caller gives up a poll is answered, so these are at once.
                await getattr(stub, name)(request(name), metadata=said, timeout=1.0)
            except grpc.aio.AioRpcError as error:
                return error.code()
            return grpc.StatusCode.OK

        yield ask


def test_the_table_of_methods_is_whole() -> None:
    assert sorted(ASKED) == sorted(SERVED), "say of a new method who may call it"


async def test_every_method_asks_who_calls(ask: Ask) -> None:
    for name in SERVED:
        assert await ask(name, "") is grpc.StatusCode.UNAUTHENTICATED, name


async def test_every_method_is_for_the_roles_that_the_table_says(ask: Ask) -> None:
    # What removes comes last.
    for name in sorted(SERVED, key=lambda name: name.startswith("Delete")):
        need = ASKED[name]
        if not (need.anywhere and need.any_of == (Permission.READ,)):
            assert await ask(name, "admin:elsewhere") is DENIED, f"{name}, from another namespace"
        for role in Role:
            may = any(permission in ALLOWED[role] for permission in need.any_of)
            if need.anywhere and Permission.ADMINISTER in need.any_of:
                assert await ask(name, f"{role}:default") is DENIED, f"{name} is for admins of {ALL_NAMESPACES}"
            else:
                code = await ask(name, f"{role}:default")
                assert (code is not DENIED) is may, f"{name} by {role}: {code}"
        code = await ask(name, "admin")
        assert code is not DENIED or name in DISABLED, f"{name}: {code}"
        assert code not in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNIMPLEMENTED), f"{name}: {code}"


async def test_an_api_key_is_a_token(secured: tuple[Server, dict[str, str]]) -> None:
    server, tokens = secured
    address = f"127.0.0.1:{server.temporal_port}"
    admin = await Client.connect(address, api_key=tokens["admin"], tls=False)
    handle = await admin.start_workflow("Anything", id="w", task_queue="q")
    reader = await Client.connect(address, api_key=tokens["reader:default"], tls=False)
    assert (await reader.get_workflow_handle("w").describe()).id == "w"
    with pytest.raises(RPCError) as refused:
        await reader.start_workflow("Anything", id="other", task_queue="q", rpc_timeout=timedelta(seconds=5))
    assert refused.value.status is RPCStatusCode.PERMISSION_DENIED
    poll = pb.PollWorkflowTaskQueueRequest(namespace="default", task_queue=TaskQueue(name="q"), identity="me")
    with pytest.raises(RPCError) as refused:
        await reader.workflow_service.poll_workflow_task_queue(poll, timeout=timedelta(seconds=5))
    assert refused.value.status is RPCStatusCode.PERMISSION_DENIED
    worker = await Client.connect(address, api_key=tokens["worker:default"], tls=False)
    task = await worker.workflow_service.poll_workflow_task_queue(poll, timeout=timedelta(seconds=20))
    assert task.workflow_execution.run_id == handle.first_execution_run_id


# --- TLS, with the options of a real SDK


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def tls(authority: Authority, files: tuple[str, str] | None = None) -> TLSConfig:
    certificate, key = (Path(name).read_bytes() for name in files) if files else (None, None)
    return TLSConfig(
        server_root_ca_cert=Path(authority.ca).read_bytes(), client_cert=certificate, client_private_key=key
    )


def worker_of(client: Client) -> Worker:
    runner = UnsandboxedWorkflowRunner()
    return Worker(client, task_queue="q", workflows=[Hello], activities=[greet], workflow_runner=runner)


async def test_an_sdk_with_tls_and_an_api_key(tmp_path: Path, authority: Authority) -> None:
    certificate, key = authority.issue("server")
    url = f"sqlite:///{tmp_path / 'tls.db'}"
    tokens = await tokens_of(url, "operator", "worker", "reader")
    access = Access(authentication="tokens", tls_certificate=certificate, tls_key=key)
    server = Server(url, access=access, **LOCAL)
    await server.open()
    try:
        address = f"localhost:{server.temporal_port}"
        operator = await Client.connect(address, tls=tls(authority), api_key=tokens["operator"])
        working = await Client.connect(address, tls=tls(authority), api_key=tokens["worker"])
        async with worker_of(working):
            assert await operator.execute_workflow(Hello.run, "you", id="w", task_queue="q") == "Hello, you!"
        # A key that is changed while the client lives holds from then on.
        operator.api_key = tokens["reader"]
        with pytest.raises(RPCError) as refused:
            await operator.start_workflow(Hello.run, "you", id="again", task_queue="q")
        assert refused.value.status is RPCStatusCode.PERMISSION_DENIED
        with pytest.raises(RuntimeError, match="Unauthenticated"):
            await Client.connect(address, tls=tls(authority), api_key="nonsense")
        # Who does not trust the issuer does not connect, and plain text gets nowhere.
        for other in (True, False):
            with pytest.raises(RuntimeError):
                await Client.connect(address, tls=other, api_key=tokens["operator"])
    finally:
        await server.close()


async def test_an_sdk_with_a_certificate_of_its_own(tmp_path: Path, authority: Authority) -> None:
    certificate, key = authority.issue("server")
    (tmp_path / "other").mkdir()
    forged = Authority(tmp_path / "other", "other").issue("worker-1")
    access = Access(
        tls_certificate=certificate,
        tls_key=key,
        tls_client_ca=authority.ca,
        tls_clients="worker-1=worker+operator,onlooker=reader",
    )
    server = Server("memory://", access=access, **LOCAL)
    await server.open()
    try:
        address = f"localhost:{server.temporal_port}"
        client = await Client.connect(address, tls=tls(authority, authority.issue("worker-1")))
        async with worker_of(client):
            assert await client.execute_workflow(Hello.run, "you", id="w", task_queue="q") == "Hello, you!"
        onlooker = await Client.connect(address, tls=tls(authority, authority.issue("onlooker")))
        assert (await onlooker.get_workflow_handle("w").describe()).id == "w"
        with pytest.raises(RPCError) as refused:
            await onlooker.get_workflow_handle("w").terminate()
        assert refused.value.status is RPCStatusCode.PERMISSION_DENIED
        with pytest.raises(RuntimeError, match="'stranger' is good, but grants no role"):
            await Client.connect(address, tls=tls(authority, authority.issue("stranger")))
        for files in (forged, None):
            with pytest.raises(RuntimeError):
                await Client.connect(address, tls=tls(authority, files))
    finally:
        await server.close()


async def test_others_reach_the_listener_with_authentication_alone() -> None:
    server = Server("memory://", **{**LOCAL, "temporal_address": "0.0.0.0:0"})
    with pytest.raises(InvalidArgumentError, match=r"temporal_address is 0\.0\.0\.0:0, which others can reach"):
        await server.open()
