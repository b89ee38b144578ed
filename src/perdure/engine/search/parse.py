"""From the text of a filter to a checked ``Query``.

The grammar is ``grammar.lark``. Each name is looked up and each value made one of its attribute's type while the tree
is built, so what is wrong is told with its place: the line, the column, and a mark under it.
"""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NoReturn

from perdure.engine.search.literals import LiteralProblem, value_of
from perdure.kernel import search_attribute
from perdure.model.errors import InvalidArgumentError
from perdure.model.names import unwritable
from perdure.model.search import (
    EVERYTHING,
    OWN_ATTRIBUTES,
    SCHEDULED_ATTRIBUTES,
    SYSTEM_ATTRIBUTES,
    And,
    Attribute,
    AttributeType,
    AttributeTypes,
    Between,
    Compare,
    Condition,
    In,
    IsNull,
    Not,
    Operator,
    Or,
    Query,
    SortKey,
    StartsWith,
    registered,
)

if TYPE_CHECKING:
    from lark import Lark, Token, Tree
    from lark.exceptions import UnexpectedInput

LONGEST = 10_000
"""Characters of a filter."""

DEEPEST = 50
"""How deep conditions may be nested."""

_LISTS = (AttributeType.TEXT, AttributeType.KEYWORD_LIST)
_UNORDERED = (*_LISTS, AttributeType.BOOL, AttributeType.STATUS)
_OPERATORS = {
    "=": Operator.EQUAL,
    "!=": Operator.NOT_EQUAL,
    "<>": Operator.NOT_EQUAL,
    "<": Operator.LESS,
    "<=": Operator.AT_MOST,
    ">": Operator.MORE,
    ">=": Operator.AT_LEAST,
}


def parse(text: str, types: AttributeTypes, *, counting: bool = False) -> Query:
    """The query that a filter asks for; an empty one asks for everything.

    Args:
        text: as ``docs/search.md`` has it.
        types: the custom attributes of the namespace.
        counting: whether runs are counted, which takes GROUP BY, or listed, which takes ORDER BY.

    Raises:
        InvalidArgumentError: it makes no sense; the message says where, and what was expected there.
    """
    if problem := unwritable("The filter", text):
        raise InvalidArgumentError(f"{problem}.")
    if not text or text.isspace():
        return EVERYTHING
    if len(text) > LONGEST:
        raise InvalidArgumentError(
            f"The filter has {len(text):,} characters, and {LONGEST:,} are the most. Ask for less at once."
        )
    from lark.exceptions import UnexpectedInput

    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        raise _unexpected(text, error) from None
    return _Checker(text, types).query(tree, counting)


async def make_ready(text: str) -> None:
    """See that ``parse`` of this text takes no time: the first filter of a process loads the grammar, in a thread, so
    that no run waits for it."""
    if text and not text.isspace() and not _parser.cache_info().currsize:
        import asyncio  # the command line parses without a loop

        await asyncio.to_thread(_parser)


