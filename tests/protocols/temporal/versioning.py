"""A deployment's life, told by Temporal's Python SDK to any server of its protocol; recorded from Temporal's own
(`recorded/versioning.json`).

    python -m tests.protocols.temporal.versioning 127.0.0.1:7233 > tests/protocols/temporal/recorded/versioning.json
"""

import asyncio
import json
import re
import sys
import uuid
from collections.abc import Awaitable
from typing import Any

from google.protobuf.json_format import MessageToDict
from temporalio import workflow
from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.deployment.v1 import WorkerDeploymentVersion as Named
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkerDeploymentConfig

NAMESPACE = "default"


class _Waits:
    def __init__(self) -> None:
        self.goes_on = False

    @workflow.signal
    def finish(self) -> None:
        self.goes_on = True


@workflow.defn(name="Stays", versioning_behavior=VersioningBehavior.PINNED)
class Stays1(_Waits):
    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.goes_on)
        return "1.0"


@workflow.defn(name="Stays", versioning_behavior=VersioningBehavior.PINNED)
class Stays2(_Waits):
    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.goes_on)
        return "2.0"


@workflow.defn(name="Moves", versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class Moves1(_Waits):
    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.goes_on)
        return "1.0"


@workflow.defn(name="Moves", versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class Moves2(_Waits):
    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.goes_on)
        return "2.0"


CODE: dict[str, list[type]] = {"1.0": [Stays1, Moves1], "2.0": [Stays2, Moves2]}
LEFT_OUT = re.compile(r"Time$|Token$|^revisionNumber$|^drainageInfo$|^lastModifierIdentity$|^routingConfigUpdateState$")
"""When and by whom; and drainage is looked at in the status."""


