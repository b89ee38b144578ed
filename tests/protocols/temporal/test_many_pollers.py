"""10,000 workers ask at once: each costs a little memory and next to no time, and the right one of them gets the task."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from temporalio.api.common.v1 import WorkflowType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb
from temporalio.api.workflowservice.v1 import service_pb2_grpc as stubs
from tests.protocols.temporal.server import DevServer

POLLERS = 10_000
QUEUES = 100
CHANNELS = 8
BYTES_EACH = 64 * 1024
"""Far more than one takes; its connection, its call and its place in the queue."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[DevServer]:
    server = DevServer(tmp_path)
    server.start()
    yield server
    server.stop()


def resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
async def test_ten_thousand_pollers(server: DevServer) -> None:
    pid = server.pid
    channels = [
        grpc.aio.insecure_channel(server.address, [("grpc.use_local_subchannel_pool", 1)]) for _ in range(CHANNELS)
    ]
    services: list[Any] = [stubs.WorkflowServiceStub(channel) for channel in channels]  # type: ignore[arg-type]
    polls: dict[asyncio.Task[Any], str] = {}
    before, worked = resident_bytes(pid), processor_seconds(pid)

    async def poll(number: int) -> Any:
        queue = TaskQueue(name=f"queue-{number % QUEUES}")
        request = pb.PollWorkflowTaskQueueRequest(namespace="default", task_queue=queue, identity=f"worker-{number}")
        return await services[number % CHANNELS].PollWorkflowTaskQueue(request, timeout=300)

    async def waiting() -> int:
        """How many the server knows of."""
        found = await asyncio.gather(
            *(
                services[0].DescribeTaskQueue(
                    pb.DescribeTaskQueueRequest(namespace="default", task_queue=TaskQueue(name=f"queue-{number}"))
                )
                for number in range(QUEUES)
            )
        )
        return sum(len(one.pollers) for one in found)

    for number in range(POLLERS):
        polls[asyncio.create_task(poll(number))] = f"queue-{number % QUEUES}"
    while await waiting() < POLLERS:
        await asyncio.sleep(0.2)
        assert not [task for task in polls if task.done()], "none is sent away"
    each = (resident_bytes(pid) - before) / POLLERS
    print(
        f"{each / 1024:.1f} KiB and {(processor_seconds(pid) - worked) / POLLERS * 1e6:.0f} us of processor time each"
    )
    worked = processor_seconds(pid)
    await asyncio.sleep(1)
    print(f"all of them waiting take {(processor_seconds(pid) - worked) * 100:.1f} % of a processor")
    assert each < BYTES_EACH
    await services[0].StartWorkflowExecution(
        pb.StartWorkflowExecutionRequest(
            namespace="default",
            workflow_id="needle",
            workflow_type=WorkflowType(name="Anything"),
            task_queue=TaskQueue(name="queue-7"),
            request_id="r",
        )
    )
    done, _ = await asyncio.wait(polls, return_when=asyncio.FIRST_COMPLETED, timeout=60)
    (first,) = done
    assert polls[first] == "queue-7" and first.result().workflow_execution.workflow_id == "needle"
    for task in polls:
        task.cancel()
    await asyncio.gather(*polls, return_exceptions=True)
    await asyncio.gather(*(channel.close() for channel in channels))
    async with grpc.aio.insecure_channel(server.address) as channel:
        service: Any = stubs.WorkflowServiceStub(channel)  # type: ignore[arg-type]
        counted = await service.CountWorkflowExecutions(pb.CountWorkflowExecutionsRequest(namespace="default"))
        assert counted.count == 1, "it lives, and has what it had"
