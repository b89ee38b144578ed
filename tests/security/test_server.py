"""A whole server with authentication: REST, gRPC, TLS, clients' certificates; and no secret anywhere it should not be."""

import asyncio
import logging
import re
import subprocess
import sys
import time
from datetime import timedelta
from typing import Any

import grpc
import httpx
import pytest
from tests.security.authority import Authority
from tests.security.conftest import make_app
from tests.security.test_permissions import calls, outcome
from typer.testing import CliRunner

import perdure
from perdure.app.access import Access, FileSession, file_administration
from perdure.app.server import Server
from perdure.cli.main import app as program
from perdure.model.errors import InvalidArgumentError, UnauthenticatedError, UnavailableError
from perdure.model.service import Service
from perdure.protocols.rest import OPERATIONS
from perdure.protocols.worker import worker_pb2 as pb
from perdure.protocols.worker.streams import WORK
from perdure.security import Tls

LOCAL: dict[str, Any] = {"rest_address": "127.0.0.1:0", "grpc_address": "127.0.0.1:0"}


@pytest.fixture
def store_url(tmp_path):
    return f"sqlite:///{tmp_path / 'work.db'}"


async def first_token(store_url, *grants):
    async with file_administration(store_url) as administration:
        _, text = await administration.create_token(FileSession("me"), "file", "first", grants or ["admin"], 0)
        return text


class Running:
    """A server, its tokens by name, and where it is."""

    def __init__(self, server, tokens):
        self.server = server
        self.tokens = tokens
        self.rest = f"http://127.0.0.1:{server.rest_port}"
        self.grpc = f"grpc://127.0.0.1:{server.grpc_port}"

    async def new_token(self, *grants, lifetime=3600):
        async with httpx.AsyncClient(base_url=self.rest) as http:
            answer = await http.post(
                "/api/v1/tokens",
                json={"name": "made", "grants": grants, "lifetime_seconds": lifetime},
                headers={"authorization": f"Bearer {self.tokens['admin']}"},
            )
        assert answer.status_code == 201, answer.text
        return answer.json()["token"]


@pytest.fixture
async def running(store_url):
    tokens = {"admin": await first_token(store_url)}
    # The tests below try many bad tokens from one address.
    access = Access(authentication="tokens", failed_attempts_per_minute=0)
    server = Server(store_url, access=access, **LOCAL)
    await server.open()
    yield Running(server, tokens)
    await server.close()


# --- every endpoint of REST, every operation over gRPC


BAD = {
    "none": "",
    "no scheme": "{admin}",
    "basic": "Basic dTpw",
    "forged": "Bearer perdure_0000000000000000_" + "0" * 64,
    "another's": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJldmUifQ.",
    "cut": "Bearer {cut}",
    "expired": "Bearer {expired}",
    "revoked": "Bearer {revoked}",
}


def path_of(operation):
    return "/api/v1" + re.sub(r"{(\w+)}", lambda found: "mine" if found[1] == "namespace" else "x", operation.path)


async def test_nothing_of_rest_is_answered_without_a_good_token(running):
    admin = running.tokens["admin"]
    expired = await running.new_token("admin", lifetime=0.001)
    revoked = await running.new_token("admin")
    async with httpx.AsyncClient(base_url=running.rest) as http:
        gone = await http.delete(
            f"/api/v1/tokens/{revoked.split('_')[1]}", headers={"authorization": f"Bearer {admin}"}
        )
        assert gone.json()["revoked"]
        words = {"admin": admin, "cut": admin[:-1], "expired": expired, "revoked": revoked}
        for operation in OPERATIONS:
            if operation.is_public:
                continue
            for name, header in BAD.items():
                given = {"authorization": header.format(**words)} if header else {}
                answer = await http.request(operation.method, path_of(operation), headers=given, json={})
                assert answer.status_code == 401, (operation.name, name, answer.text)
                assert answer.headers["www-authenticate"] == "Bearer"
                assert answer.json()["code"] == "unauthenticated"
                assert not re.search(r"[0-9a-f]{64}", answer.text)


