"""JSONata: values in and out, AWS's functions, and an end for everything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.expressions.jsonata import (
    UNDEFINED,
    EvaluationFailed,
    Expression,
    InvalidExpression,
    UnsupportedResult,
    compile_expression,
)


def evaluate(text, **variables):
    return compile_expression(text).evaluate(
        variables, now_ms=1_700_000_000_123, random=lambda: 0.5, uuid=lambda: "made-up"
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$x", [None, 1, {"a": None}]),
        ("$x[0]", None),
        ("$x[2].a", None),
        ("$x.a", None),
        ("$x.b", UNDEFINED),
        ("$y", UNDEFINED),
        ("$x[$ = null]", None),
        ("$map($x, function($v) { $type($v) })", ["null", "number", "object"]),
        ("$each($x[2], function($v, $k) { $k & $type($v) })", "anull"),
        ("$count($x)", 3),
        ("$exists($y)", False),
        ("10 / 5", 2),
        ("0.5 + 1", 1.5),
        ("{'a': $y, 'b': null}", {"b": None}),
        ("$sum([1..3])", 6),
        ("$now()", "2023-11-14T22:13:20.123Z"),
        ("$millis()", 1_700_000_000_123),
        ("$random()", 0.5),
        ("$random(7) = $random(7)", True),
        ("$uuid()", "made-up"),
        ("$shuffle([1, 2, 3])", [1, 3, 2]),
        ("$partition([1, 2, 3, 4], 3)", [[1, 2, 3], [4]]),
        ("$range(1, 10, 4)", [1, 5, 9]),
        ("$range(3, 1, -1)", [3, 2, 1]),
        ("$hash('input data', 'SHA-1')", "aaff4a450a104cd177d28d18d74485e8cae074b7"),
        ("$parse('{\"a\": [null, 1.5]}')", {"a": [None, 1.5]}),
        ("$distinct([1, true, 1, null, null, {'a': 1}, {'a': 1}])", [1, True, None, {"a": 1}]),
        ("$replace('abc', /(B)/i, '[$1]')", "a[b]c"),
        ("($f := function($n) { $n = 0 ? 1 : $n * $f($n - 1) }; $f(20))", 2432902008176640000),
        ("/* a comment */ $x . a", None),
    ],
)
def test_what_an_expression_gives(text, value):
    found = evaluate(text, x=[None, 1, {"a": None}])
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("$randomSeeded(1)", "T1006", "Attempted to invoke a non-function"),
        ("$eval('1')", "T1006", "Attempted to invoke a non-function"),
        ("1 + 'a'", "T2002", 'The right side of the "+" operator must evaluate to a number'),
        ("$lowercase(1)", "T0410", 'Argument 1 of function "lowercase" does not match function signature'),
        ("$error('boom')", "D3137", "boom"),
        ("1 / 0", "D1001", "Number out of range: Infinity"),
        ("$parse('{')", "D3204", "The argument of the parse function is not JSON"),
        ("$hash('a', 'CRC')", "D3203", 'The hash function has no algorithm "CRC"'),
        ("$partition([1], 0)", "D3200", "must be a positive number"),
        ("$range(1, 2, 0)", "D3201", "must not be 0"),
        ("$range(1, 5000, 1)", "D3202", "at most 1000 items"),
    ],
)
def test_what_fails_says_its_code(text, code, message):
    with pytest.raises(EvaluationFailed) as e:
        evaluate(text)
    assert e.value.code == code
    assert message in e.value.message


@pytest.mark.parametrize("text", ["function($x) { $x }", "$sum", "{'a': [$sum]}", "/ab/"])
def test_a_function_is_no_value(text):
    with pytest.raises(UnsupportedResult):
        evaluate(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [("(1", "S0203"), ("1 +", "S0207"), ("", "S0207"), ("'a", "S0101"), ("/(?=a)/", "S0302"), ("/[/", "S0302")],
)
def test_what_is_no_expression_is_refused(text, code):
    with pytest.raises(InvalidExpression) as e:
        evaluate(text)
    assert e.value.code == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("($f := function($n) { $f($n) }; $f(1))", "D1012"),
        ("($f := function($n) { 1 + $f($n) }; $f(1))", "D1011"),
        ("($f := function($n) { $f($n & $n) }; $f('aaaa'))", "D1012"),
        ("($f := function($n) { $f($n * $n) }; $f(7))", "D1001"),
        ("($f := function($n) { $f($append($n, $n)) }; $f([1, 2]))", "D1012"),
        ("[1..1000].([1..1000].($))", "D1012"),
        ("[1..10000000]", "D2014"),
        ("$pad('a', 1000000000)", "D3001"),
        ("[" * 3000 + "1" + "]" * 3000, "D1011"),
    ],
)
def test_everything_ends(text, code):
    with pytest.raises((EvaluationFailed, InvalidExpression)) as e:
        compile_expression(text).evaluate({}, now_ms=0, random=lambda: 0.5, uuid=lambda: "", most_steps=20_000)
    assert e.value.code == code


def test_a_regular_expression_costs_no_more_than_its_text():
    assert evaluate("$contains($x, /(a+)+b/)", x="a" * 50_000) is False


def test_what_an_expression_sees_is_never_changed():
    given_value = {"a": {"b": [1, None]}}
    assert evaluate("$x ~> |a|{'b': 2}|", x=given_value) == {"a": {"b": 2}}
    assert given_value == {"a": {"b": [1, None]}}


NAMES = st.sampled_from(["a", "b", "c"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("xy", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


@given(JSON, st.lists(NAMES, max_size=3))
def test_names_alone_read_as_the_library_reads_them(value, names):
    """The short way for `$x.a.b` gives what the long way gives."""
    text = ".".join(["$x", *names])
    short, long = Expression(text), Expression(f"({text})")
    assert short.plain is not None
    assert long.plain is None

    def of(expression):
        return expression.evaluate({"x": value}, now_ms=0, random=lambda: 0.0, uuid=lambda: "")

    assert repr(of(short)) == repr(of(long))


@given(st.text("$xab.()[]{}'\"0123=+-*/%&|<>?:;,~^@# function", max_size=25), JSON)
def test_any_text_gives_a_value_or_says_why_not(text, value):
    try:
        evaluate(text, x=value)
    except (EvaluationFailed, InvalidExpression, UnsupportedResult):
        pass
