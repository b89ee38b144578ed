"""Choice rules of both query languages."""

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.languages.asl.choices import OPERATORS, matches
from perdure.languages.asl.failure import StateFailure
from perdure.languages.asl.scope import Scope

INPUT = {"n": 1, "f": 1.0, "t": "b", "b": True, "z": None, "at": "2016-08-18T17:33:00Z", "list": [], "some": [1]}
SCOPE = Scope(input=INPUT, context={"State": {"RetryCount": 0}}, variables={"v": 5})


def holds(rule, query_language="JSONPath", scope=SCOPE):
    return matches(rule, scope, query_language, index=0)


def test_there_are_all_39_operators():
    assert len(OPERATORS) == 39


@pytest.mark.parametrize(
    ("variable", "operator", "operand", "expected"),
    [
        ("$.n", "NumericEquals", 1, True),
        ("$.n", "NumericEqualsPath", "$.f", True),
        ("$.b", "NumericEquals", 1, False),
        ("$.t", "NumericEquals", 1, False),
        ("$.n", "NumericLessThan", 1.5, True),
        ("$.n", "NumericGreaterThanEquals", 2, False),
        ("$v", "NumericGreaterThanPath", "$.n", True),
        ("$$.State.RetryCount", "NumericEquals", 0, True),
        ("$.t", "StringEquals", "b", True),
        ("$.t", "StringLessThan", "c", True),
        ("$.t", "StringGreaterThanEqualsPath", "$.t", True),
        ("$.n", "StringEquals", "1", False),
        ("$.b", "BooleanEquals", True, True),
        ("$.n", "BooleanEquals", True, False),
        ("$.b", "BooleanEqualsPath", "$.b", True),
        ("$.at", "TimestampEquals", "2016-08-18T18:33:00.000+01:00", True),
        ("$.at", "TimestampLessThan", "2016-08-18T17:33:00.001Z", True),
        ("$.t", "TimestampEquals", "2016-08-18T17:33:00Z", False),
        ("$.z", "IsNull", True, True),
        ("$.n", "IsNull", False, True),
        ("$.z", "IsPresent", True, True),
        ("$.nope", "IsPresent", False, True),
        ("$nope", "IsPresent", True, False),
        ("$.n", "IsNumeric", True, True),
        ("$.b", "IsNumeric", True, False),
        ("$.t", "IsString", True, True),
        ("$.b", "IsBoolean", True, True),
        ("$.at", "IsTimestamp", True, True),
        ("$.t", "IsTimestamp", False, True),
    ],
)
def test_what_an_operator_says(variable, operator, operand, expected):
    assert holds({"Variable": variable, operator: operand, "Next": "X"}) is expected


@pytest.mark.parametrize(
    "text",
    [
        "2016-08-18t17:33:00z",
        "2024-01-01",
        "2024-01-01T00:00Z",
        "2024-01-01T00:00:00+01",
        "2024-01-01T00:00:00+0100",
        "2024-01-01T00:00:00",
        "2024-13-01T00:00:00Z",
        "2016-12-05T25:29:29Z",
        "0000-01-01T00:00:00Z",
    ],
)
def test_what_is_no_timestamp(text):
    assert not holds({"Variable": "$", "IsTimestamp": True, "Next": "X"}, scope=Scope(input=text))


def test_rules_combine():
    yes, no = {"Variable": "$.n", "IsNumeric": True}, {"Variable": "$.n", "IsString": True}
    assert holds({"And": [yes, {"Not": no}, {"Or": [no, yes]}], "Next": "X"})
    assert not holds({"And": [yes, no], "Next": "X"})
    assert not holds({"Or": [no, no], "Next": "X"})


@pytest.mark.parametrize(
    "rule", [{"Variable": "$.nope", "IsNull": True}, {"Variable": "$.n", "NumericEqualsPath": "$.nope"}]
)
def test_a_path_that_leads_nowhere_fails_the_state(rule):
    with pytest.raises(StateFailure) as e:
        holds(rule)
    assert e.value.error == "States.Runtime"
    assert e.value.cause == ("Invalid path '$.nope': The choice state's condition path references an invalid value.")


def test_a_condition_in_jsonata():
    assert holds({"Condition": "{% $states.input.n = 1 and $v > 4 %}", "Next": "X"}, "JSONata")
    assert not holds({"Condition": "{% $states.input.n = 2 %}", "Next": "X"}, "JSONata")
    assert holds({"Condition": True, "Next": "X"}, "JSONata")
    with pytest.raises(StateFailure) as e:
        holds({"Condition": "{% $states.input.n %}", "Next": "X"}, "JSONata")
    assert e.value.error == "States.QueryEvaluationError"
    assert "Expected 'boolean', but was 'number' for value: 1" in e.value.cause


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_string_matches_as_a_shell_matches(pattern, text):
    rule = {"Variable": "$", "StringMatches": pattern, "Next": "X"}
    assert holds(rule, scope=Scope(input=text)) is fnmatch.fnmatchcase(text, pattern)


def test_string_matches_escapes_and_long_texts():
    def like(pattern, text):
        return holds({"Variable": "$", "StringMatches": pattern, "Next": "X"}, scope=Scope(input=text))

    assert like("a\\*b", "a*b")
    assert not like("a\\*b", "axb")
    assert like("\\\\*", "\\x")
    assert not like("*a" * 50 + "b", "a" * 100_000)
