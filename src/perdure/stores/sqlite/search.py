"""Queries as SQL.

A query becomes one statement or a few. Names come from the tables here and values are bound, so nothing of a filter's
text ever becomes part of a statement.

There are three ways to the first page, and each is bad where another is good:

- *by value*: through ``attribute_values``, for a condition that every run must fulfil (``Customer = 'ada'``). Runs of
  one value lie there in the default order already; a range has to be sorted.
- *by status*: through ``runs_by_status``, newest first, checking each run until the page is full. Good if there are
  few runs of that status, or if many of them fit.
- *all*: where the order is another one, whatever is left has to be sorted.

So before choosing, each way is asked how many runs it leads to, counting no further than ``_MANY``, which takes a few
milliseconds at most.
"""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple, assert_never

from perdure.engine.ports import RunRow
from perdure.engine.search.evaluate import matches, parent_of
from perdure.model.options import RunStatus
from perdure.model.search import (
    EXECUTION_STATUS,
    And,
    Attribute,
    AttributeType,
    AttributeTypes,
    Between,
    Compare,
    Condition,
    Group,
    In,
    IsNull,
    Not,
    Operator,
    Or,
    Place,
    Query,
    SortKey,
    StartsWith,
    Value,
)
from perdure.stores.sqlite.queries import query as named
from perdure.stores.sqlite.rows import run_row, snapshot

# So many rows of an index are counted, and sorted, in some ten milliseconds.
_MANY = 30_000

_COLUMNS = {
    "WorkflowId": "runs.workflow_id",
    "RunId": "runs.run_id",
    "WorkflowType": "runs.workflow_type",
    "ExecutionStatus": "runs.status",
    "StartTime": "runs.start_time",
    "CloseTime": "nullif(runs.close_time, 0)",
    "ExecutionDuration": "CASE WHEN runs.close_time > 0 THEN runs.close_time - runs.start_time END",
    "TaskQueue": "runs.task_queue",
    "HistoryLength": "runs.history_length",
    "ParentWorkflowId": "parent_workflow_id(runs.parent)",
    "ParentRunId": "parent_run_id(runs.parent)",
    "BuildId": "nullif(runs.build_id, '')",
}
_NULLABLE = {"CloseTime", "ExecutionDuration", "ParentWorkflowId", "ParentRunId", "BuildId"}

_SIGNS = {
    Operator.EQUAL: "=",
    Operator.NOT_EQUAL: "!=",
    Operator.LESS: "<",
    Operator.AT_MOST: "<=",
    Operator.MORE: ">",
    Operator.AT_LEAST: ">=",
}

_LISTS = (AttributeType.TEXT, AttributeType.KEYWORD_LIST)

Bound = str | int | float | None


class Sql(NamedTuple):
    """A piece of a statement and the values for its question marks."""

    text: str
    values: tuple[Bound, ...] = ()


def add_functions(connection: sqlite3.Connection) -> None:
    """What the statements need of ours. For connections that read."""
    connection.create_function("parent_workflow_id", 1, _parent_workflow_id, deterministic=True)
    connection.create_function("parent_run_id", 1, _parent_run_id, deterministic=True)


def _parent_workflow_id(data: bytes) -> str | None:
    parent = parent_of(data)
    return None if parent is None else parent.workflow_id


def _parent_run_id(data: bytes) -> str | None:
    parent = parent_of(data)
    return None if parent is None else parent.run_id


def attribute_types(connection: sqlite3.Connection) -> dict[str, AttributeTypes]:
    """The types of custom attributes, by namespace."""
    found: dict[str, dict[str, AttributeType]] = {}
    for _, namespace, name, type in connection.execute(named("list_attribute_types")):
        found.setdefault(namespace, {})[name] = AttributeType(type)
    return dict(found)


def list_runs(
    connection: sqlite3.Connection, namespace: str, query: Query, after: Place | None, limit: int
) -> list[RunRow]:
    """A page of the query's runs."""
    with snapshot(connection):
        search = _Search(connection, namespace, query)
        return [run_row(row) for row in search.page(after, limit)]


def count_runs(connection: sqlite3.Connection, namespace: str, query: Query) -> list[Group]:
    """How many runs the query has, by group."""
    with snapshot(connection):
        return _Search(connection, namespace, query).count()