# What everybody with a good token may ask, whatever its role.
FOR_ALL = {"get_server", "list_problems", "get_problem", "list_namespaces"}


async def test_no_endpoint_of_rest_is_there_for_a_role_elsewhere(running):
    """Bodies and queries may be bad here: what matters is that nothing is done, or told, about the namespace."""
    stranger = await running.new_token("admin:elsewhere")
    checked = 0
    async with httpx.AsyncClient(base_url=running.rest, timeout=20) as http:
        for operation in OPERATIONS:
            if operation.is_public or operation.name in FOR_ALL or "{namespace}" not in operation.path:
                continue
            answer = await http.request(
                operation.method,
                path_of(operation),
                headers={"authorization": f"Bearer {stranger}"},
                json=BODIES.get(operation.name, {}) if operation.body is not None else None,
                params=QUERIES.get(operation.name, {}),
            )
            checked += answer.status_code == 403
            assert answer.status_code in (400, 403), (operation.name, answer.status_code, answer.text)
            if answer.status_code == 400:
                said = answer.json()["detail"]
                assert said.startswith(("In the body", "In the query")) or "task token" in said, (operation.name, said)
    assert checked > 30, "most requests must get as far as the question who may"


BODIES = {
    "start_workflow": {"workflow_type": "Waits", "workflow_id": "w"},
    "execute_workflow": {"workflow_type": "Waits", "workflow_id": "w"},
    "reset_run": {"event_id": 3},
    "fork_run": {"event_id": 3, "workflow_id": "copy"},
    "add_search_attributes": {"search_attributes": {"A": "int"}},
    "poll_activity": {"identity": "x"},
}
QUERIES: dict[str, dict[str, str]] = {}


async def test_a_worker_may_not_operate_and_an_operator_may_not_work(running):
    app = make_app()
    worker, operator = await running.new_token("worker"), await running.new_token("operator")
    async with (
        await perdure.connect(running.rest, app, token=operator) as client,
        await perdure.connect(running.rest, app, token=worker) as host,
    ):
        with pytest.raises(perdure.PermissionDeniedError, match="'made' may not start"):
            await host.start("Waits", id="w")
        run = await client.start("Waits", id="w")
        async with perdure.Worker(host, app):
            await run.signal("finish")
            await run.result()
        with pytest.raises(perdure.PermissionDeniedError, match="'made' may not work in namespace 'default'"):
            async with perdure.Worker(client, app):
                pass


@pytest.mark.parametrize("way", ["grpc", "rest"])
async def test_every_operation_over_a_stream_is_guarded(running, way):
    reader = await running.new_token("reader:mine")
    client = await perdure.connect(getattr(running, way), namespace="mine", token=reader)
    async with client:
        for name, call in calls(client._service, "theirs").items():
            if name != "namespaces":
                assert isinstance(await outcome(call, 100), perdure.PermissionDeniedError), name
    names = {name for name in vars(Service) if not name.startswith("_")}
    assert names == set(calls(None, ""))


@pytest.mark.parametrize("token", ["", "perdure_0000000000000000_" + "0" * 64, "eyJhbGciOiJub25lIn0.e30."])
async def test_nobody_connects_without_a_good_token(running, token):
    for url in (running.rest, running.grpc):
        with pytest.raises(UnauthenticatedError):
            async with asyncio.timeout(100), await perdure.connect(url, token=token) as client:
                await client.count()


@pytest.mark.parametrize("way", ["grpc", "rest"])
async def test_a_token_that_is_revoked_ends_what_it_began(running, way):
    token = await running.new_token("operator")
    async with await perdure.connect(getattr(running, way), token=token) as client:
        assert await client.count() == 0
        async with httpx.AsyncClient(base_url=running.rest) as http:
            headers = {"authorization": f"Bearer {running.tokens['admin']}"}
            await http.delete(f"/api/v1/tokens/{token.split('_')[1]}", headers=headers)
        with pytest.raises(UnauthenticatedError, match="revoked by now"):
            await client.count()


