"""A conversation: each call and what was answered, without what differs each time."""

import asyncio
import json
import re
import uuid
from collections.abc import Awaitable, Callable, ItemsView
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from temporalio.api.errordetails.v1 import message_pb2 as _details  # noqa: F401  # so that details can be read
from temporalio.api.operatorservice.v1 import request_response_pb2 as operator
from temporalio.api.operatorservice.v1 import service_pb2_grpc as operator_stubs
from temporalio.api.workflowservice.v1 import request_response_pb2 as workflow
from temporalio.api.workflowservice.v1 import service_pb2_grpc as workflow_stubs

NAMESPACE = "default"
TIME = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+Z$")
RUN_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FRACTION = re.compile(r"^\d+\.\d+s$")
A_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")

TOKENS = {"taskToken", "nextPageToken", "conflictToken"}
"""Only whether they are there is told."""

UNTOLD = {
    "BuildIds",
    "PinnedBuildId",
    "TemporalWorkerDeployment",
    "TemporalWorkerDeploymentVersion",
    "TemporalWorkflowVersioningBehavior",
    "autoResetPoints",
    "externalNamespaceId",
    "historySizeBytes",
    "namespaceId",
    "parentWorkflowNamespaceId",
    "prevAutoResetPoints",
    "stateTransitionCount",
    "suggestContinueAsNewReasons",
    "taskId",
}
"""Sizes, search attributes that are one server's own, and what one server has and others need not."""

MASK = "…"


def each(cases: dict[str, Any]) -> ItemsView[str, Any]:
    """Cases by their labels."""
    return cases.items()


Story = Callable[["Talk"], Awaitable[None]]


