"""JSON that knows where each of its parts stands, and says what is wrong with a text as Jackson says it.

AWS reads JSON with Jackson, and shows its sentences. The standard library's reader is quick and says little; so it
reads what is well, and this one reads again what is not, or what a diagnostic must point at.
"""

from __future__ import annotations

import bisect
import json
import math
import re
from dataclasses import dataclass
from typing import Any, NoReturn

# A place in a document: names and numbers on the way to it.
Place = tuple[str | int, ...]

BLANK = re.compile(r"[ \t\n\r]*")
STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
TOKEN = re.compile(r"[^\s\[\]{}:,\"]*")
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")
WORDS = ("null", "true", "false")
VALUES = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
DEEPEST = 250
# Jackson shows this much of the text.
SHOWN = 500


class InvalidJson(ValueError):
    """The text is no JSON.

    Args:
        message: Jackson's sentence.
        text: the whole text.
        offset: where reading stopped, in characters.
    """

    def __init__(self, message: str, text: str, offset: int) -> None:
        before = text[:offset]
        self.message, self.text = message, text
        self.line, self.column = before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
        shown = text if len(text) <= SHOWN else text[:SHOWN]
        cut = "" if len(text) <= SHOWN else f"[truncated {len(text) - SHOWN} chars]"
        self.source = f'[Source: (String)"{shown}"{cut}; line: {self.line}, column: {self.column}]'
        super().__init__(f"{message}\n at {self.source}")


@dataclass(slots=True, frozen=True)
class Position:
    """Line and column, from 1."""

    line: int
    column: int


def parse(text: str) -> Any:
    """The value of a text.

    Raises:
        InvalidJson: with Jackson's sentence and the place.
    """
    try:
        value = json.loads(text, parse_float=a_float, parse_constant=no_value)
        if SURROGATE.search(text):
            whole(value, text)
        return value
    except InvalidJson:
        raise
    except (ValueError, RecursionError):
        Reader(text).read()
        raise InvalidJson("The text is nested too deeply, or a number is too large", text, 0) from None


def parse_unique(text: str) -> Any:
    """The same, of a text in which no object has two members of one name.

    Raises:
        InvalidJson: as ``parse``; or a name is there twice.
    """
    value = parse(text)
    try:
        json.loads(text, object_pairs_hook=no_name_twice)
    except ValueError:
        Reader(text, is_unique=True).read()
        raise
    return value


def no_name_twice(members: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in members}) < len(members):
        raise ValueError("a name is there twice")


