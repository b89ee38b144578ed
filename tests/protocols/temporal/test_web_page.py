"""Temporal's own web page, in a browser, shows what this server has; and what is pressed there is done.

Every call that the page makes must be answered, except where the page asks for what is not there on purpose.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from nexusrpc.handler import StartOperationContext, service_handler, sync_operation
from temporalio import activity, workflow
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.nexus.v1 import EndpointSpec, EndpointTarget
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, CreateNexusEndpointRequest
from temporalio.client import (
    ActivityHandle,
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleSpec,
    WorkflowExecutionStatus,
    WorkflowHandle,
)
from temporalio.common import (
    RetryPolicy,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    VersioningBehavior,
    WorkerDeploymentVersion,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkerDeploymentConfig
from tests.protocols.temporal.programs import CannotBuildError
from tests.protocols.temporal.web_page import WebPage, web_page

from perdure.app.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]

QUEUE = "shop"
CUSTOMER = SearchAttributeKey.for_keyword("Customer")

PAGES = {
    f"GET {path}"
    for path in (
        "cluster-info",
        "namespaces",
        "namespaces/default",
        "namespaces/default/activities",
        "namespaces/default/batch-operations",
        "namespaces/default/schedules",
        "namespaces/default/schedules/hourly",
        "namespaces/default/search-attributes",
        "namespaces/default/task-queues/versioned",
        "namespaces/default/worker-deployments",
        "namespaces/default/worker-deployments/warehouse",
        "namespaces/default/workflow-count",
        "namespaces/default/workflows",
        "namespaces/default/workflows/order",
        "namespaces/default/workflows/order/history",
        "namespaces/default/workflows/order/history-reverse",
        "nexus/endpoints",
        "system-info",
    )
} | {"POST namespaces/default/workflows/order/query/__stack_trace"}
"""What the pages ask, at least."""


@service_handler(name="Bank")
class Bank:
    @sync_operation
    async def greet(self, ctx: StartOperationContext, input: str) -> str:
        return f"hello {input}"


@activity.defn
async def price(name: str) -> int:
    return len(name)


@activity.defn
async def pack(name: str) -> str:
    raise ApplicationError("no boxes left")


@workflow.defn
class Parcel:
    @workflow.run
    async def run(self, name: str) -> str:
        if name == "broken":
            raise ApplicationError("it is broken", non_retryable=True)
        await workflow.wait_condition(lambda: name != "waits")
        return name


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.pokes = 0

    @workflow.signal(description="pokes it")
    def poke(self, number: int = 1) -> None:
        self.pokes += number

    @workflow.query(description="how often it was poked")
    def poked(self) -> int:
        return self.pokes

    @workflow.update(description="pokes it, and says how often it was")
    async def count(self, number: int) -> int:
        self.pokes += number
        return self.pokes

    @workflow.run
    async def run(self, name: str) -> str:
        workflow.set_current_details("these are **details**")
        await workflow.execute_activity(price, name, start_to_close_timeout=timedelta(seconds=60))
        await workflow.start_child_workflow(Parcel.run, "waits", id=f"{workflow.info().workflow_id}-parcel")
        bank = workflow.create_nexus_client(service="Bank", endpoint="bank")
        await bank.execute_operation("greet", "you", output_type=str)
        await workflow.execute_activity(
            pack,
            name,
            activity_id="packing",
            start_to_close_timeout=timedelta(seconds=60),
            retry_policy=RetryPolicy(initial_interval=timedelta(hours=1)),
        )
        return name


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """One store will do: whatever a page shows has passed through calls that are tested on both."""
    server = Server("memory://", rest_address="127.0.0.1:0", grpc_address="127.0.0.1:0", temporal_address="127.0.0.1:0")
    await server.open()
    yield server
    await server.close()


@pytest.fixture
async def page(server: Server, tmp_path: Path) -> AsyncIterator[WebPage]:
    try:
        async with web_page(tmp_path, f"127.0.0.1:{server.temporal_port}") as page:
            yield page
    except CannotBuildError as error:
        pytest.skip(str(error))


def worker(client: Client, queue: str = QUEUE, version: str = "") -> Worker:
    config = WorkerDeploymentConfig(
        version=WorkerDeploymentVersion("warehouse", version),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )
    return Worker(
        client,
        task_queue=queue,
        workflows=[Order, Parcel],
        activities=[price, pack],
        nexus_service_handlers=[Bank()],
        workflow_runner=UnsandboxedWorkflowRunner(),
        deployment_config=config if version else None,
    )


async def fill(client: Client) -> str:
    """Something of each kind; returns the run id of the order."""
    operators = client.operator_service
    await operators.add_search_attributes(
        AddSearchAttributesRequest(
            namespace="default", search_attributes={"Customer": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD}
        )
    )
    target = EndpointTarget(worker=EndpointTarget.Worker(namespace="default", task_queue=QUEUE))
    await operators.create_nexus_endpoint(CreateNexusEndpointRequest(spec=EndpointSpec(name="bank", target=target)))
    order = await client.start_workflow(
        Order.run,
        "cup",
        id="order",
        task_queue=QUEUE,
        memo={"colour": "blue"},
        static_summary="an *order*",
        search_attributes=TypedSearchAttributes([SearchAttributePair(CUSTOMER, "ada")]),
    )
    await order.execute_update("count", 2)
    await client.execute_workflow(Parcel.run, "quick", id="quick", task_queue=QUEUE)
    broken = await client.start_workflow(Parcel.run, "broken", id="broken", task_queue=QUEUE)
    hourly = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(hours=1))])
    action = ScheduleActionStartWorkflow("Parcel", "quick", id="hourly-parcel", task_queue=QUEUE)
    schedule = await client.create_schedule("hourly", Schedule(action=action, spec=hourly))
    await schedule.trigger()
    alone: ActivityHandle[Any] = await client.start_activity(
        "price", "cup", id="alone", task_queue=QUEUE, start_to_close_timeout=timedelta(seconds=60)
    )
    await alone.result()
    while not (pending := (await order.describe()).raw_description.pending_activities) or not pending[0].last_failure:
        await asyncio.sleep(0.05)
    while (await broken.describe()).close_time is None:
        await asyncio.sleep(0.05)
    return (await order.describe()).run_id


async def test_its_pages_show_what_is_here(server: Server, page: WebPage) -> None:
    client = await Client.connect(f"127.0.0.1:{server.temporal_port}")
    async with worker(client), worker(client, "versioned", "1.0"):
        run_id = await fill(client)
        order = f"/namespaces/default/workflows/order/{run_id}"
        # Each page, and what only this server can have told it.
        for path, *texts in (
            ("/namespaces", "default"),
            ("/namespaces/default", "Retention Period", "Customer", "RootWorkflowId"),
            ("/namespaces/default/workflows", "order-parcel", "2 RUNNING", "1 FAILED"),
            ("/namespaces/default/workflows?query=Customer%3D%22ada%22", "order"),
            (f"{order}/timeline", "• pack", "Bank.greet"),
            (f"{order}/history/compact", "Child Workflow", "count"),
            (f"{order}/history/feed", "Workflow Execution Started", "Activity Task Scheduled"),
            (f"{order}/relationships", "Child Count", "order-parcel"),
            (f"{order}/pending-activities", "no boxes left", "Last Worker Identity"),
            (f"{order}/call-stack", "Stack for <Task pending"),
            (f"{order}/query", "Run Query"),
            (f"{order}/user-metadata", "Current Details"),
            (f"{order}/search-attributes", "Customer", "ada"),
            (f"{order}/memo", "colour", "blue"),
            (f"{order}/workers", QUEUE),
            ("/namespaces/default/schedules", "hourly", "Every 1 hour(s)"),
            ("/namespaces/default/schedules/hourly", "1 Recent Run", "Parcel"),
            ("/namespaces/default/activities", "alone", "price"),
            ("/namespaces/default/task-queues/versioned", "warehouse", "1.0"),
            ("/namespaces/default/worker-deployments", "Create Worker Deployment", "warehouse"),
            ("/namespaces/default/worker-deployments/warehouse", "1.0", "Inactive"),
            ("/namespaces/default/batch-operations", "No Batch Operations"),
            ("/nexus", "bank"),
        ):
            await page.show(path, *texts)
        assert page.refused == []
        assert PAGES - page.calls == set()
        # What is not there is said in the page's own way, and what is wrong in ours.
        await page.show("/namespaces/default/workflows?query=Nonsense%20x", "there is 'x'; expected a comparison")
        await page.show("/namespaces/default/schedules/none", "workflow not found for ID: temporal-sys-scheduler:none")
        assert all("Nonsense" in call or "schedules/none" in call for call in page.refused)


async def test_what_is_pressed_there_is_done(server: Server, page: WebPage) -> None:
    client = await Client.connect(f"127.0.0.1:{server.temporal_port}")
    async with worker(client):
        # A run is started by the page's form, signalled and ended.
        await page.show("/namespaces/default/workflows/start-workflow", "Start Workflow")
        for field, value in (("workflowId", "parcel"), ("taskQueue", QUEUE), ("workflowType", "Parcel")):
            await page.tab.locator(f"#{field}").fill(value)
        await page.tab.locator("[contenteditable=true]").first.fill('"waits"')
        await page.press("start-workflow-button")
        parcel = client.get_workflow_handle("parcel")
        await until(parcel, WorkflowExecutionStatus.RUNNING)
        await page.show("/namespaces/default/workflows/parcel", "RUNNING")
        await page.choose("signal-button")
        await page.tab.locator("dialog[open] input:visible").first.fill("poke")
        await page.confirm()
        await page.choose("reset-button")
        before = (await parcel.describe()).run_id
        await page.tab.locator("dialog[open] [role=option]").first.evaluate("element => element.click()")
        await page.confirm()
        assert (await parcel.describe()).run_id != before
        await page.show("/namespaces/default/workflows/parcel", "RUNNING", (await parcel.describe()).run_id)
        await page.choose("terminate-button")
        await page.confirm()
        await until(parcel, WorkflowExecutionStatus.TERMINATED)
        # Two are cancelled by a batch.
        for id in ("one", "other"):
            await client.start_workflow(Parcel.run, "waits", id=id, task_queue=QUEUE)
        await page.show("/namespaces/default/workflows?query=ExecutionStatus%3D%22Running%22", "other", "one")
        await page.tab.locator("#select-visible-workflows").evaluate("element => element.click()")
        await page.press("bulk-cancel-button")
        await page.confirm()
        for id in ("one", "other"):
            await until(client.get_workflow_handle(id), WorkflowExecutionStatus.CANCELED)
        await page.show("/namespaces/default/batch-operations", "CANCEL", "COMPLETED")
        # A schedule is made, started by hand, paused and taken away.
        await page.show("/namespaces/default/schedules/create", "Cron expression")
        for field, value in (
            ("name", "nightly"),
            ("workflowType", "Parcel"),
            ("workflowId", "night"),
            ("taskQueue", QUEUE),
        ):
            await page.tab.locator(f"#{field}").fill(value)
        await page.tab.get_by_placeholder("* * * * *").fill("0 2 * * *")
        await page.press("create-schedule-button")
        await page.sees("nightly")
        await page.show("/namespaces/default/schedules/nightly", "Schedule Specs", "At 02:00")
        nightly = client.get_schedule_handle("nightly")
        assert not (await nightly.describe()).schedule.state.paused
        await page.choose("trigger-schedule")
        await page.confirm()
        while not (await nightly.describe()).info.num_actions:
            await asyncio.sleep(0.05)
        await page.tab.locator("#schedule-actions-primary-button").click()
        await page.tab.locator("#pause-reason").fill("holidays")
        await page.confirm()
        await page.sees("holidays")
        assert (await nightly.describe()).schedule.state.paused
        await page.choose("delete-schedule")
        await page.confirm()
        # An endpoint is made.
        await page.show("/nexus/create", "Target Namespace")
        for field, value in (("name", "bank"), ("target-namespace", "default"), ("task-queue", QUEUE)):
            await page.tab.locator(f"#{field}").fill(value)
        await page.tab.get_by_role("option", name="default").first.click()
        await page.press("nexus-form-submit-button")
        await page.show("/nexus", "Create Nexus Endpoint", "bank")
    assert page.refused == []


async def until(handle: WorkflowHandle[Any, Any], status: WorkflowExecutionStatus) -> None:
    """Wait until a run has come to this."""
    while True:
        try:
            if (await handle.describe()).status is status:
                return
        except RPCError:
            pass  # it is not started yet
        await asyncio.sleep(0.05)
