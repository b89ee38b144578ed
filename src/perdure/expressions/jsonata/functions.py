"""The functions that are other than the library's: Amazon's own, those that need chance or a clock, and those whose
cost must be bounded before they begin.

Source: Amazon's page "Transforming data with JSONata in Step Functions", "JSONata functions provided by Step Functions".
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from jsonata.functions import Functions
from jsonata.jsonata import Jsonata

from perdure.expressions.jsonata import slips
from perdure.expressions.jsonata.bounds import MOST_BYTES, NUMBER_BYTES, too_large
from perdure.expressions.jsonata.errors import EvaluationFailed
from perdure.expressions.jsonata.values import NULL, given

TAKES_NULL = frozenset({"distinct"})
ALGORITHMS = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}


class Native(Jsonata.JFunctionCallable):  # type: ignore[misc]
    """A function of ours, as the library calls it; arguments left out are None."""

    def __init__(self, name: str, body: Callable[..., Any], arity: int) -> None:
        self.name, self.body, self.arity = name, body, arity

    def call(self, input: Any, args: Sequence[Any] | None) -> Any:
        found = list(args or ())[: self.arity]
        if NULL in found and self.name not in TAKES_NULL:
            place = found.index(NULL) + 1
            raise EvaluationFailed(
                "T0410", f'Argument {place} of function "{self.name}" does not match function signature'
            )
        return self.body(*found, *[None] * (self.arity - len(found)))


class Named(Jsonata.JFunction):  # type: ignore[misc]
    """A function of ours with what the library asks of its own where some arguments are left open: `$power(?, 2)`."""

    def __init__(self, name: str, signature: str, arity: int, body: Callable[..., Any]) -> None:
        super().__init__(Native(name, body, arity), signature)
        self.function_name, self.arity = name, arity
        self.signature.function_name = name
        self.signature.__class__ = slips.OwnName

    def get_number_of_args(self) -> int:
        """How many it takes at most."""
        return self.arity


def native(name: str, signature: str, arity: int, body: Callable[..., Any]) -> Any:
    return Named(name, signature, arity, body)


def partition(items: list[Any] | None, size: float | None) -> Any:
    """Parts of a size, rounded towards 0; 0 gives nothing, and no size at all one part."""
    if items is None or not items:
        return None
    whole = len(items) if size is None else math.trunc(size)
    if whole < 0:
        raise EvaluationFailed("D3137", "Second argument must be zero or greater")
    return [items[start : start + whole] for start in range(0, len(items), whole)] if whole else None


def number_range(first: float | None, last: float | None, step: float | None) -> Any:
    """Numbers from one to another, rounded towards 0. A range of one is that number, and an empty one is nothing."""
    if first is None or last is None or step is None or math.trunc(step) == 0:
        return None
    start, end, by = math.trunc(first), math.trunc(last), math.trunc(step)
    count = (end - start) // by + 1
    if count * NUMBER_BYTES > MOST_BYTES:
        raise too_large()
    found = [start + by * place for place in range(max(count, 0))]
    return found if len(found) > 1 else found[0] if found else None


def hashed(text: str | None, algorithm: str | None) -> Any:
    if text is None or algorithm is None:
        return None
    if algorithm not in ALGORITHMS:
        raise EvaluationFailed("D3137", f"Unsupported hash algorithm: {algorithm}")
    return hashlib.new(ALGORITHMS[algorithm], text.encode(errors="surrogatepass")).hexdigest()


def parse(text: str | None) -> Any:
    if text is None:
        return None
    try:
        value = json.loads(
            text, parse_int=a_number, parse_float=a_number, parse_constant=a_number, object_pairs_hook=a_dict
        )
    except (ValueError, RecursionError) as e:
        raise EvaluationFailed("D3137", f"Invalid JSON: {e}") from None
    return given(value)


def a_number(text: str) -> int | float:
    """A whole number is exact while it fits 64 bits, as AWS has it; beyond that, and with a point, it is a float."""
    if text.lstrip("-").isdigit() and -(2**63) <= (whole := int(text)) < 2**63:
        return whole
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no JSON number")
    return value


def a_dict(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        raise ValueError("a name is there twice")
    return found


def to_millis(text: str | None, picture: str | None) -> Any:
    """As the library's, but what is no time says so in JSONata's words."""
    if text is not None and picture is None and slips.MONTH.fullmatch(text):
        text += "-01"
    try:
        return Functions.datetime_to_millis(text, picture)
    except ValueError:
        raise EvaluationFailed(
            "D3110",
            f"The argument of the toMillis function must be an ISO 8601 formatted timestamp. Given {json.dumps(text)}",
        ) from None


def from_millis(millis: float | None, picture: str | None, zone: str | None) -> Any:
    """As the library's, but a letter that stands for nothing says so in JSONata's words."""
    try:
        return Functions.datetime_from_millis(millis, picture, zone)
    except KeyError as e:
        raise slips.failed("D3132", f'Unknown component specifier "{e.args[0]}" in date/time picture string') from None


def parse_integer(text: str | None, picture: str | None) -> Any:
    """As the library's, but what the picture cannot read is NaN."""
    try:
        return Functions.parse_integer(text, picture)
    except ValueError:
        return math.nan


