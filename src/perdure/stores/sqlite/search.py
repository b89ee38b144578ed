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
from typing import Any, NamedTuple, assert_never

from perdure.engine.ports import RunRow
from perdure.engine.search.evaluate import matches, parent_of
from perdure.model.options import RunStatus
from perdure.model.search import (
    EXECUTION_STATUS,
    START_TIME,
    SYSTEM_ATTRIBUTES,
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
from perdure.stores.sqlite.workflow_ids import workflow_hash

# So many rows of an index are counted, and sorted, in some ten milliseconds.
_MANY = 30_000

# So many runs of one workflow id are looked up one by one.
_FEW = 1_000

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
Row = tuple[Any, ...]

# Places in a row of runs.
_KEY, _START_TIME = 0, 7

_WORKFLOW_ID = SYSTEM_ATTRIBUTES["WorkflowId"]
_NEWEST_FIRST = (SortKey(START_TIME, descending=True),)


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


class _Term(NamedTuple):
    """One term of an order: a column, and the value there of the run that the last page ended with."""

    column: Sql
    descending: bool = True
    is_nullable: bool = False
    last: Bound = None


class _Search:
    """One query on one connection."""

    def __init__(self, connection: sqlite3.Connection, namespace: str, query: Query) -> None:
        self._connection = connection
        self._namespace = namespace
        self._groups = query.groups
        # The default order need not be asked for.
        self._order = () if query.order == _NEWEST_FIRST else query.order
        self._ids = {
            name: id
            for id, namespace_of, name, _ in connection.execute(named("list_attribute_types"))
            if namespace_of == namespace
        }
        self._statuses, self._rest = _split(query.where)
        self._keys = self._keys_of_workflow()

    # --- the ways

    def page(self, after: Place | None, limit: int) -> list[Row]:
        """A page in the query's order."""
        if after is not None:
            # Without those that the default order took the place of.
            after = Place(after.values[: len(self._order)], after.start_time, after.key)
        first = self._order[0].attribute if self._order else None
        if first is None or not first.is_custom or any(_attribute_of(part) == first for part in self._rest):
            return self._page(after, limit)
        # Those that have a value lie in its order; those without one come last, in the order of what follows.
        order, rest, found = self._order, self._rest, []
        if after is None or after.values[0] is not None:
            self._rest = [*rest, IsNull(first, negated=True)]
            found = self._page(after, limit)
            after = None
        if len(found) < limit:
            self._order, self._rest = order[1:], [*rest, IsNull(first)]
            if after is not None:
                after = Place(after.values[1:], after.start_time, after.key)
            found += self._page(after, limit - len(found))
        return found

    def _page(self, after: Place | None, limit: int) -> list[Row]:
        way = self._best_way()
        if way is None and self._is_by_start and self._keys is None:
            return self._by_status(after, limit)
        source, rest = self._source(way)
        terms = self._terms(way, after)
        conditions = [source, self._where(rest)]
        if after is not None:
            conditions.append(_behind(terms))
        needs_runs = bool(rest) or self._statuses is not None or any("runs." in term.column.text for term in terms)
        columns = _joined(
            ", ", [Sql(f"{term.column.text} AS s{number}", term.column.values) for number, term in enumerate(terms)]
        )
        where = _all(conditions)
        order = ", ".join(
            f"s{number}{' DESC' if term.descending else ''}{' NULLS LAST' if term.is_nullable else ''}"
            for number, term in enumerate(terms)
        )
        statement = (
            f"SELECT runs.* FROM (SELECT {columns.text} FROM {_tables(way, needs_runs)} WHERE {where.text} "
            f"ORDER BY {order} LIMIT ?) AS page CROSS JOIN runs ON runs.key = page.s{len(terms) - 1} ORDER BY {order}"
        )
        return self._connection.execute(statement, (*columns.values, *where.values, limit)).fetchall()

    def _by_status(self, after: Place | None, limit: int) -> list[Row]:
        """By start, of each status by itself: that is the order of the index, so each stops when it has enough."""
        terms = self._terms(None, after)
        conditions = [self._where(self._rest)]
        if after is not None:
            conditions.append(_behind(terms))
        where = _all(conditions)
        direction = " DESC" if terms[0].descending else ""
        found: list[Row] = []
        for status in RunStatus if self._statuses is None else self._statuses:
            found += self._connection.execute(
                "SELECT runs.* FROM runs INDEXED BY runs_by_status "
                f"WHERE runs.namespace = ? AND runs.status = ? AND {where.text} "
                f"ORDER BY runs.start_time{direction}, runs.key DESC LIMIT ?",
                (self._namespace, int(status), *where.values, limit),
            )
        found.sort(key=lambda row: row[_KEY], reverse=True)
        found.sort(key=lambda row: row[_START_TIME], reverse=terms[0].descending)
        return found[:limit]

    def _terms(self, way: Condition | None, after: Place | None) -> list[_Term]:
        """The whole order, down to the key. What the index of values holds is taken from there."""
        start, key = (
            (Sql("v.start_time"), Sql("v.key")) if way is not None else (Sql("runs.start_time"), Sql("runs.key"))
        )
        lasts = after.values if after is not None else (None,) * len(self._order)
        terms: list[_Term] = []
        for sort_key, last in zip(self._order, lasts, strict=True):
            attribute = sort_key.attribute
            bound = None if last is None else _plain(last)
            if attribute == START_TIME:
                terms.append(_Term(start, sort_key.descending, last=bound))
            elif attribute == _attribute_of(way):
                terms.append(_Term(Sql("v.value"), sort_key.descending, last=bound))
            else:
                is_nullable = attribute.is_custom or attribute.name in _NULLABLE
                terms.append(_Term(self._column(attribute), sort_key.descending, is_nullable, bound))
        if all(sort_key.attribute != START_TIME for sort_key in self._order):
            terms.append(_Term(start, last=after.start_time if after is not None else None))
        terms.append(_Term(key, last=after.key if after is not None else None))
        return terms

    def count(self) -> list[Group]:
        way = self._best_way(counting=True)
        source, rest = self._source(way)
        groups = [self._column(attribute) for attribute in self._groups]
        needs_runs = bool(rest) or bool(groups) or self._statuses is not None
        columns = _joined(", ", [*groups, Sql("count(*)")])
        where = _all([source, self._where(rest)])
        statement = f"SELECT {columns.text} FROM {_tables(way, needs_runs)} WHERE {where.text}"
        if groups:
            statement += " GROUP BY " + ", ".join(str(number) for number in range(1, len(groups) + 1))
        rows = self._connection.execute(statement, columns.values + where.values)
        return [
            Group(tuple(_of_type(value, group) for value, group in zip(values, self._groups, strict=True)), count)
            for *values, count in rows
        ]

    @property
    def _is_by_start(self) -> bool:
        return not self._order or (len(self._order) == 1 and self._order[0].attribute == START_TIME)

    def _best_way(self, *, counting: bool = False) -> Condition | None:
        """The condition to go by; None to go by status."""
        ways = [part for part in self._rest if _leads(part)]
        if not ways or self._keys is not None:
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
            if self._is_by_start:
                return None
        return ways[sizes.index(smallest)]

    def _is_sorted(self, way: Condition) -> bool:
        """Whether the index has the runs of this condition in the order wanted."""
        first = self._order[0].attribute if self._order else START_TIME
        if first == START_TIME:
            return isinstance(way, Compare) and way.operator is Operator.EQUAL
        return first == _attribute_of(way)

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
        if way is not None:
            return self._leading(way), [part for part in self._rest if part is not way]
        source = Sql("runs.namespace = ?", (self._namespace,))
        if self._keys is not None:
            marks = ", ".join("?" * len(self._keys))
            source = Sql(f"{source.text} AND runs.key IN ({marks})", (*source.values, *self._keys))
        return source, self._rest

    def _keys_of_workflow(self) -> list[int] | None:
        """Where all must be of one workflow id: the few keys that they may have. None where it is not so."""
        for part in self._rest:
            if isinstance(part, Compare) and part.attribute == _WORKFLOW_ID and part.operator is Operator.EQUAL:
                hash = workflow_hash(self._namespace, str(part.value))
                wanted = (hash, self._namespace, part.value, _FEW)
                keys = [key for (key,) in self._connection.execute(named("list_keys_of_workflow"), wanted)]
                return keys if len(keys) < _FEW else None
        return None

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
        if isinstance(way, IsNull):
            return Sql("v.attribute = ?", (self._ids.get(way.attribute.name, 0),))
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


def _tables(way: Condition | None, needs_runs: bool) -> str:
    if way is None:
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
        case IsNull(attribute, negated):
            return attribute.is_custom and negated and attribute.type not in _LISTS
        case _:
            return False


def _attribute_of(way: Condition | None) -> Attribute | None:
    return way.attribute if way is not None and _leads(way) else None  # type: ignore[union-attr]  # those have one


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


def _behind(terms: Sequence[_Term]) -> Sql:
    """What comes after a place: by the first term, or by the second where the first is the same, and so on."""
    *before, start, key = terms
    if start.descending and not start.is_nullable:
        behind = Sql(f"({start.column.text}, {key.column.text}) < (?, ?)", (start.last, key.last))
    else:
        before, behind = [*before, start], Sql(f"{key.column.text} < ?", (key.last,))
    for column, descending, is_nullable, last in reversed(before):
        behind = _all([Sql(f"{column.text} IS ?", (*column.values, last)), behind])
        if last is not None:
            later = Sql(f"{column.text} {'<' if descending else '>'} ?", (*column.values, last))
            if is_nullable:
                later = Sql(f"({later.text} OR {column.text} IS NULL)", later.values + column.values)
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
