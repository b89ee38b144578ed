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
        ("$random(42)", 0.7275636800328681),
        ("$random(0.9)", 0.730967787376657),
        ("$uuid()", "made-up"),
        ("$shuffle([1, 2, 3])", [1, 3, 2]),
        ("$partition([1, 2, 3, 4], 3)", [[1, 2, 3], [4]]),
        ("$range(1, 10, 4)", [1, 5, 9]),
        ("$range(3, 1, -1)", [3, 2, 1]),
        ("$range(-1.7, 2, 1)", [-1, 0, 1, 2]),
        ("$range(3, 3, 1)", 3),
        ("$range(5, 1, 1)", UNDEFINED),
        ("$range(1, 5, 0)", UNDEFINED),
        ("$partition([1, 2, 3])", [[1, 2, 3]]),
        ("$partition([1, 2, 3], 0)", UNDEFINED),
        ("$partition([1, 2, 3, 4, 5], 2.9)", [[1, 2], [3, 4], [5]]),
        ("$hash('Hello')", UNDEFINED),
        ("$parse('9223372036854775807')", 9223372036854775807),
        ("$parse('1e2')", 100),
        ("$parseInteger('abc', '0')", "NaN"),
        ("[1 / 0, -1 / 0]", ["Infinity", "-Infinity"]),
        ("1e308 * 10", "Infinity"),
        ("5.5 % 2", 1.5),
        ("$string($power(2, 63))", "9223372036854780000"),
        ("$string(-1e20) & 1e21", "-1000000000000000000001e+21"),
        ("$string($parse('1234567890123456'))", "1234567890123456"),
        ("[1e100, 1e-7, 0.000001, 22/7, 0.1 + 0.2] ~> $string", "[1e+100,1e-7,0.000001,3.14285714285714,0.3]"),
        ("$string({'ü': [null, $sum, 1 / 0, {}]})", '{"ü":[null,"",null,{}]}'),
        ("$string({'a': [1, []]}, true)", '{\n  "a": [\n    1,\n    []\n  ]\n}'),
        ("$string($sum)", ""),
        ("-7 % 2", -1),
        ("$hash('input data', 'SHA-1')", "aaff4a450a104cd177d28d18d74485e8cae074b7"),
        ("$parse('{\"a\": [null, 1.5]}')", {"a": [None, 1.5]}),
        ("$distinct([1, true, 1, null, null, {'a': 1}, {'a': 1}])", [1, True, None, {"a": 1}]),
        ("$replace('abc', /(B)/i, '[$1]')", "a[b]c"),
        ("($f := function($n) { $n = 0 ? 1 : $n * $f($n - 1) }; $f(20))", 2432902008176640000),
        ("/* a comment */ $x . a", None),
        ("$distinct([3, 1, 3, 2, 1])", [3, 1, 2]),
        ("$replace('abc', /(b)/, '[$1$2$0$$$x]')", "a[bb$$x]c"),
        ("$replace('aaa', /a/, 'ab', 2)", "ababa"),
        ("$replace('hello', /l/, function($m) { $uppercase($m.match) })", "heLLo"),
        ("$map([1..3], $power(?, 2))", [1, 4, 9]),
        ("$map(['a'], $pad(?, 3))", "a  "),
        ("$map(['1', '2'], $number)", [1, 2]),
        ("$number('0b101') + $number('0O17')", 20),
        ("$toMillis('2017-11')", 1509494400000),
        ("$sort(['b', 'a'])", ["a", "b"]),
        ("$sort([{'n': 2}, {'n': 1}], function($l, $r) { $l.n > $r.n }).n", [1, 2]),
        ("$count(null)", 1),
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
        ("$parse('{')", "D3137", "Invalid JSON"),
        ('$parse(\'{"a": 1, "a": 2}\')', "D3137", "Invalid JSON"),
        ("$parse('1e400')", "D3137", "Invalid JSON"),
        ("$parse(null)", "T0410", 'Argument 1 of function "parse" does not match function signature'),
        ("$parse('1', 2)", "T0410", "does not match function signature"),
        ("$hash('a', 'CRC')", "D3137", "Unsupported hash algorithm: CRC"),
        ("$partition([1], -1)", "D3137", "Second argument must be zero or greater"),
        ("$range(1)", "T0410", 'Argument 2 of function "range" does not match function signature'),
        ("$sum(['a'])", "T0412", 'Argument 1 of function "sum" must be an array of "numbers"'),
        ("$number('Hello')", "D3030", 'Unable to cast value to a number: "Hello"'),
        ("$toMillis('foo')", "D3110", 'must be an ISO 8601 formatted timestamp. Given "foo"'),
        ("$replace('a', '', 'b')", "D3010", "Second argument of replace function cannot be an empty string"),
        ("$sort([1, 'a'])", "D3070", "can only be applied to an array of strings or an array of numbers"),
        ("$power(-2, 0.5)", "D3061", "base=-2, exponent=0.5"),
        ("$power(10, 400)", "D3061", "base=10, exponent=400"),
        ("-'a'", "D1002", 'Cannot negate a non-numeric value: "a"'),
        ("$contains('a', 5)", "T0410", 'Argument 2 of function "contains" does not match function signature'),
        ("$formatBase(1, 37)", "D3100", "It was given 37"),
        ("$number('1e400')", "D3030", 'Unable to cast value to a number: "1e400"'),
        ("$decodeUrl('%E0%A4%A')", "D3140", 'Malformed URL passed to $decodeUrl(): "%E0%A4%A"'),
        ("$string(1 / 0)", "D3001", "Attempting to invoke string function on Infinity or NaN"),
        ("$fromMillis(0, '[Q]')", "D3132", 'Unknown component specifier "Q" in date/time picture string'),
        ("$fromMillis(0, '[Y')", "D3135", "No matching closing bracket"),
        ("$replace('aa', /x*/, 'y')", "D1004", "Regular expression matches zero length string"),
        ("$uppercase(null)", "T0410", 'Argument 1 of function "uppercase" does not match function signature'),
        ("$map([5], $uppercase)", "T0410", "An argument does not match its function's signature"),
        # Whatever an expression before it called the function.
        ("($f := $lowercase; $f(1))", "T0410", 'Argument 1 of function "lowercase" does not match function signature'),
        ("1 < 'a'", "T2009", 'The values 1 and "a" either side of operator "<" must be of the same data type'),
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
    [
        ("(1", "S0203"),
        ("1 +", "S0207"),
        ("", "S0207"),
        ("'a", "S0101"),
        ("/(?=a)/", "S0302"),
        ("/[/", "S0302"),
        (r"'a\qb'", "S0103"),
    ],
)
def test_what_is_no_expression_is_refused(text, code):
    with pytest.raises(InvalidExpression) as e:
        evaluate(text)
    assert e.value.code == code


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("($f := function($n) { $f($n) }; $f(1))", "timeout"),
        ("($f := function($n) { 1 + $f($n) }; $f(1))", "Stack overflow"),
        ("($f := function($n) { $f($n & $n) }; $f('aaaa'))", "memory limit"),
        ("($f := function($n) { $f($n * $n) }; $f(7))", "timeout"),
        ("($f := function($n) { $f($append($n, $n)) }; $f([1, 2]))", "timeout"),
        ("[1..1000].([1..1000].($))", "timeout"),
        ("[1..10000000]", "memory limit"),
        ("$range(1, 1000000000000, 1)", "memory limit"),
        ("$pad('a', 1000000000)", "memory limit"),
        ("[" * 3000 + "1" + "]" * 3000, "Stack overflow"),
    ],
)
def test_everything_ends(text, message):
    with pytest.raises(EvaluationFailed) as e:
        compile_expression(text).evaluate({}, now_ms=0, random=lambda: 0.5, uuid=lambda: "", most_steps=20_000)
    assert e.value.code == ""
    assert message in e.value.message


CALLING = "($f := function($x) {{ $x <= 0 ? 0 : 1 + $f($x - 1) }}; $f({}))"
DOUBLING = "($f := function($s, $n) {{ $n = 0 ? $s : $f($s & $s, $n - 1) }}; $length($f('x', {})))"


@pytest.mark.parametrize(
    ("last", "first"),
    [
        ("1" + "+1" * 99, "1" + "+1" * 100),
        ("(" * 99 + "1" + ")" * 99, "(" * 100 + "1" + ")" * 100),
        ("[" * 99 + "1" + "]" * 99, "[" * 100 + "1" + "]" * 100),
        ("1" + "~>$string" * 99, "1" + "~>$string" * 100),
        (CALLING.format(31), CALLING.format(32)),
        ("[1..873782] ~> $count()", "[1..873783] ~> $count()"),
        (DOUBLING.format(22), DOUBLING.format(23)),
    ],
)
def test_an_expression_may_be_as_deep_and_as_large_as_on_aws(last, first):
    """What AWS lets through, and the next that it refuses, as users have measured."""
    assert evaluate(last) is not None
    with pytest.raises(EvaluationFailed):
        evaluate(first)


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
