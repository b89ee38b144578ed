"""Signed messages: from others, which start and signal runs, and to others, who hear when a run has closed.

``standardwebhooks``, the specification's own library, signs and verifies on the other side.
"""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook
from tests.protocols.rest.test_runs import RUNS, result, start

from perdure.app import memory_store
from perdure.engine.documents import Kept
from perdure.protocols.rest.kept import SigningSecret
from perdure.protocols.rest.parts import Bounds, Seen

SPACE = "/namespaces/default"


async def make_secret(http, name="default", **body):
    made = await http.post(f"{SPACE}/signing-secrets/{name}", json=body)
    assert made.status_code == 201, made.text
    return made.json()["secret"]


async def set_up(http, name, expect=200, **webhook):
    put = await http.put(f"{SPACE}/webhooks/{name}", json={"secret": "default", **webhook})
    assert put.status_code == expect, put.text
    return put.json()


def signed(secret, body, id="msg_1", when=None):
    when = when or datetime.now(UTC)
    text = json.dumps(body)
    headers = {
        "webhook-id": id,
        "webhook-timestamp": str(int(when.timestamp())),
        "webhook-signature": Webhook(secret).sign(id, when, text),
        "content-type": "application/json",
    }
    return {"content": text, "headers": headers}


async def send(http, name, secret, body, **options):
    return await http.post(f"{SPACE}/webhooks/{name}/messages", **signed(secret, body, **options))


# --- from others


async def test_a_message_starts_a_run_once(http):
    secret = await make_secret(http)
    await set_up(
        http,
        "shop",
        workflow_type="echo",
        workflow_id="join('-', ['order', order.id])",
        input=["order.lines[*].sku", "order"],
        search_attributes={"Customer": "order.customer", "Missing": "order.nothing"},
        when="type == 'order.placed'",
    )
    order = {"id": "17", "customer": "ada", "lines": [{"sku": "a"}, {"sku": "b"}]}
    body = {"type": "order.placed", "order": order}

    first = await send(http, "shop", secret, body)
    again = await send(http, "shop", secret, body)
    other = await send(http, "shop", secret, {"type": "order.viewed"}, id="msg_2")

    assert (first.status_code, first.json()["action"]) == (200, "started"), first.text
    assert (again.json()["action"], again.json()["run_id"]) == ("found", first.json()["run_id"])
    assert other.json()["action"] == "ignored"
    assert (await result(http, "order-17"))["result"] == [["a", "b"], order]
    after = await send(http, "shop", secret, body)
    assert after.json()["run_id"] == first.json()["run_id"]
    run = (await http.get(f"{RUNS}/order-17")).json()["run"]
    assert run["search_attributes"] == {"Customer": "ada"}


async def test_a_message_signals_a_run_once(http):
    secret = await make_secret(http)
    await set_up(http, "pay", action="signal", signal_name="deposit", workflow_id="account", input=["amount"])
    await set_up(
        http,
        "open",
        action="signal_with_start",
        workflow_type="Account",
        signal_name="deposit",
        workflow_id="account",
        input=["amount"],
    )

    missing = await send(http, "pay", secret, {"account": "acc", "amount": 5})
    for id in ("m1", "m1", "m2"):
        assert (await send(http, "open", secret, {"account": "acc", "amount": 5}, id=id)).status_code == 200
    for id in ("m3", "m3"):
        assert (await send(http, "pay", secret, {"account": "acc", "amount": 1}, id=id)).status_code == 200

    assert missing.status_code == 404
    assert (await http.post(f"{RUNS}/acc/query", json={"query_name": "look"})).json() == {"result": 11}


async def test_a_message_that_comes_again_does_nothing_even_if_others_came_in_between(http):
    secret = await make_secret(http)
    await set_up(http, "shop", workflow_type="echo", workflow_id="id", input=["@"])
    answers = []
    for id in ("m1", "m2", "m1", "m2", "m1"):
        answers.append((await send(http, "shop", secret, {"id": "same"}, id=id)).json())
        await result(http, "same")
    assert [answer["action"] for answer in answers] == ["started", "started", "found", "found", "found"]
    assert [answer["run_id"] for answer in answers[2:]] == [answers[number]["run_id"] for number in (0, 1, 0)]
    assert len((await http.get(RUNS)).json()["runs"]) == 2


def test_messages_are_kept_as_long_as_they_may_come_again_and_not_without_end():
    seen = Seen(most=3)
    for number in range(5):
        seen.remember(("default", "w", f"m{number}"), number, 100.0)
    assert [seen.answer(("default", "w", f"m{number}"), 99.0) for number in range(5)] == [None, None, 2, 3, 4]
    assert seen.answer(("default", "w", "m4"), 100.0) is None


