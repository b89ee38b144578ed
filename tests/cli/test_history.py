"""``perdure history``."""

import json
import re
from typing import get_args

from tests.cli.conftest import Perdure
from tests.cli.orders import LARGE

from perdure.cli.events_view import ATTRIBUTES, event_json
from perdure.cli.times import TimeStyle
from perdure.cli.values import attribute_text
from perdure.model.events import ActivityTaskScheduled, Event
from perdure.model.options import RetryPolicy
from perdure.model.payloads import Payload


def test_events_are_listed_with_the_attributes_that_matter(perdure: Perdure, store):
    outcome = perdure("history", store, "order-0", "--utc")
    assert outcome.exit_code == 0 and not outcome.err
    header, *lines = outcome.lines
    assert header.split() == ["ID", "TIME", "TYPE", "ATTRIBUTES"]
    assert [line.split()[0] for line in lines] == [str(number) for number in range(1, 12)]
    assert re.fullmatch(
        r"    1  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\+00:00  WorkflowExecutionStarted +"
        r'workflow_type=fulfil  input=\{"id":"o0","cents":100\}  attempt=1  identity=\d+@\S+',
        lines[0],
    )
    assert lines[-1].endswith('WorkflowExecutionCompleted            result="pay-o0"')
    failed = perdure("history", store, "order-dear").lines
    assert any("ActivityTaskFailed" in line and "CardDeclined: no funds" in line for line in failed)


def test_after_and_limit_cut_out_a_stretch(perdure: Perdure, store):
    outcome = perdure("history", store, "order-0", "--after", "4", "--limit", "2")
    assert [line.split()[0] for line in outcome.lines[1:]] == ["5", "6"]
    assert outcome.err == "There are 5 more; go on with --after 6.\n"
    behind = perdure("history", store, "order-0", "--after", "100")
    assert (behind.exit_code, behind.out) == (0, "")
    assert behind.err == "There are 11 events, and none with a number above 100.\n"


def test_full_shows_every_attribute_on_a_line_of_its_own(perdure: Perdure, store):
    lines = perdure("history", store, "order-0", "--full").lines
    assert "         start_to_close_timeout: 10.00s" in lines
    assert "         retry_policy: 2 attempts, 10ms x2 up to 1m 40s" in lines
    assert f'         result: "{LARGE}"' in perdure("history", store, "large", "--full").lines


def test_json_is_one_event_a_line_with_all_attributes(perdure: Perdure, store):
    events = [json.loads(line) for line in perdure("history", store, "order-0", "--json").lines]
    assert [event["event_id"] for event in events] == list(range(1, 12))
    scheduled = next(event for event in events if event["type"] == "ActivityTaskScheduled")
    assert scheduled["attributes"]["start_to_close_timeout_ns"] == 10_000_000_000
    assert scheduled["attributes"]["input"] == [{"encoding": "json/plain", "value": {"id": "o0", "cents": 100}}]
    assert scheduled["attributes"]["retry_policy"]["max_attempts"] == 2
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", scheduled["time"])
    started = json.loads(perdure("history", store, "large", "--json", "--limit", "1").out)
    assert started["attributes"]["input"][0]["value"] == LARGE


def test_a_terminal_says_the_day_once_and_a_narrow_one_puts_attributes_below(perdure: Perdure, store):
    wide = re.sub(r"\x1b\[[\d;]*m", "", perdure("history", store, "order-0", width=140).out).splitlines()
    assert re.match(r"\d{4}-\d\d-\d\d \(UTC[+-]\d\d:\d\d\)", wide[0])
    assert re.match(r" 1  \d\d:\d\d:\d\d\.\d{3}  WorkflowExecutionStarted +workflow_type=fulfil", wide[1])
    narrow = re.sub(r"\x1b\[[\d;]*m", "", perdure("history", store, "order-0", width=60).out).splitlines()
    assert max(map(len, narrow)) <= 60
    assert "workflow_type=fulfil" not in narrow[1] and "workflow_type=fulfil" in narrow[2]
    assert "result=" in narrow[-1]


def test_no_event_is_lost_between_pages(perdure: Perdure, store, monkeypatch):
    monkeypatch.setattr("perdure.cli.events_view._PAGE", 3)
    lines = re.sub(r"\x1b\[[\d;]*m", "", perdure("history", store, "order-0", width=140).out).splitlines()[1:]
    assert [int(line.split()[0]) for line in lines] == list(range(1, 12))


def test_an_earlier_run_is_chosen_by_its_id(perdure: Perdure, store):
    runs = [json.loads(line)["run_id"] for line in perdure("list", store, "--type", "countdown", "--json").lines]
    assert "WorkflowExecutionContinuedAsNew" in perdure("history", store, "countdown", "-r", runs[-1]).out
    assert "WorkflowExecutionContinuedAsNew" not in perdure("history", store, "countdown").out


def test_every_type_of_event_has_its_attributes_and_they_exist():
    assert set(ATTRIBUTES) == set(get_args(Event))
    for event_type, names in ATTRIBUTES.items():
        assert set(names) <= set(event_type.__struct_fields__), event_type


def test_an_event_is_whole_in_json_whatever_its_attributes():
    event = ActivityTaskScheduled(
        5,
        1,
        "1",
        "work",
        "default",
        (Payload(b'{"a": 1.10}'), Payload(b"\xff", "binary/x")),
        retry_policy=RetryPolicy(),
    )
    shown = event_json(event)
    assert shown["attributes"].keys() == set(ActivityTaskScheduled.__struct_fields__) - {"id", "time"}
    assert attribute_text("input", event.input, TimeStyle(), 50) == '({"a":1.10}, <binary/x, 1 byte>)'
