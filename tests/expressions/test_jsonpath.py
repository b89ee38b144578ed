"""JSONPath in Jayway's dialect."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.expressions.jsonpath import InvalidPath, PathNotFound, compile_path

STORE = {
    "store": {
        "book": [
            {"category": "reference", "author": "Nigel Rees", "title": "Sayings of the Century", "price": 8.95},
            {"category": "fiction", "author": "Evelyn Waugh", "title": "Sword of Honour", "price": 12.99},
            {"category": "fiction", "author": "Herman Melville", "title": "Moby Dick", "isbn": "0-553", "price": 8.99},
            {"category": "fiction", "author": "J. R. R. Tolkien", "title": "The Lord", "isbn": "0-395", "price": 22.99},
        ],
        "bicycle": {"color": "red", "price": 19.95},
    },
    "expensive": 10,
    "sub-values": [0, 1, 2, 3],
    "none": None,
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$.expensive", 10),
        ("$['store']['bicycle'].color", "red"),
        ('$["sub-values"][1]', 1),
        ("$.sub-values[-1]", 3),
        ("$.sub-values[1:3]", [1, 2]),
        ("$.sub-values[:2]", [0, 1]),
        ("$.sub-values[-2:]", [2, 3]),
        ("$.sub-values[0,2,9]", [0, 2]),
        ("$.sub-values.length()", 4),
        ("$.sub-values.max()", 3),
        ("$.none", None),
        ("$.store.book[?(@.price<9&&@.isbn)].price", [8.99]),
        ("$.store.book[?(@.price==8.95)].author", ["Nigel Rees"]),
        ("$.sub-values[?(@ == '2')]", [2]),
        ("$.sub-values[0:-1]", []),
        ("$.sub-values[-1:1]", [3, 0]),
        ("$.sub-values[0:3:2]", [0, 1, 2]),
        ("$..[?(@.color)]", [{"color": "red", "price": 19.95}]),
        ("$.store.book[0:2]['title'].length()", [None, None]),
        ("$.sub-values.sum()", 6.0),
        ("$.nothing.length()", PathNotFound("Missing property in path $['nothing']")),
        ("$.store.min()", PathNotFound("Aggregation function attempted to calculate value using empty array")),
        ("$.store.bicycle['color','price']", {"color": "red", "price": 19.95}),
        ("$.store.book[*].author", ["Nigel Rees", "Evelyn Waugh", "Herman Melville", "J. R. R. Tolkien"]),
        ("$..isbn", ["0-553", "0-395"]),
        ("$..book[0].title", ["Sayings of the Century"]),
        ("$.store..price", [8.95, 12.99, 8.99, 22.99, 19.95]),
        ("$.store.book[?(@.isbn)].title", ["Moby Dick", "The Lord"]),
        ("$.store.book[?(!@.isbn)].price", [8.95, 12.99]),
        ("$.store.book[?(@.price < $.expensive)].title", ["Sayings of the Century", "Moby Dick"]),
        ("$.store.book[?(@.category == 'fiction' && @.price > 20)].title", ["The Lord"]),
        ("$.store.book[?(@.price > 20 || @['category'] == \"reference\")].price", [8.95, 22.99]),
        ("$.store.book[?((@.price > 20 || @.price < 8.96) && @.isbn)].price", [22.99]),
        ("$.store.book[?(@.author =~ /.*REES/i)].price", [8.95]),
        ("$.store.book[?(@.author =~ /REES/i)].price", []),
        ("$.store.book[?(@.category in ['reference', 'poetry'])].price", [8.95]),
        ("$.store.book[?(@.category nin ['fiction'])].price", [8.95]),
        ("$.store.book[?(@.title size 8)].price", [22.99]),
        ("$.store.book[?(@.missing == null)].price", []),
        ("$.store.book[9:]", []),
        ("$.nothing[*]", []),
        ("$.nothing.at[1:].all", []),
        ("$.expensive[?(@.a)]", []),
        ("$.nothing", PathNotFound("No results for path: $['nothing']")),
        ("$.store.nothing.at.all", PathNotFound("Missing property in path $['store']['nothing']")),
        ("$.sub-values[9]", PathNotFound("No results for path: $['sub-values'][9]")),
        ("$.none[0]", PathNotFound("The path $['none'] is null")),
        ("$.expensive[0]", PathNotFound("Filter: [0] can only be applied to arrays. Current context is: 10")),
    ],
)
def test_what_a_path_reads(path, found):
    if isinstance(found, PathNotFound):
        with pytest.raises(PathNotFound) as e:
            compile_path(path).read(STORE)
        assert str(e.value) == str(found)
    else:
        assert compile_path(path).read(STORE) == found


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("", "begins with '$' at character 1"),
        ("store", "begins with '$' at character 1"),
        ("$.", "expected a name, '*' or '[' after '.' at character 3"),
        ("$..", "expected a name"),
        ("$.a b", "expected '.', '[' or the end of the path at character 4"),
        ("$.a[", "expected a quoted name"),
        ("$.a['b", "the quote ' is not closed at character 5"),
        ("$.a[1", "expected ']' at character 6"),
        ("$.a[?(@.b", "expected an operator or ')' at character 10"),
        ("$.a[?@.b]", "expected '(' after '?'"),
        ("$.a[?(@.b =~ 'x')]", "expected a regular expression"),
        ("$.a[?(@.b =~ /(/)]", "the regular expression is not understood"),
        ("$.a.grow()", "there is no function 'grow()'"),
        ("$.a[?(" + "!" * 60 + "@.b)]", "nested 50 deep"),
        ("$" + "[?(@.a" * 60 + ")]" * 60, "nested 50 deep"),
    ],
)
def test_what_is_no_path_is_refused_at_the_place(path, problem):
    with pytest.raises(InvalidPath) as e:
        compile_path(path)
    assert problem in str(e.value)


def test_a_path_that_selects_without_end_ends():
    document: dict = {"a": {}}
    for _ in range(60):
        document = {"a": document, "b": document}  # 2**60 places, as a document may name a part twice
    with pytest.raises(PathNotFound, match="more than 1000000"):
        compile_path("$..a").read(document)


def test_a_regular_expression_costs_no_more_than_its_text():
    path = compile_path("$[?(@.text =~ /(a+)+b/)]")
    assert path.read([{"text": "a" * 50_000}]) == []


NAMES = st.text("abc é'\"\\$.[]*", min_size=1, max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


def places(value, path="$"):
    """Every place of a document, as a path and its value."""
    yield path, value
    if isinstance(value, dict):
        for name, inner in value.items():
            quoted = name.replace("\\", "\\\\").replace("'", "\\'")
            yield from places(inner, f"{path}['{quoted}']")
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from places(inner, f"{path}[{number}]")


@given(JSON)
def test_every_place_of_a_document_is_read_by_its_path(document):
    everything = list(places(document))
    for path, value in everything:
        compiled = compile_path(path)
        assert compiled.definite
        assert json.dumps(compiled.read(document)) == json.dumps(value)
    found = compile_path("$..*").read(document)
    assert sorted(map(json.dumps, found)) == sorted(json.dumps(value) for _, value in everything[1:])


@given(st.text("$.[]()?@'\"ab*01:,<=!&|~/ -", max_size=30), JSON)
def test_any_text_is_a_path_or_is_refused(text, document):
    try:
        path = compile_path("$" + text)
    except InvalidPath:
        return
    try:
        found = path.read(document)
    except PathNotFound:
        return
    assert path.function or path.definite or isinstance(found, list)
