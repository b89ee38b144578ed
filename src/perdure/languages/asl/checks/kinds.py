"""Is a field's value of the field's kind?"""

from __future__ import annotations

from typing import Any

from perdure.expressions.jsonpath import InvalidPath
from perdure.expressions.located_json import Place
from perdure.languages.asl import intrinsics, paths
from perdure.languages.asl.checks.diagnostics import Findings
from perdure.languages.asl.checks.fields import Anything, Apart, Flag, Kind, Number, Path, Template, Text
from perdure.languages.asl.jsonata_fields import is_jsonata
from perdure.languages.asl.reference_paths import places


def judge(value: Any, kind: Kind, place: Place, found: Findings, jsonata: bool) -> None:
    """Notes what is wrong with one value.

    Args:
        kind: the field's.
        place: the field's.
        jsonata: is the field one of a JSONata state?
    """
    match kind:
        case Number():
            number(value, kind, place, found, jsonata)
        case Text(values):
            if found.type_of(place, value, "STRING") and values and not (jsonata and is_jsonata(value)):
                one_of(value, values, place, found)
        case Flag():
            found.type_of(place, value, "BOOLEAN")
        case Path():
            path(value, kind, place, found)
        case Template(kinds):
            if jsonata:
                wanted: tuple[type, ...] = (*kinds, str)
            else:
                wanted = (dict,)
            if not isinstance(value, wanted):
                found.add(place, "Expected value of type [OBJECT]", expected="an object")
            elif not jsonata:
                template(value, place, found)
        case Anything() | Apart():
            pass


def one_of(value: str, values: tuple[str, ...], place: Place, found: Findings) -> None:
    if value not in values:
        found.add(place, f"Value should be one of the following: [{', '.join(values)}]", near=(value, values))


def number(value: Any, kind: Number, place: Place, found: Findings, jsonata: bool) -> None:
    if jsonata and is_jsonata(value):
        return
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or (not kind.real and not float(value).is_integer()):
        found.add(
            place,
            f"Expected value of type {'Float' if kind.real else 'Integer'}",
            expected="a number" if kind.real else "a whole number",
        )
    elif kind.least is not None and value < kind.least:
        found.add(place, f"Minimum value is {kind.least}")
    elif kind.most is not None and value > kind.most:
        found.add(place, f"Maximum value is {kind.most}")


def path(value: Any, kind: Path, place: Place, found: Findings) -> None:
    if value is None and kind.null:
        return
    if not found.type_of(place, value, "STRING"):
        return
    if kind.intrinsic and value.startswith("States."):
        try:
            intrinsics.compile_call(value)
        except intrinsics.InvalidIntrinsic as e:
            found.add(place, "Value must be a valid JSONPath or a valid intrinsic function call", expected=str(e))
        return
    if kind.reference:
        reference(value, place, found, context=kind.context)
        return
    try:
        paths.split(value)
    except InvalidPath as e:
        found.add(place, "Value must be a valid JSONPath.", expected=f"{e.problem}, at character {e.position + 1}")


def reference(value: Any, place: Place, found: Findings, *, context: bool = True) -> None:
    """Notes a text that is no reference path."""
    if not found.type_of(place, value, "STRING"):
        return
    if not value.startswith("$"):
        found.add(place, "Value is not a Reference Path: Reference path didn't start with '$'", expected="a path")
        return
    try:
        if value.startswith("$$"):
            if not context:
                raise InvalidPath(value, 0, "a path of the input, not of the context object")
            places(value[1:])
        elif context and (variable := paths.VARIABLE.match(value)):
            places("$" + value[variable.end() :])
        else:
            places(value)
    except InvalidPath as e:
        found.add(place, "Value is not a Reference Path", expected=e.problem)


def template(value: Any, place: Place, found: Findings) -> None:
    """Notes each ".$" in a payload template that holds neither a path nor a call. AWS tells the object around it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not key.endswith(".$"):
                template(inner, (*place, key), found)
            elif problem := unreadable(inner):
                found.add(
                    place,
                    f"The value for the field '{key}' must be a valid JSONPath or a valid intrinsic function call",
                    expected=problem,
                    at=(*place, key),
                )
    elif isinstance(value, list):
        for number_, inner in enumerate(value):
            template(inner, (*place, number_), found)


def unreadable(value: Any) -> str:
    """What is wrong with the value of a ".$"; "" if nothing."""
    if not isinstance(value, str):
        return "a text that begins with '$' or 'States.'"
    try:
        if value.startswith("$"):
            paths.split(value)
        else:
            intrinsics.compile_call(value)
    except (InvalidPath, intrinsics.InvalidIntrinsic) as e:
        return str(e)
    return ""
