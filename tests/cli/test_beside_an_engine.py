"""All commands on a file that an engine in another process is writing to, and on what a kill leaves of it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.cli.conftest import Perdure

ROOT = Path(__file__).parents[2]


class Busy(msgspec.Struct):
    """An engine that writes until it is killed, and its file."""

    store: Path
    engine: subprocess.Popen[bytes]


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Busy]:
    path = tmp_path / "busy.db"
    command = [sys.executable, "-m", "tests.cli.busy", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as engine:
        try:
            assert engine.stdout is not None and engine.stdout.readline() == b"busy\n"
            yield Busy(path, engine)
        finally:
            engine.kill()


def newest(perdure: Perdure, store: Path) -> dict[str, Any]:
    run: dict[str, Any] = json.loads(perdure("list", store, "--limit", "1", "--json").out)
    return run


def test_a_store_in_use_can_be_looked_into(perdure: Perdure, busy, tmp_path):
    store = busy.store
    first = newest(perdure, store)
    counts = []
    for round in range(3):
        outcome = perdure("verify", store, "--json")
        assert outcome.exit_code == 0, outcome.out
        counts.append(json.loads(outcome.lines[-1])["runs"])
        assert perdure("backup", store, tmp_path / f"copy-{round}.db").exit_code == 0
        assert perdure("verify", tmp_path / f"copy-{round}.db").exit_code == 0
    assert busy.engine.poll() is None and counts[0] < counts[-1]
    assert newest(perdure, store)["start_time"] > first["start_time"]
    assert perdure("show", store, "busy-0").lines[0] == "busy-0  completed"
    assert "result=" in perdure("history", store, "large-0").lines[-1]
    assert "deliver" in perdure("show", store, "ship-b0").out
    assert "deliver" in perdure("explain", store, "ship-b0").out
    assert perdure("stats", store).exit_code == 0
    assert "ship" in perdure("versions", store).out
    assert perdure("export", store, "large-0", tmp_path / "large.json").exit_code == 0
    app = f"{Path(__file__).with_name('orders.py')}:app"
    replayed = perdure("replay", app, "--from", store, "--sample", "50", "--from", tmp_path / "large.json")
    assert replayed.exit_code == 0 and "fits all of 51 runs" in replayed.out
    assert busy.engine.poll() is None


def test_a_store_whose_engine_was_killed_is_sound(process: Perdure, busy):
    busy.engine.kill()
    busy.engine.wait()
    outcome = process("verify", busy.store)
    assert outcome.exit_code == 0, outcome.out
    assert process("show", busy.store, "ship-b0").lines[0] == "ship-b0  running"
