"""One run as its own code sees it: the commands of this turn, what it waits for, and what it knows about itself.

``program`` feeds events in and takes commands out; ``workflow`` and ``calls`` are what user code calls. Both meet here.

What waits for an answer is *pending*: its command gets an event, whose number the answer will name. So each pending
thing is kept beside its command until that event is known (``awaiting``), and under the event's number from then on
(``pending``).
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from logging import getLogger
from math import inf
from threading import get_ident
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from perdure.model import commands as c
from perdure.model import events as e
from perdure.model.errors import InvalidArgumentError, NotAllowedInWorkflowError
from perdure.model.ids import RunAddress
from perdure.model.log_fields import about_run
from perdure.model.payloads import PayloadMap
from perdure.sdk.converter import Converter
from perdure.sdk.deadlock import stage_of_thread
from perdure.sdk.definitions import WorkflowDefinition
from perdure.sdk.loop import Timer, WorkflowLoop
from perdure.sdk.teardown import drop
from perdure.sdk.turns import ProfileFunction, stages

if TYPE_CHECKING:
    from perdure.sdk.mailbox import Mailbox
    from perdure.sdk.notes import Notes

log = getLogger("perdure.workflow")

UNSENT = 0
OVER = -1

PROGRESS_KEY = "__progress"

# Why a run may be barred from asking for anything.
IN_CONDITION = "in the condition of wait_condition(), which may only look"
IN_VALIDATOR = "in an update's validator, which may only look"
IN_QUERY = "in a query, which may only look"
LEFT_MEMORY = "in a run that has left memory"


class Awaited(Protocol):
    """Something that a command asked for.

    ``event_id`` is the command's event, ``UNSENT`` before it, ``OVER`` after all.
    """

    event_id: int


class Pending(msgspec.Struct):
    """An activity, a child's end, a message to another run. The future's result is the event that answers it."""

    future: asyncio.Future[Any]
    event_id: int = UNSENT

    def settle(self, event: e.Event) -> None:
        """The answer has come."""
        self.event_id = OVER
        if not self.future.done():
            self.future.set_result(event)


class Condition(msgspec.Struct):
    """Somebody waits until ``predicate`` is true."""

    predicate: Callable[[], Any]
    future: asyncio.Future[None]


class Run(msgspec.Struct, eq=False):
    """The state of one run of a workflow. See the module's docstring."""

    definition: WorkflowDefinition
    address: RunAddress
    started: e.WorkflowExecutionStarted
    converter: Converter
    failure_types: tuple[type[BaseException], ...]
    """Exceptions of the user's that fail the run."""
    build_id: str
    loop: WorkflowLoop
    seed: str
    """A run id from which chance and ids are derived. A run that began as a copy begins with that of the original."""
    profile: ProfileFunction | None = None
    """What has to watch its turns, see ``inspection``."""
    header: PayloadMap | None = None
    """What goes along to its activities and children."""
    is_guarded: bool = True
    """Whether forbidden calls are refused at the moment, see ``guards``."""
    barred: str = ""
    """Why commands are refused at the moment; empty when they are not."""
    is_closed: bool = False
    """Whether it has left memory."""

    main: asyncio.Task[Any] = None  # type: ignore[assignment]  # made when the first event comes
    instance: Any = None
    """The object, where the workflow is a class."""
    outcome: BaseException | None = None
    """What a handler raised that ends the run. What the main task returns or raises counts only without it."""
    cancel_requested: bool = False

    commands: list[c.AnyCommand | None] = []
    awaiting: list[Awaited | None] = []
    has_gaps: bool = False
    """Whether commands were withdrawn in this turn, and are None."""
    pending: dict[int, Any] = {}
    sequence: int = 0
    conditions: list[Condition] | None = None
    mailbox: "Mailbox | None" = None
    notes: "Notes | None" = None
    chance: random.Random | None = None
    memo: PayloadMap | None = None
    search_attributes: PayloadMap | None = None

    turn: e.WorkflowTaskStarted | None = None
    """With what its present or last turn began."""
    is_replaying: bool = False
    history: Sequence[e.Event] = ()
    """While a turn is repeated: the events it comes from. ``history_index`` is where it begins."""
    history_index: int = 0

    def __repr__(self) -> str:
        return f"<run of {self.definition.name!r}: {self.address.workflow_id} {self.address.run_id}>"

    # --- commands

    def add(self, command: c.AnyCommand, awaited: Awaited | None = None) -> None:
        """Ask for something at the end of this turn."""
        if self.barred:
            raise NotAllowedInWorkflowError(f"{type(command).__name__} is not allowed {self.barred}")
        self.commands.append(command)
        self.awaiting.append(awaited)

    def withdraw(self, awaited: Awaited) -> None:
        """Forget a command of this turn: what it asked for is no longer wanted."""
        for index in range(len(self.awaiting) - 1, -1, -1):
            if self.awaiting[index] is awaited:
                self.commands[index] = self.awaiting[index] = None
                self.has_gaps = True
                break
        awaited.event_id = OVER

    def next_id(self) -> str:
        """A name for an activity or a timer, never used before in this run."""
        number = self.sequence = self.sequence + 1
        return str(number)

    # --- timers, for the loop

    def start_timer(self, timer: Timer, delay_ns: int) -> None:
        """Start a durable timer."""
        timer.timer_id = self.next_id()
        self.add(c.StartTimer(timer.timer_id, delay_ns), timer)

    def cancel_timer(self, timer: Timer) -> None:
        """Stop a timer that has not fired; one that was started in this very turn leaves no trace."""
        if self.is_closed:
            return
        if timer.event_id == UNSENT:
            self.withdraw(timer)
        else:
            self.add(c.CancelTimer(timer.timer_id))
            self.pending.pop(timer.event_id, None)
            timer.event_id = OVER

    # --- conditions

    def holds(self, predicate: Callable[[], Any]) -> bool:
        """Whether a condition is true now."""
        barred, self.barred = self.barred, IN_CONDITION
        try:
            return bool(predicate())
        finally:
            self.barred = barred

    def check_conditions(self) -> None:
        """Wake up everybody whose condition is true now."""
        conditions = self.conditions
        if not conditions:
            return
        waiting: list[Condition] = []
        barred, self.barred = self.barred, IN_CONDITION
        for condition in conditions:
            if condition.future.done():
                continue
            try:
                holds = condition.predicate()
            except Exception as error:
                condition.future.set_exception(error)
                continue
            if holds:
                condition.future.set_result(None)
            else:
                waiting.append(condition)
        self.barred = barred
        self.conditions = waiting or None

    @property
    def log_fields(self) -> dict[str, object]:
        """What the log is told of it, beside a message."""
        return about_run(self.address, self.definition.name, self.started.header)

    # --- the end

    def report_lost_failures(self) -> None:
        """Log the exceptions of tasks that nobody awaited; asyncio would do so when it forgets them."""
        for task in self.loop.tasks:
            if task.done() and task._log_traceback:
                task._log_traceback = False
                self.log_asyncio(
                    {"message": f"{task.get_name()} failed, and nobody awaited it", "exception": task.exception()}
                )

    def close(self) -> None:
        """Let go of everything without running any more of the code. Whatever still reaches this run is refused."""
        if self.is_closed:
            return
        self.is_closed = True
        self.barred = LEFT_MEMORY
        loop, main = self.loop, self.main
        tasks = [task for task in loop.tasks if not task.done()]
        if main is not None and not main.done():
            tasks.append(main)
        if tasks:
            for task in tasks:
                task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio's own switch
            # On stage, so that code that runs in spite of everything finds this run, and is refused.
            stage = stage_of_thread()
            stage.enter(self, inf)
            try:
                drop([*(task.get_coro() for task in tasks), getattr(self.instance, "__dict__", None)])
            finally:
                stage.leave()
            for task in tasks:
                _unlink(task)
            for awaited in (*self.pending.values(), *self.awaiting):
                if isinstance(awaited, Timer):
                    awaited.callback, awaited.args = None, ()
        for task in loop.tasks:
            if task.done():
                # An exception that nobody asked for is no news any more.
                task._log_traceback = False
        loop.tasks = []
        loop.ready = []
        self.main = None  # type: ignore[assignment]  # not used again
        self.instance = self.mailbox = self.conditions = self.outcome = None
        self.commands = []
        self.awaiting = []
        self.pending = {}
        loop.run = None  # type: ignore[assignment]  # not used again

    def log_asyncio(self, context: dict[str, Any]) -> None:
        """Pass on a complaint of asyncio's, unless it was made before."""
        if not self.is_replaying and not self.is_closed:
            log.error(
                "%s (workflow %s, run %s)",
                context.get("message", "asyncio error"),
                self.address.workflow_id,
                self.address.run_id,
                exc_info=context.get("exception"),
                extra=self.log_fields,
            )


def _unlink(task: asyncio.Task[Any]) -> None:
    """Undo the links between a task and what it waits for, which would keep each other in memory."""
    for future in (task, task._fut_waiter):  # type: ignore[attr-defined]
        for callback, _ in (future is not None and future._callbacks) or ():
            future.remove_done_callback(callback)


def require_run() -> Run:
    """The run whose code is running. Raises ``InvalidArgumentError`` outside a workflow."""
    stage = stages.get(get_ident())
    if stage is None or stage.run is None:
        raise InvalidArgumentError("this can only be called by a workflow's code, while the engine runs it")
    return stage.run
