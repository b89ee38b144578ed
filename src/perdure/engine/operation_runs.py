"""Operations that are runs: those whose name, ``service/operation``, is that of a workflow or an activity of a worker.

Such an operation needs nobody who asks for it. Its run is started here, under the operation's request id, so once; the
operation is accepted with the run's workflow id for its token, and ends as the run does, by a completion callback.
To ask the operation to stop is to cancel the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from perdure.kernel.commit import Reason, Rejection
from perdure.model.errors import PerdureError
from perdure.model.events import NexusOperationScheduled
from perdure.model.failures import Failure, FailureKind
from perdure.model.ids import CompletionCallback, RunAddress
from perdure.model.options import IdConflict, IdReuse
from perdure.model.requests import (
    AcceptOperation,
    CancelWorkflow,
    FailOperationAttempt,
    OfferOperation,
    OperationCancelDelivered,
    StartWorkflow,
)
from perdure.model.service import StartResult
from perdure.model.standalone import PREFIX, ActivityOrder, request_of

if TYPE_CHECKING:
    from perdure.engine.engine import Engine

CALLER = "operation of "
"""Who starts and cancels such a run, in its history; the workflow id of the run that asks follows."""


def name_of(scheduled: NexusOperationScheduled) -> str:
    """What a workflow or an activity must be called to be this operation."""
    return f"{scheduled.service}/{scheduled.operation}"


class OperationRuns:
    """Belongs to one engine, and shares its thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def take(
        self, source: RunAddress, scheduled: NexusOperationScheduled, request: OfferOperation, queue: tuple[str, str]
    ) -> bool:
        """See to an offer of the run ``source``, if a worker at the task queue has what the operation names."""
        worker = self._engine.worker
        kind = worker.declares(*queue, name_of(scheduled)) if worker is not None else ""
        if not kind:
            return False
        if request.of_cancel:
            self._cancel(source, scheduled, request, queue[0], kind)
        else:
            self._start(source, scheduled, request, queue, kind)
        return True

    def _start(
        self,
        source: RunAddress,
        scheduled: NexusOperationScheduled,
        request: OfferOperation,
        queue: tuple[str, str],
        kind: str,
    ) -> None:
        namespace, task_queue = queue
        start = _request(scheduled, task_queue, kind, f"{CALLER}{source.workflow_id}")
        callback = CompletionCallback(
            source.namespace, source.workflow_id, "", scheduled.id, scheduled.request_id, start.workflow_id
        )

        def started(outcome: StartResult | Rejection | PerdureError) -> None:
            ref, attempt = scheduled.id, request.attempt
            if isinstance(outcome, StartResult) or (
                isinstance(outcome, Rejection) and outcome.reason is Reason.ALREADY_EXISTS
            ):
                self._engine.submit(source, AcceptOperation(ref, attempt, start.workflow_id))
                return
            is_final = isinstance(outcome, Rejection) and outcome.reason is Reason.INVALID
            why = outcome.message if isinstance(outcome, Rejection) else str(outcome)
            type = "BAD_REQUEST" if is_final else "UNAVAILABLE"
            failure = Failure(f"handler error ({type}): {why}", FailureKind.HANDLER, type=type)
            if not self._engine.closing:
                self._engine.submit(source, FailOperationAttempt(ref, attempt, failure, final=is_final))

        self._engine.entrance(namespace, msgspec.structs.replace(start, completion_callbacks=(callback,)), started)

    def _cancel(
        self,
        source: RunAddress,
        scheduled: NexusOperationScheduled,
        request: OfferOperation,
        namespace: str,
        kind: str,
    ) -> None:
        own = RunAddress(namespace, _workflow_id(scheduled, kind))

        def cancelled(outcome: Rejection | PerdureError | None) -> None:
            ref, attempt = scheduled.id, request.attempt
            if not isinstance(outcome, PerdureError):
                # One that has closed meanwhile has told how.
                self._engine.submit(source, OperationCancelDelivered(ref, attempt))
            elif not self._engine.closing:
                failure = Failure(str(outcome), FailureKind.HANDLER, type="UNAVAILABLE")
                self._engine.submit(source, FailOperationAttempt(ref, attempt, failure, of_cancel=True))

        self._engine.submit(
            own,
            CancelWorkflow("the operation was asked to stop", scheduled.request_id, f"{CALLER}{source.workflow_id}"),
            cancelled,
        )


def _workflow_id(scheduled: NexusOperationScheduled, kind: str) -> str:
    own = f"{scheduled.operation}-{scheduled.request_id}"
    return own if kind == "workflow" else f"{PREFIX}{own}"


def _request(scheduled: NexusOperationScheduled, task_queue: str, kind: str, identity: str) -> StartWorkflow:
    name, own_id = name_of(scheduled), _workflow_id(scheduled, kind)
    limit_ns = scheduled.schedule_to_close_timeout_ns
    if kind == "workflow":
        return StartWorkflow(
            own_id,
            name,
            task_queue,
            scheduled.input,
            scheduled.request_id,
            IdReuse.REJECT,
            IdConflict.USE,
            execution_timeout_ns=limit_ns,
            identity=identity,
        )
    order = ActivityOrder(own_id.removeprefix(PREFIX), task_queue, schedule_to_close_timeout_ns=limit_ns)
    return request_of(
        order,
        name,
        scheduled.input,
        request_id=scheduled.request_id,
        id_reuse=IdReuse.REJECT,
        id_conflict=IdConflict.USE,
        identity=identity,
    )
