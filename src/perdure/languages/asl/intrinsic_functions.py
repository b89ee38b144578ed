"""What each intrinsic function does with its arguments.

Source: Amazon's page "Intrinsic functions for JSONPath states in Step Functions", and answers recorded from AWS where
the page is silent: how numbers are rounded (as Java's Math.round), how Format prints objects (as Java prints maps),
and that StringSplit leaves out empty parts.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from perdure.languages.asl.chance import Chance
from perdure.languages.asl.json_text import compact

# Amazon's limits.
LONGEST_TEXT = 10_000
MOST_ITEMS = 1_000

ANY_NUMBER = float("inf")
ALGORITHMS = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}


class Refused(Exception):
    """A function does not accept its arguments; says why."""


@dataclass(slots=True, frozen=True)
class Function:
    arity: tuple[int, float]
    apply: Callable[[list[Any], Chance], Any]


def an_array(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Refused(f"expected an array, but was: {compact(value)}")
    return value


def a_text(value: Any) -> str:
    if not isinstance(value, str):
        raise Refused(f"expected a string, but was: {compact(value)}")
    return value


def a_number(value: Any) -> int:
    """A number, rounded to a whole one as Java's Math.round does: a half goes up."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(f"expected a number, but was: {compact(value)}")
    return value if isinstance(value, int) else math.floor(value + 0.5)


def short(value: Any) -> str:
    text = a_text(value)
    if len(text) > LONGEST_TEXT:
        raise Refused(f"the string is longer than {LONGEST_TEXT} characters")
    return text


def as_java(value: Any) -> str:
    """A value as Format prints it."""
    match value:
        case str():
            return value
        case dict():
            return "{" + ", ".join(f"{key}={as_java(inner)}" for key, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(as_java, value)) + "]"
        case float() if value and not 1e-3 <= abs(value) < 1e7:
            sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
            first, *rest = map(str, digits)
            return f"{'-' if sign else ''}{first}.{''.join(rest) or '0'}E{int(exponent) + len(rest)}"
        case _:
            return compact(value)


class Template(str):
    """A text of a definition, which may have braces in it that are no places: `parts` is what stands between those that
    are."""

    parts: list[str]

    @classmethod
    def read(cls, raw: str) -> Template:
        """From how it is written, with a backslash before each quote, brace and backslash that stands for itself."""
        parts, at = [""], 0
        while at < len(raw):
            if raw.startswith("{}", at):
                parts.append("")
                at += 2
                continue
            at += raw[at] == "\\"
            parts[-1] += raw[at]
            at += 1
        template = cls("{}".join(parts))
        template.parts = parts
        return template


def format_text(arguments: list[Any], chance: Chance) -> Any:
    template, values = a_text(arguments[0]), arguments[1:]
    parts = template.parts if isinstance(template, Template) else template.split("{}")
    if len(parts) - 1 != len(values):
        raise Refused(f"the template has {len(parts) - 1} places '{{}}', but there are {len(values)} values")
    return parts[0] + "".join(as_java(value) + part for value, part in zip(values, parts[1:], strict=True))


def string_to_json(arguments: list[Any], chance: Chance) -> Any:
    text = a_text(arguments[0])
    try:
        return json.loads(text) if text.strip() else None
    except (ValueError, RecursionError) as e:
        raise Refused(f"the string is not JSON: {e}") from None


def array_partition(arguments: list[Any], chance: Chance) -> Any:
    items, size = an_array(arguments[0]), a_number(arguments[1])
    if size < 1:
        raise Refused(f"the size of the parts must be a positive number, but was: {size}")
    return [items[start : start + size] for start in range(0, len(items), size)]


def array_range(arguments: list[Any], chance: Chance) -> Any:
    first, last, step = map(a_number, arguments)
    if step == 0:
        raise Refused("the step must not be 0")
    found = range(first, last + (1 if step > 0 else -1), step)
    if len(found) > MOST_ITEMS:
        raise Refused(f"the range has more than {MOST_ITEMS} items")
    return list(found)


