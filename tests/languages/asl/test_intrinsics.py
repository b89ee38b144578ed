"""Intrinsic functions: what they give, and what AWS says when they cannot."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.languages.asl.chance import Chance
from perdure.languages.asl.failure import StateFailure
from perdure.languages.asl.intrinsics import InvalidIntrinsic, compile_call, evaluate
from perdure.languages.asl.scope import Scope

INPUT = {
    "name": "Ada",
    "items": [1, 2, 3, 3],
    "object": {"Arg1": 1, "Arg2": [], "Arg3": {"a": None}},
    "half": 1.5,
    "text": '{"a": 1}',
}


def scope(**members):
    return Scope(
        input=INPUT,
        context={"State": {"Name": "S"}},
        variables={"v": {"x": 7, "places": "a{}b"}},
        chance=Chance("seed"),
        **members,
    )


@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("States.Format('{} is {}', $.name, 3)", "Ada is 3"),
        ("States.Format('{} {} {}', 1e10, -0.00025, 12.5)", "1.0E10 -2.5E-4 12.5"),
        ("States.Format('{}', $.object)", "{Arg1=1, Arg2=[], Arg3={a=null}}"),
        ("States.Format('\\{{}\\} it\\'s \\\\', true)", "{true} it's \\"),
        ("States.Format('{}{}', $$.State.Name, $v.x)", "S7"),
        ("States.Format('\\{\\}{}\\\\{}', 1, 2)", "{}1\\2"),
        ("States.Format($v.places, 1)", "a1b"),
        ("States.Array('\\{\\}')", ["{}"]),
        ("States.ArrayUnique(States.Array(3, 1, 3, 2, 1))", [3, 1, 2]),
        ("States.Array()", []),
        ("States.Array($.name, 'x', 1.5, null, States.Array(1))", ["Ada", "x", 1.5, None, [1]]),
        ("States.ArrayPartition($.items, 3)", [[1, 2, 3], [3]]),
        ("States.ArrayContains($.items, 2)", True),
        ("States.ArrayContains($.items, true)", False),
        ("States.ArrayRange(1, 9, 2)", [1, 3, 5, 7, 9]),
        ("States.ArrayRange(3, 1, -1)", [3, 2, 1]),
        ("States.ArrayGetItem($.items, 1)", 2),
        ("States.ArrayLength($.items)", 4),
        ("States.ArrayUnique($.items)", [1, 2, 3]),
        ("States.Base64Encode('Data to encode')", "RGF0YSB0byBlbmNvZGU="),
        ("States.Base64Decode('RGF0YSB0byBlbmNvZGU=')", "Data to encode"),
        ("States.Hash('input data', 'SHA-1')", "aaff4a450a104cd177d28d18d74485e8cae074b7"),
        (
            "States.JsonMerge($.object, States.StringToJson($.text), false)",
            {"Arg1": 1, "Arg2": [], "Arg3": {"a": None}, "a": 1},
        ),
        ("States.JsonToString($.object)", '{"Arg1":1,"Arg2":[],"Arg3":{"a":null}}'),
        ("States.StringToJson('{\"a\": [1, null]}')", {"a": [1, None]}),
        ("States.MathAdd($.half, -1.5)", 1),
        ("States.MathRandom(1, 2)", 1),
        ("States.StringSplit('a.b,,c', '.,')", ["a", "b", "c"]),
        ("States.ArrayGetItem( $.items , States.MathAdd( States.ArrayLength($.items) ,-1 ) )", 3),
        ("States.ArrayLength($.items[?(@ > 1)])", 3),
        ("States.Format($['name'])", "Ada"),
    ],
)
def test_what_a_call_gives(call, value):
    assert evaluate(call, scope(), field="x.$") == value


@pytest.mark.parametrize(
    ("call", "error", "cause"),
    [
        (
            "States.Format('{}', States.Format('{}', $.nope))",
            "States.Runtime",
            "The function 'States.Format('{}', States.Format('{}', $.nope))' had the following error: The JsonPath argument "
            'for the field \'$.nope\' could not be found in the input \'{"name":"Ada"',
        ),
        ("States.Format('{}', $$.Nope.Deep)", "States.Runtime", "for the field '$.Nope.Deep' could not be found"),
        ("States.Format('{}', $.name[0])", "States.Runtime", "error: Filter: [0] can only be applied to arrays"),
        ("States.Format('{}', $w)", "States.Runtime", "The variable '$w' is not defined"),
        ("States.ArrayGetItem($.items, 4)", "States.IntrinsicFailure", "there is no item 4"),
        ("States.ArrayLength($.name)", "States.IntrinsicFailure", 'expected an array, but was: "Ada"'),
        ("States.Format('{}')", "States.IntrinsicFailure", "1 places"),
        ("States.Base64Decode('not base64!!')", "States.IntrinsicFailure", "not Base64"),
        ("States.Hash('a', 'SHA256')", "States.IntrinsicFailure", "no algorithm 'SHA256'"),
        ("States.JsonMerge($.object, $.object, true)", "States.IntrinsicFailure", "must be false"),
        ("States.StringToJson('{')", "States.IntrinsicFailure", "not JSON"),
        ("States.ArrayRange(1, 5000, 1)", "States.IntrinsicFailure", "more than 1000"),
        ("States.ArrayRange(1, 5, 0)", "States.IntrinsicFailure", "must not be 0"),
        ("States.ArrayPartition($.items, 0)", "States.IntrinsicFailure", "positive"),
        ("States.MathRandom(2, 2)", "States.IntrinsicFailure", "must be greater"),
        ("States.MathAdd('a', 2)", "States.IntrinsicFailure", "expected a number"),
    ],
)
def test_what_fails_says_what_aws_says(call, error, cause):
    with pytest.raises(StateFailure) as e:
        evaluate(call, scope(), field="x.$")
    assert e.value.error == error
    assert cause in e.value.cause


@pytest.mark.parametrize(
    "call",
    [
        "States.Nope()",
        "States.Format",
        "States.Format(",
        "States.Format('a'",
        "States.Format('a",
        "States.Format('a' 'b')",
        "States.Format('a')[0]",
        "States.Format('He said, \\\"Hello\\\"')",
        "States.UUID(1)",
        "States.MathAdd(1)",
        "States.ArrayLength($.)",
        "States.ArrayLength(a)",
        "States.Format('{}', " * 11 + "1" + ")" * 11,
    ],
)
def test_what_is_no_call_is_refused(call):
    with pytest.raises(InvalidIntrinsic):
        compile_call(call)


def test_chance_follows_from_the_seed():
    calls = ["States.UUID()", "States.MathRandom(1, 1000000)"]
    first, second = ([evaluate(call, one, field="x.$") for call in calls * 2] for one in (scope(), scope()))
    assert first == second
    assert len(set(first)) == 4
    assert uuid.UUID(first[0]).version == 4
    seeded = "States.MathRandom(1, 1000000, 5)"
    assert evaluate(seeded, scope(), field="x.$") == evaluate(seeded, scope(), field="y.$")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.lists(JSON, max_size=6), st.integers(1, 5))
def test_functions_that_undo_each_other(items, size):
    def value(call):
        return evaluate(call, Scope(input={"items": items, "size": size}), field="x.$")

    assert value("States.StringToJson(States.JsonToString($.items))") == items
    assert [item for part in value("States.ArrayPartition($.items, $.size)") for item in part] == items
    text = "States.JsonToString($.items)"
    assert value(f"States.Base64Decode(States.Base64Encode({text}))") == value(text)
    assert all(value(f"States.ArrayContains($.items, $.items[{place}])") for place in range(len(items)))


@given(st.text("States.FormatArray(){}'\\,$ .[]x01", max_size=30))
def test_any_text_is_a_call_or_is_refused(text):
    try:
        compile_call("States." + text)
    except InvalidIntrinsic:
        pass
