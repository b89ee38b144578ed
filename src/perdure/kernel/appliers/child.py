"""Children."""

from typing import Any

from perdure.kernel.appliers.applier import Applier
from perdure.kernel.run import Child, Run
from perdure.model import events as e


def _child_initiated(run: Run, event: e.StartChildWorkflowExecutionInitiated) -> None:
    run.children[event.id] = Child(event)


def _child_started(run: Run, event: e.ChildWorkflowExecutionStarted) -> None:
    child = run.children[event.initiated_event_id]
    if child.initiated.detached is not None:
        del run.children[event.initiated_event_id]
        return
    child.run_id = event.run_id
    child.started_event_id = event.id


def _child_ended(run: Run, event: Any) -> None:
    del run.children[event.initiated_event_id]


APPLIERS: dict[type, Applier] = {
    e.StartChildWorkflowExecutionInitiated: _child_initiated,
    e.StartChildWorkflowExecutionFailed: _child_ended,
    e.ChildWorkflowExecutionStarted: _child_started,
    e.ChildWorkflowExecutionCompleted: _child_ended,
    e.ChildWorkflowExecutionFailed: _child_ended,
    e.ChildWorkflowExecutionCanceled: _child_ended,
    e.ChildWorkflowExecutionTimedOut: _child_ended,
    e.ChildWorkflowExecutionTerminated: _child_ended,
}
