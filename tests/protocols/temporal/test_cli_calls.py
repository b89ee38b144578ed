"""What Temporal's command line asks of a server, asked again here: the same status codes, and answers of the same shape.

``recorded/cli_calls.json`` was written by ``record_cli``. Ids that the server makes up are replaced by ours as they come. A shape
is the set of all fields that an answer has; ours has those that Temporal's had, but for the exceptions below.
"""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message_factory import GetMessageClass
from temporalio.api.operatorservice.v1 import service_pb2 as operator_pb
from temporalio.api.workflowservice.v1 import service_pb2 as workflow_pb
from temporalio.client import Client
from tests.protocols.temporal.cli_workflows import worker

from perdure.app.server import Server
from perdure.protocols.temporal.services import OPERATOR_METHODS, WORKFLOW_METHODS

CALLS = json.loads((Path(__file__).parent / "recorded" / "cli_calls.json").read_text())
SERVED = {**WORKFLOW_METHODS, **OPERATOR_METHODS}
METHODS = {
    method.name: method
    for service in (
        workflow_pb.DESCRIPTOR.services_by_name["WorkflowService"],
        operator_pb.DESCRIPTOR.services_by_name["OperatorService"],
    )
    for method in service.methods
}

BUILD_IDS = "searchAttributes.indexedFields.BuildIds"
EVENTS = "history.events[]"
LACKING: dict[str, tuple[str, ...]] = {
    "GetSystemInfo": ("capabilities.buildIdBasedVersioning", "capabilities.nexus"),
    "GetClusterInfo": ("supportedClients.Nexus-go-sdk",),
    "ListClusters": ("clusters[].address", "clusters[].httpAddress"),
    "ListNamespaces": ("namespaces[].namespaceInfo.ownerEmail",),
    "ListSearchAttributes": ("systemAttributes",),
    "StartWorkflowExecution": ("link",),
    "ExecuteMultiOperation": ("responses[].startWorkflow.link",),
    "DescribeWorkflowExecution": (
        "workflowExecutionInfo.autoResetPoints",
        "workflowExecutionInfo.mostRecentWorkerVersionStamp",
        f"workflowExecutionInfo.{BUILD_IDS}",
        "workflowExtendedInfo",
    ),
    "GetWorkflowExecutionHistory": (
        f"{EVENTS}.workflowExecutionStartedEventAttributes.searchAttributes.indexedFields.CliKeyword.metadata.type",
        f"{EVENTS}.workflowTaskCompletedEventAttributes.workerVersion",
        f"{EVENTS}.workflowTaskStartedEventAttributes",
        "nextPageToken",  # whether a history goes on is chance
    ),
    "UpdateWorkflowExecution": ("outcome",),  # whether an accepted one has ended already is chance
    "ListWorkflowExecutions": (
        "executions[].historySizeBytes",
        f"executions[].{BUILD_IDS}",
        "executions[].stateTransitionCount",
    ),
    "DescribeTaskQueue": (
        "versionsInfo..typesInfo.1.pollers[].workerVersionCapabilities",
        "versionsInfo..typesInfo.1.stats.tasks",  # turns are not counted
    ),
    "ListTaskQueuePartitions": ("activityTaskQueuePartitions[]", "workflowTaskQueuePartitions[]"),
    "ListSchedules": ("schedules[].info.spec.jitter",),
    "DescribeSchedule": ("schedule.spec.jitter", "schedule.spec.interval[].phase"),
}
"""Beginnings of fields that Temporal's server gives and this one does not: versions of workers, Nexus, links, and zeros."""

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TOKENS = ("Token",)


def paths(value: Any, path: str = "") -> Iterator[str]:
    """All fields that are set; the names in a map of payloads are fields, too."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from paths(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, f"{path}[]")
    else:
        yield path


def learn(theirs: Any, ours: Any, known: dict[str, str], name: str = "") -> None:
    """Which of our ids stands for which of theirs."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in theirs.keys() & ours.keys():
            learn(theirs[key], ours[key], known, key)
    elif isinstance(theirs, list) and isinstance(ours, list):
        for one, other in zip(theirs, ours, strict=False):
            learn(one, other, known, name)
    elif isinstance(theirs, str) and isinstance(ours, str) and (UUID.fullmatch(theirs) or name.endswith(TOKENS)):
        known[theirs] = ours


def replaced(value: Any, known: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: replaced(inner, known) for name, inner in value.items()}
    if isinstance(value, list):
        return [replaced(inner, known) for inner in value]
    return known.get(value, value) if isinstance(value, str) else value


async def ask(channel: grpc.aio.Channel, call: dict[str, Any], known: dict[str, str]) -> tuple[str, str, Any]:
    """Status, message and answer."""
    method = METHODS[call["method"]]
    message = ParseDict(replaced(call["request"], known), GetMessageClass(method.input_type)())
    rpc: Any = channel.unary_unary(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    try:
        answer = await rpc(message, metadata=[("client-name", "temporal-cli")], timeout=30)
    except grpc.aio.AioRpcError as error:
        return error.code().name, error.details() or "", None
    return "OK", "", MessageToDict(answer)


def lacking(call: dict[str, Any], answer: Any) -> set[str]:
    found = set(paths(answer)) if answer is not None else set()
    theirs = {UUID.sub("*", path) for path in paths(call.get("answer"))}
    ours = {UUID.sub("*", path) for path in found}
    return {path for path in theirs - ours - {""} if not path.startswith(LACKING.get(call["method"], ()))}


async def test_the_commands_of_temporal_s_command_line(server: Server, client: Client) -> None:
    problems: list[str] = []
    known: dict[str, str] = {}
    async with worker(client), grpc.aio.insecure_channel(f"127.0.0.1:{server.temporal_port}") as channel:
        for call in CALLS:
            if (token := call["request"].get("nextPageToken")) and token not in known:
                continue
            expected = call.get("status", "OK") if call["method"] in SERVED else "UNIMPLEMENTED"
            status, message, answer = await ask(channel, call, known)
            # What was begun before may take a moment to be seen.
            for _ in range(100):
                is_same = status == expected and (status != "OK" or not lacking(call, answer))
                if is_same or not call["method"].startswith(("Describe", "List", "Count")):
                    break
                await asyncio.sleep(0.05)
                status, message, answer = await ask(channel, call, known)
            learn(call.get("answer"), answer, known)
            if status != expected:
                problems.append(f"{call['command']}: {call['method']}: {status} {message}, not {expected}")
            elif status == "OK" and (missing := lacking(call, answer)):
                problems.append(f"{call['command']}: {call['method']}: lacks {sorted(missing)}")
    assert not problems, "\n".join(problems)
