"""TestState: one state tried alone."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.languages.asl.trials import About, Trial, TrialRefused

ABOUT = About("111111111111", now_ms=1_700_000_000_000, seed="s")
LAMBDA: dict = {
    "Type": "Task",
    "Resource": "arn:aws:states:::lambda:invoke",
    "Parameters": {"FunctionName": "f"},
    "End": True,
}
ITEMS = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}


def tried(definition, *, given=None, shapes=None, **request):
    text = definition if isinstance(definition, str) else json.dumps(definition)
    if given is not None:
        request["input"] = json.dumps(given)
    if "result" in request:
        request["mock"] = {"result": json.dumps(request.pop("result"))}
    if "error" in request:
        request["mock"] = {"errorOutput": {"error": request.pop("error"), "cause": "why"}}
    return Trial({"definition": text, "inspectionLevel": "DEBUG", **request}, ABOUT, shapes)


def answer(definition, **request):
    """The answer, with its texts read."""
    found = tried(definition, **request).answer
    assert found is not None
    data = found.get("inspectionData", {})
    found["inspectionData"] = {key: json.loads(text) if isinstance(text, str) else text for key, text in data.items()}
    if "output" in found:
        found["output"] = json.loads(found["output"])
    return found


def test_each_step_of_the_data_is_noted():
    state = {
        "Type": "Pass",
        "InputPath": "$.a",
        "Parameters": {"p.$": "$.b"},
        "ResultPath": "$.r",
        "OutputPath": "$.r.p",
        "Assign": {"v.$": "$.p"},
        "Next": "N",
    }
    assert answer(state, given={"a": {"b": 1}}, variables='{"w": 2}') == {
        "status": "SUCCEEDED",
        "output": 1,
        "nextState": "N",
        "inspectionData": {
            "input": {"a": {"b": 1}},
            "afterInputPath": {"b": 1},
            "afterParameters": {"p": 1},
            "afterResultSelector": {"p": 1},
            "afterResultPath": {"a": {"b": 1}, "r": {"p": 1}},
            "variables": {"w": 2, "v": 1},
        },
    }


def test_a_task_with_a_mock_goes_on_with_its_result():
    found = answer({**LAMBDA, "ResultSelector": {"s.$": "$.Payload"}}, given={}, result={"Payload": 5})
    assert found["output"] == {"s": 5}
    assert found["inspectionData"]["result"] == {"Payload": 5}
    assert found["inspectionData"]["afterParameters"] == {"FunctionName": "f"}


def test_a_task_without_a_mock_waits_for_its_call():
    trial = tried({**LAMBDA, "Parameters": {"FunctionName.$": "$.f"}}, given={"f": "g"}, roleArn="role")
    assert trial.answer is None
    assert trial.call is not None
    assert (trial.call.resource, trial.call.parameters) == ("arn:aws:states:::lambda:invoke", {"FunctionName": "g"})
    assert json.loads(trial.answered({"Payload": 1})["output"]) == {"Payload": 1}
    trial = tried({**LAMBDA, "Retry": [{"ErrorEquals": ["Broken"]}]}, roleArn="role")
    assert trial.failed("Broken", "why")["status"] == "RETRIABLE"


RETRYING: dict = {
    **LAMBDA,
    "Retry": [{"ErrorEquals": ["Other"]}, {"ErrorEquals": ["Broken"], "IntervalSeconds": 2, "MaxAttempts": 3}],
    "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.caught", "Next": "Mend"}],
}


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        (0, {"status": "RETRIABLE", "errorDetails": {"retryIndex": 1, "retryBackoffIntervalSeconds": 2}}),
        (2, {"status": "RETRIABLE", "errorDetails": {"retryIndex": 1, "retryBackoffIntervalSeconds": 8}}),
        (
            3,
            {
                "status": "CAUGHT_ERROR",
                "nextState": "Mend",
                "output": {"k": 1, "caught": {"Error": "Broken", "Cause": "why"}},
                "errorDetails": {"retryIndex": 1, "catchIndex": 0},
            },
        ),
    ],
)
def test_a_failure_is_tried_again_then_caught(attempts, expected):
    found = answer(RETRYING, given={"k": 1}, error="Broken", stateConfiguration={"retrierRetryCount": attempts})
    assert (found["error"], found["cause"]) == ("Broken", "why")
    shown = {**found, **found["inspectionData"]}
    assert {name: shown[name] for name in expected} == expected


def test_a_choice_a_wait_and_a_fail():
    choice = {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 1, "Next": "One"}], "Default": "Other"}
    assert answer(choice, given={"n": 1})["nextState"] == "One"
    assert answer(choice, given={"n": 2})["nextState"] == "Other"
    del choice["Default"]
    assert answer(choice, given={"n": 2})["error"] == "States.NoChoiceMatched"
    assert answer({"Type": "Wait", "SecondsPath": "$.n", "Next": "X"}, given={"n": 2})["nextState"] == "X"
    found = answer({"Type": "Wait", "SecondsPath": "$.m", "Next": "X"}, given={"n": 2})
    assert (found["status"], found["cause"]) == ("FAILED", "Invalid path '$.m' : No results for path: $['m']")
    found = answer({"Type": "Fail", "ErrorPath": "$.e", "CausePath": "States.Format('{}!', $.e)"}, given={"e": "E"})
    assert (found["status"], found["error"], found["cause"]) == ("FAILED", "E", "E!")


def test_a_state_of_a_machine_is_tried_by_its_name():
    inner = {"Type": "Pass", "Output": "{% $states.input %}", "End": True}
    machine = {
        "StartAt": "M",
        "QueryLanguage": "JSONata",
        "States": {"M": {"Type": "Map", "ItemProcessor": {"StartAt": "I", "States": {"I": inner}}, "End": True}},
    }
    assert answer(machine, stateName="I", given=3)["output"] == 3


def test_the_context_object_is_of_an_execution_that_never_was():
    state = {"Type": "Pass", "Parameters": {"c.$": "$$"}, "End": True}
    context = answer(state, given=1)["output"]["c"]
    assert context["Execution"]["Input"] == 1
    assert context["Execution"]["StartTime"] == "2023-11-14T22:13:20.000Z"
    assert context["State"] == {"Name": "StateName", "EnteredTime": "2023-11-14T22:13:20.000Z"}
    again, other = (Trial({"definition": json.dumps(state)}, About("1", seed=seed)).answer for seed in ("a", "b"))
    assert again != other
    assert again == Trial({"definition": json.dumps(state)}, About("1", seed="a")).answer


MAP: dict = {"Type": "Map", "ItemsPath": "$.i", "ItemProcessor": ITEMS, "ToleratedFailurePercentage": 50, "End": True}


@pytest.mark.parametrize(
    ("state", "failures", "status"),
    [(MAP, 1, "SUCCEEDED"), (MAP, 2, "FAILED"), ({**MAP, "ToleratedFailurePercentage": 100}, 3, "SUCCEEDED")],
)
def test_a_map_fails_where_more_iterations_fail_than_may(state, failures, status):
    found = answer(
        state, given={"i": [1, 2, 3]}, result=[1, 2, 3], stateConfiguration={"mapIterationFailureCount": failures}
    )
    assert found["status"] == status
    assert found["inspectionData"]["afterItemsPath"] == [1, 2, 3]
    assert found["inspectionData"]["maxConcurrency"] == 0


def test_each_step_of_a_maps_items_is_noted():
    state: dict[str, Any] = {
        "Type": "Map",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSON", "ItemsPointer": "/found/0"},
            "Parameters": {"Bucket": "b", "Key": "k"},
        },
        "ItemSelector": {"n.$": "$$.Map.Item.Value"},
        "ItemBatcher": {"MaxItemsPerBatchPath": "$.most", "BatchInput": {"who.$": "$.who"}},
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "P",
            "States": {"P": {"Type": "Pass", "End": True}},
        },
        "End": True,
    }
    data = '{"found": [[1, 2, 3]]}'
    asked = {"result": [], "inspectionLevel": "DEBUG", "stateConfiguration": {"mapItemReaderData": data}}
    found = answer(state, given={"most": 2, "who": "me"}, **asked)["inspectionData"]
    noted = {name: found[name] for name in ("afterItemsPointer", "afterItemSelector", "afterItemBatcher")}
    assert noted == {
        "afterItemsPointer": [1, 2, 3],
        "afterItemSelector": [{"n": 1}, {"n": 2}, {"n": 3}],
        "afterItemBatcher": [
            {"BatchInput": {"who": "me"}, "Items": [{"n": 1}, {"n": 2}]},
            {"BatchInput": {"who": "me"}, "Items": [{"n": 3}]},
        ],
    }
    reader = {**state["ItemReader"], "ReaderConfig": {"InputType": "JSON", "ItemsPointer": "/nowhere"}}
    assert (
        answer({**state, "ItemReader": reader}, given={"most": 2, "who": "me"}, **asked)["error"]
        == "States.ItemReaderFailed"
    )


def test_a_map_whose_items_are_no_array():
    found = answer({**MAP, "ItemsPath": "$$.Execution.Input"}, given={}, result=[])
    assert (found["error"], found["cause"]) == (
        "States.Runtime",
        'Reference path "$.Execution.Input" must point to array.',
    )


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        ({"definition": "{"}, "InvalidDefinition", "INVALID_JSON_DESCRIPTION"),
        ({"definition": {"Type": "Nope"}}, "InvalidDefinition", "at /States/StateName/Type"),
        ({"definition": {"StartAt": "A", "States": {}}, "stateName": "B"}, "ValidationException", "State not found"),
        ({"definition": {"Type": "Succeed"}, "result": 1}, "ValidationException", "State type 'Succeed' is not supp"),
        ({"definition": MAP}, "InvalidDefinition", "TestState API does not support Map or Parallel states."),
        ({"definition": MAP, "result": {}}, "ValidationException", "Mocked result must be an array."),
        ({"definition": LAMBDA}, "ValidationException", "RoleArn must be specified when testing a Task state"),
        ({"definition": LAMBDA, "mock": {"result": "{"}}, "ValidationException", "Mocked result must be a valid JSON"),
        ({"definition": {"Type": "Succeed"}, "input": "nope"}, "InvalidExecutionInput", "Unrecognized token 'nope'"),
        ({"definition": {"Type": "Succeed"}, "variables": "1"}, "ValidationException", "must be a JSON object"),
        (
            {"definition": LAMBDA, "result": {}, "context": '{"Map": {}}'},
            "ValidationException",
            "Invalid Context object provided: 'Map' field is not supported when mocking a Context object",
        ),
        (
            {"definition": LAMBDA, "roleArn": "r", "stateConfiguration": {"retrierRetryCount": 1}},
            "ValidationException",
            "TestState does not support RetrierRetryCount when a mock is not specified.",
        ),
    ],
)
def test_what_is_refused(request_, code, message):
    with pytest.raises(TrialRefused) as e:
        tried(request_.pop("definition"), **request_)
    assert e.value.code == code
    assert message in e.value.message


def test_a_mock_is_judged_by_the_services_model():
    asked = []

    def shapes(resource, result, mode):
        asked.append((resource, result, mode))
        return "Field 'Payload' must be a string"

    with pytest.raises(TrialRefused) as e:
        tried(LAMBDA, result={"Payload": 1}, shapes=shapes)
    assert e.value.message == "Mock result schema validation error: Field 'Payload' must be a string"
    assert asked == [("arn:aws:states:::lambda:invoke", {"Payload": 1}, "STRICT")]
    assert tried(LAMBDA, mock={"result": "{}", "fieldValidationMode": "NONE"}, shapes=shapes).answer is not None


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)
PATHS = st.sampled_from(["$", "$.a", "$.a.b", "$.a[0]", "$.nope[*]", "$$.State.Name", "$v"])


@given(JSON, PATHS, PATHS, st.sampled_from(["$", "$.r", "$.a.b", None]), PATHS)
def test_a_trial_of_any_data_ends_in_an_answer(value, into, member, result, out):
    state = {
        "Type": "Pass",
        "InputPath": into,
        "Parameters": {"m.$": member},
        "ResultPath": result,
        "OutputPath": out,
        "End": True,
    }
    found = answer(state, given=value, variables='{"v": [1]}')
    assert found["status"] == "SUCCEEDED" or (found["status"] == "FAILED" and found["error"] and found["cause"])
