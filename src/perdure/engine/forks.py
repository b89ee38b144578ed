"""Runs from a history: starting again from the middle of one, and bringing one in from elsewhere."""

# Else the annotations of inner functions would be worked out each time that the outer one is called.
from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec

from perdure.engine.engine import Engine
from perdure.engine.entrance import Entrance
from perdure.engine.namespaces import Namespaces
from perdure.engine.paging import whole_records
from perdure.engine.ports import Store
from perdure.engine.refusals import durable, error_of
from perdure.engine.resident import Resident
from perdure.kernel.commit import Rejection
from perdure.model.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError, PerdureError
from perdure.model.events import Event, WorkflowExecutionStarted
from perdure.model.ids import RunAddress
from perdure.model.options import IdConflict
from perdure.model.payloads import Payloads
from perdure.model.requests import ForkWorkflow, Request, StartWorkflow, TerminateWorkflow


class Forks:
    """Forks, resets and imports runs.

    Args:
        request: asks something of a run, as ``Service.request``.
    """

    def __init__(
        self,
        engine: Engine,
        store: Store,
        namespaces: Namespaces,
        entrance: Entrance,
        request: Callable[[RunAddress, Request], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._store = store
        self._namespaces = namespaces
        self._entrance = entrance
        self._request = request

    async def reset(
        self,
        address: RunAddress,
        *,
        event_id: int,
        reason: str,
        request_id: str,
        loses_children: bool,
        leaves_out: Sequence[str],
    ) -> str:
        """As ``Service.reset``."""
        resident = await self._engine.resident(address)
        run = resident.run
        request = ForkWorkflow(
            run.workflow_id,
            run.run_id,
            event_id,
            (),
            None,
            reason,
            request_id,
            is_reset=True,
            loses_children=loses_children,
            leaves_out=tuple(leaves_out),
        )
        current = await self._engine.resident(RunAddress(run.namespace, run.workflow_id))
        first, is_copy = current.run.started, current.run.started.original_execution_run_id != current.run.run_id
        if request_id and is_copy and first.request_id == request_id:
            return current.run.run_id  # asked for again
        if current.run.close is None and current is not resident:
            await self._terminate(current, reason or f"reset of run {run.run_id}")
        if run.close is None:
            await self._check(resident, request)
            await self._terminate(resident, reason or f"reset to event {event_id}")
        return await self._fork(resident, request)

    async def fork(
        self,
        address: RunAddress,
        *,
        event_id: int,
        workflow_id: str,
        input: Payloads | None,
        reason: str,
        request_id: str,
    ) -> str:
        """As ``Service.fork``."""
        resident = await self._engine.resident(address)
        run = resident.run
        if workflow_id == run.workflow_id:
            raise InvalidArgumentError(
                "A fork needs a workflow id of its own; use reset to start again under the same one."
            )
        await self._refuse_taken(RunAddress(run.namespace, workflow_id))
        usage = None
        if run.namespace in self._entrance.bounded:
            self._entrance.check_quota(
                run.namespace, StartWorkflow(workflow_id, run.started.workflow_type, input=input or ())
            )
            usage = await self._namespaces.enter(run.namespace, workflow_id, IdConflict.FAIL)
        try:
            return await self._fork(
                resident, ForkWorkflow(workflow_id, run.run_id, event_id, (), input, reason, request_id)
            )
        finally:
            self._namespaces.entered(usage)

    async def import_run(self, address: RunAddress, events: Sequence[Event]) -> str:
        """As ``Service.import_run``."""
        started = events[0] if events else None
        if not address.run_id or not isinstance(started, WorkflowExecutionStarted):
            raise InvalidArgumentError("An imported run needs its run id, and a history from its beginning on.")
        if started.workflow_id != address.workflow_id:
            raise InvalidArgumentError(
                f"The history is of workflow {started.workflow_id!r}, not {address.workflow_id!r}."
            )
        await self._refuse_taken(RunAddress(address.namespace, address.workflow_id))
        try:
            await self._engine.resident(address)
        except NotFoundError:
            pass
        else:
            raise AlreadyExistsError(
                f"Run {address.run_id} of workflow {address.workflow_id!r} is here already.", address.run_id
            )
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._engine.starts.bring_in(address, events, partial(_settle, future))
        return await future

    async def _refuse_taken(self, address: RunAddress) -> None:
        try:
            taken = await self._engine.resident(address)
        except NotFoundError:
            return
        if taken.run.close is None:
            raise AlreadyExistsError(
                f"Workflow {address.workflow_id!r} is running as {taken.run.run_id}. Choose another id, or wait until that has ended.",
                taken.run.run_id,
            )

    async def _terminate(self, resident: Resident, reason: str) -> None:
        run = resident.run
        await self._request(RunAddress(run.namespace, run.workflow_id, run.run_id), TerminateWorkflow(reason))

    async def _check(self, resident: Resident, request: ForkWorkflow) -> None:
        """Refuse before anything is terminated."""
        refusal = self._engine.starts.refuse_fork(resident.run.namespace, await self._with_history(resident, request))
        if refusal is not None:
            raise error_of(refusal)

    async def _with_history(self, resident: Resident, request: ForkWorkflow) -> ForkWorkflow:
        await durable(self._engine.pipeline, resident)
        stored = await self._store.history(resident.key)
        if stored is None:
            raise NotFoundError(f"Run {resident.run.run_id} was deleted.")
        records = tuple(await whole_records(self._store, stored.commits))
        return msgspec.structs.replace(request, records=records)

    async def _fork(self, resident: Resident, request: ForkWorkflow) -> str:
        request = await self._with_history(resident, request)
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._engine.starts.fork(resident.run.namespace, request, partial(_settle, future))
        return await future


def _settle(future: asyncio.Future[str], outcome: str | Rejection | PerdureError) -> None:
    if future.done():
        return
    if isinstance(outcome, str):
        future.set_result(outcome)
    else:
        future.set_exception(error_of(outcome))
