"""Reference paths, which name exactly one place, and ResultPath, which puts a value there."""

from __future__ import annotations

from typing import Any

from perdure.expressions.jsonpath import InvalidPath, compile_path
from perdure.expressions.jsonpath.steps import Index, Name
from perdure.languages.asl.failure import StateFailure
from perdure.languages.asl.json_text import compact


def places(path: str) -> list[str | int]:
    """The names and numbers on the way of a reference path.

    Raises:
        InvalidPath: no path, or one that can select more or less than one place.
    """
    found: list[str | int] = []
    compiled = compile_path(path)
    for step in compiled.steps:
        match step:
            case Name((name,)):
                found.append(name)
            case Index((place,)):
                found.append(place)
            case _:
                raise InvalidPath(path, 0, "a reference path names one place: only names and numbers of items")
    if compiled.function:
        raise InvalidPath(path, 0, "a reference path has no functions")
    return found


def insert(raw_input: Any, path: str | None, value: Any) -> Any:
    """What a state's output is: its input with `value` put in at ResultPath.

    Args:
        raw_input: the state's input; not changed, but what is kept of it is shared with the answer.
        path: a reference path; objects missing on its way are made. "$" is the value alone; None is the input alone.
        value: the state's result.

    Raises:
        StateFailure: States.ResultPathMatchFailure; the way leads through something that is no object or array, or to
            an item that is not there.
    """
    if path is None:
        return raw_input
    if path == "$":
        return value
    return placed(raw_input, places(path), 0, value, path, raw_input)


def placed(current: Any, way: list[str | int], at: int, value: Any, path: str, raw_input: Any) -> Any:
    if at == len(way):
        return value
    place = way[at]
    if isinstance(place, str) and isinstance(current, dict):
        inner = placed(current.get(place, {}), way, at + 1, value, path, raw_input)
        return {**current, place: inner}
    if isinstance(place, int) and isinstance(current, list) and -len(current) <= place < len(current):
        items = list(current)
        items[place] = placed(current[place], way, at + 1, value, path, raw_input)
        return items
    raise StateFailure(
        "States.ResultPathMatchFailure",
        f"Unable to apply Path transformation to null or empty input: {path}"
        if raw_input is None
        else f"Unable to apply ReferencePath {path} to input {compact(raw_input)}",
    )
