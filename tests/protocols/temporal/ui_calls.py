"""What Temporal's web page asks of a server, asked of any; recorded from Temporal's own (`recorded/ui_calls.json`).

python -m tests.protocols.temporal.ui_calls 127.0.0.1:7233 > tests/protocols/temporal/recorded/ui_calls.json
"""

import asyncio
import json
import re
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message_factory import GetMessageClass
from temporalio.api.operatorservice.v1 import service_pb2 as operator_pb
from temporalio.api.workflowservice.v1 import service_pb2 as workflow_pb
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from tests.protocols.temporal.test_slice import Hello, greet

METHODS: dict[str, Any] = {
    method.name: method
    for service in (
        workflow_pb.DESCRIPTOR.services_by_name["WorkflowService"],
        operator_pb.DESCRIPTOR.services_by_name["OperatorService"],
    )
    for method in service.methods
}
SPACE = {"namespace": "default"}
TARGET = {"worker": {"namespace": "default", "taskQueue": "q"}}
NOBODY = "0b2e8a5e-9d5a-4c59-9a0e-1c2d3e4f5a6b"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Teller:
    """Asks one server, about a run, a schedule and an endpoint of its own."""

    def __init__(self, address: str, channel: grpc.aio.Channel) -> None:
        self.address = address
        self.channel = channel
        self.told: dict[str, Any] = {}
        self.name = f"ui-{uuid.uuid4().hex[:8]}"

    async def ask(self, label: str, method: str, **fields: Any) -> Any:
        """Note the status, and the fields of the answer or the message of the refusal."""
        about = METHODS[method]
        rpc: Any = self.channel.unary_unary(
            f"/{about.containing_service.full_name}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(about.output_type).FromString,
        )
        request = ParseDict(fields, GetMessageClass(about.input_type)())
        try:
            answer = MessageToDict(await rpc(request, metadata=[("client-name", "temporal-ui")], timeout=20))
        except grpc.aio.AioRpcError as error:
            said = (error.details() or "").replace(self.name, "NAME")
            self.told[f"{method}: {label}"] = [error.code().name, UUID.sub("*", said)]
            return {}
        self.told[f"{method}: {label}"] = ["OK", *sorted({self.plain(path) for path in paths(answer)})]
        return answer

    def plain(self, text: str) -> str:
        """Without what differs each time."""
        return UUID.sub("*", text).replace(self.name, "NAME")

    async def all(self) -> dict[str, Any]:
        """Page after page."""
        client, name = await Client.connect(self.address), self.name
        queue = {"name": name}
        async with Worker(
            client, task_queue=name, workflows=[Hello], activities=[greet], workflow_runner=UnsandboxedWorkflowRunner()
        ):
            await client.execute_workflow(Hello.run, "you", id=name, task_queue=name)
            for kind in ("TASK_QUEUE_TYPE_WORKFLOW", "TASK_QUEUE_TYPE_ACTIVITY"):
                await self.ask(kind, "DescribeTaskQueue", **SPACE, taskQueue=queue, taskQueueType=kind)
        await self.ask("at first", "GetSystemInfo")
        await self.ask("at first", "GetClusterInfo")
        await self.ask("all", "ListNamespaces", pageSize=50)
        await self.ask("the one", "DescribeNamespace", **SPACE)
        await self.ask("none", "DescribeNamespace", namespace="nowhere")
        await self.ask("all", "ListSearchAttributes", **SPACE)
        for _ in range(50):  # Temporal's search finds it a moment later.
            found = await self.ask("one", "ListWorkflowExecutions", **SPACE, pageSize=100, query=f'WorkflowId="{name}"')
            if found.get("executions"):
                break
            await asyncio.sleep(0.1)
        await self.ask("wrong", "ListWorkflowExecutions", **SPACE, query="Nonsense nonsense")
        await self.ask("by status", "CountWorkflowExecutions", **SPACE, query="GROUP BY ExecutionStatus")
        execution = {"workflowId": name}
        await self.ask("the run", "DescribeWorkflowExecution", **SPACE, execution=execution)
        await self.ask("none", "DescribeWorkflowExecution", **SPACE, execution={"workflowId": "none"})
        await self.ask(
            "from its end", "GetWorkflowExecutionHistoryReverse", **SPACE, execution=execution, maximumPageSize=100
        )
        await self.ask("from its beginning", "GetWorkflowExecutionHistory", **SPACE, execution=execution)
        query = {"queryType": "__stack_trace"}
        await self.ask("stack trace", "QueryWorkflow", **SPACE, execution={"workflowId": "none"}, query=query)
        await self.ask("none", "ListSchedules", **SPACE, maximumPageSize=10, query="TemporalSchedulePaused=true")
        await self.ask("none", "DescribeSchedule", **SPACE, scheduleId=f"none-{name}")
        await self.ask("none", "DescribeBatchOperation", **SPACE, jobId=NOBODY)
        await self.ask("all", "ListBatchOperations", **SPACE)
        await self.ask("none", "DescribeWorkerDeployment", **SPACE, deploymentName="none")
        await self.ask("workers", "ListWorkers", **SPACE)
        await self.ask("one", "DescribeWorker", **SPACE, workerInstanceKey="none")
        await self.ask("rules", "ListWorkflowRules", **SPACE)
        await self.ask("before its successor", "ListDeployments", **SPACE)
        await self.endpoints()
        return self.told

    async def endpoints(self) -> None:
        """The page of Nexus endpoints."""
        spec = {"name": self.name, "target": TARGET}
        made = (await self.ask("new", "CreateNexusEndpoint", spec=spec)).get("endpoint", {})
        await self.ask("again", "CreateNexusEndpoint", spec=spec)
        await self.ask("without anything", "CreateNexusEndpoint", spec={})
        await self.ask("with a blank", "CreateNexusEndpoint", spec={"name": "x x", "target": TARGET})
        nowhere = {"worker": {"namespace": "nowhere", "taskQueue": "q"}}
        await self.ask("to nowhere", "CreateNexusEndpoint", spec={"name": "xx", "target": nowhere})
        id = made.get("id", NOBODY)
        await self.ask("one", "GetNexusEndpoint", id=id)
        await self.ask("none", "GetNexusEndpoint", id=NOBODY)
        await self.ask("one", "ListNexusEndpoints", name=self.name)
        await self.ask("another version", "UpdateNexusEndpoint", id=id, version=9, spec=spec)
        await self.ask("this version", "UpdateNexusEndpoint", id=id, version=1, spec=spec)
        await self.ask("one", "DeleteNexusEndpoint", id=id, version=2)
        await self.ask("none", "DeleteNexusEndpoint", id=NOBODY, version=1)


def paths(value: Any, path: str = "") -> Iterator[str]:
    """All fields that are set."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from paths(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, f"{path}[]")
    else:
        yield path


async def main(address: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        told = await Teller(address, channel).all()
    print("{\n" + ",\n".join(f"{json.dumps(key)}: {json.dumps(said)}" for key, said in told.items()) + "\n}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
