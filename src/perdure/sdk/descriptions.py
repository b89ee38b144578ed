"""Runs and events as clients show them: times as ``datetime``, payloads as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from perdure.model.affinity import Affinity
from perdure.model.errors import PerdureError
from perdure.model.events import Event
from perdure.model.failures import Failure
from perdure.model.ids import ParentLink
from perdure.model.options import RunStatus
from perdure.model.payloads import Payload
from perdure.model.search import Attribute, AttributeType, Value
from perdure.model.service import (
    PendingActivity,
    PendingChild,
    PendingTimer,
    PendingTurn,
    RunCount,
    RunDescription,
    RunSummary,
)
from perdure.sdk.converter import Converter


def to_time(ns: int) -> datetime:
    """A time in ns since 1970, in UTC."""
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC) + timedelta(microseconds=ns % 1_000_000_000 // 1000)


def to_time_or_none(ns: int) -> datetime | None:
    """The same, where 0 means that it has not happened."""
    return to_time(ns) if ns else None


def counts_by_value(counted: RunCount) -> dict[Any, int]:
    """The groups of a count; by one attribute its values are the keys, by several tuples of them."""
    by_values = {
        tuple(map(_attribute_value, counted.attributes, group.values)): group.count for group in counted.groups
    }
    return {values[0]: count for values, count in by_values.items()} if len(counted.attributes) == 1 else {**by_values}


def _attribute_value(attribute: Attribute, value: Value | None) -> Any:
    match attribute.type, value:
        case AttributeType.STATUS, int():
            return RunStatus(value)
        case AttributeType.DATETIME, int():
            return to_time(value)
        case AttributeType.DURATION, int():
            return timedelta(microseconds=value // 1000)
        case _:
            return value


class RunInfo:
    """One run, as it was when it was asked for. Memo and search attributes are read when they are first looked at."""

    def __init__(self, summary: RunSummary, converter: Converter) -> None:
        self._summary = summary
        self._converter = converter

    @property
    def namespace(self) -> str:
        """The space of its workflow id."""
        return self._summary.namespace

    @property
    def id(self) -> str:
        """Its workflow id."""
        return self._summary.workflow_id

    @property
    def run_id(self) -> str:
        """Its run id."""
        return self._summary.run_id

    @property
    def type(self) -> str:
        """Its workflow type."""
        return self._summary.workflow_type

    @property
    def task_queue(self) -> str:
        """Where its workers are."""
        return self._summary.task_queue

    @property
    def status(self) -> RunStatus:
        """Where it stands."""
        return self._summary.status

    @property
    def started(self) -> datetime:
        """When it started, in UTC."""
        return to_time(self._summary.start_time)

    @property
    def closed(self) -> datetime | None:
        """When it closed, in UTC; None while it is open."""
        return to_time_or_none(self._summary.close_time)

    @property
    def history_length(self) -> int:
        """How many events its history has."""
        return self._summary.history_length

    @property
    def build_id(self) -> str:
        """Which version of the code took its last turn; empty before the first."""
        return self._summary.build_id

    @property
    def parent(self) -> ParentLink | None:
        """The run that started it as a child, if one did."""
        return self._summary.parent

    @cached_property
    def memo(self) -> Mapping[str, Any]:
        """Notes for people, by name."""
        return self._converter.from_payload_map(self._summary.memo)

    @cached_property
    def search_attributes(self) -> Mapping[str, Any]:
        """The values it is found by."""
        return self._converter.from_search_attributes(self._summary.search_attributes)

    def __repr__(self) -> str:
        return f"<{self.type} {self.id!r} {self.status.name.lower()}, run {self.run_id}>"


class RunDetails(RunInfo):
    """One run with what it waits for. The pending things are the model's own, with times in ns since 1970."""

    def __init__(self, description: RunDescription, converter: Converter) -> None:
        super().__init__(description.summary, converter)
        self._description = description

    @property
    def first_run_id(self) -> str:
        """The run that began the chain of retries and continuations that this one belongs to."""
        return self._description.first_run_id

    @property
    def attempt(self) -> int:
        """Which attempt of the whole workflow it is; 1 for the first."""
        return self._description.attempt

    @property
    def history_size_bytes(self) -> int:
        """How much its history takes."""
        return self._description.history_size_bytes

    @property
    def cancel_requested(self) -> bool:
        """Whether it was asked to stop."""
        return self._description.cancel_requested

    @property
    def build_id(self) -> str:
        """Which version of the code took its last turn."""
        return self._description.build_id

    @property
    def pinned_build_id(self) -> str:
        """The only version of the code that may take its turns; empty for any."""
        return self._description.pinned_build_id

    @property
    def affinity(self) -> Affinity | None:
        """Which workers take its turns, by their labels; None for any."""
        return self._description.affinity

    @property
    def turn(self) -> PendingTurn | None:
        """The turn that its code has not completed, if any."""
        return self._description.turn

    @property
    def activities(self) -> Sequence[PendingActivity]:
        """The activities that have not ended."""
        return self._description.activities

    @property
    def timers(self) -> Sequence[PendingTimer]:
        """The timers that have not fired."""
        return self._description.timers

    @property
    def children(self) -> Sequence[PendingChild]:
        """The child workflows that have not closed."""
        return self._description.children


@dataclass(frozen=True)
class HistoryEvent:
    """One event of a history. ``record`` is the engine's own."""

    record: Event
    converter: Converter

    @property
    def id(self) -> int:
        """Its number, from 1."""
        return self.record.id

    @property
    def type(self) -> str:
        """What happened, in Temporal's words, such as ``ActivityTaskCompleted``."""
        return type(self.record).__name__

    @property
    def time(self) -> datetime:
        """When, in UTC."""
        return to_time(self.record.time)

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """The event's own fields, in order, with payloads as values. What cannot be read stays a payload."""
        names = self.record.__struct_fields__[2:]  # all but id and time
        return {name: self._readable(getattr(self.record, name)) for name in names}

    def _readable(self, value: Any) -> Any:
        match value:
            case Payload():
                try:
                    return self.converter.from_payload(value)
                except PerdureError:
                    return value
            case Failure():
                return value
            case tuple():
                return [self._readable(item) for item in value]
            case dict():
                return {name: self._readable(item) for name, item in value.items()}
            case _:
                return value

    def __repr__(self) -> str:
        return f"<{self.id} {self.type} {self.time.isoformat()}>"
