"""One workflow with one activity, by the real SDK: its events are numbered as Temporal's are."""

from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker


@activity.defn
async def greet(name: str) -> str:
    return f"Hello, {name}!"


@workflow.defn
class Hello:
    @workflow.run
    async def run(self, name: str) -> str:
        return await workflow.execute_activity(greet, name, start_to_close_timeout=timedelta(seconds=10))


async def test_a_workflow_with_an_activity_runs_and_can_be_replayed(client: Client) -> None:
    async with Worker(
        client, task_queue="hello", workflows=[Hello], activities=[greet], workflow_runner=UnsandboxedWorkflowRunner()
    ):
        handle = await client.start_workflow(Hello.run, "world", id="greeting", task_queue="hello")
        assert await handle.result() == "Hello, world!"
    history = await handle.fetch_history()
    assert [(event.event_id, event.event_type) for event in history.events] == [
        (1, 1),  # WorkflowExecutionStarted
        (2, 5),  # WorkflowTaskScheduled
        (3, 6),
        (4, 7),
        (5, 10),  # ActivityTaskScheduled
        (6, 11),
        (7, 12),
        (8, 5),
        (9, 6),
        (10, 7),
        (11, 2),  # WorkflowExecutionCompleted
    ]
    replayer = Replayer(workflows=[Hello], workflow_runner=UnsandboxedWorkflowRunner())
    await replayer.replay_workflow(history)
