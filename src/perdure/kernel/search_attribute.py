"""Search attributes: what type a value has, whether it may be set, and what it is found by.

An attribute has one type in a namespace: the one it was registered with, or else that of the first value ever set. A
value of another type is refused where it is set, so that a filter means the same for every run.

Values are JSON payloads that no codec has touched. A string may be marked as a time in its metadata, as in Temporal
(``type``: ``Datetime``).
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from perdure.model.limits import Limits
from perdure.model.payloads import JSON, NULL, Payload, PayloadMap
from perdure.model.search import DATETIME_MARK, OWN_ATTRIBUTES, SYSTEM_ATTRIBUTES, AttributeType, AttributeTypes, Value

LOWEST_INT, HIGHEST_INT = -(1 << 63), (1 << 63) - 1

_TIME = re.compile(r"(\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Refused(Exception):
    """A value can't be had as that type; the message says why."""


@lru_cache(maxsize=256)  # a rush of schedules sets the same time again and again
def time_of(text: str) -> int:
    """An ISO 8601 time as ns since 1970; without an offset it is UTC, without a time midnight. Raises ``Refused``."""
    match = _TIME.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        whole, fraction, offset = match.groups()
        if ((fraction or offset) and len(whole) == len("2026-01-31")) or (fraction and whole.count(":") < 2):
            raise ValueError
        moment = datetime.fromisoformat(whole + (offset or "").upper())
    except ValueError:
        raise Refused(
            f"{text!r} is no time; write it as '2026-01-31T09:30:00Z', '2026-01-31T09:30:00.5+01:00' or '2026-01-31'"
        ) from None
    since = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)) - _EPOCH
    ns = (since.days * 86_400 + since.seconds) * 1_000_000_000 + int((fraction or "").ljust(9, "0"))
    if not LOWEST_INT <= ns <= HIGHEST_INT:
        raise Refused(f"{text!r} is out of range; times go from the year 1678 to 2261")
    return ns


def words(text: str) -> list[str]:
    """The words of a text, each once, without upper case: what a text is found by."""
    return list(dict.fromkeys(_WORD.findall(text.casefold())))


def type_of(payload: Payload) -> AttributeType:
    """The type that the value itself suggests. Raises ``Refused`` if it is none that can be searched."""
    match _json(payload):
        case bool():
            return AttributeType.BOOL
        case int():
            return AttributeType.INT
        case float():
            return AttributeType.FLOAT
        case str():
            is_time = payload.metadata is not None and payload.metadata.get("type") == DATETIME_MARK["type"]
            return AttributeType.DATETIME if is_time else AttributeType.KEYWORD
        case list() as items if all(isinstance(item, str) for item in items):
            return AttributeType.KEYWORD_LIST
        case other:
            raise Refused(f"{_shown(other)} can't be searched by; set a string, a number, a bool, a time or strings")


def value_of(payload: Payload, type: AttributeType) -> Value | list[str]:
    """The value as that type. Raises ``Refused`` if it is of another."""
    value = _json(payload)
    match type, value:
        case AttributeType.KEYWORD | AttributeType.TEXT, str():
            return value
        case AttributeType.BOOL, bool():
            return value
        case AttributeType.DATETIME, str():
            return time_of(value)
        case AttributeType.INT, int() if not isinstance(value, bool):
            if LOWEST_INT <= value <= HIGHEST_INT:
                return value
            raise Refused(f"{_shown(value)} is out of range; integers have 64 bits")
        case AttributeType.FLOAT, int() | float() if not isinstance(value, bool):
            return float(value)
        case AttributeType.KEYWORD_LIST, list() if all(isinstance(item, str) for item in value):
            return value
        case _:
            raise Refused(f"{_shown(value)} is no {type}")


def problem(attributes: PayloadMap, types: AttributeTypes, limits: Limits, count: int) -> str:
    """Why these values can't be set; empty if they can. ``count`` is how many the run will have then."""
    limit = limits.search_attributes
    if 0 < limit < count:
        return f"A run can have {limit} search attributes (limit search_attributes), and would have {count}."
    for name, payload in attributes.items():
        if name in SYSTEM_ATTRIBUTES or name in OWN_ATTRIBUTES:
            return f"Search attribute {name!r} is set by the engine alone. Choose another name."
        if not name or len(name) > limits.id_length:
            return f"The name of a search attribute needs 1 to {limits.id_length} characters."
        if payload.encoding == NULL:
            continue
        size, most = len(payload.data), limits.search_attribute_bytes
        if 0 < most < size:
            return f"Search attribute {name!r} takes {size:,} bytes, and the limit search_attribute_bytes is {most:,}."
        known = types.get(name)
        if known is AttributeType.REMOVED:
            return f"Search attribute {name!r} was removed from this namespace. Register it anew, or leave it out."
        try:
            value_of(payload, type_of(payload) if known is None else known)
        except Refused as refusal:
            hint = "" if known is None else f" It is {known} in this namespace since it was registered or first set."
            return f"Search attribute {name!r}: {refusal}.{hint}"
    return ""


def new_types(attributes: PayloadMap, types: AttributeTypes) -> dict[str, AttributeType]:
    """The types of those that have none yet."""
    return {
        name: type_of(payload) for name, payload in attributes.items() if name not in types and payload.encoding != NULL
    }


def values(attributes: PayloadMap, types: AttributeTypes) -> Iterator[tuple[str, AttributeType, Value | list[str]]]:
    """What the attributes hold, by name. Those whose value is not of their type are left out: runs of before there were
    types may have such, and runs whose attribute was removed, or registered anew with another type."""
    for name, payload in attributes.items():
        type = types.get(name)
        if type is not None and payload.encoding != NULL:
            try:
                yield name, type, value_of(payload, type)
            except Refused:
                pass


def entries(attributes: PayloadMap, types: AttributeTypes) -> set[tuple[str, str | int | float]]:
    """What a run is found by in an index, as names and values: each element of a list, each word of a text."""
    found: set[tuple[str, str | int | float]] = set()
    for name, type, value in values(attributes, types):
        if isinstance(value, list):
            found.update((name, element) for element in value)
        elif type is AttributeType.TEXT:
            assert isinstance(value, str)
            found.update((name, word) for word in words(value))
        else:
            found.add((name, int(value) if isinstance(value, bool) else value))
    return found


def merged(types: AttributeTypes, more: Mapping[str, AttributeType]) -> AttributeTypes:
    """Both; what is known already stays."""
    return {**more, **types} if more else types


def _json(payload: Payload) -> object:
    if payload.encoding == JSON:
        try:
            value: object = msgspec.json.decode(payload.data)
            return value
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
    raise Refused(f"a value of encoding {payload.encoding!r} can't be read; pass it as plain JSON")


def _shown(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else f"{text[:60]}..."
