"""A server in this process, and raw streams to it, as a worker of another language would have them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.protocols.worker.frames import FramedChannel

import perdure
from perdure.app.server import Server
from perdure.protocols.worker import worker_pb2 as pb
from perdure.protocols.worker.streams import WORK

app = perdure.App("wire", task_queue="default")


@app.activity(
    task_queue="raw", start_to_close=60, cancellation="wait", retry=perdure.Retry(initial=0.01, max_attempts=3)
)
async def work(number: int) -> int:
    return number + 1


@app.workflow
async def one(number: int) -> int:
    return await work(number)


class Raw:
    """A worker that speaks the protocol by hand."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self._said: list[pb.ToWorker] = []
        self._tasks: list[pb.ActivityTask] = []

    async def say(self, **message: Any) -> None:
        await self.stream.write(pb.FromWorkers(messages=[pb.FromWorker(**message)]))

    async def hello(self, worker_id: str = "raw", **facts: Any) -> None:
        facts = {
            "worker_id": worker_id,
            "identity": worker_id,
            "namespace": "default",
            "task_queues": ["raw"],
            "groups": [pb.ActivityGroup(activity_types=["work"], slots=2)],
        } | facts
        await self.say(hello=pb.Hello(**facts))

    async def hear(self) -> Any:
        """The next message, as its kind."""
        while not self._said:
            batch = await asyncio.wait_for(self.stream.read(), 100)
            if batch is grpc.aio.EOF:
                raise ConnectionError(await self.stream.code(), await self.stream.details())
            self._said += batch.messages
        message = self._said.pop(0)
        return getattr(message, message.WhichOneof("message"))

    async def task(self) -> pb.ActivityTask:
        """The next activity."""
        if self._tasks:
            return self._tasks.pop(0)
        while not isinstance(task := await self.hear(), pb.ActivityTask):
            pass
        return task

    async def acknowledged(self) -> pb.Acknowledge:
        """The next acknowledgement. Activities that come before it are kept."""
        while not isinstance(answer := await self.hear(), pb.Acknowledge):
            if isinstance(answer, pb.ActivityTask):
                self._tasks.append(answer)
        return answer

    async def refused(self) -> str:
        """Why the server ended the stream."""
        with pytest.raises((ConnectionError, grpc.aio.AioRpcError)) as raised:
            while True:
                await self.hear()
        return str(raised.value)


def report(task: pb.ActivityTask, **changes: Any) -> pb.ActivityReport:
    """A task's completion, or what is made of it."""
    facts: dict[str, Any] = {
        "run": task.run,
        "scheduled_event_id": task.scheduled_event_id,
        "attempt": task.attempt,
    }
    if not changes.keys() & {"failed", "canceled", "heartbeat", "left"}:
        facts["completed"] = pb.Payloads(payloads=[pb.Payload(data=b"42", encoding="json/plain")])
    return pb.ActivityReport(**facts | changes)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(f"sqlite:///{tmp_path / 'work.db'}", rest_address="127.0.0.1:0", grpc_address="127.0.0.1:0")
    await server.open()
    yield server
    await server.close()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[perdure.Client]:
    async with await perdure.connect(server.url, app) as client:
        yield client


@pytest.fixture(params=["grpc", "frames"])
async def channel(request: pytest.FixtureRequest, server: Server) -> AsyncIterator[grpc.aio.Channel | FramedChannel]:
    """What carries streams: both must do the same."""
    if request.param == "grpc":
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            yield channel
    else:
        yield FramedChannel(server.rest_port)


@asynccontextmanager
async def raw_worker(channel: grpc.aio.Channel | FramedChannel) -> AsyncIterator[Raw]:
    """A stream of one's own."""
    stream = channel.stream_stream(
        WORK, request_serializer=pb.FromWorkers.SerializeToString, response_deserializer=pb.ToWorkers.FromString
    )()
    try:
        yield Raw(stream)
    finally:
        stream.cancel()


@pytest.fixture
async def turns(client: perdure.Client) -> AsyncIterator[perdure.Client]:
    """A client, with a worker that takes the turns and leaves the activities to others."""
    async with perdure.Worker(client, app, task_queues=["default"]):
        yield client
