"""One state of a definition."""

from __future__ import annotations

from typing import Any, Final

from perdure.expressions.located_json import Place
from perdure.languages.asl.checks import choices, expressions, kinds, maps, resources
from perdure.languages.asl.checks.diagnostics import Findings
from perdure.languages.asl.checks.fields import (
    CATCHER,
    EITHER,
    FIELDS,
    KINDS,
    ONLY_JSONATA,
    ONLY_JSONPATH,
    REQUIRED,
    RETRIER,
    TYPES,
    Kind,
)
from perdure.languages.asl.choices import is_number
from perdure.languages.asl.jsonata_fields import is_jsonata
from perdure.languages.asl.timestamps import InvalidTimestamp, instant

LANGUAGES: Final = ("JSONPath", "JSONata")
WAITING: Final = ("SecondsPath", "Seconds", "TimestampPath", "Timestamp")
LONGEST_NAME: Final = 80


def judge(state: Any, place: Place, found: Findings) -> None:
    """Notes what is wrong with one state, and with the states inside it."""
    if not found.type_of(place, state, "OBJECT"):
        return
    name = place[-1]
    if isinstance(name, str) and len(name) > LONGEST_NAME:
        found.add(place, f"State name cannot exceed {LONGEST_NAME} characters")
    type_ = state.get("Type")
    if type_ not in TYPES:
        found.add(
            (*place, "Type"),
            f"The field 'Type' should have one of these values: [{', '.join(TYPES)}]",
            near=(str(type_), TYPES),
        )
        return
    jsonata = language(state, place, found)
    unknown(state, FIELDS[type_], place, found)
    required(state, REQUIRED.get(type_, ()), place, found)
    either(state, type_, place, found)
    for field, value in state.items():
        if field in FIELDS[type_]:
            kinds.judge(value, KINDS[field], (*place, field), found, jsonata)
    apart(state, type_, place, found, jsonata)
    if jsonata:
        expressions.judge(state, place, found)


def language(state: dict[str, Any], place: Place, found: Findings) -> bool:
    """Is the state a JSONata one? Notes fields of the other language. Anything but "JSONPath" counts as JSONata."""
    own = state.get("QueryLanguage", found.query_language)
    if own == "JSONPath" and found.query_language == "JSONata":
        found.add(place, "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine")
        return False
    other_language(state, own == "JSONPath", place, found)
    if "QueryLanguage" in state and found.type_of((*place, "QueryLanguage"), own, "STRING"):
        kinds.one_of(own, LANGUAGES, (*place, "QueryLanguage"), found)
    return bool(own != "JSONPath")


def other_language(owner: dict[str, Any], is_jsonpath: bool, place: Place, found: Findings) -> None:
    own, other, fields = (
        ("JSONPath", "JSONata", ONLY_JSONATA) if is_jsonpath else ("JSONata", "JSONPath", ONLY_JSONPATH)
    )
    for field in fields:
        if field in owner:
            found.add(
                place,
                f"The QueryLanguage is set to '{own}', but field '{field}' is only supported for the '{other}' "
                "QueryLanguage",
                at=(*place, field),
            )


def unknown(owner: dict[str, Any], fields: tuple[str, ...], place: Place, found: Findings) -> None:
    """Notes the fields that an object may not have."""
    for field in owner:
        if field not in fields:
            found.add(
                place,
                f"Field '{field}' is not supported",
                expected=f"one of {', '.join(fields)}",
                near=(field, fields),
                at=(*place, field),
            )


def required(owner: dict[str, Any], fields: tuple[str, ...], place: Place, found: Findings) -> None:
    missing = [field for field in fields if field not in owner]
    if missing:
        found.add(place, f"These fields are required: [{', '.join(missing)}]")


def either(state: dict[str, Any], type_: str, place: Place, found: Findings) -> None:
    for fields in EITHER:
        given = [field for field in fields if field in state and field in FIELDS[type_]]
        if len(given) > 1 and not (given == ["Next", "End"] and state["End"] is False):
            found.add(place, f"There should only be one of the following fields: [{', '.join(fields)}]")
    if "Next" in FIELDS[type_] and "Next" not in state and state.get("End") is not True:
        found.add(
            place,
            "This object should have only one of the following fields: [Next, End]",
            expected="'Next' with a state's name, or 'End': true",
        )
    if type_ == "Task":
        heartbeat_within(state, place, found)
    if type_ == "Wait" and not any(field in state for field in WAITING):
        found.add(place, f"This object should have only one of the following fields: [{', '.join(WAITING)}]")


