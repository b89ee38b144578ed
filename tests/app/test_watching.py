"""Settings of a server that say where its spans go."""

import subprocess
import sys

import pytest

from perdure.app.config import read_config
from perdure.app.watching import tracing_of, tracing_of_environment
from perdure.model.errors import InvalidArgumentError


def test_without_an_address_there_is_no_tracing(monkeypatch):
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    assert tracing_of(read_config(environment={})) is None
    assert tracing_of_environment() is None


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ({"otlp_endpoint": "collector:4318"}, "endpoint"),
        ({"otlp_endpoint": "http://c:4318", "trace_sample_percent": "101"}, "trace_sample_percent"),
    ],
)
def test_what_makes_no_sense_is_refused(flags, named):
    with pytest.raises(InvalidArgumentError, match=named):
        tracing_of(read_config(flags, environment={}))


@pytest.mark.parametrize(
    ("flags", "environment"),
    [({"otlp_endpoint": "http://127.0.0.1:9"}, {}), ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})],
)
def test_an_address_makes_the_provider_of_the_whole_process(flags, environment):
    """In a process of its own, since there is one provider in each."""
    code = f"""
from opentelemetry import trace
from perdure.app.config import read_config
from perdure.app.watching import set_up_logs, tracing_of
config = read_config({{**{flags!r}, "log_format": "json"}}, environment={{}})
set_up_logs(config)
tracing = tracing_of(config)
assert trace.get_tracer_provider() is tracing.provider
"""
    subprocess.run([sys.executable, "-c", code], check=True, env={"PATH": "", **environment}, timeout=240)