class _Search:
    """One query on one connection."""

    def __init__(self, connection: sqlite3.Connection, namespace: str, query: Query) -> None:
        self._connection = connection
        self._namespace = namespace
        self._query = query
        self._ids = {
            name: id
            for id, namespace_of, name, _ in connection.execute(named("list_attribute_types"))
            if namespace_of == namespace
        }
        self._statuses, self._rest = _split(query.where)

    # --- the ways

    def page(self, after: Place | None, limit: int) -> list[tuple[Bound, ...]]:
        way = self._best_way()
        order = self._query.order
        if way is None and not order:
            return self._by_status(after, limit)
        sort = [*map(self._sort_column, order), Sql("start"), Sql("key")]
        directions = [*("DESC" if key.descending else "ASC" for key in order), "DESC", "DESC"]
        source, rest = self._source(way)
        if order and order[0].attribute.is_custom and way is not None and order[0].attribute == _attribute_of(way):
            sort[0] = Sql("v.value")
        conditions = [source, self._where(rest)]
        start, key = ("v.start_time", "v.key") if way is not None else ("runs.start_time", "runs.key")
        sort[-2:] = [Sql(start), Sql(key)]
        if after is not None:
            conditions.append(_behind(sort, order, after))
        needs_runs = way is None or bool(rest) or self._statuses is not None or len(order) > (sort[0].text == "v.value")
        tables = _tables(way is not None, needs_runs)
        names = [f"s{number}" for number in range(len(sort))]
        columns = _joined(
            ", ", [Sql(f"{each.text} AS {name}", each.values) for each, name in zip(sort, names, strict=True)]
        )
        nulls = ["" if each.text in ("v.value", start, key) else " NULLS LAST" for each in sort]
        terms = ", ".join(
            f"{name} {direction}{last}" for name, direction, last in zip(names, directions, nulls, strict=True)
        )
        inner = _joined(" ", [Sql("SELECT"), columns, Sql(f"FROM {tables} WHERE"), _all(conditions)])
        statement = (
            f"SELECT runs.* FROM ({inner.text} ORDER BY {terms} LIMIT ?) AS page "
            f"CROSS JOIN runs ON runs.key = page.{names[-1]} ORDER BY {terms}"
        )
        return self._connection.execute(statement, (*inner.values, limit)).fetchall()

    def _by_status(self, after: Place | None, limit: int) -> list[tuple[Bound, ...]]:
        """Newest first, of each status by itself: that is the order of the index, so each stops when it has enough."""
        conditions = [self._where(self._rest)]
        if after is not None:
            conditions.append(Sql("(runs.start_time, runs.key) < (?, ?)", (after.start_time, after.key)))
        where = _all(conditions)
        found: list[tuple[Bound, ...]] = []
        for status in RunStatus if self._statuses is None else self._statuses:
            found += self._connection.execute(
                "SELECT runs.* FROM runs INDEXED BY runs_by_status "
                f"WHERE runs.namespace = ? AND runs.status = ? AND {where.text} "
                "ORDER BY runs.start_time DESC, runs.key DESC LIMIT ?",
                (self._namespace, int(status), *where.values, limit),
            )
        found.sort(key=lambda row: (row[7], row[0]), reverse=True)
        return found[:limit]

    def count(self) -> list[Group]:
        way = self._best_way(counting=True)
        source, rest = self._source(way)
        groups = [self._column(attribute) for attribute in self._query.groups]
        needs_runs = way is None or bool(rest) or bool(groups) or self._statuses is not None
        columns = _joined(", ", [*groups, Sql("count(*)")])
        where = _all([source, self._where(rest)])
        tables = _tables(way is not None, needs_runs)
        statement = f"SELECT {columns.text} FROM {tables} WHERE {where.text}"
        if groups:
            statement += " GROUP BY " + ", ".join(str(number) for number in range(1, len(groups) + 1))
        rows = self._connection.execute(statement, columns.values + where.values)
        return [
            Group(tuple(_of_type(value, group) for value, group in zip(values, self._query.groups, strict=True)), count)
            for *values, count in rows
        ]

    def _best_way(self, *, counting: bool = False) -> Condition | None:
        """The condition to go by; None to go by status."""
        ways = [part for part in self._rest if _leads(part)]
        if not ways:
            return None
        sorted_ways = [way for way in ways if self._is_sorted(way)]
        if len(ways) == 1 and (counting or (sorted_ways and self._statuses is None)):
            return ways[0]
        sizes = [self._size(way) for way in ways]
        smallest = min(sizes)
        if self._statuses is not None and self._status_size() < smallest:
            return None
        if smallest >= _MANY and not counting:
            if sorted_ways:
                return sorted_ways[0]
            if not self._query.order:
                return None
        return ways[sizes.index(smallest)]

    def _is_sorted(self, way: Condition) -> bool:
        """Whether the index has the runs of this condition in the order wanted."""
        order = self._query.order
        if order:
            return order[0].attribute == _attribute_of(way)
        return isinstance(way, Compare) and way.operator is Operator.EQUAL

    def _size(self, way: Condition) -> int:
        return self._bounded(_joined(" ", [Sql("SELECT 1 FROM attribute_values AS v WHERE"), self._leading(way)]))

    def _status_size(self) -> int:
        marks = ", ".join("?" * len(self._statuses or ()))
        return self._bounded(
            Sql(
                f"SELECT 1 FROM runs INDEXED BY runs_by_status WHERE namespace = ? AND status IN ({marks})",
                (self._namespace, *map(int, self._statuses or ())),
            )
        )

    def _bounded(self, rows: Sql) -> int:
        statement = f"SELECT count(*) FROM ({rows.text} LIMIT {_MANY})"
        size: int = self._connection.execute(statement, rows.values).fetchone()[0]
        return size

    def _source(self, way: Condition | None) -> tuple[Sql, list[Condition]]:
        """Where the runs come from, as a condition, and what is still to be checked of them."""
        if way is None:
            return Sql("runs.namespace = ?", (self._namespace,)), self._rest
        return self._leading(way), [part for part in self._rest if part is not way]

    # --- conditions

    def _where(self, rest: Sequence[Condition]) -> Sql:
        parts = [self._condition(part) for part in rest]
        if self._statuses is not None:
            marks = ", ".join("?" * len(self._statuses))
            parts.append(Sql(f"runs.status IN ({marks})", tuple(map(int, self._statuses))))
        return _all(parts)

    def _condition(self, condition: Condition) -> Sql:
        match condition:
            case And(parts):
                return _all([self._condition(part) for part in parts])
            case Or(parts):
                return _balanced(" OR ", [self._condition(part) for part in parts])
            case Not(part):
                inner = self._condition(part)
                return Sql(f"(NOT {inner.text})", inner.values)
            case IsNull(attribute, negated):
                return self._is_null(attribute, negated)
            case Compare() | In() | Between() | StartsWith():
                return self._custom(condition) if condition.attribute.is_custom else _system(condition)
            case _:
                assert_never(condition)

    def _is_null(self, attribute: Attribute, negated: bool) -> Sql:
        if attribute.is_custom:
            found = self._exists(attribute)
            return found if negated else Sql(f"(NOT {found.text})", found.values)
        return Sql(f"({_COLUMNS[attribute.name]} IS {'NOT ' if negated else ''}NULL)")

    def _custom(self, condition: Compare | In | Between | StartsWith) -> Sql:
        attribute = condition.attribute
        if attribute.type in _LISTS and _is_negative(condition):
            # Of several values, none may be so; and there must be one.
            positive = self._exists(attribute, _test("v.value", _positive(condition)))
            present = self._exists(attribute)
            return Sql(f"({present.text} AND NOT {positive.text})", present.values + positive.values)
        return self._exists(attribute, _test("v.value", condition))

    def _exists(self, attribute: Attribute, test: Sql | None = None) -> Sql:
        test = test or Sql("1")
        return Sql(
            "EXISTS (SELECT 1 FROM attribute_values AS v INDEXED BY attribute_values_by_key "
            f"WHERE v.key = runs.key AND v.attribute = ? AND {test.text})",
            (self._ids.get(attribute.name, 0), *test.values),
        )

    def _leading(self, way: Condition) -> Sql:
        assert isinstance(way, Compare | In | Between | StartsWith)
        test = _test("v.value", way)
        return Sql(f"v.attribute = ? AND {test.text}", (self._ids.get(way.attribute.name, 0), *test.values))

    # --- columns

    def _column(self, attribute: Attribute) -> Sql:
        if not attribute.is_custom:
            return Sql(_COLUMNS[attribute.name])
        return Sql(
            "(SELECT v.value FROM attribute_values AS v INDEXED BY attribute_values_by_key "
            "WHERE v.key = runs.key AND v.attribute = ?)",
            (self._ids.get(attribute.name, 0),),
        )

    def _sort_column(self, key: SortKey) -> Sql:
        return self._column(key.attribute)


