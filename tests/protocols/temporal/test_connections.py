"""The listener's HTTP/2: large messages both ways, compression, callers who go, and bytes that are none of it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import ngh2
import pytest
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, ResponseReceived, TrailersReceived

from perdure.protocols.temporal.connections import Connections
from perdure.protocols.temporal.unary import Answered, Asked

LIMIT = 24 << 20
ECHO = "/test.Echo/Echo"


class Listener:
    """Answers with what it is asked, unless the path says something else."""

    def __init__(self) -> None:
        self.waiting = 0
        self.cancelled = 0
        self.connections = Connections(self.answer, LIMIT)

    async def answer(self, asked: Asked) -> Answered:
        if asked.method == b"/test.Echo/Wait":
            self.waiting += 1
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        if asked.method == b"/test.Echo/Refuse":
            return Answered(status=9, message="nö: 100%\n", trailers=[("why-bin", b"\0\xff")])
        if asked.method == b"/test.Echo/Seconds":
            said = asked.headers[b"said"].decode()
            return Answered(f"{asked.seconds:.0f} {said} {asked.peer}".encode())
        return Answered(asked.body)


@pytest.fixture
async def served() -> AsyncIterator[tuple[Listener, int]]:
    listener = Listener()
    server = await asyncio.get_running_loop().create_server(listener.connections.make, "127.0.0.1", 0)
    yield listener, server.sockets[0].getsockname()[1]
    server.close()
    await listener.connections.close(0.1)


@pytest.fixture
async def channel(served: tuple[Listener, int]) -> AsyncIterator[grpc.aio.Channel]:
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{served[1]}", options) as channel:
        yield channel


def unary(channel: grpc.aio.Channel, path: str) -> Any:
    return channel.unary_unary(path)


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_messages_of_any_size(channel: grpc.aio.Channel) -> None:
    echo = unary(channel, ECHO)
    sizes = (0, 1, 16_384, 70_000, 5 << 20, LIMIT)
    bodies = [bytes([index]) * size for index, size in enumerate(sizes)]
    assert await asyncio.gather(*(echo(body) for body in bodies)) == bodies
    compressed = unary(channel, ECHO)
    for compression in (grpc.Compression.Gzip, grpc.Compression.Deflate):
        assert await compressed(b"x" * 100_000, compression=compression) == b"x" * 100_000
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await compressed(b"x" * (LIMIT + 1), compression=compression)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await echo(b"x" * (LIMIT + 1))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await echo(b"still there") == b"still there"


async def test_what_comes_with_a_call_and_its_refusal(channel: grpc.aio.Channel) -> None:
    answer = await unary(channel, "/test.Echo/Seconds")(b"", timeout=100, metadata=(("said", "this"),))
    assert answer.startswith((b"100 this ipv4:127.0.0.1:", b"99 this ipv4:127.0.0.1:"))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await unary(channel, "/test.Echo/Refuse")(b"")
    error = refused.value
    assert (error.code(), error.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "nö: 100%\n")
    assert dict(error.trailing_metadata() or ())["why-bin"] == b"\0\xff"


async def test_callers_who_go(served: tuple[Listener, int], channel: grpc.aio.Channel) -> None:
    listener, _ = served
    wait = unary(channel, "/test.Echo/Wait")
    call = asyncio.ensure_future(wait(b""))
    await until(lambda: listener.waiting == 1)
    call.cancel()
    await until(lambda: listener.cancelled == 1)
    with pytest.raises(grpc.aio.AioRpcError) as late:
        await wait(b"", timeout=0.05)
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await until(lambda: listener.cancelled == listener.waiting)
    # Those who are waiting when the listener goes hear of it.
    call = asyncio.ensure_future(wait(b""))
    gone = listener.waiting
    await until(lambda: listener.waiting > gone)
    await listener.connections.close(5)
    with pytest.raises(grpc.aio.AioRpcError) as closed:
        await call
    assert closed.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    "sent",
    [b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\1\0\0\0\0\0\0x"],
    ids=["http1", "zeros", "frames"],
)
async def test_what_is_no_http2_is_let_go(served: tuple[Listener, int], channel: grpc.aio.Channel, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served[1])
    writer.write(sent)
    async with asyncio.timeout(20):
        while await reader.read(1 << 16):
            pass
    writer.close()
    assert await unary(channel, ECHO)(b"fine") == b"fine"


async def test_a_caller_that_does_not_read_costs_its_own_connection_alone(
    served: tuple[Listener, int], channel: grpc.aio.Channel
) -> None:
    import h2.connection
    import h2.events

    caller = h2.connection.H2Connection()
    caller.initiate_connection()
    reader, writer = await asyncio.open_connection("127.0.0.1", served[1])
    headers = [(":method", "POST"), (":path", ECHO), (":scheme", "http"), (":authority", "a"), ("te", "trailers")]
    caller.send_headers(1, [*headers, ("content-type", "application/grpc")])
    body = b"\0" + (200_000).to_bytes(4, "big") + b"x" * 200_000
    opened, got, ended = False, 0, False
    async with asyncio.timeout(20):
        while not ended:
            if opened and body:
                room = min(caller.local_flow_control_window(1), caller.max_outbound_frame_size, len(body))
                if room:
                    caller.send_data(1, body[:room], end_stream=room == len(body))
                    body = body[room:]
            writer.write(caller.data_to_send())
            if opened and body:
                continue
            for event in caller.receive_data(await reader.read(1 << 16)):
                opened = True
                if isinstance(event, h2.events.DataReceived):
                    got += len(event.data or b"")
                    if got == 65_535:  # all that it has allowed: nothing more comes until it allows more
                        assert await unary(channel, ECHO)(b"meanwhile") == b"meanwhile"
                        caller.increment_flow_control_window(1 << 20)
                        caller.increment_flow_control_window(1 << 20, 1)
                ended = ended or isinstance(event, h2.events.StreamEnded)
    assert got == 200_005
    writer.close()


async def test_a_connection_lasts_for_any_number_of_calls_and_of_such_as_are_given_up(
    served: tuple[Listener, int],
) -> None:
    """What guards against floods must not take busy clients, or one that ends with all of its polls, for one."""
    listener, port = served
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    caller = ngh2.Connection(ngh2.Role.CLIENT, ngh2.Configuration(peer_max_concurrent_streams=100_000))
    caller.initiate_connection()
    ended = 0

    def ask(path: str) -> int:
        headers = [(b":method", b"POST"), (b":path", path.encode()), (b":scheme", b"http"), (b":authority", b"a")]
        stream_id = caller.send_request([*headers, (b"content-type", b"application/grpc")])
        caller.send_data(stream_id, b"\0\0\0\0\1x")
        writer.write(caller.data_to_send())
        caller.end_stream(stream_id)  # in a frame of its own, as some SDKs do
        return stream_id

    async def hear() -> None:
        nonlocal ended
        writer.write(caller.data_to_send())
        caller.receive_data(await reader.read(1 << 16))
        ended += sum(isinstance(event, ngh2.TrailersReceived) for event in caller.events())

    async with asyncio.timeout(60):
        for _ in range(105):
            until_now = ended
            for _ in range(100):
                ask(ECHO)
            while ended < until_now + 100:
                await hear()
        polls = [ask("/test.Echo/Wait") for _ in range(2_000)]
        writer.write(caller.data_to_send())
        await until(lambda: listener.waiting == len(polls))
        for stream_id in polls:
            caller.reset_stream(stream_id)
        writer.write(caller.data_to_send())
        await until(lambda: listener.cancelled == len(polls))
        ask(ECHO)
        while ended < 105 * 100 + 1:
            await hear()
    writer.close()


class Caller:
    """Speaks HTTP/2 as badly as it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.h2 = H2Connection()
        self.reader = reader
        self.writer = writer

    def begin(self, stream_id: int) -> None:
        headers = [(":method", "POST"), (":path", ECHO), (":scheme", "http"), (":authority", "a"), ("te", "trailers")]
        self.h2.send_headers(stream_id, [*headers, ("content-type", "application/grpc")])

    async def end(self) -> list[Any]:
        """What came until the other side closed; what it allows, this one sends."""
        events: list[Any] = []
        async with asyncio.timeout(20):
            while True:
                self.writer.write(self.h2.data_to_send())
                try:
                    data = await self.reader.read(1 << 16)
                except ConnectionError:
                    return events
                if not data:
                    return events
                events += self.h2.receive_data(data)


