"""The run itself."""

from typing import Any

import msgspec

from perdure.kernel.appliers.applier import Applier
from perdure.kernel.appliers.note import merged
from perdure.kernel.run import Run
from perdure.model import events as e
from perdure.model.options import RunStatus, Versioning
from perdure.model.payloads import JSON, NULL, Payload
from perdure.model.search import PINNED_BUILD_ID


def _started(run: Run, event: e.WorkflowExecutionStarted) -> None:
    run.first_task_pending = event.first_workflow_task_backoff_ns > 0
    if event.memo:
        run.memo = event.memo
    if event.search_attributes:
        run.search_attributes = event.search_attributes
    if event.completion_callback is not None or event.completion_callbacks:
        first = () if event.completion_callback is None else (event.completion_callback,)
        run.callbacks = [*first, *event.completion_callbacks]
    if event.priority is not None:
        run.priority = event.priority
    if event.pinned_build_id:
        run.pin_override = event.pinned_build_id
        pin(run, event.pinned_build_id)
    elif event.versioning_override:
        run.versioning_override = event.versioning_override


def _first_task_ready(run: Run, record: e.FirstTaskReady) -> None:
    run.first_task_pending = False


def _closed(status: RunStatus) -> Applier:
    def closed(run: Run, event: Any) -> None:
        run.status = status
        run.close = event
        run.workflow_task = None
        run.first_task_pending = False
        for pending in (
            run.activities,
            run.activity_ids,
            run.timers,
            run.timer_ids,
            run.children,
            run.external_signals,
            run.external_cancels,
            run.operations,
        ):
            if pending:
                pending.clear()
        if run.updates:
            run.updates = {name: update for name, update in run.updates.items() if update.completed}

    return closed


def _cancel_requested(run: Run, event: e.WorkflowExecutionCancelRequested) -> None:
    run.cancel_requested = True
    if event.request_id:
        run.request_ids.add(event.request_id)


def _signaled(run: Run, event: e.WorkflowExecutionSignaled) -> None:
    if event.request_id:
        run.request_ids.add(event.request_id)


def _paused(run: Run, event: e.WorkflowExecutionPaused) -> None:
    run.status = RunStatus.PAUSED
    run.paused = event


def _unpaused(run: Run, event: e.WorkflowExecutionUnpaused) -> None:
    run.status = RunStatus.RUNNING
    run.paused = None


def _options_updated(run: Run, event: e.WorkflowExecutionOptionsUpdated) -> None:
    if event.attached_callbacks:
        run.callbacks = [*run.callbacks, *event.attached_callbacks]
    if event.sets_priority:
        run.priority = event.priority
    elif event.request_id and (event.attached_callbacks or event.leaves_pin):
        run.attached_request_ids = {**run.attached_request_ids, event.request_id: event.id}
    if event.attached_callbacks or event.leaves_pin:
        return
    run.pin_override, run.versioning_override = event.pinned_build_id, event.versioning
    pin(run, pin_of(run, run.build_id, run.versioning))


def pin_of(run: Run, build_id: str, said: Versioning) -> str:
    """To which build the run is pinned when its last turn, by this build, has said so; empty for none."""
    stays = said is Versioning.PINNED and run.versioning_override is not Versioning.AUTO_UPGRADE
    return run.pin_override or (build_id if stays else "")


def pin(run: Run, build_id: str) -> None:
    """From now on the run's turns are for workers of this build alone; for any, if it is empty. It is found by that, too."""
    run.pinned_build_id = build_id
    found_by = Payload(msgspec.json.encode(build_id), JSON) if build_id else Payload(b"", NULL)
    run.search_attributes = merged(run.search_attributes, {PINNED_BUILD_ID: found_by})


APPLIERS: dict[type, Applier] = {
    e.WorkflowExecutionStarted: _started,
    e.WorkflowExecutionCompleted: _closed(RunStatus.COMPLETED),
    e.WorkflowExecutionFailed: _closed(RunStatus.FAILED),
    e.WorkflowExecutionTimedOut: _closed(RunStatus.TIMED_OUT),
    e.WorkflowExecutionContinuedAsNew: _closed(RunStatus.CONTINUED_AS_NEW),
    e.WorkflowExecutionCanceled: _closed(RunStatus.CANCELED),
    e.WorkflowExecutionTerminated: _closed(RunStatus.TERMINATED),
    e.WorkflowExecutionCancelRequested: _cancel_requested,
    e.WorkflowExecutionSignaled: _signaled,
    e.WorkflowExecutionPaused: _paused,
    e.WorkflowExecutionUnpaused: _unpaused,
    e.WorkflowExecutionOptionsUpdated: _options_updated,
    e.FirstTaskReady: _first_task_ready,
}