class Talk:
    """One story told to one server.

    Args:
        channel: to the server.
        name: of the story, with which its ids begin.
    """

    def __init__(self, channel: grpc.aio.Channel, name: str) -> None:
        self._stubs: list[Any] = [
            workflow_stubs.WorkflowServiceStub(channel),  # type: ignore[arg-type]  # made for either kind
            operator_stubs.OperatorServiceStub(channel),  # type: ignore[arg-type]
        ]
        self._unique = f"-{uuid.uuid4().hex[:10]}"
        self.id = name + self._unique
        """Of a workflow, a task queue or whatever else; the same in each recording."""
        self.said: list[str] = []
        self._runs: dict[str, str] = {}

    async def ask(self, label: str, method: str, seconds: float = 30, /, **fields: Any) -> Any:
        """Call a method, and note what it answers; the answer, or None if it refuses."""
        try:
            answer = await self.call(method, seconds, **fields)
        except grpc.aio.AioRpcError as error:
            self.note(label, f"{error.code().name}: {error.details()}", details=_details_of(error))
            return None
        self.note(label, answer)
        return answer

    async def call(self, method: str, seconds: float = 30, /, **fields: Any) -> Any:
        """Call a method, and note nothing."""
        is_workflow = hasattr(workflow, f"{method}Request")
        request = getattr(workflow if is_workflow else operator, f"{method}Request")()
        if "namespace" in request.DESCRIPTOR.fields_by_name and "namespace" not in fields:
            fields["namespace"] = NAMESPACE
        ParseDict(fields, request)
        return await getattr(self._stubs[not is_workflow], method)(request, timeout=seconds)

    def note(self, label: str, said: Any, *, details: Any = None) -> None:
        """Something that was said."""
        told = MessageToDict(said) if isinstance(said, Message) else said
        text = self._plain(told)
        line = text if isinstance(text, str) else json.dumps(text, sort_keys=True, ensure_ascii=False)
        if details:
            line += f" {json.dumps(self._plain(details), sort_keys=True, ensure_ascii=False)}"
        self.said.append(f"{label}: {line}".replace("\n", " "))

    # --- what most stories need

    async def start(self, label: str = "", /, **fields: Any) -> str:
        """Start a workflow of the story's own id on its own queue; the run's id. Noted under a label, if it has one."""
        given = {
            "workflowId": self.id,
            "workflowType": {"name": "Anything"},
            "taskQueue": {"name": self.id},
            "requestId": f"request-{self.id}",
            "identity": "caller",
            **fields,
        }
        if not label:
            run_id: str = (await self.call("StartWorkflowExecution", **given)).run_id
            self._run(run_id)
            return run_id
        answer = await self.ask(label, "StartWorkflowExecution", **given)
        return "" if answer is None else answer.run_id

    async def turn(self, queue: str = "", *, sticky: str = "", seconds: float = 20, **fields: Any) -> Any:
        """A workflow task of a queue."""
        named: dict[str, Any] = {"name": queue or self.id}
        if sticky:
            named = {"name": sticky, "kind": "TASK_QUEUE_KIND_STICKY", "normalName": queue or self.id}
        return await self.call("PollWorkflowTaskQueue", seconds, taskQueue=named, identity="worker", **fields)

    async def complete(self, task: Any, *commands: dict[str, Any], **fields: Any) -> Any:
        """Hand in a workflow task."""
        request = workflow.RespondWorkflowTaskCompletedRequest(task_token=task.task_token, namespace=NAMESPACE)
        ParseDict({"identity": "worker", "commands": list(commands), **fields}, request)
        return await self._stubs[0].RespondWorkflowTaskCompleted(request, timeout=30)

    async def answer_query(self, task: Any, result: str, **fields: Any) -> Any:
        """Answer a query that came by itself."""
        request = workflow.RespondQueryTaskCompletedRequest(task_token=task.task_token, namespace=NAMESPACE)
        ParseDict({"completedType": result, **fields}, request)
        return await self._stubs[0].RespondQueryTaskCompleted(request, timeout=30)

    async def history(self, label: str, workflow_id: str = "", run_id: str = "", *, last: int = 0) -> None:
        """Note a run's events up to this one, or all, one a line."""
        execution = {"workflowId": workflow_id or self.id, "runId": run_id}
        answer = await self.call("GetWorkflowExecutionHistory", execution=execution)
        del answer.history.events[last or len(answer.history.events) :]
        self.events(label, answer.history)

    def events(self, label: str, history: Message) -> None:
        """Note events, one a line."""
        for told in MessageToDict(history).get("events", ()):
            told.pop("eventTime", None)
            told.pop("taskId", None)
            if told["eventType"] == "EVENT_TYPE_WORKFLOW_TASK_STARTED":
                told["workflowTaskStartedEventAttributes"].pop(
                    "requestId", None
                )  # of the poll, which is nobody's matter
            if told["eventType"] == "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED":
                started = told["workflowExecutionStartedEventAttributes"]
                if started.get("initiator") == "CONTINUE_AS_NEW_INITIATOR_WORKFLOW":
                    # A server may hold back a run that continues itself too often.
                    started.pop("firstWorkflowTaskBackoff", None)
            number, kind = told.pop("eventId"), told.pop("eventType").removeprefix("EVENT_TYPE_")
            attributes: dict[str, Any] = next(
                (told.pop(key) for key in list(told) if key.endswith("EventAttributes")), {}
            )
            self.note(f"{label} {number} {kind}", {**attributes, **told})

    def _plain(self, value: Any) -> Any:
        if isinstance(value, dict):
            found = {}
            for key, inner in sorted(value.items()):
                if key in UNTOLD:
                    continue
                said = MASK if key in TOKENS and inner else self._plain(inner)
                # Nobody can tell what is empty from what is missing.
                if said not in ({}, [], "", "0s", None):
                    found[key.replace(self._unique, "")] = said
            return found
        if isinstance(value, list):
            return [self._plain(item) for item in value]
        if isinstance(value, str):
            if TIME.match(value):
                return MASK
            if FRACTION.match(value):
                return MASK
            said = value.replace(self._unique, "")
            return A_TIME.sub(MASK, RUN_ID.sub(lambda found: self._run(found.group()), said))
        return value

    def _run(self, run_id: str) -> str:
        return self._runs.setdefault(run_id, f"id{len(self._runs) + 1}")


def _details_of(error: grpc.aio.AioRpcError) -> list[Any]:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = Status.FromString(value)
            return [MessageToDict(one) for one in status.details]
    return []


async def tell(address: str, stories: dict[str, Story]) -> dict[str, list[str]]:
    """What each story comes to on a server; all are told at once."""
    async with grpc.aio.insecure_channel(address) as channel:

        async def one(name: str, story: Story) -> list[str]:
            talk = Talk(channel, name)
            try:
                async with asyncio.timeout(100):
                    await story(talk)
            except (grpc.aio.AioRpcError, TimeoutError) as error:
                talk.note("broken off", repr(error)[:600])
            return talk.said

        found = await asyncio.gather(*(one(name, story) for name, story in stories.items()))
    return dict(zip(stories, found, strict=True))
