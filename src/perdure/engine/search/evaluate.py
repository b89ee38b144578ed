"""What a query means, in plain Python: which runs it has, in which order, and how many.

The store in memory answers with this. Others answer from their indexes and are compared with it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import assert_never

import msgspec

from perdure.engine.ports import RunRow
from perdure.kernel import search_attribute
from perdure.model.ids import Ancestry
from perdure.model.payloads import PayloadMap
from perdure.model.search import (
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
    StartsWith,
    Value,
)

Held = Value | list[str] | None
"""What a run has: a value, the elements of a list or the words of a text, or nothing. Never an empty list."""

Look = Callable[[Attribute], Held]

_decode_map = msgspec.msgpack.Decoder(PayloadMap).decode
_decode_parent = msgspec.msgpack.Decoder(Ancestry).decode


def parent_of(data: bytes) -> Ancestry | None:
    """The link in a row's ``parent``."""
    return _decode_parent(data) if data else None


def root_of(row: RunRow) -> tuple[str, str]:
    """Workflow id and run id of the run that is nobody's child; a run without a parent is it itself."""
    parent = parent_of(row.parent)
    if parent is None:
        return row.workflow_id, row.run_id
    return root_above(parent)


def root_above(parent: Ancestry) -> tuple[str, str]:
    """The same of a child. Where it was not kept, the parent counts as it."""
    if parent.root_run_id:
        return parent.root_workflow_id, parent.root_run_id
    return parent.workflow_id, parent.run_id


_SYSTEM: dict[str, Callable[[RunRow], Held]] = {
    "WorkflowId": lambda row: row.workflow_id,
    "RunId": lambda row: row.run_id,
    "WorkflowType": lambda row: row.workflow_type,
    "ExecutionStatus": lambda row: int(row.status),
    "StartTime": lambda row: row.start_time,
    "CloseTime": lambda row: row.close_time or None,
    "ExecutionDuration": lambda row: row.close_time - row.start_time if row.close_time else None,
    "TaskQueue": lambda row: row.task_queue,
    "HistoryLength": lambda row: row.history_length,
    "ParentWorkflowId": lambda row: parent.workflow_id if (parent := parent_of(row.parent)) else None,
    "ParentRunId": lambda row: parent.run_id if (parent := parent_of(row.parent)) else None,
    "RootWorkflowId": lambda row: root_of(row)[0],
    "RootRunId": lambda row: root_of(row)[1],
    "BuildId": lambda row: row.build_id or None,
}


def looking_at(row: RunRow, types: AttributeTypes) -> Look:
    """A run's values by attribute."""
    custom: dict[str, Held] | None = None

    def look(attribute: Attribute) -> Held:
        nonlocal custom
        if not attribute.is_custom:
            return _SYSTEM[attribute.name](row)
        if custom is None:
            custom = _custom(row, types)
        return custom.get(attribute.name)

    return look


def _custom(row: RunRow, types: AttributeTypes) -> dict[str, Held]:
    if not row.search_attributes:
        return {}
    return {
        name: (search_attribute.words(value) or None)
        if type is AttributeType.TEXT and isinstance(value, str)
        else value
        for name, type, value in search_attribute.values(_decode_map(row.search_attributes), types)
        if value != []
    }


def matches(condition: Condition, look: Look) -> bool:
    """Whether a run fulfils a condition."""
    match condition:
        case And(parts):
            return all(matches(part, look) for part in parts)
        case Or(parts):
            return any(matches(part, look) for part in parts)
        case Not(part):
            return not matches(part, look)
        case IsNull(attribute, negated):
            return (look(attribute) is None) is not negated
        case Compare(attribute, operator, value):
            return (held := look(attribute)) is not None and _compare(held, operator, value)
        case In(attribute, values, negated):
            held = look(attribute)
            return held is not None and any(each in values for each in _each(held)) is not negated
        case Between(attribute, low, high, negated):
            held = look(attribute)
            return held is not None and bool(low <= held <= high) is not negated  # type: ignore[operator]
        case StartsWith(attribute, prefix, negated):
            held = look(attribute)
            return held is not None and any(str(each).startswith(prefix) for each in _each(held)) is not negated
        case _:
            assert_never(condition)


def _each(held: Value | list[str]) -> Sequence[Value]:
    return held if isinstance(held, list) else (held,)


def _compare(held: Value | list[str], operator: Operator, value: Value) -> bool:
    if isinstance(held, list):
        return (value in held) is (operator is Operator.EQUAL)
    match operator:
        case Operator.EQUAL:
            return held == value
        case Operator.NOT_EQUAL:
            return held != value
        case Operator.LESS:
            return held < value  # type: ignore[operator]  # parsing saw to it that they are of one type
        case Operator.AT_MOST:
            return held <= value  # type: ignore[operator]
        case Operator.MORE:
            return held > value  # type: ignore[operator]
        case Operator.AT_LEAST:
            return held >= value  # type: ignore[operator]
        case _:
            assert_never(operator)


# --- lists and counts


def page(rows: Iterable[RunRow], types: AttributeTypes, query: Query, after: Place | None, limit: int) -> list[RunRow]:
    """The first ``limit`` of the query's runs behind a place, in its order."""
    found = [
        (row, look)
        for row, look in ((row, looking_at(row, types)) for row in rows)
        if (query.where is None or matches(query.where, look))
        and (after is None or _is_behind(row, look, query, after))
    ]
    found.sort(key=lambda each: (each[0].start_time, each[0].key), reverse=True)
    # The least significant key first: sorting keeps the order of what is equal.
    for sort_key in reversed(query.order):
        attribute = sort_key.attribute
        without = [each for each in found if each[1](attribute) is None]
        found = [each for each in found if each[1](attribute) is not None]
        found.sort(key=lambda each: each[1](attribute), reverse=sort_key.descending)  # type: ignore[arg-type, return-value]
        found += without
    return [row for row, _ in found[:limit]]


def count(rows: Iterable[RunRow], types: AttributeTypes, query: Query) -> list[Group]:
    """How many of them there are in each group; without groups one answer, even of none."""
    counts: dict[tuple[Value | None, ...], int] = {} if query.groups else {(): 0}
    for row in rows:
        look = looking_at(row, types)
        if query.where is None or matches(query.where, look):
            values = tuple(_single(look(attribute)) for attribute in query.groups)
            counts[values] = counts.get(values, 0) + 1
    return [Group(values, number) for values, number in counts.items()]


def place_of(row: RunRow, types: AttributeTypes, query: Query) -> Place:
    """Where a page ends whose last run this is."""
    look = looking_at(row, types)
    return Place(tuple(_single(look(key.attribute)) for key in query.order), row.start_time, row.key)


def _single(held: Held) -> Value | None:
    assert not isinstance(held, list), "parsing lets nobody sort or group by lists"
    return held


def _is_behind(row: RunRow, look: Look, query: Query, place: Place) -> bool:
    for sort_key, last in zip(query.order, place.values, strict=True):
        held = look(sort_key.attribute)
        if held != last:
            if held is None or last is None:
                return held is None
            return bool(held < last) is sort_key.descending  # type: ignore[operator]
    return (row.start_time, row.key) < (place.start_time, place.key)
