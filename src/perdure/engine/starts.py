"""How runs start: anew, or beside the run that their workflow id has already, as a request's policies say."""

# Else the annotations of inner functions would be worked out each time that the outer one is called.
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from perdure.engine.going_on import RESUMABLE, go_on
from perdure.engine.pipeline import Done, Outcome
from perdure.engine.ports import RunRow
from perdure.engine.refusals import refusal
from perdure.engine.resident import Resident
from perdure.kernel import start_policy
from perdure.kernel.bring_in import bring_in
from perdure.kernel.commit import Reason, Rejection
from perdure.kernel.transition import start, start_fork, transition
from perdure.model.errors import PerdureError, StoreError
from perdure.model.events import Event
from perdure.model.ids import RunAddress
from perdure.model.payloads import Payload
from perdure.model.requests import AttachCallbacks, ForkWorkflow, Request, StartWorkflow, TerminateWorkflow
from perdure.model.service import StartResult

if TYPE_CHECKING:
    from perdure.engine.engine import Engine, Started


class Starts:
    """Decides starts, and has the engine hold the runs that come of them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def start(self, namespace: str, request: StartWorkflow, done: Started) -> None:
        """Start a run, or find the one that the request's policies say is the answer."""
        engine = self._engine
        key_before = engine.next_key

        def found(resident: Resident | PerdureError | None) -> None:
            if resident is None and engine.next_key != key_before:
                # Another start of the same id may have begun while the store was asked.
                resident = engine.residents.find(namespace, request.workflow_id, "")
            if request.search_attributes and (
                refused := engine.attributes.problem(namespace, request.search_attributes, engine.limits)
            ):
                done(Rejection(Reason.INVALID, refused))
            elif resident is None:
                self.begin(namespace, request, done, may_wait=True)
            elif isinstance(resident, Resident):
                self._beside(resident, request, done)
            else:
                done(resident)

        engine.loader.find(RunAddress(namespace, request.workflow_id), found)

    def at_once(self, namespace: str, request: StartWorkflow) -> str:
        """Start a run that a workflow asks for, if its workflow id is known to be free and it is let in; its id, empty if it
        was not started."""
        engine, name, is_free = self._engine, request.workflow_id, False
        if request.parent is None and (namespace in engine.guarded or refusal(request, engine.limits) is not None):
            return ""

        def found(row: RunRow | StoreError | None) -> None:
            nonlocal is_free
            is_free = row is None

        if engine.residents.find(namespace, name, "") is None and not (
            request.search_attributes and engine.attributes.problem(namespace, request.search_attributes, engine.limits)
        ):
            engine.store.find(namespace, name, "", found)
        if not is_free:
            return ""
        run_id = engine.make_run_id(engine.clock.now_ns())
        self.begin(namespace, request, None, run_id, is_last=engine.alarms.is_crowd)
        return run_id

    def _beside(self, resident: Resident, request: StartWorkflow, done: Started) -> None:
        """The workflow id has a run: what now is a matter of policy."""
        engine = self._engine
        run = resident.run
        request_id = request.request_id
        is_repeat = bool(request_id) and (
            request_id == run.started.request_id or request_id in run.attached_request_ids
        )
        match start_policy.decide(request, run.status, run.run_id, is_repeat):
            case start_policy.StartNew() if request.goes_on and run.status in RESUMABLE:
                go_on(engine, resident, request, done)
            case start_policy.StartNew():
                self.begin(run.namespace, request, done, may_wait=True)
            case start_policy.TerminateFirst():
                reason = "TerminateIfRunning WorkflowIdReusePolicy"
                new_run_id = engine.make_run_id(engine.clock.now_ns())
                details = (Payload(msgspec.json.encode(f"terminated by new runID: {new_run_id}")),)
                engine.decide(resident, TerminateWorkflow(reason, details, request.identity), None)
                self.begin(run.namespace, request, done, new_run_id)
            case start_policy.UseExisting():
                self._use_existing(resident, request, done)
            case Rejection() as rejection:
                engine.pipeline.when_durable(resident, lambda error: done(error or rejection))

    def _use_existing(self, resident: Resident, request: StartWorkflow, done: Started) -> None:
        engine = self._engine
        result = StartResult(resident.run.run_id, is_new=False)

        def answered(outcome: Outcome) -> None:
            done(result if outcome is None else outcome)

        also: list[Request] = [extra for extra in (request.signal, request.update) if extra is not None]
        if request.completion_callbacks or request.attaches_request_id:
            also.insert(0, AttachCallbacks(request.completion_callbacks, request.request_id, request.identity))
        for extra in also[:-1]:
            engine.decide(resident, extra, None)
        if also:
            engine.decide(resident, also[-1], answered)
        else:
            engine.pipeline.when_durable(resident, answered)

    def begin(
        self,
        namespace: str,
        request: StartWorkflow,
        done: Started | None,
        run_id: str = "",
        *,
        may_wait: bool = False,
        is_last: bool = False,
    ) -> None:
        """Start a run whose workflow id is free."""
        engine = self._engine
        now = engine.clock.now_ns()
        run_id = run_id or engine.make_run_id(now)
        commit = start(namespace, run_id, request, now, engine.limits)
        if request.update is not None:
            transition(commit.run, request.update, now, engine.limits, commit)
        answer = _answer_start(done, StartResult(run_id, is_new=True)) if done is not None else None
        engine.hold(commit, answer, may_wait=may_wait, is_last=is_last)

    def fork(
        self, namespace: str, request: ForkWorkflow, done: Callable[[str | Rejection | PerdureError], None]
    ) -> None:
        """Start a run from a copy of another one's history."""
        engine = self._engine
        now = engine.clock.now_ns()
        run_id = engine.make_run_id(now)
        commit = start_fork(namespace, run_id, request, now, engine.limits)
        if isinstance(commit, Rejection):
            done(commit)
        else:
            engine.hold(commit, lambda outcome: done(run_id if outcome is None else outcome))

    def bring_in(
        self, address: RunAddress, events: Sequence[Event], done: Callable[[str | Rejection | PerdureError], None]
    ) -> None:
        """Begin a run with a history from elsewhere, under the id that it had there."""
        engine = self._engine
        commit = bring_in(address.namespace, address.run_id, events, engine.clock.now_ns(), engine.limits)
        if isinstance(commit, Rejection):
            done(commit)
            return
        run = commit.run
        if run.search_attributes and (
            refused := engine.attributes.problem_of_held(address.namespace, run.search_attributes, engine.limits)
        ):
            done(Rejection(Reason.INVALID, refused))
        else:
            engine.hold(commit, lambda outcome: done(run.run_id if outcome is None else outcome))

    def refuse_fork(self, namespace: str, request: ForkWorkflow) -> Rejection | None:
        """Why a fork could not be started, without starting it."""
        engine = self._engine
        commit = start_fork(namespace, "", request, engine.clock.now_ns(), engine.limits)
        return commit if isinstance(commit, Rejection) else None


def _answer_start(done: Started, result: StartResult) -> Done:
    return lambda outcome: done(result if outcome is None else outcome)
