"""What a client gives back for a run: ``Run``."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Generic, ParamSpec, TypeVar, overload

from perdure.model.errors import InvalidArgumentError, RunClosedError
from perdure.model.events import Event
from perdure.model.ids import RunAddress
from perdure.model.payloads import Payloads
from perdure.model.requests import (
    CancelWorkflow,
    OutsideRequest,
    PauseWorkflow,
    ResumeWorkflow,
    SignalWorkflow,
    TerminateWorkflow,
    UpdateWorkflow,
    UpdateWorkflowOptions,
)
from perdure.model.service import Service, UpdateOutcome, UpdateStage
from perdure.sdk.choices import choose
from perdure.sdk.converter import Converter
from perdure.sdk.descriptions import HistoryEvent, RunDetails
from perdure.sdk.durations import Duration, to_seconds
from perdure.sdk.explanations import RunExplanation
from perdure.sdk.handlers import QueryHandler, SignalHandler, UpdateHandler
from perdure.sdk.names import checked_name, checked_text
from perdure.sdk.pending import PendingActivities
from perdure.sdk.random_ids import new_id
from perdure.sdk.references import resolve
from perdure.sdk.replay import History
from perdure.sdk.results import result_of
from perdure.sdk.updates import STAGES, UpdateHandle, UpdateWait

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)

HISTORY_PAGE = 1000


class Run(Generic[R_co]):
    """One run of a workflow, as a client holds it.

    A run may end by going on in another one: it continues as new, or is tried again. ``result`` follows it there, and
    so do the messages: ``signal``, ``update``, ``cancel``, ``terminate``, ``pause``, ``resume``, ``pin`` and ``unpin``; ``query`` asks
    the workflow id's current run. ``describe``, ``explain``, ``history``, ``reset``, ``fork`` and ``delete`` are about
    this very run. A handle made for an exact run, by ``client.get(id, run_id)``, never leaves it.

    Attributes:
        id: the workflow id.
        run_id: this run; empty on a handle for whatever run is current.
        is_new: false when the start led to a run that was there already.
    """

    __slots__ = (
        "_converter",
        "_current",
        "_identity",
        "_is_exact",
        "_return_type",
        "_service",
        "id",
        "is_new",
        "namespace",
        "run_id",
    )

    def __init__(
        self,
        service: Service,
        converter: Converter,
        identity: str,
        namespace: str,
        id: str,
        run_id: str,
        return_type: Any = None,
        is_new: bool = False,
        is_exact: bool = False,
    ) -> None:
        self._service = service
        self._converter = converter
        self._identity = identity
        self.namespace = namespace
        self.id = id
        self.run_id = run_id
        self.is_new = is_new
        self._return_type = return_type
        self._is_exact = is_exact
        self._current = run_id

    def __repr__(self) -> str:
        return f"<run {self.run_id or '(current)'} of workflow {self.id!r}>"

    # --- its end

    async def result(self, timeout: Duration | None = None) -> R_co:
        """Wait until the workflow completes, and return its result.

        Args:
            timeout: the longest wait; a timedelta or seconds, None for no limit. The run goes on afterwards.

        Raises:
            WorkflowFailedError: it ended in another way. ``status`` says how, ``__cause__`` says why.
            TimeoutError: the builtin one: the wait took too long.
            NotFoundError: there is no such run.
        """
        address = RunAddress(self.namespace, self.id, self._current)
        if timeout is None:
            run_id, event = await self._service.wait_closed(address, follow=True)
        else:
            async with asyncio.timeout(to_seconds(timeout)):
                run_id, event = await self._service.wait_closed(address, follow=True)
        return result_of(self.id, run_id, event, self._return_type, self._converter)  # type: ignore[no-any-return]

    # --- messages

    @overload
    async def signal(self, ref: SignalHandler[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> None: ...
    @overload
    async def signal(self, ref: str, /, *args: Any) -> None: ...
    @overload
    async def signal(self, ref: SignalHandler[..., Any] | str, /, *args: Any, request_id: str) -> None: ...
    async def signal(self, ref: Any, /, *args: Any, **kwargs: Any) -> None:
        """Send a signal; return once it is recorded.

        Args:
            ref: the handler, such as ``Loan.decide``, or the signal's name.
            args: what the handler takes.
            request_id: makes it safe to send again: a run takes each id once. Made up if not given.

        Raises:
            RunClosedError: the workflow has ended.
            NotFoundError: there is no such run.
            InvalidArgumentError: an argument cannot become a payload; nothing was sent.
        """
        request_id = checked_text("request_id", kwargs.pop("request_id", ""))
        name, arguments, _ = resolve(ref, args, kwargs, "signal")
        payloads = self._converter.to_payloads(arguments)
        await self._send(SignalWorkflow(name, payloads, None, request_id or new_id(), self._identity))

    @overload
    async def query(self, ref: QueryHandler[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...
    @overload
    async def query(self, ref: str, /, *args: Any) -> Any: ...
    async def query(self, ref: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Ask the workflow for something, open or closed, without changing it.

        Args:
            ref: the handler, such as ``Loan.status``, or the query's name.
            args: what the handler takes.

        Raises:
            QueryFailedError: the handler raised, or there is none of that name.
            NotFoundError: there is no such run.
        """
        name, arguments, return_type = resolve(ref, args, kwargs, "query")
        address = RunAddress(self.namespace, self.id, self.run_id if self._is_exact else "")
        answer = await self._service.query(address, name, self._converter.to_payloads(arguments))
        return self._converter.from_payload(answer[0], return_type) if answer else None

    @overload
    async def update(self, ref: UpdateHandler[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...
    @overload
    async def update(self, ref: str, /, *args: Any) -> Any: ...
    @overload
    async def update(self, ref: UpdateHandler[..., T], /, *args: Any, id: str) -> T: ...
    @overload
    async def update(self, ref: str, /, *args: Any, id: str) -> Any: ...
    async def update(self, ref: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Ask the workflow for a change, and wait for its answer.

        Args:
            ref: the handler, such as ``Loan.add_document``, or the update's name.
            args: what the handler takes.
            id: unique in the run; the same id again gives the answer of the first. Made up if not given.

        Raises:
            UpdateFailedError: the validator refused it, or the handler failed. ``__cause__`` says why.
            RunClosedError: the workflow has ended.
            NotFoundError: there is no such run.
        """
        id = kwargs.pop("id", "")
        handle = await self._start_update(ref, args, kwargs, UpdateStage.COMPLETED, id)
        return await handle.result()

    @overload
    async def start_update(self, ref: UpdateHandler[P, T], /, *args: P.args, **kwargs: P.kwargs) -> UpdateHandle[T]: ...
    @overload
    async def start_update(
        self, ref: UpdateHandler[..., T], /, *args: Any, wait: UpdateWait = "accepted", id: str = ""
    ) -> UpdateHandle[T]: ...
    @overload
    async def start_update(
        self, ref: str, /, *args: Any, wait: UpdateWait = "accepted", id: str = ""
    ) -> UpdateHandle[Any]: ...
    async def start_update(self, ref: Any, /, *args: Any, **kwargs: Any) -> UpdateHandle[Any]:
        """Ask the workflow for a change, and wait only until it is "admitted", "accepted" or "completed".

        Returns:
            A handle whose ``result`` waits for the answer.
        """
        wait, id = kwargs.pop("wait", "accepted"), kwargs.pop("id", "")
        return await self._start_update(ref, args, kwargs, choose("wait", STAGES, wait), id)

    async def _start_update(
        self, ref: Any, args: Sequence[Any], kwargs: dict[str, Any], stage: UpdateStage, id: str
    ) -> UpdateHandle[Any]:
        name, arguments, return_type = resolve(ref, args, kwargs, "update")
        payloads: Payloads = self._converter.to_payloads(arguments)
        request = UpdateWorkflow(checked_text("id", id) or new_id(), name, payloads, None, self._identity)
        handle: UpdateHandle[Any] = UpdateHandle(self, request, return_type)
        await handle.wait(stage)
        return handle

    # --- control

    async def cancel(self, reason: str = "") -> None:
        """Ask the workflow to stop: ``asyncio.CancelledError`` is raised in it, and it may clean up first."""
        await self._send(CancelWorkflow(checked_text("reason", reason), new_id(), self._identity))

    async def terminate(self, reason: str = "") -> None:
        """Close the run at once. Its code is not asked, and nothing is cleaned up."""
        await self._send(TerminateWorkflow(checked_text("reason", reason), (), self._identity))

    async def pause(self, reason: str = "") -> None:
        """Let no turn and no activity start until ``resume``; what runs already may finish."""
        await self._send(PauseWorkflow(checked_text("reason", reason), self._identity, new_id()))

    async def resume(self, reason: str = "") -> None:
        """Go on after ``pause``."""
        await self._send(ResumeWorkflow(checked_text("reason", reason), self._identity, new_id()))

    async def pin(self, build_id: str) -> None:
        """Let only workers of this build of the code take the workflow's turns; a pinned one is moved to it.

        What goes on in the run's place and children that it starts on its own task queue are pinned as well. A failed
        turn is tried again at once. Activities run anywhere.

        Args:
            build_id: an app's ``build_id``.
        """
        if not build_id:
            raise InvalidArgumentError("A build id is not empty. To let any worker take the run's turns, unpin it.")
        await self._send(UpdateWorkflowOptions(checked_name("build_id", build_id), self._identity, new_id()))

    async def unpin(self) -> None:
        """Let workers of any build take the workflow's turns again."""
        await self._send(UpdateWorkflowOptions("", self._identity, new_id()))

    def activities(self, id: str = "", *, type: str = "") -> PendingActivities:
        """Activities that have not ended, to pause, unpause, reset or change them.

        Args:
            id: of one, as ``describe`` shows it.
            type: all of this type. Without both, all that the run has.
        """
        return PendingActivities(self._send, self._identity, id, type)

    async def reset(self, event_id: int, reason: str = "") -> "Run[R_co]":
        """Go back: start the workflow again from a copy of this run's history, up to the turn that ``event_id`` is in.

        This run is terminated if it is open. Signals and updates that came after the event are delivered again; a
        request to cancel is not.

        Returns:
            The new run, which has the same workflow id.
        """
        _check_event_id(event_id)
        checked_text("reason", reason)
        run_id = await self._service.reset(self._exact(), event_id=event_id, reason=reason, request_id=new_id())
        return self._sibling(self.id, run_id)

    async def fork(self, event_id: int, *, id: str, args: Sequence[Any] | None = None, reason: str = "") -> "Run[R_co]":
        """Start another workflow from a copy of this run's history, up to the turn that ``event_id`` is in.

        Args:
            event_id: an event of this run.
            id: the new workflow id.
            args: arguments in place of this run's; None keeps them.
            reason: why, for the history.

        Returns:
            The new run. This one is not touched.
        """
        _check_event_id(event_id)
        checked_name("id", id)
        checked_text("reason", reason)
        run_id = await self._service.fork(
            self._exact(),
            event_id=event_id,
            workflow_id=id,
            input=None if args is None else self._converter.to_payloads(args),
            reason=reason,
            request_id=new_id(),
        )
        return self._sibling(id, run_id)

    async def delete(self) -> None:
        """Remove the run and its history for good. An open run is terminated first."""
        await self._service.delete(self._exact())

    # --- what is known of it

    async def describe(self) -> RunDetails:
        """Where the run stands and what it waits for."""
        return RunDetails(await self._service.describe(self._exact()), self._converter)

    async def explain(self) -> RunExplanation:
        """Why the run is not moving: what it waits for, since when, and who or what can end the wait. Print it."""
        return RunExplanation(await self._service.explain(self._exact()), self._converter)

    async def history(self, *, follow: bool = False) -> AsyncIterator[HistoryEvent]:
        """The run's events, oldest first.

        Args:
            follow: also wait for those to come, until the run is closed.
        """
        address, after = self._exact(), 0
        while True:
            page = await self._service.history(address, after=after, limit=HISTORY_PAGE, wait=follow)
            for event in page.events:
                yield HistoryEvent(event, self._converter)
            if page.is_closed or not (page.events or follow):
                return
            if page.events:
                after = page.events[-1].id
            # The current run may become another one between two pages.
            address = RunAddress(self.namespace, self.id, page.run_id)

    async def fetch_history(self) -> History:
        """The whole history so far, to keep or to replay."""
        events: list[Event] = []
        address = self._exact()
        while True:
            page = await self._service.history(
                address, after=events[-1].id if events else 0, limit=HISTORY_PAGE, wait=False
            )
            events += page.events
            address = RunAddress(self.namespace, self.id, page.run_id)
            if page.is_closed or not page.events:
                return History(self.id, page.run_id, events, namespace=self.namespace)

    # --- inside

    def _exact(self) -> RunAddress:
        return RunAddress(self.namespace, self.id, self.run_id)

    def _sibling(self, id: str, run_id: str) -> "Run[R_co]":
        return Run(
            self._service, self._converter, self._identity, self.namespace, id, run_id, self._return_type, is_new=True
        )

    async def _send(self, request: OutsideRequest) -> None:
        """Deliver a request to this run, or to the one that goes on in its place."""
        while True:
            try:
                await self._service.request(RunAddress(self.namespace, self.id, self._current), request)
                return
            except RunClosedError:
                if not await self._follow():
                    raise

    async def _update(self, request: UpdateWorkflow, stage: UpdateStage) -> UpdateOutcome:
        while True:
            try:
                address = RunAddress(self.namespace, self.id, self._current)
                return await self._service.update(address, request, stage)
            except RunClosedError:
                if not await self._follow():
                    raise

    async def _follow(self) -> bool:
        """Turn to the run that goes on in place of a closed one; whether there is one."""
        if self._is_exact or not self._current:
            return False
        address = RunAddress(self.namespace, self.id, self._current)
        _, closing = await self._service.wait_closed(address, follow=False)
        successor: str = getattr(closing, "new_execution_run_id", "")
        self._current = successor or self._current
        return bool(successor)


def _check_event_id(event_id: object) -> None:
    if not isinstance(event_id, int) or isinstance(event_id, bool):
        raise InvalidArgumentError(f"event_id={event_id!r} must be a whole number: an event of the run's history")
    if not 0 < event_id < 2**63:
        raise InvalidArgumentError(f"event_id={event_id} is none: a run's events count from 1")
