"""Where a run stands in a trace: W3C Trace Context, carried in headers (https://www.w3.org/TR/trace-context/).

A header begins with whoever started a run, and goes on from there to its activities, its children and the run that
follows it. ``traceparent`` in it names the span that is the parent of whoever receives it. The span of a run is not made
when the run begins, and no span is kept anywhere: its id is derived from the run's. So every replay, every worker and the
server give the same span the same id, and it is exported once, when the run has closed.
"""

import hashlib
import re

import msgspec

from perdure.model.payloads import JSON, Payload, PayloadMap

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"

SAMPLED = 1

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_LONGEST_STATE = 512


class TraceContext(msgspec.Struct, frozen=True, gc=False):
    """A span, by its trace's id (32 hexadecimal digits) and its own (16), and what goes along with it."""

    trace_id: str
    span_id: str
    flags: int = SAMPLED
    state: str = ""

    @property
    def is_sampled(self) -> bool:
        """Whether whoever began the trace wants it to be kept."""
        return bool(self.flags & SAMPLED)

    @property
    def traceparent(self) -> str:
        """As W3C writes it."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"


def parse(traceparent: str, tracestate: str = "") -> TraceContext | None:
    """What a ``traceparent`` says; None if it can't be used, as the specification demands."""
    found = _TRACEPARENT.fullmatch(traceparent.strip())
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    if version == "ff" or (version == "00" and rest) or not int(trace_id, 16) or not int(span_id, 16):
        return None
    return TraceContext(trace_id, span_id, int(flags, 16), tracestate if len(tracestate) <= _LONGEST_STATE else "")


def context_of(header: PayloadMap | None) -> TraceContext | None:
    """The span that a header names as parent; None if it names none, or nothing that can be read."""
    return None if not header else parse(_text(header, TRACEPARENT), _text(header, TRACESTATE))


def with_context(header: PayloadMap | None, context: TraceContext) -> PayloadMap:
    """A header that names a span as parent."""
    named = {**(header or {}), TRACEPARENT: _payload(context.traceparent)}
    if context.state:
        named[TRACESTATE] = _payload(context.state)
    return named


def run_span_id(run_id: str) -> str:
    """The id of a run's span."""
    return _derived("run", run_id)


def attempt_span_id(run_id: str, scheduled_event_id: int, attempt: int) -> str:
    """The id of the span of an attempt of an activity."""
    return _derived("attempt", run_id, str(scheduled_event_id), str(attempt))


def passed_on(header: PayloadMap | None, run_id: str) -> PayloadMap | None:
    """What a run with this header gives to its activities and children: the same, with its own span as parent."""
    context = context_of(header)
    return (
        header
        if context is None
        else with_context(header, msgspec.structs.replace(context, span_id=run_span_id(run_id)))
    )


def _derived(*names: str) -> str:
    return hashlib.sha256("\0".join(("perdure.span", *names)).encode()).hexdigest()[:16]


def _payload(text: str) -> Payload:
    return Payload(msgspec.json.encode(text))


def _text(header: PayloadMap, name: str) -> str:
    payload = header.get(name)
    if payload is None or payload.encoding != JSON:
        return ""
    try:
        return msgspec.json.decode(payload.data, type=str)
    except msgspec.MsgspecError:
        return ""
