"""Every administrative operation, over REST, gRPC and Temporal's protocol and from the command line: it is in the audit log.

What is administrative stands in the tables below; that nothing is missing in them is compared with the operations and commands
that there are. An entry is written before the act, so it need not succeed here.
"""

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import typer
from tests.security.test_permissions import NAMES, calls

import perdure
from perdure.app.access import Access
from perdure.app.server import Server
from perdure.cli.main import app as program
from perdure.model import requests as r
from perdure.model.errors import PerdureError
from perdure.model.ids import RunAddress
from perdure.protocols.rest import OPERATIONS
from perdure.security import permissions as table
from perdure.security import verify
from perdure.security.audit import stored_entries
from perdure.security.tokens import Tokens

LOCAL: dict[str, Any] = {f"{name}_address": "127.0.0.1:0" for name in ("rest", "grpc", "temporal")}

SECRET = {"secret": "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
STRETCH = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}
RUN_AGAIN = {"event_id": 3, "workflow_id": "copy"}

# By the names of REST's operations: a body, and how the entry calls it.
REST: dict[str, tuple[Any, str]] = {
    "terminate_workflow": ({}, "TerminateWorkflow"),
    "pin_workflow": ({"build_id": "b"}, "UpdateWorkflowOptions"),
    "reset_activities": ({}, "ResetActivity"),
    "update_activity_options": ({"restore": True}, "UpdateActivityOptions"),
    "reset_workflow": ({"event_id": 3}, "reset"),
    "fork_workflow": (RUN_AGAIN, "fork"),
    "delete_workflow": (None, "delete"),
    "create_schedule": ({"schedule_id": "s", "workflow_type": "Waits", "cron": ["0 2 * * *"]}, ""),
    "update_schedule": ({"cron": ["0 3 * * *"]}, ""),
    "pause_schedule": ({}, ""),
    "resume_schedule": ({}, ""),
    "trigger_schedule": ({}, ""),
    "backfill_schedule": (STRETCH, ""),
    "delete_schedule": (None, ""),
    "create_batch": ({"operation": "terminate", "workflow_type": "Nothing", "batch_id": "x"}, ""),
    "pause_batch": ({}, ""),
    "resume_batch": ({}, ""),
    "stop_batch": ({}, ""),
    "import_workflow": (None, "import_run"),
    "set_task_queue": ({"concurrency": 5}, ""),
    "pause_task_queue": ({}, ""),
    "resume_task_queue": (None, ""),
    "set_namespace": ({}, ""),
    "delete_namespace": (None, ""),
    "add_search_attributes": ({"search_attributes": {"Amount": "int"}}, ""),
    "remove_search_attribute": (None, "remove_search_attributes"),
    "create_token": ({"name": "ci", "grants": ["reader"]}, ""),
    "revoke_token": (None, ""),
    "set_signing_secret": (SECRET, ""),
    "delete_signing_secret": (None, ""),
    "set_webhook": ({"secret": "x", "workflow_type": "Waits"}, ""),
    "delete_webhook": (None, ""),
    "set_current_version": ({"build_id": "b"}, ""),
    "set_ramping_version": ({"build_id": "b", "percentage": 10}, ""),
    "delete_version": (None, ""),
    "delete_deployment": (None, ""),
    "set_endpoint": ({"namespace": "default", "task_queue": "q"}, ""),
    "delete_endpoint": (None, ""),
}
REST_OTHERS = {
    "start_workflow",
    "start_activity",
    "start_operation",
    "signal_workflow",
    "query_workflow",
    "update_workflow",
    "cancel_workflow",
    "pause_workflow",
    "pause_activities",
    "unpause_activities",
    "resume_workflow",
    "poll_activity",
    "complete_activity",
    "fail_activity",
    "cancel_activity",
    "heartbeat_activity",
    "receive_webhook",
}
"""What runs are for, and what workers do; it is in their histories."""
NO_WAIT = {"wait_seconds": 0}


