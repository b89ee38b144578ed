"""A text under a reader's finger."""

from __future__ import annotations

import re


class InvalidPath(ValueError):
    """The text is no path.

    Args:
        text: the whole of it.
        position: of the first character that does not fit, from 0.
        problem: what was expected there.
    """

    def __init__(self, text: str, position: int, problem: str) -> None:
        super().__init__(f"invalid path '{text}': {problem} at character {position + 1}")
        self.text, self.position, self.problem = text, position, problem


ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class Text:
    """A text and how far it is read."""

    def __init__(self, text: str) -> None:
        self.text, self.position, self.depth = text, 0, 0

    @property
    def ended(self) -> bool:
        return self.position >= len(self.text)

    @property
    def peek(self) -> str:
        """The next character; a line end at the end, which is in no set of characters that is looked for."""
        return "\n" if self.ended else self.text[self.position]

    def take(self, word: str) -> bool:
        if self.text.startswith(word, self.position):
            self.position += len(word)
            return True
        return False

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        if found := pattern.match(self.text, self.position):
            self.position = found.end()
        return found

    def spaces(self) -> bool:
        """Skips blanks. Always false, so that it can stand before a question: `read.spaces() or read.take(",")`."""
        while not self.ended and self.text[self.position].isspace():
            self.position += 1
        return False

    def quoted(self) -> str:
        """Reads '...' or "..."; a backslash takes the next character as it is."""
        quote = self.peek
        if quote not in "'\"":
            raise self.wrong("expected a quoted name")
        end = self.position + 1
        while end < len(self.text) and self.text[end] != quote:
            end += 2 if self.text[end] == "\\" else 1
        if end >= len(self.text):
            raise self.wrong(f"the quote {quote} is not closed")
        inside = self.text[self.position + 1 : end]
        self.position = end + 1
        return ESCAPED.sub(r"\1", inside)

    def wrong(self, problem: str) -> InvalidPath:
        return InvalidPath(self.text, self.position, problem)
