"""The conditions of filters: `@.price < 10 && (@.isbn || !(@.kind in ['a', 'b']))`.

Compiled to closures over (the item, the whole document). A path that finds nothing is absent: it equals nothing, is
smaller than nothing, and alone, as a condition, does not hold; a path that finds null does. Values of different kinds
are unequal and have no order, as with Jayway.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

from perdure.expressions.jsonpath.path import Path
from perdure.expressions.jsonpath.steps import PathNotFound
from perdure.expressions.jsonpath.text import Text

Reader = Callable[[Text], Path]
Value = Callable[[Any, Any], Any]
Condition = Callable[[Any, Any], bool]

ABSENT: Final = object()
# Deeper nesting of parentheses is refused rather than left to the stack.
DEEPEST = 50

NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
WORD = re.compile(r"(true|false|null)\b")
PATTERN = re.compile(r"/((?:[^/\\]|\\.)*)/([a-zA-Z]*)")
OPERATOR = re.compile(
    r"===|!==|==|!=|<=|>=|<|>|=~|(?:in|nin|subsetof|anyof|noneof|size|empty|contains)\b", re.IGNORECASE
)


def condition(read: Text, path: Reader) -> Condition:
    """Reads a condition up to what it cannot be part of."""
    terms = [conjunction(read, path)]
    while read.spaces() or read.take("||"):
        terms.append(conjunction(read, path))
    return terms[0] if len(terms) == 1 else lambda item, root: any(term(item, root) for term in terms)


def conjunction(read: Text, path: Reader) -> Condition:
    terms = [negation(read, path)]
    while read.spaces() or read.take("&&"):
        terms.append(negation(read, path))
    return terms[0] if len(terms) == 1 else lambda item, root: all(term(item, root) for term in terms)


def negation(read: Text, path: Reader) -> Condition:
    read.spaces()
    if read.peek == "!":
        read.take("!")
        inner = nested(read, lambda: negation(read, path))
        return lambda item, root: not inner(item, root)
    if read.take("("):
        inner = nested(read, lambda: condition(read, path))
        read.spaces()
        if not read.take(")"):
            raise read.wrong("expected ')'")
        return inner
    return comparison(read, path)


def nested(read: Text, rest: Callable[[], Condition]) -> Condition:
    read.depth += 1
    if read.depth > DEEPEST:
        raise read.wrong(f"conditions may be nested {DEEPEST} deep")
    inner = rest()
    read.depth -= 1
    return inner


def comparison(read: Text, path: Reader) -> Condition:
    left = operand(read, path)
    read.spaces()
    operator = read.match(OPERATOR)
    if operator is None:
        return lambda item, root: left(item, root) is not ABSENT
    name = operator[0].lower()
    if name == "=~":
        return matching(read, left)
    right = operand(read, path)
    compare = OPERATORS[name]
    return lambda item, root: compare(left(item, root), right(item, root))


def operand(read: Text, path: Reader) -> Value:
    read.spaces()
    if read.peek in "@$":
        read.position += 1
        start = read.text[read.position - 1]
        inner = path(read)
        return lambda item, root: value_at(inner, item if start == "@" else root)
    constant: Any
    if read.peek in "'\"":
        constant = read.quoted()
    elif found := read.match(NUMBER):
        constant = json.loads(found[0]) if found[1] or found[2] else int(found[0])
    elif found := read.match(WORD):
        constant = json.loads(found[0])
    elif read.peek in "[{":
        constant = written_value(read)
    else:
        raise read.wrong("expected a path, a text, a number, true, false, null or a list")
    return lambda item, root: constant


def written_value(read: Text) -> Any:
    if read.peek == "{":
        try:
            value, read.position = json.JSONDecoder().raw_decode(read.text, read.position)
        except (ValueError, RecursionError):
            raise read.wrong("expected a JSON object") from None
        return value
    read.take("[")
    items = []
    while not (read.spaces() or read.take("]")):
        inner = operand(read, no_path)
        items.append(inner(None, None))
        read.spaces()
        if not read.take(",") and read.peek != "]":
            raise read.wrong("expected ',' or ']'")
    return items


def no_path(read: Text) -> Path:
    raise read.wrong("a list in a filter holds values, not paths")


def value_at(path: Path, document: Any) -> Any:
    try:
        return path.read(document)
    except PathNotFound:
        return ABSENT


def matching(read: Text, left: Value) -> Condition:
    read.spaces()
    found = read.match(PATTERN)
    if found is None:
        raise read.wrong("expected a regular expression, /.../, after =~")
    import re2  # in time linear in the text, whatever the pattern; a large module, so only where it is needed

    options = re2.Options()
    options.case_sensitive = "i" not in found[2]
    options.dot_nl = "s" in found[2]
    options.log_errors = False
    try:
        pattern = re2.compile(found[1], options)
    except re2.error as e:
        raise read.wrong(f"the regular expression is not understood: {e}") from None

    def holds(item: Any, root: Any) -> bool:
        value = left(item, root)
        return isinstance(value, str) and pattern.fullmatch(value) is not None

    return holds


def kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else type(value).__name__


def equal(left: Any, right: Any) -> bool:
    """A number and a text are compared as what the left one is."""
    kinds = kind(left), kind(right)
    if kinds == ("number", "str"):
        try:
            return float(left) == float(right)
        except ValueError:
            return False
    if kinds == ("str", "number"):
        return bool(left == json.dumps(right))
    return kind(left) == kind(right) and bool(left == right)


def less(left: Any, right: Any) -> bool:
    return kind(left) == kind(right) in ("number", "str") and bool(left < right)


def within(left: Any, right: Any) -> bool:
    return isinstance(right, list) and any(equal(left, item) for item in right)


def all_within(left: Any, right: Any) -> bool:
    return isinstance(left, list) and all(within(item, right) for item in left)


def any_within(left: Any, right: Any) -> bool:
    return isinstance(left, list) and any(within(item, right) for item in left)


def holds_inside(left: Any, right: Any) -> bool:
    return right in left if isinstance(left, str) and isinstance(right, str) else within(right, left)


def sized(value: Any) -> bool:
    return isinstance(value, list | str)


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": equal,
    "===": equal,
    "!=": lambda left, right: not equal(left, right),
    "!==": lambda left, right: not equal(left, right),
    "<": less,
    "<=": lambda left, right: less(left, right) or (kind(left) in ("number", "str") and equal(left, right)),
    ">": lambda left, right: less(right, left),
    ">=": lambda left, right: less(right, left) or (kind(left) in ("number", "str") and equal(left, right)),
    "in": within,
    "nin": lambda left, right: left is not ABSENT and not within(left, right),
    "subsetof": all_within,
    "anyof": any_within,
    "noneof": lambda left, right: isinstance(left, list) and not any_within(left, right),
    "size": lambda left, right: sized(left) and equal(len(left), right),
    "empty": lambda left, right: sized(left) and (len(left) == 0) is right,
    "contains": holds_inside,
}
