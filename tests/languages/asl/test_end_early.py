"""Executions that nobody wants to go on: they end at their next state."""

import json
from typing import Any

import pytest
from tests.languages.asl.playing import SECOND, Never, World

from perdure.languages.asl.execution import Execution, start_of
from perdure.languages.asl.program import END_SIGNAL
from perdure.model.payloads import Payload
from perdure.model.requests import CompleteActivity, SignalWorkflow

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:"


def wait(seconds, **more) -> dict[str, Any]:
    return {"Type": "Wait", "Seconds": seconds, **more}


def work(name="work", **more) -> dict[str, Any]:
    return {"Type": "Task", "Resource": FUNCTION + name, **more}


def machine(start, **states) -> dict[str, Any]:
    return {"StartAt": start, "States": states}


def told_at(second, definition, *, forgets, answer=None, input=None):
    """The execution, told in this second that it is to end."""
    world = World(answer, forgets=forgets)
    arn = "arn:aws:states:us-east-1:000000000000:execution:machine:test"
    execution = Execution(json.dumps(definition), arn=arn, machine_name="machine")
    playing = world.start(start_of(execution, json.dumps(input or {})))
    world.at(world.now + second * SECOND, lambda: playing.ask(SignalWorkflow(END_SIGNAL)))
    world.run()
    return playing


def types(playing):
    return [event["type"] for event in playing.events]


@pytest.fixture(params=[False, True], ids=["remembers", "forgets"])
def forgets(request):
    return request.param


def test_the_state_that_waits_is_left_and_no_other_is_entered(forgets):
    told = told_at(5, machine("A", A=wait(10, Next="B"), B=work(End=True)), forgets=forgets)
    assert told.outcome.status == "ABORTED"
    assert types(told) == ["ExecutionStarted", "WaitStateEntered", "WaitStateExited", "ExecutionAborted"]


def test_an_execution_in_its_last_state_has_no_next_one(forgets):
    told = told_at(5, machine("A", A=wait(10, End=True)), forgets=forgets)
    assert told.outcome.status == "SUCCEEDED"


def test_an_attempt_more_is_no_next_state_and_a_caught_error_leads_to_one(forgets):
    retried = work(Retry=[{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 1}], TimeoutSeconds=10, End=True)
    calls = []

    def answer(play, resource, given, call):
        calls.append(given)
        if len(calls) == 1:
            raise Never
        return "done"

    told = told_at(5, machine("A", A=retried), forgets=forgets, answer=answer)
    assert (told.outcome.status, len(calls)) == ("SUCCEEDED", 2)

    calls.clear()
    caught = work(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "B"}], TimeoutSeconds=10, End=True)
    told = told_at(5, machine("A", A=caught, B={"Type": "Pass", "End": True}), forgets=forgets, answer=answer)
    assert told.outcome.status == "ABORTED"


def test_the_first_line_that_goes_on_ends_all(forgets):
    branches = [machine("A", A=wait(10, Next="C"), C=work(End=True)), machine("B", B=work("slow", End=True))]
    definition = machine("P", P={"Type": "Parallel", "Branches": branches, "End": True})

    def answer(play, resource, given, call):
        raise Never

    told = told_at(5, definition, forgets=forgets, answer=answer)
    assert told.outcome.status == "ABORTED"
    assert types(told)[-2:] == ["WaitStateExited", "ExecutionAborted"]
    (pending,) = told.run.activities or [0]
    assert not told.ask(CompleteActivity(pending, 1, (Payload(b"1"),)))


def test_a_map_begins_no_more_iterations(forgets):
    processor = machine("W", W=wait(10, End=True))
    one_by_one = {"Type": "Map", "MaxConcurrency": 1, "ItemsPath": "$.items", "ItemProcessor": processor, "End": True}
    told = told_at(15, machine("M", M=one_by_one), forgets=forgets, input={"items": [1, 2, 3]})
    assert told.outcome.status == "ABORTED"
    assert types(told).count("WaitStateEntered") == 2


def test_a_map_run_begins_no_more_child_executions(forgets):
    config = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
    processor = machine("W", W=wait(10, End=True)) | config
    of_runs = {"Type": "Map", "MaxConcurrency": 2, "ItemsPath": "$.items", "ItemProcessor": processor, "End": True}
    told = told_at(5, machine("M", M=of_runs), forgets=forgets, input={"items": [1, 2, 3]})
    assert told.outcome.status == "ABORTED"
    assert len(told.world.plays) == 3, "two children"
