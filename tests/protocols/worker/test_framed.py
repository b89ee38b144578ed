"""Streams on a connection of the REST interface: the switch, the frames, and whoever gets them wrong."""

import asyncio
import socket
from typing import Any

import pytest
import uvloop
from tests.protocols.worker.conftest import app, one
from tests.protocols.worker.frames import Frames

import perdure
from perdure.app.server import Server
from perdure.protocols.worker import framed
from perdure.protocols.worker import worker_pb2 as pb
from perdure.protocols.worker.dial import FramedCarrier
from perdure.protocols.worker.framed import FramedStream
from perdure.protocols.worker.over_grpc import GrpcCarrier
from perdure.protocols.worker.streams import CALL, WORK, joined


@pytest.fixture
async def frames(server):
    """A client's stream that is let in."""
    frames = await Frames.connect(server.rest_port, CALL)
    assert frames.answer.startswith(b"HTTP/1.1 101 ") and await frames.receive() == (0, b"")
    yield frames
    frames.close()


async def ask(frames, call_id: int = 1) -> pb.Answer:
    frames.send(pb.Calls(calls=[pb.Call(id=call_id, operation="namespaces", arguments=b"\x90")]).SerializeToString())
    _, content = await frames.receive()
    (answer,) = pb.Answers.FromString(content).answers
    assert answer.id == call_id and not answer.HasField("error")
    return answer


def test_messages_that_are_joined_are_a_batch():
    calls = [pb.Call(id=7, operation="x" * size) for size in (0, 1, 100, 120, 128, 20_000, 3_000_000)] + [pb.Call()]
    assert pb.Calls.FromString(joined([call.SerializeToString() for call in calls])) == pb.Calls(calls=calls)


async def test_a_client_takes_frames_where_they_are_offered(server):
    async with await perdure.connect(server.url) as client:
        assert isinstance(client.service.connection.carrier, FramedCarrier)  # type: ignore[attr-defined]


async def test_no_small_message_waits_for_another_to_be_acknowledged(server, monkeypatch):
    both_sides: list[asyncio.Transport] = []
    monkeypatch.setattr(framed, "_probe", both_sides.append)
    async with await perdure.connect(server.url):
        connections = [side.get_extra_info("socket") for side in both_sides]
        assert [each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for each in connections] == [1, 1]


async def test_a_client_goes_on_over_grpc_where_they_are_not(server, monkeypatch):
    monkeypatch.setattr("perdure.protocols.worker.dial.UPGRADE", "something-else")
    async with await perdure.connect(server.url) as client:
        assert isinstance(client.service.connection.carrier, GrpcCarrier)  # type: ignore[attr-defined]
        assert await client.count() == 0