class Place:
    """A server, and what its audit log says."""

    def __init__(self, server: Server, token: str) -> None:
        self.server, self.token = server, token
        self.url = f"http://127.0.0.1:{server.rest_port}"
        self.headers = {"authorization": f"Bearer {token}"} if token else {}
        self.who = "root" if token else "anonymous"

    async def entries(self) -> list[dict[str, Any]]:
        async with httpx.AsyncClient(base_url=self.url, headers=self.headers) as http:
            return list((await http.get("/api/v1/audit")).json()["entries"])


@pytest.fixture(params=["tokens", "none"])
async def place(request, tmp_path):
    """A server with authentication, and one that trusts everybody."""
    server = Server(f"sqlite:///{tmp_path / 'work.db'}", access=Access(authentication=request.param), **LOCAL)
    await server.open()
    token = ""
    if request.param == "tokens":
        tokens: Tokens = server.gate._tokens  # type: ignore[attr-defined]
        _, token = await tokens.create("root", {"*": (perdure.model.access.Role.ADMIN,)})
    yield Place(server, token)
    await server.close()
    assert verify(await _stored(server)).problem == ""


async def _stored(server):
    await server._store.open()
    try:
        return await stored_entries(server._store)
    finally:
        await server._store.close()


def path_of(operation):
    return "/api/v1" + re.sub(r"{(\w+)}", lambda found: "default" if found[1] == "namespace" else "x", operation.path)


def test_the_table_of_rest_is_whole():
    changing = {operation.name for operation in OPERATIONS if operation.method != "GET"}
    assert changing <= REST.keys() | REST_OTHERS, "say of a new operation whether it is an administrative act"
    assert REST.keys() | REST_OTHERS <= changing


async def test_every_act_over_rest(place):
    async with httpx.AsyncClient(base_url=place.url, headers=place.headers, timeout=60) as http:
        known = len(await place.entries())
        # Those that others need come first.
        order = ["set_signing_secret", "set_webhook", "create_schedule", "create_batch"]
        begun = {"workflow_type": "Waits", "workflow_id": "out"}
        await http.post("/api/v1/namespaces/default/workflows", json=begun)
        exported = await http.get("/api/v1/namespaces/default/workflows/out/export")
        for operation in sorted(OPERATIONS, key=lambda one: (one.name not in order, "delete" in one.name)):
            if operation.name not in REST:
                continue
            body, act = REST[operation.name]
            path = path_of(operation)
            if operation.name == "import_workflow":  # which is there already
                body = exported.json()
            path = path.replace("/endpoints/x", "/endpoints/the-bank")
            if operation.name == "delete_namespace":
                path = path.replace("default", "other")
            if operation.name == "revoke_token":  # which must be there
                made = await http.post("/api/v1/tokens", json={"name": "other", "grants": ["reader"]})
                path = path.replace("/x", f"/{made.json()['record']['id']}")
                known += 1
            answer = await http.request(operation.method, path, json=body)
            assert answer.status_code not in (400, 401, 403, 405), (operation.name, answer.text)
            new = (await place.entries())[known:]
            known += len(new)
            assert new, f"{operation.name} is not in the audit log: {answer.text}"
            assert new[0]["act"] == (act or operation.name)
            assert (new[0]["outcome"], new[0]["who"], new[0]["remote"]) == ("allowed", place.who, "127.0.0.1")
            assert (len(new) == 2 and new[1]["outcome"] == "failed") is (answer.status_code >= 400), operation.name


async def test_what_makes_something_new_makes_it_once_for_a_key(place):
    async with httpx.AsyncClient(base_url=place.url, headers=place.headers, timeout=60) as http:
        new = [operation for operation in OPERATIONS if operation.method == "POST" and operation.status == 201]
        made = [operation.name for operation in new if operation.name in REST and REST[operation.name][0] is not None]
        assert {"create_token", "create_batch", "create_schedule", "set_signing_secret"} <= set(made)
        for operation in new:
            if operation.name not in made:
                continue
            again = {"json": REST[operation.name][0], "headers": {"Idempotency-Key": f"key-{operation.name}"}}
            first = await http.post(path_of(operation), **again)
            second = await http.post(path_of(operation), **again)
            assert first.status_code == 201 or operation.name == "fork_workflow", first.text
            if first.status_code == 201:
                assert second.json() == first.json(), operation.name


