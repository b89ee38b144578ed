"""What holds for all commands: help, version, mistakes, pipes, completion."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from tests.cli.conftest import Perdure

import perdure as package
from perdure.cli.main import app
from perdure.stores.sqlite import connections

COMMANDS = tuple(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
ON_A_STORE = [
    ("list", "{}"),
    ("show", "{}", "order-0"),
    ("history", "{}", "order-0"),
    ("count", "{}"),
    ("explain", "{}", "order-0"),
    ("export", "{}", "order-0", "run.json"),
    ("versions", "{}"),
    ("stats", "{}"),
    ("schedule", "list", "{}"),
    ("verify", "{}"),
    ("backup", "{}", "copy.db"),
]


def on(path: object, arguments: tuple[str, ...]) -> list[str]:
    return [argument.format(path) for argument in arguments]


def test_help_shows_the_commands_and_examples(perdure: Perdure):
    for option in ("--help", "-h"):
        outcome = perdure(option)
        assert outcome.exit_code == 0 and "Examples:" in outcome.out
        for command in COMMANDS:
            assert command in outcome.out


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_examples(perdure: Perdure, command):
    outcome = perdure(command, "--help")
    assert outcome.exit_code == 0 and f"perdure {command}" in outcome.out and "Examples:" in outcome.out


def test_the_version(perdure: Perdure):
    outcome = perdure("--version")
    assert outcome.exit_code == 0 and outcome.out.startswith(f"perdure {package.__version__}, Python 3.")


@pytest.mark.parametrize("arguments", ON_A_STORE)
def test_a_file_that_is_not_there(perdure: Perdure, tmp_path, arguments):
    (tmp_path / "perdure.db").touch()
    outcome = perdure(*on(tmp_path / "perdur.db", arguments))
    assert (outcome.exit_code, outcome.out) == (2, "")
    assert outcome.err == f"Error: There is no file {tmp_path}/perdur.db. Did you mean {tmp_path}/perdure.db?\n"


@pytest.mark.parametrize("arguments", ON_A_STORE)
@pytest.mark.parametrize("kind", ["folder", "empty", "text", "other", "newer", "cut"])
def test_a_file_that_is_no_usable_store(perdure: Perdure, store, tmp_path, arguments, kind, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "it"
    match kind:
        case "folder":
            path.mkdir()
            said = "is a folder"
        case "empty":
            path.touch()
            said = "is empty"
        case "text":
            path.write_text("no database" * 1000)
            said = "SQLITE_NOTADB"
        case "other":
            _execute(path, "CREATE TABLE theirs (x)")
            said = "of another program"
        case "newer":
            perdure("backup", store, path)
            _execute(path, f"PRAGMA user_version = {connections.newest_version() + 1}")
            said = "written by a newer"
        case _:
            perdure("backup", store, path)
            os.truncate(path, 4096)
            said = "damaged"
    outcome = perdure(*on(path, arguments))
    assert (outcome.exit_code, outcome.out) == (2, "")
    assert outcome.err.startswith("Error: ") and said in outcome.err


def _execute(path: Path, statement: str) -> None:
    import sqlite3

    with sqlite3.connect(path) as connection:
        connection.execute(statement)


@pytest.mark.skipif(getattr(os, "geteuid", int)() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(perdure: Perdure, store):
    store.chmod(0)
    outcome = perdure("list", store)
    assert outcome.exit_code == 2 and "may not be read by this user" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lst", "x.db"], "Did you mean 'list'?"),
        (["show", "x.db"], "WORKFLOW_ID"),
        (["verify"], "FILE"),
        (["list", "x.db", "--status", "done"], "'completed'"),
        (["list", "x.db", "--limit", "-1"], "--limit"),
        (["list", "x.db", "--limit", "many"], "--limit"),
        (["history", "x.db", "a", "--after", "-1"], "--after"),
        (["list", "x.db", "--colour"], "--colour"),
        (["demo", "--orders", "0"], "--orders"),
    ],
)
def test_mistakes_on_the_command_line(perdure: Perdure, arguments, said):
    outcome = perdure(*arguments)
    assert (outcome.exit_code, outcome.out) == (2, "")
    assert said in outcome.err and "Traceback" not in outcome.err


def test_the_url_of_a_store_names_it_too(perdure: Perdure, store):
    assert perdure("list", f"sqlite:///{store}").lines[0].startswith("WORKFLOW ID")


def test_nobody_reading_is_no_error(store):
    reader, writer = os.pipe()
    os.close(reader)
    for arguments in (["list", str(store)], ["history", str(store), "order-0", "--json"]):
        done = subprocess.run(
            [sys.executable, "-m", "perdure", *arguments], stdout=writer, stderr=subprocess.PIPE, check=False
        )
        assert (done.returncode, done.stderr) == (141, b"")
    os.close(writer)


def test_a_reader_that_has_seen_enough(store):
    shell = f"set -o pipefail; {sys.executable} -m perdure history {store} large --full | head -c 100 >/dev/null"
    done = subprocess.run(["bash", "-c", shell], stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_locale_without_the_letters_still_shows_the_rest(process: Perdure, store):
    outcome = process("list", store, PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert outcome.exit_code == 0 and r"\u6f22" in outcome.out
    assert "漢字" in process("list", store, "--json", PYTHONIOENCODING="ascii").out


def test_bytes_that_are_no_text_are_refused(process: Perdure, store):
    outcome = process("show", store, os.fsdecode(b"\xff\xfe"))
    assert (outcome.exit_code, outcome.out) == (2, "") and "no character" in outcome.err


def complete(line: str, *words_before: object) -> list[str]:
    words = ["perdure", *(str(word) for word in words_before), line]
    env = {
        **os.environ,
        "_PERDURE_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-m", "perdure"], env=env, capture_output=True, encoding="utf-8", check=False
    )
    return done.stdout.split()


def test_the_shell_completes_commands_options_statuses_and_workflow_ids(store, tmp_path):
    assert complete("sh") == ["show"]
    assert complete("--ut", "list", store) == ["--utc"]
    assert complete("te", "list", store, "--status") == ["terminated"]
    assert set(complete("order-", "show", store)) == {"order-0", "order-1", "order-2", "order-dear"}
    assert complete("else", "show", "--namespace", "other", store) == ["elsewhere"]
    assert complete("x", "show", tmp_path / "none.db") == []


def test_completion_can_be_shown_for_the_shell_one_is_in():
    line = shlex.join([sys.executable, "-m", "perdure", "--show-completion"])
    done = subprocess.run(["bash", "-c", f"{line}; exit $?"], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0 and "_PERDURE_COMPLETE" in done.stdout


def test_help_does_not_load_what_only_commands_need():
    script = "import sys, perdure.cli.main; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, encoding="utf-8", check=True)
    loaded = set(done.stdout.split())
    assert "perdure.cli.list" in loaded
    assert not {"perdure.cli.stores", "perdure.cli.output", "perdure.cli.runs_view"} & loaded
    assert not any(name.startswith("perdure.demo") for name in loaded)


def test_the_demo_is_run_with_the_options_and_its_exit_code_is_kept(perdure: Perdure, monkeypatch, tmp_path):
    seen: dict[str, object] = {}

    def run(**options: object) -> int:
        seen.update(options)
        return 7

    monkeypatch.setattr("perdure.demo.main.run", run)
    assert perdure("demo", "--orders", "5", "--kills", "2", "--seed", "9", "--keep", tmp_path, "--plain").exit_code == 7
    assert seen == {"orders": 5, "kills": 2, "seed": 9, "keep": tmp_path, "plain": True, "server": False}
    assert perdure("demo").exit_code == 7
    assert seen["keep"] is None and seen["plain"] is False
