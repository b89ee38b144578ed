"""``perdure stats`` and ``perdure versions``: a store in figures."""

import json
import re
import sqlite3
from datetime import UTC, datetime

import pytest
from tests.cli.conftest import Perdure
from tests.cli.test_replay import ORDERS

from perdure.cli.app_loading import load_app


@pytest.fixture
def build(code_loaded: None) -> str:
    """As the program had it that wrote the store: run as a script, not imported from a package."""
    return load_app(f"{ORDERS}:app").build_id


def stats(perdure: Perdure, store, *options: str):
    outcome = perdure("stats", store, "--json", *options)
    assert outcome.exit_code == 0, outcome.err
    return json.loads(outcome.out)


def test_every_run_is_counted_by_status_type_and_build(perdure: Perdure, store, build):
    told = stats(perdure, store)
    listed = [
        json.loads(line)
        for name in ("default", "other")
        for line in perdure("list", store, "-n", name, "--limit", 0, "--json").lines
    ]
    assert sum(run["count"] for run in told["runs"]) == len(listed)
    for run in told["runs"]:
        same = [
            each for each in listed if all(each[name] == run[name] for name in ("namespace", "status", "workflow_type"))
        ]
        assert run["count"] == len(same)
        assert run["oldest_start"] == min(each["start_time"] for each in same)
        assert run["build_id"] == ("" if run["workflow_type"] == "broken" else build)


def test_tasks_name_the_run_that_waits_longest(perdure: Perdure, store):
    tasks = {task["type"]: task for task in stats(perdure, store)["tasks"]}
    assert (tasks["broken"]["is_turn"], tasks["broken"]["waiting"]) == (True, 1)
    assert (tasks["deliver"]["waiting"], tasks["deliver"]["started"]) == (1, 0)
    assert (tasks["pack"]["waiting"], tasks["pack"]["started"], tasks["pack"]["oldest"]) == (0, 1, None)
    assert tasks["pack"]["task_queue"] == "packing"
    assert tasks["deliver"]["oldest"]["workflow_id"] == "ship-1" and tasks["deliver"]["oldest"]["since"].endswith("Z")


def test_timers_bytes_and_days(perdure: Perdure, store):
    told = stats(perdure, store, "--days", "2")
    assert told["timers"] == 2 and told["next_timer"] and told["messages"] == 0
    assert told["blobs"] == 1 and told["blob_bytes"] > 100_000
    assert told["file_bytes"] > 0 and told["log_bytes"] > 0
    today = datetime.now(UTC).date().isoformat()
    assert [day["day"] for day in told["days"]][-1] == today
    total = sum(run["count"] for run in told["runs"])
    assert sum(day["started"] for day in told["days"]) == total
    still_open = sum(run["count"] for run in told["runs"] if run["status"] in ("running", "paused"))
    assert sum(day["closed"] for day in told["days"]) == total - still_open
    assert stats(perdure, store, "--days", "0")["days"] == []


def test_text_and_terminal(perdure: Perdure, store):
    text = perdure("stats", store, "--utc").out
    assert re.search(r"^  runs +17$", text, re.MULTILINE)
    assert re.search(r"^default +activity +deliver +1 +0 +ship-1, since ", text, re.MULTILINE)
    assert "Looked at 17 runs in " in text
    assert perdure("stats", store, width=60).exit_code == 0
    assert perdure("stats", store, "--days", "-1").exit_code == 2


def test_a_run_that_cannot_be_read_does_not_stop_the_count(perdure: Perdure, store):
    with sqlite3.connect(store) as connection:
        (key,) = connection.execute("SELECT key FROM runs WHERE workflow_id = 'ship-1'").fetchone()
        connection.execute("DELETE FROM history WHERE id >> 23 = ?", (key,))
    tasks = {task["type"]: task for task in stats(perdure, store)["tasks"]}
    assert tasks["deliver"]["waiting"] == 1 and tasks["deliver"]["oldest"] is None


def test_versions_are_those_of_open_runs(perdure: Perdure, store, build):
    outcome = perdure("versions", store, "--json")
    found = {line["workflow_type"]: line for line in map(json.loads, outcome.lines)}
    assert found.keys() == {"ship", "approve", "broken"}
    assert (found["approve"]["open"], found["approve"]["paused"]) == (2, 1)
    assert found["ship"]["build_id"] == build and found["broken"]["build_id"] == ""
    assert found["ship"]["is_here"] is None


def test_versions_say_which_build_the_code_here_is(perdure: Perdure, store, build, tmp_path):
    here = perdure("versions", store, "--app", f"{ORDERS}:app")
    assert re.search(rf"^{build} +ship +1 .* yes$", here.out, re.MULTILINE)
    assert re.search(r"^none yet +broken .* no$", here.out, re.MULTILINE)
    other = tmp_path / "other_build.py"
    other.write_text("import perdure\n\napp = perdure.App('x', build_id='v2')\n")
    elsewhere = perdure("versions", store, "--app", other)
    assert "yes" not in elsewhere.out and "No open run is on build v2" in elsewhere.err


def test_versions_of_a_namespace_without_open_runs(perdure: Perdure, store):
    outcome = perdure("versions", store, "--namespace", "other")
    assert (outcome.exit_code, outcome.out) == (0, "")
    assert outcome.err == "No runs are open in namespace 'other'. Namespaces here: default, other.\n"
