"""The event loop that workflow code runs on: asyncio without a clock, a socket or a thread.

One loop belongs to one run. It holds the callbacks that are ready and nothing else: what a run waits for comes in as
events, which resolve futures, which make callbacks ready. A turn runs them until none is left. Nothing here depends on
anything but the order in which callbacks were added, so the same events give the same steps, live and in replay:

- time stands still during a turn; ``loop.time()`` is seconds since the run's start, as recorded in the history
- ``call_later`` and ``call_at``, and with them ``asyncio.sleep``, ``timeout`` and ``wait_for``, start durable timers
- tasks hash by number instead of by address, so that sets of tasks (in ``asyncio.TaskGroup``, in ``asyncio.wait``) have
  one order

This is the hottest code of the SDK, which explains what would otherwise be odd: attributes are public, handles are
msgspec structs (made in C), and asyncio's own C ``Task`` and ``Future`` do the rest.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import msgspec

from perdure.model.errors import InvalidArgumentError, NotAllowedInWorkflowError
from perdure.model.options import SECOND_NS
from perdure.sdk.turns import current_run

if TYPE_CHECKING:
    from perdure.sdk.run import Run

T = TypeVar("T")

_MICROSECOND_NS = 1_000
# Infinity must be stored as a number; times in ns since 1970 have room for this much.
_FOR_EVER_SECONDS = 100 * 365 * 86400
_PRUNE_TASKS_ABOVE = 16


class Handle(msgspec.Struct):
    """A callback that is ready, as ``asyncio.Handle``. Without a ``callback`` it was cancelled."""

    callback: Callable[..., object] | None
    args: tuple[Any, ...]
    context: contextvars.Context

    def cancel(self) -> None:
        """Do not call it."""
        self.callback = None

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self.callback is None

    def get_context(self) -> contextvars.Context:
        """The context it is called in."""
        return self.context


class Timer(msgspec.Struct):
    """A callback that waits for a durable timer, as ``asyncio.TimerHandle``.

    ``event_id`` is the timer's ``TimerStarted``: 0 until that is known, -1 once the timer has fired or was cancelled.
    """

    callback: Callable[..., object] | None
    args: tuple[Any, ...]
    context: contextvars.Context
    run: "Run"
    due: float
    timer_id: str
    event_id: int = 0

    def cancel(self) -> None:
        """Do not call it, and let the timer go."""
        if self.callback is not None:
            # A timer that has fired may still be waiting for its call in this turn.
            self.callback = None
            if self.event_id >= 0:
                self.run.cancel_timer(self)

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self.callback is None

    def when(self) -> float:
        """When it is due, on the scale of ``loop.time()``."""
        return self.due

    def get_context(self) -> contextvars.Context:
        """The context it is called in."""
        return self.context


class WorkflowTask(asyncio.Task[T]):
    """A task that hashes by its number in the run. See the module's docstring."""

    __slots__ = ("number",)

    number: int

    def __hash__(self) -> int:
        return self.number


