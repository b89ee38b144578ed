"""What is set rather than run: namespaces, search attributes, task queues, schedules, and facts about the server."""

import asyncio
from datetime import UTC, datetime, timedelta

NAMESPACE = "/namespaces/default"


async def test_namespaces(http):
    body = {"retention_seconds": 86400, "description": "orders", "quota": {"open_runs": 1}}
    put = await http.put("/namespaces/shop", json=body)
    shop = put.json()
    assert (shop["name"], shop["retention_seconds"], shop["description"]) == ("shop", 86400.0, "orders")
    assert shop["quota"]["open_runs"] == 1
    assert shop in (await http.get("/namespaces")).json()["namespaces"]
    for status in (201, 429):
        started = await http.post("/namespaces/shop/workflows", json={"workflow_type": "Account"})
        assert started.status_code == status
    described = (await http.get("/namespaces/shop")).json()
    assert (described["namespace"], described["open_runs"]) == (shop, 1)
    assert (await http.delete("/namespaces/shop")).status_code == 400
    assert (await http.delete("/namespaces/shop", params={"force": "true"})).status_code == 204
    assert (await http.get("/namespaces/none")).json()["code"] == "not_found"


async def test_workers(http):
    await http.post(f"{NAMESPACE}/task-queues/shell/activities/poll", json={"identity": "me", "wait_seconds": 0})
    found = (await http.get(f"{NAMESPACE}/workers")).json()["workers"]
    assert [(one["identity"], one["task_queues"]) for one in found] == [("me", ["shell"])]


async def test_search_attributes(http):
    path = f"{NAMESPACE}/search-attributes"
    assert (await http.post(path, json={"search_attributes": {"Due": "datetime"}})).status_code == 204
    assert (await http.get(path)).json() == {"search_attributes": {"Due": "datetime"}}
    other = await http.post(path, json={"search_attributes": {"Due": "int"}})
    assert (other.status_code, other.json()["code"]) == (409, "already_exists")
    started = await http.post(
        f"{NAMESPACE}/workflows",
        json={"workflow_type": "echo", "workflow_id": "d", "search_attributes": {"Due": "2026-07-01T12:00:00Z"}},
    )
    assert started.status_code == 201
    found = await http.get(f"{NAMESPACE}/workflows", params={"filter": "Due > '2026-06-30'"})
    assert found.json()["runs"][0]["search_attributes"] == {"Due": "2026-07-01T12:00:00Z"}
    for _ in range(2):
        assert (await http.delete(f"{path}/Due")).status_code == 204
    assert (await http.get(path)).json() == {"search_attributes": {}}
    assert (await http.delete(f"{path}/WorkflowId")).json()["code"] == "invalid_argument"
    assert (await http.post(path, json={"search_attributes": {"Due": "int"}})).status_code == 204


async def test_task_queues(http):
    path = f"{NAMESPACE}/task-queues/slow"
    put = await http.put(path, json={"concurrency": 2, "rate": 10, "per_seconds": 60})
    assert put.json()["concurrency"] == 2
    assert (await http.post(f"{path}/pause", json={"reason": "deploy"})).status_code == 204
    described = (await http.get(path)).json()
    assert (described["settings"]["is_paused"], described["settings"]["pause_reason"]) == (True, "deploy")
    assert (await http.post(f"{path}/resume")).status_code == 204
    assert (await http.get(path)).json()["settings"]["concurrency"] == 2
    assert [one["name"] for one in (await http.get(f"{NAMESPACE}/task-queues")).json()["task_queues"]] == ["slow"]


async def test_schedules(http):
    path = f"{NAMESPACE}/schedules"
    body = {
        "schedule_id": "nightly",
        "workflow_type": "echo",
        "input": [{"metadata": {"encoding": "binary/plain"}, "data": "AAEC"}],
        "cron": ["0 2 * * *"],
        "calendar": [{"hour": [8, 20], "day_of_week": "mon-fri"}],
        "every": [{"every_seconds": 3600}],
        "timezone": "Europe/Berlin",
        "note": "reports",
    }
    created = await http.post(path, json=body)
    assert created.status_code == 201, created.text
    assert len(created.json()["next_times"]) == 5
    assert (await http.post(path, json=body)).json()["code"] == "already_exists"
    assert [one["schedule_id"] for one in (await http.get(path)).json()["schedules"]] == ["nightly"]

    one = f"{path}/nightly"
    changed = await http.patch(one, json={"cron": ["0 3 * * *"], "max_runs": 10})
    assert (changed.json()["schedule"]["when"], changed.json()["max_runs"]) == ("0 3 * * * Europe/Berlin", 10)
    assert (await http.post(f"{one}/pause", json={"note": "holiday"})).status_code == 204
    assert (await http.get(one)).json()["next_times"] == []
    assert (await http.post(f"{one}/resume")).status_code == 204
    for _ in range(2):  # the same key twice is one run
        assert (await http.post(f"{one}/trigger", headers={"Idempotency-Key": "t1"})).status_code == 204
    end = datetime.now(UTC)
    filled = await http.post(
        f"{one}/backfill",
        json={"start": (end - timedelta(days=2)).isoformat(), "end": end.isoformat(), "overlap": "allow_all"},
    )
    assert filled.status_code == 204
    while len((await http.get(one)).json()["recent"]) < 3:
        await asyncio.sleep(0.01)
    assert (await http.delete(one)).status_code == 204
    assert (await http.get(one)).json()["code"] == "not_found"


async def test_a_schedule_that_makes_no_sense_is_refused(http):
    path = f"{NAMESPACE}/schedules"
    for wrong in (
        {},
        {"cron": ["61 * * * *"]},
        {"every": [{"every_seconds": 0.5}]},
        {"cron": ["0 2 * * *"], "timezone": "Nowhere"},
        {"cron": ["0 2 * * *"], "start_at": "2026-01-01T00:00:00"},
        {"cron": ["0 2 * * *"], "colour": "blue"},
    ):
        refused = await http.post(path, json={"schedule_id": "s", "workflow_type": "echo", **wrong})
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_argument"), wrong


async def test_facts_and_problems(http):
    assert "version" in (await http.get("/server")).json()
    problems = {one["code"]: one for one in (await http.get("/problems")).json()["problems"]}
    assert problems["run_closed"]["status"] == 409
    missing = (await http.get(f"{NAMESPACE}/workflows/none")).json()
    told = await http.get(missing["type"].removeprefix("/api/v1"))
    assert told.json() == problems["not_found"]
