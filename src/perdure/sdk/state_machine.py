"""A workflow as states and transitions: declared in one place, checked when declared, listed, drawn, and walked.

``StateMachine`` is the declaration. It knows no run, so it can stand on a module and be drawn by a page. ``Walk`` is one
run's way through it; it uses nothing but signals, updates and timers, so a replay takes the same way.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from perdure.model.errors import ApplicationError, InvalidArgumentError
from perdure.sdk.durations import Duration, to_seconds
from perdure.sdk.facts import logger, now
from perdure.sdk.listening import set_signal_handler, set_update_handler
from perdure.sdk.mailbox import mailbox_of
from perdure.sdk.run import require_run
from perdure.sdk.state_diagram import diagram_of, name_of
from perdure.sdk.waiting import wait_condition

S = TypeVar("S", bound=Hashable)


@dataclass(frozen=True)
class Transition(Generic[S]):
    """A way from one state to another.

    Attributes:
        source: the state it leaves.
        target: the state it leads to; may be the same.
        signal: it is taken when this signal comes.
        update: it is taken when this update comes; the caller gets the name of the new state.
        after: it is taken this long after the state was entered; a timedelta or seconds.
        guard: whether it may be taken, asked with the walk's context and the arguments of the signal or update. A
            transition with neither signal, update nor ``after`` is taken as soon as its guard says so, and at once
            without one.
    """

    source: S
    target: S
    signal: str = ""
    update: str = ""
    after: Duration | None = None
    guard: Callable[..., bool] | None = None

    @property
    def message(self) -> str:
        """The signal or update that it waits for, if any."""
        return self.signal or self.update

    def __str__(self) -> str:
        return f"{name_of(self.source)} -> {name_of(self.target)}"


class StateMachine(Generic[S]):
    """States and the transitions between them. States are strings or members of an enum.

    Args:
        initial: where each walk begins.
        transitions: in the order in which they are tried, where several could be taken.
        final: where a walk ends.

    Attributes:
        states: all of them, ``initial`` first.
        transitions: all of them.

    Raises:
        InvalidArgumentError: a state is unknown, can't be reached or can't be left; a transition is there twice, has two
            triggers, or could never be taken.
    """

    def __init__(self, initial: S, transitions: Sequence[Transition[S]], *, final: Collection[S]) -> None:
        self.initial = initial
        self.final = tuple(final)
        self.transitions = tuple(transitions)
        sources = [transition.source for transition in self.transitions]
        self.states: tuple[S, ...] = tuple(dict.fromkeys([initial, *sources, *self.final]))
        _check(self)

    def leaving(self, state: S) -> Sequence[Transition[S]]:
        """The transitions from a state."""
        return [transition for transition in self.transitions if transition.source == state]

    def draw(self) -> str:
        """The machine as a Mermaid state diagram."""
        return diagram_of(self)

    def walk(self, context: Any = None, state: S | None = None) -> "Walk[S]":
        """Begin a walk, in a workflow.

        Args:
            context: what guards are asked with; the workflow object, say.
            state: where it begins, after ``continue_as_new``; the initial state without it.

        Raises:
            InvalidArgumentError: there is no such state.
        """
        if state is not None and state not in self.states:
            known = ", ".join(repr(name_of(one)) for one in self.states)
            raise InvalidArgumentError(f"walk(state={name_of(state)!r}): there is no such state. Known are {known}")
        return Walk(self, context, self.initial if state is None else state)


@dataclass
class _Message:
    name: str
    args: tuple[Any, ...]
    answer: asyncio.Future[Any]


class Walk(Generic[S]):
    """A run's way through a machine: ``async for state in walk:`` gives each state as it is entered, to do there what
    has to be done; then a transition is waited for. It ends after a final state.

    Signals and updates that the machine names are listened to, unless the workflow has handlers of its own for them,
    which then call ``fire``. A message that no transition of the present state takes is refused: an update fails, and
    says what would be possible; a signal is dropped with a warning. While the body of the loop is busy messages wait.

    Attributes:
        state: the present one.
        entered: when it was entered, in UTC.
        args: the arguments of the signal or update that led here.
    """

    def __init__(self, machine: StateMachine[S], context: Any, state: S) -> None:
        self.machine = machine
        self.state = state
        self.entered: datetime = now()
        self.args: tuple[Any, ...] = ()
        self._context = context
        self._has_begun = False
        self._messages: deque[_Message] = deque()
        self._listen()

    @property
    def is_over(self) -> bool:
        """Whether the state is final."""
        return self.state in self.machine.final

    @property
    def possible(self) -> Sequence[str]:
        """The signals and updates that the present state has transitions for."""
        return list(dict.fromkeys(way.message for way in self.machine.leaving(self.state) if way.message))

    def check(self, message: str, *args: Any) -> None:
        """Raise ``ApplicationError`` if no transition of the present state takes the message; for validators."""
        if self._way_for(message, args) is None:
            raise ApplicationError(self._refusal(message), type="NoTransition", non_retryable=True)

    def fire(self, message: str, *args: Any) -> "asyncio.Future[S]":
        """Hand in a message; for handlers of the workflow's own.

        Returns:
            What to await for the new state. It raises ``ApplicationError`` if no transition takes the message.
        """
        answer: asyncio.Future[S] = asyncio.get_running_loop().create_future()
        self._messages.append(_Message(message, args, answer))
        if self.is_over:
            self._refuse_all()
        return answer

    def __aiter__(self) -> "Walk[S]":
        return self

    async def __anext__(self) -> S:
        if not self._has_begun:
            self._has_begun = True
            return self.state
        if self.is_over:
            raise StopAsyncIteration
        await self._move()
        if self.is_over:
            self._refuse_all()
        return self.state

    # --- moving

    async def _move(self) -> None:
        """Wait for the first transition that can be taken, and take it."""
        timed = sorted(
            (way for way in self.machine.leaving(self.state) if way.after is not None),
            key=lambda way: to_seconds(way.after or 0),
        )
        while True:
            way = self._open_way()
            if way is not None:
                self._take(way, ())
                return
            while self._messages:
                message = self._messages.popleft()
                way = self._way_for(message.name, message.args)
                if way is not None:
                    self._take(way, message.args)
                    if not message.answer.done():
                        message.answer.set_result(self.state)
                    return
                self._refuse(message)
            if timed and now() >= self._due(timed[0]):
                way = timed.pop(0)
                if self._allows(way, ()):
                    self._take(way, ())
                    return
                continue
            left = self._due(timed[0]) - now() if timed else None
            try:
                await wait_condition(lambda: self._messages or self._open_way() is not None, timeout=left)
            except TimeoutError:
                pass

    def _take(self, way: Transition[S], args: tuple[Any, ...]) -> None:
        self.state, self.args, self.entered = way.target, args, now()

    def _due(self, way: Transition[S]) -> datetime:
        return self.entered + timedelta(seconds=to_seconds(way.after or 0))

    def _open_way(self) -> Transition[S] | None:
        """A transition that waits for nothing but its guard, and has it."""
        for way in self.machine.leaving(self.state):
            if not way.message and way.after is None and self._allows(way, ()):
                return way
        return None

    def _way_for(self, message: str, args: tuple[Any, ...]) -> Transition[S] | None:
        for way in self.machine.leaving(self.state):
            if message and way.message == message and self._allows(way, args):
                return way
        return None

    def _allows(self, way: Transition[S], args: tuple[Any, ...]) -> bool:
        return way.guard is None or bool(way.guard(self._context, *args))

    # --- refusing

    def _refusal(self, message: str) -> str:
        possible = ", ".join(repr(name) for name in self.possible) or "nothing"
        guarded = message in self.possible
        why = "its guard says no" if guarded else f"possible is {possible}"
        return f"{message!r} is not possible in state {name_of(self.state)!r}: {why}"

    def _refuse(self, message: _Message) -> None:
        refusal = self._refusal(message.name)
        if not message.answer.done():
            message.answer.set_exception(ApplicationError(refusal, type="NoTransition", non_retryable=True))
            # A signal's sender does not ask.
            message.answer.exception()
        logger.warning("%s, so it was dropped", refusal)

    def _refuse_all(self) -> None:
        while self._messages:
            self._refuse(self._messages.popleft())

    # --- listening

    def _listen(self) -> None:
        mailbox = mailbox_of(require_run())
        for signal in dict.fromkeys(way.signal for way in self.machine.transitions if way.signal):
            if signal not in mailbox.signals:
                set_signal_handler(signal, self._signal_handler(signal))
        for update in dict.fromkeys(way.update for way in self.machine.transitions if way.update):
            if update not in mailbox.updates:
                set_update_handler(update, self._update_handler(update), validator=self._validator(update))

    def _signal_handler(self, name: str) -> Callable[..., None]:
        def handle(*args: Any) -> None:
            self.fire(name, *args)

        return handle

    def _update_handler(self, name: str) -> Callable[..., Any]:
        async def handle(*args: Any) -> str:
            return name_of(await self.fire(name, *args))

        return handle

    def _validator(self, name: str) -> Callable[..., None]:
        def validate(*args: Any) -> None:
            # Behind other messages its turn comes in another state, perhaps.
            if not self._messages:
                self.check(name, *args)

        return validate


# --- what a machine must be


def _check(machine: StateMachine[Any]) -> None:
    known = ", ".join(repr(name_of(state)) for state in machine.states)
    if not machine.transitions:
        raise InvalidArgumentError("a state machine needs transitions")
    seen: dict[tuple[Any, ...], Transition[Any]] = {}
    for way in machine.transitions:
        if way.target not in machine.states:
            raise InvalidArgumentError(
                f"transition {way} leads to an unknown state {name_of(way.target)!r}: no transition leaves it, and it is "
                f"not final. Known are {known}"
            )
        if way.source in machine.final:
            raise InvalidArgumentError(f"transition {way} leaves {name_of(way.source)!r}, which is final")
        if bool(way.signal) + bool(way.update) + (way.after is not None) > 1:
            raise InvalidArgumentError(f"transition {way} may have one of signal, update and after, not several")
        trigger = (way.source, way.message or None if way.after is None else to_seconds(way.after))
        before = seen.get(trigger)
        if before is not None and before.guard is None:
            raise InvalidArgumentError(
                f"transition {way} could never be taken: {before} has the same trigger, comes first and has no guard"
            )
        if before is not None and (before.guard, before.target) == (way.guard, way.target):
            raise InvalidArgumentError(f"transition {way} is there twice")
        seen[trigger] = way
    reached, rest = {machine.initial}, [machine.initial]
    while rest:
        targets = {way.target for way in machine.leaving(rest.pop())} - reached
        reached |= targets
        rest += targets
    unreachable = [name_of(state) for state in machine.states if state not in reached]
    if unreachable:
        raise InvalidArgumentError(f"no transition leads to {', '.join(map(repr, unreachable))}. Known are {known}")
