"""``perdure list``."""

import json
import re

from tests.cli.conftest import Outcome, Perdure
from tests.cli.orders import HOSTILE_ID


def ids(outcome: Outcome) -> list[str]:
    return [line.split("  ")[0] for line in outcome.lines[1:]]


def test_runs_are_listed_newest_first(perdure: Perdure, store):
    outcome = perdure("list", store)
    assert outcome.exit_code == 0 and not outcome.err
    assert outcome.lines[0].split() == ["WORKFLOW", "ID", "TYPE", "STATUS", "STARTED", "DURATION", "RUN", "PROGRESS"]
    assert ids(outcome)[:2] == ["refused", "countdown"] and ids(outcome)[-1] == "order-0"
    ship = next(line for line in outcome.lines if line.startswith("ship-1"))
    assert re.fullmatch(
        r"ship-1 +ship +running +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d +(?:\d+m )?[\d.]+m?s +[0-9a-f]{8}  3/12 25% packing",
        ship,
    )


def test_a_status_a_type_and_a_namespace_choose(perdure: Perdure, store):
    assert set(ids(perdure("list", store, "--status", "open"))) == {"ship-1", "approve-s1", "paused", "broken"}
    assert ids(perdure("list", store, "-s", "paused", "-s", "terminated")) == ["paused", "stopped"]
    assert set(ids(perdure("list", store, "--status", "FAILED"))) == {"refused", "order-dear"}
    assert "ship-1" not in ids(perdure("list", store, "--status", "closed"))
    assert ids(perdure("list", store, "--type", "fulfil")) == ["order-dear", "order-2", "order-1", "order-0"]
    assert ids(perdure("list", store, "--type", "fulfil", "--status", "failed")) == ["order-dear"]
    assert ids(perdure("list", store, "--namespace", "other")) == ["elsewhere"]


def test_a_filter_chooses_and_sorts(perdure: Perdure, store):
    assert ids(perdure("list", store, "Cents > 50 ORDER BY Cents DESC, WorkflowId")) == [
        "order-dear",
        "order-0",
        "order-1",
        "order-2",
    ]
    assert ids(perdure("list", store, "Placed = '2026-01-31T13:00:00+01:00' AND NOT Cents = 100")) == ["order-dear"]
    assert ids(perdure("list", store, "ParentWorkflowId = 'ship-1'")) == ["approve-s1"]
    assert ids(perdure("list", store, "Cents > 50", "--status", "failed")) == ["order-dear"]
    assert ids(perdure("list", store, "Cents > 50", "--limit", "1", "--type", "fulfil")) == ["order-dear"]


def test_a_bad_filter_ends_with_its_place(perdure: Perdure, store):
    outcome = perdure("list", store, "Cents > 50; DROP TABLE runs")
    assert (outcome.exit_code, outcome.out) == (2, "")
    message, shown, mark = outcome.err.splitlines()
    assert message.startswith("Error: The filter can't be used: line 1, column 11: there is ';'; expected")
    assert shown[mark.index("^")] == ";"
    assert "did you mean Cents?" in perdure("count", store, "cents > 50").err
    assert "GROUP BY is for counting" in perdure("list", store, "GROUP BY Cents").err


def test_a_limit_says_that_there_is_more(perdure: Perdure, store):
    outcome = perdure("list", store, "--limit", "2")
    assert len(outcome.lines) == 3
    assert outcome.err == "There are more than 2; see all with --limit 0.\n"
    everything = perdure("list", store, "--limit", "0")
    assert len(everything.lines) == 17 and not everything.err


def test_nothing_found_is_no_error_and_says_where_one_could_look(perdure: Perdure, store):
    outcome = perdure("list", store, "--namespace", "none")
    assert (outcome.exit_code, outcome.out) == (0, "")
    assert outcome.err == "No runs in namespace 'none' match. Namespaces here: default, other.\n"


def test_json_is_one_object_a_line(perdure: Perdure, store):
    runs = [json.loads(line) for line in perdure("list", store, "--json").lines]
    assert len(runs) == 16
    ship = next(run for run in runs if run["workflow_id"] == "ship-1")
    assert ship["status"] == "running" and ship["close_time"] is None and ship["duration_ns"] is None
    assert ship["progress"] == {"done": 3, "total": 12, "label": "packing"}
    paid = next(run for run in runs if run["workflow_id"] == "order-0")
    assert paid["status"] == "completed" and paid["duration_ns"] > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", paid["start_time"])
    child = next(run for run in runs if run["workflow_id"] == "approve-s1")
    assert child["parent"]["workflow_id"] == "ship-1"
    assert HOSTILE_ID in [run["workflow_id"] for run in runs]


def test_names_cannot_act_on_the_terminal(perdure: Perdure, store):
    for outcome in (perdure("list", store), perdure("list", store, width=200)):
        assert r"evil\x1b[31m\n漢字" in outcome.out
        assert "evil\x1b" not in outcome.out


def test_a_terminal_gets_colour_and_a_pipe_does_not(perdure: Perdure, store):
    assert "\x1b[32mcompleted\x1b[0m" in perdure("list", store, width=120).out
    assert "\x1b[3" not in perdure("list", store, width=120, NO_COLOR="1").out
    assert "\x1b" not in perdure("list", store).out


def test_times_are_local_with_their_offset_or_utc(process: Perdure, store):
    local = process("list", store, "--limit", "1", TZ="Asia/Kolkata").lines[1]
    utc = process("list", store, "--limit", "1", "--utc", TZ="Asia/Kolkata").lines[1]
    assert "+05:30" in local and "+00:00" in utc


def test_a_terminal_says_the_offset_once_and_a_narrow_one_shows_everything_too(perdure: Perdure, store):
    wide = perdure("list", store, width=140)
    assert "STARTED (" in wide.lines[0] and not re.search(r":\d\d[+-]\d\d:\d\d", wide.lines[1])
    narrow = perdure("list", store, width=40)
    plain = re.sub(r"\x1b\[[\d;]*m", "", narrow.out)
    assert max(map(len, plain.splitlines())) <= 40
    for part in ("order-dear", "completed", "3/12", "25%", "packing", "continued_as_new"):
        assert part in plain


def test_pages_behind_the_first_are_listed_alike(perdure: Perdure, store, monkeypatch):
    whole = perdure("list", store, "--utc").lines
    monkeypatch.setattr("perdure.cli.sources.PAGE", 3)
    paged = perdure("list", store, "--utc").lines
    assert [line.split() for line in paged if "running" not in line and "paused" not in line] == [
        line.split() for line in whole if "running" not in line and "paused" not in line
    ]