async def test_an_admin_of_a_namespace_makes_tokens_for_it_alone(running):
    local = await running.new_token("admin:mine")
    headers = {"authorization": f"Bearer {local}"}
    async with httpx.AsyncClient(base_url=running.rest, headers=headers) as http:
        made = await http.post("/api/v1/tokens", json={"name": "w", "grants": ["worker:mine"]})
        assert made.status_code == 201
        for grants in (["worker"], ["reader:theirs"], ["worker:mine", "reader:theirs"]):
            refused = await http.post("/api/v1/tokens", json={"name": "w", "grants": grants})
            assert refused.status_code == 403, grants
        listed = (await http.get("/api/v1/tokens")).json()["tokens"]
        assert [token["grants"] for token in listed] == [["admin:mine"], ["worker:mine"]]
        first = running.tokens["admin"].split("_")[1]
        assert (await http.delete(f"/api/v1/tokens/{first}")).status_code == 403
        assert (await http.get("/api/v1/audit")).status_code == 403
        assert (await http.put("/api/v1/namespaces/mine", json={})).status_code == 403


async def test_a_token_of_the_same_name_gets_nothing_that_was_answered_to_another(running):
    """Whoever makes tokens chooses their names, so an idempotency key of somebody else's must not be found by a name."""
    theirs, mine = await running.new_token("admin:theirs"), await running.new_token("admin:mine")
    path, key = "/api/v1/namespaces/theirs/signing-secrets/default", {"idempotency-key": "set-up"}
    async with httpx.AsyncClient(base_url=running.rest) as http:
        made = await http.post(path, json={}, headers={"authorization": f"Bearer {theirs}", **key})
        again = await http.post(path, json={}, headers={"authorization": f"Bearer {theirs}", **key})
        stolen = await http.post(path, json={}, headers={"authorization": f"Bearer {mine}", **key})
    assert (made.status_code, again.json()) == (201, made.json())
    assert stolen.status_code == 403 and "whsec_" not in stolen.text


