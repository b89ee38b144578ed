"""The load of bench/temporal.py: python -m bench.temporal_load ADDRESS CONCURRENCY SECONDS

Prints {"warm": true} when what is measured begins, and what it found when it ends.
"""

import asyncio
import json
import os
import sys
import time
from datetime import timedelta
from itertools import count

import uvloop
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

QUEUE = "bench"
WARM_SECONDS = 2.0


@activity.defn
async def greet(name: str) -> str:
    return f"hello {name}"


@workflow.defn
class One:
    @workflow.run
    async def run(self, name: str) -> str:
        return await workflow.execute_activity(greet, name, start_to_close_timeout=timedelta(seconds=60))


async def main(address: str, concurrency: int, seconds: float) -> None:
    client = await Client.connect(address)
    numbers = count()
    taken: list[float] = []
    prefix = f"{os.getpid()}-{time.time_ns()}"
    worker = Worker(
        client,
        task_queue=QUEUE,
        workflows=[One],
        activities=[greet],
        # The sandbox is between the SDK and its user, and would be most of what is measured.
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_concurrent_workflow_task_polls=10,
        max_concurrent_activity_task_polls=10,
    )

    async def call(until: float) -> None:
        while time.monotonic() < until:
            began = time.monotonic()
            await client.execute_workflow(One.run, "you", id=f"{prefix}-{next(numbers)}", task_queue=QUEUE)
            taken.append(time.monotonic() - began)

    async def load(for_seconds: float) -> None:
        until = time.monotonic() + for_seconds
        await asyncio.gather(*(call(until) for _ in range(concurrency)))

    async with worker:
        await load(WARM_SECONDS)
        taken.clear()
        print(json.dumps({"warm": True}), flush=True)
        began, spent = time.monotonic(), time.process_time()
        await load(seconds)
        took, used = time.monotonic() - began, time.process_time() - spent
        taken.sort()
        runs = len(taken)
        found = {
            "runs": runs,
            "runs_per_second": runs / took,
            "load_ms": used / max(1, runs) * 1000,
            "p50_ms": taken[runs // 2] * 1000 if runs else 0.0,
            "p99_ms": taken[min(runs - 1, runs * 99 // 100)] * 1000 if runs else 0.0,
        }
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    # As whoever wants speed would: what the SDK's core hands to Python comes through the event loop.
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