async def test_a_connection_that_was_kept_alive_can_switch(server):
    frames = Frames(*await asyncio.open_connection("127.0.0.1", server.rest_port))
    frames.writer.write(b"GET /api/v1/server HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    head = await frames.reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
    await frames.reader.readexactly(int(length.split(b":")[1]))
    frames.writer.write(
        f"GET {CALL} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: perdure-stream\r\n\r\n".encode()
    )
    assert (await frames.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    assert await frames.receive() == (0, b"")
    await ask(frames)
    frames.close()


@pytest.mark.parametrize(
    "head",
    [
        "GET /perdure.worker.v1.Worker/Rest HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: perdure-stream",
        f"GET {CALL} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket",
        f"GET {CALL} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: \xff",
        f"GET {CALL} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: perdure-stream",
    ],
)
async def test_what_is_not_offered_is_an_ordinary_request(server, head):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.rest_port)
    writer.write(f"{head}\r\n\r\n".encode("latin-1"))
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 4")
    writer.close()


async def test_frames_may_come_in_pieces_or_many_at_once(frames):
    batch = pb.Calls(calls=[pb.Call(id=1, operation="namespaces", arguments=b"\x90")]).SerializeToString()
    frame = b"\0" + len(batch).to_bytes(4, "big") + batch
    for at in range(len(frame)):
        frames.writer.write(frame[at : at + 1])
        await frames.writer.drain()
        await asyncio.sleep(0)
    await frames.receive()
    frames.writer.write(b"\0\0\0\0\0" + 3 * frame + frame[:7])
    answers: list[pb.Answer] = []
    while len(answers) < 3:
        answers += pb.Answers.FromString((await frames.receive())[1]).answers
    frames.writer.write(frame[7:])
    await frames.receive()


@pytest.mark.parametrize(
    ("flags", "content", "status", "words"),
    [
        (0, b"\xff\xff\xff not a message", "3", "are no Calls"),
        (1, b"compressed", "3", "flags 0x1"),
        (0x7F, b"", "3", "flags 0x7f"),
        (0x80, b"\xff\xfe", "2", "UNKNOWN"),
        (0x80, b"grpc-status: 0\r\n", "0", ""),
    ],
)
async def test_a_frame_that_makes_no_sense_ends_that_stream_alone(server, frames, flags, content, status, words):
    other = await Frames.connect(server.rest_port, CALL)
    await other.receive()
    frames.send(content, flags)
    end = await frames.end()
    assert end["grpc-status"] == status and words in end["grpc-message"]
    await ask(other)
    other.close()


async def test_a_batch_that_is_too_large_is_refused_before_it_is_there(frames):
    frames.writer.write(b"\0" + (3 << 30).to_bytes(4, "big") + b"x" * 5_000_000)
    end = await frames.end()
    assert end["grpc-status"] == "8" and "at most 67,108,864 are taken" in end["grpc-message"]


async def test_a_large_payload_comes_through(server, client):
    async with perdure.Worker(client, app, task_queues=["default", "raw"]):
        run = await client.start("one", 5, id="large", memo={"text": "x" * 1_500_000})
        assert await run.result() == 6
        assert len((await run.describe()).memo["text"]) == 1_500_000


async def test_who_is_not_let_in_learns_why(server, monkeypatch):
    from perdure.model.errors import UnauthenticatedError

    async def refuse(credentials: Any) -> None:
        raise UnauthenticatedError(f"nobody knows {credentials.authorization!r}: \u00fc")

    monkeypatch.setattr(server._protocol._gate, "admit", refuse)
    for path in (WORK, CALL):
        frames = await Frames.connect(server.rest_port, path, "Authorization: Bearer x\r\n")
        assert await frames.end() == {"grpc-status": "16", "grpc-message": "nobody knows 'Bearer x': \u00fc"}
        frames.close()


async def test_who_says_nothing_is_told_that_the_connection_lives(frames, monkeypatch, server):
    monkeypatch.setattr(framed, "TICK_SECONDS", 0.01)
    quick = await Frames.connect(server.rest_port, CALL)
    for _ in range(2):
        assert await quick.receive() == (0, b"")
    with pytest.raises(asyncio.IncompleteReadError):
        # It has heard nothing either, and takes this side for gone.
        while True:
            await quick.receive()
    await ask(frames)
    quick.close()


async def test_a_slow_reader_gets_everything_in_the_end():
    loop = asyncio.get_running_loop()
    sides: list[FramedStream] = []

    def accept() -> FramedStream:
        sides.append(FramedStream())
        return sides[-1]

    listener = await loop.create_server(accept, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.sockets[0].getsockname()[1], limit=1 << 16)
    while not sides:
        await asyncio.sleep(0)
    messages = [bytes([number]) * 300_000 for number in range(60)]
    for message in messages:
        sides[0].say(message)
    frames, heard = Frames(reader, writer), b""
    expected = joined(messages)
    while len(heard) < len(expected):
        heard += (await frames.receive())[1]
    assert heard == expected
    writer.close()
    sides[0].close()
    listener.close()
    await listener.wait_closed()


def test_a_server_a_worker_and_a_client_on_uvloop(tmp_path):
    async def main() -> int:
        server = Server(f"sqlite:///{tmp_path / 'w.db'}", rest_address="127.0.0.1:0", grpc_address="127.0.0.1:0")
        await server.open()
        try:
            async with await perdure.connect(server.url, app) as client, perdure.Worker(client, app):
                return await client.execute(one, 41)
        finally:
            await server.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) == 42
