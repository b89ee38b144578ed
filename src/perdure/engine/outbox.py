"""Messages between runs: sent after the commit that decided on them, and again until they have arrived.

A message stays in the store until what came of it is recorded. Every request is safe to receive twice, so a crash
anywhere in between costs a repetition and nothing else.

A start whose workflow id is free needs no message: the new run, and that its starter has heard of it, join the
starter's own transaction. So does what a closing run tells another one in memory; and nobody tells a closed one.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from perdure.kernel.commit import Commit, Message, Reason, Rejection
from perdure.kernel.transition import transition
from perdure.model.errors import PerdureError
from perdure.model.ids import RunAddress
from perdure.model.requests import (
    CancelWorkflow,
    ChildStarted,
    ChildStartFailed,
    ExternalCancelDelivered,
    ExternalSignalDelivered,
    OfferOperation,
    Request,
    SignalWorkflow,
    StartWorkflow,
)
from perdure.model.service import StartResult

if TYPE_CHECKING:
    from perdure.engine.engine import Engine
    from perdure.engine.resident import Resident

log = logging.getLogger("perdure.engine")

AT_ONCE = 8
"""So many runs are started in the transaction that asks for them; a decision that asks for more sends messages."""

decode_message = msgspec.msgpack.Decoder(Message).decode


class Outbox:
    """Delivers the messages of one engine's runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sending = 0
        self._is_at_once = False

    @property
    def under_way(self) -> int:
        """How many messages are on their way."""
        return self._sending

    @property
    def is_sending(self) -> bool:
        """Whether any message is on its way."""
        return self._sending > 0

    def start_at_once(self, resident: Resident, commit: Commit) -> bool:
        """Start the runs that a decision asks for in the same transaction, as far as their ids are free and there are
        not many. Whether any were."""
        # What they start in turn goes as messages, so that no chain of them holds up the loop, and nothing comes back to a
        # run of which a decision is not complete.
        if self._is_at_once or len(commit.messages) > AT_ONCE or commit.run.close is not None:
            return False
        engine, any_started = self._engine, False
        self._is_at_once = True
        try:
            for message in tuple(commit.messages.values()):
                if message is not None and message.request.__class__ is StartWorkflow and message.wants_reply:
                    run_id = engine.starts.at_once(message.target.namespace, message.request)
                    if run_id:
                        resident.is_told |= message.request.completion_callback is not None
                        transition(commit.run, ChildStarted(message.ref, run_id), commit.now, commit.limits, commit)
                        any_started = True
        finally:
            self._is_at_once = False
        return any_started

    def tell_at_once(self, commit: Commit) -> None:
        """A run closes: what it tells runs in memory is decided now, in the same transaction, if it is not much."""
        if self._is_at_once or len(commit.messages) > AT_ONCE:
            return
        engine = self._engine
        residents, parked = engine.residents, engine.loader.parked
        self._is_at_once = True
        try:
            for message in tuple(commit.messages.values()):
                if message is None or message.wants_reply:
                    continue
                address = message.target
                target = residents.find(address.namespace, address.workflow_id, address.run_id)
                if target is None:
                    if not address.run_id and (address.namespace, address.workflow_id) in residents.closed:
                        commit.arrived(message.ref)
                elif target.run is not commit.run and target.run.run_id not in parked:
                    engine.decide(target, message.request, None)
                    if not target.is_lost:
                        commit.arrived(message.ref)
        finally:
            self._is_at_once = False

    def send(self, key: int, source: RunAddress, message: Message) -> None:
        """Deliver a message of the run ``source`` that is in the store."""
        if message.request.__class__ is OfferOperation:
            self._engine.operations.offer(key, source, message)
            return
        self._sending += 1
        self._deliver(key, source, message)

    def _deliver(self, key: int, source: RunAddress, message: Message) -> None:

        def done(outcome: StartResult | Rejection | PerdureError | None) -> None:
            self._sending -= 1
            if isinstance(outcome, PerdureError):
                log.warning("A message to %s waits: %s", message.target, outcome)
                self._engine.after_store_retry(lambda: self.send(key, source, message))
                return
            reply = _reply(message, outcome) if message.wants_reply else None
            if reply is None:
                self._engine.pipeline.forget_message(key, message.ref)
            else:
                self._answer(key, source, message, reply)

        if isinstance(message.request, StartWorkflow):
            start = self._engine.entrance if message.request.parent is None else self._engine.starts.start
            start(message.target.namespace, message.request, done)
        else:
            self._engine.submit(message.target, message.request, done, even_closed=message.wants_reply)

    def _answer(self, key: int, source: RunAddress, message: Message, reply: Request) -> None:
        """Tell the sender what came of it. Recording that also takes the message out of the store."""

        def done(outcome: Rejection | PerdureError | None) -> None:
            if isinstance(outcome, Rejection):
                self._engine.pipeline.forget_message(key, message.ref)
            elif isinstance(outcome, PerdureError) and not self._engine.closing:
                self.send(key, source, message)

        self._engine.submit(source, reply, done)


def _reply(message: Message, outcome: StartResult | Rejection | None) -> Request:
    cause = "" if not isinstance(outcome, Rejection) else _cause(outcome)
    match message.request:
        case StartWorkflow():
            if isinstance(outcome, StartResult):
                return ChildStarted(message.ref, outcome.run_id)
            return ChildStartFailed(message.ref, cause, outcome.message if outcome is not None else "")
        case SignalWorkflow():
            return ExternalSignalDelivered(message.ref, cause)
        case CancelWorkflow():
            return ExternalCancelDelivered(message.ref, cause)
        case other:
            raise TypeError(f"Nobody waits for the answer to {other.__class__.__name__}.")


def _cause(rejection: Rejection) -> str:
    """The names are Temporal's."""
    if rejection.reason in (Reason.NOT_FOUND, Reason.CLOSED):
        return "EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND"
    if rejection.reason is Reason.ALREADY_EXISTS:
        return "WORKFLOW_ALREADY_EXISTS"
    return rejection.reason.name
