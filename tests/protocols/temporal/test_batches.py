"""Batch operations by Temporal's protocol: what they do to runs, and what is said of them."""

import asyncio
from typing import Any

import pytest
from temporalio.api.batch.v1 import message_pb2 as batch_pb
from temporalio.api.common.v1 import message_pb2 as common
from temporalio.api.enums.v1 import batch_operation_pb2 as enums
from temporalio.api.enums.v1 import reset_pb2
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from perdure.app.server import Server
from perdure.model.events import WorkflowExecutionSignaled, WorkflowExecutionTerminated
from perdure.model.ids import RunAddress
from perdure.model.options import RunStatus

State = enums.BatchOperationState
Type = enums.BatchOperationType

TERMINATION = {"termination_operation": batch_pb.BatchOperationTermination(identity="ops")}


async def begin(client: Client, count: int) -> list[str]:
    """Open runs whose worker never comes."""
    names = [f"run-{number}" for number in range(count)]
    for name in names:
        await client.start_workflow("Waits", id=name, task_queue="nobody")
    return names


async def start(client: Client, job_id: str, query: str = "", **options: Any) -> None:
    await client.workflow_service.start_batch_operation(
        pb.StartBatchOperationRequest(
            namespace="default", job_id=job_id, visibility_query=query, reason="because", **options
        )
    )


async def ended(client: Client, job_id: str) -> pb.DescribeBatchOperationResponse:
    request = pb.DescribeBatchOperationRequest(namespace="default", job_id=job_id)
    while True:
        found = await client.workflow_service.describe_batch_operation(request)
        if found.state != State.BATCH_OPERATION_STATE_RUNNING:
            return found
        await asyncio.sleep(0.02)


async def status(server: Server, name: str) -> RunStatus:
    return (await server.service.describe(RunAddress("default", name))).summary.status


async def test_the_runs_of_a_query_are_terminated(client: Client, server: Server) -> None:
    names = await begin(client, 5)
    await client.get_workflow_handle(names[4]).terminate()
    await start(client, "job", "WorkflowType = 'Waits'", **TERMINATION)
    found = await ended(client, "job")
    assert (found.job_id, found.state) == ("job", State.BATCH_OPERATION_STATE_COMPLETED)
    assert found.operation_type == Type.BATCH_OPERATION_TYPE_TERMINATE
    assert (found.total_operation_count, found.complete_operation_count, found.failure_operation_count) == (4, 4, 0)
    assert (found.reason, found.identity, found.query) == ("because", "ops", "WorkflowType = 'Waits'")
    assert found.close_time.seconds >= found.start_time.seconds > 0
    for name in names:
        assert await status(server, name) is RunStatus.TERMINATED
    page = await server.service.history(RunAddress("default", names[0]), after=0, limit=100, wait=False)
    last = page.events[-1]
    assert isinstance(last, WorkflowExecutionTerminated) and last.reason == "because"


async def test_named_runs_are_signalled_and_others_left_alone(client: Client, server: Server) -> None:
    names = await begin(client, 3)
    payloads = common.Payloads(payloads=[common.Payload(metadata={"encoding": b"json/plain"}, data=b"7")])
    await start(
        client,
        "job",
        executions=[common.WorkflowExecution(workflow_id=names[0]), common.WorkflowExecution(workflow_id="missing")],
        signal_operation=batch_pb.BatchOperationSignal(signal="poke", input=payloads, identity="ops"),
    )
    found = await ended(client, "job")
    assert (found.total_operation_count, found.complete_operation_count) == (2, 2)
    signals = []
    for name in names:
        page = await server.service.history(RunAddress("default", name), after=0, limit=100, wait=False)
        signals += [(name, event.signal_name) for event in page.events if isinstance(event, WorkflowExecutionSignaled)]
    assert signals == [(names[0], "poke")]


