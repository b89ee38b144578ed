"""Every command that asks a server, on a real one: a ``perdure server`` process and a ``perdure worker`` process."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scripts.docs import commands
from tests.cli.conftest import HERE, Outcome, Perdure
from tests.cli.test_serving import FREE, running
from tests.security.authority import Authority

ON_SERVERS = {
    name
    for name, command in commands.all_commands().items()
    if any(parameter.name == "server" for parameter in command.params)
}
ELSEWHERE = {
    "worker run": "the fixture runs it as a process",
    "token create": "it has tests of its own, below and in test_access",
    "token list": "so",
    "token revoke": "so",
    "audit list": "so",
    "audit verify": "so",
    **dict.fromkeys(
        [f"deployment {verb}" for verb in ("list", "describe", "set-current", "set-ramping", "delete")],
        "test_deployment has workers of Temporal's for them",
    ),
    "demo": "--server is its form with a server of its own",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server with a worker."""
    folder = tmp_path_factory.mktemp("server")
    options = (*FREE, "--store", f"sqlite:///{folder / 'work.db'}")
    with running("server", *options, cwd=folder) as served:
        url = served.url()
        with running("worker", HERE / "flows.py:app", "--server", url, "--label", "zone=eu", cwd=folder) as worker:
            worker.until_it_says("Serves ")
            yield url


Walk = Callable[..., Outcome]


@pytest.fixture
def walk(perdure: Perdure, server: str) -> Walk:
    """The program, asking that server; it must succeed, unless another exit code is expected."""

    def run(*arguments: object, exit_code: int = 0) -> Outcome:
        outcome = perdure(*arguments, PERDURE_SERVER=server)
        assert outcome.exit_code == exit_code, (arguments, outcome.out, outcome.err)
        return outcome

    return run


STEPS: list[tuple[str, ...]] = [
    ("worker list",),
    ("worker list", "--json"),
    ("namespace create", "staging", "--retention", "30d", "--open-runs", "100", "--starts-per-second", "50",
     "--requests-per-second", "500", "--payload-bytes", "100000", "--share", "2", "--description", "for tests",
     "--attribute", "Amount=float"),
    ("namespace update", "staging", "--retention", "1d", "--attribute", "Note=text"),
    ("namespace set", "staging", "--description", "for all tests"),
    ("namespace show", "staging"),
    ("namespace list",),
    ("namespace attributes", "staging", "Customer=keyword"),
    ("namespace delete", "staging", "--yes"),
    ("start", "Loan", "7", "--id", "loan"),
    ("execute", "doubled", "21", "--id", "d", "--prefer", "zone=eu"),
    ("update", "loan", "add_document", '"a.pdf"'),
    ("query", "loan", "status"),
    ("pause", "loan", "--reason", "lunch"),
    ("resume", "loan"),
    ("activity pause", "loan", "--reason", "the bank is down"),
    ("activity options", "loan", "--start-to-close", "1m", "--retry-initial", "2s", "--max-attempts", "3"),
    ("activity reset", "loan", "--keep-paused", "--reset-heartbeat"),
    ("activity unpause", "loan", "--delay", "1s"),
    ("activity start", "double", "21", "--id", "twice", "--start-to-close", "1m", "--max-attempts", "2"),
    ("activity start", "nobody has it", "--id", "ended", "--task-queue", "nowhere", "--memo", "by=1", "--delay", "1h"),
    ("activity list",),
    ("activity describe", "twice"),
    ("activity cancel", "ended", "--reason", "not now"),
    ("activity start", "nobody has it", "--id", "killed", "--task-queue", "nowhere", "--json"),
    ("activity terminate", "killed", "--reason", "enough"),
    ("explain", "loan"),
    ("show", "loan"),
    ("history", "loan"),
    ("signal", "loan", "decide", '"yes"'),
    ("list",),
    ("list", "WorkflowType = 'Loan'", "--json"),
    ("count", "GROUP BY WorkflowType"),
    ("reset", "d", "--event", "3"),
    ("fork", "d", "e", "5", "--event", "3"),
    ("start", "forever", "--id", "f"),
    ("cancel", "f"),
    ("start", "forever", "--id", "g", "--affinity", "zone=eu"),
    ("terminate", "g", "--reason", "enough"),
    ("delete", "g", "--yes"),
    ("export", "d", "{folder}/d.json"),
    ("delete", "d", "--yes"),
    ("import", "{folder}/d.json"),
    ("schedule create", "nightly", "echo", "1", "--cron", "0 3 * * *"),
    ("schedule list",),
    ("schedule show", "nightly"),
    ("schedule update", "nightly", "--cron", "0 4 * * *"),
    ("schedule pause", "nightly", "--note", "not now"),
    ("schedule resume", "nightly"),
    ("schedule trigger", "nightly"),
    ("schedule backfill", "nightly", "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-02T12:00:00Z"),
    ("schedule delete", "nightly"),
    ("queue set", "default", "--concurrency", "50"),
    ("queue list",),
    ("queue show", "default"),
    ("queue pause", "default", "--reason", "maintenance"),
    ("queue resume", "default"),
    ("start", "forever", "--id", "b1"),
    ("batch signal", "decide", '"yes"', "--filter", "WorkflowId = 'b1'", "--yes", "--id", "s"),
    ("batch cancel", "--filter", "WorkflowId = 'b1'", "--dry-run"),
    ("batch cancel", "--filter", "WorkflowId = 'nobody'", "--yes", "--id", "c"),
    ("batch terminate", "--filter", "WorkflowId = 'b1'", "--yes", "--id", "t"),
    ("batch reset", "--filter", "WorkflowId = 'd'", "--yes", "--id", "r"),
    ("batch delete", "--filter", "WorkflowId = 'b1'", "--yes", "--id", "x"),
    ("batch list",),
    ("batch show", "t"),
    ("start", "forever", "--id", "slow-1"),
    ("start", "forever", "--id", "slow-2"),
    ("start", "forever", "--id", "slow-3"),
    ("batch signal", "decide", "1", "--filter", "ExecutionStatus = 'Running'", "--rate", "0.01", "--yes", "--id", "p",
     "--detach"),
    ("batch pause", "p"),
    ("batch resume", "p"),
    ("batch stop", "p"),
    ("versions",),
    ("versions", "--app", f"{HERE / 'flows.py'}:app"),
    ("stats",),
    ("stats", "--json"),
    ("asl draw", f"{HERE / 'pass.asl.json'}", "--run", "loan"),
]  # fmt: skip