def array_get_item(arguments: list[Any], chance: Chance) -> Any:
    items, place = an_array(arguments[0]), a_number(arguments[1])
    if not 0 <= place < len(items):
        raise Refused(f"there is no item {place} in an array of {len(items)}")
    return items[place]


def same(value: Any) -> str:
    """Equal for values that JSON holds equal, whatever the order of their members; 1 and true differ, 1 and 1.0 do not."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True)


def array_unique(arguments: list[Any], chance: Chance) -> Any:
    found: dict[str, Any] = {}
    for item in an_array(arguments[0]):
        found.setdefault(same(item), item)
    return list(found.values())


def array_contains(arguments: list[Any], chance: Chance) -> Any:
    wanted = same(arguments[1])
    return any(same(item) == wanted for item in an_array(arguments[0]))


def base64_decode(arguments: list[Any], chance: Chance) -> Any:
    try:
        return base64.b64decode(short(arguments[0]), validate=True).decode(errors="replace")
    except binascii.Error as e:
        raise Refused(f"the string is not Base64: {e}") from None


def hashed(arguments: list[Any], chance: Chance) -> Any:
    value, name = arguments[0], a_text(arguments[1])
    if name not in ALGORITHMS:
        raise Refused(f"there is no algorithm '{name}'; there are {', '.join(ALGORITHMS)}")
    text = short(value if isinstance(value, str) else compact(value))
    return hashlib.new(ALGORITHMS[name], text.encode(errors="surrogatepass")).hexdigest()


def json_merge(arguments: list[Any], chance: Chance) -> Any:
    first, second, deep = arguments
    for value in (first, second):
        if not isinstance(value, dict):
            raise Refused(f"expected an object, but was: {compact(value)}")
    if deep is not False:
        raise Refused("only the shallow mode is supported: the third argument must be false")
    return {**first, **second}


def math_random(arguments: list[Any], chance: Chance) -> Any:
    first, last = a_number(arguments[0]), a_number(arguments[1])
    if len(arguments) == 3:
        chance = Chance(str(a_number(arguments[2])))
    if last <= first:
        raise Refused(f"the end {last} must be greater than the start {first}")
    return first + int(chance.random() * (last - first))


def string_split(arguments: list[Any], chance: Chance) -> Any:
    text, marks = a_text(arguments[0]), a_text(arguments[1])
    parts, part = [], ""
    for letter in text:
        if letter in marks:
            parts.append(part)
            part = ""
        else:
            part += letter
    return [found for found in [*parts, part] if found]


FUNCTIONS: dict[str, Function] = {
    "States.Array": Function((0, ANY_NUMBER), lambda arguments, chance: arguments),
    "States.ArrayContains": Function((2, 2), array_contains),
    "States.ArrayGetItem": Function((2, 2), array_get_item),
    "States.ArrayLength": Function((1, 1), lambda arguments, chance: len(an_array(arguments[0]))),
    "States.ArrayPartition": Function((2, 2), array_partition),
    "States.ArrayRange": Function((3, 3), array_range),
    "States.ArrayUnique": Function((1, 1), array_unique),
    "States.Base64Decode": Function((1, 1), base64_decode),
    "States.Base64Encode": Function(
        (1, 1), lambda arguments, chance: base64.b64encode(short(arguments[0]).encode()).decode()
    ),
    "States.Format": Function((1, ANY_NUMBER), format_text),
    "States.Hash": Function((2, 2), hashed),
    "States.JsonMerge": Function((3, 3), json_merge),
    "States.JsonToString": Function((1, 1), lambda arguments, chance: compact(arguments[0])),
    "States.MathAdd": Function((2, 2), lambda arguments, chance: a_number(arguments[0]) + a_number(arguments[1])),
    "States.MathRandom": Function((2, 3), math_random),
    "States.StringSplit": Function((2, 2), string_split),
    "States.StringToJson": Function((1, 1), string_to_json),
    "States.UUID": Function((0, 0), lambda arguments, chance: chance.uuid()),
}
