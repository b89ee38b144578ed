"""The tree of errors, and an entry for each."""

import inspect
import re

from perdure.model import errors


def tree() -> str:
    """The tree that ``perdure.model.errors`` opens with."""
    found = re.search(r"::\n\n(.*?)\n\n", inspect.getdoc(errors) or "", re.DOTALL)
    assert found is not None
    return f"```text\n{inspect.cleandoc(found[1])}\n```"


def names() -> list[str]:
    """All errors, in the order of their definition, the root first."""
    return [
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.PerdureError) and value.__module__ == errors.__name__
    ]


def directives() -> str:
    """An entry for each error, from its docstring."""
    return "\n\n".join(f"::: perdure.{name}\n    options:\n      heading_level: 3" for name in names())
