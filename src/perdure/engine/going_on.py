"""A child that goes on where the last run of its workflow id has ended: a copy of that one's history, for another parent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.kernel.commit import Reason, Rejection
from perdure.model.errors import PerdureError
from perdure.model.events import AnyRecord
from perdure.model.options import RunStatus
from perdure.model.requests import ForkWorkflow, StartWorkflow
from perdure.model.service import StartResult

if TYPE_CHECKING:
    from perdure.engine.engine import Engine, Started
    from perdure.engine.resident import Resident

RESUMABLE = frozenset({RunStatus.FAILED, RunStatus.CANCELED, RunStatus.TERMINATED, RunStatus.TIMED_OUT})
"""How a run has ended that a child may go on from."""


def go_on(engine: Engine, resident: Resident, request: StartWorkflow, done: Started) -> None:
    """Start a child as a reset of the last run of its id. One that had taken no turn begins anew.

    Args:
        engine: that has them.
        resident: the last run.
        request: of the parent, with ``goes_on``.
        done: is told which run it is, or why there is none.
    """
    run = resident.run

    def read(records: list[AnyRecord] | PerdureError | None) -> None:
        if not isinstance(records, list):
            done(records or Rejection(Reason.NOT_FOUND, f"Run {run.run_id} was deleted."))
            return
        if engine.residents.find(run.namespace, request.workflow_id, "") not in (None, resident):
            engine.starts.start(run.namespace, request, done)  # somebody was quicker
            return
        copied = ForkWorkflow(
            request.workflow_id,
            run.run_id,
            run.history_length,
            tuple(records),
            reason=request.goes_on,
            request_id=request.request_id,
            is_reset=True,
            loses_children=True,
            child=request,
        )
        if engine.starts.refuse_fork(run.namespace, copied) is None:
            engine.starts.fork(run.namespace, copied, forked)
        else:
            engine.starts.begin(run.namespace, request, done, may_wait=True)

    def forked(found: str | Rejection | PerdureError) -> None:
        done(StartResult(found, is_new=True) if isinstance(found, str) else found)

    engine.pipeline.when_durable(
        resident, lambda error: engine.loader.history(resident.key, read) if error is None else done(error)
    )
