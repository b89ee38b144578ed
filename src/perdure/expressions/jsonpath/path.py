"""A compiled path: what it reads from a document."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from perdure.expressions.jsonpath.steps import Descend, Name, PathNotFound, Step

__all__ = ["Path", "PathNotFound"]

# `$..*..*` selects a place once for each way to it, so a short path may select more than memory holds.
MOST_FOUND = 1_000_000


@dataclass(slots=True, frozen=True)
class Path:
    """A path, compiled.

    Args:
        text: as it was written.
        steps: behind the `$`.
        function: what is done with the value at last (`length()`), if anything, and its name.
    """

    text: str
    steps: tuple[Step, ...]
    function: tuple[str, Callable[[Any], Any]] | None = None
    plain: tuple[str, ...] | None = field(init=False)

    def __post_init__(self) -> None:
        only_names = all(isinstance(step, Name) and len(step.names) == 1 for step in self.steps)
        names = tuple(step.names[0] for step in self.steps if isinstance(step, Name))
        object.__setattr__(self, "plain", names if only_names and self.function is None else None)

    @property
    def definite(self) -> bool:
        """Does it name one place, so that it reads as a value and not as a list of them?"""
        return all(step.definite for step in self.steps)

    @property
    def normalised(self) -> str:
        """The path as Jayway writes it: `$['a'][0]`."""
        end = "" if self.function is None else f".{self.function[0]}()"
        return "$" + "".join(step.text for step in self.steps) + end

    def read(self, document: Any) -> Any:
        """What the path selects from `document`, which is not copied.

        A path that is not definite reads as an empty list where its way is not there; so AWS has it.

        Raises:
            PathNotFound: the path is definite and there is nothing; its text says at which step. Or the path selects
                more than there is room for.
        """
        if self.plain is not None:  # nearly every path that is ever read
            value = document
            try:
                for name in self.plain:
                    value = value[name]
            except (KeyError, TypeError, IndexError):
                return self.search(document)
            return value
        return self.search(document)

    def search(self, document: Any) -> Any:
        found, definite, where = [document], True, "$"
        must = self.definite
        for step in self.steps:
            selected = (item for value in found for item in step.select(value, document, where, must))
            found = list(itertools.islice(selected, MOST_FOUND + 1))
            if len(found) > MOST_FOUND:
                raise PathNotFound(f"The path selects more than {MOST_FOUND} values")
            where += step.text
            definite = definite and step.definite
        value: Any = found
        if definite:
            if not found:
                raise PathNotFound(f"No results for path: {self.normalised}")
            value = found[0]
        if self.function is None:
            return value
        if definite or any(isinstance(step, Descend) for step in self.steps):
            return self.function[1](value)
        return [self.function[1](one) for one in found]
