"""Workers that are slow, stuck, wrong or lie; and bytes that are no messages."""

import asyncio
import contextlib
from typing import Any

import grpc
import msgspec
import pytest
from tests.protocols.worker.conftest import app, one, raw_worker, report, work

import perdure
from perdure.app.server import Server
from perdure.protocols.worker import worker_pb2 as pb
from perdure.protocols.worker.streams import CALL, DEFAULT_MESSAGE_BYTES, WORK


async def test_a_worker_of_any_language_takes_an_activity(turns, channel):
    async with raw_worker(channel) as worker:
        await worker.hello()
        run = await turns.start(one, 7, id="x")
        task = await worker.task()
        assert (task.run.workflow_id, task.activity_type, task.attempt, task.max_attempts) == ("x", "work", 1, 3)
        assert [payload.data for payload in task.input] == [b"7"]
        await worker.say(activity=report(task))
        assert (await worker.acknowledged()).refused == ""
        assert await run.result() == 42


async def test_a_completion_that_comes_twice_counts_once(turns, channel):
    async with raw_worker(channel) as worker:
        await worker.hello()
        run = await turns.start(one, 7, id="x")
        task = await worker.task()
        await worker.say(activity=report(task))
        await worker.say(activity=report(task, failed=pb.Failure(message="changed my mind")))
        # The one that is refused need not wait for a transaction.
        refused = sorted([(await worker.acknowledged()).refused, (await worker.acknowledged()).refused])
        assert refused[0] == "" and "it has ended" in refused[1]
        assert await run.result() == 42


async def test_an_attempt_that_was_let_go_of_is_acknowledged_and_makes_room(turns, channel):
    async with raw_worker(channel) as worker:
        await worker.hello(groups=[pb.ActivityGroup(activity_types=["work"], slots=1)])
        for number in range(2):
            await turns.start(one, number, id=f"x{number}")
        for _ in range(2):
            await worker.say(activity=report(await worker.task(), left=pb.Payloads()))
            assert (await worker.acknowledged()).refused == ""


async def test_a_task_of_somebody_else_can_not_be_completed(turns, channel):
    async with raw_worker(channel) as honest, raw_worker(channel) as liar:
        await honest.hello("honest")
        await liar.hello("liar", groups=[])
        run = await turns.start(one, 7, id="x")
        task = await honest.task()
        await liar.say(activity=report(task))
        assert "not this worker's" in (await liar.acknowledged()).refused
        await honest.say(activity=report(task))
        await honest.acknowledged()
        assert await run.result() == 42


@pytest.mark.parametrize(
    "change",
    [
        {"attempt": 2},
        {"attempt": 0},
        {"scheduled_event_id": 1},
        {"scheduled_event_id": 2**62},
        {"run": pb.Run(namespace="other", workflow_id="x", run_id="?")},
        {"run": pb.Run(namespace="default", workflow_id="nobody", run_id="?")},
        {"run": pb.Run()},
    ],
)
async def test_a_report_about_what_was_never_given_changes_nothing(turns, channel, change):
    async with raw_worker(channel) as worker:
        await worker.hello()
        run = await turns.start(one, 7, id="x")
        task = await worker.task()
        await worker.say(activity=report(task, **change))
        assert (await worker.acknowledged()).refused
        await worker.say(activity=report(task))
        assert (await worker.acknowledged()).refused == ""
        assert await run.result() == 42


async def test_a_heartbeat_that_comes_late_is_refused(turns, channel):
    async with raw_worker(channel) as worker:
        await worker.hello()
        run = await turns.start(one, 7, id="x")
        task = await worker.task()
        await worker.say(activity=report(task, heartbeat=pb.Payloads()))
        await worker.say(activity=report(task))
        assert (await worker.acknowledged()).refused == ""
        await worker.say(activity=report(task, heartbeat=pb.Payloads()))
        assert (await worker.acknowledged()).refused
        assert await run.result() == 42


async def test_slots_are_never_exceeded(turns, channel):
    async with raw_worker(channel) as worker:
        await worker.hello()
        runs = [await turns.start(one, number, id=f"x{number}") for number in range(5)]
        tasks = [await worker.task(), await worker.task()]
        described = await turns.task_queues.describe("raw")
        assert described.running == 2 and described.backlog == 3
        for _ in range(5):
            await worker.say(activity=report(tasks.pop(0)))
            await worker.acknowledged()
            if len(tasks) < 2 and (await turns.task_queues.describe("raw")).running > len(tasks):
                tasks.append(await worker.task())
        assert [await run.result() for run in runs] == [42] * 5


async def test_a_worker_that_keeps_a_turn_keeps_no_caller_waiting(client, channel):
    async with raw_worker(channel) as worker:
        await worker.hello(task_queues=["default"], workflow_types=["one"], turn_slots=1)
        run = await client.start(one, 7, id="x")
        while not isinstance(turn := await worker.hear(), pb.TakeTurn):
            pass
        assert turn.run.workflow_id == "x" and turn.is_new
        assert [event.type async for event in run.history()][-1] == "WorkflowTaskStarted"
        await run.terminate("enough")


