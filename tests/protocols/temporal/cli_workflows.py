"""The workflows that the recorded commands of Temporal's command line are about."""

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

QUEUE = "cli"


@workflow.defn
class Adds:
    @workflow.run
    async def run(self, one: int, other: int) -> int:
        return one + other


@workflow.defn
class Waits:
    def __init__(self) -> None:
        self.total = 0

    @workflow.run
    async def run(self, total: int = 0) -> int:
        self.total += total
        await workflow.wait_condition(lambda: False)
        return self.total

    @workflow.signal
    def poke(self, number: int = 0) -> None:
        self.total += number

    @workflow.update
    def add(self, number: int) -> int:
        self.total += number
        return self.total

    @workflow.query
    def state(self) -> int:
        return self.total


def worker(client: Client) -> Worker:
    """Serves them."""
    return Worker(client, task_queue=QUEUE, workflows=[Adds, Waits], workflow_runner=UnsandboxedWorkflowRunner())
