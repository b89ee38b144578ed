"""Expressions, compiled once and evaluated often."""

from __future__ import annotations

import functools
import json
import math
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import re2
from jsonata import jexception
from jsonata.jsonata import Jsonata
from jsonata.regex_engine import RegexFlags

from perdure.expressions.jsonata import functions, slips, texts
from perdure.expressions.jsonata.bounds import DEEPEST, MOST_STEPS, Bounds, too_deep
from perdure.expressions.jsonata.errors import EvaluationFailed, InvalidExpression, JsonataError
from perdure.expressions.jsonata.values import as_json, bound, references, taken


class Undefined:
    """What an expression gives that gives nothing, which JSON has no word for."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNDEFINED"


UNDEFINED: Final = Undefined()

# A variable and names, which is what most expressions are: read without the library wherever no array is on the way.
PLAIN = re.compile(r"\$(\w+)((?:\.[A-Za-z_]\w*)*)", re.ASCII)
WORDS = frozenset({"and", "or", "in"})
LONGEST_EXPRESSION = 100_000
TYPES = {"n": "numbers", "s": "strings", "b": "booleans", "o": "objects", "a": "arrays", "f": "functions"}
INSERT = re.compile(r"\{\{\{(\w+)\}\}\}|\{\{(\w+)\}\}")


class Expression:
    """An expression, compiled.

    Args:
        text: without any marks around it.

    Raises:
        InvalidExpression: with JSONata's code, and the place in the text.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        plain = PLAIN.fullmatch(text)
        self.plain = (
            None if plain is None or WORDS & set(names := plain[2].split(".")[1:]) else (plain[1], tuple(names))
        )
        if len(text) > LONGEST_EXPRESSION:
            raise InvalidExpression("S0201", f"The expression is longer than {LONGEST_EXPRESSION} characters")
        self.references = references(text)
        self.compiled: Any = compiled(text) if self.plain is None else None

    def evaluate(
        self,
        variables: Mapping[str, Any],
        *,
        now_ms: int,
        random: Callable[[], float],
        uuid: Callable[[], str],
        most_steps: int = MOST_STEPS,
        deepest: int = DEEPEST,
    ) -> Any:
        """The expression's value, or UNDEFINED.

        Args:
            variables: by name, without the `$`. They are not changed; the value may share parts of them.
            now_ms: milliseconds since 1970, for $now and $millis.
            random: numbers from 0 to 1, for $random and $shuffle.
            uuid: for $uuid.
            most_steps: nodes that may be evaluated; sizes of results count, too.
            deepest: how deep nodes may be evaluated inside each other.

        Raises:
            EvaluationFailed: with JSONata's code; D1011 and D1012 for what is too deep or too long.
            UnsupportedResult: the value is a function.
        """
        if self.plain is not None:
            value = variables.get(self.plain[0], UNDEFINED)
            for name in self.plain[1]:
                if not isinstance(value, dict):
                    break
                value = value.get(name, UNDEFINED)
            else:
                if self.plain[0] in variables or value is not UNDEFINED:
                    return value
            if not isinstance(value, list) and value is not UNDEFINED:
                return UNDEFINED  # a name of a text or a number
        limits = Bounds(most_steps, deepest)
        if self.compiled is None:
            self.compiled = compiled(self.text)
        try:
            value = self.compiled.evaluate(
                None,
                {
                    **functions.of_evaluation(now_ms, random, uuid),
                    **bound(variables, self.references),
                    "__evaluate_entry": limits.enter,
                    "__evaluate_exit": limits.leave,
                },
            )
            return UNDEFINED if value is None else taken(value)
        except jexception.JException as e:
            raise EvaluationFailed(*described(e)) from None
        except JsonataError:
            raise
        except RecursionError:
            raise too_deep() from None
        except ArithmeticError:
            raise EvaluationFailed("D1001", "Number out of range: Infinity") from None
        except (AttributeError, TypeError):  # a function handed to another one is not checked by the library
            raise EvaluationFailed("T0410", "An argument does not match its function's signature") from None
        except Exception as e:  # the library's own slips on odd arguments must not end a run's worker
            raise EvaluationFailed(code_of(str(e)) or "D3137", str(e) or type(e).__name__) from None


