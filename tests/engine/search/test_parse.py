"""From a filter's text to a query, and what is said of one that makes no sense."""

import subprocess
import sys

import pytest

from perdure.engine.search.cursors import cursor_of, place_at
from perdure.engine.search.parse import DEEPEST, LONGEST, parse
from perdure.model.errors import InvalidArgumentError
from perdure.model.options import RunStatus
from perdure.model.search import (
    CUSTOM_TYPES,
    EVERYTHING,
    SYSTEM_ATTRIBUTES,
    And,
    Attribute,
    AttributeType,
    Between,
    Compare,
    In,
    IsNull,
    Not,
    Operator,
    Or,
    Place,
    SortKey,
    StartsWith,
    narrowed,
)

TYPES = {
    "Customer": AttributeType.KEYWORD,
    "Note": AttributeType.TEXT,
    "Amount": AttributeType.INT,
    "Rate": AttributeType.FLOAT,
    "Paid": AttributeType.BOOL,
    "Due": AttributeType.DATETIME,
    "Tags": AttributeType.KEYWORD_LIST,
    "two words": AttributeType.KEYWORD,
}
CUSTOMER, NOTE, AMOUNT, RATE, PAID, DUE, TAGS, TWO_WORDS = (
    Attribute(name, type, is_custom=True) for name, type in TYPES.items()
)
STATUS, START = SYSTEM_ATTRIBUTES["ExecutionStatus"], SYSTEM_ATTRIBUTES["StartTime"]
EQUAL = Operator.EQUAL
DAY_NS = 86_400_000_000_000


def test_every_type_is_tried():
    assert set(TYPES.values()) == set(CUSTOM_TYPES.values())


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("Customer = 'ada'", Compare(CUSTOMER, EQUAL, "ada")),
        ('Customer="it\'s ""quoted"""', Compare(CUSTOMER, EQUAL, 'it\'s "quoted"')),
        ("Customer = 'it''s'", Compare(CUSTOMER, EQUAL, "it's")),
        ("Customer <> ''", Compare(CUSTOMER, Operator.NOT_EQUAL, "")),
        ("`two words` = '漢'", Compare(TWO_WORDS, EQUAL, "漢")),
        ("Amount >= -5", Compare(AMOUNT, Operator.AT_LEAST, -5)),
        ("Amount < 2.5e3", Compare(AMOUNT, Operator.LESS, 2500.0)),
        ("Rate <= .5", Compare(RATE, Operator.AT_MOST, 0.5)),
        ("Amount!=1", Compare(AMOUNT, Operator.NOT_EQUAL, 1)),
        ("Paid = TRUE", Compare(PAID, EQUAL, True)),
        ("Due > '1970-01-02'", Compare(DUE, Operator.MORE, DAY_NS)),
        ("Due > '1970-01-02T01:00:00+01:00'", Compare(DUE, Operator.MORE, DAY_NS)),
        ("Due > '1970-01-01T00:00:00.000000001Z'", Compare(DUE, Operator.MORE, 1)),
        ("Due > '1969-12-31 23:59:59.5'", Compare(DUE, Operator.MORE, -500_000_000)),
        ("Tags = 'vip'", Compare(TAGS, EQUAL, "vip")),
        ("Note = 'Late'", Compare(NOTE, EQUAL, "late")),
        ("Note = 'Late, again'", And((Compare(NOTE, EQUAL, "late"), Compare(NOTE, EQUAL, "again")))),
        ("Note != 'Late'", And((IsNull(NOTE, True), Not(Compare(NOTE, EQUAL, "late"))))),
        ("ExecutionStatus = 'timed_out'", Compare(STATUS, EQUAL, int(RunStatus.TIMED_OUT))),
        ("ExecutionStatus IN ('Running', 'TimedOut')", In(STATUS, (1, 7))),
        ("ExecutionDuration > '1h30m'", Compare(SYSTEM_ATTRIBUTES["ExecutionDuration"], Operator.MORE, 5_400 * 10**9)),
        ("ExecutionDuration > 5", Compare(SYSTEM_ATTRIBUTES["ExecutionDuration"], Operator.MORE, 5)),
        ("Amount not in (1, 2, 1)", In(AMOUNT, (1, 2), True)),
        (
            "Amount BETWEEN 1 AND 2 AND Amount NOT BETWEEN 3 AND 4",
            And((Between(AMOUNT, 1, 2), Between(AMOUNT, 3, 4, True))),
        ),
        (
            "Customer STARTS_WITH 'a' OR Tags not starts_with 'b'",
            Or((StartsWith(CUSTOMER, "a"), StartsWith(TAGS, "b", True))),
        ),
        ("Amount IS NULL OR Note is not null", Or((IsNull(AMOUNT), IsNull(NOTE, True)))),
        (
            "NOT Amount = 1 AND Amount = 2 OR Amount = 3",
            Or((And((Not(Compare(AMOUNT, EQUAL, 1)), Compare(AMOUNT, EQUAL, 2))), Compare(AMOUNT, EQUAL, 3))),
        ),
        ("NOT (Amount = 1 OR Amount = 2)", Not(Or((Compare(AMOUNT, EQUAL, 1), Compare(AMOUNT, EQUAL, 2))))),
        ("((Amount = 1))", Compare(AMOUNT, EQUAL, 1)),
    ],
)
def test_conditions(text, where):
    query = parse(text, TYPES)
    assert query.where == where
    assert (query.order, query.groups) == ((), ())