async def test_a_cancelled_activity_is_told(turns, channel):
    async with raw_worker(channel) as worker:
        await worker.hello()
        run = await turns.start(one, 7, id="x")
        task = await worker.task()
        await run.cancel()
        while not isinstance(await worker.hear(), pb.CancelAttempt):
            pass
        await worker.say(activity=report(task, canceled=pb.Payloads()))
        await worker.acknowledged()
        with pytest.raises(perdure.WorkflowFailedError) as failed:
            await run.result()
        assert failed.value.status is perdure.RunStatus.CANCELED


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"worker_id": ""}, "worker_id"),
        ({"identity": "x" * 2000}, "identity"),
        ({"namespace": ""}, "namespace"),
        ({"task_queues": []}, "task queues"),
        ({"task_queues": [""]}, "task queues"),
        ({"turn_slots": -1}, "fewer than no slots"),
        ({"groups": [pb.ActivityGroup(activity_types=["a"], slots=-5)]}, "fewer than no slots"),
        ({"groups": [pb.ActivityGroup(activity_types=["a", "a"], slots=1)]}, "twice"),
    ],
)
async def test_a_hello_that_makes_no_sense_is_refused(channel, facts, words):
    async with raw_worker(channel) as worker:
        await worker.hello(**facts)
        refused = await worker.refused()
        assert "INVALID_ARGUMENT" in refused and words in refused


async def test_who_does_not_say_hello_is_refused(channel):
    async with raw_worker(channel) as worker:
        await worker.say(capacity=pb.Capacity(turn_slots=1))
        assert "Hello" in await worker.refused()


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"hello": pb.Hello(worker_id="again")},
        {"activity": pb.ActivityReport()},
        {"turn": pb.TurnReport(commands=b"\xc1 no MessagePack")},
        {"turn": pb.TurnReport(commands=msgspec.msgpack.encode([[99, "no such command"]]))},
        {"activity": pb.ActivityReport(failed=pb.Failure(kind=77))},
    ],
)
async def test_a_worker_that_talks_nonsense_is_sent_away(client, channel, message):
    async with raw_worker(channel) as worker:
        await worker.hello()
        await worker.say(**message)
        assert "INVALID_ARGUMENT" in await worker.refused()
    assert [known.identity for known in await client.service.workers("default")] == []


async def test_answers_that_nobody_asked_for_change_nothing(turns, channel):
    async with raw_worker(channel) as worker:
        await worker.hello()
        run = pb.Run(namespace="default", workflow_id="x", run_id="?")
        await worker.say(turn=pb.TurnReport(run=run, started_event_id=3, attempt=1, commands=b"\x90"))
        await worker.say(query=pb.QueryReport(query_id=5))
        await worker.say(capacity=pb.Capacity(turn_slots=-3, slots=[2, 7, 9]))
        handle = await turns.start(one, 7, id="x")
        await worker.say(activity=report(await worker.task()))
        assert await handle.result() == 42


async def test_who_is_let_in_and_says_nothing_is_sent_away(server, channel, monkeypatch):
    monkeypatch.setattr("perdure.protocols.worker.server.HELLO_SECONDS", 0.2)
    async with raw_worker(channel) as silent, raw_worker(channel) as worker:
        await worker.hello()
        refused = await silent.refused()
        assert "INVALID_ARGUMENT" in refused and "Hello within 0.2 seconds" in refused
        await asyncio.sleep(0.3)
        known = server.workers.describe("default")
        assert [each.identity for each in known] == ["raw"], "who has said hello may be as silent as it likes"


