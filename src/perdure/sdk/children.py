"""Other runs, from inside a workflow: children that it starts, and runs that it only knows by their id."""

from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, Protocol, TypedDict, TypeVar, Unpack, overload

from perdure.model.errors import InvalidArgumentError
from perdure.model.ids import RunAddress
from perdure.sdk import calls
from perdure.sdk.affinity import Affinity, affinity_option
from perdure.sdk.choices import (
    CANCELLATION,
    ID_REUSE,
    PARENT_CLOSE,
    CancellationWord,
    IdReuseWord,
    ParentCloseWord,
    choose,
)
from perdure.sdk.definitions import ChildOptions, WorkflowDefinition, workflow_definition_of
from perdure.sdk.durations import Duration, to_ns_or_zero
from perdure.sdk.handlers import SignalHandler
from perdure.sdk.names import checked_name, checked_names, checked_text
from perdure.sdk.retry import Retry, policy_of
from perdure.sdk.run import Run, require_run

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class WorkflowClass(Protocol[R_co]):
    """A class that ``@app.workflow`` takes."""

    def run(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, R_co]:
        """What a run does."""
        ...


class ChildHandle(Generic[R]):
    """A child workflow that has started. ``await`` it for its result; that may be done more than once.

    Awaiting raises ``ChildWorkflowError`` when the child failed, timed out, was cancelled or terminated.
    """

    __slots__ = ("_cancellation", "_definition", "_pending", "_run")

    def __init__(
        self, run: Run, definition: WorkflowDefinition, pending: calls.PendingChild, options: ChildOptions
    ) -> None:
        self._run = run
        self._definition = definition
        self._pending = pending
        self._cancellation = options.cancellation

    @property
    def workflow_id(self) -> str:
        """The child's workflow id."""
        return self._pending.workflow_id

    @property
    def run_id(self) -> str:
        """The child's first run."""
        return self._pending.run_id

    def __await__(self) -> Generator[Any, None, R]:
        result = calls.child_result(self._run, self._definition, self._pending, self._cancellation)
        return result.__await__()

    async def result(self) -> R:
        """The same as awaiting the handle, as a coroutine, for ``create_task`` and ``gather``."""
        return await self

    async def signal(self, signal: str | SignalHandler[..., Any], *args: Any) -> None:
        """Send a signal to the child. Raises ``ApplicationError`` when the child has ended."""
        await _signal(self._run, self._pending.address, signal, args, child_only=True)

    async def cancel(self, reason: str = "") -> None:
        """Ask the child to stop. Raises ``ApplicationError`` when it has ended."""
        await calls.cancel_run(self._run, self._pending.address, checked_text("reason", reason), child_only=True)

    def __repr__(self) -> str:
        return f"<child workflow {self._definition.name!r} {self.workflow_id}>"


class ExternalHandle:
    """Another run, by its id. See ``external``."""

    __slots__ = ("_address", "_run")

    def __init__(self, run: Run, address: RunAddress) -> None:
        self._run = run
        self._address = address

    @property
    def workflow_id(self) -> str:
        """The run's workflow id."""
        return self._address.workflow_id

    async def signal(self, signal: str | SignalHandler[..., Any], *args: Any) -> None:
        """Send a signal, and wait until it is recorded there.

        Raises ``ApplicationError`` when there is no such open run.
        """
        await _signal(self._run, self._address, signal, args, child_only=False)

    async def cancel(self, reason: str = "") -> None:
        """Ask the run to stop, and wait until that is recorded there.

        Raises ``ApplicationError`` as ``signal`` does.
        """
        await calls.cancel_run(self._run, self._address, checked_text("reason", reason), child_only=False)

    def __repr__(self) -> str:
        return f"<external workflow {self.workflow_id}>"


async def _signal(
    run: Run, address: RunAddress, signal: str | SignalHandler[..., Any], args: tuple[Any, ...], *, child_only: bool
) -> None:
    name = checked_name("the name of a signal", signal) if isinstance(signal, str) else signal.name
    await calls.signal_run(run, address, name, run.converter.to_payloads(args), child_only=child_only)


def external(workflow_id: str, run_id: str = "", *, namespace: str = "") -> ExternalHandle:
    """Another run, which may be anybody's, to signal or cancel.

    Args:
        workflow_id: its workflow id.
        run_id: one run of that id; without it, whichever is the current one when the message arrives.
        namespace: where it is; without it, this run's.
    """
    run = require_run()
    checked_name("workflow_id", workflow_id)
    checked_text("run_id", run_id)
    checked_text("namespace", namespace)
    return ExternalHandle(run, RunAddress(namespace or run.address.namespace, workflow_id, run_id))