async def test_a_start_with_callbacks_says_where_they_go_and_no_more(place):
    async with httpx.AsyncClient(base_url=f"{place.url}/api/v1/namespaces/default", headers=place.headers) as http:
        await http.post("/signing-secrets/default", json=SECRET)
        url = "https://hooks.example.com/key-of-somebody?token=secret"
        body = {"workflow_type": "Waits", "workflow_id": "w", "callbacks": [{"url": url}]}
        assert (await http.post("/workflows", json=body)).status_code == 201
        body = {"workflow_type": "Waits", "workflow_id": "v"}
        assert (await http.post("/workflows", json=body)).status_code == 201
    made, started = await place.entries()
    assert (made["act"], made["name"]) == ("set_signing_secret", "default")
    assert (started["act"], started["callbacks_to"]) == ("start_workflow", "hooks.example.com")
    assert "secret" not in str(started) and "MfKQ9r8" not in str(made)


async def test_what_is_no_act_leaves_no_entry(place):
    async with httpx.AsyncClient(base_url=place.url, headers=place.headers, timeout=60) as http:
        for operation in OPERATIONS:
            if operation.name in REST_OTHERS and operation.name != "receive_webhook":
                body = {"start_workflow": {"workflow_type": "Waits", "workflow_id": "w"}, "poll_activity": NO_WAIT}
                await http.request(operation.method, path_of(operation), json=body.get(operation.name, {}))
    assert await place.entries() == []


# --- gRPC


async def test_every_act_over_grpc(place):
    own = Own()
    async with await perdure.connect(place.url, token=place.token) as client:
        await client.start("Waits", id="w")
        done: list[tuple[str, Any]] = [
            (name, call)
            for name, call in calls(client._service, "default").items()
            if table.OPERATIONS[name].audited and name in NAMES
        ]
        arguments: dict[type, tuple[Any, ...]] = {r.UpdateWorkflowOptions: ("",), r.TerminateWorkflow: ("enough",)}
        arguments |= {r.ResetActivity: ("a",), r.UpdateActivityOptions: ("a",)}
        done += [
            (
                kind.__name__,
                lambda kind=kind: client._service.request(RunAddress("default", "w"), kind(*arguments[kind])),
            )
            for kind, need in table.REQUESTS.items()
            if need.audited
        ]
        done += own.acts(client)
        assert len(done) > 20
        known = 0
        for act, call in done:
            with contextlib.suppress(PerdureError):
                await call()
            new = (await place.entries())[known:]
            known += len(new)
            names = [entry["act"] for entry in new]
            assert act in names, (act, names)
            entry = new[names.index(act)]
            assert (entry["outcome"], entry["who"], entry["remote"]) == ("allowed", place.who, "127.0.0.1")
    commands = [entry.get("command") for entry in await place.entries() if entry.get("signal") == "tell"]
    assert commands == ["Pause", "Resume", "Trigger", "Backfill", "Replace"]
    started = [entry for entry in await place.entries() if entry["act"] == "start"]
    assert [entry["workflow_id"].rsplit(":", 1)[0] for entry in started] == ["schedule:default", "batch:default"]
    assert "Region" in started[1]["listed"], "what a batch does and to which runs"
    assert "sensitive" not in str(await place.entries()), "but not what it gives them"


class Own:
    """Schedules and batches, which are runs of the engine's own."""

    def acts(self, client):
        schedules, batches = client.schedules, client.batches
        schedule, moment = schedules.get("s"), datetime(2026, 1, 1, tzinfo=UTC)

        async def batch():
            await client.add_search_attributes({"Region": "keyword"})
            self.batch = await batches.signal("Region = 'eu'", "finish", "sensitive", rate=0.001, id="b")

        return [
            ("start", lambda: schedules.create("s", "Waits", "sensitive", every=timedelta(hours=1))),
            ("SignalWorkflow", lambda: schedule.pause("lunch")),
            ("SignalWorkflow", lambda: schedule.resume()),
            ("SignalWorkflow", lambda: schedule.trigger()),
            ("SignalWorkflow", lambda: schedule.backfill(moment, moment + timedelta(hours=3))),
            ("SignalWorkflow", lambda: schedule.update(every=timedelta(hours=2))),
            ("TerminateWorkflow", lambda: schedule.delete()),
            ("start", batch),
            ("PauseWorkflow", lambda: self.batch.pause()),
            ("ResumeWorkflow", lambda: self.batch.resume()),
            ("CancelWorkflow", lambda: self.batch.stop()),
        ]