def pad(text: str | None, width: float | None, filling: str | None) -> Any:
    if width is not None and abs(width) > MOST_BYTES:
        raise too_large()
    return Functions.pad(text, width, filling)


def distinct(items: Any) -> Any:
    """In time that grows with the list, and with true and 1 kept apart; the library has neither."""
    if not isinstance(items, list) or len(items) <= 1:
        return items
    found: dict[Any, Any] = {}
    for item in items:
        found.setdefault(key(item), item)
    return list(found.values())


def key(value: Any) -> Any:
    match value:
        case dict():
            return ("object", frozenset((name, key(inner)) for name, inner in value.items()))
        case list():
            return ("array", tuple(key(item) for item in value))
        case bool() | str():
            return (type(value).__name__, value)
        case _:
            return ("null", None) if value is NULL else ("number", value)


def shuffled(items: list[Any] | None, random: Callable[[], float]) -> Any:
    if items is None:
        return None
    result = list(items)
    for place in range(len(result) - 1, 0, -1):
        other = int(random() * (place + 1))
        result[place], result[other] = result[other], result[place]
    return result


def seeded(seed: float) -> float:
    """The first number of java.util.Random, which AWS draws from; the seed is rounded towards 0."""
    state = (math.trunc(seed) ^ 0x5DEECE66D) & ((1 << 48) - 1)
    drawn = []
    for bits in (26, 27):
        state = (state * 0x5DEECE66D + 0xB) & ((1 << 48) - 1)
        drawn.append(state >> (48 - bits))
    return ((drawn[0] << 27) + drawn[1]) / (1 << 53)


PURE: dict[str, Any] = {
    "partition": native("partition", "<an?:a<a>>", 2, partition),
    "range": native("range", "<nnn?:a<n>>", 3, number_range),
    "hash": native("hash", "<s-s?:s>", 2, hashed),
    "parse": native("parse", "<s-:x>", 1, parse),
    "number": native("number", "<(nsb)-:n>", 1, slips.number),
    "power": native("power", "<n-n:n>", 2, slips.power),
    "formatBase": native("formatBase", "<n-n?:s>", 2, slips.format_base),
    "sort": native("sort", "<af?:a>", 2, slips.sort),
    "replace": native("replace", "<s-(sf)(sf)n?:s>", 4, slips.replace),
    "parseInteger": native("parseInteger", "<s-s:n>", 2, parse_integer),
    "toMillis": native("toMillis", "<s-s?:n>", 2, to_millis),
    "fromMillis": native("fromMillis", "<n-s?s?:s>", 3, from_millis),
    "pad": native("pad", "<s-ns?:s>", 3, pad),
    "distinct": native("distinct", "<x:x>", 1, distinct),
    **{name: native(name, "<s-:s>", 1, slips.url(method)) for method, name in slips.CAMEL.items()},
    "eval": None,  # Amazon's dialect has it not; a name bound to nothing is no function
}


def of_evaluation(now_ms: int, random: Callable[[], float], uuid: Callable[[], str]) -> dict[str, Any]:
    """All functions that are other than the library's, for one evaluation at one time."""
    return {
        **PURE,
        "now": native(
            "now", "<s?s?:s>", 2, lambda picture, zone: Functions.datetime_from_millis(now_ms, picture, zone)
        ),
        "millis": native("millis", "<:n>", 0, lambda: now_ms),
        "random": native("random", "<n?:n>", 1, lambda seed: random() if seed is None else seeded(seed)),
        "shuffle": native("shuffle", "<a:a>", 1, lambda items: shuffled(items, random)),
        "uuid": native("uuid", "<:s>", 0, uuid),
    }
