"""Messages to other runs."""

from typing import Any

from perdure.kernel.appliers.applier import Applier
from perdure.kernel.run import Run
from perdure.model import events as e


def _signal_initiated(run: Run, event: e.SignalExternalWorkflowExecutionInitiated) -> None:
    run.external_signals[event.id] = event


def _signal_ended(run: Run, event: Any) -> None:
    del run.external_signals[event.initiated_event_id]


def _cancel_initiated(run: Run, event: e.RequestCancelExternalWorkflowExecutionInitiated) -> None:
    run.external_cancels[event.id] = event


def _cancel_ended(run: Run, event: Any) -> None:
    del run.external_cancels[event.initiated_event_id]


APPLIERS: dict[type, Applier] = {
    e.SignalExternalWorkflowExecutionInitiated: _signal_initiated,
    e.SignalExternalWorkflowExecutionFailed: _signal_ended,
    e.ExternalWorkflowExecutionSignaled: _signal_ended,
    e.RequestCancelExternalWorkflowExecutionInitiated: _cancel_initiated,
    e.RequestCancelExternalWorkflowExecutionFailed: _cancel_ended,
    e.ExternalWorkflowExecutionCancelRequested: _cancel_ended,
}
