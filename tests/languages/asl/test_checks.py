"""What is refused when a machine is made, in AWS's words and at AWS's places, and what we tell besides."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.languages.asl.checks import check, check_state, refusal

PASS: dict = {"Type": "Pass", "End": True}
LAMBDA: dict = {
    "Type": "Task",
    "Resource": "arn:aws:states:::lambda:invoke",
    "Parameters": {"FunctionName": "f"},
    "End": True,
}
MAP: dict = {"Type": "Map", "ItemProcessor": {"StartAt": "P", "States": {"P": PASS}}, "End": True}


def machine(state, **members):
    return {"StartAt": "X", "States": {"X": state}, **members}


def told(definition, type="STANDARD"):
    text = definition if isinstance(definition, str) else json.dumps(definition)
    return [(one.code, one.message, one.location) for one in check(text, type=type)]


def schema(message, location):
    return ("SCHEMA_VALIDATION_FAILED", message, location)


def target(message, location):
    return ("MISSING_TRANSITION_TARGET", message, location)


RIGHT = [
    machine(PASS),
    machine({**PASS, "InputPath": None, "OutputPath": "$.a[*]", "ResultPath": None, "Parameters": {"a.$": "$$.State"}}),
    machine({"Type": "Succeed"}, Version="1.0", TimeoutSeconds=0, Comment="c"),
    machine({"Type": "Fail", "ErrorPath": "States.Format('{}', $.e)", "CausePath": "$.c"}),
    machine({**LAMBDA, "Retry": [{"ErrorEquals": ["A"]}, {"ErrorEquals": ["States.ALL"], "BackoffRate": 1.5}]}),
    machine({**LAMBDA, "TimeoutSecondsPath": "$.t", "Credentials": {"RoleArn.$": "$.r"}}),
    machine({"Type": "Task", "Resource": "charge", "End": True}),
    machine({"Type": "Task", "Resource": "arn:aws:states:us-east-1:111111111111:activity:A", "End": True}),
    machine({**LAMBDA, "Resource": "arn:aws:states:::aws-sdk:s3:getObject"}),
    machine({"Type": "Wait", "Timestamp": "2030-01-01T00:00:00+02:00", "End": True}),
    machine({"Type": "Wait", "SecondsPath": "$states_waiting", "End": True}),
    machine({**MAP, "MaxConcurrency": 2**63, "ItemsPath": "$$.Execution.Input.items", "Label": "a-b_c"}),
    machine({"Type": "Map", "Iterator": MAP["ItemProcessor"], "End": True}),
    machine({**PASS, "QueryLanguage": "JSONata", "Output": "{% $states.input %}", "Assign": {"a": "{% 1 %}"}}),
    machine({**MAP, "MaxConcurrency": "{% 1 + 1 %}", "Items": [1], "ItemSelector": {}}, QueryLanguage="JSONata"),
    machine(
        {
            "Type": "Choice",
            "Choices": [
                {
                    "And": [{"Variable": "$.a", "IsPresent": True}, {"Not": {"Variable": "$$.b", "IsNull": True}}],
                    "Next": "X",
                }
            ],
        }
    )
    | {"States": {"X": {"Type": "Choice", "Choices": [{"Variable": "$v", "IsNull": True, "Next": "Y"}]}, "Y": PASS}},
]


@pytest.mark.parametrize("definition", RIGHT)
def test_what_is_right(definition):
    assert told(definition) == []


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        (" ", [schema("Definition must be a valid JSON object", None)]),
        ("[]", [schema("Definition must be a valid JSON object", None)]),
        ({}, [schema("These fields are required: [StartAt, States]", "/")]),
        (machine(PASS, Extra=1), [schema("Field 'Extra' is not supported", "/")]),
        (machine(PASS, Version="2"), [schema("Value should be one of the following: [1.0]", "/Version")]),
        (machine(PASS, QueryLanguage=5), [schema("Expected value of type [STRING]", "/QueryLanguage")]),
        (
            machine({"Type": "Pas", "End": True}),
            [
                schema(
                    "The field 'Type' should have one of these values: [Task, Wait, Pass, Succeed, Fail, Choice, Parallel, "
                    "Map]",
                    "/States/X/Type",
                )
            ],
        ),
        (
            machine({"Type": "Parallel", "End": True, "Branches": [machine(PASS)]}),
            [("DUPLICATE_STATE_NAME", "Duplicate State name: X", "/States/X/Branches[0]/States/X")],
        ),
        (
            machine({**PASS, "ResultPath": "$variable"}),
            [schema("Value is not a Reference Path", "/States/X/ResultPath")],
        ),
        (machine({**PASS, "TimeoutSeconds": 5}), [schema("Field 'TimeoutSeconds' is not supported", "/States/X")]),
        (
            machine({**PASS, "Output": 1}),
            [
                schema(
                    "The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the 'JSONata' "
                    "QueryLanguage",
                    "/States/X",
                )
            ],
        ),
        (
            machine({**PASS, "QueryLanguage": "jsonata", "InputPath": "$.a"}),
            [
                schema(
                    "The QueryLanguage is set to 'JSONata', but field 'InputPath' is only supported for the 'JSONPath' "
                    "QueryLanguage",
                    "/States/X",
                ),
                schema("Value should be one of the following: [JSONPath, JSONata]", "/States/X/QueryLanguage"),
            ],
        ),
        (
            machine({**PASS, "QueryLanguage": "JSONPath", "Output": 1}, QueryLanguage="JSONata"),
            [schema("'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine", "/States/X")],
        ),
        (
            machine({**MAP, "ItemProcessor": {**MAP["ItemProcessor"], "QueryLanguage": "JSONata"}}),
            [schema("Field 'QueryLanguage' is not supported", "/States/X/ItemProcessor")],
        ),
        (
            machine({**PASS, "Next": "X"}),
            [schema("There should only be one of the following fields: [Next, End]", "/States/X")],
        ),
        (
            machine({**LAMBDA, "TimeoutSeconds": 0, "HeartbeatSeconds": "1"}),
            [
                schema("Minimum value is 1", "/States/X/TimeoutSeconds"),
                schema("Expected value of type Integer", "/States/X/HeartbeatSeconds"),
            ],
        ),
        (
            machine({**MAP, "ToleratedFailurePercentage": 101}),
            [schema("Maximum value is 100.0", "/States/X/ToleratedFailurePercentage")],
        ),
        (machine({**PASS, "ResultPath": "$..a"}), [schema("Value is not a Reference Path", "/States/X/ResultPath")]),
        (machine({**PASS, "InputPath": "a"}), [schema("Value must be a valid JSONPath.", "/States/X/InputPath")]),
        (
            machine({**PASS, "Parameters": {"p": {"a.$": "States.Nope()"}}}),
            [
                schema(
                    "The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call",
                    "/States/X/Parameters/p",
                )
            ],
        ),
        (
            machine({"Type": "Wait", "Timestamp": "2016-12-05 21:29:29Z", "End": True}),
            [schema("String does not match RFC3339 timestamp", "/States/X/Timestamp")],
        ),
        (
            machine({**LAMBDA, "Resource": "arn:aws:states:::dynamodb:query"}),
            [
                schema(
                    "The resource provided arn:aws:states:::dynamodb:query is not recognized. The value is not a valid "
                    "resource ARN, or the resource is not available in this region.",
                    "/States/X/Resource",
                )
            ],
        ),
        (
            machine({**LAMBDA, "Parameters": {}}),
            [schema("The field 'FunctionName' is required but was missing", "/States/X/Parameters")],
        ),
        (
            machine({**LAMBDA, "Credentials": {}}),
            [schema("The field 'RoleArn' is required but was missing", "/States/X/Credentials")],
        ),
        (
            machine({**LAMBDA, "Retry": [{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": []}, {}]}),
            [
                schema("States.ALL must appear alone and at end of list", "/States/X/Retry[0]/ErrorEquals"),
                schema("Value cannot be empty", "/States/X/Retry[1]/ErrorEquals"),
                schema("These fields are required: [ErrorEquals]", "/States/X/Retry[2]"),
            ],
        ),
        (
            machine({"Type": "Parallel", "Branches": [], "End": True}),
            [schema("Value cannot be empty", "/States/X/Branches")],
        ),
        (
            machine({"Type": "Map", "End": True}),
            [
                schema(
                    "This object should have only one of the following fields: [ItemProcessor, Iterator]", "/States/X"
                )
            ],
        ),
        (
            machine({**PASS, "Assign": {"states": 1, "a b": 2}}),
            [
                ("RESERVED_VARIABLE_NAME", "Cannot assign to reserved variable '$states'.", "/States/X/Assign/states"),
                (
                    "INVALID_VARIABLE_NAME",
                    "Invalid variable name 'a b': the variable name contains invalid characters.",
                    "/States/X/Assign/a b",
                ),
            ],
        ),
        (
            machine({**PASS, "Output": ["{% 1 + %}", "{% 1"]}, QueryLanguage="JSONata"),
            [
                ("INVALID_JSONATA_EXPRESSION", "Unexpected end of expression", "/States/X/Output[0]"),
                schema("JSONata string must start with {% and end with %}", "/States/X/Output[1]"),
            ],
        ),
        (
            machine(
                {**PASS, "Output": "{% $$ & $map([1], function($x) { phone }) & $states.errorOutput %}"},
                QueryLanguage="JSONata",
            ),
            [
                ("UNSUPPORTED_JSONATA_EXPRESSION", "Reference to '$$' is not supported.", "/States/X/Output"),
                (
                    "UNSUPPORTED_JSONATA_EXPRESSION",
                    "Reference to 'phone' at the top level is not supported.",
                    "/States/X/Output",
                ),
                ("UNSUPPORTED_JSONATA_EXPRESSION", "Field '$states.errorOutput' does not exist.", "/States/X/Output"),
            ],
        ),
        (
            {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}}},
            [("MISSING_END_STATE", "Workflow has no terminal state", None)],
        ),
        (
            machine({"Type": "Pass", "Next": "NOPE"}),
            [
                target("Missing 'Next' target: NOPE", "/States/X/Next"),
                ("MISSING_END_STATE", "Workflow has no terminal state", None),
            ],
        ),
        (
            {"StartAt": "Nope", "States": {"a/b": PASS}},
            [
                target("Missing 'Next' target: Nope", "/StartAt"),
                target('State "a/b" is not reachable.', "/States/a/b"),
            ],
        ),
        (
            machine({**LAMBDA, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Ghost"}]}),
            [target("Missing 'Next' target: Ghost", "/States/X/Catch[0]/Next")],
        ),
        (
            machine(
                {"Type": "Parallel", "Branches": [{"StartAt": "W", "States": {"W": PASS, "G": PASS}}], "End": True}
            ),
            [target('State "G" is not reachable.', "/States/X/Branches[0]/States/G")],
        ),
    ],
)
def test_what_is_refused(definition, expected):
    assert told(definition) == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"Variable": "$.a", "IsNull": True}, [("These fields are required: [Next]", "")]),
        ({"Variable": "$.a", "Next": "X"}, [("This object should have only one of the following fields: [String", "")]),
        (
            {"Variable": "$.a", "IsNull": True, "IsString": True, "Next": "X"},
            [("There should only be one of the following fields: [IsNull, IsString]", "")],
        ),
        (
            {"Variable": "$.a", "NumericEquals": "5", "Next": "X"},
            [("Expected value of type [NUMBER]", "/NumericEquals")],
        ),
        (
            {"Variable": "$.a", "TimestampEquals": "now", "Next": "X"},
            [("String does not match RFC3339 timestamp", "/TimestampEquals")],
        ),
        (
            {"Variable": "States.ArrayLength($.a)", "NumericEquals": 1, "Next": "X"},
            [("Value is not a Reference Path: Reference path didn't start with '$'", "/Variable")],
        ),
        (
            {"Variable": "$.a", "IsNull": True, "Next": "X", "Assign": "x"},
            [("Expected value of type [OBJECT]", "/Assign")],
        ),
        (
            {"Variable": "$.a", "IsNull": True, "Next": "X", "Output": 1},
            [("The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the 'JSONata'", "")],
        ),
        ({"And": [], "Next": "X"}, [("Value cannot be empty", "/And")]),
        ({"Not": [], "Next": "X"}, [("Expected value of type [OBJECT]", "/Not")]),
        (
            {"And": [{"Variable": "$.a", "IsNull": True, "Next": "X"}], "Next": "X"},
            [("Field 'Next' is not supported", "/And[0]")],
        ),
        (
            {"Next": "X"},
            [("The object must have only one of the following fields, [And, Or, Not, Variable, Condit", "")],
        ),
        (
            {"Condition": "{% true %}", "Next": "X"},
            [
                (
                    "The QueryLanguage is set to 'JSONPath', but field 'Condition' is only supported for the 'JSONata' Q",
                    "",
                )
            ],
        ),
    ],
)
def test_what_is_refused_of_a_choice_rule(rule, expected):
    definition = {"StartAt": "X", "States": {"X": {"Type": "Choice", "Choices": [rule], "Default": "Y"}, "Y": PASS}}
    found = told(definition)
    assert len(found) == len(expected)
    for (_, message, location), (start, end) in zip(found, expected, strict=True):
        assert message.startswith(start)
        assert location == "/States/X/Choices[0]" + end


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (
            {
                **LAMBDA,
                "Resource": "arn:aws:states:::states:startExecution.sync",
                "Parameters": {"StateMachineArn": "a"},
            },
            "Express state machine does not support '.sync' service integration",
        ),
        (
            {**LAMBDA, "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken"},
            "Express state machine does not support '.waitForTaskToken' service integration ",
        ),
        (
            {"Type": "Task", "Resource": "arn:aws:states:us-east-1:111111111111:activity:A", "End": True},
            "Express state machine does not support Activity ARN",
        ),
        (
            {
                **MAP,
                "ItemProcessor": {
                    **MAP["ItemProcessor"],
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                },
            },
            "The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' state machines",
        ),
    ],
)
def test_what_only_express_machines_are_refused(state, message):
    assert told(machine(state)) == []
    assert [found[1] for found in told(machine(state), "EXPRESS")] == [message]


def test_a_refusal_names_all_of_them():
    text = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "C"}, "B": PASS}})
    assert refusal(text, check(text)) == (
        "Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET: Missing 'Next' target: C at /States/A/Next, "
        'MISSING_TRANSITION_TARGET: State "B" is not reachable. at /States/B\''
    )
    text = json.dumps(machine({**MAP, "Label": "a$"}))
    assert refusal(text, check(text)) == (
        f"Error=ValueError Args=[\"Label contains invalid character: '$'\"] in definition '{text}'."
    )
    text = "not a definition"
    assert refusal(text, check(text)).startswith(
        "Invalid State Machine Definition: 'INVALID_JSON_DESCRIPTION: Unrecognized token 'not': was expecting"
    )


def test_we_tell_line_column_path_and_the_nearest_name():
    text = '{\n  "StartAt": "Wrok",\n  "States": {\n    "Work": {\n      "Type": "Pass",\n      "InptPath": "$",\n      "End": true}}}'
    first, second, third = check(text)
    assert first.told("order.asl.json") == (
        "order.asl.json:6:7: error: Field 'InptPath' is not supported\n"
        "  at $.States.Work.InptPath\n"
        "  expected one of Type, Comment, QueryLanguage, InputPath, OutputPath, ResultPath, Parameters, Output, Assign, "
        "Next, End, Result\n"
        "  did you mean 'InputPath'?"
    )
    assert second.position is not None
    assert (second.position.line, second.json_path, second.nearest) == (2, "$.StartAt", "Work")
    assert third.location == "/States/Work"


def test_one_state_is_checked_alone():
    (found,) = check_state({"Type": "Parallel", "Branches": [], "End": True})
    assert refusal("", [found]) == (
        "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: Value cannot be empty at /States/StateName/Branches'"
    )
    assert check_state({"Type": "Pass", "Next": "Elsewhere"}) == []


VALUES: st.SearchStrategy = st.sampled_from(
    [None, True, -1, 1.5, 10**30, "", "x", "$", "$.a", "{% 1 %}", "{%", [], {}, [{}], {"a": []}]
)


def places(value, place=()):
    yield place
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*place, key))


@given(st.sampled_from(RIGHT), st.data())
def test_whatever_stands_anywhere_is_judged(definition, data):
    """A value of any kind at any place gives diagnostics or none, and each of them points into the text."""
    place = data.draw(st.sampled_from([place for place in places(definition) if place]))
    changed = copy.deepcopy(definition)
    owner = changed
    for part in place[:-1]:
        owner = owner[part]
    owner[place[-1]] = data.draw(VALUES)
    for type in ("STANDARD", "EXPRESS"):
        for found in check(json.dumps(changed, indent=1), type=type):
            assert found.position is not None
            assert found.message
            found.told("f")


@pytest.mark.parametrize("depth", [60, 150, 1000])
def test_a_deep_definition_is_judged_or_refused(depth):
    text = json.dumps({"StartAt": "X", "States": {"X": {"Type": "Pass", "Next": "Y"}}})
    for _ in range(depth):
        text = '{"StartAt":"X","States":{"X":{"Type":"Parallel","End":true,"Branches":[' + text + "]}}}"
    assert check(text)[0].position is not None


def test_what_is_hardly_meant_is_a_warning():
    definition = machine(
        {**PASS, "Parameters": {"a": "$.x", "b": ["States.UUID()"], "c.$": "$.x", "d": "$5"}, "Result": {"r.$": "$.x"}},
    )
    found = check(json.dumps(definition))
    assert [(one.severity, one.code, one.location) for one in found] == [
        ("WARNING", "PASS_RESULT_IS_STATIC", "/States/X/Result"),
        ("WARNING", "NO_DOLLAR", "/States/X/Parameters/a"),
        ("WARNING", "NO_DOLLAR", "/States/X/Parameters/b[0]"),
    ]
    found = check(json.dumps(machine({"Type": "Fail", "Error": "$.e", "Cause": "costs $5"})))
    assert [(one.severity, one.code, one.location) for one in found] == [("WARNING", "NO_PATH", "/States/X/Error")]


def test_labels_are_unlike_and_not_empty():
    def distributed(label: str, **more: object) -> dict:
        inner = {
            "StartAt": "P",
            "States": {"P": PASS},
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            **more,
        }
        return {"Type": "Map", "End": True, "Label": label, "ItemProcessor": inner}

    assert "Label cannot be empty" in [message for _, message, _ in told(machine(distributed("")))]
    two = distributed("a", StartAt="Inner", States={"Inner": distributed("a")})
    assert ("DUPLICATE_LABEL_NAME", "Duplicate Label name: a", "/States/X/ItemProcessor/States/Inner/Label") in told(
        machine(two)
    )


def test_retry_takes_no_expressions():
    task = {**LAMBDA, "QueryLanguage": "JSONata", "Retry": [{"ErrorEquals": ["A"], "MaxAttempts": "{% 1 %}"}]}
    assert schema("Expected value of type Integer", "/States/X/Retry[0]/MaxAttempts") in told(machine(task))


@pytest.mark.parametrize(
    ("state", "place"),
    [
        ({**PASS, "Output": "{% $states.result %}"}, "Output"),
        ({**LAMBDA, "Arguments": {"a": "{% $states.result %}"}}, "Arguments/a"),
        ({"Type": "Wait", "Seconds": "{% $states.result %}", "End": True}, "Seconds"),
    ],
)
def test_a_result_is_read_where_there_is_one(state, place):
    state = {name: value for name, value in state.items() if name != "Parameters"} | {"QueryLanguage": "JSONata"}
    said = "Field '$states.result' does not exist."
    assert ("UNSUPPORTED_JSONATA_EXPRESSION", said, f"/States/X/{place}") in told(machine(state))
    task = {"Type": "Task", "Resource": "work", "End": True, "QueryLanguage": "JSONata"}
    assert not told(machine({**task, "Output": "{% $states.result %}", "Assign": {"a": "{% $states.result.b %}"}}))


@pytest.mark.parametrize(("heartbeat", "is_right"), [(1, True), (59, True), (60, False), (61, False)])
def test_a_heartbeat_is_asked_for_within_the_time(heartbeat, is_right):
    found = told(machine({**LAMBDA, "TimeoutSeconds": 60, "HeartbeatSeconds": heartbeat}))
    message = "HeartbeatSeconds must be smaller than TimeoutSeconds"
    assert found == ([] if is_right else [schema(message, "/States/X/HeartbeatSeconds")])


def test_a_name_is_there_once_in_an_object():
    text = '{"StartAt": "X",\n "States": {"X": {"Type": "Pass", "Type": "Succeed"}}}'
    (found,) = check(text)
    assert (found.code, found.message.partition("\n")[0]) == ("INVALID_JSON_DESCRIPTION", "Duplicate field 'Type'")
    assert found.location is not None and found.location.endswith("line: 2, column: 41]")
    assert (
        told('{"StartAt": "X", "States": {"X": {"Type": "Pass", "Result": [{"a": 1}, {"a": 2}], "End": true}}}') == []
    )