def test_nothing_asks_for_everything():
    assert parse("", TYPES) == parse("  \n", TYPES) == EVERYTHING


def test_order_and_groups():
    query = parse("Amount > 1\nORDER BY Amount DESC, Customer, StartTime asc", TYPES)
    assert query.order == (SortKey(AMOUNT, True), SortKey(CUSTOMER), SortKey(START))
    assert parse("order by Amount", TYPES).where is None
    assert parse("Amount > 1 GROUP BY Customer, ExecutionStatus", TYPES, counting=True).groups == (CUSTOMER, STATUS)


def problem(text: str, **options: bool) -> str:
    with pytest.raises(InvalidArgumentError) as raised:
        parse(text, TYPES, **options)
    return str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # not the language
        ("Amount > 3; DROP TABLE runs", "column 11: there is ';'; expected"),
        ("Amount > 3 DROP TABLE runs", "column 12: there is 'DROP'; expected AND, OR, the end, GROUP or ORDER"),
        ("Customer = '' OR 1=1 --", "column 18: there is '1'; expected the name of an attribute"),
        ("Customer = 'x' UNION SELECT * FROM runs", "column 16: there is 'UNION'"),
        ("SELECT * FROM runs", "column 8: there is '*'"),
        (
            "Customer = Customer",
            "column 12: there is 'Customer' (a text needs quotes: 'Customer'); expected a text in quotes",
        ),
        ("Customer = 'ada", "column 12: a quote is opened here and never closed"),
        ("(Amount = 1", "column 12: the filter ends; expected ')'"),
        ("Amount = 1)", "column 11: there is ')'"),
        ("Amount IN ()", "column 12: there is ')'; expected a text in quotes, a number or true or false"),
        ("Amount BETWEEN 1 OR 2", "column 18: there is 'OR'; expected AND"),
        ("Amount", "column 7: the filter ends; expected a comparison such as ="),
        ("Amount == 1", "column 9: there is '='; expected a text in quotes"),
        ("Amount = 1 ORDER BY", "column 20: the filter ends; expected the name of an attribute"),
        ("Amount = 1 LIMIT 5", "column 12: there is 'LIMIT'"),
        ("Amount = 12abc", "column 10: there is '12abc'"),
        (
            "Amount = 1 AND\n\n  Custmer = 'ada'",
            "line 3, column 3: there is no attribute 'Custmer'; did you mean Customer",
        ),
        # names
        ("customer = 'ada'", "column 1: there is no attribute 'customer'; did you mean Customer?"),
        ("Weather = 'fine'", "column 1: there is no attribute 'Weather'; no run of this namespace has it"),
        ("Amount = 1 ORDER BY Amont", "column 21: there is no attribute 'Amont'"),
        # types
        ("Amount = '5'", "column 10: Amount is int, so a number is expected here, not '5'"),
        ("Customer = 5", "column 12: Customer is keyword, so a text in quotes is expected here, not 5"),
        ("Paid = 'true'", "column 8: Paid is bool, so true or false is expected here"),
        ("Paid > true", "column 1: Paid is bool, which has no order; > can't compare it"),
        ("Tags < 'a'", "column 1: Tags is keyword_list, which has no order"),
        ("ExecutionStatus > 'Running'", "column 1: ExecutionStatus is status, which has no order"),
        ("ExecutionStatus = 'Runing'", "column 19: 'Runing' is no status; there are Running, Completed"),
        ("StartTime > 'yesterday'", "column 13: 'yesterday' is no time; write it as"),
        ("StartTime > '2026-02-30'", "column 13: '2026-02-30' is no time"),
        ("StartTime > '9999-01-01'", "column 13: '9999-01-01' is out of range; times go from the year 1678 to 2261"),
        ("StartTime > 5", "column 13: StartTime is datetime, so a time in quotes"),
        ("ExecutionDuration > 'long'", "column 21: 'long' is no duration"),
        ("ExecutionDuration > '9999999999d'", "column 21: '9999999999d' is out of range"),
        ("Amount STARTS_WITH '1'", "column 1: Amount is int; STARTS_WITH is for keywords"),
        ("Customer STARTS_WITH 1", "column 22: Customer is keyword"),
        ("Note IN ('a')", "column 1: Note is text; ask for its words"),
        ("Note = '...'", "column 8: there is no word in it"),
        ("Amount = 99999999999999999999", "column 10: 99999999999999999999 is out of range; integers have 64 bits"),
        ("Rate = 1e999", "column 8: 1e999 is out of range"),
        ("ORDER BY Tags", "column 10: Tags is keyword_list; runs can't be sorted by it"),
        ("Amount = 1 GROUP BY Amount", "column 21: GROUP BY is for counting"),
    ],
)
def test_mistakes_are_told_with_their_place(text, message):
    told = problem(text)
    assert message in told
    *_, shown, mark = told.splitlines()
    number = int(told.partition("column ")[2].partition(":")[0])
    assert mark.index("^") - 2 == number - 1
    assert shown.strip() in text


