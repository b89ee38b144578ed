"""Conditions as SQL: what is true of a run is asked of its row, and of what it is found by.

Names come from the tables here and values are bound, so nothing of a filter's text ever becomes part of a statement.
No piece is ever NULL, so NOT means what it says.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import NamedTuple, assert_never

from perdure.engine.search.evaluate import parent_of, root_above
from perdure.model.search import (
    And,
    Attribute,
    AttributeType,
    Between,
    Compare,
    Condition,
    In,
    IsNull,
    Not,
    Operator,
    Or,
    StartsWith,
    Value,
)

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
    "RootWorkflowId": "CASE WHEN length(runs.parent) = 0 THEN runs.workflow_id ELSE root_workflow_id(runs.parent) END",
    "RootRunId": "CASE WHEN length(runs.parent) = 0 THEN runs.run_id ELSE root_run_id(runs.parent) END",
    "BuildId": "nullif(runs.build_id, '')",
}
NULLABLE = {"CloseTime", "ExecutionDuration", "ParentWorkflowId", "ParentRunId", "BuildId"}

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
    connection.create_function("root_workflow_id", 1, _root_workflow_id, deterministic=True)
    connection.create_function("root_run_id", 1, _root_run_id, deterministic=True)


def _parent_workflow_id(data: bytes) -> str | None:
    parent = parent_of(data)
    return None if parent is None else parent.workflow_id


def _parent_run_id(data: bytes) -> str | None:
    parent = parent_of(data)
    return None if parent is None else parent.run_id


def _root_workflow_id(data: bytes) -> str | None:
    parent = parent_of(data)
    return None if parent is None else root_above(parent)[0]


def _root_run_id(data: bytes) -> str | None:
    parent = parent_of(data)
    return None if parent is None else root_above(parent)[1]


class Conditions:
    """Writes conditions for one namespace. ``ids`` are its attributes' in ``attribute_types``."""

    def __init__(self, ids: Mapping[str, int]) -> None:
        self._ids = ids

    def condition(self, condition: Condition) -> Sql:
        """Whether a run, of the table ``runs``, fulfils it."""
        match condition:
            case And(parts):
                return all_of([self.condition(part) for part in parts])
            case Or(parts):
                return _balanced(" OR ", [self.condition(part) for part in parts])
            case Not(part):
                inner = self.condition(part)
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

    def leading(self, way: Condition) -> Sql:
        """The rows of ``attribute_values AS v`` of the runs that fulfil it, where ``leads``."""
        if isinstance(way, IsNull):
            return Sql("v.attribute = ?", (self._ids.get(way.attribute.name, 0),))
        assert isinstance(way, Compare | In | Between | StartsWith)
        test = _test("v.value", way)
        return Sql(f"v.attribute = ? AND {test.text}", (self._ids.get(way.attribute.name, 0), *test.values))

    def column(self, attribute: Attribute) -> Sql:
        """What a run, of the table ``runs``, has of an attribute."""
        if not attribute.is_custom:
            return Sql(_COLUMNS[attribute.name])
        return Sql(
            "(SELECT v.value FROM attribute_values AS v INDEXED BY attribute_values_by_key "
            "WHERE v.key = runs.key AND v.attribute = ?)",
            (self._ids.get(attribute.name, 0),),
        )


def leads(condition: Condition) -> bool:
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


def _system(condition: Compare | In | Between | StartsWith) -> Sql:
    name = condition.attribute.name
    test = _test(_COLUMNS[name], condition)
    if name not in NULLABLE:
        return test
    return Sql(f"({_COLUMNS[name]} IS NOT NULL AND {test.text})", test.values)


def _test(column: str, condition: Compare | In | Between | StartsWith) -> Sql:
    match condition:
        case Compare(_, operator, value):
            return Sql(f"{column} {_SIGNS[operator]} ?", (plain(value),))
        case In(_, values, negated):
            marks = ", ".join("?" * len(values))
            return Sql(f"{column} {'NOT ' if negated else ''}IN ({marks})", tuple(map(plain, values)))
        case Between(_, low, high, negated):
            return Sql(f"{column} {'NOT ' if negated else ''}BETWEEN ? AND ?", (plain(low), plain(high)))
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


def plain(value: Value) -> str | int | float:
    """A value as SQLite has it."""
    return int(value) if isinstance(value, bool) else value


# --- pieces


def joined(separator: str, parts: Sequence[Sql]) -> Sql:
    """The pieces in a row."""
    return Sql(separator.join(part.text for part in parts), tuple(value for part in parts for value in part.values))


def all_of(parts: Sequence[Sql]) -> Sql:
    """All of the conditions."""
    return _balanced(" AND ", [part for part in parts if part.text != "1"])


def _balanced(separator: str, parts: Sequence[Sql]) -> Sql:
    """Halves of halves in parentheses: SQLite takes a long chain for a deep one, and refuses it."""
    if not parts:
        return Sql("1")
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    inner = joined(separator, [_balanced(separator, parts[:middle]), _balanced(separator, parts[middle:])])
    return Sql(f"({inner.text})", inner.values)
