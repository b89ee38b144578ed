"""A state says the same alone, tried by TestState, as it does in a run; and a field does, whatever it is read from."""

import json

import pytest
from tests.languages.asl.playing import Failed, play

from perdure.languages.asl.trials import About, Trial

PATHS: dict[str, dict] = {
    "MaxConcurrency": {"Type": "Map", "ItemsPath": "$.i", "MaxConcurrencyPath": "$.v"},
    "ToleratedFailureCount": {"Type": "Map", "ItemsPath": "$.i", "ToleratedFailureCountPath": "$.v"},
    "ToleratedFailurePercentage": {"Type": "Map", "ItemsPath": "$.i", "ToleratedFailurePercentagePath": "$.v"},
    "Items": {"Type": "Map", "ItemsPath": "$.v"},
    "Seconds": {"Type": "Wait", "SecondsPath": "$.v"},
    "Timestamp": {"Type": "Wait", "TimestampPath": "$.v"},
    "TimeoutSeconds": {"Type": "Task", "Resource": "work", "TimeoutSecondsPath": "$.v"},
    "HeartbeatSeconds": {"Type": "Task", "Resource": "work", "HeartbeatSecondsPath": "$.v", "TimeoutSeconds": 9},
    "Error": {"Type": "Fail", "ErrorPath": "$.v"},
    "Cause": {"Type": "Fail", "CausePath": "$.v"},
    "InputPath": {"Type": "Pass", "InputPath": "$.v"},
    "OutputPath": {"Type": "Succeed", "OutputPath": "$.v"},
    "Parameters": {"Type": "Pass", "Parameters": {"p.$": "States.ArrayLength($.v)"}},
}
EXPRESSION = "{% $states.input.v %}"
EXPRESSIONS: dict[str, dict] = {
    "MaxConcurrency": {"Type": "Map", "Items": [1], "MaxConcurrency": EXPRESSION},
    "ToleratedFailureCount": {"Type": "Map", "Items": [1], "ToleratedFailureCount": EXPRESSION},
    "ToleratedFailurePercentage": {"Type": "Map", "Items": [1], "ToleratedFailurePercentage": EXPRESSION},
    "Items": {"Type": "Map", "Items": EXPRESSION},
    "Seconds": {"Type": "Wait", "Seconds": EXPRESSION},
    "Timestamp": {"Type": "Wait", "Timestamp": EXPRESSION},
    "TimeoutSeconds": {"Type": "Task", "Resource": "work", "TimeoutSeconds": EXPRESSION},
    "HeartbeatSeconds": {"Type": "Task", "Resource": "work", "HeartbeatSeconds": EXPRESSION, "TimeoutSeconds": 9},
    "Error": {"Type": "Fail", "Error": EXPRESSION},
    "Output": {"Type": "Pass", "Output": {"o": EXPRESSION}},
    "Assign": {"Type": "Pass", "Assign": {"a": EXPRESSION}},
}
VALUES = [None, -1, 0, 1, 2.5, 101, "x", "1", "2016-08-18T17:33:00Z", True, [], [1], {}, {"a": 1}]
ABSENT = object()


def whole(state: dict, *, jsonata: bool) -> dict:
    found = dict(state)
    if jsonata:
        found["QueryLanguage"] = "JSONata"
    if state["Type"] == "Map":
        found["ItemProcessor"] = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
    if state["Type"] in ("Pass", "Map", "Wait", "Task"):
        found["End"] = True
    return found


def alone(state: dict, given: object) -> tuple:
    request: dict = {"definition": json.dumps(state), "input": json.dumps(given), "roleArn": "arn:aws:iam::1:role/r"}
    if state["Type"] in ("Map", "Task"):
        request["mock"] = {"result": json.dumps([1] if state["Type"] == "Map" else {"done": True})}
    answer = Trial(request, About("111111111111", now_ms=1_700_000_000_000, seed="s")).answer
    assert answer is not None
    return answer["status"], answer.get("error"), answer.get("cause")


