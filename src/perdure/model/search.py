"""What runs are searched by: the types of attributes, and a checked filter as data.

A filter's text is parsed by ``engine.search``; stores are handed a ``Query``. Every value in one is of its attribute's
type already: a status is ``RunStatus``'s number, a time is ns since 1970, a duration ns.

Two rules make every condition true or false, never "unknown": a comparison is false where the run has no value, and NOT
turns that around like anything else.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Union

import msgspec

from perdure.model.options import RunStatus


class AttributeType(IntEnum):
    """What an attribute holds. Up to 7 the numbers are Temporal's ``IndexedValueType``; those after it are for system
    attributes alone. ``REMOVED`` is no type: nobody may set or ask for such an attribute until it has a type again."""

    REMOVED = 0
    TEXT = 1
    KEYWORD = 2
    INT = 3
    FLOAT = 4
    BOOL = 5
    DATETIME = 6
    KEYWORD_LIST = 7
    DURATION = 101
    STATUS = 102

    def __str__(self) -> str:
        return self.name.lower()


AttributeTypes = Mapping[str, AttributeType]
"""The custom attributes of a namespace, by name."""

CUSTOM_TYPES = {str(type): type for type in AttributeType if 0 < type < AttributeType.DURATION}
"""The types that a custom attribute may have, by the words for them."""


def registered(types: AttributeTypes) -> AttributeTypes:
    """Without those that were removed."""
    return {name: type for name, type in types.items() if type is not AttributeType.REMOVED}


DATETIME_MARK: Mapping[str, bytes] = {"type": b"Datetime"}
"""The metadata of a value that is written as a string and means a time, as Temporal has it."""

Value = str | int | float | bool
"""One value of an attribute; times and durations are ns, statuses their numbers."""


class Attribute(msgspec.Struct, frozen=True, gc=False):
    """An attribute that a filter names. ``is_custom``: programs and callers set it; otherwise the engine does."""

    name: str
    type: AttributeType
    is_custom: bool = False


WORKFLOW_TYPE = Attribute("WorkflowType", AttributeType.KEYWORD)
EXECUTION_STATUS = Attribute("ExecutionStatus", AttributeType.STATUS)
START_TIME = Attribute("StartTime", AttributeType.DATETIME)

SYSTEM_ATTRIBUTES: Mapping[str, Attribute] = {
    attribute.name: attribute
    for attribute in (
        Attribute("WorkflowId", AttributeType.KEYWORD),
        Attribute("RunId", AttributeType.KEYWORD),
        WORKFLOW_TYPE,
        EXECUTION_STATUS,
        START_TIME,
        Attribute("CloseTime", AttributeType.DATETIME),
        Attribute("ExecutionDuration", AttributeType.DURATION),
        Attribute("TaskQueue", AttributeType.KEYWORD),
        Attribute("HistoryLength", AttributeType.INT),
        Attribute("ParentWorkflowId", AttributeType.KEYWORD),
        Attribute("ParentRunId", AttributeType.KEYWORD),
        Attribute("RootWorkflowId", AttributeType.KEYWORD),
        Attribute("RootRunId", AttributeType.KEYWORD),
        Attribute("BuildId", AttributeType.KEYWORD),
    )
}
"""What every run has, under Temporal's names. Those that a run lacks (no parent, not closed yet) are null."""

PINNED_BUILD_ID = "PinnedBuildId"

OWN_ATTRIBUTES: Mapping[str, AttributeType] = {PINNED_BUILD_ID: AttributeType.KEYWORD}
"""What the engine sets of the few runs that have it: kept as custom attributes are, so that it costs no other run."""


SCHEDULED_ATTRIBUTES: Mapping[str, AttributeType] = {
    "ScheduledById": AttributeType.KEYWORD,
    "ScheduledStartTime": AttributeType.DATETIME,
}
"""What schedules set of the runs that they start. Filters may name them before there is such a run."""


class Operator(IntEnum):
    """How a value is compared."""

    EQUAL = 1
    NOT_EQUAL = 2
    LESS = 3
    AT_MOST = 4
    MORE = 5
    AT_LEAST = 6


class Compare(msgspec.Struct, frozen=True, gc=False):
    """For keyword lists EQUAL asks for an element, for texts for a word in lower case; NOT_EQUAL for the lack of it."""

    attribute: Attribute
    operator: Operator
    value: Value


class In(msgspec.Struct, frozen=True, gc=False):
    """Equal to one of them; with ``negated``, to none."""

    attribute: Attribute
    values: tuple[Value, ...]
    negated: bool = False


class Between(msgspec.Struct, frozen=True, gc=False):
    """Both ends belong to it."""

    attribute: Attribute
    low: Value
    high: Value
    negated: bool = False


class StartsWith(msgspec.Struct, frozen=True, gc=False):
    """Upper and lower case differ."""

    attribute: Attribute
    prefix: str
    negated: bool = False


class IsNull(msgspec.Struct, frozen=True, gc=False):
    """The run has no value; with ``negated``, it has one."""

    attribute: Attribute
    negated: bool = False


class And(msgspec.Struct, frozen=True):
    parts: tuple["Condition", ...]


class Or(msgspec.Struct, frozen=True):
    parts: tuple["Condition", ...]


class Not(msgspec.Struct, frozen=True):
    part: "Condition"


Condition = Union[Compare, In, Between, StartsWith, IsNull, And, Or, Not]


class SortKey(msgspec.Struct, frozen=True, gc=False):
    """Runs without a value come last, whichever way the others are sorted."""

    attribute: Attribute
    descending: bool = False


class Query(msgspec.Struct, frozen=True):
    """Which runs, and how they are listed or counted.

    ``order`` is what was asked for; behind it, always, runs go by ``StartTime`` and then by when they came into the
    store, both newest first, so the order is total. ``groups`` are for counting.
    """

    where: Condition | None = None
    order: tuple[SortKey, ...] = ()
    groups: tuple[Attribute, ...] = ()


EVERYTHING = Query()


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a page of a list ended: the last run's values of the query's ``order``, and what follows them. The next
    page begins behind it, whatever has been added before it."""

    values: tuple[Value | None, ...]
    start_time: int
    key: int


class Group(msgspec.Struct, frozen=True, gc=False):
    """How many runs have the same ``values`` of the query's ``groups``; None where they have none."""

    values: tuple[Value | None, ...]
    count: int


def narrowed(query: Query, statuses: Sequence[RunStatus] = (), workflow_type: str = "") -> Query:
    """The same query for runs of these statuses and this type only; none of them means any."""
    parts: list[Condition] = []
    if statuses:
        parts.append(In(EXECUTION_STATUS, tuple(sorted({int(status) for status in statuses}))))
    if workflow_type:
        parts.append(Compare(WORKFLOW_TYPE, Operator.EQUAL, workflow_type))
    if not parts:
        return query
    if query.where is not None:
        parts.append(query.where)
    where = parts[0] if len(parts) == 1 else And(tuple(parts))
    return msgspec.structs.replace(query, where=where)
