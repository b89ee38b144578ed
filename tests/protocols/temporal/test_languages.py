"""Languages meet: a run is reached by every client, and a workflow calls what another SDK's worker serves, both ways."""

import asyncio
import json
import os
import subprocess
import sys

import httpx
import pytest
from temporalio.client import Client
from tests.protocols.temporal.programs import CannotBuildError, command

import perdure
from perdure import workflow

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]

app = perdure.App("languages", task_queue="perdure")
elsewhere = perdure.App("elsewhere", task_queue="go")


@elsewhere.activity(name="Greet", task_queue="go", start_to_close=60)
async def greet_in_go(name: str) -> str:
    """Served by the worker in Go."""
    raise NotImplementedError


@elsewhere.activity(name="AlwaysFails", task_queue="go", start_to_close=60, retry=perdure.Retry(max_attempts=1))
async def fail_in_go(message: str) -> None:
    """Served by the worker in Go."""
    raise NotImplementedError


@elsewhere.workflow(name="Child", task_queue="go")
async def child_in_go(what: str) -> str:
    """Served by the worker in Go."""
    raise NotImplementedError


@app.activity(task_queue="perdure", start_to_close=60)
async def shout(word: str) -> str:
    return word.upper()


@app.workflow
async def mixed(name: str) -> list[str]:
    greeting = await greet_in_go(name)
    nested = await child_in_go("greets")
    try:
        await fail_in_go("on purpose")
    except perdure.ActivityError as error:
        return [greeting, nested, str(error.__cause__), str(workflow.info().workflow_id)]
    return ["it did not fail"]


@app.workflow(name="Mirror")
async def mirror(word: str) -> str:
    return word[::-1]


@pytest.fixture
async def go_worker(server):
    try:
        program = await asyncio.to_thread(command, "go")
    except CannotBuildError as error:
        pytest.skip(str(error))
    address = f"127.0.0.1:{server.temporal_port}"
    worker = subprocess.Popen([*program, "--address", address, "--serve"], stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    assert await asyncio.to_thread(worker.stdout.readline) == "ready\n"
    yield worker
    worker.kill()
    worker.wait()
    worker.stdout.close()


async def test_a_run_in_go_is_reached_by_every_client(server, client: Client, go_worker):
    handle = await client.start_workflow("Mailbox", 4, id="open-to-all", task_queue="go")
    await handle.signal("hear", "Temporal's Python SDK")
    await handle.execute_update("add", "an update")
    async with httpx.AsyncClient(base_url=server.url) as rest:
        signal = {"signal_name": "hear", "input": ["REST"]}
        answer = await rest.post("/api/v1/namespaces/default/workflows/open-to-all/signal", json=signal)
        assert answer.is_success, answer.text
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "perdure", "query", server.url, "open-to-all", "so_far"],
        capture_output=True,
        text=True,
        env=dict(os.environ),
    )
    heard = ["REST", "Temporal's Python SDK", "an update"]
    assert sorted(json.loads(done.stdout)) == heard, done.stderr
    async with await perdure.connect(server.url) as ours:
        await ours.get("open-to-all").signal("hear", "Perdure's SDK")
    assert sorted(await handle.result()) == sorted([*heard, "Perdure's SDK"])


async def test_a_workflow_here_calls_an_activity_and_a_child_in_go(server, go_worker):
    async with await perdure.connect(server.url, app) as ours, perdure.Worker(ours, app):
        result = await asyncio.wait_for(ours.execute(mixed, "you", id="mixed"), 60)
    assert result == ["hello you", "hello hello child", "on purpose", "mixed"]


async def test_a_workflow_in_go_calls_an_activity_and_a_child_here(server, client: Client, go_worker):
    async with await perdure.connect(server.url, app) as ours, perdure.Worker(ours, app):
        found = await client.execute_workflow(
            "Across", args=["perdure", "shout", "Mirror", "word"], id="across", task_queue="go"
        )
    assert found == ["WORD", "drow"]