def in_a_run(state: dict, given: object) -> tuple:
    played = play({"StartAt": "S", "States": {"S": state}}, given, lambda *_: {"done": True})
    found = played.outcome
    cause = found.cause
    if cause and cause.startswith("An error occurred while executing the state 'S' (entered at the event id #2). "):
        cause = cause.partition("#2). ")[2]
    return found.status, found.error or None, cause or None


@pytest.mark.parametrize("jsonata", [False, True], ids=["JSONPath", "JSONata"])
def test_a_state_alone_ends_as_it_does_in_a_run(jsonata):
    for field, state in (EXPRESSIONS if jsonata else PATHS).items():
        for value in [ABSENT, *VALUES]:
            given = {"i": [1]} if value is ABSENT else {"i": [1], "v": value}
            own = whole(state, jsonata=jsonata)
            assert alone(own, given) == in_a_run(own, given), (field, value)


@pytest.mark.parametrize(
    ("field", "value", "cause"),
    [
        ("MaxConcurrency", -1, "MaxConcurrency cannot be negative."),
        ("ToleratedFailureCount", -1, "ToleratedFailureCount cannot be negative."),
        ("ToleratedFailurePercentage", 100.1, "ToleratedFailurePercentage must be between 0 and 100."),
        ("Seconds", -1, "Seconds cannot be negative."),
        ("TimeoutSeconds", 0, "TimeoutSeconds must be a positive integer but was: 0"),
        ("HeartbeatSeconds", -3, "HeartbeatSeconds must be a positive integer but was: -3"),
    ],
)
def test_an_expression_out_of_its_fields_range_has_failed(field, value, cause):
    played = play({"StartAt": "S", "States": {"S": whole(EXPRESSIONS[field], jsonata=True)}}, {"v": value})
    assert played.outcome.error == "States.QueryEvaluationError"
    assert str(played.outcome.cause).endswith(f"#2). {cause}")
    evaluated = next(one for one in played.events if one["type"] == "EvaluationFailed")
    assert evaluated["evaluationFailedEventDetails"]["location"] == field


@pytest.mark.parametrize(
    ("field", "value", "cause"),
    [
        ("Seconds", None, "The SecondsPath parameter references a negative or non-integer value: $.v == null"),
        ("Seconds", True, "The SecondsPath parameter references a negative or non-integer value: $.v == true"),
        ("TimeoutSeconds", None, "The TimeoutSecondsPath parameter must be a positive integer but was: null"),
        ("TimeoutSeconds", 1.5, "The TimeoutSecondsPath parameter must be a positive integer but was: 1.5"),
        (
            "MaxConcurrency",
            True,
            'The MaxConcurrencyPath field refers to value "true" which is not a valid integer: $.v',
        ),
        ("ToleratedFailureCount", -1, "ToleratedFailureCount cannot be negative."),
    ],
)
def test_a_path_to_what_its_field_does_not_take_has_failed(field, value, cause):
    played = play({"StartAt": "S", "States": {"S": whole(PATHS[field], jsonata=False)}}, {"v": value, "i": [1]})
    assert (played.outcome.error, str(played.outcome.cause).partition("#2). ")[2]) == ("States.Runtime", cause)


def test_the_place_of_an_expression_is_told_alike():
    catcher = {"ErrorEquals": ["States.ALL"], "Output": {"o": "{% $states.nope %}"}, "Next": "E"}
    rule = {"Condition": "{% true %}", "Assign": {"a": "{% $nope %}"}, "Next": "E"}
    for state, place in (
        ({"Type": "Task", "Resource": "work", "Catch": [catcher], "End": True}, "Catch[0]/Output/o"),
        ({"Type": "Choice", "Choices": [rule]}, "Choices[0]/Assign/a"),
    ):
        states = {"S": {**state, "QueryLanguage": "JSONata"}, "E": {"Type": "Succeed"}}

        def fails(*_: object) -> object:
            raise Failed("Boom", "why")

        played = play({"StartAt": "S", "States": states}, {}, fails)
        evaluated = next(one for one in played.events if one["type"] == "EvaluationFailed")
        assert evaluated["evaluationFailedEventDetails"]["location"] == place
