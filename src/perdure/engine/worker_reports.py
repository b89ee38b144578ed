"""What workers elsewhere say of their tasks: how attempts and turns have ended."""

# Else the annotations of inner functions would be worked out each time that the outer one is called.
from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from perdure.engine import turns
from perdure.engine.pipeline import Outcome
from perdure.engine.remote_program import RemoteProgram
from perdure.engine.remote_worker import RemoteWorker
from perdure.engine.resident import Resident
from perdure.kernel.commit import Rejection
from perdure.model.commands import (
    AnyCommand,
    RequestCancelExternalWorkflowExecution,
    ScheduleNexusOperation,
    SignalExternalWorkflowExecution,
    StartChildWorkflowExecution,
)
from perdure.model.errors import PerdureError, StoreError
from perdure.model.failures import Failure
from perdure.model.ids import RunAddress
from perdure.model.log_fields import about_run
from perdure.model.requests import CompleteWorkflowTask, FailWorkflowTask, HeartbeatActivity, Request
from perdure.model.workers import ActivityReport, Attempt, TurnAhead, TurnReport

if TYPE_CHECKING:
    from perdure.engine.engine import Engine
    from perdure.engine.workers import Workers

log = logging.getLogger("perdure.engine")

REACHING = frozenset(
    {
        StartChildWorkflowExecution,
        SignalExternalWorkflowExecution,
        RequestCancelExternalWorkflowExecution,
        ScheduleNexusOperation,
    }
)
"""Commands that reach other runs, maybe in other namespaces."""


class Reports:
    """Makes requests of what workers say, and acknowledges what is recorded."""

    def __init__(self, engine: Engine, workers: Workers) -> None:
        self._engine = engine
        self._workers = workers

    def report(
        self,
        worker: RemoteWorker,
        address: RunAddress,
        request: Request,
        attempt: Attempt,
        ahead: TurnAhead | None = None,
    ) -> None:
        """What became of an attempt: acknowledged once it is recorded, and asked for again until it is. With the turn that
        follows, if the worker has taken it."""
        engine = self._engine
        permits = engine.admission.permits
        if permits.named:
            permits.reported(address, request)

        program: RemoteProgram | None = None

        def done(outcome: Outcome) -> None:
            if isinstance(outcome, StoreError):
                engine.after_store_retry(partial(engine.submit, address, request, done))
            elif program is not None and ahead is not None and program.offered > ahead.started_event_id:
                return  # the next activity is on its way already, and says so
            elif not isinstance(request, HeartbeatActivity) or request.leaves:
                worker.acknowledge(attempt, _refusal(outcome))
            elif outcome is not None:
                # Nobody wants the attempt any more, and this is how it hears of that.
                worker.cancel_activity(address, attempt.scheduled_event_id)
                worker.acknowledge(attempt, _refusal(outcome))

        resident = None
        if ahead is not None:
            resident = engine.residents.find(address.namespace, address.workflow_id, address.run_id)
        if (
            ahead is not None
            and resident is not None
            and isinstance(resident.program, RemoteProgram)
            and resident.program.worker is worker
        ):
            program = resident.program
            if _reaches_elsewhere(worker, ahead.commands):
                program.offered = 0
            turns.decide_ahead(engine, resident, program, ahead, request, done)
        else:
            engine.submit(address, request, done)
        if not isinstance(request, HeartbeatActivity) or request.leaves:
            self._workers.slot_free(worker)

    def unknown_report(self, worker: RemoteWorker, report: ActivityReport, attempt: Attempt) -> None:
        """A report about an attempt that the worker does not have here. The history may know that it is the worker's."""
        address, request = report.address, report.request

        def loaded(resident: Resident | PerdureError | None) -> None:
            if isinstance(resident, StoreError):
                self._engine.after_store_retry(partial(self._engine.loader.find, address, loaded))
                return
            pending = None
            if isinstance(resident, Resident):
                pending = resident.run.activities.get(request.scheduled_event_id)
            if (
                pending is None
                or address.namespace != worker.namespace
                or pending.worker_id != worker.worker_id
                or pending.attempt != request.attempt
            ):
                worker.acknowledge(attempt, "it has ended, or it is not this worker's")
                return
            self.report(worker, address, request, attempt)

        self._engine.loader.find(address, loaded)

    def hand_out_again(self, program: RemoteProgram) -> None:
        """A worker lacks the program for the turn that it has in hand."""
        address, engine = program.address, self._engine
        resident = engine.residents.find(address.namespace, address.workflow_id, address.run_id)
        if resident is not None and resident.program is program:
            turns.hand_out_again(resident, engine.loader, engine.pipeline, engine.limits)

    def turn_reported(self, worker: RemoteWorker, report: TurnReport) -> None:
        """A turn has ended."""
        request: Request
        elsewhere = _reaches_elsewhere(worker, report.commands)
        if elsewhere:
            failure = Failure(
                f"Worker {worker.identity} serves namespace {worker.namespace!r}, so its workflows can do nothing in "
                f"{elsewhere!r}. Let a workflow of that namespace do it."
            )
            request = FailWorkflowTask(
                report.started_event_id,
                report.attempt,
                "OTHER_NAMESPACE",
                failure,
                worker.identity,
                worker.build_id,
            )
        elif report.cause:
            log.warning(
                "Workflow %s, run %s: its turn failed: %s",
                report.address.workflow_id,
                report.address.run_id,
                report.failure.message if report.failure is not None else report.cause,
                extra=about_run(report.address),
            )
            request = FailWorkflowTask(
                report.started_event_id, report.attempt, report.cause, report.failure, worker.identity, worker.build_id
            )
        else:
            request = CompleteWorkflowTask(
                report.started_event_id,
                report.attempt,
                report.commands,
                worker.identity,
                worker.build_id,
                state=report.state,
            )

        def done(outcome: Outcome) -> None:
            # When it could not be written, the run is taken up from what is stored, and its turn taken again.
            if isinstance(outcome, Rejection):
                log.debug("A turn of run %s was too late: %s", report.address.run_id, outcome.message)

        self._engine.submit(report.address, request, done)
        self._workers.turns.worker_free(worker)


def _reaches_elsewhere(worker: RemoteWorker, commands: Sequence[AnyCommand]) -> str:
    """Another namespace than the worker's that commands reach."""
    elsewhere = ""
    for command in commands:
        if command.__class__ in REACHING and _namespace_of(command) not in ("", worker.namespace):
            elsewhere = _namespace_of(command)
    return elsewhere


def _namespace_of(command: AnyCommand) -> str:
    """Whom a command reaches; empty for its own run's."""
    match command:
        case StartChildWorkflowExecution() | ScheduleNexusOperation():
            return command.namespace
        case SignalExternalWorkflowExecution() | RequestCancelExternalWorkflowExecution():
            return command.workflow_execution.namespace
        case _:
            return ""


def _refusal(outcome: Outcome) -> str:
    if outcome is None:
        return ""
    return outcome.message if isinstance(outcome, Rejection) else str(outcome)
