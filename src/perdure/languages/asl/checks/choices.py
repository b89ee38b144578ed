"""Choice rules in definitions."""

from __future__ import annotations

from typing import Any, Final

from perdure.expressions.located_json import Place
from perdure.languages.asl.checks import kinds
from perdure.languages.asl.checks.diagnostics import Findings
from perdure.languages.asl.choices import OPERATORS, is_boolean, is_number, is_text, is_timestamp
from perdure.languages.asl.jsonata_fields import is_jsonata

COMBINING: Final = ("And", "Or", "Not")
# What a rule may be, as AWS lists it.
SORTS: Final = (*COMBINING, "Variable", "Condition")
BESIDE: Final = ("Next", "Comment", "Assign", "Output")

WANTED: Final = {
    "String": (is_text, "Expected value of type [STRING]"),
    "Numeric": (is_number, "Expected value of type [NUMBER]"),
    "Boolean": (is_boolean, "Expected value of type [BOOLEAN]"),
    "Timestamp": (is_timestamp, "String does not match RFC3339 timestamp"),
    "Is": (is_boolean, "Expected value of type [BOOLEAN]"),
}


def judge(choices: Any, place: Place, found: Findings, jsonata: bool) -> None:
    """Notes what is wrong with Choices."""
    if not found.type_of(place, choices, "ARRAY"):
        return
    if not choices:
        found.add(place, "Value cannot be empty")
    for number, rule in enumerate(choices):
        if found.type_of((*place, number), rule, "OBJECT"):
            outer(rule, (*place, number), found, jsonata)


def outer(rule: dict[str, Any], place: Place, found: Findings, jsonata: bool) -> None:
    if "Next" not in rule:
        found.add(place, "These fields are required: [Next]", expected="the state that comes next")
    elif found.type_of((*place, "Next"), rule["Next"], "STRING"):
        pass
    other, own = ("JSONPath", "JSONata") if jsonata else ("JSONata", "JSONPath")
    wrong = [
        name
        for name in rule
        if (name in (*COMBINING, "Variable", *OPERATORS) if jsonata else name in ("Condition", "Output"))
    ]
    for name in wrong:
        found.add(
            place,
            f"The QueryLanguage is set to '{own}', but field '{name}' is only supported for the '{other}' QueryLanguage",
            at=(*place, name),
        )
    if wrong:
        return
    inner(rule, place, found, jsonata, BESIDE)


def inner(rule: dict[str, Any], place: Place, found: Findings, jsonata: bool, beside: tuple[str, ...]) -> None:
    sorts = [name for name in SORTS if name in rule]
    known = (*beside, *SORTS, *OPERATORS) if sorts in ([], ["Variable"]) else (*beside, *sorts)
    for name in rule:
        if name not in known:
            found.add(place, f"Field '{name}' is not supported", near=(name, known), at=(*place, name))
    if len(sorts) != 1:
        found.add(
            place,
            f"The object must have only one of the following fields, [{', '.join(SORTS)}]",
            expected="'Condition'" if jsonata else "'Variable' and one operator, or one of 'And', 'Or' and 'Not'",
        )
        return
    match sorts[0]:
        case "Condition":
            condition(rule["Condition"], (*place, "Condition"), found)
        case "Variable":
            comparison(rule, place, found)
        case "Not":
            if found.type_of((*place, "Not"), rule["Not"], "OBJECT"):
                inner(rule["Not"], (*place, "Not"), found, jsonata, ("Comment",))
        case name:
            if found.type_of((*place, name), rule[name], "ARRAY"):
                if not rule[name]:
                    found.add((*place, name), "Value cannot be empty")
                for number, part in enumerate(rule[name]):
                    if found.type_of((*place, name, number), part, "OBJECT"):
                        inner(part, (*place, name, number), found, jsonata, ("Comment",))


def condition(value: Any, place: Place, found: Findings) -> None:
    if not isinstance(value, bool) and not is_jsonata(value):
        found.add(place, "JSONata string must start with {% and end with %}", expected="an expression, true or false")


def comparison(rule: dict[str, Any], place: Place, found: Findings) -> None:
    kinds.reference(rule["Variable"], (*place, "Variable"), found)
    operators = [name for name in rule if name in OPERATORS]
    if len(operators) > 1:
        found.add(place, f"There should only be one of the following fields: [{', '.join(operators)}]")
    elif not operators:
        found.add(
            place,
            f"This object should have only one of the following fields: [{', '.join(OPERATORS)}]",
            expected="an operator, such as StringEquals",
        )
    for name in operators:
        operand(name, rule[name], (*place, name), found)


def operand(name: str, value: Any, place: Place, found: Findings) -> None:
    if name.endswith("Path"):
        kinds.reference(value, place, found)
        return
    fits, message = next(wanted for start, wanted in WANTED.items() if name.startswith(start))
    if not fits(value):
        found.add(place, message)
