"""Bad input: the status codes that Temporal's server gives, and nothing lost."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import Payload, Payloads, SearchAttributes, WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import CommandType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb
from temporalio.api.workflowservice.v1 import service_pb2_grpc as stubs

from perdure.app.server import Server
from perdure.engine.settings import Settings
from perdure.model.limits import Limits
from perdure.protocols.temporal.tokens import ActivityToken, TurnToken, encode

NAMESPACE = "default"


async def refused(call: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error.value.code(), error.value.details() or ""


async def start(raw: Any, workflow_id: str = "hostile", **options: Any) -> str:
    started = await raw.StartWorkflowExecution(
        pb.StartWorkflowExecutionRequest(
            namespace=NAMESPACE,
            workflow_id=workflow_id,
            workflow_type=WorkflowType(name="Anything"),
            task_queue=TaskQueue(name="q"),
            **options,
        )
    )
    return str(started.run_id)


async def poll(raw: Any) -> pb.PollWorkflowTaskQueueResponse:
    task: pb.PollWorkflowTaskQueueResponse = await raw.PollWorkflowTaskQueue(
        pb.PollWorkflowTaskQueueRequest(namespace=NAMESPACE, task_queue=TaskQueue(name="q"), identity="by hand"),
        timeout=20,
    )
    return task


def complete(token: bytes, *commands: Command, namespace: str = NAMESPACE) -> pb.RespondWorkflowTaskCompletedRequest:
    return pb.RespondWorkflowTaskCompletedRequest(task_token=token, commands=commands, namespace=namespace)


async def test_malformed_tokens(raw: Any) -> None:
    for token in (b"", b"nonsense", b"\xff" * 100, encode(ActivityToken(NAMESPACE, "w", "r", 1, 1))):
        # Of another kind of task is of no task.
        expected = grpc.StatusCode.NOT_FOUND if b"default" in token else grpc.StatusCode.INVALID_ARGUMENT
        code, _ = await refused(raw.RespondWorkflowTaskCompleted(complete(token)))
        assert code is expected
        request = pb.RespondQueryTaskCompletedRequest(task_token=token, namespace=NAMESPACE)
        code, _ = await refused(raw.RespondQueryTaskCompleted(request))
        assert code is expected


async def test_tokens_of_other_namespaces_runs_and_tasks(raw: Any) -> None:
    await start(raw)
    task = await poll(raw)
    retention: dict[str, Any] = {"workflow_execution_retention_period": {"seconds": 86_400}}
    await raw.RegisterNamespace(pb.RegisterNamespaceRequest(namespace="other", **retention))
    code, message = await refused(raw.RespondWorkflowTaskCompleted(complete(task.task_token, namespace="other")))
    assert code is grpc.StatusCode.INVALID_ARGUMENT and "namespace" in message.lower()
    for token in (
        TurnToken(NAMESPACE, "hostile", "no-such-run", 3, 1),
        TurnToken(NAMESPACE, "hostile", task.workflow_execution.run_id, 4, 1),
        TurnToken(NAMESPACE, "hostile", task.workflow_execution.run_id, 3, 2),
    ):
        code, _ = await refused(raw.RespondWorkflowTaskCompleted(complete(encode(token))))
        assert code is grpc.StatusCode.NOT_FOUND
    await raw.RespondWorkflowTaskCompleted(complete(task.task_token))
    code, message = await refused(raw.RespondWorkflowTaskCompleted(complete(task.task_token)))
    assert code is grpc.StatusCode.NOT_FOUND, "once is enough"


async def test_a_namespace_that_is_not_there(raw: Any) -> None:
    request = pb.PollWorkflowTaskQueueRequest(namespace="nowhere", task_queue=TaskQueue(name="q"))
    code, message = await refused(raw.PollWorkflowTaskQueue(request))
    assert code is grpc.StatusCode.NOT_FOUND and "nowhere" in message


async def test_unknown_and_broken_commands_fail_the_turn_and_no_more(raw: Any) -> None:
    await start(raw)
    task = await poll(raw)
    unknown = Command(command_type=99)  # type: ignore[arg-type]
    code, _ = await refused(raw.RespondWorkflowTaskCompleted(complete(task.task_token, unknown)))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    empty = Command(command_type=CommandType.COMMAND_TYPE_START_TIMER)
    code, message = await refused(raw.RespondWorkflowTaskCompleted(complete(task.task_token, empty)))
    assert code is grpc.StatusCode.INVALID_ARGUMENT and message.startswith("BadStartTimerAttributes")
    task = await poll(raw)
    assert task.attempt == 2, "the turn is tried again"
    closing = Command(command_type=CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION)
    closing.complete_workflow_execution_command_attributes.SetInParent()
    await raw.RespondWorkflowTaskCompleted(complete(task.task_token, closing))
    description = await raw.DescribeWorkflowExecution(
        pb.DescribeWorkflowExecutionRequest(namespace=NAMESPACE, execution=WorkflowExecution(workflow_id="hostile"))
    )
    assert description.workflow_execution_info.status == 2


NULLS = {"json/plain": b"null", "binary/null": b""}


@pytest.mark.parametrize("encoding", NULLS)
async def test_a_search_attribute_is_taken_away_by_either_null(raw: Any, encoding: str) -> None:
    given = {"Number": Payload(metadata={"encoding": b"json/plain"}, data=b"7")}
    await start(raw, search_attributes=SearchAttributes(indexed_fields=given))
    task = await poll(raw)
    upsert = Command(command_type=CommandType.COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES)
    attributes = upsert.upsert_workflow_search_attributes_command_attributes.search_attributes
    null = Payload(metadata={"encoding": encoding.encode()}, data=NULLS[encoding])
    attributes.indexed_fields["Number"].CopyFrom(null)
    await raw.RespondWorkflowTaskCompleted(complete(task.task_token, upsert))
    description = await raw.DescribeWorkflowExecution(
        pb.DescribeWorkflowExecutionRequest(namespace=NAMESPACE, execution=WorkflowExecution(workflow_id="hostile"))
    )
    assert not description.workflow_execution_info.search_attributes.indexed_fields


async def test_an_answer_that_comes_too_late(raw: Any) -> None:
    await start(raw, workflow_task_timeout={"seconds": 1})
    late = await poll(raw)
    again = await poll(raw)
    assert again.attempt == 2
    code, _ = await refused(raw.RespondWorkflowTaskCompleted(complete(late.task_token)))
    assert code is grpc.StatusCode.NOT_FOUND
    await raw.RespondWorkflowTaskCompleted(complete(again.task_token))


async def test_bytes_that_are_no_message(server: Server) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.temporal_port}") as channel:
        call: Any = channel.unary_unary("/temporal.api.workflowservice.v1.WorkflowService/StartWorkflowExecution")
        code, _ = await refused(call(b"\xff\xff\xff"))
        assert code is grpc.StatusCode.INTERNAL
        health: Any = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert await health(b"") == b"\x08\x01"


@pytest.mark.parametrize(
    "fields",
    [
        {"workflow_id": ""},
        {"workflow_type": WorkflowType()},
        {"task_queue": TaskQueue()},
        {"workflow_id_reuse_policy": 4, "workflow_id_conflict_policy": 1},
    ],
)
async def test_a_start_without_what_it_needs(raw: Any, fields: dict[str, Any]) -> None:
    given: dict[str, Any] = {
        "namespace": NAMESPACE,
        "workflow_id": "w",
        "workflow_type": WorkflowType(name="T"),
        "task_queue": TaskQueue(name="q"),
    } | fields
    code, _ = await refused(raw.StartWorkflowExecution(pb.StartWorkflowExecutionRequest(**given)))
    assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_what_is_over_the_limits(tmp_path: Path) -> None:
    limits = Limits(payload_bytes=1_000, history_events=12)
    addresses: dict[str, Any] = {f"{name}_address": "127.0.0.1:0" for name in ("rest", "grpc", "temporal")}
    server = Server(f"sqlite:///{tmp_path / 'limits.db'}", Settings(limits=limits), **addresses)
    await server.open()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.temporal_port}") as channel:
            raw: Any = stubs.WorkflowServiceStub(channel)  # type: ignore[arg-type]
            await start(raw)
            named: dict[str, Any] = {
                "namespace": NAMESPACE,
                "workflow_execution": WorkflowExecution(workflow_id="hostile"),
            }
            large = Payloads(payloads=[Payload(metadata={"encoding": b"binary/plain"}, data=b"x" * 1_001)])
            code, message = await refused(
                raw.SignalWorkflowExecution(pb.SignalWorkflowExecutionRequest(**named, signal_name="s", input=large))
            )
            assert code is grpc.StatusCode.INVALID_ARGUMENT and "payload_bytes" in message
            signal = pb.SignalWorkflowExecutionRequest(**named, signal_name="s")
            for _ in range(20):
                try:
                    await raw.SignalWorkflowExecution(signal)
                except grpc.aio.AioRpcError as error:
                    assert error.code() is grpc.StatusCode.NOT_FOUND
                    assert error.details() == "workflow execution already completed"
                    break
            else:
                raise AssertionError("the history is over its limit")
            request = pb.GetWorkflowExecutionHistoryRequest(
                namespace=NAMESPACE, execution=WorkflowExecution(workflow_id="hostile")
            )
            last = (await raw.GetWorkflowExecutionHistory(request)).history.events[-1]
            assert "history_events" in last.workflow_execution_terminated_event_attributes.reason
    finally:
        await server.close()


async def test_a_poll_ends_before_its_caller_gives_up(raw: Any) -> None:
    request = pb.PollWorkflowTaskQueueRequest(namespace=NAMESPACE, task_queue=TaskQueue(name="q"), identity="early")
    assert not (await raw.PollWorkflowTaskQueue(request, timeout=1.5)).task_token
    await start(raw)
    assert (await poll(raw)).workflow_execution.workflow_id == "hostile"