class ChildChoices(TypedDict, total=False):
    """What ``start_child`` takes besides the workflow and its arguments."""

    id: str
    task_queue: str
    parent_close: ParentCloseWord
    execution_timeout: Duration
    run_timeout: Duration
    retry: Retry
    id_reuse: IdReuseWord
    cancellation: CancellationWord
    memo: Mapping[str, Any]
    search_attributes: Mapping[str, Any]
    affinity: Affinity | Mapping[str, str]


@overload
async def start_child(
    workflow: Callable[..., Coroutine[Any, Any, R]], *args: Any, **choices: Unpack[ChildChoices]
) -> ChildHandle[R]: ...
@overload
async def start_child(
    workflow: type[WorkflowClass[R]], *args: Any, **choices: Unpack[ChildChoices]
) -> ChildHandle[R]: ...
@overload
async def start_child(workflow: str, *args: Any, **choices: Unpack[ChildChoices]) -> ChildHandle[Any]: ...
async def start_child(workflow: Any, *args: Any, **choices: Unpack[ChildChoices]) -> ChildHandle[Any]:
    """Start a child workflow and go on as soon as it has started, with a handle to await, signal and cancel it.

    To start one and wait for its result, call it: ``await publish(video)``.

    Args:
        workflow: a workflow function or class, or the name of a type that is defined elsewhere.
        args: its arguments.
        id: its workflow id; without it, one derived from this run, the same on every replay.
        task_queue: where its workers are; without it, the workflow's own queue, or else this run's.
        parent_close: what becomes of it when this run ends first: "terminate" it (the default), "abandon" it, that is
            let it go on, or "cancel" it.
        execution_timeout: how long it may take with all its retries and continuations; a timedelta or seconds.
        run_timeout: how long one run of it may take.
        retry: tries the whole workflow again when it fails.
        id_reuse: whether the id of a closed run may be taken: "allow" (the default), "allow_if_failed" or "reject".
        cancellation: what happens when waiting for it is cancelled: "wait" asks the child and waits for it (the
            default), "try" asks and does not wait, "abandon" does not even ask.
        memo: notes for people, by name.
        search_attributes: values to find it by.
        affinity: which workers take its turns, by their labels; without it, the workflow's own.

    Raises:
        ChildWorkflowError: it could not start, because its id is taken.
        InvalidArgumentError: an option makes no sense.
    """
    run = require_run()
    definition = WorkflowDefinition(workflow) if isinstance(workflow, str) else workflow_definition_of(workflow)
    options = _choose(getattr(workflow, "__perdure_options__", None) or ChildOptions(), choices)
    pending = calls.ask_for_child(run, definition, options, definition.signature.bind(args, {}))
    await calls.child_started(run, pending, options.cancellation)
    return ChildHandle(run, definition, pending, options)


async def run_child(run: Run, definition: WorkflowDefinition, options: ChildOptions, args: Sequence[Any]) -> Any:
    """Start a child and wait for its result."""
    pending = calls.ask_for_child(run, definition, options, args)
    return await calls.child_result(run, definition, pending, options.cancellation)


_CHOICES: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "id": ("id", lambda id: checked_name("id", id)),
    "task_queue": ("task_queue", lambda queue: checked_name("task_queue", queue)),
    "parent_close": ("parent_close", lambda word: choose("parent_close", PARENT_CLOSE, word)),
    "execution_timeout": ("execution_timeout_ns", to_ns_or_zero),
    "run_timeout": ("run_timeout_ns", to_ns_or_zero),
    "retry": ("retry_policy", policy_of),
    "id_reuse": ("id_reuse", lambda word: choose("id_reuse", ID_REUSE, word)),
    "cancellation": ("cancellation", lambda word: choose("cancellation", CANCELLATION, word)),
    "memo": ("memo", lambda memo: checked_names("memo", memo)),
    "search_attributes": ("search_attributes", lambda values: checked_names("search_attributes", values)),
    "affinity": ("affinity", affinity_option),
}
"""Where each choice goes in ``ChildOptions``, and how it is read."""


def _choose(options: ChildOptions, choices: Mapping[str, Any]) -> ChildOptions:
    changes: dict[str, Any] = {}
    for name, value in choices.items():
        if name not in _CHOICES:
            raise InvalidArgumentError(f"start_child() has no option {name!r}; it has {', '.join(_CHOICES)}")
        if value is not None:
            field, convert = _CHOICES[name]
            changes[field] = convert(value)
    return replace(options, **changes) if changes else options
