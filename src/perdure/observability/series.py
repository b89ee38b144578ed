"""Numbers that only grow, by labels, never more of them than a monitoring system can bear."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TypeVar

Labels = tuple[str, ...]

OTHER = "other"

MANY = 500
"""A workflow type or a task queue may be named by anyone. What comes after so many is counted as "other"."""


class Count:
    """A counter."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


class Histogram:
    """How many values fell below or on each of ``bounds``, which are sorted; the last of ``counts`` is those above."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total: float = 0

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)

    def add(self, other: "Histogram") -> None:
        """Count all that another one with the same bounds has counted."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.total += other.total

    def scaled(self, factor: float) -> "Histogram":
        """The same in another unit."""
        scaled = Histogram([bound * factor for bound in self.bounds])
        scaled.counts, scaled.total = list(self.counts), self.total * factor
        return scaled

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


T = TypeVar("T")


class Series(dict[Labels, T]):
    """One counter or histogram for each combination of labels, made when it is first asked for. There are ``kept``
    combinations at most; all further ones share one, labelled "other"."""

    def __init__(self, make: Callable[[], T], labels: int, kept: int = MANY) -> None:
        super().__init__()
        self._make = make
        self._kept = kept
        self._other: Labels = (OTHER,) * labels

    def __missing__(self, labels: Labels) -> T:
        if len(self) >= self._kept and labels != self._other:
            return self[self._other]
        made = self[labels] = self._make()
        return made


def counts(labels: int) -> Series[Count]:
    """Counters with so many labels each."""
    return Series(Count, labels)


def histograms(labels: int, bounds: Sequence[float]) -> Series[Histogram]:
    """Histograms with so many labels each."""
    return Series(lambda: Histogram(bounds), labels)
