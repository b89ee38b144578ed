"""Queries as SQL.

A query becomes one statement or a few; ``conditions`` writes what is asked of each run.

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
from typing import Any, NamedTuple

from perdure.engine.ports import RunRow
from perdure.engine.search.evaluate import matches
from perdure.model.options import RunStatus
from perdure.model.search import (
    EXECUTION_STATUS,
    START_TIME,
    SYSTEM_ATTRIBUTES,
    And,
    Attribute,
    AttributeType,
    AttributeTypes,
    Compare,
    Condition,
    Group,
    In,
    IsNull,
    Operator,
    Place,
    Query,
    SortKey,
    Value,
)
from perdure.stores.sqlite.conditions import NULLABLE, Bound, Conditions, Sql, all_of, joined, leads, plain
from perdure.stores.sqlite.queries import query as named
from perdure.stores.sqlite.rows import run_row, snapshot
from perdure.stores.sqlite.workflow_ids import workflow_hash

# So many rows of an index are counted, and sorted, in some ten milliseconds.
_MANY = 30_000

# So many runs of one workflow id are looked up one by one.
_FEW = 1_000

Row = tuple[Any, ...]

# Places in a row of runs.
_KEY, _START_TIME = 0, 7

_WORKFLOW_ID = SYSTEM_ATTRIBUTES["WorkflowId"]
_NEWEST_FIRST = (SortKey(START_TIME, descending=True),)


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
        self._sql = Conditions(
            {
                name: id
                for id, namespace_of, name, _ in connection.execute(named("list_attribute_types"))
                if namespace_of == namespace
            }
        )
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
        columns = joined(
            ", ", [Sql(f"{term.column.text} AS s{number}", term.column.values) for number, term in enumerate(terms)]
        )
        where = all_of(conditions)
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
        where = all_of(conditions)
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
            bound = None if last is None else plain(last)
            if attribute == START_TIME:
                terms.append(_Term(start, sort_key.descending, last=bound))
            elif attribute == _attribute_of(way):
                terms.append(_Term(Sql("v.value"), sort_key.descending, last=bound))
            else:
                is_nullable = attribute.is_custom or attribute.name in NULLABLE
                terms.append(_Term(self._sql.column(attribute), sort_key.descending, is_nullable, bound))
        if all(sort_key.attribute != START_TIME for sort_key in self._order):
            terms.append(_Term(start, last=after.start_time if after is not None else None))
        terms.append(_Term(key, last=after.key if after is not None else None))
        return terms

    def count(self) -> list[Group]:
        way = self._best_way(counting=True)
        source, rest = self._source(way)
        groups = [self._sql.column(attribute) for attribute in self._groups]
        needs_runs = bool(rest) or bool(groups) or self._statuses is not None
        columns = joined(", ", [*groups, Sql("count(*)")])
        where = all_of([source, self._where(rest)])
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
        ways = [part for part in self._rest if leads(part)]
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
        return self._bounded(joined(" ", [Sql("SELECT 1 FROM attribute_values AS v WHERE"), self._sql.leading(way)]))

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
            return self._sql.leading(way), [part for part in self._rest if part is not way]
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

    def _where(self, rest: Sequence[Condition]) -> Sql:
        parts = [self._sql.condition(part) for part in rest]
        if self._statuses is not None:
            marks = ", ".join("?" * len(self._statuses))
            parts.append(Sql(f"runs.status IN ({marks})", tuple(map(int, self._statuses))))
        return all_of(parts)


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


# --- order


def _behind(terms: Sequence[_Term]) -> Sql:
    """What comes after a place: by the first term, or by the second where the first is the same, and so on."""
    *before, start, key = terms
    if start.descending and not start.is_nullable:
        behind = Sql(f"({start.column.text}, {key.column.text}) < (?, ?)", (start.last, key.last))
    else:
        before, behind = [*before, start], Sql(f"{key.column.text} < ?", (key.last,))
    for column, descending, is_nullable, last in reversed(before):
        behind = all_of([Sql(f"{column.text} IS ?", (*column.values, last)), behind])
        if last is not None:
            later = Sql(f"{column.text} {'<' if descending else '>'} ?", (*column.values, last))
            if is_nullable:
                later = Sql(f"({later.text} OR {column.text} IS NULL)", later.values + column.values)
            behind = Sql(f"({later.text} OR {behind.text})", later.values + behind.values)
    return behind


def _attribute_of(way: Condition | None) -> Attribute | None:
    return way.attribute if way is not None and leads(way) else None  # type: ignore[union-attr]  # those have one


def _of_type(value: Bound, attribute: Attribute) -> Value | None:
    return bool(value) if attribute.type is AttributeType.BOOL and value is not None else value