def heartbeat_within(state: dict[str, Any], place: Place, found: Findings) -> None:
    """Notes a heartbeat that is not to come within the time."""
    heartbeat: Any = state.get("HeartbeatSeconds")
    timeout: Any = state.get("TimeoutSeconds")
    if is_number(heartbeat) and is_number(timeout) and heartbeat >= timeout:
        found.add(
            (*place, "HeartbeatSeconds"),
            "HeartbeatSeconds must be smaller than TimeoutSeconds",
            expected=f"less than {timeout:g}",
        )


def apart(state: dict[str, Any], type_: str, place: Place, found: Findings, jsonata: bool) -> None:
    """The fields that have rules of their own."""
    if "Assign" in state and "Assign" in FIELDS[type_]:
        assign(state["Assign"], (*place, "Assign"), found, jsonata)
    if "Retry" in state and "Retry" in FIELDS[type_]:
        handlers(state["Retry"], RETRIER, (*place, "Retry"), found, jsonata)
    if "Catch" in state and "Catch" in FIELDS[type_]:
        handlers(state["Catch"], CATCHER, (*place, "Catch"), found, jsonata)
    match type_:
        case "Task":
            if "Resource" in state:
                resources.judge(state, place, found, jsonata)
            if "Credentials" in state:
                resources.credentials(state["Credentials"], (*place, "Credentials"), found)
        case "Wait" if "Timestamp" in state:
            timestamp(state["Timestamp"], (*place, "Timestamp"), found, jsonata)
        case "Choice" if "Choices" in state:
            choices.judge(state["Choices"], (*place, "Choices"), found, jsonata)
            for number, rule in enumerate(state["Choices"] if isinstance(state["Choices"], list) else ()):
                if isinstance(rule, dict) and "Assign" in rule:
                    assign(rule["Assign"], (*place, "Choices", number, "Assign"), found, jsonata)
        case "Parallel" if "Branches" in state:
            maps.branches(state["Branches"], (*place, "Branches"), found)
        case "Map":
            maps.judge(state, place, found, jsonata)
        case _:
            pass


def timestamp(value: Any, place: Place, found: Findings, jsonata: bool) -> None:
    if jsonata and is_jsonata(value):
        return
    if not found.type_of(place, value, "STRING"):
        return
    try:
        instant(value)
    except InvalidTimestamp as e:
        found.add(place, "String does not match RFC3339 timestamp", expected=str(e))


def assign(value: Any, place: Place, found: Findings, jsonata: bool) -> None:
    """Notes what is wrong with Assign: an object whose names are names of variables."""
    if not found.type_of(place, value, "OBJECT"):
        return
    for name in value:
        plain = name.removesuffix(".$") if not jsonata else name
        if plain == "states":
            found.add((*place, name), "Cannot assign to reserved variable '$states'.", code="RESERVED_VARIABLE_NAME")
        elif not plain.isidentifier() or len(plain) > LONGEST_NAME:
            found.add(
                (*place, name),
                f"Invalid variable name '{plain}': the variable name contains invalid characters.",
                code="INVALID_VARIABLE_NAME",
                expected=f"at most {LONGEST_NAME} letters, digits and '_', the first of them no digit",
            )
    if not jsonata:
        kinds.template(value, place, found)


def handlers(value: Any, fields: dict[str, Kind], place: Place, found: Findings, jsonata: bool) -> None:
    """Notes what is wrong with Retry or Catch."""
    if not found.type_of(place, value, "ARRAY"):
        return
    for number, one in enumerate(value):
        where = (*place, number)
        if not found.type_of(where, one, "OBJECT"):
            continue
        unknown(one, tuple(fields), where, found)
        required(one, ("ErrorEquals", "Next") if fields is CATCHER else ("ErrorEquals",), where, found)
        if fields is CATCHER:
            other_language(one, not jsonata, where, found)
        for field, inner in one.items():
            if field in fields:
                kinds.judge(inner, fields[field], (*where, field), found, jsonata and fields is CATCHER)
        if "Assign" in one and fields is CATCHER:
            assign(one["Assign"], (*where, "Assign"), found, jsonata)
        if "ErrorEquals" in one:
            errors(one["ErrorEquals"], (*where, "ErrorEquals"), found, is_last=number == len(value) - 1)


def errors(value: Any, place: Place, found: Findings, *, is_last: bool) -> None:
    if not found.type_of(place, value, "ARRAY"):
        return
    if not value:
        found.add(place, "Value cannot be empty")
    for number, name in enumerate(value):
        found.type_of((*place, number), name, "STRING")
    if "States.ALL" in value and (len(value) > 1 or not is_last):
        found.add(place, "States.ALL must appear alone and at end of list")
