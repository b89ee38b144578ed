"""JSONata, evaluated in bounded steps and bounded depth, with chance and time as arguments.

The language itself is the library jsonata-python, a port of the reference implementation; this room adds the functions
that Amazon's dialect has besides (`$partition $range $hash $random $uuid $parse`), takes away `$eval`, which it has
not, and keeps apart what the library's own `evaluate` puts together: null and nothing at all. Regular expressions are
RE2's, whose time is linear in the text. docs/expressions.md states the difference to AWS.
"""

from perdure.expressions.jsonata.errors import EvaluationFailed, InvalidExpression, UnsupportedResult
from perdure.expressions.jsonata.expression import UNDEFINED, Expression, compile_expression, compiled

__all__ = [
    "UNDEFINED",
    "EvaluationFailed",
    "Expression",
    "InvalidExpression",
    "UnsupportedResult",
    "compile_expression",
    "compiled",
]