@pytest.fixture
async def impatient() -> AsyncIterator[tuple[Listener, int]]:
    listener = Listener()
    listener.connections = Connections(listener.answer, 100_000, quiet_seconds=0.2)
    server = await asyncio.get_running_loop().create_server(listener.connections.make, "127.0.0.1", 0)
    yield listener, server.sockets[0].getsockname()[1]
    server.close()
    await listener.connections.close(0.1)


@pytest.mark.parametrize("sent", [b"", b"PRI * HTTP/2.0\r\n"], ids=["nothing", "half a greeting"])
async def test_who_never_begins_is_let_go(impatient: tuple[Listener, int], sent: bytes) -> None:
    listener, port = impatient
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    async with asyncio.timeout(20):
        while await reader.read(1 << 16):
            pass
    writer.close()
    await until(lambda: not listener.connections.all)


async def test_a_request_that_does_not_end_is_given_up(impatient: tuple[Listener, int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient[1])
    caller = Caller(reader, writer)
    caller.h2.initiate_connection()
    caller.begin(1)
    caller.h2.send_data(1, b"\0")
    events: list[Any] = []
    async with asyncio.timeout(20):
        while not any(isinstance(event, ResponseReceived | TrailersReceived) for event in events):
            writer.write(caller.h2.data_to_send())
            events += caller.h2.receive_data(await reader.read(1 << 16))
    [answer] = [event for event in events if isinstance(event, ResponseReceived | TrailersReceived)]
    assert (b"grpc-status", b"4") in answer.headers
    writer.close()


async def test_requests_that_do_not_end_are_held_up_to_a_bound(impatient: tuple[Listener, int]) -> None:
    listener, port = impatient
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    caller = Caller(reader, writer)
    caller.h2.initiate_connection()
    writer.write(caller.h2.data_to_send())
    caller.h2.receive_data(await reader.read(1 << 16))
    # More than two of the largest messages, of which none is too large.
    for stream_id in range(1, 60, 2):
        caller.begin(stream_id)
        caller.h2.send_data(stream_id, b"x" * 10_000)
    assert any(isinstance(event, ConnectionTerminated) for event in await caller.end())
    await until(lambda: not listener.connections.all)
    writer.close()