async def test_a_large_message_of_somebody_unknown_is_not_read(serve):
    rest = await serve(bounds=Bounds(webhook_body_bytes=1000))
    refused = await rest.http.post(f"{SPACE}/webhooks/none/messages", json={"x": "y" * 2000})
    assert refused.status_code == 413
    assert (await rest.http.post(RUNS, json={"workflow_type": "echo", "input": ["y" * 2000]})).status_code == 201


async def test_what_is_not_signed_is_refused(http):
    secret = await make_secret(http)
    await set_up(http, "shop", workflow_type="echo", workflow_id="id")
    body = {"id": "x"}
    good = signed(secret, body)
    path = f"{SPACE}/webhooks/shop/messages"
    old, young = datetime.now(UTC) - timedelta(minutes=6), datetime.now(UTC) + timedelta(minutes=6)
    other = await make_secret(http, "other")

    for wrong in (
        {"content": "{}"},
        signed(secret, body, when=old),
        signed(secret, body, when=young),
        signed(other, body),
        {**good, "content": '{"id": "y"}'},
        {**good, "headers": {**good["headers"], "webhook-id": "msg_9"}},
        {**good, "headers": {**good["headers"], "webhook-timestamp": "soon"}},
        {**good, "headers": {**good["headers"], "webhook-timestamp": "9" * 400}},
        {**good, "headers": {**good["headers"], "webhook-signature": "v1,nonsense v2,x"}},
    ):
        refused = await http.post(path, **wrong)
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    nowhere = await http.post(f"{SPACE}/webhooks/none/messages", **good)
    assert nowhere.status_code == 401
    assert (await http.get(RUNS)).json()["runs"] == []
    assert (await http.post(path, **good)).status_code == 200


async def test_a_signed_message_that_does_not_fit_is_refused(http):
    secret = await make_secret(http)
    await set_up(http, "shop", workflow_type="echo", workflow_id="id", input=["abs(amount)"])
    for body in ({"amount": 1}, {"id": [1], "amount": 1}, {"id": "", "amount": 1}, {"id": "x", "amount": "much"}):
        refused = await send(http, "shop", secret, body)
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_argument")


async def test_a_secret_is_shown_once_and_changed_without_a_gap(http):
    first = await make_secret(http)
    await set_up(http, "shop", workflow_type="echo")
    second = await make_secret(http, secret="whsec_" + "QUJD" * 10)
    for number, secret in enumerate((first, second)):
        assert (await send(http, "shop", secret, {}, id=f"m{number}")).json()["action"] == "started"
    third = await make_secret(http, keep_previous_seconds=0)
    assert (await send(http, "shop", second, {}, id="m3")).status_code == 401
    assert (await send(http, "shop", third, {}, id="m4")).status_code == 200

    listed = await http.get(f"{SPACE}/signing-secrets")
    assert [one["name"] for one in listed.json()["signing_secrets"]] == ["default"]
    shown = listed.text + (await http.get(f"{SPACE}/webhooks")).text
    assert not any(secret.removeprefix("whsec_") in shown for secret in (first, second, third))
    assert (await http.post(f"{SPACE}/signing-secrets/short", json={"secret": "whsec_QUJD"})).status_code == 400
    assert (await http.delete(f"{SPACE}/signing-secrets/default")).status_code == 204
    assert (await send(http, "shop", third, {}, id="m5")).status_code == 401


async def test_webhooks_that_make_no_sense_are_refused(http):
    await make_secret(http)
    for wrong in (
        {},
        {"action": "signal", "signal_name": "x"},
        {"workflow_type": "x", "workflow_id": "a["},
        {"workflow_type": "x", "input": ["nope("]},
        {"workflow_type": "x", "secret": "none"},
    ):
        put = await http.put(f"{SPACE}/webhooks/w", json={"secret": "default", **wrong})
        assert put.status_code in (400, 404)
    assert (await http.get(f"{SPACE}/webhooks/w")).status_code == 404
    await set_up(http, "w", workflow_type="x")
    assert (await http.get(f"{SPACE}/webhooks/w")).json()["workflow_type"] == "x"
    assert (await http.delete(f"{SPACE}/webhooks/w")).status_code == 204


async def test_what_is_kept_is_there_after_a_restart():
    store = memory_store()
    await store.open()
    before = Kept(store, "signing-secret", SigningSecret)
    await before.put("a/b", "c/d e", SigningSecret("whsec_x", 1.0))
    await before.put("a", "gone", SigningSecret("whsec_y", 1.0))
    await before.put("a", "gone", None)

    after = Kept(store, "signing-secret", SigningSecret)
    assert await after.all("a/b") == {"c/d e": SigningSecret("whsec_x", 1.0)}
    assert await after.all("a") == {}
    await store.close()


# --- to others