async def test_runs_are_cancelled_reset_and_deleted(client: Client, server: Server) -> None:
    names = await begin(client, 2)
    query = "WorkflowId = 'run-0'"
    await start(client, "cancel", query, cancellation_operation=batch_pb.BatchOperationCancellation(identity="ops"))
    assert (await ended(client, "cancel")).operation_type == Type.BATCH_OPERATION_TYPE_CANCEL
    description = await server.service.describe(RunAddress("default", names[0]))
    assert description.cancel_requested
    first = reset_pb2.ResetType.RESET_TYPE_FIRST_WORKFLOW_TASK
    # There is no turn yet that it could begin again from, which is a failure of the run, not of the batch.
    await start(client, "reset", query, reset_operation=batch_pb.BatchOperationReset(reset_type=first))
    assert (await ended(client, "reset")).operation_type == Type.BATCH_OPERATION_TYPE_RESET
    await start(client, "delete", query, deletion_operation=batch_pb.BatchOperationDeletion(identity="ops"))
    assert (await ended(client, "delete")).complete_operation_count >= 1
    with pytest.raises(RPCError):
        await client.get_workflow_handle(names[0]).describe()
    listed = await client.workflow_service.list_batch_operations(pb.ListBatchOperationsRequest(namespace="default"))
    assert [info.job_id for info in listed.operation_info] == ["delete", "reset", "cancel"]
    pages, token = [], b""
    while True:
        page = await client.workflow_service.list_batch_operations(
            pb.ListBatchOperationsRequest(namespace="default", page_size=2, next_page_token=token)
        )
        pages.append([info.job_id for info in page.operation_info])
        token = page.next_page_token
        if not token:
            break
    assert pages == [["delete", "reset"], ["cancel"]]


async def test_one_is_stopped(client: Client) -> None:
    await begin(client, 40)
    await start(client, "slow", "WorkflowType = 'Waits'", max_operations_per_second=0.5, **TERMINATION)
    stop = pb.StopBatchOperationRequest(namespace="default", job_id="slow", reason="enough", identity="ops")
    await client.workflow_service.stop_batch_operation(stop)
    found = await ended(client, "slow")
    assert found.state == State.BATCH_OPERATION_STATE_FAILED
    assert found.complete_operation_count < 40
    with pytest.raises(RPCError) as caught:
        await client.workflow_service.stop_batch_operation(stop)
    assert caught.value.status is RPCStatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("options", "code", "problem"),
    [
        ({}, RPCStatusCode.INVALID_ARGUMENT, "operation type is not set"),
        ({"query": "WorkflowType ="}, RPCStatusCode.INVALID_ARGUMENT, "filter"),
        ({"job_id": ""}, RPCStatusCode.INVALID_ARGUMENT, "JobId"),
        ({"reason": ""}, RPCStatusCode.INVALID_ARGUMENT, "Reason"),
        ({"query": ""}, RPCStatusCode.INVALID_ARGUMENT, "VisibilityQuery or Executions"),
        (
            {"executions": [common.WorkflowExecution(workflow_id="w")]},
            RPCStatusCode.INVALID_ARGUMENT,
            "mutually exclusive",
        ),
        (
            {"reset_operation": batch_pb.BatchOperationReset(options=common.ResetOptions(build_id="b"))},
            RPCStatusCode.UNIMPLEMENTED,
            "build_id",
        ),
        (
            {"unpause_activities_operation": batch_pb.BatchOperationUnpauseActivities()},
            RPCStatusCode.UNIMPLEMENTED,
            "unpause_activities_operation",
        ),
    ],
)
async def test_what_makes_no_sense_is_refused(
    client: Client, options: dict[str, Any], code: RPCStatusCode, problem: str
) -> None:
    given: dict[str, Any] = {"job_id": "job", "query": "WorkflowType = 'Waits'", "reason": "because", **options}
    if problem != "operation type is not set" and not any(name.endswith("_operation") for name in given):
        given.update(TERMINATION)
    request = pb.StartBatchOperationRequest(namespace="default", visibility_query=given.pop("query"), **given)
    with pytest.raises(RPCError, match=problem) as caught:
        await client.workflow_service.start_batch_operation(request)
    assert caught.value.status is code
    with pytest.raises(RPCError) as missing:
        await client.workflow_service.describe_batch_operation(
            pb.DescribeBatchOperationRequest(namespace="default", job_id="job")
        )
    assert missing.value.status is RPCStatusCode.NOT_FOUND
