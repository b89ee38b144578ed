"""A real worker and client of Temporal's Python SDK; every history can be replayed by its own replayer."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
)
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker
from tests.protocols.temporal.workflows import ACTIVITIES, WORKFLOWS, Account, Steps, greet

import perdure
from perdure.app.server import Server

QUEUE = "temporal"


@asynccontextmanager
async def worker(client: Client, **options: object) -> AsyncIterator[Worker]:
    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=WORKFLOWS,
        activities=ACTIVITIES,
        workflow_runner=UnsandboxedWorkflowRunner(),
        graceful_shutdown_timeout=timedelta(seconds=0),
        # An activity hears of its cancellation when it heartbeats, which the SDK does seldom by itself.
        max_heartbeat_throttle_interval=timedelta(seconds=0.2),
        **options,  # type: ignore[arg-type]
    ) as running:
        yield running


async def replayed(handle: WorkflowHandle) -> list[int]:
    """The types of the run's events, once they have been replayed."""
    history = await handle.fetch_history()
    assert [event.event_id for event in history.events] == list(range(1, len(history.events) + 1))
    replayer = Replayer(workflows=WORKFLOWS, workflow_runner=UnsandboxedWorkflowRunner())
    await replayer.replay_workflow(history)
    return [event.event_type for event in history.events]


def new_id() -> str:
    return str(uuid.uuid4())


@pytest.mark.parametrize("cached", [0, 1, 100])
@pytest.mark.parametrize(
    ("step", "result"),
    [
        ("activity", "Hello, you!"),
        ("local", "Hello, here!"),
        ("retry", 3),
        ("timer", "rested"),
        ("child", "Hello, you!"),
        ("continue", "rested"),
        ("patched", "new"),
        ("cancelled", "ActivityError"),
    ],
)
async def test_what_a_program_asks_for_happens(client: Client, step: str, result: object, cached: int) -> None:
    async with worker(client, max_cached_workflows=cached, max_concurrent_workflow_task_polls=2):
        handle = await client.start_workflow(Steps.run, step, id=new_id(), task_queue=QUEUE)
        assert await handle.result() == result
    await replayed(handle)


async def test_a_failure_comes_whole(client: Client) -> None:
    async with worker(client):
        handle = await client.start_workflow(Steps.run, "fails", id=new_id(), task_queue=QUEUE)
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    activity_error = failed.value.cause
    assert isinstance(activity_error, ActivityError) and activity_error.activity_type == "fail"
    cause = activity_error.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.type, cause.message, cause.non_retryable, list(cause.details)) == (
        "Bad",
        "it can't be",
        True,
        [{"detail": 1}],
    )
    await replayed(handle)


@pytest.mark.parametrize("cached", [0, 100])
async def test_signals_queries_and_updates(client: Client, cached: int) -> None:
    async with worker(client, max_cached_workflows=cached, max_concurrent_workflow_task_polls=2):
        handle = await client.start_workflow(Account.run, 10, id=new_id(), task_queue=QUEUE)
        await handle.signal(Account.deposit, 5)
        assert await handle.query(Account.seen) == 15
        assert await handle.execute_update(Account.withdraw, 3) == 12
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update(Account.withdraw, 1_000)
        assert isinstance(refused.value.cause, ApplicationError) and refused.value.cause.type == "Overdrawn"
        update = await handle.start_update(Account.withdraw, 1, wait_for_stage=WorkflowUpdateStage.ACCEPTED)
        assert await update.result() == 11
        await handle.signal(Account.close)
        assert await handle.result() == 11
        assert await handle.query(Account.seen) == 11, "closed runs can be asked, too"
    await replayed(handle)


async def test_an_update_with_a_start(client: Client) -> None:
    async with worker(client):
        for balance in (8, 6):
            start = WithStartWorkflowOperation(
                Account.run,
                10,
                id="with-start",
                task_queue=QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            )
            assert (
                await client.execute_update_with_start_workflow(Account.withdraw, 2, start_workflow_operation=start)
                == balance
            )
        handle = client.get_workflow_handle("with-start")
        await handle.signal(Account.close)
        assert await handle.result() == 6


async def test_a_rejected_update_leaves_no_trace(client: Client) -> None:
    async with worker(client):
        handle = await client.start_workflow(Account.run, 10, id=new_id(), task_queue=QUEUE)
        assert await handle.query(Account.seen) == 10
        length = len((await handle.fetch_history()).events)
        for _ in range(3):
            with pytest.raises(WorkflowUpdateFailedError):
                await handle.execute_update(Account.withdraw, 1_000)
        assert len((await handle.fetch_history()).events) == length
        await handle.signal(Account.close)
        assert await handle.result() == 10
    await replayed(handle)


