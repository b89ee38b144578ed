"""What can be wrong with an expression."""

from __future__ import annotations


class JsonataError(Exception):
    """Something is wrong with an expression.

    Args:
        code: JSONata's own ("T1006"), or "" for what goes beyond a bound.
        message: what was wrong.
        position: in the text, in characters, or -1.
    """

    def __init__(self, code: str, message: str, position: int = -1) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.position = code, message, position


class InvalidExpression(JsonataError, ValueError):
    """The text is no expression."""


class EvaluationFailed(JsonataError):
    """The expression failed on its input, or took more than it may."""


class UnsupportedResult(JsonataError):
    """The expression gave a function, which JSON has not."""
