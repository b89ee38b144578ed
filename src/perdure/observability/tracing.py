"""``Tracing``: spans of calls, runs and attempts, for OpenTelemetry.

A call's span is made while it lasts, like any other. Those of runs and attempts have derived ids (``model.trace_context``)
and are handed to the exporter whole, when they are over: a run's by the engine, once its close is durable; an attempt's by
the worker that ran it. So a replay makes none, and nothing has to be remembered while a run waits for a year.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from time import time_ns
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from perdure.kernel.run import Run
from perdure.model.errors import InvalidArgumentError
from perdure.model.failures import Failure
from perdure.model.options import RunStatus
from perdure.model.payloads import PayloadMap
from perdure.model.program import ActivityTask
from perdure.model.requests import StartWorkflow
from perdure.model.service import Service
from perdure.model.trace_context import (
    TraceContext,
    attempt_span_id,
    context_of,
    parse,
    run_span_id,
    with_context,
)

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.trace import SpanContext

SCHEDULED_BY_ID = "ScheduledById"
"""The search attribute of runs that a schedule has started: its id."""

_BROKEN = frozenset({RunStatus.FAILED, RunStatus.TIMED_OUT, RunStatus.TERMINATED})


class Tracing:
    """Traces from the caller through workflows, activities and children, exported by OTLP over HTTP.

    Give it to ``perdure.open``, ``perdure.connect`` and ``perdure.Worker``. The caller's own span, if there is one, is the
    parent of the call; the trace goes on in every process that has a ``Tracing``. For spans of your own inside of
    activities to be exported the same way, call ``tracing.make_global()``. Workflow
    code makes no spans: it is repeated.

    Args:
        endpoint: where an OTLP receiver listens, such as ``http://localhost:4318``. Without it the environment says it, as
            OpenTelemetry has it: ``OTEL_EXPORTER_OTLP_ENDPOINT``.
        service_name: what this process is called in traces; without it ``OTEL_SERVICE_NAME`` says it, and else "perdure".
        sample_ratio: how much of the traces that begin here are kept, from 0 to 1. Those that began elsewhere are kept if
            they are kept there.
        processor: an OpenTelemetry ``SpanProcessor`` in place of the exporter.

    Raises:
        InvalidArgumentError: OpenTelemetry is not installed, or an argument makes no sense.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        service_name: str | None = None,
        sample_ratio: float = 1.0,
        processor: "SpanProcessor | None" = None,
    ) -> None:
        if not 0 <= sample_ratio <= 1:
            raise InvalidArgumentError(f"sample_ratio={sample_ratio!r} must be from 0 to 1")
        # Here, because it takes as much memory as a thousand waiting runs.
        from importlib.metadata import version

        try:
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
            from opentelemetry.sdk.util.instrumentation import InstrumentationScope
        except ImportError as error:
            raise InvalidArgumentError(
                f"Tracing needs OpenTelemetry ({error}). Install it: pip install 'perdure[tracing]'"
            ) from None
        named = {"service.name": service_name} if service_name else {}
        resource = Resource.create(named)
        if resource.attributes.get("service.name", "").startswith("unknown_service"):  # type: ignore[union-attr]
            resource = resource.merge(Resource({"service.name": "perdure"}))
        self._processor = processor or _exporting(endpoint)
        self._provider = TracerProvider(resource=resource, sampler=ParentBasedTraceIdRatio(sample_ratio))
        self._provider.add_span_processor(self._processor)
        self._tracer = self._provider.get_tracer("perdure", version("perdure"))
        self._scope = InstrumentationScope("perdure", version("perdure"))

    @property
    def provider(self) -> "TracerProvider":
        """Makes spans that are exported with these."""
        return self._provider

    def make_global(self) -> None:
        """Have all spans of this process exported with these, unless its code has set a provider of its own before."""
        from opentelemetry import trace

        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            trace.set_tracer_provider(self._provider)

    def close(self) -> None:
        """Export what is left. Blocks for as long as the exporter takes, seconds if nobody listens."""
        self._provider.shutdown()

    def traced(self, service: Service) -> Service:
        """A service whose callers are traced."""
        from perdure.observability.traced_service import traced

        return traced(service, self)

    # --- calls

    @contextlib.contextmanager
    def call(
        self, name: str, attributes: Mapping[str, str | int], header: PayloadMap | None
    ) -> Iterator[tuple[PayloadMap | None, Any]]:
        """The span of a call, in which it is made; the header to send along, and the span for what comes of it.

        A header that has a parent is of somebody who traces already: it is left as it is.
        """
        from opentelemetry.trace import SpanKind

        if context_of(header) is not None:
            from opentelemetry.trace import INVALID_SPAN

            yield header, INVALID_SPAN
            return
        with self._tracer.start_as_current_span(name, kind=SpanKind.CLIENT, attributes=dict(attributes)) as span:
            yield with_context(header, _carried(span.get_span_context())), span

    @contextlib.contextmanager
    def below(self, traceparent: str, tracestate: str) -> Iterator[None]:
        """What is called meanwhile belongs below the span that a request named in its headers, if it named one."""
        context = parse(traceparent, tracestate) if traceparent else None
        if context is None:
            yield
            return
        from opentelemetry import context as contexts
        from opentelemetry.trace import NonRecordingSpan, set_span_in_context

        token = contexts.attach(set_span_in_context(NonRecordingSpan(_span_context(context, is_remote=True))))
        try:
            yield
        finally:
            contexts.detach(token)

    # --- what begins here

    def sampled(self, name: str, context: TraceContext) -> TraceContext:
        """The first span of a trace, with whether it is kept."""
        from opentelemetry.sdk.trace.sampling import Decision

        decision = self._provider.sampler.should_sample(None, int(context.trace_id, 16), name).decision
        return msgspec.structs.replace(context, flags=int(decision is Decision.RECORD_AND_SAMPLE))

    def export_root(
        self, name: str, context: TraceContext, start_time: int, end_time: int, attributes: Mapping[str, str | int]
    ) -> None:
        """A span that has no parent, and is over. Times are ns since 1970."""
        from opentelemetry.trace import Status, StatusCode

        self._export(name, context, None, start_time, end_time, attributes, Status(StatusCode.OK))

    # --- runs and attempts

    def run_closed(self, run: Run) -> None:
        """A run's close is durable."""
        from opentelemetry.trace import Link, Status, StatusCode

        started, close, context = run.started, run.close, context_of(run.started.header)
        if context is None or close is None:
            return
        failure: Failure | None = getattr(close, "failure", None)
        links = []
        if started.continued_execution_run_id:
            earlier = TraceContext(context.trace_id, run_span_id(started.continued_execution_run_id), context.flags)
            links.append(Link(_span_context(earlier)))
        self._export(
            f"RunWorkflow:{started.workflow_type}",
            TraceContext(context.trace_id, run_span_id(run.run_id), context.flags, context.state),
            context,
            started.time,
            close.time,
            {
                "perdure.namespace": run.namespace,
                "perdure.workflow_type": started.workflow_type,
                "perdure.workflow_id": started.workflow_id,
                "perdure.run_id": run.run_id,
                "perdure.task_queue": started.task_queue,
                "perdure.status": run.status.name.lower(),
            },
            Status(StatusCode.ERROR, failure.message if failure is not None else run.status.name.lower())
            if run.status in _BROKEN
            else Status(StatusCode.OK),
            links,
        )

    def attempt(self, task: ActivityTask) -> "Attempt | None":
        """As ``WorkerTracing.attempt``."""
        context = context_of(task.scheduled.header)
        return None if context is None else Attempt(self, task, context)

    def _export(
        self,
        name: str,
        context: TraceContext,
        parent: TraceContext | None,
        start_time: int,
        end_time: int,
        attributes: Mapping[str, str | int],
        status: Any,
        links: Sequence[Any] = (),
    ) -> None:
        from opentelemetry.sdk.trace import ReadableSpan

        self._processor.on_end(
            ReadableSpan(
                name,
                context=_span_context(context),
                parent=None if parent is None else _span_context(parent, is_remote=True),
                resource=self._provider.resource,
                attributes=attributes,
                links=links,
                status=status,
                start_time=start_time,
                end_time=end_time,
                instrumentation_scope=self._scope,
            )
        )


