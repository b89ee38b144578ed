"""Traces of runs that nobody outside has asked for: a schedule starts them, and their traces begin there.

Such a start is a message between runs and may arrive twice, after a crash; so the ids of its trace and its span are derived
from its request id, which is the same each time.
"""

import hashlib
from collections.abc import Callable

import msgspec

from perdure.engine.engine import Engine
from perdure.kernel.commit import Rejection
from perdure.model.errors import PerdureError
from perdure.model.requests import StartWorkflow
from perdure.model.service import StartResult
from perdure.model.trace_context import TraceContext, context_of, with_context
from perdure.observability.tracing import Tracing, attributes_of_start

Started = Callable[[StartResult | Rejection | PerdureError], None]
Entrance = Callable[[str, StartWorkflow, Started], None]
AtOnce = Callable[[str, StartWorkflow], str]


def trace_starts(engine: Engine, tracing: Tracing) -> Callable[[], None]:
    """Trace the starts that runs ask for, by either way that they come in. What ends that.

    A start that is undone with its transaction is done again, with the same ids.
    """
    entrance, at_once = engine.entrance, engine.starts.at_once
    engine.entrance = traced_entrance(entrance, tracing, engine.clock.now_ns)
    # Nothing is in the way of those who trace nothing.
    engine.starts.__dict__["at_once"] = traced_at_once(at_once, tracing, engine.clock.now_ns)

    def end() -> None:
        engine.entrance = entrance
        del engine.starts.__dict__["at_once"]

    return end


def traced_entrance(enter: Entrance, tracing: Tracing, now: Callable[[], int]) -> Entrance:
    """Where starts by messages between runs come in, traced. ``now`` gives ns since 1970."""

    def entrance(namespace: str, request: StartWorkflow, started: Started) -> None:
        firing = _Firing(tracing, namespace, request, now())

        def noted(outcome: StartResult | Rejection | PerdureError) -> None:
            if isinstance(outcome, StartResult):
                firing.done(outcome.run_id, now())
            started(outcome)

        enter(namespace, firing.request, noted)

    return entrance


def traced_at_once(start: AtOnce, tracing: Tracing, now: Callable[[], int]) -> AtOnce:
    """Where runs are started in the transaction of who asks for them, traced."""

    def at_once(namespace: str, request: StartWorkflow) -> str:
        firing = _Firing(tracing, namespace, request, now())
        run_id = start(namespace, firing.request)
        if run_id:
            firing.done(run_id, now())
        return run_id

    return at_once


class _Firing:
    """A start, and its span if it begins a trace: if it is nobody's child, and belongs to no trace already."""

    def __init__(self, tracing: Tracing, namespace: str, request: StartWorkflow, begun: int) -> None:
        self.request = request
        self._context: TraceContext | None = None
        if request.parent is None and context_of(request.header) is None:
            self._tracing, self._namespace, self._begun = tracing, namespace, begun
            self._name = f"StartWorkflow:{request.workflow_type}"
            self._context = tracing.sampled(self._name, _context(namespace, request.request_id))
            self.request = msgspec.structs.replace(request, header=with_context(request.header, self._context))

    def done(self, run_id: str, now: int) -> None:
        """The run is there."""
        if self._context is not None:
            attributes = {**attributes_of_start(self._namespace, self.request), "perdure.run_id": run_id}
            self._tracing.export_root(self._name, self._context, self._begun, now, attributes)


def _context(namespace: str, request_id: str) -> TraceContext:
    digest = hashlib.sha256("\0".join(("perdure.firing", namespace, request_id)).encode()).hexdigest()
    return TraceContext(digest[:32], digest[32:48])
