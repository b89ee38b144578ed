"""A server in this process, on both stores, with Temporal's own Python SDK as client and worker."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from temporalio.api.workflowservice.v1 import service_pb2_grpc as stubs
from temporalio.client import Client

from perdure.app.server import Server


@pytest.fixture(params=["memory", "sqlite"])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Server]:
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'temporal.db'}"
    server = Server(url, rest_address="127.0.0.1:0", grpc_address="127.0.0.1:0", temporal_address="127.0.0.1:0")
    await server.open()
    yield server
    await server.close()


@pytest.fixture
async def client(server: Server) -> Client:
    return await Client.connect(f"127.0.0.1:{server.temporal_port}")


@pytest.fixture
async def raw(server: Server) -> AsyncIterator[stubs.WorkflowServiceStub]:
    """The protocol by hand."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.temporal_port}") as channel:
        yield stubs.WorkflowServiceStub(channel)  # type: ignore[arg-type]  # the stub is made for either kind


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """One folder for all processes of this test run."""
    folder = tmp_path_factory.getbasetemp()
    return folder if worker_id == "master" else folder.parent
