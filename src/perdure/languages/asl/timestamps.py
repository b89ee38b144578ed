"""Timestamps of the States Language: RFC 3339, with a capital T and a capital Z or an offset."""

from __future__ import annotations

import datetime
import re

FORM = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))",
    re.ASCII,
)
EPOCH = datetime.datetime(1970, 1, 1)


class InvalidTimestamp(ValueError):
    """The text is no timestamp of that form."""


def instant(text: str) -> int:
    """The nanoseconds since 1970 that a timestamp stands for; finer digits are cut off.

    Raises:
        InvalidTimestamp: it has another form, or names a day or time that there is not.
    """
    found = FORM.fullmatch(text)
    if found is None:
        raise InvalidTimestamp(f"expected a time like 2016-08-18T17:33:00Z, got {text!r}")
    *parts, fraction, sign, hours, minutes = found.groups()
    try:
        moment = datetime.datetime(*map(int, parts)) - EPOCH  # type: ignore[arg-type]
        offset = datetime.timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    except (ValueError, OverflowError) as e:
        raise InvalidTimestamp(f"there is no such time as {text!r}: {e}") from None
    if int(hours or 0) > 23 or int(minutes or 0) > 59:
        raise InvalidTimestamp(f"there is no such offset as in {text!r}")
    seconds = (moment - offset if sign != "-" else moment + offset) // datetime.timedelta(seconds=1)
    return seconds * 10**9 + int(((fraction or "") + "000000000")[:9])