@pytest.mark.timeout(600)
def test_every_command_is_walked_on_a_server(walk, tmp_path):
    walked = set()
    for name, *arguments in STEPS:
        assert name in ON_SERVERS, f"{name} asks no server"
        walk(*name.split(), *(argument.format(folder=tmp_path) for argument in arguments))
        walked.add(name)
    assert walked | set(ELSEWHERE) == ON_SERVERS
    assert json.loads(walk("list", "--json", "--limit", "1").lines[0])["namespace"] == "default"


def test_what_a_namespace_was_given_is_there(walk):
    walk("namespace", "create", "labs", "--retention", "90d", "--open-runs", "5", "--attribute", "Amount=float")
    walk("namespace", "update", "labs", "--share", "0.5", "--attribute", "Note=text")
    told = json.loads(walk("namespace", "show", "labs", "--json").out)
    assert (told["retention_ns"], told["open_runs"]) == (90 * 86_400 * 10**9, 0)
    assert (told["quota"]["open_runs"], told["quota"]["share"]) == (5, 0.5)
    assert told["search_attributes"] == {"Amount": "float", "Note": "text"}
    assert "There is a namespace 'labs' already" in walk("namespace", "create", "labs", exit_code=2).err
    assert "There is no namespace 'lab'" in walk("namespace", "update", "lab", "--share", "1", exit_code=2).err
    assert "must be NAME=TYPE" in walk("namespace", "update", "labs", "--attribute", "X=number", exit_code=2).err
    assert "--retention" in walk("namespace", "update", "labs", "--retention", "soon", exit_code=2).err
    walk("namespace", "update", "labs", "--open-runs", "-1", exit_code=2)
    walk("namespace", "update", "labs", "--share", "-1", exit_code=2)


