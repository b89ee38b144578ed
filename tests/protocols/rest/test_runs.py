"""Runs over REST: started, followed, talked to, and removed."""

import asyncio

import pytest
from tests.protocols.rest.programs import app

from perdure import History, replay

RUNS = "/namespaces/default/workflows"


async def start(http, workflow_type, *input, expect=201, **more):
    answer = await http.post(RUNS, json={"workflow_type": workflow_type, "input": input, **more})
    assert answer.status_code == expect, answer.text
    return answer.json()


async def result(http, workflow_id, **params):
    answer = await http.get(f"{RUNS}/{workflow_id}/result", params={"wait_seconds": 20, **params})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_workflow_is_started_and_its_result_awaited(http):
    started = await start(http, "hello", "world", workflow_id="a/b c")

    assert started["is_new"]
    ended = await result(http, "a%2Fb%20c")
    assert ended["result"] == "Hello, world!"
    assert ended["status"] == "completed"
    assert ended["run_id"] == started["run_id"]


async def test_a_start_can_wait_for_the_end(http):
    answer = await http.post(RUNS, params={"wait_seconds": 20}, json={"workflow_type": "hello", "input": ["you"]})

    assert answer.json()["outcome"]["result"] == "Hello, you!"


async def test_the_same_key_leads_to_the_same_run(http):
    headers = {"Idempotency-Key": "order-17"}
    body = {"workflow_type": "hello", "input": ["x"]}

    first = await http.post(RUNS, json=body, headers=headers)
    await result(http, first.json()["workflow_id"])
    again = await http.post(RUNS, json=body, headers=headers)

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["run_id"] == first.json()["run_id"]
    assert not again.json()["is_new"]


async def test_a_taken_id_is_a_conflict_that_names_the_run(http):
    started = await start(http, "Account", workflow_id="acc")

    refused = await http.post(RUNS, json={"workflow_type": "Account", "workflow_id": "acc", "id_conflict": "fail"})

    assert refused.status_code == 409
    assert refused.headers["content-type"] == "application/problem+json"
    problem = refused.json()
    assert problem["code"] == "already_exists"
    assert started["run_id"] in problem["detail"]


async def test_a_failed_run_says_why(http):
    await start(http, "fails", "nothing left", workflow_id="f")

    ended = await result(http, "f")

    assert ended["status"] == "failed"
    assert ended["result"] is None
    failure = ended["failure"]
    assert (failure["message"], failure["type"], failure["details"]) == ("nothing left", "NoFunds", [{"amount": 3}])


async def test_an_open_run_has_no_result_yet(http):
    await start(http, "Account", workflow_id="open")

    at_once = await http.get(f"{RUNS}/open/result")
    waited = await http.get(f"{RUNS}/open/result", params={"wait_seconds": 0.05})

    assert (at_once.status_code, waited.status_code) == (202, 202)
    assert waited.json()["status"] == "running"


async def test_signals_queries_and_updates(http):
    await start(http, "Account", 10, workflow_id="acc")
    run = f"{RUNS}/acc"

    for _ in range(2):  # the same key twice is one signal
        sent = await http.post(
            f"{run}/signal", json={"signal_name": "deposit", "input": [5]}, headers={"Idempotency-Key": "d1"}
        )
        assert sent.status_code == 204
    asked = await http.post(f"{run}/query", json={"query_name": "look"})
    assert asked.json() == {"result": 15}

    changed = await http.post(f"{run}/update", json={"update_name": "withdraw", "input": [7], "update_id": "u1"})
    assert changed.json() == {"update_id": "u1", "stage": "completed", "result": 8}
    again = await http.post(f"{run}/update", json={"update_name": "withdraw", "input": [7], "update_id": "u1"})
    assert again.json() == changed.json()

    failed = await http.post(f"{run}/update", json={"update_name": "withdraw", "input": [100]})
    assert failed.status_code == 422
    assert failed.json()["code"] == "update_failed"
    assert "no funds" in failed.json()["failure"]["message"]
    rejected = await http.post(f"{run}/update", json={"update_name": "withdraw", "input": [-1]})
    assert (rejected.status_code, rejected.json()["code"]) == (422, "update_failed")
    unknown = await http.post(f"{run}/query", json={"query_name": "nothing"})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "query_failed")

    await http.post(f"{run}/signal", json={"signal_name": "close"})
    assert (await result(http, "acc"))["result"] == 8
    late = await http.post(f"{run}/signal", json={"signal_name": "deposit", "input": [5]})
    assert (late.status_code, late.json()["code"]) == (409, "run_closed")


async def test_a_start_brings_a_signal_or_an_update(http):
    first = await start(
        http,
        "Account",
        1,
        workflow_id="s",
        signal={"signal_name": "deposit", "input": [2]},
        update={"update_name": "withdraw", "input": [1]},
    )

    assert first["update"]["stage"] == "completed"
    assert (await http.post(f"{RUNS}/s/query", json={"query_name": "look"})).json()["result"] == 2