async def test_callbacks_of_others_do_not_reach_the_servers_own_machine(running):
    token = await running.new_token("admin:mine")
    async with httpx.AsyncClient(base_url=running.rest, headers={"authorization": f"Bearer {token}"}) as http:
        assert (await http.post("/api/v1/namespaces/mine/signing-secrets/default", json={})).status_code == 201
        for host in ("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "127.8.8.8"):
            body = {"workflow_type": "Waits", "callbacks": [{"url": f"http://{host}:9/"}]}
            refused = await http.post("/api/v1/namespaces/mine/workflows", json=body)
            assert refused.status_code == 403 and "its own machine" in refused.text, (host, refused.text)


async def test_too_many_requests_are_told_when_to_try_again(store_url):
    token = await first_token(store_url)
    server = Server(store_url, access=Access(authentication="tokens", token_requests_per_second=3), **LOCAL)
    await server.open()
    try:
        headers = {"authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.rest_port}", headers=headers) as http:
            answers = [await http.get("/api/v1/namespaces") for _ in range(10)]
    finally:
        await server.close()
    limited = [answer for answer in answers if answer.status_code == 429]
    assert limited and answers[0].status_code == 200
    assert limited[0].headers["retry-after"] == "1"


async def test_a_worker_that_says_too_much_is_heard_later(store_url):
    token = await first_token(store_url)
    access = Access(authentication="tokens", worker_messages_per_second=20)
    server = Server(store_url, access=access, **LOCAL)
    await server.open()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            stream = channel.stream_stream(
                WORK, request_serializer=pb.FromWorkers.SerializeToString, response_deserializer=pb.ToWorkers.FromString
            )(metadata=[("authorization", f"Bearer {token}")])
            hello = pb.Hello(worker_id="w", identity="w", namespace="default", task_queues=["q"])
            await stream.write(pb.FromWorkers(messages=[pb.FromWorker(hello=hello)]))
            begun = time.monotonic()
            many = [pb.FromWorker(capacity=pb.Capacity(turn_slots=number)) for number in range(70)]
            await stream.write(pb.FromWorkers(messages=many))
            lost = pb.ActivityReport(run=pb.Run(namespace="default", workflow_id="w", run_id="r"), attempt=1)
            lost.completed.SetInParent()
            await stream.write(pb.FromWorkers(messages=[pb.FromWorker(activity=lost)]))
            batch: Any = await stream.read()
            assert batch.messages[0].WhichOneof("message") == "acknowledge"
            # 20 of the 70 came at once, the other 50 took their time.
            assert time.monotonic() - begun > 2.3
            stream.cancel()
        app = make_app()
        async with await perdure.connect(server.url, app, token=token) as client, perdure.Worker(client, app):
            runs = [await client.start("Waits", id=f"w{number}") for number in range(10)]
            for run in runs:
                await run.signal("finish")
            await asyncio.gather(*(run.result() for run in runs))
    finally:
        await server.close()


async def refusals(http, token, act):
    """What was refused of a kind. It is written down behind the answer."""
    while True:
        audit = await http.get("/audit", headers={"authorization": f"Bearer {token}"})
        if found := [entry for entry in audit.json()["entries"] if entry["act"] == act]:
            return found


async def test_a_webhook_that_is_not_signed_well_is_an_attempt_that_failed(store_url):
    token = await first_token(store_url)
    server = Server(store_url, access=Access(authentication="tokens", failed_attempts_per_minute=3), **LOCAL)
    await server.open()
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.rest_port}/api/v1") as http:
            path = "/namespaces/default/webhooks/w/messages"
            answers = [(await http.post(path, json={})).status_code for _ in range(5)]
            await refusals(http, token, "receive_webhook")
    finally:
        await server.close()
    assert answers == [401, 401, 401, 429, 429]


@pytest.mark.parametrize("proxies", [(), ("10.0.0.0/8", "127.0.0.1")])
async def test_only_a_proxy_that_is_trusted_says_for_whom_it_asks(store_url, proxies):
    token = await first_token(store_url)
    server = Server(store_url, access=Access(authentication="tokens", trusted_proxies=proxies), **LOCAL)
    await server.open()
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.rest_port}/api/v1") as http:
            await http.get("/namespaces", headers={"x-forwarded-for": "192.0.2.1, 192.0.2.7"})
            found = await refusals(http, token, "authenticate")
    finally:
        await server.close()
    assert {entry["remote"] for entry in found} == {"192.0.2.7" if proxies else "127.0.0.1"}


async def test_proxies_that_are_no_addresses(store_url):
    server = Server(store_url, access=Access(authentication="tokens", trusted_proxies=("*",)), **LOCAL)
    with pytest.raises(InvalidArgumentError, match=r"trusted_proxies: '\*' is neither an address nor a network"):
        await server.open()


# --- the command line


def command_line(*arguments, token="", check=True):
    done = CliRunner().invoke(program, arguments, env={"PERDURE_TOKEN": token, "COLUMNS": "200"})
    assert done.exit_code == 0 or not check, done.stderr
    return done


