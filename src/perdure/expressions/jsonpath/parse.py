"""The text of a path, read into its steps. A hand-written reader, as the dialect has no grammar but Jayway's code."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from perdure.expressions.jsonpath.filters import condition, nested
from perdure.expressions.jsonpath.path import Path
from perdure.expressions.jsonpath.steps import Descend, Filter, Index, Name, PathNotFound, Slice, Step, Wildcard
from perdure.expressions.jsonpath.text import InvalidPath, Text

__all__ = ["InvalidPath", "compile_path"]

# What ends a name written after a dot.
NAME = re.compile(r"[^\s.\[\]()'\"?,*]+")
NAME_IN_FILTER = re.compile(r"[^\s.\[\]()'\"?,*<>=!~&|]+")
PLACE = re.compile(r"\s*(-?\d+)\s*")
RANGE = re.compile(r"\s*(-?\d+)?\s*:\s*(-?\d+)?\s*(?::\s*-?\d+\s*)?")  # a step is read and, as by Jayway, left alone
CALL = re.compile(r"(\w+)\(\s*\)")


@functools.lru_cache(maxsize=4096)
def compile_path(text: str) -> Path:
    """Compiles a path; the last thousands are remembered.

    Args:
        text: begins with `$`.

    Raises:
        InvalidPath: with what was expected and where.
    """
    read = Text(text)
    if not read.take("$"):
        raise read.wrong("a path begins with '$'")
    path = steps(read)
    if not read.ended:
        raise read.wrong("expected '.', '[' or the end of the path")
    return path


def steps(read: Text) -> Path:
    """Reads steps as long as there are any, from behind the `$` or `@`."""
    start, function = read.position - 1, None
    found: list[Step] = []
    while not read.ended and function is None:
        if read.take(".."):
            found.append(Descend())
            if read.peek != "[":
                found.append(after_dot(read))
            elif read.take("["):
                step = in_brackets(read)
                found.append(replace(step, descends=True) if isinstance(step, Filter) else step)
        elif read.take("."):
            if call := read.match(CALL):
                function = (call[1], named_function(call[1], read))
            else:
                found.append(after_dot(read))
        elif read.take("["):
            found.append(in_brackets(read))
        else:
            break
    if found and function is None and isinstance(last := found[-1], Name):
        found[-1] = Name(last.names, last=True)
    if found and isinstance(found[-1], Descend):
        raise read.wrong("a path must not end with '..'")
    return Path(read.text[start : read.position], tuple(found), function)


def after_dot(read: Text) -> Step:
    if read.take("*"):
        return Wildcard()
    if (name := read.match(NAME_IN_FILTER if read.depth else NAME)) is None:
        raise read.wrong("expected a name, '*' or '[' after '.'")
    return Name((name[0],))


def in_brackets(read: Text) -> Step:
    read.spaces()
    step: Step
    if read.take("*"):
        step = Wildcard()
    elif read.take("?"):
        step = predicate(read)
    elif read.peek in "'\"":
        names = [read.quoted()]
        while read.spaces() or read.take(","):
            read.spaces()
            names.append(read.quoted())
        step = Name(tuple(names))
    elif found := read.match(RANGE):
        step = Slice(*(None if end is None else int(end) for end in found.groups()))
    elif found := read.match(PLACE):
        places = [int(found[1])]
        while read.take(","):
            if (found := read.match(PLACE)) is None:
                raise read.wrong("expected the number of an item")
            places.append(int(found[1]))
        step = Index(tuple(places))
    else:
        raise read.wrong("expected a quoted name, a number, a range, '*' or '?' in brackets")
    read.spaces()
    if not read.take("]"):
        raise read.wrong("expected ']'")
    return step


def predicate(read: Text) -> Filter:
    read.spaces()
    if not read.take("("):
        raise read.wrong("expected '(' after '?'")
    holds = nested(read, lambda: condition(read, steps))
    read.spaces()
    if not read.take(")"):
        raise read.wrong("expected an operator or ')'")
    return Filter(holds)


def numbers(value: Any) -> list[float]:
    items = value if isinstance(value, list) else []
    return [item for item in items if isinstance(item, int | float) and not isinstance(item, bool)]


def aggregated(value: Any, work: Callable[[list[float]], float]) -> float:
    found = numbers(value)
    if not found:
        raise PathNotFound("Aggregation function attempted to calculate value using empty array")
    return float(work(found))


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "length": lambda value: len(value) if isinstance(value, list | dict) else None,
    "size": lambda value: len(value) if isinstance(value, list | dict) else None,
    "keys": lambda value: list(value) if isinstance(value, dict) else None,
    "min": lambda value: aggregated(value, min),
    "max": lambda value: aggregated(value, max),
    "sum": lambda value: aggregated(value, math.fsum),
    "avg": lambda value: aggregated(value, lambda found: math.fsum(found) / len(found)),
    "stddev": lambda value: aggregated(value, deviation),
    "first": lambda value: value[0] if isinstance(value, list) and value else None,
    "last": lambda value: value[-1] if isinstance(value, list) and value else None,
}


def deviation(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))


def named_function(name: str, read: Text) -> Callable[[Any], Any]:
    if name not in FUNCTIONS:
        raise read.wrong(f"there is no function '{name}()'; there are {', '.join(f'{known}()' for known in FUNCTIONS)}")
    return FUNCTIONS[name]
