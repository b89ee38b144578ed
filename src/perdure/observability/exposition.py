"""The metrics of the catalogue in Prometheus' words, read when Prometheus asks."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from perdure.observability import catalogue
from perdure.observability.catalogue import Kind
from perdure.observability.series import Histogram
from perdure.observability.watched import Watched

FAMILIES: dict[Kind, type[CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily]] = {
    Kind.COUNTER: CounterMetricFamily,
    Kind.GAUGE: GaugeMetricFamily,
    Kind.HISTOGRAM: HistogramMetricFamily,
}


class EngineCollector(Collector):
    """Reads what is watched."""

    def __init__(self, watched: Watched, version: str) -> None:
        self._watched = watched
        self._version = version

    def describe(self) -> Iterator[Metric]:
        """So that registering it reads nothing."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """All metrics as they are now. On the engine's thread."""
        yield InfoMetricFamily("perdure_build", "The version of Perdure.", {"version": self._version})
        for metric in catalogue.METRICS:
            yield _family(metric, self._watched)


def _family(metric: catalogue.Metric, watched: Watched) -> Metric:
    family = FAMILIES[metric.kind](metric.name, metric.help, labels=metric.labels)
    for labels, value in metric.read(watched):
        if isinstance(family, HistogramMetricFamily):
            assert isinstance(value, Histogram)
            family.add_metric(labels, list(_buckets(value)), value.total)
        else:
            assert not isinstance(value, Histogram)
            family.add_metric(labels, value)
    return family


def _buckets(histogram: Histogram) -> Iterator[tuple[str, float]]:
    below = 0
    names = [*(repr(float(bound)) for bound in histogram.bounds), "+Inf"]
    for name, count in zip(names, histogram.counts, strict=True):
        below += count
        yield name, below


class Exposition:
    """What is answered to a scrape: the engine's metrics, and those of the process and the interpreter."""

    def __init__(self, watched: Watched, version: str) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(EngineCollector(watched, version))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The answer to a scrape, and its content type, in the format that the ``Accept`` header prefers."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type