class WorkflowLoop(asyncio.AbstractEventLoop):
    """The loop of one run. ``run`` is whose; times are ns since 1970."""

    __slots__ = ("now_ns", "prune_at", "ready", "run", "start_ns", "task_count", "tasks")

    def __init__(self, start_ns: int) -> None:
        self.run: Run = None  # type: ignore[assignment]  # set at once by whoever makes both; None again when closed
        self.start_ns = start_ns
        self.now_ns = start_ns
        self.ready: list[Handle | Timer] = []
        # The loop holds every task. One that waits for something that can no longer happen must not be collected: its
        # clean-up would run at a moment that no replay can repeat.
        self.tasks: list[asyncio.Task[Any]] = []
        self.prune_at = _PRUNE_TASKS_ABOVE
        self.task_count = 0

    # --- what a turn does

    def run_ready(self) -> None:
        """Run callbacks until none is ready. What a callback raises comes out here; the rest is not run then."""
        while ready := self.ready:
            self.ready = []
            for handle in ready:
                callback = handle.callback
                if callback is not None:
                    handle.context.run(callback, *handle.args)

    # --- asyncio, the part that workflows have

    def time(self) -> float:
        """Seconds from the run's start to this turn."""
        return (self.now_ns - self.start_ns) / SECOND_NS

    def call_soon(  # type: ignore[override]  # the handle is ours
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> Handle:
        """Call back in this turn, after what is ready already."""
        handle = Handle(callback, args, context if context is not None else contextvars.copy_context())
        self.ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]  # the handle is ours
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle | Timer:
        """Call back when ``delay`` seconds have passed: a durable timer, exact to the microsecond.

        A delay of zero or less needs no timer; the callback is called in this turn.
        """
        if not delay > 0:
            if delay != delay:
                raise InvalidArgumentError("a delay of nan seconds is none; give a number of seconds")
            return self.call_soon(callback, *args, context=context)
        # A delay too short for a microsecond still takes one: a loop that waits for a moment must see the time move.
        delay_ns = round(min(delay, _FOR_EVER_SECONDS) * 1_000_000) * _MICROSECOND_NS or _MICROSECOND_NS
        timer = Timer(
            callback,
            args,
            context if context is not None else contextvars.copy_context(),
            self.run,
            self.time() + delay,
            "",
        )
        self.run.start_timer(timer, delay_ns)
        return timer

    def call_at(  # type: ignore[override]  # the handle is ours
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> Handle | Timer:
        """Call back when ``loop.time()`` reaches ``when``."""
        return self.call_later(when - self.time(), callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]  # typeshed's signature differs between versions
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: object = None,
        context: contextvars.Context | None = None,
        **options: Any,
    ) -> asyncio.Task[T]:
        """A task of this loop. Unnamed tasks are numbered, the same way in every replay."""
        number = self.task_count = self.task_count + 1
        task: WorkflowTask[T] = WorkflowTask.__new__(WorkflowTask)
        # First asyncio adds the task to its set of all tasks, by a weak reference, which keeps the hash of this moment.
        # In that set the numbers of many runs would be the same.
        task.number = id(task)
        task.__init__(  # type: ignore[misc]
            coro, loop=self, name=name if name is not None else f"task-{number}", context=context, **options
        )
        task.number = number
        tasks = self.tasks
        tasks.append(task)
        if len(tasks) > self.prune_at:
            tasks[:] = [kept for kept in tasks if not kept.done()]
            self.prune_at = 2 * len(tasks) + _PRUNE_TASKS_ABOVE
        return task

    def is_running(self) -> bool:
        """Whether a turn is under way."""
        return current_run() is self.run

    def is_closed(self) -> bool:
        """Never: a run's loop ends with the run."""
        return False

    # Every task and every future asks. A type called without arguments answers False faster than a method could.
    get_debug = bool

    def set_debug(self, enabled: bool) -> None:
        """Ignored: debug mode reads the clock."""

    def get_task_factory(self) -> None:
        """There is none."""
        return

    def get_exception_handler(self) -> None:
        """There is none."""
        return

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Log what asyncio has to complain about, such as an exception in a task that nobody awaited."""
        if self.run is not None:
            self.run.log_asyncio(context)

    call_exception_handler = default_exception_handler

    def __repr__(self) -> str:
        return f"<WorkflowLoop of {self.run.address.workflow_id}>"


# --- asyncio, the part that workflows do not have

_USE_ACTIVITY = "do it in an activity"
_REFUSED = {
    "call_soon_threadsafe": "nothing outside may touch a workflow but signals and updates",
    "run_in_executor": f"workflow code runs on one thread; {_USE_ACTIVITY}",
    "set_default_executor": f"workflow code runs on one thread; {_USE_ACTIVITY}",
    "set_task_factory": "the engine makes the tasks",
    "set_exception_handler": "unexpected exceptions fail the turn, and the engine reports them",
    "run_forever": "the engine runs the loop",
    "run_until_complete": "await it instead",
    "stop": "return from the workflow to end it",
    "close": "return from the workflow to end it",
    "shutdown_asyncgens": "return from the workflow to end it",
    "shutdown_default_executor": "return from the workflow to end it",
    "add_signal_handler": "the process's signals are not in the history",
    "remove_signal_handler": "the process's signals are not in the history",
}
_NETWORK = """
    getaddrinfo getnameinfo create_connection create_server start_tls create_unix_connection create_unix_server
    create_datagram_endpoint sendfile connect_accepted_socket add_reader remove_reader add_writer remove_writer
    sock_recv sock_recv_into sock_recvfrom sock_recvfrom_into sock_sendall sock_sendto sock_connect sock_accept
    sock_sendfile connect_read_pipe connect_write_pipe subprocess_shell subprocess_exec
"""
_REFUSED.update(
    dict.fromkeys(_NETWORK.split(), f"a replay cannot repeat what the outside world answered; {_USE_ACTIVITY}")
)


def _refuse(name: str, reason: str) -> Callable[..., NoReturn]:
    def refused(self: WorkflowLoop, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotAllowedInWorkflowError(f"loop.{name}() is not allowed in a workflow: {reason}")

    return refused


for _name, _reason in _REFUSED.items():
    setattr(WorkflowLoop, _name, _refuse(_name, _reason))
