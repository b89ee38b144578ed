"""``perdure explain``."""

import json
import re

import pytest
from tests.cli.conftest import Perdure


def test_each_wait_says_since_when_and_who_ends_it(perdure: Perdure, store):
    outcome = perdure("explain", store, "ship-1", "--utc")
    assert outcome.exit_code == 0 and not outcome.err
    assert re.fullmatch(r"ship-1  running  ship, run [0-9a-f-]{36}", outcome.lines[0])
    text = outcome.out
    deliver = text[text.index("activity deliver") : text.index("activity pack")]
    time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00"
    assert re.search(r"state +attempt 2 of 5 waits out its back-off\n", deliver)
    assert re.search(rf"since +{time}, ", deliver)
    assert re.search(rf"ends +in (1h 00m|\d\dm \d\ds), at {time}\n", deliver)
    assert re.search(r"ended by +the clock\n", deliver)
    assert re.search(r"last error +ConnectionError: the carrier is down\\ntry later\n", deliver)
    assert re.search(r"ended by +workflow approve-s1, when it closes", text)


@pytest.mark.parametrize(
    ("workflow_id", "expected"),
    [
        ("paused", r"paused by \d+@\S+: lunch"),
        ("broken", r"TypeError: a bug in the program"),
        ("approve-s1", r"ended by +whoever signals, updates or cancels it"),
        ("order-0", r"It is closed: it waits for nothing."),
    ],
)
def test_every_kind_of_run_has_an_answer(perdure: Perdure, store, workflow_id, expected):
    outcome = perdure("explain", store, workflow_id)
    assert outcome.exit_code == 0 and re.search(expected, outcome.out), outcome.out


def test_a_terminal_gets_colours_and_folded_lines(perdure: Perdure, store):
    outcome = perdure("explain", store, "ship-1", width=60)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", outcome.out)
    assert plain != outcome.out and max(map(len, plain.splitlines())) <= 60


def test_json_has_every_wait(perdure: Perdure, store):
    told = json.loads(perdure("explain", store, "ship-1", "--json").out)
    assert told["workflow_id"] == "ship-1" and told["status"] == "running"
    kinds = {wait["kind"]: wait for wait in told["waits"]}
    assert list(kinds) == ["activity", "timer", "child"]
    assert kinds["timer"]["until"].endswith("Z") and kinds["timer"]["expires"] is None
    assert kinds["activity"]["details"] == [{"encoding": "json/plain", "value": {"boxes": 3}}]
