"""A name for a version of the workflows' code, for apps that do not choose one.

It is a digest of what the code does: of its instructions, names and constants, but not of comments, line numbers or
file names. It covers the workflows themselves and the functions and classes of the same package that they name. It is
the same in every process that runs the same code with the same version of Python.
"""

import hashlib
import types
from collections.abc import Iterable
from typing import Any

from perdure.sdk.definitions import WorkflowDefinition

DIGITS = 12


def digest_of(definitions: Iterable[WorkflowDefinition]) -> str:
    """Twelve hexadecimal digits that change when the code of the workflows does."""
    digest = hashlib.sha256()
    for definition in sorted(definitions, key=lambda definition: definition.name):
        if definition.written is not None:
            digest.update(f"{definition.name}\n{definition.written.text}\n".encode())
            continue
        target: Any = definition.cls if definition.cls is not None else definition.fn
        package = target.__module__.partition(".")[0]
        found = _Code(package)
        found.add(target)
        digest.update(f"{definition.name}\n{found.text()}\n".encode())
    return digest.hexdigest()[:DIGITS]


class _Code:
    """The code reachable from a workflow without leaving its package, by name."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.parts: dict[str, str] = {}

    def text(self) -> str:
        return "\n".join(f"{name} {self.parts[name]}" for name in sorted(self.parts))

    def add(self, thing: Any) -> None:
        """Take in a function or class, and what it refers to."""
        thing = _unwrap(thing)
        if not isinstance(thing, (types.FunctionType, type)) or thing.__module__.partition(".")[0] != self.package:
            return
        # Without the first part: the same file is __main__ when it is run as a script.
        name = f"{thing.__module__.partition('.')[2]}:{thing.__qualname__}"
        if name in self.parts:
            return
        self.parts[name] = ""
        if isinstance(thing, types.FunctionType):
            self.parts[name] = (
                f"{_describe(thing.__code__)} {_plain(thing.__defaults__)} {_plain(thing.__kwdefaults__)}"
            )
            for used in _names(thing.__code__):
                self.add(thing.__globals__.get(used))
            return
        members: list[tuple[str, str]] = []
        for key, member in thing.__dict__.items():
            for function in _functions_of(member):
                members.append((key, _describe(function.__code__)))
                for used in _names(function.__code__):
                    self.add(function.__globals__.get(used))
        self.parts[name] = str(sorted(members))
        for base in thing.__bases__:
            self.add(base)


def _unwrap(thing: Any) -> Any:
    """The code that a run's turns depend on: not that of activities, whose results are recorded."""
    if hasattr(thing, "__perdure_activity__"):
        return None
    definition = getattr(thing, "__perdure_workflow__", None)
    if isinstance(definition, WorkflowDefinition) and definition.fn is not None:
        return definition.fn
    return thing


def _functions_of(member: Any) -> list[types.FunctionType]:
    """The functions behind a class's member: a method, a property, a class method, a handler of messages."""
    candidates = [member, *(getattr(member, name, None) for name in ("__func__", "fget", "fset", "fn", "_validator"))]
    return [candidate for candidate in candidates if isinstance(candidate, types.FunctionType)]


def _names(code: types.CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant)
    return names


def _describe(code: types.CodeType) -> str:
    constants = [
        _describe(constant) if isinstance(constant, types.CodeType) else _plain(constant) for constant in code.co_consts
    ]
    return repr((code.co_name, code.co_code.hex(), code.co_names, code.co_varnames, code.co_freevars, constants))


def _plain(value: Any) -> str:
    """A constant's text, the same in every process: sets have no order, and other objects an address."""
    if isinstance(value, (set, frozenset)):
        return str(sorted(map(_plain, value)))
    if isinstance(value, tuple):
        return str([_plain(item) for item in value])
    if isinstance(value, dict):
        return str(sorted((key, _plain(item)) for key, item in value.items()))
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        return repr(value)
    return type(value).__qualname__
