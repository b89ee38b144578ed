"""Messages to a run: signals, updates and queries, and whoever handles them.

Handlers come from the workflow's class, or are set by its code. A signal that nobody handles waits here until it is
received. Made when the first message comes or the first handler is set, since most runs have neither.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from inspect import isawaitable
from typing import Any

import msgspec

from perdure.model import commands as c
from perdure.model import events as e
from perdure.model.errors import InvalidArgumentError
from perdure.model.explanation import PROGRAM_VIEW_QUERY
from perdure.model.payloads import Payload, Payloads
from perdure.sdk.closing import continuation, is_failure
from perdure.sdk.failures import to_failure
from perdure.sdk.handlers import HandlerDefinition
from perdure.sdk.run import IN_VALIDATOR, Run, log
from perdure.sdk.signatures import Signature
from perdure.sdk.stacks import STACK_TRACE_QUERY, program_view, stack_traces


class Mailbox:
    """The messages of one run. ``open_names`` counts the handlers that are queued or at work, by name."""

    __slots__ = ("buffered", "open_count", "open_names", "queries", "run", "signals", "updates", "waiters")

    def __init__(self, run: Run) -> None:
        self.run = run
        definition = run.definition
        self.signals = dict(definition.signals)
        self.queries = dict(definition.queries)
        self.updates = dict(definition.updates)
        self.buffered: dict[str, deque[Payloads]] = {}
        self.waiters: dict[str, deque[asyncio.Future[None]]] = {}
        self.open_count = 0
        self.open_names: dict[str, int] = {}

    # --- signals

    def deliver(self, event: e.WorkflowExecutionSignaled) -> None:
        """A signal has come. It is handled in this turn, after all that came before it."""
        handler = self.signals.get(event.signal_name)
        if handler is None:
            self._buffer(event.signal_name, event.input)
        else:
            self._schedule(handler, event.input)

    def _buffer(self, name: str, input: Payloads) -> None:
        self.buffered.setdefault(name, deque()).append(input)
        self._wake_receiver(name)

    def _schedule(self, handler: HandlerDefinition, input: Payloads) -> None:
        self._opened(handler.name)
        self.run.loop.call_soon(self._handle_signal, handler, input, context=Context())

    def _handle_signal(self, handler: HandlerDefinition, input: Payloads) -> None:
        args = self._read(handler.name, handler.signature, input)
        if args is None:
            self._ended(handler.name)
            return
        task = self.run.loop.create_task(self._run_signal(handler, args), name=f"signal {handler.name}")
        task.add_done_callback(self._check_handler)

    async def _run_signal(self, handler: HandlerDefinition, args: Sequence[Any]) -> None:
        try:
            result = self.bound(handler)(*args)
            if isawaitable(result):
                await result
        finally:
            self._ended(handler.name)

    def _read(self, name: str, signature: Signature, input: Payloads) -> Sequence[Any] | None:
        """A signal's arguments; None when they make no sense. The sender is gone, so only the log is told."""
        converter = self.run.converter
        try:
            return signature.bind(converter.from_payloads(input, signature.parameter_types), {})
        except (InvalidArgumentError, TypeError) as error:
            if converter.codecs:
                # What a codec cannot read today it may read tomorrow, with another key. Then this fails the turn.
                converter.from_payloads(input)
            if not self.run.is_replaying:
                log.warning(
                    "signal %r to workflow %s was dropped: %s",
                    name,
                    self.run.address.workflow_id,
                    error,
                    extra=self.run.log_fields,
                )
            return None

    async def receive(self, name: str, type_hint: Any) -> Any:
        """The next signal of that name that can be read: its first argument."""
        signature = Signature.optional(name, type_hint)
        while True:
            buffered = self.buffered.get(name)
            if buffered:
                values = self._read(name, signature, buffered.popleft())
                if values is not None:
                    return values[0] if values else None
                continue
            waiter = self.run.loop.create_future()
            self.waiters.setdefault(name, deque()).append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                # Woken up and cancelled at once: the signal is still there, so the next one in the queue must know.
                if waiter.done() and not waiter.cancelled() and self.buffered.get(name):
                    self._wake_receiver(name)
                raise

    def _wake_receiver(self, name: str) -> None:
        waiters = self.waiters.get(name)
        while waiters:
            waiter = waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def set_signal_handler(self, name: str, handler: HandlerDefinition | None) -> None:
        """Handle a signal from now on, and those that wait already; None lets them wait again."""
        if handler is None:
            self.signals.pop(name, None)
            return
        self.signals[name] = handler
        for input in self.buffered.pop(name, ()):
            self._schedule(handler, input)

    # --- updates

    def validate(self, name: str, input: Payloads) -> tuple[HandlerDefinition, Sequence[Any]]:
        """The handler and the arguments of an update, if it may be accepted. Raises why not."""
        handler, args = self.open_update(name, input)
        if handler.validator is not None:
            run = self.run
            run.barred = IN_VALIDATOR
            try:
                if handler.is_method:
                    handler.validator(run.instance, *args)
                else:
                    handler.validator(*args)
            finally:
                run.barred = ""
        return handler, args

    def open_update(self, name: str, input: Payloads) -> tuple[HandlerDefinition, Sequence[Any]]:
        """The handler and the arguments of an update, without asking its validator."""
        handler = self.updates.get(name)
        if handler is None:
            known = ", ".join(sorted(self.updates)) or "none"
            raise InvalidArgumentError(f"workflow {self.run.definition.name!r} has no update {name!r}; it has: {known}")
        args = handler.signature.bind(self.run.converter.from_payloads(input, handler.parameter_types), {})
        return handler, args

    def accept(self, update_id: str, handler: HandlerDefinition, args: Sequence[Any]) -> None:
        """Carry out an update."""
        self.run.add(c.AcceptUpdate(update_id))
        self._opened(handler.name)
        task = self.run.loop.create_task(
            self._run_update(update_id, handler, args), name=f"update {handler.name}", context=Context()
        )
        task.add_done_callback(self._check_handler)

    async def _run_update(self, update_id: str, handler: HandlerDefinition, args: Sequence[Any]) -> None:
        run = self.run
        try:
            result = self.bound(handler)(*args)
            if isawaitable(result):
                result = await result
            outcome = c.CompleteUpdate(update_id, (run.converter.to_payload(result),) if result is not None else ())
        except asyncio.CancelledError as error:
            outcome = c.CompleteUpdate(update_id, failure=to_failure(error, run.converter))
        except Exception as error:
            if not is_failure(error, self.run.failure_types):
                raise
            outcome = c.CompleteUpdate(update_id, failure=to_failure(error, run.converter))
        finally:
            self._ended(handler.name)
        run.add(outcome)

    # --- queries

    def answer(self, name: str, input: Payloads) -> Payload:
        """The answer to a query. Raises what the handler raises."""
        if name == STACK_TRACE_QUERY:
            return self.run.converter.to_payload(stack_traces(self.run))
        if name == PROGRAM_VIEW_QUERY:
            # Not through the converter: the engine reads it, and it has names and places only, no values.
            return Payload(msgspec.json.encode(program_view(self.run, self)))
        handler = self.queries.get(name)
        if handler is None:
            known = ", ".join(sorted(self.queries)) or "none"
            raise InvalidArgumentError(f"workflow {self.run.definition.name!r} has no query {name!r}; it has: {known}")
        args = handler.signature.bind(self.run.converter.from_payloads(input, handler.parameter_types), {})
        return self.run.converter.to_payload(self.bound(handler)(*args))

    # --- what handlers share

    def bound(self, handler: HandlerDefinition) -> Callable[..., Awaitable[Any] | Any]:
        """The handler as it is called."""
        if handler.is_method:
            bound: Callable[..., Any] = handler.fn.__get__(self.run.instance)
            return bound
        return handler.fn

    def _opened(self, name: str) -> None:
        self.open_count += 1
        self.open_names[name] = self.open_names.get(name, 0) + 1

    def _ended(self, name: str) -> None:
        self.open_count -= 1
        left = self.open_names[name] - 1
        if left:
            self.open_names[name] = left
        else:
            del self.open_names[name]

    def _check_handler(self, task: asyncio.Task[None]) -> None:
        """See how a handler ended. A failure ends the run; a bug ends the turn, by coming out of the loop here."""
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            return
        if continuation(error) is None and not is_failure(error, self.run.failure_types):
            raise error
        if self.run.outcome is None:
            self.run.outcome = error


def mailbox_of(run: Run) -> Mailbox:
    """The mailbox of a run, made when it is first needed."""
    if run.mailbox is None:
        run.mailbox = Mailbox(run)
    return run.mailbox
