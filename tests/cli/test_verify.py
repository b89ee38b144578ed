"""``perdure verify``: what it says of a sound store, of one that was tampered with, and of one that is no store."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys

import pytest
from tests.cli.conftest import Perdure


def tamper(store, statement: str, *values: object) -> None:
    with sqlite3.connect(store) as connection:
        assert connection.execute(statement, values).rowcount > 0


def test_a_sound_store(perdure: Perdure, store):
    outcome = perdure("verify", store)
    assert outcome.exit_code == 0 and not outcome.err
    assert outcome.out.startswith("All is as it must be: 17 runs in ")
    assert (
        json.loads(perdure("verify", store, "--json").out).items()
        >= {
            "kind": "summary",
            "runs": 17,
            "findings": 0,
        }.items()
    )


OF_SHIP = "WHERE key = (SELECT key FROM runs WHERE workflow_id = 'ship-1')"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "UPDATE runs SET status = 2 WHERE workflow_id = 'ship-1'",
            ["run: status not as the history says", "stored   status COMPLETED", "history  status RUNNING"],
        ),
        (f"DELETE FROM timers {OF_SHIP}", ["timer", "is missing", "history  due 2"]),
        (
            f"UPDATE tasks SET task_queue = 'elsewhere' {OF_SHIP} AND type = 'pack'",
            ["task queue not as the history says", "stored   task queue elsewhere", "history  task queue packing"],
        ),
        (
            "INSERT INTO messages SELECT key, 99, x'c1' FROM runs WHERE workflow_id = 'ship-1'",
            ["message 99", "the history waits for no answer to it", "can't be read"],
        ),
        (
            "UPDATE history SET records = x'c1' WHERE id >> 23 = (SELECT key FROM runs WHERE workflow_id = 'ship-1')",
            ["history: commit 1 of", "can't be read"],
        ),
        ("DELETE FROM blobs", ["blob", "is named by the history and is missing", "file: 1 large payloads"]),
        ("DELETE FROM runs WHERE workflow_id = 'ship-1'", ["run number", "belongs to a run that does not exist"]),
    ],
)
def test_what_was_tampered_with_is_named(perdure: Perdure, store, statement, said):
    run_id = json.loads(perdure("show", store, "ship-1", "--json").out)["run_id"]
    tamper(store, statement)
    outcome = perdure("verify", store)
    assert outcome.exit_code == 1 and not outcome.err
    for words in said:
        assert words in outcome.out
    if "blob" not in statement and "DELETE FROM runs" not in statement:
        assert f"ship-1  run {run_id}" in outcome.out
    assert " in 1" in outcome.lines[-1] and "finding" in outcome.lines[-1]

    *found, summary = [json.loads(line) for line in perdure("verify", store, "--json").lines]
    assert {finding["kind"] for finding in found} == {"finding"} and found
    assert summary["kind"] == "summary" and summary["findings"] == len(found)


def test_a_damaged_file_is_a_finding(perdure: Perdure, store):
    with sqlite3.connect(store) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'history'").fetchone()
    with store.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xab" * 4096)
    outcome = perdure("verify", store)
    assert outcome.exit_code == 1
    assert outcome.out.startswith("file: ")


def test_a_file_that_is_no_store_is_an_error(perdure: Perdure, tmp_path):
    (tmp_path / "notes.txt").write_text("not a database " * 100)
    outcome = perdure("verify", tmp_path / "notes.txt")
    assert (outcome.exit_code, outcome.out) == (2, "") and outcome.err.startswith("Error: ")


def test_a_terminal_gets_a_bar_that_vanishes(store):
    pty = pytest.importorskip("pty")
    reader, writer = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "perdure", "verify", str(store)],
        stdout=subprocess.PIPE,
        stderr=writer,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
        timeout=240,
        check=False,
    )
    os.close(writer)
    shown = os.read(reader, 100_000).decode()
    os.close(reader)
    assert done.returncode == 0 and done.stdout.startswith(b"All is as it must be")
    assert "Verifying" in shown and "17 of 17" in shown and shown.rstrip("\r\n").endswith("\x1b[2K")


def test_it_writes_nothing(perdure: Perdure, store, tmp_path):
    shutil.copy(store, tmp_path / "before.db")
    assert perdure("verify", store).exit_code == 0
    assert store.read_bytes() == (tmp_path / "before.db").read_bytes()