def test_mistakes_of_counting():
    assert "ORDER BY is for lists" in problem("ORDER BY Amount", counting=True)
    assert "Note is text; runs can't be counted by it" in problem("GROUP BY Note", counting=True)


def test_a_mistake_in_a_long_line_is_shown_with_what_is_around_it():
    told = problem(" AND ".join(["Amount = 1"] * 100) + " AND Amount = 'x'")
    shown, mark = told.splitlines()[1:]
    assert len(shown) < 130
    assert shown[mark.index("^")] == "'"


def test_limits():
    assert f"{LONGEST:,} are the most" in problem("Amount = 1 OR " * 1000)
    assert f"nested more than {DEEPEST} deep" in problem("NOT " * 60 + "Amount = 1")
    assert parse("(" * 2000 + "Amount = 1" + ")" * 2000, TYPES).where == Compare(AMOUNT, EQUAL, 1)
    assert parse(" OR ".join(["Amount=1"] * 800), TYPES).where is not None


def test_the_library_is_loaded_by_the_first_filter_only():
    code = "import sys, perdure, perdure.engine.search.parse as p; p.parse('', {}); assert 'lark' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_a_cursor_belongs_to_its_query():
    query = parse("Amount > 1 ORDER BY Amount", TYPES)
    place = Place((5,), 7, 9)
    cursor = cursor_of(place, query)
    assert place_at(cursor, query) == place
    assert place_at(cursor, parse("Amount>1 ORDER BY  Amount ASC", TYPES)) == place
    assert place_at("", query) is None
    with pytest.raises(InvalidArgumentError, match="another filter"):
        place_at(cursor, parse("Amount > 2 ORDER BY Amount", TYPES))
    for nonsense in ("17", "zzz", cursor[:-4], "é"):
        with pytest.raises(InvalidArgumentError, match="Begin again"):
            place_at(nonsense, query)


def test_words_beside_a_filter_narrow_it():
    assert narrowed(EVERYTHING) is EVERYTHING
    query = narrowed(parse("Amount = 1 ORDER BY Amount", TYPES), [RunStatus.RUNNING], "Loan")
    assert isinstance(query.where, And) and len(query.where.parts) == 3
    assert query.order


def test_the_first_filter_does_not_hold_up_the_loop() -> None:
    """In a process of its own: the library is loaded by another thread than the loop's."""
    code = (
        "import asyncio, sys, threading\n"
        "from perdure.engine.search import parse\n"
        "load, where = parse._parser.__wrapped__, []\n"
        "parse._parser = parse.cache(lambda: where.append(threading.current_thread()) or load())\n"
        "async def main():\n"
        "    await parse.make_ready('')\n"
        "    assert 'lark' not in sys.modules\n"
        "    await parse.make_ready('A = 1')\n"
        "    await parse.make_ready('B = 1')\n"
        "    assert parse.parse('WorkflowType IS NULL', {}) is not None\n"
        "    assert where and threading.main_thread() not in where and len(where) == 1\n"
        "asyncio.run(main())\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