def test_stats_and_versions_say_of_a_server_what_they_say_of_its_file(walk, perdure, server):
    walk("execute", "echo", "1", "--id", "stats-1")
    walk("start", "Loan", "--id", "stats-2")
    told = json.loads(walk("stats", "--json").out)
    assert sum(run["count"] for run in told["runs"] if run["namespace"] == "default") >= 2
    assert told["file_bytes"] > 0 and len(told["days"]) == 7
    versions = [json.loads(line) for line in walk("versions", "--json").lines]
    (loans,) = [version for version in versions if version["workflow_type"] == "Loan"]
    assert loans["open"] >= 1 and loans["paused"] == 0 and loans["oldest_start"]
    assert walk("versions", "--namespace", "nothing-here").err.startswith("No runs are open in namespace")
    walk("terminate", "stats-2")


BROKEN = """
import perdure

app = perdure.App("flows")


@app.workflow
async def doubled(value: int) -> int:
    return value
"""


def test_code_is_replayed_against_a_servers_runs(walk, perdure, server, tmp_path):
    for number in range(4):
        walk("execute", "doubled", str(number), "--id", f"replayed-{number}")
    fits = perdure("replay", HERE / "flows.py:app", "--from", server, "--filter", "WorkflowType = 'doubled'", "--json")
    assert fits.exit_code == 0, fits.err
    assert json.loads(fits.lines[-1])["fits"] >= 4
    (tmp_path / "broken.py").write_text(BROKEN)
    broken = perdure(
        "replay", tmp_path / "broken.py:app", "--from", server, "--type", "doubled", "--limit", "3", "--json"
    )
    assert broken.exit_code == 1
    assert json.loads(broken.lines[-1])["broken"] == 3
    nothing = perdure("replay", HERE / "flows.py:app", "--from", server, "--filter", "Nonsense")
    assert nothing.exit_code == 2 and nothing.err.startswith("Error: The filter can't be used")


# --- with tokens and certificates


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The URL of a server that knows its callers by their certificates; and its folder."""
    folder = tmp_path_factory.mktemp("certified")
    authority = Authority(folder)
    certificate, key = authority.issue("server")
    authority.issue("ann")
    options = ("--tls-certificate", certificate, "--tls-key", key, "--tls-client-ca", authority.ca,
               "--tls-clients", "ann=admin", "--store", f"sqlite:///{folder / 'work.db'}")  # fmt: skip
    with running("server", *FREE, *options, cwd=folder) as served:
        yield served.url(), folder


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, str]]:
    """The URL of a server that asks for tokens, over TLS; its folder, and an admin's token."""
    folder = tmp_path_factory.mktemp("secured")
    certificate, key = Authority(folder).issue("server")
    store = f"sqlite:///{folder / 'work.db'}"
    options = ("--tls-certificate", certificate, "--tls-key", key, "--authentication", "tokens", "--store", store)
    command = [sys.executable, "-m", "perdure", "token", "create", store, "first", "--role", "admin"]
    admin = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=60).stdout.strip()
    with running("server", *FREE, *options, cwd=folder) as served:
        yield served.url(), folder, admin


def of_ann(folder: Path) -> tuple[str, ...]:
    return (
        "--ca",
        f"{folder}/authority.pem",
        "--client-cert",
        f"{folder}/ann.crt",
        "--client-key",
        f"{folder}/ann.key",
    )


def one_line(outcome: Outcome) -> str:
    assert outcome.exit_code == 2, (outcome.out, outcome.err)
    assert outcome.out == ""
    (line,) = outcome.err.strip().splitlines()
    assert line.startswith("Error: ")
    return line


def test_a_client_is_known_by_its_certificate(perdure, certified):
    url, folder = certified
    listed = perdure("list", "--server", url, *of_ann(folder))
    assert listed.exit_code == 0, listed.err
    assert perdure("namespace", "list", "--server", url, *of_ann(folder), "--json").exit_code == 0
    assert perdure("token", "list", "--server", url, *of_ann(folder)).exit_code == 0
    assert perdure("audit", "verify", "--server", url, *of_ann(folder)).exit_code == 0