def _tables(by_value: bool, needs_runs: bool) -> str:
    if not by_value:
        return "runs"
    return "attribute_values AS v CROSS JOIN runs ON runs.key = v.key" if needs_runs else "attribute_values AS v"


def _split(where: Condition | None) -> tuple[tuple[RunStatus, ...] | None, list[Condition]]:
    """What must hold of every run: the statuses it may have (None for any), and the rest."""
    if where is None:
        return None, []
    parts = list(where.parts) if isinstance(where, And) else [where]
    statuses: tuple[RunStatus, ...] | None = None
    rest: list[Condition] = []
    for part in parts:
        if isinstance(part, Compare | In) and part.attribute == EXECUTION_STATUS:
            allowed = [s for s in RunStatus if matches(part, lambda _, s=s: int(s))]  # type: ignore[misc]
            statuses = tuple(s for s in allowed if statuses is None or s in statuses)
        elif isinstance(part, And):
            more, inner = _split(part)
            if more is not None:
                statuses = more if statuses is None else tuple(s for s in more if s in statuses)
            rest += inner
        else:
            rest.append(part)
    return statuses, rest


def _leads(condition: Condition) -> bool:
    """Whether the runs that fulfil it lie together in ``attribute_values``, each once."""
    match condition:
        case Compare(attribute, operator, _):
            return attribute.is_custom and operator is not Operator.NOT_EQUAL
        case In(attribute, _, negated) | StartsWith(attribute, _, negated):
            return attribute.is_custom and not negated and attribute.type not in _LISTS
        case Between(attribute, _, _, negated):
            return attribute.is_custom and not negated
        case _:
            return False


