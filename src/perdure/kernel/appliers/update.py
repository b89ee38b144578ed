"""Updates."""

from perdure.kernel.appliers.applier import Applier
from perdure.kernel.run import Run, Update
from perdure.model import events as e


def _update_admitted(run: Run, record: e.UpdateAdmitted) -> None:
    run.updates[record.update_id] = Update(record, callbacks=record.callbacks)


def _update_rejected(run: Run, record: e.UpdateRejected) -> None:
    del run.updates[record.update_id]


def _update_accepted(run: Run, event: e.WorkflowExecutionUpdateAccepted) -> None:
    update = run.updates.get(event.protocol_instance_id)
    if update is None:  # a fork's history begins without the admission
        update = run.updates[event.protocol_instance_id] = Update(None, callbacks=event.callbacks)
    update.admitted = None
    update.accepted_event_id = event.id


def _update_completed(run: Run, event: e.WorkflowExecutionUpdateCompleted) -> None:
    run.updates[event.update_id].completed = event


APPLIERS: dict[type, Applier] = {
    e.WorkflowExecutionUpdateAccepted: _update_accepted,
    e.WorkflowExecutionUpdateCompleted: _update_completed,
    e.UpdateAdmitted: _update_admitted,
    e.UpdateRejected: _update_rejected,
}
