"""``perdure show``."""

import json
import re
import sqlite3

import pytest
from tests.cli.conftest import Outcome, Perdure
from tests.cli.orders import LARGE


def section(outcome: Outcome, title: str) -> list[str]:
    lines = outcome.lines[outcome.lines.index(title) + 1 :]
    return lines[: lines.index("")] if "" in lines else lines


def test_a_waiting_run_says_what_it_waits_for(perdure: Perdure, store):
    outcome = perdure("show", store, "ship-1", "--utc")
    assert outcome.exit_code == 0 and not outcome.err
    assert outcome.lines[0] == "ship-1  running"
    assert "  progress    3/12 25% packing" in outcome.lines
    deliver, pack, timer, child = section(outcome, "Waits for")
    time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00"
    assert re.fullmatch(
        rf"  activity deliver \(#\d+\) +attempt 2 of 5 waits out its back-off; since {time}, [\w. ]+ ago; "
        rf"ends in (1h 00m|\d\dm \d\ds), at {time}; "
        r"last error: ConnectionError: the carrier is down\\ntry later",
        deliver,
    )
    assert re.fullmatch(
        rf"  activity pack \(#\d+\) +attempt 1 of 1 runs on \d+@\S+; since {time}, [\w. ]+ ago; "
        rf'times out in (1h 00m|\d\dm \d\ds), at {time}; last heartbeat {time}, [\w. ]+ ago; it said \{{"boxes":3\}}',
        pack,
    )
    assert re.fullmatch(
        rf"  timer \S+ \(#\d+\) +it is set; since {time}, [\w. ]+ ago; ends in (23h \d\dm|1d 00h), at {time}", timer
    )
    assert re.fullmatch(
        rf"  child approve-s1 \(#\d+\) +approve runs as [0-9a-f-]{{36}}; since {time}, [\w. ]+ ago", child
    )
    assert section(outcome, "Input") == ['  1  "s1"']


def test_a_failing_turn_shows_its_error_and_its_next_attempt(perdure: Perdure, store):
    (turn,) = section(perdure("show", store, "broken"), "Waits for")
    assert "attempt 2" in turn and "TypeError: a bug in the program" in turn


def test_a_run_that_only_a_message_can_wake_says_so(perdure: Perdure, store):
    (message,) = section(perdure("show", store, "approve-s1"), "Waits for")
    assert message.startswith("  a signal or an update  nothing else is pending, so only a message can wake it; since ")
    paused, message = section(perdure("show", store, "paused"), "Waits for")
    assert re.search(r"paused by \d+@\S+: lunch; nothing new starts until it is resumed", paused)
    assert "a signal or an update" in message


def test_results_failures_and_reasons(perdure: Perdure, store):
    assert section(perdure("show", store, "order-0"), "Result") == ['  1  "pay-o0"']
    failed = perdure("show", store, "order-dear")
    assert failed.lines[0] == "order-dear  failed"
    assert section(failed, "Failure") == [
        "  ActivityError: activity 'charge' failed: no funds",
        "    activity  charge",
        "    retry     not retried: maximum attempts reached",
        "  caused by CardDeclined: no funds",
    ]
    assert any(line.endswith(", in charge") for line in perdure("show", store, "order-dear", "--full").lines)
    assert section(perdure("show", store, "refused"), "Failure") == [
        "  Refused: closed on Sundays",
        '    details  {"code":7}',
    ]
    assert re.search(r"outcome +not wanted, by \d+@", perdure("show", store, "stopped").out)
    assert section(perdure("show", store, "paused"), "Memo") == ['  note  "by hand"']


def test_values_are_cut_unless_wanted_whole_and_what_is_no_json_is_named(perdure: Perdure, store):
    (short,) = section(perdure("show", store, "large"), "Result")
    assert short.startswith('  1  "xxx') and short.endswith("… (100,002 characters)") and len(short) < 400
    (whole,) = section(perdure("show", store, "large", "--full"), "Result")
    assert whole == f'  1  "{LARGE}"'
    assert section(perdure("show", store, "binary"), "Result") == ["  1  <binary/plain, 2 bytes>"]


