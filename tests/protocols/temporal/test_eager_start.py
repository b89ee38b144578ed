"""A run whose first turn goes to whoever starts it says so, as with Temporal's server."""

from datetime import timedelta
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker


@workflow.defn
class Hello:
    @workflow.run
    async def run(self) -> str:
        return "hello"


@pytest.mark.parametrize(("options", "is_eager"), [({}, True), ({"start_delay": timedelta(milliseconds=1)}, False)])
async def test_the_history_says_whether_the_start_was_eager(client: Client, options: Any, is_eager: bool) -> None:
    async with Worker(client, task_queue="q", workflows=[Hello], workflow_runner=UnsandboxedWorkflowRunner()):
        for asks in (True, False):
            handle = await client.start_workflow(
                Hello.run, id=f"w-{asks}", task_queue="q", request_eager_start=asks, **options
            )
            assert await handle.result() == "hello"
            started = (await handle.fetch_history()).events[0].workflow_execution_started_event_attributes
            assert started.eager_execution_accepted is (asks and is_eager)