@cache
def _parser() -> "Lark":
    # Read only when there is a filter to parse: importing the library takes longer than anything else here.
    from lark import Lark

    grammar = (files(__package__) / "grammar.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True, maybe_placeholders=True)


class _Checker:
    """Turns the tree of one text into conditions."""

    def __init__(self, text: str, types: AttributeTypes) -> None:
        self._text = text
        self._types = registered(types)

    def query(self, tree: "Tree[Token]", counting: bool) -> Query:
        where, groups, order = tree.children
        if groups is not None and not counting:
            self._fail(groups, "GROUP BY is for counting (client.count_by, perdure count); a list takes ORDER BY")
        if order is not None and counting:
            self._fail(order, "ORDER BY is for lists (client.list, perdure list); a count takes GROUP BY")
        return Query(
            None if where is None else self._condition(where, 1),
            tuple(self._sort_key(key) for key in order.children) if order is not None else (),
            tuple(self._group(name) for name in groups.children) if groups is not None else (),
        )

    def _condition(self, tree: Any, depth: int) -> Condition:
        while tree.data in ("any_of", "all_of") and len(tree.children) == 1:
            tree = tree.children[0]
        if depth > DEEPEST:
            self._fail(_first_token(tree), f"conditions are nested more than {DEEPEST} deep here")
        children = tree.children
        match tree.data:
            case "any_of":
                return Or(tuple(self._condition(child, depth + 1) for child in children))
            case "all_of":
                return And(tuple(self._condition(child, depth + 1) for child in children))
            case "negated":
                return Not(self._condition(children[1], depth + 1))
            case "compare":
                return self._compare(*children)
            case "among":
                name, negation, *literals = children
                attribute = self._attribute(name)
                if attribute.type is AttributeType.TEXT:
                    self._fail(name, f"{attribute.name} is text; ask for its words with = or !=")
                values = tuple(dict.fromkeys(self._value(attribute, literal) for literal in literals))
                return In(attribute, values, negation is not None)
            case "between":
                name, negation, low, high = children
                attribute = self._ordered(name, "BETWEEN")
                return Between(
                    attribute, self._value(attribute, low), self._value(attribute, high), negation is not None
                )
            case "starts_with":
                name, negation, literal = children
                attribute = self._attribute(name)
                if attribute.type not in (AttributeType.KEYWORD, AttributeType.KEYWORD_LIST):
                    self._fail(name, f"{attribute.name} is {attribute.type}; STARTS_WITH is for keywords")
                return StartsWith(attribute, str(self._value(attribute, literal)), negation is not None)
            case "is_null":
                name, negation = children
                return IsNull(self._attribute(name), negation is not None)
            case rule:
                raise AssertionError(rule)

    def _compare(self, name: "Tree[Token]", sign: "Token", literal: "Tree[Token]") -> Condition:
        operator = _OPERATORS[sign]
        attribute = (
            self._attribute(name)
            if operator in (Operator.EQUAL, Operator.NOT_EQUAL)
            else self._ordered(name, str(sign))
        )
        value = self._value(attribute, literal)
        if attribute.type is not AttributeType.TEXT:
            return Compare(attribute, operator, value)
        words = search_attribute.words(str(value))
        if not words:
            self._fail(literal, "there is no word in it to look for")
        parts = tuple(Compare(attribute, Operator.EQUAL, word) for word in words)
        has_all = parts[0] if len(parts) == 1 else And(parts)
        if operator is Operator.EQUAL:
            return has_all
        return And((IsNull(attribute, negated=True), Not(has_all)))

    def _attribute(self, tree: "Tree[Token]") -> Attribute:
        token = _first_token(tree)
        name = token[1:-1] if token.type == "QUOTED_NAME" else str(token)
        known = SYSTEM_ATTRIBUTES.get(name)
        if known is not None:
            return known
        type = self._types.get(name) or OWN_ATTRIBUTES.get(name) or SCHEDULED_ATTRIBUTES.get(name)
        if type is None:
            self._fail(token, _unknown(name, [*SYSTEM_ATTRIBUTES, *OWN_ATTRIBUTES, *self._types]))
        return Attribute(name, type, is_custom=True)

    def _ordered(self, tree: "Tree[Token]", sign: str) -> Attribute:
        attribute = self._attribute(tree)
        if attribute.type in _UNORDERED:
            self._fail(tree, f"{attribute.name} is {attribute.type}, which has no order; {sign} can't compare it")
        return attribute

    def _value(self, attribute: Attribute, tree: "Tree[Token]") -> Any:
        token = _first_token(tree)
        try:
            return value_of(token.type, str(token), attribute)
        except LiteralProblem as problem:
            self._fail(token, str(problem))

    def _sort_key(self, tree: "Tree[Token]") -> SortKey:
        name, direction = tree.children
        attribute = self._attribute(name)  # type: ignore[arg-type]  # the grammar says so
        if attribute.type in _LISTS:
            self._fail(name, f"{attribute.name} is {attribute.type}; runs can't be sorted by it")
        return SortKey(attribute, direction is not None and str(direction).upper() == "DESC")

    def _group(self, name: "Tree[Token]") -> Attribute:
        attribute = self._attribute(name)
        if attribute.type in _LISTS:
            self._fail(name, f"{attribute.name} is {attribute.type}; runs can't be counted by it")
        return attribute

    def _fail(self, where: Any, problem: str) -> NoReturn:
        token = _first_token(where)
        raise _error(self._text, token.line or 1, token.column or 1, problem)


def _first_token(tree: Any) -> "Token":
    while hasattr(tree, "children"):
        tree = next(child for child in tree.children if child is not None)
    found: Token = tree
    return found


# --- errors

_WORDS = {
    "NAME": "the name of an attribute",
    "QUOTED_NAME": "the name of an attribute",
    "STRING": "a text in quotes",
    "NUMBER": "a number",
    "BOOL": "true or false",
    "OPERATOR": "a comparison such as =",
    "DIRECTION": "ASC or DESC",
    "LPAR": "'('",
    "RPAR": "')'",
    "COMMA": "','",
    "$END": "the end",
}
_ORDER = ["NAME", "OPERATOR", "STRING", "NUMBER", "BOOL", "LPAR", "COMMA", "RPAR", "NOT", "_AND", "_OR"]


def _unexpected(text: str, error: "UnexpectedInput") -> InvalidArgumentError:
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken

    expected: Iterable[str] = ()
    line, column = error.line, error.column
    if isinstance(error, UnexpectedToken):
        token = error.token
        expected = error.accepts or error.expected
        if token.type == "$END":
            found = "the filter ends"
            line, column = _end_of(text)
        else:
            found = f"there is {_shown(str(token))}"
            if token.type == "NAME" and "STRING" in expected:
                found += f" (a text needs quotes: '{token}')"
    else:
        assert isinstance(error, UnexpectedCharacters)
        expected = error.allowed or ()
        rest = text[error.pos_in_stream or 0 :]
        found = (
            "a quote is opened here and never closed" if rest[0] in "'\"`" else f"there is {_shown(rest.split()[0])}"
        )
    return _error(text, line, column, f"{found}; expected {_alternatives(expected)}")


def _alternatives(expected: Iterable[str]) -> str:
    names = sorted(set(expected), key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))
    words = list(dict.fromkeys(_WORDS.get(name, name.lstrip("_")) for name in names))
    if not words:
        return "something else"
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def _error(text: str, line: int, column: int, problem: str) -> InvalidArgumentError:
    shown = text.splitlines()[line - 1] if text.splitlines() else ""
    # A long line is shown around the place.
    start = max(0, column - 1 - 60)
    part = shown[start : start + 120]
    mark = " " * (column - 1 - start) + "^"
    return InvalidArgumentError(
        f"The filter can't be used: line {line}, column {column}: {problem}\n  {_printable(part)}\n  {mark}"
    )


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _end_of(text: str) -> tuple[int, int]:
    lines = text.rstrip().splitlines()
    return len(lines), len(lines[-1]) + 1


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}...")


def _unknown(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    by_lower = {each.lower(): each for each in known}
    near = [by_lower[each] for each in get_close_matches(name.lower(), by_lower, 3)]
    hint = f"did you mean {_either(near)}?" if near else "no run of this namespace has it, and it is not registered"
    return f"there is no attribute {_shown(name)}; {hint}"


def _either(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