async def test_tokens_and_audit_from_the_command_line(running, tmp_path):
    admin = running.tokens["admin"]

    async def run(*arguments, **options):
        return await asyncio.to_thread(command_line, *arguments, **options)

    made = await run("token", "create", running.rest, "ci", "--role", "reader", "--lifetime", "12h", token=admin)
    ci = made.stdout.strip()
    assert re.fullmatch(r"perdure_[0-9a-f]{16}_[0-9a-f]{64}", ci)
    refused = await run("token", "create", running.rest, "x", "--role", "admin", token=ci, check=False)
    assert refused.exit_code == 2
    assert "may not administer" in refused.stderr
    listed = await run("token", "list", running.rest, token=admin)
    assert "ci" in listed.stdout and "good" in listed.stdout and ci.split("_")[2] not in listed.stdout
    await run("token", "revoke", running.rest, ci.split("_")[1], token=admin)
    assert "revoked" in (await run("token", "list", str(tmp_path / "work.db"))).stdout
    used = await run("token", "list", running.rest, token=ci, check=False)
    assert used.exit_code == 2 and "is revoked" in used.stderr

    from_server = await run("audit", "verify", running.rest, token=admin)
    from_file = await run("audit", "verify", str(tmp_path / "work.db"))
    assert from_server.stdout == from_file.stdout
    head = from_server.stdout.strip()
    log = (await run("audit", "list", running.rest, token=admin)).stdout
    for act in ("create_token", "revoke_token", "authenticate", "administer"):
        assert act in log
    cut = f"{int(head.partition(':')[0]) + 5}:{'0' * 64}"
    bad = await run("audit", "verify", running.rest, "--expect", cut, token=admin, check=False)
    assert bad.exit_code == 1 and "its end was cut off" in bad.stderr