# --- the command line

FILTER = ("--filter", "ExecutionStatus = 'Running'", "--yes", "--detach")

COMMANDS: dict[str, tuple[tuple[str, ...], str]] = {
    "terminate": (("w",), "TerminateWorkflow"),
    "activity reset": (("w",), "ResetActivity"),
    "activity terminate": (("a",), "TerminateWorkflow"),
    "activity options": (("w", "--restore"), "UpdateActivityOptions"),
    "reset": (("w", "--event", "3"), "reset"),
    "fork": (("w", "copy", "--event", "3"), "fork"),
    "delete": (("w", "--yes"), "delete"),
    "import": (("{exported}",), "import_run"),
    "batch signal": (("finish", *FILTER), "start"),
    "batch cancel": (FILTER, "start"),
    "batch terminate": (FILTER, "start"),
    "batch reset": (FILTER, "start"),
    "batch delete": (FILTER, "start"),
    "batch pause": (("b",), "PauseWorkflow"),
    "batch resume": (("b",), "ResumeWorkflow"),
    "batch stop": (("b",), "CancelWorkflow"),
    "schedule create": (("s", "Waits", "--every", "1h"), "start"),
    "schedule update": (("s", "--every", "2h"), "SignalWorkflow"),
    "schedule pause": (("s",), "SignalWorkflow"),
    "schedule resume": (("s",), "SignalWorkflow"),
    "schedule trigger": (("s",), "SignalWorkflow"),
    "schedule backfill": (("s", "--from", STRETCH["start"], "--to", STRETCH["end"]), "SignalWorkflow"),
    "schedule delete": (("s",), "TerminateWorkflow"),
    "queue set": (("q", "--concurrency", "2"), "set_task_queue"),
    "queue pause": (("q",), "pause_task_queue"),
    "queue resume": (("q",), "resume_task_queue"),
    "namespace create": (("staging",), "set_namespace"),
    "namespace set": (("staging",), "set_namespace"),
    "namespace update": (("staging", "--description", "trials"), "set_namespace"),
    "namespace delete": (("staging", "--yes"), "delete_namespace"),
    "namespace attributes": (("default", "Amount=int"), "add_search_attributes"),
    "deployment set-current": (("shop", "b"), "set_current_version"),
    "deployment set-ramping": (("shop", "b"), "set_ramping_version"),
    "deployment delete": (("shop", "--yes"), "delete_deployment"),
    "token create": (("ci", "--role", "reader"), "create_token"),
    "token revoke": (("{token_id}",), "revoke_token"),
}
LOOKS = {
    *("list", "count", "show", "explain", "history", "export", "stats", "query", "replay", "versions", "verify"),
    *("batch list", "batch show", "schedule list", "schedule show", "queue list", "queue show", "namespace list"),
    *(
        "namespace show",
        "deployment list",
        "activity list",
        "activity describe",
        "deployment describe",
        "token list",
        "audit list",
        "audit verify",
        "worker list",
        "config",
        "backup",
    ),
    *("asl check", "asl draw", "asl run"),  # on this machine alone
}
RUNS = {
    *("start", "execute", "signal", "update", "cancel", "pause", "resume", "worker run", "server", "dev", "demo"),
    *("complete", "fail", "heartbeat", "activity pause", "activity unpause", "activity start", "activity cancel"),
}
ON_FILES = {"audit prune"}
"""Tested with the audit log itself."""


def commands(click: Any, prefix: str = "") -> set[str]:
    """The names of all commands."""
    names: set[str] = set()
    for name, command in click.commands.items():
        names |= commands(command, f"{prefix}{name} ") if hasattr(command, "commands") else {prefix + name}
    return names


