"""What a metric is, and how its numbers are read from what is watched."""

from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import NamedTuple

from perdure.observability.series import MANY, OTHER, Count, Histogram, Labels, Series
from perdure.observability.watched import Watched

Sample = tuple[Labels, float | Histogram]


class Kind(Enum):
    """Prometheus' types."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(NamedTuple):
    """A row of the table."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    read: Callable[[Watched], Iterable[Sample]]


def of_one(read: Callable[[Watched], float | Histogram]) -> Callable[[Watched], Iterable[Sample]]:
    return lambda watched: [((), read(watched))]


def of_counts(read: Callable[[Watched], Series[Count]]) -> Callable[[Watched], Iterable[Sample]]:
    return lambda watched: ((labels, count.value) for labels, count in read(watched).items())


def of_histograms(read: Callable[[Watched], Series[Histogram]]) -> Callable[[Watched], Iterable[Sample]]:
    return lambda watched: read(watched).items()


def of_durations(read: Callable[[Watched], Series[Histogram]], labels: int) -> Callable[[Watched], Iterable[Sample]]:
    """Nanoseconds as seconds, by the first so many labels."""

    def durations(watched: Watched) -> Iterator[Sample]:
        added: dict[Labels, Histogram] = {}
        for of, histogram in read(watched).items():
            if of[:labels] in added:
                added[of[:labels]].add(histogram)
            else:
                added[of[:labels]] = histogram.scaled(1)
        return ((of, histogram.scaled(1e-9)) for of, histogram in added.items())

    return durations


def of_timed(read: Callable[[Watched], Series[Histogram]]) -> Callable[[Watched], Iterable[Sample]]:
    """How many durations there are, where they are counted by their histograms."""
    return lambda watched: ((of, histogram.count) for of, histogram in read(watched).items())


def few(samples: Iterable[Sample]) -> Iterator[Sample]:
    """At most so many of a gauge; the rest is added up."""
    rest, labels_of_rest = 0.0, 0
    for number, (labels, value) in enumerate(samples):
        if number < MANY:
            yield labels, value
        else:
            assert not isinstance(value, Histogram)
            rest, labels_of_rest = rest + value, len(labels)
    if labels_of_rest:
        yield (OTHER,) * labels_of_rest, rest