async def test_the_file_of_a_running_server_is_left_alone(running, tmp_path):
    command = [sys.executable, "-m", "perdure", "token", "create", str(tmp_path / "work.db"), "x", "--role", "admin"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "is held by another process" in done.stderr


# --- secrets


async def test_no_secret_is_in_logs_histories_or_the_store(running, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    app = make_app()
    operator, worker = await running.new_token("operator"), await running.new_token("worker")
    wrong = f"perdure_{'1' * 16}_{'cd' * 32}"
    async with (
        await perdure.connect(running.rest, app, token=operator) as client,
        await perdure.connect(running.rest, app, token=worker) as host,
        perdure.Worker(host, app),
    ):
        run = await client.start("Waits", id="w")
        await client.schedules.create("s", "Waits", every=timedelta(hours=1))
        await run.signal("finish")
        await run.result()
        page = await client._service.history(perdure.model.ids.RunAddress("default", "w"), after=0, limit=0, wait=False)
        await run.delete()
    async with httpx.AsyncClient(base_url=running.rest) as http:
        await http.get("/api/v1/namespaces", headers={"authorization": f"Bearer {wrong}"})
        audit = await http.get("/api/v1/audit", headers={"authorization": f"Bearer {running.tokens['admin']}"})
    secrets = [token.split("_")[2] for token in (operator, worker, running.tokens["admin"], wrong)]
    places = {"log": caplog.text, "history": str(page), "audit": audit.text}
    places |= {path.name: path.read_bytes().decode("latin-1") for path in tmp_path.glob("work.db*")}
    assert len(places) > 3
    for place, text in places.items():
        for secret in secrets:
            assert secret not in text, place


# --- TLS


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


async def served(store_url, access, use):
    server = Server(store_url, access=access, **LOCAL)
    await server.open()
    try:
        await use(server)
    finally:
        await server.close()


async def test_rest_and_grpc_over_tls(store_url, authority):
    token = await first_token(store_url)
    certificate, key = authority.issue("server")
    app = make_app()

    async def use(server):
        url = f"https://localhost:{server.rest_port}"
        for way in (url, f"grpcs://localhost:{server.grpc_port}"):
            async with (
                await perdure.connect(way, app, token=token, ca=authority.ca) as client,
                perdure.Worker(client, app),
            ):
                run = await client.start("Waits", id="w")
                await run.signal("finish")
                await run.result()
        # Who does not trust the issuer does not connect, and plain text gets nowhere.
        with pytest.raises(UnavailableError):
            await perdure.connect(url, token=token)
        with pytest.raises(UnavailableError):
            await perdure.connect(f"http://localhost:{server.rest_port}", token=token)

    await served(store_url, Access(authentication="tokens", tls_certificate=certificate, tls_key=key), use)


async def test_clients_known_by_their_certificates(store_url, authority, tmp_path):
    certificate, key = authority.issue("server")
    worker, stranger = authority.issue("worker-1"), authority.issue("stranger")
    (tmp_path / "other").mkdir()
    forged = Authority(tmp_path / "other", "other").issue("worker-1")
    app = make_app()
    access = Access(
        tls_certificate=certificate,
        tls_key=key,
        tls_client_ca=authority.ca,
        tls_clients="worker-1=worker+operator",
    )

    async def use(server):
        url = f"https://localhost:{server.rest_port}"
        for way in (url, f"grpcs://localhost:{server.grpc_port}"):
            async with (
                await perdure.connect(way, app, ca=authority.ca, certificate=worker[0], key=worker[1]) as client,
                perdure.Worker(client, app),
            ):
                run = await client.start("Waits", id="w")
                await run.signal("finish")
                await run.result()
                with pytest.raises(perdure.PermissionDeniedError, match="'worker-1' may not set_namespace"):
                    await client.set_namespace("x")
        with pytest.raises(UnauthenticatedError, match="'stranger' is good, but grants no role"):
            await perdure.connect(url, ca=authority.ca, certificate=stranger[0], key=stranger[1])
        for files in (forged, ("", "")):
            with pytest.raises(UnavailableError):
                await perdure.connect(url, ca=authority.ca, certificate=files[0], key=files[1])

    await served(store_url, access, use)


def test_certificates_that_cannot_be_used(authority, tmp_path):
    certificate, key = authority.issue("server")
    _, other = authority.issue("other")
    expired = authority.issue("expired", begins=-timedelta(days=3), ends=-timedelta(days=1))
    future = authority.issue("future", begins=timedelta(days=1), ends=timedelta(days=2))
    nonsense = tmp_path / "nonsense"
    nonsense.write_text("nonsense")
    for files, said in [
        ((certificate, ""), "TLS needs both"),
        ((certificate, other), "does not belong to the certificate"),
        ((certificate, str(tmp_path / "none")), "tls_key: .*none can't be read"),
        ((str(nonsense), key), "tls_certificate: .* is no certificate in PEM"),
        ((certificate, str(nonsense)), "tls_key: .* is no key in PEM"),
        ((certificate, key, str(nonsense)), "tls_client_ca: .* has no certificate in PEM"),
        (expired, "has expired on"),
        (future, "is good only from"),
    ]:
        with pytest.raises(InvalidArgumentError, match=said):
            Tls(*files)


# --- workers


async def test_a_worker_without_a_good_token_is_told_so(running):
    token = await running.new_token("operator")
    app = make_app()
    async with await perdure.connect(running.rest, token=token) as client:
        with pytest.raises(perdure.PermissionDeniedError):
            async with perdure.Worker(client, app):
                pass
    with pytest.raises(UnauthenticatedError):
        async with await perdure.connect(running.rest, token="perdure_nobody_nothing") as client:
            async with perdure.Worker(client, app):
                pass


async def test_a_worker_whose_token_is_revoked_is_sent_away_and_ends(running):
    token = await running.new_token("worker")
    admin = {"authorization": f"Bearer {running.tokens['admin']}"}
    async with (
        await perdure.connect(running.rest, token=token) as client,
        httpx.AsyncClient(base_url=running.rest, headers=admin) as http,
    ):

        async def workers():
            return (await http.get("/api/v1/namespaces/default/workers")).json()["workers"]

        serving = asyncio.create_task(perdure.Worker(client, make_app(), grace=0.1).run())
        while not await workers():
            await asyncio.sleep(0.02)
        await http.delete(f"/api/v1/tokens/{token.split('_')[1]}")
        # It is noticed when the worker next says something.
        body = {"workflow_id": "x", "workflow_type": "Waits", "task_queue": "default"}
        await http.post("/api/v1/namespaces/default/workflows", json=body)
        with pytest.raises(UnauthenticatedError):
            await asyncio.wait_for(serving, 100)
        assert await workers() == []
