"""Whatever takes time shows how far it is on a terminal, here a real one, and nothing of it in a pipe."""

import errno
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import HERE, Perdure, ServerThread

FLOWS = f"{HERE / 'flows.py'}:app"
ESCAPE = "\x1b"
LIVE = "\x1b[?25l"
"""How a terminal is told to hide its cursor, while a bar is drawn again and again."""


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "perdure", *map(str, arguments)]


def on_a_terminal(*arguments: object, **variables: str) -> str:
    """What a person sees, escapes included, when the program runs on a terminal."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", **variables}
    with subprocess.Popen(command(*arguments), stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        seen = bytearray()
        try:
            while chunk := os.read(ours, 65536):
                seen += chunk
        except OSError as error:  # how Linux says that nobody writes any more
            if error.errno != errno.EIO:
                raise
        finally:
            os.close(ours)
        assert process.wait(60) == 0, seen.decode(errors="replace")
    return seen.decode(errors="replace")


@pytest.fixture(scope="module")
def server():
    with ServerThread() as url:
        yield url


@pytest.fixture
def exported(perdure: Perdure, store: Path, tmp_path: Path) -> Path:
    """A run in a file."""
    listed = perdure("list", store, "--status", "completed", "--json")
    workflow_id = json.loads(listed.lines[0])["workflow_id"]
    assert perdure("export", store, workflow_id, tmp_path / "run.json").exit_code == 0
    return tmp_path / "run.json"


@pytest.mark.parametrize(
    ("bar", "arguments"),
    [
        ("Verifying", ("verify", "{store}")),
        ("Copying", ("backup", "{store}", "{folder}/copy.db", "--force")),
        ("Exporting", ("export", "{store}", "{id}", "{folder}/again.json", "--force")),
        ("Counting", ("stats", "{store}")),
        ("Counting", ("count", "{store}")),
        ("Counting the builds", ("versions", "{store}")),
        ("Reading the audit log", ("audit", "list", "{store}")),
        ("Verifying the audit log", ("audit", "verify", "{store}")),
        ("Removing old entries", ("audit", "prune", "{copy}", "--older-than", "1d", "--yes")),
        ("Replaying", ("replay", f"{HERE / 'orders.py'}:app", "--from", "{folder}/run.json")),
    ],
)
def test_looking_at_a_store_file(perdure, store, exported, tmp_path, bar, arguments):
    workflow_id = json.loads(exported.read_text())["workflow_id"]
    copy = tmp_path / "unused.db"
    assert perdure("backup", store, copy).exit_code == 0
    named = [each.format(store=store, folder=tmp_path, id=workflow_id, copy=copy) for each in arguments]
    shown = on_a_terminal(*named)
    assert bar in shown and LIVE in shown, shown
    piped = perdure(*named)
    assert piped.exit_code == 0 and bar not in piped.out + piped.err and ESCAPE not in piped.out + piped.err


@pytest.mark.parametrize(
    ("bar", "arguments"),
    [
        ("{id}: running", ("execute", "doubled", "2", "--id", "{id}")),
        ("Batch", ("batch", "terminate", "--filter", "WorkflowId = 'waits-{id}'", "--yes")),
        ("Replaying", ("replay", FLOWS, "--from", "{url}", "--type", "echo")),
        ("Exporting", ("export", "done-{id}", "{folder}/{id}.json", "--force")),
        ("Importing", ("import", "{folder}/gone-{id}.json")),
        ("Counting", ("count", "{url}")),
        ("asked for status", ("query", "talks-{id}", "status")),
        ("add_document until it is completed", ("update", "talks-{id}", "add_document", '"a"')),
        ("Deleting namespace", ("namespace", "delete", "space-{id}", "--yes")),
    ],
)
def test_asking_a_server(server, perdure, tmp_path, bar, arguments):
    def ask(*asked: object) -> str:
        outcome = perdure(*asked, PERDURE_SERVER=server)
        assert outcome.exit_code == 0, outcome.err
        return str(outcome.out + outcome.err)

    for id in (f"{arguments[0]}-1", f"{arguments[0]}-2"):
        ask("start", "forever", "--id", f"waits-{id}")
        ask("start", "Loan", "--id", f"talks-{id}")
        ask("namespace", "create", f"space-{id}")
        for name in (f"done-{id}", f"gone-{id}"):
            ask("execute", "echo", "1", "--id", name)
        ask("export", f"gone-{id}", tmp_path / f"gone-{id}.json")
        ask("delete", f"gone-{id}", "--yes")
        named = [each.format(id=id, url=server, folder=tmp_path) for each in arguments]
        if id.endswith("1"):
            shown = on_a_terminal(*named, PERDURE_SERVER=server)
            assert bar.format(id=id) in shown and LIVE in shown, shown
        else:
            assert ESCAPE not in ask(*named)
