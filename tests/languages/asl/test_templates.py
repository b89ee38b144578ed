"""Payload templates, reference paths and the paths of fields."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.languages.asl import paths
from perdure.languages.asl.failure import StateFailure
from perdure.languages.asl.reference_paths import insert
from perdure.languages.asl.scope import Scope
from perdure.languages.asl.templates import evaluate_jsonata, fill, fill_jsonata

SCOPE = Scope(
    input={"a": {"b": [1, 2]}, "n": None},
    context={"Execution": {"Id": "arn"}},
    variables={"v": {"x": [7]}, "empty": None},
    result={"Payload": 5},
)


def test_a_template_is_filled_with_paths_functions_and_variables():
    template = {
        "plain": "$.a",
        "b.$": "$.a.b",
        "null.$": "$.n",
        "context.$": "$$.Execution.Id",
        "variable.$": "$v.x[0]",
        "beyond.$": "$.a.b[9]",
        "call.$": "States.ArrayLength($.a.b)",
        "inner": [{"c.$": "$.a.b[1]"}, 3],
        "whole.$": "$",
    }
    before = copy.deepcopy(template)
    assert fill(template, SCOPE, field="Parameters") == {
        "plain": "$.a",
        "b": [1, 2],
        "null": None,
        "context": "arn",
        "variable": 7,
        "beyond": None,
        "call": 2,
        "inner": [{"c": 2}, 3],
        "whole": {"a": {"b": [1, 2]}, "n": None},
    }
    assert template == before


@pytest.mark.parametrize(
    ("template", "cause"),
    [
        (
            {"x": {"y.$": "$.no"}},
            "The JSONPath '$.no' specified for the field 'y.$' could not be found in the input "
            '\'{"a":{"b":[1,2]},"n":null}\'',
        ),
        ({"y.$": "$w"}, "The variable '$w' referenced by '$w' in the field 'y.$' is not defined"),
        ({"y.$": 5}, "The value for the field 'y.$' must be a valid JSONPath or intrinsic function"),
        ({"y.$": "$.a["}, "Invalid path '$.a['"),
    ],
)
def test_a_template_that_cannot_be_filled_fails_the_state(template, cause):
    with pytest.raises(StateFailure) as e:
        fill(template, SCOPE, field="Parameters")
    assert e.value.error == "States.Runtime"
    assert cause in e.value.cause


@pytest.mark.parametrize(
    ("path", "field", "cause"),
    [
        ("$.No", "InputPath", "Invalid path '$.No' : No results for path: $['No']"),
        (
            "$.No",
            "ErrorPath",
            "The JSONPath '$.No' specified for the field 'ErrorPath' could not be found in the input "
            '\'{"a":{"b":[1,2]},"n":null}\'',
        ),
    ],
)
def test_a_path_of_a_field_that_leads_nowhere(path, field, cause):
    with pytest.raises(StateFailure) as e:
        paths.read(path, SCOPE, field=field)
    assert (e.value.error, e.value.cause) == ("States.Runtime", cause)


def test_a_jsonata_template_is_filled():
    assert fill_jsonata(
        {"sum": "{% $sum($states.input.a.b) %}", "r": ["{% $states.result.Payload %}", "{%x"], "v": "{% $v.x[0] %}"},
        SCOPE,
        field="Output",
    ) == {"sum": 3, "r": [5, "{%x"], "v": 7}
    assert fill_jsonata("{% $empty %}", SCOPE, field="Output") is None


@pytest.mark.parametrize(
    ("text", "expected", "cause"),
    [
        ("$nope", None, "returned nothing (undefined)."),
        ("$states.errorOutput", None, "returned nothing (undefined)."),
        ("function() { 1 }", None, "returned an unsupported result type."),
        ("$nope(1)", None, "threw an error during evaluation. T1006: Attempted to invoke a non-function"),
        ("true", "array", "returned an unexpected result type. Expected 'array', but was 'boolean' for value: true"),
        ("'s'", "array", "returned an unexpected result type. Expected 'array', but was 'string' for value: \"s\""),
        ("$empty", "array", "returned an unexpected result type. Expected 'array', but was 'null' for value: null"),
        ("1.5", "integer", "returned an unexpected result type. Expected 'integer', but was 'number' for value: 1.5"),
    ],
)
def test_a_jsonata_expression_that_fails_says_what_aws_says(text, expected, cause):
    with pytest.raises(StateFailure) as e:
        evaluate_jsonata(f"{{% {text} %}}", SCOPE, field="Output/x", expected=expected)
    assert e.value.error == "States.QueryEvaluationError"
    assert e.value.cause == f"The JSONata expression '{text}' specified for the field 'Output/x' {cause}"
    assert e.value.location == "Output/x"


@pytest.mark.parametrize(
    ("raw", "path", "output"),
    [
        ({"k": 1}, None, {"k": 1}),
        ({"k": 1}, "$", "v"),
        ({"k": 1}, "$.x", {"k": 1, "x": "v"}),
        ({"k": 1}, "$.x.y['z']", {"k": 1, "x": {"y": {"z": "v"}}}),
        ({"k": {"l": 1}}, "$.k.m", {"k": {"l": 1, "m": "v"}}),
        ([1, {"id": 7}], "$[1].x", [1, {"id": 7, "x": "v"}]),
    ],
)
def test_a_result_is_put_into_the_input(raw, path, output):
    before = copy.deepcopy(raw)
    assert insert(raw, path, "v") == output
    assert raw == before


@pytest.mark.parametrize(
    ("raw", "path"), [("text", "$.x"), ([1], "$.x"), ({"k": 1}, "$.k.x"), ([1], "$[3]"), (None, "$.x")]
)
def test_a_result_that_fits_nowhere_fails_the_state(raw, path):
    with pytest.raises(StateFailure) as e:
        insert(raw, path, "v")
    assert e.value.error == "States.ResultPathMatchFailure"


JSON = st.recursive(
    st.none() | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
)


@given(JSON, st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=3), JSON)
def test_what_is_put_in_is_read_again(document, names, value):
    path = ".".join(["$", *names])
    before = copy.deepcopy(document)
    try:
        output = insert(document, path, value)
    except StateFailure:
        assert document == before
        return
    assert document == before
    assert paths.read(path, Scope(input=output), field="OutputPath") == value