class Teller:
    """Tells it to one server, about a deployment and a queue of its own."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.service = client.workflow_service
        self.name = f"orders-{uuid.uuid4().hex[:8]}"
        self.queue = f"queue-{self.name}"
        self.told: dict[str, Any] = {}

    def worker(self, build_id: str) -> Worker:
        """Of one version."""
        config = WorkerDeploymentConfig(
            version=WorkerDeploymentVersion(self.name, build_id), use_worker_versioning=True
        )
        return Worker(
            self.client,
            task_queue=self.queue,
            workflows=CODE[build_id],
            deployment_config=config,
            workflow_runner=UnsandboxedWorkflowRunner(),
        )

    async def tell(self, name: str, call: Awaitable[Any]) -> None:
        """Note an answer, or a refusal."""
        try:
            said: Any = self.plain(MessageToDict(await call))
        except RPCError as error:
            said = [error.status.name, self.plain(error.message)]
        self.told[name] = said

    def plain(self, value: Any) -> Any:
        """Without what differs each time."""
        if isinstance(value, dict):
            return {key: self.plain(one) for key, one in value.items() if not LEFT_OUT.search(key)}
        if isinstance(value, list):
            return [self.plain(one) for one in value]
        return value.replace(self.name, "NAME") if isinstance(value, str) else value

    def named(self, build_id: str) -> Named:
        """A version."""
        return Named(deployment_name=self.name, build_id=build_id)

    def current(self, build_id: str, **more: Any) -> Awaitable[Any]:
        """Make a version current."""
        request = pb.SetWorkerDeploymentCurrentVersionRequest(
            namespace=NAMESPACE, deployment_name=self.name, build_id=build_id, identity="me", **more
        )
        return self.service.set_worker_deployment_current_version(request)

    def ramp(self, build_id: str, percentage: float) -> Awaitable[Any]:
        """Let a version ramp."""
        request = pb.SetWorkerDeploymentRampingVersionRequest(
            namespace=NAMESPACE, deployment_name=self.name, build_id=build_id, percentage=percentage, identity="me"
        )
        return self.service.set_worker_deployment_ramping_version(request)

    def describe(self) -> Awaitable[Any]:
        """All of the deployment."""
        request = pb.DescribeWorkerDeploymentRequest(namespace=NAMESPACE, deployment_name=self.name)
        return self.service.describe_worker_deployment(request)

    def delete(self, build_id: str) -> Awaitable[Any]:
        """Forget a version."""
        request = pb.DeleteWorkerDeploymentVersionRequest(namespace=NAMESPACE, deployment_version=self.named(build_id))
        return self.service.delete_worker_deployment_version(request)

    async def until_there(self, build_id: str) -> None:
        """Until the server knows a version, and the queue that it serves."""
        request = pb.DescribeWorkerDeploymentVersionRequest(
            namespace=NAMESPACE, deployment_version=self.named(build_id)
        )
        while True:
            try:
                found = await self.service.describe_worker_deployment_version(request)
            except RPCError:
                await asyncio.sleep(0.2)
                continue
            if found.version_task_queues:
                return
            await asyncio.sleep(0.2)

    async def until_taken(self, *ids: str) -> None:
        """Until the first turn of runs was taken."""
        for name in ids:
            while (
                await self.client.get_workflow_handle(name).describe()
            ).raw_description.workflow_execution_info.history_length < 4:
                await asyncio.sleep(0.1)

    async def versioning_of(self, name: str) -> None:
        """Note what is told of a run."""
        request = pb.DescribeWorkflowExecutionRequest(
            namespace=NAMESPACE, execution=WorkflowExecution(workflow_id=name)
        )
        found = (await self.service.describe_workflow_execution(request)).workflow_execution_info
        said = [MessageToDict(found.versioning_info), found.worker_deployment_name]
        said += [found.most_recent_worker_version_stamp.build_id]
        history = await self.client.get_workflow_handle(name).fetch_history()
        for event in history.events:
            if event.HasField("workflow_task_completed_event_attributes"):
                turn = MessageToDict(event.workflow_task_completed_event_attributes)
                kept = ("workerVersion", "versioningBehavior", "workerDeploymentName", "deploymentVersion")
                said.append({key: turn.get(key) for key in kept})
        self.told[f"run {name.partition('-')[0]}, {len(self.told)}"] = self.plain(said)

    async def all(self) -> dict[str, Any]:
        """The story."""
        stays, moves = f"stays-{self.name}", f"moves-{self.name}"
        async with self.worker("1.0"):
            await self.until_there("1.0")
            await self.tell("at first", self.describe())
            await self.tell("current: unknown", self.current("9.9"))
            await self.tell("current: another token", self.current("1.0", conflict_token=b"x"))
            await self.tell("current: 1.0", self.current("1.0"))
            for name, kind in ((stays, "Stays"), (moves, "Moves")):
                await self.client.start_workflow(kind, id=name, task_queue=self.queue)
            await self.until_taken(stays, moves)
            await self.versioning_of(stays)
            await self.versioning_of(moves)
            async with self.worker("2.0"):
                await self.until_there("2.0")
                await self.tell("ramp: too much", self.ramp("2.0", 101))
                await self.tell("ramp: the current one", self.ramp("1.0", 10))
                await self.tell("ramp: a half", self.ramp("2.0", 50))
                await self.tell("while it ramps", self.describe())
                await self.tell("current: 2.0", self.current("2.0"))
                await asyncio.sleep(1)  # Temporal's server tells its queues in its own time.
                await self.tell("afterwards", self.describe())
                await self.tell("delete: draining", self.delete("1.0"))
                await self.tell("delete: current", self.delete("2.0"))
                await self.tell("delete: unknown", self.delete("9.9"))
                for entries, removed in (({}, []), ({"team": Payload(data=b"a")}, []), ({}, ["team"])):
                    request = pb.UpdateWorkerDeploymentVersionMetadataRequest(
                        namespace=NAMESPACE, deployment_version=self.named("1.0"), upsert_entries=entries
                    )
                    request.remove_entries.extend(removed)
                    call = self.service.update_worker_deployment_version_metadata(request)
                    await self.tell(f"metadata: {sorted(entries)} {removed}", call)
                for name in (stays, moves):
                    handle = self.client.get_workflow_handle(name, result_type=str)
                    await handle.signal("finish")
                    self.told[f"{name.partition('-')[0]} ends with"] = await asyncio.wait_for(handle.result(), 20)
                await self.versioning_of(moves)
        nobody = pb.DescribeWorkerDeploymentRequest(namespace=NAMESPACE, deployment_name="nobody")
        await self.tell("nobody's", self.service.describe_worker_deployment(nobody))
        unknown = pb.DescribeWorkerDeploymentVersionRequest(namespace=NAMESPACE, deployment_version=self.named("9.9"))
        await self.tell("no such version", self.service.describe_worker_deployment_version(unknown))
        return self.told


async def main(address: str) -> None:
    told = await Teller(await Client.connect(address)).all()
    print("{\n" + ",\n".join(f"{json.dumps(key)}: {json.dumps(said)}" for key, said in told.items()) + "\n}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