def test_the_table_of_commands_is_whole():
    there = commands(typer.main.get_command(program))
    assert there <= COMMANDS.keys() | LOOKS | RUNS | ON_FILES, (
        "say of a new command whether it is an administrative act"
    )
    assert COMMANDS.keys() <= there


SCRIPT = """
import json, sys
import httpx
import typer
from typer import testing
from perdure.cli.main import app

command = typer.main.get_command(app)
testing._get_command = lambda _: command  # built once, which takes longer than to run it
url, token = sys.argv[1:]
known = 0
with httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}) as http:
    for arguments in json.load(sys.stdin):
        done = testing.CliRunner().invoke(app, arguments)
        entries = http.get("/api/v1/audit", params={"after": known}).json()["entries"]
        print(json.dumps([done.stdout, done.stderr, entries]), flush=True)
        known += len(entries)
"""


# With tokens alone: what a server that trusts everybody writes down is the same, whoever asks it over REST or gRPC.
@pytest.mark.parametrize("place", ["tokens"], indirect=True)
async def test_every_act_from_the_command_line(place, tmp_path):
    async def run(*commands: tuple[str, ...]) -> list[Any]:
        """What each said, and the entries that there are since."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PERDURE_")}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", SCRIPT, place.url, place.token),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**environment, "PERDURE_SERVER": place.url, "PERDURE_TOKEN": place.token},
        )
        said, _ = await process.communicate(json.dumps(commands).encode())
        return [json.loads(line) for line in said.splitlines()]

    exported = str(tmp_path / "exported.json")
    async with await perdure.connect(place.url, token=place.token) as client:
        await client.start("Waits", id="exported")
        await client.start("Waits", id="w")
        await client.batches.signal("ExecutionStatus = 'Running'", "finish", rate=0.001, id="b")
        await run(("export", "exported", exported))
        await client.get("exported").delete()
    ((made, _, _),) = await run(("token", "create", "other", "--role", "reader", "--json"))
    token_id = json.loads(made)["id"]
    # What removes comes last.
    names = sorted(COMMANDS, key=lambda name: "delete" in name or "terminate" in name)
    arguments = [
        tuple(part.format(exported=exported, token_id=token_id) for part in COMMANDS[name][0]) for name in names
    ]
    commands = [(*name.split(), *rest) for name, rest in zip(names, arguments, strict=True)]
    _, *found = await run(("audit", "list"), *commands)
    for name, (_, said, entries) in zip(names, found, strict=True):
        acts = [entry["act"] for entry in entries if entry["outcome"] == "allowed" and entry["who"] == place.who]
        assert COMMANDS[name][1] in acts, (name, acts, said)


# --- Temporal's protocol


async def test_every_act_over_temporals_protocol(place):
    grpc = pytest.importorskip("grpc")
    stubs = pytest.importorskip("temporalio.api.workflowservice.v1.service_pb2_grpc")
    from temporalio.api.operatorservice.v1.service_pb2_grpc import OperatorServiceStub
    from tests.protocols.temporal.asked import ASKED, request

    metadata = (("authorization", f"Bearer {place.token}"),) if place.token else ()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{place.server.temporal_port}") as channel:
        services = (stubs.WorkflowServiceStub(channel), OperatorServiceStub(channel))

        async def ask(name):
            call = next(getattr(service, name) for service in services if hasattr(service, name))
            try:
                await call(request(name), metadata=metadata, timeout=2)
            except grpc.aio.AioRpcError as error:
                return error.code(), error.details()

        await ask("StartWorkflowExecution")
        known = 0
        # What removes or ends comes last.
        for name in sorted(ASKED, key=lambda name: name.startswith(("Delete", "Terminate", "Stop"))):
            act = ASKED[name].act
            if not act:
                continue
            code = await ask(name)
            new = (await place.entries())[known:]
            known += len(new)
            assert act in [entry["act"] for entry in new], (name, code, new)
            entry = next(entry for entry in new if entry["act"] == act)
            assert (entry["outcome"], entry["who"], entry["remote"]) == ("allowed", place.who, "127.0.0.1")
        assert known
        for name in ASKED:
            if not ASKED[name].act and not name.startswith("Poll"):
                await ask(name)
        assert len(await place.entries()) == known, "nothing else leaves an entry"
