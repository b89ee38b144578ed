"""Whoever sends nonsense, too much, or too slowly: gets an answer that says so, and harms nobody."""

import asyncio
import json

import pytest
from tests.protocols.rest.test_runs import RUNS, start

from perdure.model.access import OpenSession
from perdure.model.errors import PermissionDeniedError, UnauthenticatedError
from perdure.protocols.rest import Bounds

BIG = 64 * 1024


@pytest.fixture
async def strict(serve):
    return await serve(bounds=Bounds(body_bytes=BIG, header_seconds=0.3, body_seconds=0.3))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"[]",
        b"null",
        b'{"workflow_type": 7}',
        b'{"workflow_type": ""}',
        b'{"workflow_type": "x", "colour": "blue"}',
        b'{"workflow_type": "x", "input": {}}',
        b'{"workflow_type": "x", "input": [' + b"[" * 50_000,
        b'{"workflow_type": "x", "input": [' + b"[" * 50_000 + b"]" * 50_000 + b"]}",
        b'{"workflow_type": "x", "memo": {"a": "\xff"}}',
        b'{"workflow_type": "x", "execution_timeout_seconds": -1}',
        b'{"workflow_type": "x", "execution_timeout_seconds": 1e300}',
        b'{"workflow_type": "x", "input": [{"metadata": {"encoding": "binary/plain"}, "data": "%%%"}]}',
        b'{"workflow_type": "x", "id_conflict": "maybe"}',
        b"\x00" * 1000,
    ],
)
async def test_a_body_that_makes_no_sense_is_refused(http, body):
    refused = await http.post(RUNS, content=body)

    assert refused.status_code == 400
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "invalid_argument"


async def test_other_nonsense_is_refused(http):
    await start(http, "Account", workflow_id="a")
    for method, path, options, status in (
        ("GET", "/nowhere", {}, 404),
        ("PUT", RUNS, {}, 405),
        ("GET", f"{RUNS}?limit=many", {}, 400),
        ("GET", f"{RUNS}?colour=blue", {}, 400),
        ("GET", f"{RUNS}?cursor=forged", {}, 400),
        ("GET", f"{RUNS}/%FF", {}, 400),
        ("GET", f"{RUNS}/a/history?after=-1", {}, 400),
        ("GET", f"{RUNS}/a/history", {"headers": {"Accept": "text/event-stream", "Last-Event-ID": "x"}}, 400),
        ("POST", f"{RUNS}/a/cancel", {"headers": {"Idempotency-Key": "ü".encode()}}, 400),
        ("POST", f"{RUNS}/a/cancel", {"headers": {"Idempotency-Key": "k" * 256}}, 400),
        ("POST", f"{RUNS}/a/cancel", {"content": b"<a/>", "headers": {"Content-Type": "text/xml"}}, 415),
        ("POST", f"{RUNS}/a/fork", {"json": {"event_id": 1, "workflow_id": "a"}}, 400),
        ("POST", f"{RUNS}/a/signal?run_id=none", {"json": {"signal_name": "x"}}, 404),
    ):
        refused = await http.request(method, path, **options)
        assert refused.status_code == status, (method, path, refused.text)
        assert refused.json()["status"] == status


async def test_an_idempotency_key_belongs_to_one_request(http):
    await start(http, "Account", workflow_id="a")
    terminate, headers = f"{RUNS}/a/terminate", {"Idempotency-Key": "k1"}

    first = await http.post(terminate, json={"reason": "x"}, headers=headers)
    again = await http.post(terminate, json={"reason": "x"}, headers=headers)
    other = await http.post(terminate, json={"reason": "y"}, headers=headers)

    assert (first.status_code, again.status_code) == (204, 204)
    assert (other.status_code, other.json()["code"]) == (400, "invalid_argument")


