"""Operations of Nexus that no workflow asks for: started, waited for, listed and stopped by Temporal's own client."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb
from temporalio.client import Client, NexusClient, NexusOperationFailureError
from temporalio.common import NexusOperationExecutionStatus as Status
from temporalio.common import NexusOperationIDConflictPolicy as Conflict
from temporalio.exceptions import NexusOperationAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode
from tests.protocols.temporal.test_nexus import Bank, Transfer, create_endpoint, serving


@pytest.fixture
async def bank(client: Client) -> AsyncIterator[NexusClient[Any]]:
    await create_endpoint(client, "default")
    async with serving(client, Bank()):
        yield client.create_nexus_client("Bank", endpoint="bank")


async def start(bank: NexusClient[Any], operation: str, input: str, id: str, **options: Any) -> Any:
    return await bank.start_operation(operation, input, id=id, result_type=str, **options)


async def test_an_operation_alone(client: Client, bank: NexusClient[Any]) -> None:
    greeted = await start(bank, "greet", "you", "greet")
    assert await greeted.result() == "hello you, here is default"
    described = await greeted.describe()
    assert (described.status, described.operation, described.endpoint) == (Status.COMPLETED, "greet", "bank")
    assert await client.get_nexus_operation_handle("greet", result_type=str).result() == "hello you, here is default"
    unknown = await start(bank, "unheard-of", "you", "unknown")
    with pytest.raises(NexusOperationFailureError) as failed:
        await unknown.result()
    assert "NOT_FOUND" in str(failed.value.cause)


async def test_one_that_goes_on(client: Client, bank: NexusClient[Any]) -> None:
    handle = await start(bank, "transfer", "work", "transfer", summary="a transfer")
    work = client.get_workflow_handle("work")
    while not (described := await handle.describe()).operation_token:
        await asyncio.sleep(0.02)
    assert described.status is Status.RUNNING and await described.static_summary() == "a transfer"
    with pytest.raises(NexusOperationAlreadyStartedError):
        await start(bank, "transfer", "work", "transfer")
    again = await start(bank, "transfer", "work", "transfer", id_conflict_policy=Conflict.USE_EXISTING)
    assert again.run_id == handle.run_id
    await work.signal(Transfer.go)
    assert await handle.result() == "transferred in default"


async def test_one_that_is_stopped(client: Client, bank: NexusClient[Any]) -> None:
    handle = await start(bank, "transfer", "work", "transfer")
    while not (await handle.describe()).operation_token:
        await asyncio.sleep(0.02)
    await handle.cancel(reason="enough")
    with pytest.raises(NexusOperationFailureError):
        await handle.result()
    described = await handle.describe()
    assert described.status is Status.CANCELED and described.cancellation_info.reason == "enough"
    ended = await start(bank, "endless", "", "endless")
    await ended.terminate(reason="at once")
    with pytest.raises(NexusOperationFailureError, match="failed"):
        await ended.result()
    assert (await ended.describe()).status is Status.TERMINATED
    late = await start(bank, "endless", "", "late", schedule_to_close_timeout=timedelta(seconds=0.3))
    with pytest.raises(NexusOperationFailureError) as failed:
        await late.result()
    assert "timed out" in str(failed.value.cause)
    assert (await late.describe()).status is Status.TIMED_OUT


async def test_they_are_listed_counted_and_deleted(client: Client, bank: NexusClient[Any]) -> None:
    for number in range(3):
        await (await start(bank, "greet", "you", f"greet-{number}")).result()
    await client.start_workflow("Any", id="a-workflow", task_queue="nobody")

    async def listed(query: str) -> list[str]:
        return sorted([one.operation_id async for one in client.list_nexus_operations(query)])

    assert await listed("Endpoint = 'bank'") == ["greet-0", "greet-1", "greet-2"]
    assert await listed("OperationId = 'greet-1'") == ["greet-1"]
    assert (await client.count_nexus_operations("")).count == 3
    assert [one.id async for one in client.list_workflows("")] == ["a-workflow"]
    await client.workflow_service.delete_nexus_operation_execution(
        pb.DeleteNexusOperationExecutionRequest(namespace="default", operation_id="greet-1")
    )
    while await listed("OperationId = 'greet-1'"):
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("wrong", ["operation_id", "endpoint", "service", "operation"])
async def test_what_is_missing_is_named(client: Client, wrong: str) -> None:
    request = pb.StartNexusOperationExecutionRequest(
        namespace="default", operation_id="o", endpoint="bank", service="Bank", operation="greet"
    )
    request.ClearField(wrong)  # type: ignore[arg-type]  # they are fields
    with pytest.raises(RPCError, match=f"{wrong} is not set") as refused:
        await client.workflow_service.start_nexus_operation_execution(request)
    assert refused.value.status is RPCStatusCode.INVALID_ARGUMENT


async def test_one_that_is_not_there(client: Client) -> None:
    handle = client.get_nexus_operation_handle("nothing")
    for asked in (handle.describe(), handle.result(), handle.cancel(), handle.terminate()):
        with pytest.raises(RPCError) as refused:
            await asked
        assert refused.value.status is RPCStatusCode.NOT_FOUND
    bank: NexusClient[Any] = client.create_nexus_client("Bank", endpoint="none")
    with pytest.raises(RPCError, match="endpoint not registered"):
        await start(bank, "greet", "you", "greet")
