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

from perdure.expressions.jsonata.bounds import LONGEST_TEXT
from perdure.expressions.jsonata.errors import EvaluationFailed
from perdure.expressions.jsonata.values import NULL, given

MOST_ITEMS = 1_000
ALGORITHMS = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}


class Native(Jsonata.JFunctionCallable):  # type: ignore[misc]
    """A function of ours, as the library calls it; arguments left out are None."""

    def __init__(self, body: Callable[..., Any], arity: int) -> None:
        self.body, self.arity = body, arity

    def call(self, input: Any, args: Sequence[Any] | None) -> Any:
        given_arguments = list(args or ())[: self.arity]
        return self.body(*given_arguments, *[None] * (self.arity - len(given_arguments)))


def native(signature: str, arity: int, body: Callable[..., Any]) -> Any:
    return Jsonata.JFunction(Native(body, arity), signature)


def partition(items: list[Any] | None, size: float | None) -> Any:
    if items is None or size is None:
        return None
    size = math.floor(size)
    if size < 1:
        raise EvaluationFailed("D3200", "The second argument of the partition function must be a positive number")
    return [items[start : start + size] for start in range(0, len(items), size)]


def number_range(first: float | None, last: float | None, step: float | None) -> Any:
    if first is None or last is None or step is None:
        return None
    if step == 0:
        raise EvaluationFailed("D3201", "The third argument of the range function must not be 0")
    count = math.floor((last - first) / step) + 1
    if count > MOST_ITEMS:
        raise EvaluationFailed("D3202", f"The range function gives at most {MOST_ITEMS} items, not {count}")
    return [first + step * place for place in range(max(count, 0))]


def hashed(text: str | None, algorithm: str | None) -> Any:
    if text is None:
        return None
    name = "SHA-256" if algorithm is None else algorithm
    if name not in ALGORITHMS:
        raise EvaluationFailed("D3203", f"The hash function has no algorithm {json.dumps(name)}")
    return hashlib.new(ALGORITHMS[name], text.encode(errors="surrogatepass")).hexdigest()


def parse(text: str | None) -> Any:
    if text is None:
        return None
    try:
        value = json.loads(text, parse_constant=no_number)
    except (ValueError, RecursionError) as e:
        raise EvaluationFailed("D3204", f"The argument of the parse function is not JSON: {e}") from None
    return given(value)


def no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def pad(text: str | None, width: float | None, filling: str | None) -> Any:
    if width is not None and abs(width) > LONGEST_TEXT:
        raise EvaluationFailed("D3001", f"A text grew longer than {LONGEST_TEXT} characters")
    return Functions.pad(text, width, filling)


def distinct(items: Any) -> Any:
    """In time that grows with the list, and with true and 1 kept apart; the library has neither."""
    if not isinstance(items, list) or len(items) <= 1:
        return items
    return list({key(item): item for item in reversed(items)}.values())[::-1]


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
    digest = hashlib.blake2b(repr(float(seed)).encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)


PURE: dict[str, Any] = {
    "partition": native("<an:a<a>>", 2, partition),
    "range": native("<nnn:a<n>>", 3, number_range),
    "hash": native("<s-s?:s>", 2, hashed),
    "parse": native("<s-:x>", 1, parse),
    "pad": native("<s-ns?:s>", 3, pad),
    "distinct": native("<x:x>", 1, distinct),
    "eval": None,  # Amazon's dialect has it not; a name bound to nothing is no function
}


def of_evaluation(now_ms: int, random: Callable[[], float], uuid: Callable[[], str]) -> dict[str, Any]:
    """All functions that are other than the library's, for one evaluation at one time."""
    return {
        **PURE,
        "now": native("<s?s?:s>", 2, lambda picture, zone: Functions.datetime_from_millis(now_ms, picture, zone)),
        "millis": native("<:n>", 0, lambda: now_ms),
        "random": native("<n?:n>", 1, lambda seed: random() if seed is None else seeded(seed)),
        "shuffle": native("<a:a>", 1, lambda items: shuffled(items, random)),
        "uuid": native("<:s>", 0, uuid),
    }
