"""What a hostile or broken client may send, and what is told: asked of any server of Temporal's protocol, and recorded from
Temporal's own (`recorded/refusals.json`).

    python -m tests.protocols.temporal.refusals 127.0.0.1:7233 > tests/protocols/temporal/recorded/refusals.json
"""

import asyncio
import json
import re
import sys
from collections.abc import Awaitable, Mapping
from typing import Any

import grpc
import msgspec
from google.protobuf.json_format import ParseDict
from temporalio.api.command.v1 import Command, RecordMarkerCommandAttributes
from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import CommandType, EventType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb
from temporalio.api.workflowservice.v1 import service_pb2_grpc as stubs

NAMESPACE = "default"
SERVICE = "/temporal.api.workflowservice.v1.WorkflowService/"
RANDOM = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BIG = "x" * 1001


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """The status and message of a call; of a turn that was handed in also the run's events, and why a turn failed."""

    status: str
    message: str
    events: list[str] = []
    failures: list[str] = []


def command(name: str, **attributes: Any) -> Command:
    """A command by its type's name."""
    made = Command(command_type=CommandType.Value(f"COMMAND_TYPE_{name.upper()}"))
    given = getattr(made, f"{name}_command_attributes")
    given.SetInParent()
    ParseDict(attributes, given)
    return made


def timer(name: str = "t", seconds: int = 1000) -> Command:
    """Starts a timer."""
    return command("start_timer", timerId=name, startToFireTimeout=f"{seconds}s")


def activity(name: str = "a", kind: str = "A", seconds: int = 1000) -> Command:
    """Schedules an activity that is tried once, on the queue of its run."""
    return command(
        "schedule_activity_task",
        activityId=name,
        activityType={"name": kind},
        startToCloseTimeout=f"{seconds}s",
        retryPolicy={"maximumAttempts": 1},
    )


DONE = command("complete_workflow_execution")

TURNS: Mapping[str, list[Command]] = {
    "a command after the closing one": [DONE, timer()],
    "two closing commands": [DONE, DONE],
    "the same timer twice": [timer(), timer()],
    "the same activity twice": [activity(), activity()],
    "no such timer to cancel": [command("cancel_timer", timerId="none")],
    "no such activity to cancel": [command("request_cancel_activity_task", scheduledEventId=99)],
    "an unknown command": [Command(command_type=99)],  # type: ignore[arg-type]
    "no command at all": [Command()],
    "a child without a type": [command("start_child_workflow_execution", workflowId="x", namespace=NAMESPACE)],
    "a timer without an id": [timer("")],
    "a timer below zero": [timer(seconds=-5)],
    "a timer of no time": [command("start_timer", timerId="t")],
    "an activity without a type": [activity(kind="")],
    "an activity without an id": [activity("")],
    "an activity without a timeout": [
        command("schedule_activity_task", activityId="a", activityType={"name": "A"}, taskQueue={"name": "q"})
    ],
    "a marker without a name": [command("record_marker")],
    "a signal to another run without a name": [
        command("signal_external_workflow_execution", execution={"workflowId": "nope"})
    ],
    "a message that is not there": [command("protocol_message", messageId="nope")],
    "a failure without a failure": [command("fail_workflow_execution")],
    "attributes of another command": [
        Command(
            command_type=CommandType.COMMAND_TYPE_START_TIMER,
            record_marker_command_attributes=RecordMarkerCommandAttributes(),
        )
    ],
}
"""Turns that are handed in like this."""


