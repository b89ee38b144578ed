"""The names that an expression reads from nowhere: AWS gives an expression no input of its own, so `phone` alone is
nothing, and a definition that says so is refused.

Only the first step of a path is read at the top; what follows, its predicates, its order and its groups are read from
what the step before gave. The body of a function keeps the place where it is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from perdure.expressions.jsonata.expression import compiled

ROOT = "$$"


def top_level(text: str) -> list[str]:
    """The names, in the order in which they are written, each once; `$$`, the whole input, is one of them.

    Raises:
        InvalidExpression: the text is no expression.
    """
    return list(dict.fromkeys(names(compiled(text).ast)))


def names(node: Any) -> Iterator[str]:
    """The library's nodes are objects with some of many fields."""
    if node is None:
        return
    kind = getattr(node, "type", None)
    match kind:
        case "name":
            yield str(node.value)
        case "variable":
            if node.value == "$":
                yield ROOT
        case "path":
            yield from names(node.steps[0])
        case "binary" | "apply":
            yield from names(node.lhs)
            yield from names(node.rhs)
        case "bind":
            yield from names(node.rhs)
        case "unary":
            yield from names(getattr(node, "expression", None))
            yield from every(getattr(node, "expressions", None))
            if node.value == "{":
                for key, value in pairs(node):
                    yield from names(key)
                    yield from names(value)
        case "function" | "partial":
            yield from names(node.procedure)
            yield from every(node.arguments)
        case "lambda":
            yield from names(node.body)
        case "condition":
            yield from names(node.condition)
            yield from names(node.then)
            yield from names(getattr(node, "_else", None))
        case "block":
            yield from every(node.expressions)
        case _:
            return


def every(nodes: Any) -> Iterator[str]:
    for node in nodes or ():
        yield from names(node)


def pairs(node: Any) -> Iterator[Any]:
    found = getattr(node, "lhs_object", None) or getattr(node, "lhs", None)
    return iter(found) if isinstance(found, list) else iter(())
