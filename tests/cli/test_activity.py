"""Activities that no workflow asked for, from the command line."""

import json

from tests.cli.conftest import Perdure


def test_an_activity_of_its_own_is_started_and_shown(asked: Perdure) -> None:
    told = json.loads(asked("activity", "start", "double", "21", "--id", "twice", "--json").out)
    assert (told["activity_id"], told["workflow_id"], told["is_new"]) == ("twice", "perdure.activity:twice", True)
    again = asked("activity", "start", "double", "21", "--id", "twice", "--id-reuse", "reject", "--id-conflict", "fail")
    assert again.exit_code == 2 and "twice" in again.err


def test_activities_are_listed_and_ended(asked: Perdure) -> None:
    for name in ("one", "two"):
        ended = asked("activity", "start", "none", "--id", name, "--task-queue", "nowhere", "--schedule-to-close", "1h")
        assert ended.exit_code == 0 and ended.out.startswith(name)
    asked("start", "forever", "--id", "workflow")
    listed = [json.loads(line) for line in asked("activity", "list", "--status", "open", "--json").lines]
    assert [each["workflow_id"] for each in listed] == ["perdure.activity:two", "perdure.activity:one"]
    assert asked("activity", "cancel", "one").exit_code == 0
    assert asked("activity", "terminate", "two", "--reason", "enough").exit_code == 0
    told = json.loads(asked("activity", "describe", "two", "--json").out)
    assert told["status"] == "terminated"
    assert asked("activity", "describe", "three").exit_code == 2
    assert asked("activity", "start", "none", "--start-to-close", "soon").exit_code == 2
