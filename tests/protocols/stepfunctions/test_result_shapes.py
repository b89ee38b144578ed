"""Mocks' results, judged by botocore's models."""

import pytest

from perdure.protocols.stepfunctions.result_shapes import problem


@pytest.mark.parametrize(
    ("action", "result", "expected"),
    [
        ("lambda:invoke", {"StatusCode": "200"}, "Field 'StatusCode' must be a number"),
        ("lambda:invoke", {"StatusCode": 200, "Payload": {"a": 1}}, None),
        (
            "aws-sdk:lambda:getFunction",
            {"Configuration": {"MemorySize": 1}},
            "Field 'MemorySize' is less than the minim",
        ),
        ("aws-sdk:s3:getObject", {"StorageClass": "Papyrus"}, "Field 'StorageClass' is not an expected value"),
        ("events:putEvents", {"Entries": {}}, "Field 'Entries' must be an array"),
        ("events:putEvents", {"Entries": [{"EventId": 1}]}, "Field 'EventId' must be a string"),
        ("events:putEvents", {"Whatever": 1}, None),
        ("states:startExecution", {"ExecutionArn": "a", "StartDate": True}, "Field 'StartDate' must be a string"),
        ("states:startExecution", {"ExecutionArn": "a"}, "Required field 'StartDate' is missing"),
        ("states:startExecution.sync:2", {"any": 1}, None),
        ("dynamodb:getItem", {"Item": {"k": {"S": 1}}}, "Field 'S' must be a string"),
        ("aws-sdk:nowhere:doIt", {"any": 1}, None),
    ],
)
def test_what_is_wrong_with_a_result(action, result, expected):
    found = problem(f"arn:aws:states:::{action}", result, "STRICT")
    assert found == expected or (found is not None and expected is not None and found.startswith(expected))


def test_what_is_left_out_is_only_asked_for_when_strict():
    assert problem("arn:aws:states:::states:startExecution", {}, "PRESENT") is None
