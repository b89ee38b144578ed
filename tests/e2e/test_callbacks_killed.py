"""A server is killed between a run's end and the message about it: it is sent at least once, each time with the same id."""

import asyncio
import contextlib
import json
import random
from collections import defaultdict
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook
from tests.e2e.town import Town

pytestmark = pytest.mark.slow

API = "/api/v1/namespaces/default"


class Receiver:
    """Somebody who is told. ``answers`` are the statuses that the next messages get, 204 further ones; 0 is none at all."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.told: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
        self.secret = ""
        self._held: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> "Receiver":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/hook"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._held:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
            body = (await reader.readexactly(int(headers["content-length"]))).decode()
        except asyncio.IncompleteReadError:
            writer.close()  # killed while it said so
            return
        message: Any = Webhook(self.secret).verify(body, headers)
        answer = self.answers.pop(0) if self.answers else 204
        self.told.put_nowait((headers["webhook-id"], message["data"]["outcome"]))
        if not answer:
            self._held.append(writer)
            return
        with contextlib.suppress(ConnectionError):
            writer.write(f"HTTP/1.1 {answer} .\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
            await writer.drain()
        writer.close()


@pytest.fixture
async def town(tmp_path):
    town = Town(tmp_path)
    await town.start_server()
    yield town
    town.close()


@pytest.fixture
async def receiver(town):
    async with Receiver() as receiver, httpx.AsyncClient(base_url=town.url) as http:
        receiver.secret = (await http.post(f"{API}/signing-secrets/default", json={})).json()["secret"]
        yield receiver


async def start(http, workflow_id, receiver, name="steps", *args):
    body = {
        "workflow_type": name,
        "workflow_id": workflow_id,
        "input": list(args),
        "callbacks": [{"url": receiver.url}],
    }
    # The same key again is the same start, so an answer that a kill has swallowed is asked for once more.
    while True:
        try:
            answer = await http.post(f"{API}/workflows", json=body, headers={"Idempotency-Key": workflow_id})
            assert answer.status_code in (200, 201, 503), answer.text
            if answer.status_code != 503:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.2)


async def outcomes(town):
    """What became of the callbacks, by those that have ended."""
    async with httpx.AsyncClient(base_url=town.url) as http:
        runs = (await http.get("/api/v1/namespaces/perdure.system/workflows")).json()["runs"]
        path = "/api/v1/namespaces/perdure.system/workflows/{}/result"
        closed = [run for run in runs if run["status"] == "completed"]
        answers = [(await http.get(path.format(run["workflow_id"]))).json() for run in closed]
    return len(runs), [answer["result"][0]["error"] for answer in answers]


async def test_a_message_that_nobody_has_confirmed_is_sent_again(town, receiver):
    receiver.answers = [0]
    await town.start_worker()
    async with httpx.AsyncClient(base_url=town.url, timeout=60) as http:
        await start(http, "a", receiver, "steps", 1)
    first, outcome = await receiver.told.get()
    assert (outcome["workflow_id"], outcome["status"], outcome["result"]) == ("a", "completed", 0)
    town.kill(town.server)
    await town.start_server()

    assert await receiver.told.get() == (first, outcome)
    while (await outcomes(town)) != (1, [""]):
        await asyncio.sleep(0.05)
    assert receiver.told.empty()


async def test_what_ends_while_its_receiver_and_then_the_server_is_away_is_told_of(town, receiver):
    receiver.answers = [503]
    await town.start_worker()
    async with httpx.AsyncClient(base_url=town.url, timeout=60) as http:
        await start(http, "a", receiver, "steps", 1)
    first, _ = await receiver.told.get()
    town.kill(town.server)
    await town.start_server()
    assert (await receiver.told.get())[0] == first


async def test_a_receiver_that_wants_no_more_gets_no_more(town, receiver):
    receiver.answers = [410]
    await town.start_worker()
    async with httpx.AsyncClient(base_url=town.url, timeout=60) as http:
        await start(http, "a", receiver, "steps", 1)
    await receiver.told.get()
    while (await outcomes(town)) != (1, ["It answered 410."]):
        await asyncio.sleep(0.05)
    town.kill(town.server)
    await town.start_server()
    assert await outcomes(town) == (1, ["It answered 410."])
    assert receiver.told.empty()


async def test_killed_again_and_again_everybody_hears_of_every_run(town, receiver):
    draw, names = random.Random(11), [f"run-{number}" for number in range(24)]
    await town.start_worker()
    async with httpx.AsyncClient(base_url=town.url, timeout=60) as http:
        starting = asyncio.gather(*(start(http, name, receiver, "steps", 2) for name in names))
        for _ in range(5):
            await asyncio.sleep(draw.uniform(0.05, 0.8))
            town.kill(town.server)
            await town.start_server()
        await starting
    heard: dict[str, set[str]] = defaultdict(set)
    results = {}
    while len(heard) < len(names):
        message_id, outcome = await receiver.told.get()
        heard[outcome["workflow_id"]].add(message_id)
        results[outcome["workflow_id"]] = json.dumps(outcome["result"])
    while (await outcomes(town)) != (len(names), [""] * len(names)):
        await asyncio.sleep(0.1)
    while not receiver.told.empty():
        message_id, outcome = receiver.told.get_nowait()
        heard[outcome["workflow_id"]].add(message_id)
    assert all(len(ids) == 1 for ids in heard.values()), "a repeat has the id of the first"
    assert len(set.union(*heard.values())) == len(names)
    assert set(results.values()) == {"1"}