async def test_an_activity_is_completed_by_its_id(client: Client) -> None:
    async with worker(client):
        handle = await client.start_workflow(Steps.run, "outside", id=new_id(), task_queue=QUEUE)
        outside = client.get_async_activity_handle(workflow_id=handle.id, run_id=None, activity_id="outside")
        while True:
            description = await handle.describe()
            if any(
                activity.attempt for activity in description.raw_description.pending_activities if activity.state == 2
            ):
                break
            await asyncio.sleep(0.05)
        await outside.heartbeat("halfway")
        await outside.complete("from outside")
        assert await handle.result() == "from outside"


async def test_runs_are_cancelled_terminated_reset_and_deleted(client: Client) -> None:
    async with worker(client):
        handle = await client.start_workflow(Account.run, 1, id=new_id(), task_queue=QUEUE)
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        other = await client.start_workflow(Account.run, 1, id=new_id(), task_queue=QUEUE)
        await other.terminate("enough", reason="tests")
        with pytest.raises(WorkflowFailureError):
            await other.result()
    await client.workflow_service.delete_workflow_execution(_delete(client, other.id))
    with pytest.raises(RPCError) as gone:
        await other.describe()
    assert gone.value.status is RPCStatusCode.NOT_FOUND


def _delete(client: Client, workflow_id: str):
    from temporalio.api.common.v1 import WorkflowExecution
    from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest

    return DeleteWorkflowExecutionRequest(
        namespace=client.namespace, workflow_execution=WorkflowExecution(workflow_id=workflow_id)
    )


async def test_lists_and_counts(client: Client) -> None:
    key = SearchAttributeKey.for_keyword("CustomerId")
    async with worker(client):
        for number in range(5):
            attributes = TypedSearchAttributes([SearchAttributePair(key, f"c{number % 2}")])
            await client.execute_workflow(
                Steps.run, "timer", id=f"listed-{number}", task_queue=QUEUE, search_attributes=attributes
            )
    found = [
        run.id
        async for run in client.list_workflows("CustomerId = 'c1' AND ExecutionStatus = 'Completed'", page_size=1)
    ]
    assert sorted(found) == ["listed-1", "listed-3"]
    assert (await client.count_workflows("WorkflowType = 'Steps'")).count == 5
    groups = (await client.count_workflows("GROUP BY ExecutionStatus")).groups
    assert [(list(group.group_values), group.count) for group in groups] == [(["Completed"], 5)]
    with pytest.raises(RPCError) as refused:
        [run async for run in client.list_workflows("NoSuchAttribute = 1")]
    assert refused.value.status is RPCStatusCode.INVALID_ARGUMENT


async def test_a_worker_that_comes_later_takes_what_waits(client: Client) -> None:
    handle = await client.start_workflow(Account.run, 1, id=new_id(), task_queue=QUEUE)
    await handle.signal(Account.deposit, 1)
    async with worker(client):
        assert await handle.query(Account.seen) == 2
    await handle.signal(Account.deposit, 1)
    async with worker(client):  # the first one's programs are gone with it
        await handle.signal(Account.close)
        assert await handle.result() == 3
    await replayed(handle)


# --- with workflows and clients of Perdure itself

app = perdure.App("mixed", task_queue="perdure-side")


@app.activity(task_queue=QUEUE, name="greet", start_to_close=20)
async def greet_elsewhere(name: str) -> str:
    raise AssertionError("served by the other side")


@app.workflow
async def asks_the_other_side(name: str) -> str:
    return await greet_elsewhere(name)


async def test_a_perdure_workflow_calls_an_activity_of_a_temporal_worker(server: Server, client: Client) -> None:
    async with await perdure.connect(server.url, app) as ours, perdure.Worker(ours, app, task_queues=["perdure-side"]):
        async with Worker(client, task_queue=QUEUE, activities=[greet]):
            assert await ours.execute(asks_the_other_side, "neighbour") == "Hello, neighbour!"


async def test_a_run_of_a_temporal_worker_is_signalled_and_listed_by_perdures_client(
    server: Server, client: Client
) -> None:
    async with worker(client), await perdure.connect(server.url) as ours:
        handle = await client.start_workflow(Account.run, 1, id="shared", task_queue=QUEUE)
        run = ours.get("shared")
        await run.signal("deposit", 41)
        async with asyncio.timeout(30):
            seen = None
            while seen != 42:  # the worker may not have asked for work yet
                with suppress(perdure.QueryFailedError):
                    seen = await run.query("seen")
        await run.signal("close")
        assert await handle.result() == 42
        assert [found.id async for found in ours.list()] == ["shared"]