def whole(value: Any, text: str) -> None:
    """Refuses halves of letters, which no UTF-8 has."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        found = SURROGATE.search(text)
        raise InvalidJson("Incomplete surrogate pair in a string", text, found.end() if found else 0) from None


def a_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(text)
    return value


def no_value(text: str) -> NoReturn:
    raise ValueError(text)


def positions(text: str) -> dict[Place, Position]:
    """Where each part of a document begins: a member where its name does, an item where its value does.

    Raises:
        InvalidJson: it is no document.
    """
    reader = Reader(text)
    reader.read()
    lines = [0, *(found.end() for found in re.finditer("\n", text))]
    return {place: position(offset, lines) for place, offset in reader.found.items()}


def position(offset: int, lines: list[int]) -> Position:
    line = bisect.bisect_right(lines, offset)
    return Position(line, offset - lines[line - 1] + 1)


class Reader:
    """Reads a text from its beginning, and notes where its parts are. ``is_unique``: no name may be there twice in an object."""

    def __init__(self, text: str, *, is_unique: bool = False) -> None:
        self.text, self.at, self.is_unique = text, 0, is_unique
        self.found: dict[Place, int] = {}

    def read(self) -> None:
        self.blanks()
        if self.at == len(self.text):
            self.fail("No content to map due to end-of-input", self.at)
        self.value(())
        self.blanks()
        if self.at < len(self.text):
            if self.text[self.at] in '{["':
                self.fail("Trailing token found after value", self.at)
            self.token(self.at)

    def blanks(self) -> None:
        found = BLANK.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def value(self, place: Place) -> None:
        if len(place) > DEEPEST:
            self.fail("The text is nested too deeply", self.at)
        self.found.setdefault(place, self.at)
        if self.at >= len(self.text):
            self.fail("Unexpected end-of-input", self.at)
        start = self.text[self.at]
        if start == "{":
            self.members(place)
        elif start == "[":
            self.items(place)
        elif start == '"':
            self.string()
        elif found := NUMBER.match(self.text, self.at):
            self.at = found.end()
        else:
            self.token(self.at)

    def token(self, at: int) -> None:
        found = TOKEN.match(self.text, at)
        word = found[0] if found else ""
        if word in WORDS:
            self.at = at + len(word)
        elif word and (word[0].isalpha() or word[0] in "_$"):
            self.fail(f"Unrecognized token '{word}': was expecting {VALUES}", at + len(word))
        else:
            self.unexpected(at, "expected a valid value " + VALUES)

    def string(self) -> str:
        found = STRING.match(self.text, self.at)
        if found is None:
            self.broken_string()
        self.at = found.end()
        return found[0]

    def broken_string(self) -> NoReturn:
        at = self.at + 1
        while at < len(self.text) and self.text[at] != '"':
            letter = self.text[at]
            if letter < " ":
                self.fail(
                    f"Illegal unquoted character ((CTRL-CHAR, code {ord(letter)})): has to be escaped using backslash "
                    "to be included in string value",
                    at + 1,
                )
            if letter == "\\":
                at += 1
                if self.text[at : at + 1] not in tuple('"\\/bfnrtu'):
                    self.fail(f"Unrecognized character escape {described(self.text[at : at + 1])}", at + 1)
                if self.text[at : at + 1] == "u" and not re.fullmatch("[0-9a-fA-F]{4}", self.text[at + 1 : at + 5]):
                    self.fail("Unexpected character: expected a hex-digit for character escape sequence", at + 2)
            at += 1
        self.fail("Unexpected end-of-input: was expecting closing quote for a string value", len(self.text))

    def members(self, place: Place) -> None:
        start = self.at
        self.at += 1
        first = True
        while True:
            self.blanks()
            self.not_ended("Object", start)
            if self.text[self.at] == "}" and first:
                break
            if self.text[self.at] != '"':
                self.unexpected(self.at, "was expecting double-quote to start field name")
            named = self.at
            name = json.loads(self.string())
            inner = (*place, name)
            if self.is_unique and inner in self.found:
                self.fail(f"Duplicate field '{name}'", self.at)
            self.found[inner] = named
            self.blanks()
            self.not_ended("Object", start)
            if self.text[self.at] != ":":
                self.unexpected(self.at, "was expecting a colon to separate field name and value")
            self.at += 1
            self.blanks()
            self.not_ended("Object", start)
            self.value(inner)
            first = False
            if self.closed("}", "Object", start):
                break
        self.at += 1

    def items(self, place: Place) -> None:
        start, number = self.at, 0
        self.at += 1
        while True:
            self.blanks()
            self.not_ended("Array", start)
            if self.text[self.at] == "]" and number == 0:
                break
            self.value((*place, number))
            number += 1
            if self.closed("]", "Array", start):
                break
        self.at += 1

    def closed(self, mark: str, kind: str, start: int) -> bool:
        self.blanks()
        self.not_ended(kind, start)
        if self.text[self.at] == mark:
            return True
        if self.text[self.at] != ",":
            self.unexpected(self.at, f"was expecting comma to separate {kind} entries")
        self.at += 1
        return False

    def not_ended(self, kind: str, start: int) -> None:
        if self.at >= len(self.text):
            opened = InvalidJson("", self.text, start)
            self.fail(
                f"Unexpected end-of-input: expected close marker for {kind} (start marker at {opened.source})", self.at
            )

    def unexpected(self, at: int, expected: str) -> NoReturn:
        if at >= len(self.text):
            self.fail("Unexpected end-of-input", at)
        self.fail(f"Unexpected character ({described(self.text[at])}): {expected}", at + 1)

    def fail(self, message: str, offset: int) -> NoReturn:
        raise InvalidJson(message, self.text, offset)


def described(letter: str) -> str:
    return f"'{letter}' (code {ord(letter)})" if letter else "at the end"
