"""Batches by REST, and runs that are brought in."""

import asyncio
from typing import Any

import httpx
import pytest

from perdure.app.access import Access
from perdure.app.server import Server


async def ended(http, id):
    async with asyncio.timeout(30):
        while (found := (await http.get(f"/namespaces/default/batches/{id}")).json())["close_time"] is None:
            await asyncio.sleep(0.02)
    return found


async def start(http, *names, workflow_type="Account"):
    for name in names:
        body = {"workflow_type": workflow_type, "workflow_id": name}
        answer = await http.post("/namespaces/default/workflows", json=body)
        assert answer.status_code in (200, 201), answer.text


async def begin(http, **body):
    return await http.post("/namespaces/default/batches", json=body)


async def status(http, name):
    return (await http.get(f"/namespaces/default/workflows/{name}")).json()["run"]["status"]


@pytest.mark.parametrize(
    ("operation", "more", "is_then"),
    [
        ("signal", {"signal_name": "deposit", "input": [1]}, None),
        ("cancel", {"reason": "enough"}, None),
        ("terminate", {"reason": "enough"}, "terminated"),
        ("reset", {"to_last": True}, "running"),
        ("delete", {}, None),
    ],
)
async def test_one_thing_is_done_to_many_runs(http, operation, more, is_then):
    await start(http, "a", "b", "c")
    made = await begin(http, operation=operation, filter="WorkflowId IN ('a', 'b')", batch_id="x", **more)
    assert made.status_code == 201, made.text
    assert made.json()["batch_id"] == "x" and made.json()["operation"] == operation
    found = await ended(http, "x")
    assert (found["status"], found["total"], found["done"], found["failed"]) == ("completed", 2, 2, 0), found
    if is_then is not None:
        assert [await status(http, name) for name in ("a", "b")] == [is_then] * 2
    if operation == "delete":
        assert (await http.get("/namespaces/default/workflows/a")).status_code == 404
    assert await status(http, "c") == "running"
    listed = (await http.get("/namespaces/default/batches")).json()["batches"]
    assert [(each["batch_id"], each["status"]) for each in listed] == [("x", "completed")]


async def test_a_batch_is_paused_resumed_and_stopped(http):
    await start(http, *(f"w{number}" for number in range(40)))
    body = {"operation": "terminate", "workflow_type": "Account", "rate": 1, "batch_id": "slow"}
    assert (await begin(http, **body)).status_code == 201
    assert (await begin(http, **body)).json()["batch_id"] == "slow"
    path = "/namespaces/default/batches/slow"
    for act, then in (("pause", "paused"), ("resume", "running")):
        assert (await http.post(f"{path}/{act}", json={"reason": "to see"})).status_code == 204
        assert (await http.get(path)).json()["status"] == then
    assert (await http.post(f"{path}/stop", json={})).status_code == 204
    assert (await ended(http, "slow"))["status"] == "canceled"
    assert (await http.post(f"{path}/pause", json={})).status_code == 409
    again = await begin(http, **body)
    assert (again.status_code, again.json()["code"]) == (409, "already_exists")


async def test_what_makes_no_sense_is_refused(http):
    for body, said in (
        ({"operation": "cancel"}, "Which runs"),
        ({"operation": "cancel", "filter": "Nonsense"}, "filter"),
        ({"operation": "cancel", "filter": "GROUP BY WorkflowType"}, "GROUP BY"),
        ({"operation": "signal", "every_run": True}, "signal_name"),
        ({"operation": "cancel", "every_run": True, "signal_name": "x"}, "signal_name"),
        ({"operation": "cancel", "every_run": True, "input": [1]}, "input"),
        ({"operation": "cancel", "every_run": True, "to_last": True}, "to_last"),
        ({"operation": "burn", "every_run": True}, "operation"),
        ({"operation": "cancel", "every_run": True, "rate": -1}, "rate"),
    ):
        answer = await begin(http, **body)
        assert answer.status_code == 400 and said in answer.text, answer.text
    assert (await http.get("/namespaces/default/batches/none")).status_code == 404
    assert (await http.post("/namespaces/default/batches/none/stop", json={})).status_code == 404


