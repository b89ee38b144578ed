"""Functions of the library that are other than the reference implementation's, done as that does them.

Where the library follows its sister in Java, which is the more likely to be AWS's, it is left alone.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from jsonata import jexception
from jsonata.functions import Functions
from jsonata.jsonata import Jsonata
from jsonata.signature import Signature
from jsonata.utils import Utils

from perdure.expressions.jsonata.bounds import MOST_BYTES, too_large
from perdure.expressions.jsonata.errors import EvaluationFailed

RADICES = {"0x": 16, "0X": 16, "0b": 2, "0B": 2, "0o": 8, "0O": 8}
MONTH = re.compile(r"\d{4}-\d\d")


class OwnName(Signature):  # type: ignore[misc]
    """A signature that keeps its name: the library renames it with each variable that the function is bound to, for all
    expressions to come, so that a message would depend on what was evaluated before."""

    def set_function_name(self, function_name: str) -> None:
        """Does nothing."""

    def get_symbol(self, value: Any) -> str:
        """Null is a kind of its own, that no function of texts or numbers takes."""
        return "l" if value is Utils.NULL_VALUE else str(super().get_symbol(value))

    def throw_validation_error(self, bad_args: Any, bad_sig: str | None, function_name: str | None) -> NoReturn:
        """Names the first argument that does not fit; the library names the first one of all where there are several."""
        pattern, fitting = "", 0
        for parameter in self._params:
            pattern += parameter.regex
            found = re.match(pattern, bad_sig or "")
            if found is None:
                break
            fitting = found.end()
        raise jexception.JException("T0410", -1, fitting + 1, function_name)


def keep_names() -> None:
    """Has the library's own functions keep their names."""
    Jsonata("1")  # which makes them
    for function in Jsonata.static_frame.bindings.values():
        if getattr(function, "signature", None) is not None:
            function.signature.__class__ = OwnName


def failed(code: str, message: str | None = None) -> EvaluationFailed:
    """An error of JSONata's, in its words."""
    said = jexception.JException.error_codes[code].replace("Object", "function") if message is None else message
    return EvaluationFailed(code, said)


def sort(items: list[Any] | None, comparator: Any) -> Any:
    """Numbers or texts; anything else has no order of its own."""
    if items is None or len(items) <= 1 or comparator is not None:
        return Functions.sort(items, comparator)
    for kind in (str, int | float):
        if all(isinstance(item, kind) and not isinstance(item, bool) for item in items):
            return sorted(items)
    raise failed("D3070")


def power(base: float | None, exponent: float | None) -> Any:
    if base is None:
        return None
    try:
        found = float(base) ** float("nan" if exponent is None else exponent)
    except (OverflowError, ZeroDivisionError):
        found = math.inf
    if isinstance(found, complex) or not math.isfinite(found):
        raise failed(
            "D3061",
            "The power function has resulted in a value that cannot be represented as a JSON number: "
            f"base={base}, exponent={exponent}",
        )
    return found


def format_base(value: float | None, radix: float | None) -> Any:
    if value is not None and radix is not None and not 2 <= int(radix) <= 36:
        raise failed(
            "D3100", f"The radix of the formatBase function must be between 2 and 36.  It was given {int(radix)}"
        )
    return Functions.format_base(value, radix)


def replace(text: str | None, pattern: Any, replacement: Any, limit: float | None) -> Any:
    """What was put in is not looked at again."""
    if text is None:
        return None
    if pattern == "":
        raise failed("D3010")
    if limit is not None and limit < 0:
        raise failed("D3011")
    if isinstance(pattern, str):
        if not isinstance(replacement, str):
            raise failed("D3012")
        most = -1 if limit is None else math.trunc(limit)
        if text.count(pattern) * len(replacement) > MOST_BYTES:
            raise too_large()
        return text.replace(pattern, replacement, most)
    parts, at, length = [""], 0, 0
    for count, match in enumerate(pattern.finditer(text)):
        if limit is not None and count >= math.trunc(limit):
            break
        if match.end() == match.start():
            raise failed("D1004")
        parts += [text[at : match.start()], put_in(match, replacement)]
        at, length = match.end(), length + len(parts[-1])
        if length > MOST_BYTES:
            raise too_large()
    return "".join(parts) + text[at:]


def put_in(match: Any, replacement: Any) -> str:
    if not isinstance(replacement, str):
        found = Functions.func_apply(replacement, [Functions.to_jsonata_match(match)])
        if not isinstance(found, str):
            raise failed("D3012")
        return found
    groups = match.groups()
    digits = len(str(len(groups) or 1))
    return re.sub(rf"\$(\$|0|\d{{1,{digits}}})?", lambda one: marked(one, match, groups), replacement)


def marked(one: re.Match[str], match: Any, groups: tuple[str | None, ...]) -> str:
    mark = one[1]
    if mark is None or mark == "$":
        return "$"
    if mark == "0":
        return str(match.group(0))
    number, rest = int(mark), ""
    if number > len(groups) and len(mark) > 1:
        number, rest = int(mark[:-1]), mark[-1]
    return (groups[number - 1] or "" if 0 < number <= len(groups) else "") + rest


def number(value: Any) -> Any:
    """As the library's, with prefixes of either case; what is no number says so in JSONata's words."""
    try:
        if isinstance(value, str) and value[:2] in RADICES:
            return int(value[2:], RADICES[value[:2]])
        found = Functions.number(value)
    except ValueError:
        found = math.nan
    if isinstance(found, float) and not math.isfinite(found):
        raise failed("D3030", f"Unable to cast value to a number: {json.dumps(value)}")
    return found


def url(name: str) -> Any:
    """A function on URLs, whose malformed ones say so."""
    function = getattr(Functions, name)

    def called(text: str | None) -> Any:
        try:
            return function(text)
        except UnicodeError:
            raise failed("D3140", f"Malformed URL passed to ${CAMEL[name]}(): {json.dumps(text)}") from None

    return called


CAMEL = {
    "encode_url": "encodeUrl",
    "encode_url_component": "encodeUrlComponent",
    "decode_url": "decodeUrl",
    "decode_url_component": "decodeUrlComponent",
}