@pytest.mark.parametrize("beginning", [b"", b"PRI * HTT", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\n"])
async def test_a_connection_that_never_begins_with_grpc_is_given_up(tmp_path, monkeypatch, beginning):
    monkeypatch.setattr("perdure.protocols.worker.over_grpc.HANDSHAKE_MS", 300)
    server = Server("memory://", rest_address="127.0.0.1:0", grpc_address="127.0.0.1:0")
    await server.open()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.grpc_port)
        writer.write(beginning)
        async with asyncio.timeout(100):
            with contextlib.suppress(ConnectionError):
                while await reader.read(1000):
                    pass
        writer.close()
        async with await perdure.connect(f"grpc://127.0.0.1:{server.grpc_port}") as client:
            assert await client.count() == 0
    finally:
        await server.close()


@pytest.mark.parametrize("method", [WORK, CALL])
async def test_a_message_that_is_too_large_ends_that_stream_alone(server, client, method):
    async with grpc.aio.insecure_channel(
        f"127.0.0.1:{server.grpc_port}", options=[("grpc.max_send_message_length", -1)]
    ) as channel:
        stream: Any = channel.stream_stream(method)()
        await stream.write(bytes(DEFAULT_MESSAGE_BYTES + 1))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            while await stream.read() is not grpc.aio.EOF:
                pass
            raise grpc.aio.AioRpcError(await stream.code(), grpc.aio.Metadata(), grpc.aio.Metadata())
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await client.count() == 0


async def test_a_worker_that_reads_nothing_holds_up_nobody_else(turns, channel):
    large = perdure.App("large", task_queue="default")

    @large.workflow
    async def carries(text: str) -> int:
        return await work.options(retry=perdure.Retry(max_attempts=1))(text)  # type: ignore[arg-type]

    async with raw_worker(channel) as slow, perdure.Worker(turns, large, task_queues=["default"]):
        await slow.hello(groups=[pb.ActivityGroup(activity_types=["work"], slots=40)])
        runs = [await turns.start("carries", "x" * 500_000, id=f"large{number}") for number in range(40)]
        while (await turns.task_queues.describe("raw")).running < 40:
            await asyncio.sleep(0.01)
        # Twenty megabytes wait for it, more than the system takes on its behalf.
        async with raw_worker(channel) as other:
            await other.hello("other")
            run = await turns.start(one, 7, id="small")
            await other.say(activity=report(await other.task()))
            assert await run.result() == 42
        for _ in runs:
            task = await slow.task()
            assert len(task.input[0].data) > 500_000
            await slow.say(activity=report(task))
        assert [await run.result() for run in runs] == [42] * 40


@pytest.mark.parametrize("method", [WORK, CALL])
async def test_bytes_that_are_no_protobuf_end_that_stream_alone(turns, channel, method):
    stream = channel.stream_stream(method)()
    await stream.write(b"\xff\xff\xff\xff not a message")
    with pytest.raises((grpc.aio.AioRpcError, asyncio.InvalidStateError)):
        while await stream.read() is not grpc.aio.EOF:
            pass
        raise grpc.aio.AioRpcError(await stream.code(), grpc.aio.Metadata(), grpc.aio.Metadata())
    assert await turns.count() == 0


@pytest.mark.parametrize(
    ("operation", "arguments", "code", "words"),
    [
        ("erase", b"\x90", "InvalidArgumentError", "no operation 'erase'"),
        ("__class__", b"\x90", "InvalidArgumentError", "no operation"),
        ("describe", b"\xc1", "InvalidArgumentError", "can't be read"),
        ("describe", b"\x90", "InvalidArgumentError", "can't be read"),
        ("describe", msgspec.msgpack.encode([5]), "InvalidArgumentError", "address of describe can't be read"),
        ("count", msgspec.msgpack.encode(["default", 5, [], ""]), "InvalidArgumentError", "filter of count"),
        # A timer that fires is nobody's to ask for from outside: tag 40.
        ("request", msgspec.msgpack.encode([["default", "x", ""], [40, 5]]), "InvalidArgumentError", "can't be read"),
    ],
)
async def test_calls_that_make_no_sense_get_an_error(channel, operation, arguments, code, words):
    stream = channel.stream_stream(
        CALL, request_serializer=pb.Calls.SerializeToString, response_deserializer=pb.Answers.FromString
    )()
    await stream.write(pb.Calls(calls=[pb.Call(id=3, operation=operation, arguments=arguments)]))
    (answer,) = (await stream.read()).answers
    assert (answer.id, answer.error.code) == (3, code)
    assert words in answer.error.message
    stream.cancel()


async def test_a_client_that_goes_away_is_waited_for_by_nobody(server, channel):
    stream = channel.stream_stream(
        CALL, request_serializer=pb.Calls.SerializeToString, response_deserializer=pb.Answers.FromString
    )()
    async with await perdure.connect(server.url, app) as other:
        await other.start(one, 1, id="waits")
        arguments = msgspec.msgpack.encode([["default", "waits", ""], True])
        await stream.write(
            pb.Calls(
                calls=[pb.Call(id=number, operation="wait_closed", arguments=arguments) for number in range(1, 50)]
            )
        )

        def waiting() -> int:
            closes = server.service.engine.waiting.closes.values()
            return sum(not waiter.done() for waiters in closes for waiter, _ in waiters)

        while waiting() < 49:
            await asyncio.sleep(0.01)
        stream.cancel()
        while waiting():
            await asyncio.sleep(0.01)


async def test_two_streams_of_one_worker_leave_the_newer(turns, channel):
    async with raw_worker(channel) as first, raw_worker(channel) as second:
        await first.hello("same")
        run = await turns.start(one, 7, id="x")
        task = await first.task()
        await second.hello(
            "same",
            running=[pb.Attempt(run_id=task.run.run_id, scheduled_event_id=task.scheduled_event_id, attempt=1)],
        )
        while len([w for w in await turns.service.workers("default") if w.identity == "same" and w.activities]) != 1:
            await asyncio.sleep(0.01)
        await second.say(activity=report(task))
        await second.acknowledged()
        assert await run.result() == 42


async def test_a_worker_reaches_no_other_namespace(server, client):
    elsewhere = perdure.App("elsewhere", task_queue="default")

    @elsewhere.workflow
    async def reaches() -> None:
        await perdure.workflow.external("victim", namespace="other").signal("go")

    async with await perdure.connect(server.url, elsewhere) as other, perdure.Worker(other, elsewhere):
        run = await other.start("reaches", id="r")
        while "can do nothing in 'other'" not in str(await run.explain()):
            await asyncio.sleep(0.02)
