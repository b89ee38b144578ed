"""Lists that are there as a whole, by pages. A cursor says behind what the next page begins, so that nothing is shown twice, or left
out, because something else has come or gone meanwhile."""

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import Annotated, TypeVar

import msgspec

from perdure.model.errors import InvalidArgumentError
from perdure.protocols.rest.asking import Asked

T = TypeVar("T")
Key = tuple[str | int, ...]

_decode = msgspec.json.Decoder(Key).decode


class PageQuery(Asked):
    """Of a list."""

    cursor: Annotated[str, msgspec.Meta(max_length=10_000, description="`next_cursor` of the page before.")] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000, description="How many on a page, at most.")] = 1000


def page_of(found: Iterable[T], key: Callable[[T], Key], query: PageQuery) -> tuple[list[T], str]:
    """A page of a list that is ordered by ``key``, which no two have in common; and the cursor of the next, empty behind the last.

    Raises ``InvalidArgumentError`` for a cursor that is none.
    """
    left = sorted(found, key=key)
    if query.cursor:
        try:
            behind = _decode(base64.urlsafe_b64decode(query.cursor))
            if left and [*map(type, behind)] != [*map(type, key(left[0]))]:
                raise ValueError("of another list")
            left = [one for one in left if key(one) > behind]
        except (binascii.Error, ValueError):
            raise InvalidArgumentError(
                f"cursor {query.cursor!r:.100} is not one that this list gave as its next_cursor."
            ) from None
    page = left[: query.limit]
    if len(left) == len(page):
        return page, ""
    return page, base64.urlsafe_b64encode(msgspec.json.encode(key(page[-1]))).decode()
