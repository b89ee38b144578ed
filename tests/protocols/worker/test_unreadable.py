"""What the other side can't read, since it is of another version, or nonsense: it says so, and goes on."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec
import pytest

import perdure
from perdure import App, workflow
from perdure.model.errors import InvalidArgumentError, QueryFailedError, UnavailableError
from perdure.protocols.worker import to_wire
from perdure.protocols.worker import worker_pb2 as pb
from perdure.protocols.worker.calls import OPERATIONS, Operation, encode

app = App("versions", task_queue="default")

NEWER = msgspec.msgpack.encode([[99, 1, 0]])
"""Events of a kind that no version knows."""

CALLS = Path(__file__).with_name("calls.txt")


@app.activity(start_to_close=60, retry=perdure.Retry(initial=0.01))
async def double(number: int) -> int:
    return 2 * number


@app.workflow
class Doubles:
    async def run(self, number: int) -> int:
        doubled = await double(number)
        await workflow.receive("go on")
        return doubled

    @workflow.query
    def name(self) -> str:
        return "doubles"


@pytest.fixture
async def client(server):
    async with await perdure.connect(server.url, app) as client, perdure.Worker(client, app):
        yield client


@pytest.fixture
def spoil(monkeypatch):
    """Changes the next message of a kind on its way to a worker."""
    original = to_wire.to_worker
    changes: dict[str, Callable[[pb.ToWorker], bytes]] = {}

    def to_worker(message):
        wire = pb.ToWorker.FromString(original(message))
        change = changes.pop(wire.WhichOneof("message"), None)
        return original(message) if change is None else change(wire)

    monkeypatch.setattr(to_wire, "to_worker", to_worker)
    return changes


def newer_events(wire):
    getattr(wire, wire.WhichOneof("message")).events = NEWER
    return wire.SerializeToString()


def newer_failure(wire):
    wire.activity.last_failure.kind = 99
    return wire.SerializeToString()


def nonsense(wire):
    return b"\xff\xff"


async def happened(run, kind):
    return [event.attributes async for event in run.history() if event.type == kind]


async def test_a_turn_fails_and_is_tried_again(client, spoil, caplog):
    spoil["turn"] = newer_events
    run = await client.start(Doubles, 7, id="x")
    await run.signal("go on")
    assert await run.result() == 14
    (failed,) = await happened(run, "WorkflowTaskFailed")
    assert "can't read what the server said: the events of a turn can't be read" in str(failed)
    assert "The server's turn message can't be read" in caplog.text


async def test_an_activity_is_tried_again(client, spoil, caplog):
    spoil["activity"] = newer_failure
    run = await client.start(Doubles, 7, id="x")
    await run.signal("go on")
    assert await run.result() == 14
    (started,) = await happened(run, "ActivityTaskStarted")
    assert started["attempt"] == 2 and "99 is no FailureKind" in str(started)
    assert "The server's activity message can't be read" in caplog.text


async def test_a_query_fails_and_the_next_is_answered(client, spoil):
    run = await client.start(Doubles, 7, id="x")
    assert await run.query("name") == "doubles"
    spoil["query"] = newer_events
    with pytest.raises(QueryFailedError, match="a history can't be read"):
        await run.query("name")
    assert await run.query("name") == "doubles"


async def test_after_nonsense_a_worker_connects_anew(client, spoil, caplog):
    spoil["turn"] = nonsense
    run = await client.start(Doubles, 7, id="x")
    await run.signal("go on")
    assert await run.result() == 14
    assert "the server says what is no message" in caplog.text


async def test_after_nonsense_a_client_connects_anew_and_asks_again(client, server, monkeypatch, caplog):
    take = pb.Answers.FromString
    answers = iter([b"\xff\xff"])

    class Answers:
        """As they are on the wire: the first batch is nonsense."""

        @staticmethod
        def FromString(batch):  # noqa: N802
            return take(next(answers, batch))

    monkeypatch.setattr("perdure.protocols.worker.connection.pb.Answers", Answers)
    assert await client.service.namespaces() is not None
    assert "says what is no answer" in caplog.text


async def test_an_answer_that_can_not_be_read_says_so(client, monkeypatch):
    monkeypatch.setattr("perdure.protocols.worker.server.encode", lambda answer: encode({"newer": 1}))
    with pytest.raises(UnavailableError, match=r"answer to namespaces can't be read .* use the same version"):
        await client.service.namespaces()


# --- the arguments of calls


class Older(Protocol):
    """A client port as it was once."""

    async def find(self, name: str, *, limit: int) -> str: ...


class Newer(Protocol):
    """The same, with what was added."""

    async def find(self, name: str, *, limit: int, newest: bool = False, of: tuple[str, ...] = ()) -> str: ...


OLDER, NEWER_FIND = Operation("find", Older.find), Operation("find", Newer.find)


def test_a_server_understands_an_older_client():
    arguments = OLDER.encode(("a",), {"limit": 1})
    assert NEWER_FIND.decode(arguments) == (["a"], {"limit": 1, "newest": False, "of": ()})


def test_a_server_understands_a_newer_client_that_asks_for_nothing_new():
    for options in ({}, {"newest": False}, {"of": ()}):
        arguments = NEWER_FIND.encode(("a",), {"limit": 1, **options})
        assert OLDER.decode(arguments) == (["a"], {"limit": 1})
    arguments = NEWER_FIND.encode(("a",), {"limit": 1, "of": ("b",)})
    assert NEWER_FIND.decode(arguments) == (["a"], {"limit": 1, "newest": False, "of": ("b",)})
    with pytest.raises(InvalidArgumentError, match=r"arguments of find can't be read: .* The client is newer"):
        OLDER.decode(arguments)


def test_what_was_always_asked_for_can_not_be_left_out():
    with pytest.raises(InvalidArgumentError, match=r"arguments of find can't be read: .* length 2, got 1"):
        NEWER_FIND.decode(encode(["a"]))
    with pytest.raises(InvalidArgumentError, match=r"limit of find can't be read"):
        NEWER_FIND.decode(encode(["a", "b"]))


def test_parameters_are_only_added_at_the_end_and_with_defaults():
    for line in CALLS.read_text().splitlines():
        name, _, sent = line.partition(":")
        parameters, known = OPERATIONS[name].parameters, sent.split()
        assert parameters[: len(known)] == known, f"{name}: clients of today send {known}"
        assert set(parameters[len(known) :]) <= OPERATIONS[name].defaults.keys(), (
            f"{name}: clients of today send {known}"
        )
