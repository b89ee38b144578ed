"""What a literal of a filter is as a value of an attribute."""

import re

from perdure.kernel.search_attribute import HIGHEST_INT, LOWEST_INT, Refused, time_of
from perdure.model.options import RunStatus
from perdure.model.search import Attribute, AttributeType, Value

_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|ms|d|h|m|s))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|d|h|m|s)")
_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}

# Without separators and case: 'TimedOut', 'TIMED_OUT' and 'timed_out' are one.
_STATUSES = {status.name.replace("_", "").lower(): status for status in RunStatus}
STATUS_NAMES = {status: status.name.title().replace("_", "") for status in RunStatus}
"""As Temporal writes them: ``ContinuedAsNew``."""

_WANTED = {
    AttributeType.TEXT: "a text in quotes",
    AttributeType.KEYWORD: "a text in quotes",
    AttributeType.KEYWORD_LIST: "a text in quotes",
    AttributeType.INT: "a number",
    AttributeType.FLOAT: "a number",
    AttributeType.BOOL: "true or false",
    AttributeType.DATETIME: "a time in quotes, such as '2026-01-31T09:30:00Z'",
    AttributeType.DURATION: "a duration in quotes, such as '1h30m', or a number of nanoseconds",
    AttributeType.STATUS: "a status in quotes, such as 'Running'",
}


class LiteralProblem(Exception):
    """The literal is no value of the attribute; the message says what was expected."""


def value_of(kind: str, text: str, attribute: Attribute) -> Value:
    """The value of a literal.

    Args:
        kind: the grammar's word for it: STRING, NUMBER or BOOL.
        text: as it is written.
        attribute: that it is compared with.

    Raises:
        LiteralProblem: it is of another type, or no such value.
    """
    type = attribute.type
    match kind, type:
        case "STRING", AttributeType.TEXT | AttributeType.KEYWORD | AttributeType.KEYWORD_LIST:
            return _unquoted(text)
        case "STRING", AttributeType.DATETIME:
            try:
                return time_of(_unquoted(text))
            except Refused as refusal:
                raise LiteralProblem(str(refusal)) from None
        case "STRING", AttributeType.STATUS:
            return _status(_unquoted(text))
        case "STRING", AttributeType.DURATION:
            return _duration(_unquoted(text))
        case "NUMBER", AttributeType.INT | AttributeType.FLOAT | AttributeType.DURATION:
            return _number(text)
        case "BOOL", AttributeType.BOOL:
            return text.lower() == "true"
        case _:
            raise LiteralProblem(f"{attribute.name} is {type}, so {_WANTED[type]} is expected here, not {text[:40]}")


def _unquoted(text: str) -> str:
    quote = text[0]
    return text[1:-1].replace(quote * 2, quote)


def _number(text: str) -> int | float:
    if text.lstrip("+-").isdecimal():
        whole = int(text)
        if not LOWEST_INT <= whole <= HIGHEST_INT:
            raise LiteralProblem(f"{text[:40]} is out of range; integers have 64 bits")
        return whole
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise LiteralProblem(f"{text[:40]} is out of range")
    return value


def _status(text: str) -> int:
    status = _STATUSES.get(text.replace("_", "").lower())
    if status is None:
        raise LiteralProblem(f"{text[:40]!r} is no status; there are {', '.join(STATUS_NAMES.values())}")
    return int(status)


def _duration(text: str) -> int:
    if not _DURATION.fullmatch(text):
        raise LiteralProblem(f"{text[:40]!r} is no duration; write it as '1h30m', '90s' or '250ms'")
    total = sum(round(float(count) * _UNITS_NS[unit]) for count, unit in _PART.findall(text))
    if total > HIGHEST_INT:
        raise LiteralProblem(f"{text[:40]!r} is out of range")
    return total
