"""A worker that notes what it does in a file, to be killed: python -m tests.protocols.temporal.python.killing ADDRESS LOG"""

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

QUEUE = "killing"


@activity.defn
async def step(name: str, seconds: float) -> str:
    note(f"begin {name}")
    await asyncio.sleep(seconds)
    note(f"end {name}")
    return name


def note(words: str) -> None:
    """A line that survives everything."""
    with Path(sys.argv[2]).open("a") as file:
        file.write(words + "\n")
        file.flush()
        os.fsync(file.fileno())


@workflow.defn
class Steps:
    @workflow.run
    async def run(self, count: int, seconds: float, patience: float) -> list[str]:
        done = []
        for number in range(count):
            name = f"{workflow.info().workflow_id}.{number}"
            # A worker that was killed says nothing: its attempt is over when it has not been heard of for so long.
            done.append(
                await workflow.execute_activity(
                    step,
                    args=[name, seconds],
                    start_to_close_timeout=timedelta(seconds=patience),
                    retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=50)),
                )
            )
            await workflow.sleep(0.01)
        return done


async def connected(address: str) -> Client:
    """A client, as soon as the server is there."""
    while True:
        try:
            return await Client.connect(address)
        except RuntimeError:
            await asyncio.sleep(0.1)


async def main() -> None:
    client = await connected(sys.argv[1])
    worker = Worker(
        client,
        task_queue=QUEUE,
        workflows=[Steps],
        activities=[step],
        workflow_runner=UnsandboxedWorkflowRunner(),
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
    )
    async with worker:
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