def attributes_of_start(namespace: str, request: StartWorkflow) -> dict[str, str | int]:
    """What a start's span says of it."""
    attributes: dict[str, str | int] = {
        "perdure.namespace": namespace,
        "perdure.workflow_id": request.workflow_id,
        "perdure.workflow_type": request.workflow_type,
        "perdure.task_queue": request.task_queue,
    }
    schedule = (request.search_attributes or {}).get(SCHEDULED_BY_ID)
    if schedule is not None:
        attributes["perdure.schedule_id"] = schedule.data.decode(errors="replace").strip('"')
    return attributes


class Attempt:
    """``sdk.tracing.AttemptSpan``."""

    def __init__(self, tracing: Tracing, task: ActivityTask, parent: TraceContext) -> None:
        self._tracing = tracing
        self._task = task
        self._parent = parent
        span_id = attempt_span_id(task.address.run_id, task.scheduled.id, task.attempt)
        self._context = TraceContext(parent.trace_id, span_id, parent.flags, parent.state)
        self._began = time_ns()

    def enter(self) -> None:
        """As ``AttemptSpan.enter``."""
        from opentelemetry import context
        from opentelemetry.trace import NonRecordingSpan, set_span_in_context

        # The attempt has a context of its own, which ends with it, so nothing needs to be put back.
        context.attach(set_span_in_context(NonRecordingSpan(_span_context(self._context))))

    def end(self, failure: Failure | None) -> None:
        """As ``AttemptSpan.end``."""
        from opentelemetry.trace import Status, StatusCode

        task, address = self._task, self._task.address
        attributes: dict[str, str | int] = {
            "perdure.namespace": address.namespace,
            "perdure.workflow_type": task.workflow_type,
            "perdure.workflow_id": address.workflow_id,
            "perdure.run_id": address.run_id,
            "perdure.activity_type": task.scheduled.activity_type,
            "perdure.activity_id": task.scheduled.activity_id,
            "perdure.task_queue": task.scheduled.task_queue,
            "perdure.attempt": task.attempt,
        }
        if failure is not None:
            attributes["error.type"] = failure.type or failure.kind.name.lower()
        self._tracing._export(
            f"RunActivity:{task.scheduled.activity_type}",
            self._context,
            self._parent,
            self._began,
            time_ns(),
            attributes,
            Status(StatusCode.OK) if failure is None else Status(StatusCode.ERROR, failure.message),
        )


def _exporting(endpoint: str | None) -> "SpanProcessor":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if endpoint is None:
        return BatchSpanProcessor(OTLPSpanExporter())
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InvalidArgumentError(f"endpoint={endpoint!r} must be a URL such as http://localhost:4318")
    url = endpoint.rstrip("/") + "/v1/traces" if parts.path in ("", "/") else endpoint
    return BatchSpanProcessor(OTLPSpanExporter(endpoint=url))


def _span_context(context: TraceContext, *, is_remote: bool = False) -> "SpanContext":
    from opentelemetry.trace import SpanContext, TraceFlags, TraceState

    state = TraceState.from_header([context.state]) if context.state else None
    return SpanContext(int(context.trace_id, 16), int(context.span_id, 16), is_remote, TraceFlags(context.flags), state)


def _carried(context: "SpanContext") -> TraceContext:
    return TraceContext(
        f"{context.trace_id:032x}", f"{context.span_id:016x}", int(context.trace_flags), context.trace_state.to_header()
    )
