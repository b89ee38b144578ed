"""What the sections find, as data: the page and the terminal print it, and it is kept between runs of the bench."""

from collections.abc import Sequence
from statistics import median
from typing import Any, Self

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One number that was asked for.

    `wanted` is what it must be and `aim` what it should be, None where nothing was asked at this scale. `limit` is a
    sentence that says what keeps it from being better, from what was measured; it is told where `wanted` is missed.
    """

    label: str
    value: float
    unit: str
    wanted: float | None = None
    aim: float | None = None
    more_is_better: bool = False
    limit: str = ""

    @property
    def is_reached(self) -> bool | None:
        """Whether it is as wanted; None where nothing was asked."""
        return None if self.wanted is None else self._passes(self.wanted)

    @property
    def verdict(self) -> str:
        """In a word."""
        if self.wanted is None:
            return ""
        if not self._passes(self.wanted):
            return "missed"
        return "aim reached" if self.aim is not None and self._passes(self.aim) else "reached"

    @property
    def demand(self) -> str:
        """What was wanted, in words."""
        if self.wanted is None:
            return ""
        bound = "at least" if self.more_is_better else "at most"
        words = f"{bound} {number(self.wanted)} {self.unit}"
        return words if self.aim is None else f"{words} (aim {number(self.aim)})"

    def _passes(self, bar: float) -> bool:
        return self.value >= bar if self.more_is_better else self.value <= bar


class Table(msgspec.Struct, frozen=True):
    """The first column is left-aligned, the others are numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


class Section(msgspec.Struct, frozen=True):
    """One part of the page. `text` says what was measured and how, `commit` which version of the sources it was."""

    name: str
    title: str
    text: str
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    took_seconds: float = 0.0
    commit: str = ""

    def lasting(self, seconds: float, commit: str = "") -> Self:
        """The same, measured in so many seconds, at this commit of the sources where it is known."""
        return msgspec.structs.replace(self, took_seconds=seconds, commit=commit)


def number(value: float) -> str:
    """Three digits that say something, or whole thousands: 12,345, 123, 12.3, 1.23, 0.123."""
    size = abs(value)
    if size >= 99.95 or value == 0:
        return f"{value:,.0f}"
    if size >= 9.995:
        return f"{value:.1f}"
    if size >= 0.9995:
        return f"{value:.2f}"
    return f"{value:.3f}"


def times(ratio: float) -> str:
    """A ratio, as 12.3×."""
    return f"{number(ratio)}×"


def pair(first: float, second: float) -> str:
    """Two numbers that belong together, such as p50 and p99."""
    return f"{number(first)} / {number(second)}"


def medians(measurements: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The median of each number that all of the measurements have."""
    names = [name for name in measurements[0] if all(_is_number(each.get(name)) for each in measurements)]
    return {name: median(each[name] for each in measurements) for name in names}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
