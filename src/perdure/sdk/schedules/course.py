"""Where a schedule's run stands, as it is saved: each turn saves what it changed, and nothing of the rest.

What has changed is seen by identity, so values are replaced and never altered. Of a list only the part that differs is saved:
a turn's record does not grow with what waits, or with the runs that are open.
"""

from itertools import compress
from operator import is_not
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from perdure.model.ids import Completion
from perdure.sdk.schedules.definition import OPEN_LIMIT, RECENT, Command, Replace, State, Waiting
from perdure.sdk.schedules.times import Occasion

T = TypeVar("T")


class Asked(msgspec.Struct, frozen=True):
    """An update that was accepted, and waits for the end of a step."""

    update_id: str
    command: Replace
    revision: int


class Doing(msgspec.Struct, frozen=True):
    """The step that is under way. With ``waiting``, a run is being started: by a command if ``workflow_id`` is there, else by an
    activity. Without, an activity looks for times: those of a backfill if ``is_backfill``."""

    waiting: Waiting | None = None
    workflow_id: str = ""
    is_backfill: bool = False


class Course(State):
    """A schedule's state, and what only the present run of its program must know. Times are ns since 1970."""

    upcoming: list[Occasion] = msgspec.field(default_factory=list)
    is_last: bool = False
    """No time follows those in ``upcoming``."""
    has_looked: bool = False
    is_hard: bool = False
    """Times are far apart, and an activity looks for them."""
    steps: int = 0
    heard: list[Command] = msgspec.field(default_factory=list)
    closed: list[Completion] = msgspec.field(default_factory=list)
    doing: Doing | None = None
    asked: list[Asked] = msgspec.field(default_factory=list)
    timer_due: int = 0
    """When the timer fires that has been started; 0 without one."""
    kept_until: int = 0
    """Its last time is past, and it ends then if nothing is said to it."""

    @classmethod
    def of(cls, state: State) -> "Course":
        """The beginning of a run."""
        return cls(*msgspec.structs.astuple(state))

    @property
    def state(self) -> State:
        """What others see of it, and the next run goes on from."""
        state = State(*msgspec.structs.astuple(self)[: len(State.__struct_fields__)])
        state.open, state.recent = state.open[-OPEN_LIMIT:], state.recent[-RECENT:]
        return state


class Splice(msgspec.Struct, Generic[T], array_like=True):
    """In a list, ``removed`` items from ``start`` on give place to ``put``."""

    start: int
    removed: int
    put: list[T]


def _saved_as(kind: Any) -> Any:
    return Splice[get_args(kind)] if get_origin(kind) is list else kind  # type: ignore[misc]


_PLACES = range(len(Course.__struct_fields__))
_KINDS = get_type_hints(Course)
_FIELDS = Course.__struct_fields__
_LISTS = frozenset(name for name in _FIELDS if get_origin(_KINDS[name]) is list)
_Changes = msgspec.defstruct(
    "Changes",
    [(name, _saved_as(_KINDS[name]) | msgspec.UnsetType, msgspec.UNSET) for name in _FIELDS],
)
_decode = msgspec.json.Decoder(_Changes).decode
_encode = msgspec.json.Encoder().encode


class Saved:
    """What of a course has been saved."""

    __slots__ = ("_course", "_values")

    def __init__(self, course: Course) -> None:
        self._course = course
        self._values = msgspec.structs.astuple(course)

    def take(self) -> bytes:
        """What has changed since; empty if nothing has. From now on it is saved."""
        before, self._values = self._values, msgspec.structs.astuple(self._course)
        changes = {
            _FIELDS[place]: _splice(before[place], self._values[place])
            if _FIELDS[place] in _LISTS
            else self._values[place]
            for place in compress(_PLACES, map(is_not, before, self._values))
        }
        return _encode(changes) if changes else b""

    def fold(self, changes: bytes) -> None:
        """Take over what a turn saved."""
        course, saved = self._course, _decode(changes)
        for name in _FIELDS:
            value = getattr(saved, name)
            if value is msgspec.UNSET:
                continue
            if name in _LISTS:
                old = getattr(course, name)
                value = [*old[: value.start], *value.put, *old[value.start + value.removed :]]
            setattr(course, name, value)
        self._values = msgspec.structs.astuple(course)


def _splice(old: list[Any], new: list[Any]) -> Splice[Any]:
    start, shorter = 0, min(len(old), len(new))
    while start < shorter and old[start] is new[start]:
        start += 1
    end, most = 0, shorter - start
    while end < most and old[-1 - end] is new[-1 - end]:
        end += 1
    return Splice(start, len(old) - start - end, new[start : len(new) - end])