def test_a_run_of_a_chain_is_chosen_by_part_of_its_id(perdure: Perdure, store):
    runs = [json.loads(line) for line in perdure("list", store, "--type", "countdown", "--json").lines]
    last, middle, first = (run["run_id"] for run in runs)
    assert f"  run         {last}" in perdure("show", store, "countdown").lines
    for name in (first, first[-8:], first[:13]):
        shown = perdure("show", store, "countdown", "--run-id", name)
        assert f"  run         {first}" in shown.lines
        assert f"  outcome     goes on as run {middle}" in shown.lines
    assert f"  continues   run {middle}, the first was {first}" in perdure("show", store, "countdown").lines

    unknown = perdure("show", store, "countdown", "--run-id", "nonsense")
    assert unknown.exit_code == 2
    assert unknown.err == f"Error: Workflow 'countdown' has no run 'nonsense'. Its runs: {last}, {middle}, {first}.\n"


def test_an_ambiguous_run_id_names_the_candidates(perdure: Perdure, store):
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE runs SET run_id = 'same-' || key WHERE workflow_id = 'countdown'")
    outcome = perdure("show", store, "countdown", "--run-id", "same")
    assert outcome.exit_code == 2 and "Several runs of 'countdown' match 'same'" in outcome.err


@pytest.mark.parametrize(
    ("workflow_id", "hint"),
    [
        ("order-O", "Did you mean order-2, order-1 or order-0?"),
        ("dear", "Did you mean order-dear?"),
        ("elsewhere", "There is one in another namespace: add --namespace other."),
        ("zzzzzz", "See what there is with perdure list."),
    ],
)
def test_an_unknown_workflow_is_told_with_what_comes_close(perdure: Perdure, store, workflow_id, hint):
    outcome = perdure("show", store, workflow_id)
    assert (outcome.exit_code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"Error: There is no workflow '{workflow_id}' in namespace 'default'. ")
    assert hint in outcome.err


def test_a_run_id_in_place_of_a_workflow_id_is_recognized(perdure: Perdure, store):
    run_id = json.loads(perdure("show", store, "order-0", "--json").out)["run_id"]
    assert f"use order-0 --run-id {run_id}" in perdure("show", store, run_id).err


def test_json_has_everything(perdure: Perdure, store):
    run = json.loads(perdure("show", store, "ship-1", "--json").out)
    deliver, pack = run["activities"]
    assert (deliver["attempt"], deliver["max_attempts"], deliver["activity_type"]) == (2, 5, "deliver")
    assert deliver["last_failure"]["message"] == "the carrier is down\ntry later"
    assert deliver["next_attempt_time"] > deliver["scheduled_time"]
    assert pack["heartbeat_details"] == [{"encoding": "json/plain", "value": {"boxes": 3}}]
    assert pack["next_attempt_time"] is None
    assert run["timers"][0]["due"].endswith("Z")
    assert run["children"][0]["workflow_id"] == "approve-s1"
    assert run["input"] == [{"encoding": "json/plain", "value": "s1"}]
    assert run["result"] is None and run["failure"] is None

    failed = json.loads(perdure("show", store, "order-dear", "--json").out)
    assert failed["failure"]["kind"] == "activity" and failed["failure"]["cause"]["type"] == "CardDeclined"
    binary = json.loads(perdure("show", store, "binary", "--json").out)
    assert binary["result"] == [{"encoding": "binary/plain", "base64": "AP8="}]
    large = json.loads(perdure("show", store, "large", "--json").out)
    assert large["result"][0]["value"] == LARGE


def test_a_history_that_tells_no_state_is_an_error_and_no_traceback(perdure: Perdure, store):
    with sqlite3.connect(store) as connection:
        (key,) = connection.execute("SELECT key FROM runs WHERE workflow_id = 'ship-1'").fetchone()
        (first,) = connection.execute("SELECT min(id) FROM history WHERE id >> 23 = ?", (key,)).fetchone()
        connection.execute("DELETE FROM history WHERE id = ?", (first,))
    outcome = perdure("show", store, "ship-1")
    assert outcome.exit_code == 2 and "tells no state" in outcome.err and "perdure verify" in outcome.err