async def test_too_large_a_body_is_not_read(strict):
    body = json.dumps({"workflow_type": "echo", "input": ["x" * BIG]}).encode()

    async def in_pieces():
        for at in range(0, len(body), 1000):
            yield body[at : at + 1000]

    said = await strict.http.post(RUNS, content=body)
    found = await strict.http.post(RUNS, content=in_pieces())

    for refused in (said, found):
        assert (refused.status_code, refused.json()["code"]) == (413, "limit_exceeded")


async def connect(rest):
    return await asyncio.open_connection("127.0.0.1", rest.server.port)


async def test_a_head_that_never_ends_is_given_up(strict):
    reader, writer = await connect(strict)
    writer.write(b"GET /api/v1/server HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
    try:
        for _ in range(1000):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)
    except ConnectionError:
        pass
    else:
        assert await reader.read() == b""
    writer.close()


async def test_a_connection_that_says_nothing_is_given_up(strict):
    reader, writer = await connect(strict)

    assert await reader.read() == b""
    writer.close()


async def test_a_second_head_has_no_more_time_than_the_first(strict):
    reader, writer = await connect(strict)
    writer.write(b"GET /api/v1/server HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert b"200 OK" in await reader.readline()
    writer.write(b"GET /api/v1/server HT")

    assert b"HTTP/1.1" not in await reader.read()
    writer.close()


async def test_a_body_that_never_ends_is_given_up(strict):
    reader, writer = await connect(strict)
    writer.write(
        f"POST /api/v1{RUNS} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n{{".encode(),
    )

    answer = await reader.read()

    assert b" 408 " in answer.splitlines()[0]
    assert b'"code":"request_timeout"' in answer
    writer.close()


async def test_what_is_no_http_is_refused(strict):
    reader, writer = await connect(strict)
    writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n")

    assert b" 400 " in (await reader.read()).splitlines()[0]
    writer.close()


async def test_those_who_hang_up_harm_nobody(strict):
    for piece in (
        b"",
        b"G",
        b"GET / HTTP/1.1\r\n",
        b"POST /api/v1/namespaces/d/workflows HTTP/1.1\r\nContent-Length: 9\r\n\r\n{",
    ):
        _, writer = await connect(strict)
        writer.write(piece)
        await writer.drain()
        writer.transport.abort()

    assert (await strict.http.get("/server")).status_code == 200


async def test_a_browser_does_nothing_for_somebody_elses_page(http):
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}):
        refused = await http.post(RUNS, json={"workflow_type": "echo"}, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    own = await http.get("/server", headers={"Origin": str(http.base_url).split("/api")[0]})
    assert own.status_code == 200


async def test_without_authentication_it_answers_to_its_own_names_alone(http):
    rebound = await http.get("/server", headers={"Host": "evil.example"})

    assert (rebound.status_code, rebound.json()["code"]) == (421, "misdirected_request")


class Closed:
    """Knows nobody, or lets nobody do anything."""

    def __init__(self, error):
        self.error = error

    async def admit(self, credentials):
        raise self.error


async def test_whoever_is_not_known_gets_nowhere(serve):
    rest = await serve(gate=Closed(UnauthenticatedError("Who are you?")))
    refused = await rest.http.post(RUNS, content=b"x" * 100)

    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    assert refused.headers["www-authenticate"] == "Bearer"


async def test_what_is_no_operation_of_the_service_is_asked_for_too(serve):
    class Session(OpenSession):
        def require(self, permission, namespace):
            raise PermissionDeniedError(f"No {permission} for you in {namespace}.")

    class Gate:
        async def admit(self, credentials):
            assert credentials.remote == "127.0.0.1"
            assert credentials.authorization == "Bearer secret"
            return Session(rest.service)

    rest = await serve(gate=Gate())
    rest.http.headers["Authorization"] = "Bearer secret"
    for path in ("schedules", "schedules/x"):
        assert (await rest.http.get(f"/namespaces/default/{path}")).status_code == 403
    polled = await rest.http.post("/namespaces/default/task-queues/q/activities/poll")
    assert polled.status_code == 403
