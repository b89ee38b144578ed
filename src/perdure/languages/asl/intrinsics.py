"""Intrinsic functions: `States.Format('{} of {}', $.done, States.ArrayLength($.all))`.

A call is read once into a tree and evaluated often; the functions themselves are in `intrinsic_functions`.
Source of the syntax: the States Language's specification, "Intrinsic Functions"; at most ten calls may be nested.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from typing import Any

from perdure.expressions.jsonpath import InvalidPath, PathNotFound
from perdure.languages.asl import paths
from perdure.languages.asl.failure import intrinsic, runtime
from perdure.languages.asl.intrinsic_functions import FUNCTIONS, Refused, Template
from perdure.languages.asl.json_text import compact
from perdure.languages.asl.scope import Scope

DEEPEST = 10

NAME = re.compile(r"States\.[A-Za-z0-9]+")
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?(?![\w.])")
WORD = re.compile(r"(true|false|null)(?!\w)")
# A path ends at the comma or parenthesis that is in none of its own brackets, quotes or filters.
QUOTED = re.compile(r"'((?:[^'\\]|\\['{}\\])*)'")


class InvalidIntrinsic(ValueError):
    """The text is no call of an intrinsic function; says what was expected and where."""


@dataclass(slots=True, frozen=True)
class Constant:
    value: Any
    text: str


@dataclass(slots=True, frozen=True)
class Reference:
    path: str


@dataclass(slots=True, frozen=True)
class Call:
    name: str
    arguments: tuple[Argument, ...]
    text: str


Argument = Constant | Reference | Call


@functools.lru_cache(maxsize=4096)
def compile_call(text: str) -> Call:
    """Reads the text of a call.

    Raises:
        InvalidIntrinsic: it is none, names no function, or has too many or too few arguments.
    """
    call, end = read_call(text, skip(text, 0), 1)
    if skip(text, end) != len(text):
        raise InvalidIntrinsic(f"expected the end after '{call.text}'")
    return call


def read_call(text: str, at: int, depth: int) -> tuple[Call, int]:
    start = at
    found = NAME.match(text, at)
    if found is None:
        raise InvalidIntrinsic(f"expected a function States.* at character {at + 1}")
    if depth > DEEPEST:
        raise InvalidIntrinsic(f"at most {DEEPEST} calls may be nested")
    name = found[0]
    if name not in FUNCTIONS:
        raise InvalidIntrinsic(f"there is no function '{name}'")
    at = skip(text, found.end())
    if text[at : at + 1] != "(":
        raise InvalidIntrinsic(f"expected '(' after '{name}'")
    arguments: list[Argument] = []
    at = skip(text, at + 1)
    while text[at : at + 1] != ")":
        if arguments:
            if text[at : at + 1] != ",":
                raise InvalidIntrinsic(f"expected ',' or ')' at character {at + 1}")
            at = skip(text, at + 1)
        argument, at = read_argument(text, at, depth)
        arguments.append(argument)
        at = skip(text, at)
    first = arguments[0] if arguments else None
    if name == "States.Format" and isinstance(first, Constant) and isinstance(first.value, str):
        arguments[0] = Constant(Template.read(first.text[1:-1]), first.text)
    least, most = FUNCTIONS[name].arity
    if not least <= len(arguments) <= most:
        raise InvalidIntrinsic(f"'{name}' takes {said(least, most)}, not {len(arguments)}")
    return Call(name, tuple(arguments), text[start : at + 1]), at + 1


def said(least: int, most: float) -> str:
    if least == most:
        return "no argument" if least == 0 else f"{least} argument{'s' * (least > 1)}"
    return f"at least {least} arguments" if most == float("inf") else f"{least} to {most:.0f} arguments"


def read_argument(text: str, at: int, depth: int) -> tuple[Argument, int]:
    if found := QUOTED.match(text, at):
        return Constant(str(Template.read(found[1])), found[0]), found.end()
    if found := NUMBER.match(text, at) or WORD.match(text, at):
        return Constant(json.loads(found[0]), found[0]), found.end()
    if text.startswith("$", at):
        end = end_of_path(text, at)
        path = text[at:end].rstrip()
        try:
            paths.split(path)
        except InvalidPath as e:
            raise InvalidIntrinsic(str(e)) from None
        return Reference(path), end
    if text.startswith("States.", at):
        return read_call(text, at, depth + 1)
    raise InvalidIntrinsic(
        f"expected a text in single quotes, a number, true, false, null, a path or a function at character {at + 1}"
    )


def end_of_path(text: str, at: int) -> int:
    inside, quote = 0, ""
    while at < len(text):
        letter = text[at]
        if quote:
            if letter == "\\":
                at += 1
            elif letter == quote:
                quote = ""
        elif letter in "'\"":
            quote = letter
        elif letter in "[(":
            inside += 1
        elif inside and letter in "])":
            inside -= 1
        elif not inside and letter in ",)":
            break
        at += 1
    return min(at, len(text))


def skip(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def evaluate(text: str, scope: Scope, *, field: str) -> Any:
    """What a call gives.

    Args:
        text: `States.Name(...)`.
        scope: what its paths may see.
        field: the field that it stands in.

    Raises:
        StateFailure: States.Runtime for a path that leads nowhere, States.IntrinsicFailure for what a function refuses.
    """
    try:
        call = compile_call(text)
    except InvalidIntrinsic as e:
        raise runtime(
            f"The value for the field '{field}' must be a valid JSONPath or intrinsic function: {e}"
        ) from None
    try:
        return result(call, scope)
    except Refused as e:
        raise intrinsic(f"The function '{call.text}' had the following error: {e}") from None
    except Missing as e:
        raise runtime(f"The function '{call.text}' had the following error: {e}") from None


class Missing(Exception):
    """A path among the arguments leads nowhere; its text is AWS's."""


def result(call: Call, scope: Scope) -> Any:
    return FUNCTIONS[call.name].apply([value_of(argument, scope) for argument in call.arguments], scope.chance)


def value_of(argument: Argument, scope: Scope) -> Any:
    match argument:
        case Constant(value):
            return value
        case Call():
            return result(argument, scope)
        case Reference(path):
            origin, compiled = paths.split(path)
            try:
                return compiled.read(paths.document(origin, scope))
            except KeyError:
                raise Missing(f"The variable '${origin}' is not defined") from None
            except PathNotFound as e:
                raise Missing(str(e) if str(e).startswith("Filter: ") else missing(path, scope)) from None


def missing(path: str, scope: Scope) -> str:
    """AWS names a path of the context object as if it were one of the input, and shows the input for both."""
    shown = path.removeprefix("$") if path.startswith("$$") else path
    return f"The JsonPath argument for the field '{shown}' could not be found in the input '{compact(scope.input)}'"
