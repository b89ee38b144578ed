"""Pages of lists: a token says where the next one begins."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from perdure.protocols.stepfunctions.refusals import Refusal

T = TypeVar("T")

USUAL = 100
MOST = 1000


def size_of(body: Mapping[str, Any]) -> int:
    """How many are asked for: a hundred if nobody says."""
    return int(body.get("maxResults") or USUAL)


def page(items: Sequence[T], body: Mapping[str, Any]) -> tuple[Sequence[T], dict[str, str]]:
    """A page of what is all there, and the answer's ``nextToken`` if there are more. Raises ``Refusal``."""
    first = read_token(body.get("nextToken"), int, 0)
    size = size_of(body)
    if not 0 <= first <= len(items):
        raise bad_token()
    more = {"nextToken": token_of(first + size)} if first + size < len(items) else {}
    return items[first : first + size], more


def token_of(place: Any) -> str:
    """A token for a place."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode()


def read_token(token: str | None, type: type[T], first: T) -> T:
    """The place that a token names. Raises ``Refusal``."""
    if token is None:
        return first
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(token), type=type)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise bad_token() from None


def bad_token() -> Refusal:
    """For a token that was not made here."""
    return Refusal("InvalidToken", "Invalid Token: 'Invalid token'")
