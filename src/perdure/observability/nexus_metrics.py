"""The metrics of operations and callbacks: a part of the catalogue."""

from collections.abc import Iterator

from perdure.model.system import SYSTEM_NAMESPACE
from perdure.observability.metric import Kind, Metric, Sample, of_counts, of_durations, of_timed
from perdure.observability.watched import Watched

CALLBACK_ACTIVITY = "perdure.callback.deliver"
"""The engine's own activity that tells others of a run's close."""


ENDPOINT = ("namespace", "endpoint")


def _callbacks(watched: Watched) -> Iterator[Sample]:
    """What became of posts to others when a run has closed. The engine's own activity makes them."""
    recorder = watched.recorder
    delivered, failed = 0, 0
    for (namespace, activity_type, outcome), histogram in recorder.activities_closed.items():
        if namespace == SYSTEM_NAMESPACE and activity_type == CALLBACK_ACTIVITY:
            if outcome == "completed":
                delivered += histogram.count
            else:
                failed += histogram.count
    retries = recorder.activity_retries.get((SYSTEM_NAMESPACE, CALLBACK_ACTIVITY))
    yield ("delivered",), delivered
    yield ("failed",), failed
    yield ("retried",), 0 if retries is None else retries.value


NEXUS_METRICS: tuple[Metric, ...] = (
    Metric(
        "perdure_nexus_operations_scheduled_total",
        Kind.COUNTER,
        ENDPOINT,
        "Operations that workflows asked for. The endpoint is - for those asked for at a task queue, other for names of none.",
        of_counts(lambda w: w.recorder.operations_asked),
    ),
    Metric(
        "perdure_nexus_operations_closed_total",
        Kind.COUNTER,
        (*ENDPOINT, "outcome"),
        "Operations that ended: completed, failed, timed_out, canceled.",
        of_timed(lambda w: w.recorder.operations_ended),
    ),
    Metric(
        "perdure_nexus_operation_retries_total",
        Kind.COUNTER,
        ENDPOINT,
        "Attempts at asking for an operation, or for its end, that failed and are followed by another one.",
        of_counts(lambda w: w.recorder.operation_retries),
    ),
    Metric(
        "perdure_nexus_operation_duration_seconds",
        Kind.HISTOGRAM,
        ENDPOINT,
        "From when a workflow asked for an operation to its end.",
        of_durations(lambda w: w.recorder.operations_ended, 2),
    ),
    Metric(
        "perdure_callbacks_total",
        Kind.COUNTER,
        ("outcome",),
        "Posts to others when a run has closed, as Nexus or as webhooks have them: delivered, failed for good, or retried.",
        _callbacks,
    ),
)
