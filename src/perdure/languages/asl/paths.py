"""Where a JSONPath of a field is read: in the state's input, in the context object (`$$`), or in a variable (`$name`).

The causes are AWS's, which depend on the field: fields of the state itself say "Invalid path", the fields of payload
templates and of Fail name the field and show the whole input.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from perdure.expressions.jsonpath import InvalidPath, Path, PathNotFound, compile_path
from perdure.languages.asl.failure import StateFailure, runtime
from perdure.languages.asl.json_text import compact
from perdure.languages.asl.scope import Scope

VARIABLE = re.compile(r"\$([A-Za-z_][\w]*)")
# Fields whose missing value is said with the input; so is it in payload templates, whose fields end with ".$".
TOLD_WITH_INPUT = frozenset({"ErrorPath", "CausePath"})


@functools.lru_cache(maxsize=4096)
def split(path: str) -> tuple[str, Path]:
    """Where a path begins - "" the input, "$" the context object, or a variable's name - and the path from there.

    Raises:
        InvalidPath: the text is no path.
    """
    if path.startswith("$$"):
        return "$", compile_path(path[1:])
    if found := VARIABLE.match(path):
        return found[1], compile_path("$" + path[found.end() :])
    return "", compile_path(path)


def document(origin: str, scope: Scope) -> Any:
    """What a path reads from.

    Raises:
        KeyError: no such variable.
    """
    if not origin:
        return scope.input
    return scope.context if origin == "$" else scope.variables[origin]


def read(path: str, scope: Scope, *, field: str) -> Any:
    """Reads a path.

    Args:
        path: `$...`, `$$...` or `$variable...`.
        scope: what it may see.
        field: the field's name, as causes name it: "InputPath", "bucket.$".

    Raises:
        StateFailure: States.Runtime; nothing is there.
    """
    try:
        origin, compiled = split(path)
    except InvalidPath as e:
        raise runtime(f"Invalid path '{path}' : {e.problem}") from None
    try:
        return compiled.read(document(origin, scope))
    except KeyError:
        raise undefined_variable(path, origin, field) from None
    except PathNotFound as e:
        raise missing(path, scope, field, e) from None


def found(path: str, scope: Scope) -> tuple[bool, Any]:
    """Is there something at the path, and what? For IsPresent, which asks rather than fails."""
    try:
        origin, compiled = split(path)
        value = compiled.read(document(origin, scope))
    except (InvalidPath, KeyError, PathNotFound):
        return False, None
    return compiled.plain is not None or compiled.definite or bool(value), value


def missing(path: str, scope: Scope, field: str, why: PathNotFound) -> StateFailure:
    if field in TOLD_WITH_INPUT or field.endswith(".$"):
        # A path of the context object is shown as if it were the input, as AWS shows it.
        shown, seen = (path[1:], scope.context) if path.startswith("$$") else (path, scope.input)
        return runtime(
            f"The JSONPath '{shown}' specified for the field '{field}' could not be found in the input "
            f"'{compact(seen)}'"
        )
    return runtime(f"Invalid path '{path}' : {why}")


def undefined_variable(path: str, name: str, field: str) -> StateFailure:
    return runtime(f"The variable '${name}' referenced by '{path}' in the field '{field}' is not defined")