class Teller:
    """Asks one server."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.raw: Any = stubs.WorkflowServiceStub(channel)  # type: ignore[arg-type]  # made for either kind
        self.told: dict[str, Told] = {}
        self._number = 0

    async def all(self) -> dict[str, Told]:
        """Everything, by what was sent."""
        for name, commands in TURNS.items():
            workflow_id, task = await self.turn()
            await self.hand_in(name, workflow_id, task, commands)
        await self.activities()
        await self.turns()
        await self.names()
        await self.bytes()
        return self.told

    async def tell(self, name: str, call: Awaitable[Any]) -> None:
        """Note how a call ends."""
        try:
            await call
        except grpc.aio.AioRpcError as error:
            self.told[name] = Told(error.code().name, RANDOM.sub("…", error.details() or ""))
        else:
            self.told[name] = Told("OK", "")

    async def turn(self) -> tuple[str, Any]:
        """A run of a queue of its own, and its first turn."""
        self._number += 1
        workflow_id = f"refusal-{self._number}"
        await self.raw.StartWorkflowExecution(
            pb.StartWorkflowExecutionRequest(
                namespace=NAMESPACE,
                workflow_id=workflow_id,
                workflow_type=WorkflowType(name="Anything"),
                task_queue=TaskQueue(name=workflow_id),
                request_id=workflow_id,
            )
        )
        return workflow_id, await self.poll(workflow_id)

    async def poll(self, queue: str) -> Any:
        """A turn."""
        request = pb.PollWorkflowTaskQueueRequest(namespace=NAMESPACE, task_queue=TaskQueue(name=queue), identity="me")
        return await self.raw.PollWorkflowTaskQueue(request, timeout=30)

    async def attempt(self, queue: str) -> Any:
        """An attempt of an activity."""
        request = pb.PollActivityTaskQueueRequest(namespace=NAMESPACE, task_queue=TaskQueue(name=queue), identity="me")
        return await self.raw.PollActivityTaskQueue(request, timeout=30)

    def completed(self, token: bytes, *commands: Command, namespace: str = NAMESPACE) -> Awaitable[Any]:
        """Hand in a turn."""
        request = pb.RespondWorkflowTaskCompletedRequest(task_token=token, commands=commands, namespace=namespace)
        return self.raw.RespondWorkflowTaskCompleted(request)  # type: ignore[no-any-return]

    async def hand_in(self, name: str, workflow_id: str, task: Any, commands: list[Command]) -> None:
        """Hand in a turn, and note what became of the run."""
        for one in commands:
            if one.HasField("schedule_activity_task_command_attributes"):
                one.schedule_activity_task_command_attributes.task_queue.name = workflow_id
        await self.tell(name, self.completed(task.task_token, *commands))
        request = pb.GetWorkflowExecutionHistoryRequest(
            namespace=NAMESPACE, execution=WorkflowExecution(workflow_id=workflow_id)
        )
        events = (await self.raw.GetWorkflowExecutionHistory(request)).history.events
        self.told[name] = msgspec.structs.replace(
            self.told[name],
            # The next attempt of a turn is not in the history, and may have begun.
            events=[EventType.Name(one.event_type).removeprefix("EVENT_TYPE_") for one in events],
            failures=[
                one.workflow_task_failed_event_attributes.failure.message
                for one in events
                if one.HasField("workflow_task_failed_event_attributes")
            ],
        )

    async def activities(self) -> None:
        """Tokens and answers of activities."""
        workflow_id, turn = await self.turn()
        await self.hand_in("an activity", workflow_id, turn, [activity(seconds=1)])
        late = (await self.attempt(workflow_id)).task_token
        kinds: dict[str, Any] = {
            "Completed": pb.RespondActivityTaskCompletedRequest,
            "Failed": pb.RespondActivityTaskFailedRequest,
            "Canceled": pb.RespondActivityTaskCanceledRequest,
        }
        for label, token, namespace in (
            ("of a turn", turn.task_token, NAMESPACE),
            ("that is empty", b"", NAMESPACE),
            ("of nonsense", b"nonsense", NAMESPACE),
            ("in another namespace", late, "nowhere"),
        ):
            request = kinds["Completed"](task_token=token, namespace=namespace)
            await self.tell(f"an activity's token {label}", self.raw.RespondActivityTaskCompleted(request))
        canceled = kinds["Canceled"](task_token=late, namespace=NAMESPACE)
        await self.tell("canceled though nobody asked", self.raw.RespondActivityTaskCanceled(canceled))
        again = await self.poll(workflow_id)  # which comes when the attempt has timed out
        for kind, make in kinds.items():
            call = getattr(self.raw, f"RespondActivityTask{kind}")
            await self.tell(f"{kind} after the timeout", call(make(task_token=late, namespace=NAMESPACE)))
        beat = pb.RecordActivityTaskHeartbeatRequest(task_token=late, namespace=NAMESPACE)
        await self.tell("a heartbeat after the timeout", self.raw.RecordActivityTaskHeartbeat(beat))
        await self.hand_in("a second activity", workflow_id, again, [activity("b")])
        done = kinds["Completed"](task_token=(await self.attempt(workflow_id)).task_token, namespace=NAMESPACE)
        await self.tell("an attempt's end", self.raw.RespondActivityTaskCompleted(done))
        await self.tell("an attempt's end again", self.raw.RespondActivityTaskCompleted(done))

    async def turns(self) -> None:
        """Tokens and answers of turns and queries."""
        workflow_id, task = await self.turn()
        await self.hand_in("a turn", workflow_id, task, [activity()])
        await self.tell("a turn's end again", self.completed(task.task_token))
        attempt = await self.attempt(workflow_id)
        await self.tell("a turn's token of an activity", self.completed(attempt.task_token))
        await self.tell("a turn's token that is empty", self.completed(b""))
        await self.tell("a turn's token of nonsense", self.completed(b"nonsense"))
        await self.tell("a turn's token in another namespace", self.completed(task.task_token, namespace="nowhere"))
        for label, token in (("that is empty", b""), ("of nonsense", b"nonsense")):
            query = pb.RespondQueryTaskCompletedRequest(task_token=token, namespace=NAMESPACE)
            await self.tell(f"a query's token {label}", self.raw.RespondQueryTaskCompleted(query))
        workflow_id, task = await self.turn()
        named: dict[str, Any] = {
            "namespace": NAMESPACE,
            "workflow_execution": WorkflowExecution(workflow_id=workflow_id),
        }
        await self.raw.TerminateWorkflowExecution(pb.TerminateWorkflowExecutionRequest(**named))
        await self.tell("a turn of a run that was ended", self.completed(task.task_token, DONE))
        signal = pb.SignalWorkflowExecutionRequest(**named, signal_name="s")
        await self.tell("a signal to a run that was ended", self.raw.SignalWorkflowExecution(signal))

    async def names(self) -> None:
        """Names that are too long or mean nothing."""
        workflow_id, _ = await self.turn()
        too_long: dict[str, dict[str, Any]] = {
            "a workflow id": {"workflowId": BIG},
            "a type": {"workflowType": {"name": BIG}},
            "a queue": {"taskQueue": {"name": BIG}},
            "a request id": {"requestId": BIG},
        }
        for label, given in too_long.items():
            fields = {
                "namespace": NAMESPACE,
                "workflowId": "too-long",
                "workflowType": {"name": "Anything"},
                "taskQueue": {"name": "q"},
                "requestId": "r",
                **given,
            }
            request = ParseDict(fields, pb.StartWorkflowExecutionRequest())
            await self.tell(f"{label} that is too long", self.raw.StartWorkflowExecution(request))
        named: dict[str, Any] = {
            "namespace": NAMESPACE,
            "workflow_execution": WorkflowExecution(workflow_id=workflow_id),
        }
        signal = pb.SignalWorkflowExecutionRequest(**named, signal_name=BIG)
        await self.tell("a signal's name that is too long", self.raw.SignalWorkflowExecution(signal))
        for label, run_id in (("of nonsense", "nonsense"), ("of nobody", "0b2e8a5e-9d5a-4c59-9a0e-1c2d3e4f5a6b")):
            execution = WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
            describe = pb.DescribeWorkflowExecutionRequest(namespace=NAMESPACE, execution=execution)
            await self.tell(f"a run id {label}", self.raw.DescribeWorkflowExecution(describe))
        execution = WorkflowExecution(workflow_id=workflow_id)
        place = pb.GetWorkflowExecutionHistoryRequest(namespace=NAMESPACE, execution=execution, next_page_token=b"x")
        await self.tell("a place in a history of nonsense", self.raw.GetWorkflowExecutionHistory(place))
        page = pb.ListWorkflowExecutionsRequest(namespace=NAMESPACE, next_page_token=b"x")
        await self.tell("a place in a list of nonsense", self.raw.ListWorkflowExecutions(page))
        for label, poll in {
            "no queue": pb.PollWorkflowTaskQueueRequest(namespace=NAMESPACE),
            "no namespace": pb.PollWorkflowTaskQueueRequest(task_queue=TaskQueue(name="q")),
            "a namespace that is not there": pb.PollWorkflowTaskQueueRequest(
                namespace="nowhere", task_queue=TaskQueue(name="q")
            ),
        }.items():
            await self.tell(f"a poll of {label}", self.raw.PollWorkflowTaskQueue(poll, timeout=20))

    async def bytes(self) -> None:
        """Bytes that are no message, to methods that are none."""
        for name in ("StartWorkflowExecution", "PollWorkflowTaskQueue", "RespondWorkflowTaskCompleted"):
            call: Any = self.channel.unary_unary(SERVICE + name)
            await self.tell(f"bytes that are no {name}Request", call(b"\xff\xff\xff", timeout=20))
        nothing: Any = self.channel.unary_unary(f"{SERVICE}Nothing")
        await self.tell("a method that is not there", nothing(b""))
        nobody: Any = self.channel.unary_unary("/of.Nobody/Nothing")
        await self.tell("a service that is not there", nobody(b""))


async def main(address: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        told = await Teller(channel).all()
    lines = (f"{json.dumps(name)}: {msgspec.json.encode(one).decode()}" for name, one in told.items())
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
