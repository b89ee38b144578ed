"""JSON that says what is wrong as Jackson does, and where its parts are."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.expressions.located_json import InvalidJson, Position, parse, positions


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ("not a definition", "Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', "
         "'true' or 'false')", 1, 4),
        ("{'not': 'json'", "Unexpected character (''' (code 39)): was expecting double-quote to start field name", 1, 3),
        ('{"a": 1,}', "Unexpected character ('}' (code 125)): was expecting double-quote to start field name", 1, 10),
        ('{"a" 1}', "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value", 1, 7),
        ('{"a": 1 "b": 2}', "Unexpected character ('\"' (code 34)): was expecting comma to separate Object entries", 1, 10),
        ('"a\\ud800b"', "Incomplete surrogate pair in a string", 1, 7),
        ("[1 2]", "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries", 1, 5),
        ("[1,\n  oops]", "Unrecognized token 'oops'", 2, 7),
        ('{"a": ', "Unexpected end-of-input: expected close marker for Object (start marker at [Source: (String)", 1, 7),
        ('{"a": "b', "Unexpected end-of-input: was expecting closing quote for a string value", 1, 9),
        ('"a\tb"', "Illegal unquoted character ((CTRL-CHAR, code 9))", 1, 4),
        ('"\\x"', "Unrecognized character escape 'x' (code 120)", 1, 4),
        ("  ", "No content to map due to end-of-input", 1, 3),
        ("1 2", "Unexpected character ('2' (code 50))", 1, 4),
        ("NaN", "Unrecognized token 'NaN'", 1, 4),
        ("1e999", "a number is too large", 1, 1),
        ("[" * 100_000, "nested too deeply", 1, 252),
    ],
)  # fmt: skip
def test_what_is_no_json_is_told_in_jacksons_words(text, message, line, column):
    with pytest.raises(InvalidJson) as e:
        parse(text)
    assert message in e.value.message
    assert (e.value.line, e.value.column) == (line, column)
    assert f"; line: {line}, column: {column}]" in e.value.source


def test_each_part_has_its_place():
    assert positions('{"a": [1,\n {"b": null}]}') == {
        (): Position(1, 1),
        ("a",): Position(1, 2),
        ("a", 0): Position(1, 8),
        ("a", 1): Position(2, 2),
        ("a", 1, "b"): Position(2, 3),
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(JSON, st.sampled_from([None, 1]))
def test_what_is_json_is_read(value, indent):
    text = json.dumps(value, indent=indent)
    assert parse(text) == value
    assert positions(text)[()] == Position(1, 1)


@given(st.text('{}[]":,truefalsn0123.eE+-\\u \n', max_size=20))
def test_it_refuses_what_the_standard_library_refuses(text):
    try:
        expected = json.loads(text, parse_constant=lambda name: 1 / 0)
    except (ValueError, ZeroDivisionError):
        with pytest.raises(InvalidJson):
            parse(text)
    else:
        if "inf" not in repr(expected):
            assert parse(text) == expected
