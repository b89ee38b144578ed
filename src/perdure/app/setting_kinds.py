"""What a setting's value may be: how it is read from text (a flag, an environment variable) or from TOML, and shown."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from perdure.model.errors import InvalidArgumentError

_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3_600 * 10**9,
    "d": 86_400 * 10**9,
}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ns|us|ms|s|m|h|d)")
_UNITS_BYTES = {"": 1, "b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "kb": 10**3, "mb": 10**6, "gb": 10**9}
_BYTES = re.compile(r"(\d+)\s*([a-zA-Z]*)")


class Kind(msgspec.Struct, frozen=True):
    """``read`` takes text, or what TOML has, and raises ``ValueError`` with what was expected; ``show`` is its inverse."""

    metavar: str
    read: Callable[[Any], Any]
    show: Callable[[Any], str] = str


class Address(msgspec.Struct, frozen=True):
    """Where a server listens. ``host`` is a name, an IPv4 or an IPv6 address; port 0 takes any that is free."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _text(given: Any) -> str:
    if not isinstance(given, str):
        raise ValueError("text in quotes")
    return given


def _count(given: Any) -> int:
    expected = ValueError("a whole number that is not negative")
    if isinstance(given, str):
        if not given.strip().replace("_", "").isdecimal():
            raise expected
        return int(given)
    if not isinstance(given, int) or isinstance(given, bool) or given < 0:
        raise expected
    return given


def _number(given: Any) -> float:
    expected = ValueError("a number that is not negative, such as 0.5")
    if isinstance(given, bool) or not isinstance(given, (str, int, float)):
        raise expected
    try:
        number = float(given)
    except ValueError:
        raise expected from None
    if not 0 <= number < math.inf:
        raise expected
    return number


def _bytes(given: Any) -> int:
    if not isinstance(given, str):
        return _count(given)
    found = _BYTES.fullmatch(given.strip())
    if found is None or found[2].lower() not in _UNITS_BYTES:
        raise ValueError("a number of bytes, such as 65536, 64KiB or 128MiB")
    return int(found[1]) * _UNITS_BYTES[found[2].lower()]


def _duration(given: Any) -> int:
    expected = ValueError("a duration, such as 30s, 5m, 1h30m or 7d; a bare number is seconds")
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        given = str(given)
    if not isinstance(given, str):
        raise expected
    text = given.strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        text += "s"
    if not text or _DURATION.sub("", text).strip():
        raise expected
    return round(sum(float(amount) * _UNITS_NS[unit] for amount, unit in _DURATION.findall(text)))


def duration_text(ns: int) -> str:
    """``1h30m``, ``0s``: what ``DURATION`` reads as the same."""
    parts = []
    for unit in ("d", "h", "m", "s", "ms", "us", "ns"):
        amount, ns = divmod(ns, _UNITS_NS[unit])
        if amount:
            parts.append(f"{amount}{unit}")
    return "".join(parts) or "0s"


def bytes_text(size: int) -> str:
    """``64MiB``, ``1000``: what ``BYTES`` reads as the same."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)


def _flag(given: Any) -> bool:
    if isinstance(given, bool):
        return given
    if isinstance(given, str) and (word := given.strip().lower()) in _WORDS:
        return _WORDS[word]
    raise ValueError("true or false")


_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def _address(given: Any) -> Address:
    expected = ValueError("HOST:PORT, such as 127.0.0.1:7420, 0.0.0.0:7420 or [::1]:7420")
    if not isinstance(given, str) or "/" in given or (given.count(":") > 1 and not given.startswith("[")):
        raise expected
    try:
        parts = urlsplit(f"//{given.strip()}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise expected from None
    if not host or port is None or parts.username is not None:
        raise expected
    return Address(host, port)


def _address_or_none(given: Any) -> Address | None:
    return None if given == "" else _address(given)


def _list(given: Any) -> tuple[str, ...]:
    if isinstance(given, str):
        return tuple(item for part in given.split(",") if (item := part.strip()))
    if isinstance(given, list) and all(isinstance(item, str) for item in given):
        return tuple(given)
    raise ValueError("a list of texts")


TEXT = Kind("TEXT", _text)
URL = Kind("URL", _text)
FILE = Kind("FILE", _text)
COUNT = Kind("N", _count)
NUMBER = Kind("NUMBER", _number, "{:g}".format)
BYTES = Kind("BYTES", _bytes, bytes_text)
DURATION = Kind("DURATION", _duration, duration_text)
FLAG = Kind("true|false", _flag, lambda value: str(value).lower())
ADDRESS = Kind("HOST:PORT", _address)
OPTIONAL_ADDRESS = Kind("HOST:PORT", _address_or_none, lambda value: str(value or ""))
LIST = Kind("TEXT,...", _list, ",".join)


def choice(*words: str, also: Mapping[str, str] | None = None) -> Kind:
    """One of these words; ``also`` are others for the same, which tools of other makers use."""

    def read(given: Any) -> str:
        word = given.strip().lower() if isinstance(given, str) else ""
        word = (also or {}).get(word, word)
        if word not in words:
            raise ValueError(f"one of {alternatives(words)}")
        return word

    return Kind("|".join(words), read)


def alternatives(words: Sequence[str]) -> str:
    """``a, b or c``."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def read(kind: Kind, given: Any, what: str) -> Any:
    """A value as the kind has it. Raises ``InvalidArgumentError`` that begins with ``what``."""
    try:
        return kind.read(given)
    except ValueError as error:
        raise InvalidArgumentError(f"{what} is {given!r}, but must be {error}.") from None