async def test_control(http):
    await start(http, "Account", workflow_id="c")
    run = f"{RUNS}/c"

    assert (await http.post(f"{run}/pause", json={"reason": "lunch"})).status_code == 204
    assert (await http.get(run)).json()["run"]["status"] == "paused"
    assert (await http.post(f"{run}/resume")).status_code == 204
    assert (await http.post(f"{run}/pin", json={"build_id": "b1"})).status_code == 204
    assert (await http.get(run)).json()["pinned_build_id"] == "b1"
    assert (await http.post(f"{run}/pin", json={"build_id": ""})).status_code == 204
    assert (await http.post(f"{run}/cancel", json={"reason": "enough"})).status_code == 204
    assert (await result(http, "c"))["status"] == "canceled"

    await start(http, "Account", workflow_id="t")
    assert (await http.post(f"{RUNS}/t/terminate", json={"reason": "now"})).status_code == 204
    assert (await result(http, "t"))["failure"]["message"] == "now"


async def test_reset_and_fork(http):
    await start(http, "echo", {"n": 1}, workflow_id="e")
    await result(http, "e")
    events = (await http.get(f"{RUNS}/e/history")).json()["events"]
    at = next(event["id"] for event in events if event["type"] == "WorkflowTaskCompleted")

    again = await http.post(f"{RUNS}/e/reset", json={"event_id": at, "reason": "once more"})
    forked = await http.post(f"{RUNS}/e/fork", json={"event_id": at, "workflow_id": "e2", "input": [{"n": 2}]})

    assert (await result(http, "e"))["run_id"] == again.json()["run_id"]
    assert forked.json()["workflow_id"] == "e2"
    assert (await result(http, "e2"))["result"] == {"n": 2}


async def test_explain_and_describe(http):
    await start(http, "sleeper", 3600, workflow_id="z")
    while not (described := (await http.get(f"{RUNS}/z")).json())["timers"]:
        await asyncio.sleep(0.01)

    explained = (await http.get(f"{RUNS}/z/explain")).json()

    assert described["run"]["status"] == "running"
    assert described["timers"][0]["due"].endswith("Z")
    assert [wait["kind"] for wait in explained["waits"]] == ["timer"]


async def test_what_is_deleted_is_gone(http):
    await start(http, "Account", workflow_id="d")

    assert (await http.delete(f"{RUNS}/d")).status_code == 204
    assert (await http.get(f"{RUNS}/d")).json()["code"] == "not_found"


async def test_history_by_pages_and_an_export_that_replays(http):
    await start(http, "hello", "pages", workflow_id="h")
    await result(http, "h")

    events, after = [], 0
    while True:
        page = (await http.get(f"{RUNS}/h/history", params={"after": after, "limit": 2})).json()
        events += page["events"]
        after = page["last_event_id"]
        if page["is_closed"]:
            break
    exported = await http.get(f"{RUNS}/h/export")

    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["attributes"]["input"] == ["pages"]
    assert events[-1]["attributes"]["result"] == ["Hello, pages!"]
    history = History.from_json(exported.content)
    assert len(history.events) == len(events)
    replay(app, history)


async def test_lists_by_cursor_and_counts(http):
    for number in range(5):
        await start(http, "echo", number, workflow_id=f"n{number}", search_attributes={"Amount": number})
        await result(http, f"n{number}")

    found, cursor = [], ""
    while True:
        params = {"limit": 2, "cursor": cursor, "filter": "Amount >= 1 ORDER BY Amount DESC"}
        page = (await http.get(RUNS, params=params)).json()
        found += [run["search_attributes"]["Amount"] for run in page["runs"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    counted = (
        await http.get("/namespaces/default/workflow-count", params={"filter": "GROUP BY ExecutionStatus"})
    ).json()
    some = (await http.get(RUNS, params=[("status", "completed"), ("status", "failed")])).json()

    assert found == [4, 3, 2, 1]
    assert counted == {"total": 5, "attributes": ["ExecutionStatus"], "groups": [{"values": ["completed"], "count": 5}]}
    assert len(some["runs"]) == 5
    wrong = await http.get(RUNS, params={"filter": "Amount >"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "invalid_argument")


@pytest.mark.parametrize(
    "value",
    [
        b"1.10",
        b'{"b":1,"a":[1,2,{"c":null}]}',
        b"12345678901234567890123456789",
        '"Grüße \\u00e9"'.encode(),
        b"null",
        b'{"metadata":{"encoding":"binary/plain"},"data":"AAEC/w=="}',
        b'{"metadata":{"encoding":"json/encrypted","key":"azE="},"data":"c2VjcmV0"}',
        b'{"metadata":{"not":"an encoding"},"data":"x"}',
    ],
)
async def test_values_come_back_byte_for_byte(http, value):
    body = b'{"workflow_type": "echo", "workflow_id": "v", "input": [' + value + b'], "memo": {"m": ' + value + b"}}"

    started = await http.post(RUNS, content=body)
    shown = (await http.get(f"{RUNS}/v/history", params={"limit": 1})).content

    assert started.status_code == 201
    assert b'"input":[' + value + b"]" in shown
    assert b'"memo":{"m":' + value + b"}" in shown