def test_certificates_come_from_the_environment_or_the_file_as_well(perdure, certified, tmp_path):
    url, folder = certified
    variables = dict(
        zip(("PERDURE_CA", "PERDURE_CLIENT_CERT", "PERDURE_CLIENT_KEY"), of_ann(folder)[1::2], strict=True)
    )
    assert perdure("count", PERDURE_SERVER=url, **variables).exit_code == 0
    settings = tmp_path / "perdure.toml"
    names = zip(("server", "ca", "client_cert", "client_key"), (url, *of_ann(folder)[1::2]), strict=True)
    settings.write_text("[client]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in names))
    assert perdure("count", PERDURE_CONFIG=str(settings)).exit_code == 0
    shown = json.loads(perdure("config", "--json", PERDURE_CONFIG=str(settings)).out)
    assert shown["client.server"] == {"value": url, "from": f"{settings}, line 2"}
    assert shown["client.namespace"]["from"] == "default"
    # What is nearer comes first.
    assert "127.0.0.1:1" in one_line(perdure("count", "--server", "http://127.0.0.1:1", PERDURE_CONFIG=str(settings)))
    settings.write_text("[client]\nserwer = 'x'\n")
    assert "Did you mean client.server?" in one_line(perdure("count", PERDURE_CONFIG=str(settings)))


@pytest.mark.parametrize("command", [("list",), ("show", "w"), ("token", "list"), ("namespace", "list")])
def test_who_can_not_be_let_in_is_told_in_one_line(perdure, process, secured, command):
    url, folder, _ = secured
    trust = ("--server", url, "--ca", f"{folder}/authority.pem")
    assert one_line(perdure(*command, *trust))
    assert one_line(perdure(*command, *trust, "--token", "perdure_wrong"))
    assert one_line(process(*command, "--server", url))  # the system does not know the authority
    assert "There is no file" in one_line(perdure(*command, "--server", url, "--ca", "/nowhere.pem"))
    assert "needs its key" in one_line(perdure(*command, *trust, "--client-cert", f"{folder}/ann.crt"))


@pytest.mark.timeout(600)
def test_tokens_that_do_not_do_are_refused_in_one_line(perdure, secured):
    url, folder, admin = secured
    trust = ("--server", url, "--ca", f"{folder}/authority.pem")

    def made(*options: str) -> str:
        outcome = perdure("token", "create", "somebody", *options, *trust, "--token", admin)
        assert outcome.exit_code == 0, outcome.err
        return str(outcome.out.strip())

    reader = made("--role", "reader:default")
    assert perdure("list", *trust, "--token", reader).exit_code == 0
    for refused in (
        ("start", "echo", "1"),
        ("cancel", "w"),
        ("list", "--namespace", "other"),
        ("stats",),
        ("namespace", "create", "mine"),
        ("batch", "cancel", "--filter", "WorkflowType = 'x'", "--yes"),
        ("queue", "set", "default", "--rate", "1"),
        ("token", "create", "more", "--role", "admin"),
        ("import", str(exported(folder))),
    ):
        line = one_line(perdure(*refused, *trust, "--token", reader))
        assert re.search(r"may not|permission|allowed", line), line
    brief = made("--role", "reader", "--lifetime", "1s")
    while perdure("list", *trust, "--token", brief).exit_code == 0:
        pass
    assert "expired" in one_line(perdure("list", *trust, "--token", brief))
    ended = made("--role", "reader")
    id = next(
        json.loads(line)["id"]
        for line in reversed(perdure("token", "list", "--json", *trust, "--token", admin).lines)
        if json.loads(line)["status"] == "good"
    )
    assert perdure("token", "revoke", id, *trust, "--token", admin).exit_code == 0
    assert one_line(perdure("list", *trust, "--token", ended))


def exported(folder: Path) -> Path:
    """A run in a file."""
    from perdure.model import events as e
    from perdure.sdk.replay import History

    path = folder / "run.json"
    if not path.exists():
        History("w", "r", [e.WorkflowExecutionStarted(1, 1, "w", "echo", "default")], namespace="default").to_file(path)
    return path


def test_a_worker_gives_its_certificate(certified, tmp_path):
    url, folder = certified
    with running("worker", HERE / "flows.py:app", "--server", url, *of_ann(folder), cwd=tmp_path) as worker:
        worker.until_it_says("Serves ")
