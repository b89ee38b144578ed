"""The steps of a path, and what each selects from one value.

A step gets a value and yields what it selects. Where every step before it is definite it must select something or say
why not (PathNotFound, in Jayway's words); behind a step that selects many, what does not fit is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


class PathNotFound(Exception):
    """The document has nothing where a definite path points; its text is Jayway's, so that it can be shown as AWS shows it."""


JAVA_NAMES: dict[type, str] = {
    str: "java.lang.String",
    bool: "java.lang.Boolean",
    int: "java.lang.Integer",
    float: "java.lang.Double",
    list: "net.minidev.json.JSONArray",
    dict: "java.util.LinkedHashMap",
    type(None): "null",
}


@dataclass(slots=True, frozen=True)
class Name:
    """`.name` or `['a','b']`. Several names as the last step make one object of those that are there."""

    names: tuple[str, ...]
    last: bool = False

    @property
    def definite(self) -> bool:
        return len(self.names) == 1 or self.last

    @property
    def text(self) -> str:
        return "[" + ",".join(f"'{name}'" for name in self.names) + "]"

    def select(self, value: Any, root: Any, where: str, must: bool) -> Iterator[Any]:
        if not isinstance(value, dict):
            if must:
                raise PathNotFound(
                    f"Expected to find an object with property {self.text} in path {where} but found "
                    f"'{JAVA_NAMES[type(value)]}'. This is not a json object according to the JsonProvider: "
                    "'com.jayway.jsonpath.spi.json.JacksonJsonProvider'."
                )
            return
        if len(self.names) == 1:
            if self.names[0] in value:
                yield value[self.names[0]]
            elif must and not self.last:
                raise PathNotFound(f"Missing property in path {where}{self.text}")
        elif self.last:
            yield {name: value[name] for name in self.names if name in value}
        else:
            yield from (value[name] for name in self.names if name in value)


@dataclass(slots=True, frozen=True)
class Index:
    """`[0]`, `[-1]`, `[0,2]`: items by their place; a place beyond the end is passed over."""

    places: tuple[int, ...]

    @property
    def definite(self) -> bool:
        return len(self.places) == 1

    @property
    def text(self) -> str:
        return "[" + ",".join(map(str, self.places)) + "]"

    def select(self, value: Any, root: Any, where: str, must: bool) -> Iterator[Any]:
        if is_array(value, self.text, where, must):
            for place in self.places:
                if -len(value) <= place < len(value):
                    yield value[place]


@dataclass(slots=True, frozen=True)
class Slice:
    """`[from:to]`, either of them open. As Jayway has it, only an end that stands alone counts from the end of the array."""

    start: int | None
    stop: int | None

    definite = False

    @property
    def text(self) -> str:
        return f"[{'' if self.start is None else self.start}:{'' if self.stop is None else self.stop}]"

    def select(self, value: Any, root: Any, where: str, must: bool) -> Iterator[Any]:
        if not is_array(value, self.text, where, must):
            return
        if self.start is None or self.stop is None:
            yield from value[self.start : self.stop]
        else:
            places = range(self.start, min(self.stop, len(value)))
            yield from (value[place] for place in places if place >= -len(value))


@dataclass(slots=True, frozen=True)
class Wildcard:
    """`*`: every member or item."""

    definite = False
    text = "[*]"

    def select(self, value: Any, root: Any, where: str, must: bool) -> Iterator[Any]:
        return members(value)


@dataclass(slots=True, frozen=True)
class Descend:
    """`..`: the value itself and everything inside it, in the order in which it is written."""

    definite = False
    text = ".."

    def select(self, value: Any, root: Any, where: str, must: bool) -> Iterator[Any]:
        waiting = [value]
        while waiting:
            current = waiting.pop()
            yield current
            waiting.extend(reversed(list(members(current))))


@dataclass(slots=True, frozen=True)
class Filter:
    """`[?(...)]`: the items of an array, or an object itself, for which the condition holds."""

    holds: Callable[[Any, Any], bool]
    descends: bool = False

    definite = False
    text = "[?]"

    def select(self, value: Any, root: Any, where: str, must: bool) -> Iterator[Any]:
        if isinstance(value, dict):
            if self.holds(value, root):
                yield value
        elif self.descends:
            return  # behind `..` each value is asked for itself
        elif is_array(value, self.text, where, must):
            yield from (item for item in value if self.holds(item, root))


Step = Name | Index | Slice | Wildcard | Descend | Filter


def is_array(value: Any, step: str, where: str, must: bool) -> bool:
    if isinstance(value, list):
        return True
    if must:
        if value is None:
            raise PathNotFound(f"The path {where} is null")
        raise PathNotFound(f"Filter: {step} can only be applied to arrays. Current context is: {value}")
    return False


def members(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        return iter(value.values())
    return iter(value) if isinstance(value, list) else iter(())
