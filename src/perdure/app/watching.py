"""What a process of ours does about logs and traces, by its settings."""

import os

from perdure.app.config import Config
from perdure.model.errors import InvalidArgumentError
from perdure.observability.logs import set_up_logging
from perdure.observability.tracing import Tracing

OTLP_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def set_up_logs(config: Config) -> None:
    """Log as the settings say, to standard error."""
    set_up_logging(config["log_level"], config["log_format"])


def tracing_of(config: Config) -> Tracing | None:
    """Where spans go, by the settings or OpenTelemetry's own variables; None if nowhere.

    What user code makes of spans goes there too, unless it has said where it goes already.

    Raises:
        InvalidArgumentError: the address or the share makes no sense, or OpenTelemetry is not installed.
    """
    endpoint, percent = config["otlp_endpoint"], config["trace_sample_percent"]
    if percent > 100:
        raise InvalidArgumentError(f"trace_sample_percent is {percent}, but must be from 0 to 100.")
    return _tracing(endpoint, percent)


def tracing_of_environment() -> Tracing | None:
    """Where the spans of a worker go, which has no settings: by OpenTelemetry's own variables; None if nowhere."""
    return _tracing("", 100)


def _tracing(endpoint: str, percent: int) -> Tracing | None:
    if not endpoint and not any(os.environ.get(name) for name in OTLP_VARIABLES):
        return None
    tracing = Tracing(endpoint or None, sample_ratio=percent / 100)
    tracing.make_global()
    return tracing
