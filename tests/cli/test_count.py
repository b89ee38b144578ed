"""``perdure count``."""

import json

from tests.cli.conftest import Perdure


def test_runs_are_counted(perdure: Perdure, store):
    outcome = perdure("count", store)
    assert (outcome.exit_code, outcome.out, outcome.err) == (0, "16\n", "")
    assert perdure("count", store, "Cents = 100").out == "3\n"
    assert perdure("count", store, "--status", "failed").out == "2\n"
    assert perdure("count", store, "--type", "fulfil", "--status", "failed").out == "1\n"
    assert perdure("count", store, "--namespace", "other").out == "1\n"
    assert perdure("count", store, "--namespace", "none").out == "0\n"


def test_groups_are_a_table_the_largest_first(perdure: Perdure, store):
    lines = perdure("count", store, "WorkflowType = 'fulfil' GROUP BY ExecutionStatus, Cents").lines
    assert [line.split() for line in lines] == [
        ["ExecutionStatus", "Cents", "RUNS"],
        ["completed", "100", "3"],
        ["failed", "5000", "1"],
    ]
    assert [line.split() for line in perdure("count", store, "GROUP BY Cents").lines] == [
        ["Cents", "RUNS"],
        ["none", "12"],
        ["100", "3"],
        ["5000", "1"],
    ]
    times = perdure("count", store, "Placed IS NOT NULL GROUP BY Placed", "--utc").lines
    assert times[1].startswith("2026-01-31 12:00:00") and times[1].endswith("4")
    assert perdure("count", store, "Cents < 0 GROUP BY Cents").lines == ["Cents  RUNS"]


def test_json(perdure: Perdure, store):
    assert json.loads(perdure("count", store, "--json").out) == {"count": 16, "groups": None}
    counted = json.loads(perdure("count", store, "Cents > 0 GROUP BY ExecutionStatus, Placed", "--json").out)
    assert counted == {
        "count": 4,
        "groups": [
            {"values": {"ExecutionStatus": "completed", "Placed": "2026-01-31T12:00:00.000000000Z"}, "count": 3},
            {"values": {"ExecutionStatus": "failed", "Placed": "2026-01-31T12:00:00.000000000Z"}, "count": 1},
        ],
    }


def test_builds_of_open_runs(perdure: Perdure, store):
    counted = json.loads(perdure("count", store, "GROUP BY BuildId", "--status", "open", "--json").out)
    builds = {group["values"]["BuildId"]: group["count"] for group in counted["groups"]}
    # The one whose first turn fails has been taken by no build.
    assert counted["count"] == 4 and builds.pop(None) == 1
    assert list(builds.values()) == [3]
