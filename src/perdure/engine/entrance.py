"""What is taken in: a quota, or a limit on what waits, may refuse what clients ask for before it costs anything."""

# Else the annotations of inner functions would be worked out each time that the outer one is called.
from __future__ import annotations

import asyncio
from typing import Any

from perdure.engine.engine import Engine, Started
from perdure.engine.namespaces import Namespaces
from perdure.engine.refusals import refusal, rejection_of
from perdure.kernel.commit import Rejection
from perdure.model import service as s
from perdure.model.errors import LimitExceededError, PerdureError
from perdure.model.requests import Request, StartWorkflow


class Entrance:
    """Lets requests in to an engine, or says why not."""

    def __init__(self, engine: Engine, namespaces: Namespaces) -> None:
        self._engine = engine
        self._namespaces = namespaces
        self.bounded = namespaces.bounded
        """The namespaces with a quota."""
        self._entering: set[asyncio.Task[None]] = set()

    def start(self, namespace: str, request: StartWorkflow, done: Started) -> None:
        """Start what a client asks for, if it is taken in."""
        engine = self._engine
        refused = refusal(request, engine.limits)
        if refused is None and engine.backlog.waiting:
            refused = self._too_many_wait(namespace, request)
        if refused is not None:
            done(refused)
        elif self.bounded and namespace in self.bounded:
            self._enter(namespace, request, done)
        else:
            engine.starts.start(namespace, request, done)

    def start_detached(self, namespace: str, request: StartWorkflow, started: Started) -> None:
        """Start what a workflow asks for that is not to be its child, under the rules that hold for clients. What may
        be tried again comes back as an error, all else as a rejection."""

        def done(outcome: s.StartResult | Rejection | PerdureError) -> None:
            started(rejection_of(outcome) if isinstance(outcome, PerdureError) else outcome)

        refused = refusal(request, self._engine.limits)
        if refused is not None:
            done(refused)
        elif namespace in self.bounded:
            self._enter(namespace, request, done)
        else:
            self._engine.starts.start(namespace, request, started)

    def _enter(self, namespace: str, request: StartWorkflow, started: Started) -> None:
        """Start in a namespace with a quota, if there is room."""
        refused = self._namespaces.refuse(namespace, request)
        if refused is not None:
            started(refused)
            return

        async def enter() -> None:
            try:
                usage = await self._namespaces.enter(namespace, request.workflow_id, request.id_conflict)
            except PerdureError as error:
                started(error)
                return

            def answered(outcome: s.StartResult | Rejection | PerdureError) -> None:
                self._namespaces.entered(usage)
                started(outcome)

            self._engine.starts.start(namespace, request, answered)

        task = asyncio.get_running_loop().create_task(enter())
        self._entering.add(task)
        task.add_done_callback(self._entering.discard)

    def check_quota(self, namespace: str, request: Request | None) -> None:
        """Raise if a namespace's quota does not allow a request; None for one without payloads that count."""
        if request is not None:
            refused = self._namespaces.refuse(namespace, request)
        else:
            refused = self._namespaces.refuse_rate(namespace, is_start=False)
        if refused is not None:
            raise refused

    def refuse(self, future: asyncio.Future[Any], request: Request) -> bool:
        """Settle the future with an error if the request is not taken in."""
        error = refusal(request, self._engine.limits)
        if error is not None:
            future.set_exception(error)
        return error is not None

    def refuse_waiting(self, future: asyncio.Future[Any], consequence: str = "so you can't wait too") -> bool:
        """Settle the future with an error if too many callers wait already."""
        waiting, limit = self._engine.waiting, self._engine.limits.waiting_callers
        if not 0 < limit <= waiting.count or not waiting.is_full(limit):
            return False
        future.set_exception(
            LimitExceededError(
                f"{waiting.count:,} callers wait for runs already (limit waiting_callers), {consequence}. Try again later; or "
                "start without waiting, and ask for the result when there should be one."
            )
        )
        return True

    def _too_many_wait(self, namespace: str, request: StartWorkflow) -> LimitExceededError | None:
        """Why a start is refused when too much waits in the run's task queue already. Nothing is lost by that: what is
        under way goes on, and the caller knows that nothing was started."""
        line = self._engine.backlog.waiting.get((namespace, request.task_queue))
        limit = self._engine.limits.queue_depth
        if line is None or not 0 < limit <= line.count:
            return None
        return LimitExceededError(
            f"{line.count:,} activities wait in task queue {request.task_queue!r} (limit queue_depth), so nothing was "
            "started. Try again later; perdure queue show says what holds them."
        )
