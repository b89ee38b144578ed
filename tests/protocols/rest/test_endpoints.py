"""Endpoints and operations over REST: what is refused, what is kept, and an operation that waits for its endpoint."""

import asyncio

import pytest

OPERATIONS = "/namespaces/default/operations"


@pytest.fixture
async def http(serve):
    return (await serve()).http


async def test_an_endpoint_is_set_up_changed_and_removed(http):
    body = {"namespace": "default", "task_queue": "tellers", "description": "the bank's"}
    made = (await http.put("/endpoints/bank", json=body)).json()
    assert (made["name"], made["task_queue"], made["version"], made["modified"]) == ("bank", "tellers", 1, None)
    changed = (await http.put("/endpoints/bank", json={"url": "https://bank.test/nexus"})).json()
    assert (changed["url"], changed["task_queue"], changed["version"]) == ("https://bank.test/nexus", "", 2)
    assert (await http.get("/endpoints/bank")).json() == changed
    assert (await http.delete("/endpoints/bank")).status_code == 204
    assert (await http.get("/endpoints/bank")).status_code == 404


@pytest.mark.parametrize(
    ("name", "body", "status", "word"),
    [
        ("a.b", {"url": "https://bank.test"}, 400, "letters, digits and hyphens"),
        ("bank", {}, 400, "either to a url"),
        ("bank", {"namespace": "default"}, 400, "either to a url"),
        ("bank", {"url": "https://bank.test", "namespace": "default", "task_queue": "q"}, 400, "either to a url"),
        ("bank", {"url": "ftp://bank.test"}, 400, "no URL"),
        ("bank", {"url": "http://169.254.169.254/"}, 403, "link-local"),
        ("bank", {"namespace": "nowhere", "task_queue": "q"}, 404, "nowhere"),
    ],
)
async def test_what_is_no_endpoint(http, name, body, status, word):
    refused = await http.put(f"/endpoints/{name}", json=body)
    assert refused.status_code == status and word in refused.json()["detail"]
    assert (await http.get("/endpoints")).json()["endpoints"] == []


async def test_an_operation_waits_for_its_endpoint_and_for_a_loop_around_curl(http):
    body = {"service": "Bank", "operation": "greet", "endpoint": "bank", "operation_id": "one", "input": "you"}
    started = await http.post(OPERATIONS, json=body)
    assert (started.status_code, started.json()["workflow_id"]) == (201, "perdure.operation:one")
    assert (await http.post(OPERATIONS, json=body)).status_code == 200
    path = "/namespaces/default/workflows/perdure.operation:one"
    while not (waits := (await http.get(f"{path}/explain")).json()["waits"]) or waits[0]["failure"] is None:
        await asyncio.sleep(0.02)
    assert "there is no endpoint 'bank'" in waits[0]["failure"]["message"]
    await http.put("/endpoints/bank", json={"namespace": "default", "task_queue": "shell"})
    poll = {"identity": "curl", "activity_types": ["Bank/greet"], "wait_seconds": 20}
    task = (await http.post("/namespaces/default/task-queues/shell/activities/poll", json=poll)).json()
    assert task["input"] == ["you"]
    done = f"/namespaces/default/activities/{task['task_token']}/complete"
    assert (await http.post(done, json={"result": "hello you"})).status_code < 300
    outcome = (await http.get(f"{path}/result", params={"wait_seconds": 20})).json()
    assert (outcome["status"], outcome["result"]) == ("completed", "hello you")
    for wrong in ({"endpoint": ""}, {"task_queue": "q"}):
        assert (await http.post(OPERATIONS, json=body | wrong)).status_code == 400
