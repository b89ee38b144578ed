"""What SQLite finds is what plain Python finds, whichever way it goes."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conformance.rooms import row, write

from perdure.engine.encoding import encode_value
from perdure.engine.ports import RunRow, Write
from perdure.engine.search import evaluate
from perdure.engine.search.parse import parse
from perdure.kernel import search_attribute
from perdure.model.ids import Ancestry
from perdure.model.options import RunStatus
from perdure.model.payloads import Payload, PayloadMap
from perdure.model.search import EVERYTHING, AttributeType, Place, Query
from perdure.stores.sqlite import SqliteReader, SqliteStore, search

TYPES = {
    "Customer": AttributeType.KEYWORD,
    "Note": AttributeType.TEXT,
    "Amount": AttributeType.INT,
    "Rate": AttributeType.FLOAT,
    "Paid": AttributeType.BOOL,
    "Due": AttributeType.DATETIME,
    "Tags": AttributeType.KEYWORD_LIST,
}

# Few values, so that runs share them; and some that are easily mistaken for others.
TEXTS = [
    "",
    "a",
    "A",
    "ab",
    "aé",
    "b",
    "ß",
    "漢",
    "\U0010ffff",
    "\U0010ffffx",
    "it's",
    "%",
    "a_b",
    "0",
    "null",
    "a\x00b",
]
WORDS = ["late", "LATE again", "straße", "no-show, late", "...", "again and again"]
NUMBERS = [-(1 << 63), -1, 0, 1, 2, 10, (1 << 53) + 1, (1 << 63) - 1]
FLOATS = [-1e300, -0.0, 0.5, 1.0, 2.5, 1e16, 9007199254740992.0]
TIMES = ["1970-01-01T00:00:00Z", "2026-01-31", "2026-01-31T00:00:00.000000001Z", "2026-01-31T01:00:00+01:00"]
STARTS = [1_769_817_600_000_000_000 + offset for offset in (0, 1, 1, 5, 1_000_000_000)]

_JSON: dict[str, Sequence[object]] = {
    "Customer": TEXTS,
    "Note": [*WORDS, ""],
    "Amount": NUMBERS,
    "Rate": [*FLOATS, 3],
    "Paid": [True, False],
    "Due": TIMES,
    "Tags": [[], ["a"], ["a", "b", "a"], ["ab", "漢"], ["", "it's"]],
}


def payload(value: object) -> Payload:
    import msgspec

    return Payload(msgspec.json.encode(value))


def some_runs(count: int, seed: int) -> list[RunRow]:
    """Runs with everything that may differ, and much of it missing."""
    chance = random.Random(seed)
    rows = []
    for key in range(1, count + 1):
        attributes: PayloadMap = {
            name: payload(chance.choice(values)) for name, values in _JSON.items() if chance.random() < 0.7
        }
        if chance.random() < 0.1:
            attributes["Amount"] = payload("no number")
        started = chance.choice(STARTS)
        status = chance.choice(list(RunStatus))
        rows.append(
            row(
                key,
                chance.choice(["order", "loan", "漢"]) + str(key % 7),
                namespace=chance.choice(["default"] * 9 + ["other"]),
                workflow_type=chance.choice(["Order", "Loan"]),
                task_queue=chance.choice(["default", "quick"]),
                status=status,
                start_time=started,
                close_time=started + chance.choice([0, 1, 10**9]) if status.is_closed else 0,
                history_length=chance.choice([3, 11]),
                search_attributes=encode_value(attributes) if attributes else b"",
                parent=encode_value(
                    Ancestry("default", f"parent{key % 3}", f"p{key % 5}", 5, 1, *chance.choice([(), ("top", "t1")]))
                )
                if key % 4 == 0
                else b"",
                build_id=chance.choice(["", "v1", "v2"]),
            )
        )
    return rows


class Filled:
    """The same runs in a file and as a list."""

    def __init__(self, reader: SqliteReader, rows: list[RunRow]) -> None:
        self.reader = reader
        self.rows = [each for each in rows if each.namespace == "default"]

    def pages(self, query: Query, limit: int) -> list[list[int]]:
        pages: list[list[int]] = []
        after: Place | None = None
        while True:
            page = self.reader.runs("default", query, after, limit)
            pages.append([each.key for each in page])
            if len(page) < limit:
                return pages
            after = evaluate.place_of(page[-1], TYPES, query)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    import asyncio

    path = tmp_path_factory.mktemp("search") / "store.db"
    rows = some_runs(150, 7)

    async def fill() -> None:
        store = SqliteStore(path)
        await store.open()
        writes = [Write(each.key, 1, b"\x90", created=each, entries=entries_of(each)) for each in rows]
        writes[0].attribute_types = [
            (namespace, name, type) for namespace in ("default", "other") for name, type in TYPES.items()
        ]
        await write(store, *writes)
        await store.close()

    asyncio.run(fill())
    with SqliteReader(path) as reader:
        yield Filled(reader, rows)


def entries_of(run: RunRow) -> set[tuple[str, str | int | float]]:
    if not run.search_attributes:
        return set()
    return search_attribute.entries(evaluate._decode_map(run.search_attributes), TYPES)


# --- filters

OPERATORS = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
EQUALITIES = st.sampled_from(["=", "!="])


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_LITERALS = {
    "Customer": st.sampled_from(TEXTS).map(quoted),
    "Amount": st.sampled_from([*map(str, NUMBERS), "0.5", "1.0"]),
    "Rate": st.sampled_from([repr(value) for value in FLOATS] + ["1", "3"]),
    "Due": st.sampled_from(TIMES).map(quoted),
    "Tags": st.sampled_from(["a", "ab", "b", "漢", "", "it's", "x"]).map(quoted),
    "Paid": st.sampled_from(["true", "false"]),
    "WorkflowId": st.sampled_from(["order1", "order2", "loan3", "漢0", "x"]).map(quoted),
    "RunId": st.sampled_from(["run-1", "run-9"]).map(quoted),
    "WorkflowType": st.sampled_from(["Order", "Loan", ""]).map(quoted),
    "TaskQueue": st.sampled_from(["default", "quick"]).map(quoted),
    "BuildId": st.sampled_from(["v1", "v2", ""]).map(quoted),
    "ParentWorkflowId": st.sampled_from(["parent0", "parent1"]).map(quoted),
    "ParentRunId": st.sampled_from(["p0", "p4"]).map(quoted),
    "RootWorkflowId": st.sampled_from(["parent0", "top", "order1"]).map(quoted),
    "RootRunId": st.sampled_from(["p0", "t1", "run-1"]).map(quoted),
    "HistoryLength": st.sampled_from(["3", "11", "3.5"]),
    "StartTime": st.sampled_from(["2026-01-31T00:00:00Z", "2026-01-31T00:00:00.000000001Z", "2027-01-01"]).map(quoted),
    "CloseTime": st.sampled_from(["2026-01-31T00:00:00Z", "2026-01-31T00:00:01.000000001Z"]).map(quoted),
    "ExecutionDuration": st.sampled_from(["0", "1", "'1s'"]),
    "ExecutionStatus": st.sampled_from(["Running", "completed", "TIMED_OUT", "ContinuedAsNew"]).map(quoted),
}
UNORDERED = {"Paid", "Tags", "ExecutionStatus"}
KEYWORDS = {"Customer", "Tags", "WorkflowId", "WorkflowType", "BuildId", "ParentWorkflowId"}
NAMES = [*_LITERALS, "Note"]
ORDERED = [name for name in _LITERALS if name != "Tags"]


@st.composite
def single_tests(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from([*TYPES, *NAMES]))
    if draw(st.integers(0, 9)) == 0:
        return f"{name} IS {draw(st.sampled_from(['', 'NOT ']))}NULL"
    if name == "Note":
        return f"Note {draw(EQUALITIES)} {quoted(draw(st.sampled_from(['late', 'Again', 'STRASSE late', 'no'])))}"
    literal, negation = _LITERALS[name], draw(st.sampled_from(["", "NOT "]))
    kinds = ["compare", "in"]
    kinds += ["between"] if name not in UNORDERED else []
    kinds += ["starts_with"] if name in KEYWORDS else []
    match draw(st.sampled_from(kinds)):
        case "compare":
            return f"{name} {draw(EQUALITIES if name in UNORDERED else OPERATORS)} {draw(literal)}"
        case "in":
            return f"{name} {negation}IN ({', '.join(draw(st.lists(literal, min_size=1, max_size=3)))})"
        case "between":
            return f"{name} {negation}BETWEEN {draw(literal)} AND {draw(literal)}"
        case _:
            return f"{name} {negation}STARTS_WITH {draw(literal)}"


CONDITIONS = st.recursive(
    single_tests(),
    lambda inner: st.one_of(
        inner.map("NOT ({})".format),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({' AND '.join(parts)})"),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({' OR '.join(parts)})"),
    ),
    max_leaves=5,
)
# What must hold of every run decides the way, so there is often something.
WHERES = st.lists(CONDITIONS, max_size=3).map(" AND ".join)
SORT_KEYS = st.tuples(st.sampled_from([*ORDERED, "Amount", "StartTime"]), st.sampled_from(["", " ASC", " DESC"])).map(
    "".join
)
ORDERS = st.lists(SORT_KEYS, max_size=3).map(lambda keys: " ORDER BY " + ", ".join(keys) if keys else "")
GROUPS = st.lists(st.sampled_from(ORDERED), max_size=2).map(
    lambda names: " GROUP BY " + ", ".join(names) if names else ""
)
BOUNDS = st.sampled_from([1, 10, 30_000])
CHECKED = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(where=WHERES, order=ORDERS, limit=st.integers(1, 60), bound=BOUNDS)
@CHECKED
def test_lists_are_those_of_plain_python(filled: Filled, monkeypatch, where: str, order: str, limit: int, bound: int):
    monkeypatch.setattr(search, "_MANY", bound)
    query = parse(where + order, TYPES)
    expected = [each.key for each in evaluate.page(filled.rows, TYPES, query, None, 1_000)]
    assert [key for page in filled.pages(query, limit) for key in page] == expected


@given(where=WHERES, order=ORDERS, limit=st.integers(1, 40), after=st.integers(0, 149))
@CHECKED
def test_pages_of_plain_python_begin_behind_any_place_too(
    filled: Filled, where: str, order: str, limit: int, after: int
):
    query = parse(where + order, TYPES)
    # A place where no run of the query need be: it may have changed or gone since.
    place = evaluate.place_of(filled.rows[after % len(filled.rows)], TYPES, query)
    expected = [each.key for each in evaluate.page(filled.rows, TYPES, query, place, limit)]
    assert [each.key for each in filled.reader.runs("default", query, place, limit)] == expected


@given(where=WHERES, groups=GROUPS, bound=BOUNDS)
@CHECKED
def test_counts_are_those_of_plain_python(filled: Filled, monkeypatch, where: str, groups: str, bound: int):
    monkeypatch.setattr(search, "_MANY", bound)
    query = parse(where + groups, TYPES, counting=True)
    expected = {group.values: group.count for group in evaluate.count(filled.rows, TYPES, query)}
    assert {group.values: group.count for group in filled.reader.count("default", query)} == expected


def test_a_filter_as_long_as_allowed_is_answered(filled: Filled):
    parts = " OR ".join(["Amount=1", "Rate=2"] * 400)
    assert filled.reader.runs("default", parse(parts, TYPES))
    assert filled.reader.runs("default", parse(f"Amount IN ({','.join(['1'] * 4_000)})", TYPES))
    assert filled.reader.runs(
        "default", parse(f"Customer IN ({','.join(f'{n}' and repr(str(n)) for n in range(1_500))})", TYPES)
    )


def test_nothing_of_a_filter_becomes_sql(filled: Filled):
    query = parse("Customer = '\"); DROP TABLE runs; --' OR Tags STARTS_WITH 'x'' OR 1=1 --'", TYPES)
    assert filled.reader.runs("default", query) == []
    assert filled.reader.runs("default", EVERYTHING)


@pytest.mark.parametrize(
    ("filter", "way"),
    [
        ("Customer = 'a'", "v.attribute = 1"),
        ("Customer = 'a' AND Amount > 1", "v.attribute = 1"),
        ("Amount > 1", "v.attribute ="),
        ("Amount > 1 ORDER BY Amount DESC", "v.attribute ="),
        ("ORDER BY Amount", "v.attribute ="),
        ("NOT Customer = 'a'", "INDEXED BY runs_by_status"),
        ("WorkflowType = 'Loan' ORDER BY StartTime DESC", "INDEXED BY runs_by_status"),
        ("WorkflowId = 'order1'", "runs.key IN"),
    ],
)
def test_each_goes_its_way(filled: Filled, tmp_path: Path, filter: str, way: str):
    statements: list[str] = []
    connection = filled.reader._connection
    connection.set_trace_callback(statements.append)
    try:
        filled.reader.runs("default", parse(filter, TYPES))
    finally:
        connection.set_trace_callback(None)
    (last,) = [each for each in statements if "SELECT runs.*" in each][-1:]
    plan = [line[3] for line in connection.execute(f"EXPLAIN QUERY PLAN {last}")]
    assert way in last
    assert not [line for line in plan if line.startswith("SCAN") and line != "SCAN page"]
