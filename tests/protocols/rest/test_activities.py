"""Activities done over REST: by hand, by a shell script, by JavaScript."""

import asyncio
import os
import shutil
import signal
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.protocols.rest.test_runs import RUNS, result, start

NAMESPACE = "/namespaces/default"
POLL = f"{NAMESPACE}/task-queues/shell/activities/poll"
EXAMPLES = Path(__file__).parents[3] / "examples" / "rest"


async def poll(http, **body):
    answer = await http.post(POLL, json={"wait_seconds": 20, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def of(task):
    return f"{NAMESPACE}/activities/{task['task_token']}"


async def test_an_activity_is_polled_and_completed(http):
    await start(http, "asks_outside", {"amount": 30}, workflow_id="o")

    task = await poll(http, identity="me", activity_types=["charge"])
    beaten = await http.post(f"{of(task)}/heartbeat", json={"details": [50]})
    done = await http.post(f"{of(task)}/complete", json={"result": {"charged": 30}})

    assert task["input"] == [{"amount": 30}]
    assert (task["attempt"], task["workflow_id"], task["activity_type"]) == (1, "o", "charge")
    assert task["deadline"]
    assert beaten.json() == {"cancel_requested": False}
    assert done.status_code == 204
    assert (await result(http, "o"))["result"] == {"charged": 30}
    events = (await http.get(f"{RUNS}/o/history")).json()["events"]
    begun = next(event for event in events if event["type"] == "ActivityTaskStarted")
    assert begun["attributes"]["identity"] == "me"


async def test_an_activity_needs_no_workflow(http):
    body = {"activity_type": "charge", "activity_id": "a-17", "task_queue": "shell", "input": [{"amount": 5}]}
    waiting = asyncio.create_task(
        http.post(f"{NAMESPACE}/activities", json={**body, "retry": {"max_attempts": 2}}, params={"wait_seconds": 20})
    )
    task = await poll(http, activity_types=["charge"])
    again = await http.post(f"{NAMESPACE}/activities", json=body)
    await http.post(f"{of(task)}/complete", json={"result": {"charged": 5}})
    first = await waiting

    assert (task["input"], task["activity_id"], task["max_attempts"]) == ([{"amount": 5}], "a-17", 2)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["run_id"] == again.json()["run_id"] == task["run_id"]
    assert first.json()["outcome"]["result"] == {"charged": 5}
    assert (await result(http, first.json()["workflow_id"]))["result"] == {"charged": 5}


async def test_a_poll_waits_for_a_task(http):
    waiting = asyncio.create_task(poll(http))
    await asyncio.sleep(0)
    await start(http, "asks_outside", {"amount": 1}, workflow_id="w")

    assert (await waiting)["workflow_id"] == "w"


async def test_no_task_is_no_content(http):
    assert (await http.post(POLL, json={"wait_seconds": 0})).status_code == 204


async def test_each_task_is_handed_out_once(http):
    polls = [asyncio.create_task(poll(http, identity=str(number % 2))) for number in range(6)]
    for number in range(6):
        await start(http, "asks_outside", {"amount": number}, workflow_id=f"n{number}")

    tasks = await asyncio.gather(*polls)

    assert sorted(task["workflow_id"] for task in tasks) == [f"n{number}" for number in range(6)]


async def test_a_failed_attempt_is_tried_again(http):
    await start(http, "asks_outside", {"amount": 30}, workflow_id="f")

    first = await poll(http)
    await http.post(f"{of(first)}/heartbeat", json={"details": ["half"]})
    failed = await http.post(f"{of(first)}/fail", json={"message": "busy", "type": "Busy", "details": [1]})
    second = await poll(http)
    late = await http.post(f"{of(first)}/complete", json={"result": 1})
    await http.post(f"{of(second)}/complete")

    assert failed.status_code == 204
    assert (second["attempt"], second["heartbeat_details"]) == (2, ["half"])
    assert (second["last_failure"]["message"], second["last_failure"]["type"]) == ("busy", "Busy")
    assert second["idempotency_key"] == first["idempotency_key"]
    assert (late.status_code, late.json()["code"]) == (404, "not_found")
    assert (await result(http, "f"))["result"] is None


async def test_a_cancelled_activity_hears_of_it_with_its_heartbeat(http):
    await start(http, "asks_outside", {"amount": 30}, workflow_id="c")
    task = await poll(http)

    await http.post(f"{RUNS}/c/cancel")
    while not (await http.post(f"{of(task)}/heartbeat")).json()["cancel_requested"]:
        await asyncio.sleep(0.01)
    stopped = await http.post(f"{of(task)}/cancel", json={"details": ["cleaned up"]})

    assert stopped.status_code == 204
    assert (await result(http, "c"))["status"] == "canceled"


async def test_whoever_hangs_up_takes_no_task_along(http, rest):
    gone = asyncio.create_task(http.post(POLL, json={"wait_seconds": 20}))
    while not await rest.service.workers("default"):
        await asyncio.sleep(0.01)
    gone.cancel()
    while (await rest.service.workers("default"))[0].activity_slots:
        await asyncio.sleep(0.01)

    await start(http, "asks_outside", {"amount": 30}, workflow_id="g")

    assert (await poll(http))["attempt"] == 1


async def test_a_wrong_token_is_refused(http):
    await start(http, "asks_outside", {"amount": 30}, workflow_id="t")
    task = await poll(http)
    nonsense = await http.post(f"{NAMESPACE}/activities/nonsense/complete")
    elsewhere = await http.post(f"/namespaces/other/activities/{task['task_token']}/complete")

    assert (nonsense.status_code, nonsense.json()["code"]) == (400, "invalid_argument")
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (403, "permission_denied")


@asynccontextmanager
async def working(rest, *command):
    """A worker in a process of its own."""
    worker = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, "PERDURE_URL": rest.url},
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield
    finally:
        os.killpg(worker.pid, signal.SIGKILL)  # the shell's curl too
        _, errors = await worker.communicate()
        assert not errors.decode()


async def charge_some(http):
    for number, amount in enumerate([30, 5000, 70]):
        await start(http, "asks_outside", {"amount": amount}, workflow_id=f"x{number}")
    first, second, third = [await result(http, f"x{number}") for number in range(3)]
    assert first["result"]["charged"] == 30
    assert first["result"]["receipt"].startswith(first["run_id"])
    assert second["failure"]["cause"]["type"] == "CardDeclined"
    assert third["result"]["charged"] == 70


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
async def test_a_worker_in_bash(rest):
    async with working(rest, "bash", EXAMPLES / "worker.sh"):
        await charge_some(rest.http)


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node here")
async def test_a_worker_in_javascript(rest):
    async with working(rest, "node", EXAMPLES / "worker.mjs"):
        await charge_some(rest.http)