@functools.lru_cache(maxsize=2048)
def compile_expression(text: str) -> Expression:
    """Compiles an expression; the last thousands are remembered.

    Raises:
        InvalidExpression: with JSONata's code, and the place in the text.
    """
    return Expression(text)


class Reckoning(Jsonata):  # type: ignore[misc]
    """The library's evaluation with JavaScript's arithmetic: of floats, where a division by 0 is infinite."""

    def evaluate_unary(self, expr: Any, input: Any, environment: Any) -> Any:
        try:
            return super().evaluate_unary(expr, input, environment)
        except jexception.JException as e:
            if e.error == "D1002":  # the library tells the sign, not what it stands before
                value = self.eval(expr.expression, input, environment)
                said = f"Cannot negate a non-numeric value: {json.dumps(as_json(value, iter(range(1000))))}"
                raise EvaluationFailed("D1002", said, e.location) from None
            raise

    def evaluate_numeric_expression(self, lhs: Any, rhs: Any, op: Any) -> Any:
        if not is_number(lhs) or not is_number(rhs) or op not in ARITHMETIC:
            return super().evaluate_numeric_expression(lhs, rhs, op)
        found = ARITHMETIC[op](float(lhs), float(rhs))
        return int(found) if found.is_integer() and abs(found) < LARGEST_SHOWN_WHOLE else found


def divided(left: float, right: float) -> float:
    if right == 0:
        return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)
    return left / right


def remainder(left: float, right: float) -> float:
    return math.nan if right == 0 or math.isinf(left) else math.fmod(left, right)


ARITHMETIC: Final[dict[str, Callable[[float, float], float]]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": divided,
    "%": remainder,
}
LARGEST_SHOWN_WHOLE: Final = 1e21


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def compiled(text: str) -> Any:
    try:
        expression = Reckoning(text, regular_expression)
    except jexception.JException as e:
        raise InvalidExpression(*described(e)) from None
    except RecursionError:
        raise InvalidExpression("S0201", "The expression is nested too deeply") from None
    except (re2.error, re.error) as e:
        raise InvalidExpression("S0302", f"The regular expression is not understood: {e}") from None
    except Exception as e:
        raise InvalidExpression("S0201", str(e) or type(e).__name__) from None
    expression.set_output_convert_nulls(False)
    expression.set_validate_input(False)
    if expression.errors:
        raise InvalidExpression("S0500", "; ".join(map(str, expression.errors)))
    return expression


def regular_expression(pattern: str, flags: RegexFlags) -> Any:
    options = re2.Options()
    options.case_sensitive = not flags.case_insensitive
    options.log_errors = False
    return re2.compile(f"(?m){pattern}" if flags.multiline else pattern, options)


def described(error: jexception.JException) -> tuple[str, str, int]:
    """Code, message and place. The library's sentences say "Object" for "function", as it was once translated."""
    codes = jexception.JException.error_codes
    if error.error not in codes:  # a sentence in the code's stead
        said = str(error.error)
        return code_of(said), said, -1
    if error.error == "S0301" and error.current is not None:  # the library's number for an escape that there is not
        return "S0103", f"Unsupported escape sequence: \\{json.dumps(error.current)}", error.location
    template = codes[error.error].replace("Object", "function")
    extra = TYPES.get(error.extra, error.extra) if error.error == "T0412" else error.extra
    inserts = iter([error.current, error.expected, extra])

    def inserted(found: re.Match[str]) -> str:
        value = next(inserts, None)
        return str(value) if found[1] or not isinstance(value, str | int | float) else json.dumps(value)

    return error.error, INSERT.sub(inserted, template), error.location


def code_of(message: str) -> str:
    """JSONata's code of a sentence; empty if it is none of its."""
    for code, text in jexception.JException.error_codes.items():
        pattern = ".*".join(map(re.escape, INSERT.split(text.replace("Object", "function"))[::3]))
        if re.fullmatch(pattern.replace('"', "'"), message.replace('"', "'")):
            return str(code)
    return ""


slips.keep_names()
texts.write_as_the_reference()

# The library allows itself ten thousand frames when it is loaded; no deeper than that is ever needed here.
assert sys.getrecursionlimit() >= 10_000