class Receiver:
    """Somebody who is told."""

    def __init__(self):
        self.received: asyncio.Queue[Any] = asyncio.Queue()

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/hook"
        return self

    async def __aexit__(self, *error):
        self.server.close()

    async def serve(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
        body = await reader.readexactly(int(headers["content-length"]))
        writer.write(b"HTTP/1.1 204 Thanks\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        self.received.put_nowait((headers, body.decode()))


async def test_a_closed_run_is_told_of(http):
    secret = await make_secret(http)
    async with Receiver() as receiver:
        await start(http, "hello", "you", workflow_id="cb", callbacks=[{"url": receiver.url}])
        headers, body = await asyncio.wait_for(receiver.received.get(), 100)

    told = Webhook(secret).verify(body, headers)
    assert told["type"] == "workflow.closed"
    outcome = told["data"]["outcome"]
    assert (outcome["workflow_id"], outcome["status"], outcome["result"]) == ("cb", "completed", "Hello, you!")
    assert told["data"]["namespace"] == "default"


async def test_a_run_that_fails_or_goes_on_is_told_of_when_it_has_ended(http):
    await make_secret(http)
    async with Receiver() as receiver:
        body = {"retry": {"initial_seconds": 0.01, "max_attempts": 3}, "callbacks": [{"url": receiver.url}]}
        await start(http, "fails", "no", workflow_id="bad", **body)
        _, body = await asyncio.wait_for(receiver.received.get(), 100)

    outcome = json.loads(body)["data"]["outcome"]
    assert (outcome["status"], outcome["failure"]["type"]) == ("failed", "NoFunds")
    assert outcome["run_id"] == (await result(http, "bad"))["run_id"]


async def test_the_same_start_again_tells_once(http):
    await make_secret(http)
    async with Receiver() as receiver:
        body = {"workflow_type": "Account", "workflow_id": "once", "callbacks": [{"url": receiver.url}]}
        for status in (201, 200):
            started = await http.post(RUNS, json=body, headers={"Idempotency-Key": "k"})
            assert started.status_code == status, started.text
        await http.post(f"{RUNS}/once/signal", json={"signal_name": "close"})
        await asyncio.wait_for(receiver.received.get(), 100)
        await result(http, "once")
        again = await http.post(RUNS, json=body, headers={"Idempotency-Key": "k"})

        assert again.status_code == 200
        assert not again.json()["is_new"]
    others = (await http.get("/namespaces/perdure.system/workflows")).json()["runs"]
    assert [run["workflow_type"] for run in others] == ["perdure.callback"]


async def test_somebody_elses_run_is_not_given_callbacks(http):
    await make_secret(http)
    await start(http, "Account", workflow_id="theirs")

    taken = await http.post(
        RUNS,
        json={"workflow_type": "Account", "workflow_id": "theirs", "callbacks": [{"url": "http://127.0.0.1:9/"}]},
    )

    assert (taken.status_code, taken.json()["code"]) == (409, "already_exists")
    others = (await http.get("/namespaces/perdure.system/workflows")).json()["runs"]
    assert [run["status"] for run in others] == ["terminated"]


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("ftp://example.com/", 400),
        ("http:///nowhere", 400),
        ("http://user:secret@example.com/", 400),
        ("http://example.com:99999/", 400),
        ("not a url", 400),
        ("http://169.254.169.254/latest/meta-data", 403),
        ("http://[fe80::1]/", 403),
        ("http://[::ffff:169.254.169.254]/", 403),
        ("http://0.0.0.0/", 403),
        ("http://100.100.100.200/", 403),
        ("http://[64:ff9b::a9fe:a9fe]/", 403),
        ("http://[2002:a9fe:a9fe::]/", 403),
        ("http://[::169.254.169.254]/", 403),
        ("http://[fd00:ec2::254]/", 403),
    ],
)
async def test_where_callbacks_do_not_go(http, url, status):
    await make_secret(http)

    refused = await http.post(RUNS, json={"workflow_type": "echo", "callbacks": [{"url": url}]})

    assert refused.status_code == status, refused.text
    assert (await http.get(RUNS)).json()["runs"] == []


async def test_callbacks_may_be_kept_to_some_hosts(serve):
    rest = await serve(callback_hosts=["*.example.com"])
    await make_secret(rest.http)
    for url, status in (("http://127.0.0.1:9/", 403), ("https://evil.com/", 403), ("https://hooks.example.com/", 201)):
        started = await rest.http.post(RUNS, json={"workflow_type": "Account", "callbacks": [{"url": url}]})
        assert started.status_code == status


async def test_a_callback_needs_a_secret(http):
    refused = await http.post(RUNS, json={"workflow_type": "echo", "callbacks": [{"url": "http://127.0.0.1:9/"}]})

    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")


async def test_a_name_that_leads_to_a_forbidden_address_is_not_followed(monkeypatch):
    from perdure.model.errors import PermissionDeniedError
    from perdure.protocols.rest.outbound import Outbound

    async def resolve(*args, **options):
        return [(2, 1, 6, "", ("169.254.169.254", 80))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    outbound = Outbound()
    with pytest.raises(PermissionDeniedError):
        await outbound.post("http://innocent.example/", {}, b"{}")
    await outbound.close()
