"""All commands on a file that an engine in another process is writing to, and on what a kill leaves of it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Perdure

ROOT = Path(__file__).parents[2]


@pytest.fixture
def busy_store(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "busy.db"
    command = [sys.executable, "-m", "tests.cli.busy", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as engine:
        try:
            assert engine.stdout is not None and engine.stdout.readline() == b"busy\n"
            yield path
        finally:
            engine.kill()


def test_a_store_in_use_can_be_looked_into(perdure: Perdure, busy_store, tmp_path):
    before = json.loads(perdure("list", busy_store, "--limit", "1", "--json").out)
    counts = []
    for round in range(3):
        outcome = perdure("verify", busy_store, "--json")
        assert outcome.exit_code == 0, outcome.out
        counts.append(json.loads(outcome.lines[-1])["runs"])
        assert perdure("backup", busy_store, tmp_path / f"copy-{round}.db").exit_code == 0
        assert perdure("verify", tmp_path / f"copy-{round}.db").exit_code == 0
    assert counts[0] < counts[-1]
    after = json.loads(perdure("list", busy_store, "--limit", "1", "--json").out)
    assert after["start_time"] > before["start_time"]
    assert perdure("show", busy_store, "busy-0").lines[0] == "busy-0  completed"
    assert "result=" in perdure("history", busy_store, "large-0").lines[-1]
    assert "deliver" in perdure("show", busy_store, "ship-b0").out


def test_a_store_whose_engine_was_killed_is_sound(perdure: Perdure, busy_store, process):
    subprocess.run(["true"], check=True)
    outcome = process("verify", busy_store)
    assert outcome.exit_code == 0, outcome.out
