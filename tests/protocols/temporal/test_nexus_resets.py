"""A caller that is reset while its operation goes on. The histories are those that Temporal's server of 1.29 writes."""

import asyncio
import uuid
from typing import Any

import pytest
from nexusrpc.handler import service_handler
from temporalio import nexus, workflow
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb
from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy as Conflict
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from tests.protocols.temporal.test_nexus import SERVING, Transfer, create_endpoint

TURN = ["WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED", "WORKFLOW_TASK_COMPLETED"]
RESET = ["WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED", "WORKFLOW_TASK_FAILED"]
ASKED = ["NEXUS_OPERATION_SCHEDULED", "NEXUS_OPERATION_STARTED"]
STARTED, SIGNALED = ["WORKFLOW_EXECUTION_STARTED"], ["WORKFLOW_EXECUTION_SIGNALED"]
ENDED = ["NEXUS_OPERATION_COMPLETED", *TURN, "WORKFLOW_EXECUTION_COMPLETED"]


@service_handler(name="Bank")
class Bank:
    """What is served: the transfer under way, whoever asks for it; ``asked`` are those requests."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    @nexus.workflow_run_operation
    async def transfer(self, ctx: nexus.WorkflowRunOperationContext, work_id: str) -> nexus.WorkflowHandle[str]:
        self.asked.add(ctx.request_id)
        return await ctx.start_workflow(Transfer.run, id=work_id, id_conflict_policy=Conflict.USE_EXISTING)


@workflow.defn
class AskAndWait:
    def __init__(self) -> None:
        self.is_poked = False

    @workflow.signal
    def poke(self) -> None:
        self.is_poked = True

    @workflow.run
    async def run(self) -> str:
        client = workflow.create_nexus_client(service="Bank", endpoint="bank")
        handle = await client.start_operation("transfer", "work", output_type=str)
        await workflow.wait_condition(lambda: self.is_poked)
        result: str = await handle
        return result


async def names(handle: WorkflowHandle[Any, Any]) -> list[str]:
    events = [event async for event in handle.fetch_history_events()]
    return [EventType.Name(event.event_type).removeprefix("EVENT_TYPE_") for event in events]


async def until(handle: WorkflowHandle[Any, Any], expected: list[str]) -> None:
    while await names(handle) != expected:
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("turn", "asked", "expected"),
    [
        (4, 2, [*STARTED, *RESET, *SIGNALED, *TURN, *ASKED, *TURN]),
        (9, 1, [*STARTED, *TURN, *ASKED, *RESET, *SIGNALED, *TURN]),
    ],
    ids=["before it asked", "after it asked"],
)
async def test_a_caller_is_reset(client: Client, turn: int, asked: int, expected: list[str]) -> None:
    await create_endpoint(client, "default")
    bank = Bank()
    async with Worker(
        client,
        task_queue=SERVING,
        workflows=[AskAndWait, Transfer],
        nexus_service_handlers=[bank],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        first = await client.start_workflow(AskAndWait.run, id="ask", task_queue=SERVING)
        await until(first, [*STARTED, *TURN, *ASKED, *TURN])
        await first.signal(AskAndWait.poke)
        await until(first, [*STARTED, *TURN, *ASKED, *TURN, *SIGNALED, *TURN])
        request = pb.ResetWorkflowExecutionRequest(
            namespace="default", workflow_task_finish_event_id=turn, request_id=str(uuid.uuid4()), reason="again"
        )
        request.workflow_execution.workflow_id = "ask"
        reset = await client.workflow_service.reset_workflow_execution(request)
        second: WorkflowHandle[Any, str] = client.get_workflow_handle("ask", run_id=reset.run_id)
        await until(second, expected)
        assert len(bank.asked) == asked
        await client.get_workflow_handle("work").signal(Transfer.go)
        assert await second.result() == "transferred in default"
        assert await names(second) == [*expected, *ENDED]