def _attribute_of(condition: Condition) -> Attribute | None:
    return condition.attribute if isinstance(condition, Compare | In | Between | StartsWith) else None


def _system(condition: Compare | In | Between | StartsWith) -> Sql:
    name = condition.attribute.name
    test = _test(_COLUMNS[name], condition)
    if name not in _NULLABLE:
        return test
    return Sql(f"({_COLUMNS[name]} IS NOT NULL AND {test.text})", test.values)


def _test(column: str, condition: Compare | In | Between | StartsWith) -> Sql:
    match condition:
        case Compare(_, operator, value):
            return Sql(f"{column} {_SIGNS[operator]} ?", (_plain(value),))
        case In(_, values, negated):
            marks = ", ".join("?" * len(values))
            return Sql(f"{column} {'NOT ' if negated else ''}IN ({marks})", tuple(map(_plain, values)))
        case Between(_, low, high, negated):
            return Sql(f"{column} {'NOT ' if negated else ''}BETWEEN ? AND ?", (_plain(low), _plain(high)))
        case StartsWith(_, prefix, negated):
            end = _end_of(prefix)
            if end is None:
                test = Sql(f"{column} >= ?", (prefix,))
            else:
                test = Sql(f"({column} >= ? AND {column} < ?)", (prefix, end))
            return Sql(f"(NOT {test.text})", test.values) if negated else test
        case _:
            assert_never(condition)


def _end_of(prefix: str) -> str | None:
    """The first text behind all that start so; None if there is none. UTF-8 sorts as code points do."""
    for place in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[place]) + 1
        if code <= 0x10FFFF:
            return prefix[:place] + chr(0xE000 if 0xD800 <= code <= 0xDFFF else code)
    return None


def _is_negative(condition: Compare | In | Between | StartsWith) -> bool:
    return condition.operator is Operator.NOT_EQUAL if isinstance(condition, Compare) else condition.negated


def _positive(condition: Compare | In | Between | StartsWith) -> Compare | In | Between | StartsWith:
    match condition:
        case Compare(attribute, _, value):
            return Compare(attribute, Operator.EQUAL, value)
        case In(attribute, values, _):
            return In(attribute, values)
        case StartsWith(attribute, prefix, _):
            return StartsWith(attribute, prefix)
        case Between(attribute, low, high, _):
            return Between(attribute, low, high)
        case _:
            assert_never(condition)


def _plain(value: Value) -> str | int | float:
    return int(value) if isinstance(value, bool) else value


def _of_type(value: Bound, attribute: Attribute) -> Value | None:
    return bool(value) if attribute.type is AttributeType.BOOL and value is not None else value


# --- order


def _behind(columns: Sequence[Sql], order: Sequence[SortKey], place: Place) -> Sql:
    """What comes after a place: by the first key, or by the second where the first is the same, and so on."""
    behind = Sql(f"({columns[-2].text}, {columns[-1].text}) < (?, ?)", (place.start_time, place.key))
    for column, key, last in reversed(list(zip(columns, order, place.values, strict=False))):
        same = Sql(f"{column.text} IS ?", (*column.values, None if last is None else _plain(last)))
        behind = _all([same, behind])
        if last is not None:
            sign = "<" if key.descending else ">"
            later = Sql(
                f"({column.text} {sign} ? OR {column.text} IS NULL)", (*column.values, _plain(last), *column.values)
            )
            behind = Sql(f"({later.text} OR {behind.text})", later.values + behind.values)
    return behind


# --- pieces


def _joined(separator: str, parts: Sequence[Sql]) -> Sql:
    return Sql(separator.join(part.text for part in parts), tuple(value for part in parts for value in part.values))


def _all(parts: Sequence[Sql]) -> Sql:
    return _balanced(" AND ", [part for part in parts if part.text != "1"])


def _balanced(separator: str, parts: Sequence[Sql]) -> Sql:
    """Halves of halves in parentheses: SQLite takes a long chain for a deep one, and refuses it."""
    if not parts:
        return Sql("1")
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    inner = _joined(separator, [_balanced(separator, parts[:middle]), _balanced(separator, parts[middle:])])
    return Sql(f"({inner.text})", inner.values)
