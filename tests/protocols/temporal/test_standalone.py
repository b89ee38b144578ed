"""Activities without a workflow, by Temporal's own Python SDK."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.api.workflowservice.v1 import (
    DeleteActivityExecutionRequest,
    DescribeActivityExecutionRequest,
    StartActivityExecutionRequest,
)
from temporalio.api.workflowservice.v1 import service_pb2_grpc as stubs
from temporalio.client import (
    ActivityExecutionStatus,
    ActivityFailureError,
    ActivityHandle,
    Client,
    PendingActivityState,
)
from temporalio.common import (
    ActivityIDConflictPolicy,
    ActivityIDReusePolicy,
    RetryPolicy,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
)
from temporalio.exceptions import (
    ActivityAlreadyStartedError,
    ApplicationError,
    CancelledError,
    TerminatedError,
    TimeoutError,
)
from temporalio.service import RPCError
from temporalio.worker import Worker

SECONDS = timedelta(seconds=20)
AT_ONCE = RetryPolicy(initial_interval=timedelta(milliseconds=1))
GOODS = SearchAttributeKey.for_keyword("Goods")


@activity.defn
async def double(number: int) -> int:
    info = activity.info()
    assert info.workflow_id is None and info.workflow_run_id is None
    assert info.activity_run_id
    return 2 * number


@activity.defn
async def nothing() -> None:
    pass


@activity.defn
async def third_time() -> int:
    if activity.info().attempt < 3:
        raise ApplicationError("not yet", "Early")
    return activity.info().attempt


@activity.defn
async def refuse(text: str) -> None:
    raise ApplicationError(text, 7, type="Refused", non_retryable=True)


@activity.defn
async def wait() -> str:
    while True:
        activity.heartbeat("beat")
        await asyncio.sleep(0.05)


@activity.defn
async def stand_still() -> None:
    await asyncio.sleep(3600)


@pytest.fixture
async def worker(client: Client) -> AsyncIterator[Worker]:
    activities: list[Any] = [double, nothing, third_time, refuse, wait, stand_still]
    async with Worker(client, task_queue="q", activities=activities) as worker:
        yield worker


async def state(handle: ActivityHandle[Any], wanted: PendingActivityState) -> None:
    while (await handle.describe()).run_state is not wanted:
        await asyncio.sleep(0.02)


async def test_how_they_end(client: Client, worker: Worker) -> None:
    assert await client.execute_activity(double, 21, id="a", task_queue="q", start_to_close_timeout=SECONDS) == 42
    await client.execute_activity(nothing, id="n", task_queue="q", schedule_to_close_timeout=SECONDS)

    handle = await client.start_activity(
        third_time, id="t", task_queue="q", start_to_close_timeout=SECONDS, retry_policy=AT_ONCE, summary="thrice"
    )
    assert await handle.result() == 3
    described = await handle.describe(include_last_failure=True)
    assert (described.status, described.attempt) == (ActivityExecutionStatus.COMPLETED, 3)
    assert described.retry_policy is not None and described.close_time is not None
    assert described.task_queue == "q" and described.activity_type == "third_time"
    assert described.last_worker_identity

    with pytest.raises(ActivityFailureError) as failed:
        await client.execute_activity(refuse, "no", id="r", task_queue="q", start_to_close_timeout=SECONDS)
    cause = failed.value.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.message, cause.type, cause.details, cause.non_retryable) == ("no", "Refused", (7,), True)

    late = await client.start_activity(
        stand_still,
        id="late",
        task_queue="q",
        start_to_close_timeout=timedelta(milliseconds=100),
        retry_policy=RetryPolicy(maximum_attempts=1),
    )
    with pytest.raises(ActivityFailureError) as failed:
        await late.result()
    assert isinstance(failed.value.cause, TimeoutError)
    assert (await late.describe()).status is ActivityExecutionStatus.TIMED_OUT


async def test_one_is_cancelled_and_another_terminated(client: Client, worker: Worker) -> None:
    running = await client.start_activity(
        wait, id="c", task_queue="q", start_to_close_timeout=SECONDS, heartbeat_timeout=timedelta(seconds=1)
    )
    await state(running, PendingActivityState.STARTED)
    await running.cancel(reason="enough")
    with pytest.raises(ActivityFailureError) as failed:
        await running.result()
    assert isinstance(failed.value.cause, CancelledError)
    described = await running.describe()
    assert (described.status, described.canceled_reason) == (ActivityExecutionStatus.CANCELED, "enough")

    # Nobody serves this queue, so nobody has to be waited for; the same for one whose delay is not over.
    for id, delay in (("idle", None), ("later", timedelta(hours=1))):
        idle = await client.start_activity(
            "any", id=id, task_queue="nobody", start_to_close_timeout=SECONDS, start_delay=delay
        )
        await state(idle, PendingActivityState.SCHEDULED)
        await idle.cancel()
        with pytest.raises(ActivityFailureError) as failed:
            await idle.result()
        assert isinstance(failed.value.cause, CancelledError)
        with pytest.raises(RPCError, match="activity execution already completed"):
            await idle.terminate()

    ended = await client.start_activity(wait, id="e", task_queue="q", start_to_close_timeout=SECONDS)
    await ended.terminate(reason="fire")
    with pytest.raises(ActivityFailureError) as failed:
        await ended.result()
    assert isinstance(failed.value.cause, TerminatedError) and failed.value.cause.message == "fire"
    assert (await ended.describe()).status is ActivityExecutionStatus.TERMINATED


async def test_the_policies_of_ids(client: Client, worker: Worker) -> None:
    first = await client.start_activity("any", id="i", task_queue="nobody", start_to_close_timeout=SECONDS)
    with pytest.raises(ActivityAlreadyStartedError) as taken:
        await client.start_activity("any", id="i", task_queue="nobody", start_to_close_timeout=SECONDS)
    assert taken.value.run_id == first.run_id
    same = await client.start_activity(
        "any",
        id="i",
        task_queue="nobody",
        start_to_close_timeout=SECONDS,
        id_conflict_policy=ActivityIDConflictPolicy.USE_EXISTING,
    )
    assert same.run_id == first.run_id
    # A workflow of the same id is another thing.
    await client.start_workflow("Nobody", id="i", task_queue="nobody")

    assert await client.execute_activity(double, 1, id="d", task_queue="q", start_to_close_timeout=SECONDS) == 2
    for policy in (ActivityIDReusePolicy.REJECT_DUPLICATE, ActivityIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY):
        with pytest.raises(ActivityAlreadyStartedError):
            await client.start_activity(
                double, 1, id="d", task_queue="q", start_to_close_timeout=SECONDS, id_reuse_policy=policy
            )
    assert await client.execute_activity(double, 2, id="d", task_queue="q", start_to_close_timeout=SECONDS) == 4


async def test_they_are_found(client: Client, worker: Worker) -> None:
    for number in range(3):
        await client.execute_activity(
            double,
            number,
            id=f"order-{number}",
            task_queue="q",
            start_to_close_timeout=SECONDS,
            search_attributes=TypedSearchAttributes([SearchAttributePair(GOODS, "tea" if number else "salt")]),
        )
    waiting = await client.start_activity("any", id="waits", task_queue="nobody", start_to_close_timeout=SECONDS)
    await client.start_workflow("Nobody", id="w", task_queue="nobody")

    async def ids(query: str = "") -> set[str]:
        return {found.activity_id async for found in client.list_activities(query)}

    orders = {"order-0", "order-1", "order-2"}
    assert await ids() == {*orders, "waits"}
    assert await ids("ActivityType = 'double'") == orders
    assert await ids("TaskQueue = 'nobody'") == {"waits"}
    assert await ids("ActivityId IN ('order-1', \"waits\") AND ExecutionStatus = 'Completed'") == {"order-1"}
    assert await ids("ActivityId STARTS_WITH 'order' AND Goods = 'tea'") == {"order-1", "order-2"}
    assert await ids("Goods = 'tea' OR ActivityId = 'waits' ORDER BY StartTime") == {"order-1", "order-2", "waits"}
    assert (await client.count_activities("ActivityType = 'double'")).count == 3
    groups = (await client.count_activities("GROUP BY ExecutionStatus")).groups
    assert {tuple(group.group_values): group.count for group in groups} == {("Completed",): 3, ("Running",): 1}
    [found] = [found async for found in client.list_activities("Goods = 'salt'")]
    assert found.status is ActivityExecutionStatus.COMPLETED and found.task_queue == "q"
    assert [pair.key.name for pair in found.typed_search_attributes] == ["Goods"]

    # They are no workflows.
    assert [run.id async for run in client.list_workflows()] == ["w"]
    assert (await client.count_workflows("ExecutionStatus = 'Running'")).count == 1
    # And they can go for good.
    gone = DeleteActivityExecutionRequest(namespace="default", activity_id="waits", run_id=waiting.run_id or "")
    await client.workflow_service.delete_activity_execution(gone)
    with pytest.raises(RPCError, match="activity not found for ID: waits"):
        await waiting.describe()


async def test_they_are_paused_and_given_other_options(client: Client) -> None:
    handle = await client.start_activity(double, 4, id="p", task_queue="nobody", start_to_close_timeout=SECONDS)
    await handle.pause(reason="lunch")
    assert (await handle.describe()).status is ActivityExecutionStatus.PAUSED
    await handle.unpause()
    assert (await handle.describe()).status is ActivityExecutionStatus.RUNNING


async def test_by_hand(client: Client, raw: stubs.WorkflowServiceStub) -> None:
    """What is refused; who waits for a change; and an end that is told by the activity's id."""

    async def told(**fields: object) -> str:
        with pytest.raises(RPCError) as refused:
            await client.workflow_service.start_activity_execution(StartActivityExecutionRequest(**fields))  # type: ignore[arg-type]
        return refused.value.message

    assert await told(namespace="default") == "ActivityId is not set on request."
    assert "Namespace none is not found" in await told(namespace="none", activity_id="x")
    described = DescribeActivityExecutionRequest(namespace="default", activity_id="x")
    with pytest.raises(RPCError, match="activity not found for ID: x"):
        await client.workflow_service.describe_activity_execution(described)

    handle = await client.start_activity("any", id="x", task_queue="nobody", start_to_close_timeout=SECONDS)
    now = await client.workflow_service.describe_activity_execution(described)
    asking = DescribeActivityExecutionRequest(
        namespace="default", activity_id="x", run_id=now.run_id, long_poll_token=now.long_poll_token
    )
    waiting = asyncio.ensure_future(client.workflow_service.describe_activity_execution(asking))
    await handle.pause()
    assert int((await waiting).info.status) == ActivityExecutionStatus.PAUSED


async def test_it_ends_by_its_id(client: Client) -> None:
    from temporalio.api.taskqueue.v1 import TaskQueue
    from temporalio.api.workflowservice.v1 import PollActivityTaskQueueRequest

    handle = await client.start_activity("any", id="x", task_queue="by-hand", start_to_close_timeout=SECONDS)
    await client.workflow_service.poll_activity_task_queue(
        PollActivityTaskQueueRequest(namespace="default", task_queue=TaskQueue(name="by-hand"), identity="me")
    )
    outside = client.get_async_activity_handle(activity_id="x", run_id=handle.run_id)
    await outside.heartbeat(1)
    await outside.complete("done")
    assert await handle.result() == "done"
