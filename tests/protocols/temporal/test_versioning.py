"""Deployments of workers with Temporal's Python SDK: pinned runs stay with their version, others go along."""

import json
from pathlib import Path

from temporalio.api.workflowservice.v1 import request_response_pb2 as pb
from temporalio.client import Client
from temporalio.common import PinnedVersioningOverride, WorkerDeploymentVersion
from tests.protocols.temporal.versioning import NAMESPACE, Teller

from perdure.app.server import Server

RECORDED = Path(__file__).parent / "recorded" / "versioning.json"
LOCAL = {"rest_address": "127.0.0.1:0", "grpc_address": "127.0.0.1:0", "temporal_address": "127.0.0.1:0"}


async def test_the_life_of_a_deployment(client: Client) -> None:
    told = await Teller(client).all()
    recorded = json.loads(RECORDED.read_text())
    assert list(told) == list(recorded)
    for name, said in recorded.items():
        assert told[name] == said, name


async def test_a_ramp_takes_its_share_and_outlives_the_server(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ramp.db'}"
    server = Server(url, **LOCAL)  # type: ignore[arg-type]  # all are addresses
    await server.open()
    client = await Client.connect(f"127.0.0.1:{server.temporal_port}")
    teller = Teller(client)
    async with teller.worker("1.0"), teller.worker("2.0"):
        await teller.until_there("1.0")
        await teller.until_there("2.0")
        await teller.current("1.0")
        await teller.ramp("2.0", 25)
    await server.close()
    server = Server(url, **LOCAL)  # type: ignore[arg-type]
    await server.open()
    try:
        client = teller.client = await Client.connect(f"127.0.0.1:{server.temporal_port}")
        teller.service = client.workflow_service
        counts = {"1.0": 0, "2.0": 0}
        async with teller.worker("1.0"), teller.worker("2.0"):
            for number in range(40):
                id = f"moves-{number}"
                await client.start_workflow("Moves", id=id, task_queue=teller.queue, start_signal="finish")
                counts[await client.get_workflow_handle(id, result_type=str).result()] += 1
            # Pinned from the start, whatever is current.
            pinned = await client.start_workflow(
                "Moves",
                id="pinned",
                task_queue=teller.queue,
                start_signal="finish",
                versioning_override=PinnedVersioningOverride(WorkerDeploymentVersion(teller.name, "2.0")),
                result_type=str,
            )
            assert await pinned.result() == "2.0"
        # The share is of workflow ids, so it is the same each time.
        assert 4 <= counts["2.0"] <= 20 and sum(counts.values()) == 40
        found = await client.workflow_service.list_worker_deployments(
            pb.ListWorkerDeploymentsRequest(namespace=NAMESPACE)
        )
        assert [one.name for one in found.worker_deployments] == [teller.name]
    finally:
        await server.close()