async def test_an_idempotency_key_names_the_batch(http):
    await start(http, "a")
    body, headers = {"operation": "cancel", "filter": "WorkflowId = 'a'"}, {"Idempotency-Key": "k1"}
    first = await http.post("/namespaces/default/batches", json=body, headers=headers)
    second = await http.post("/namespaces/default/batches", json=body, headers=headers)
    assert first.json()["batch_id"] == second.json()["batch_id"]


async def test_a_run_is_brought_in(http):
    await start(http, "a")
    await http.post("/namespaces/default/workflows/a/terminate", json={"reason": "moved"})
    exported = (await http.get("/namespaces/default/workflows/a/export")).json()
    assert (await http.post("/namespaces/default/workflow-imports", json=exported)).status_code == 409
    await http.delete("/namespaces/default/workflows/a")
    brought = await http.post("/namespaces/default/workflow-imports", json=exported)
    assert (brought.status_code, brought.json()) == (201, {"workflow_id": "a", "run_id": exported["run_id"]})
    assert await status(http, "a") == "terminated"
    assert (await http.get("/namespaces/default/workflows/a/export")).json()["events"] == exported["events"]


async def test_histories_that_make_no_sense_are_refused(http):
    started = {"type": "WorkflowExecutionStarted", "id": 1, "time": 1, "workflow_id": "w", "workflow_type": "Account",
               "task_queue": "default"}  # fmt: skip
    wrong: list[list[dict[str, Any]]] = [
        [{}],
        [{"type": "Nothing"}],
        [{"type": "WorkflowExecutionStarted"}],
        [{**started, "id": 2**70}],
        [{**started, "time": "yesterday"}],
        [{**started, "input": [{"encoding": "json/plain", "text": 5}]}],
        [{**started, "input": [{"encoding": "json/plain", "base64": "!"}]}],
        [{**started, "input": 5}],
        [{**started, "memo": []}],
        [{**started, "unknown": 1}],
        [started, started],
    ]
    for events in wrong:
        body = {"workflow_id": "w", "run_id": "r", "events": events}
        answer = await http.post("/namespaces/default/workflow-imports", json=body)
        assert answer.status_code == 400, (events, answer.text)
    newer = {"workflow_id": "w", "run_id": "r", "events": [started], "version": 99}
    assert (await http.post("/namespaces/default/workflow-imports", json=newer)).status_code == 400


async def test_who_may_not_is_refused_and_who_may_is_written_down(tmp_path):
    server = Server(
        f"sqlite:///{tmp_path / 'work.db'}",
        rest_address="127.0.0.1:0",
        grpc_address="127.0.0.1:0",
        access=Access(authentication="tokens"),
    )
    tokens = {}
    from perdure.app.access import FileSession, file_administration

    async with file_administration(f"sqlite:///{tmp_path / 'work.db'}") as administration:
        for role in ("reader", "operator", "admin"):
            _, tokens[role] = await administration.create_token(FileSession("t"), "file", role, [role], 10**15)
    await server.open()
    try:
        async with httpx.AsyncClient(base_url=f"{server.url}/api/v1", timeout=30) as http:

            def as_(role):
                return {"authorization": f"Bearer {tokens[role]}"}

            body = {"operation": "cancel", "every_run": True, "batch_id": "b"}
            path = "/namespaces/default/batches"
            assert (await http.post(path, json=body)).status_code == 401
            assert (await http.post(path, json=body, headers=as_("reader"))).status_code == 403
            assert (await http.post(path, json=body, headers=as_("operator"))).status_code == 201
            assert (await http.get(f"{path}/b", headers=as_("reader"))).status_code == 200
            for act in ("pause", "resume", "stop"):
                refused = await http.post(f"{path}/b/{act}", json={}, headers=as_("reader"))
                assert refused.status_code == 403
            run = {"workflow_id": "w", "run_id": "r", "events": [{"type": "Nothing"}]}
            event = {"type": "WorkflowExecutionStarted", "id": 1, "time": 1, "workflow_id": "w", "workflow_type": "x",
                     "task_queue": "q"}  # fmt: skip
            run["events"] = [event]
            imports = "/namespaces/default/workflow-imports"
            assert (await http.post(imports, json=run, headers=as_("operator"))).status_code == 403
            await http.post(imports, json=run, headers=as_("admin"))
            acts = [entry["act"] for entry in (await http.get("/audit", headers=as_("admin"))).json()["entries"]]
            assert "create_batch" in acts and "import_run" in acts
    finally:
        await server.close()
