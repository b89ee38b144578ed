"""What an app defines: its activities and workflows, as data that workers, clients and programs read.

Decorated objects point to their definition: an activity by ``__perdure_activity__``, a workflow (the object made from a
function, or the class itself) by ``__perdure_workflow__``. Either may carry the options of the next call in
``__perdure_options__``.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from perdure.model.affinity import Affinity
from perdure.model.errors import InvalidArgumentError
from perdure.model.options import CancellationType, IdReuse, ParentClose, RetryPolicy
from perdure.model.task_queues import BreakerPolicy, Priority
from perdure.sdk.handlers import HandlerDefinition, QueryHandler, SignalHandler, UpdateHandler
from perdure.sdk.languages import Written
from perdure.sdk.signatures import Signature

Executor = Literal["async", "thread", "process"]


@dataclass(frozen=True)
class ActivityOptions:
    """How an activity is scheduled. ``..._ns`` are durations; 0 means no limit.

    ``task_queue`` None is the workflow's own.
    """

    task_queue: str | None = None
    schedule_to_close_ns: int = 0
    schedule_to_start_ns: int = 0
    start_to_close_ns: int = 0
    heartbeat_ns: int = 0
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    cancellation: CancellationType = CancellationType.TRY_CANCEL
    priority: Priority | None = None
    limit_key: str = ""
    breaker: BreakerPolicy | None = None
    affinity: Affinity | None = None

    def changed(self, changes: Mapping[str, Any]) -> "ActivityOptions":
        """The same with some of them changed."""
        # As dataclasses.replace, in a tenth of the time: workflows do this for each activity they call.
        changed = object.__new__(ActivityOptions)
        changed.__dict__.update(self.__dict__)
        changed.__dict__.update(changes)
        return changed


@dataclass(frozen=True)
class ActivityDefinition:
    """An activity: a function with effects, run by a worker on its loop, in a thread of it, or in another process."""

    name: str
    fn: Callable[..., Any]
    is_async: bool
    executor: Executor
    options: ActivityOptions = ActivityOptions()

    @cached_property
    def signature(self) -> Signature:
        """Its arguments and its result, read from the type hints on first use."""
        return Signature.of(self.fn)

    # Cached rather than forwarded, since every scheduled activity asks.
    @cached_property
    def parameter_types(self) -> tuple[Any, ...] | None:
        """As in ``Signature``."""
        return self.signature.parameter_types

    @cached_property
    def return_type(self) -> Any:
        """As in ``Signature``."""
        return self.signature.return_type


@dataclass(frozen=True)
class ChildOptions:
    """How a workflow starts a child workflow. ``..._ns`` are durations; 0 means no limit.

    ``id`` None derives one from the parent's run, the same on every replay. ``task_queue`` None is the child's own or
    the parent's.
    """

    id: str | None = None
    task_queue: str | None = None
    namespace: str = ""
    execution_timeout_ns: int = 0
    run_timeout_ns: int = 0
    task_timeout_ns: int = 0
    retry_policy: RetryPolicy | None = None
    parent_close: ParentClose = ParentClose.TERMINATE
    id_reuse: IdReuse = IdReuse.ALLOW
    cancellation: CancellationType = CancellationType.WAIT_CANCELLATION_COMPLETED
    memo: Mapping[str, Any] | None = None
    search_attributes: Mapping[str, Any] | None = None
    affinity: Affinity | None = None


@dataclass(frozen=True)
class WorkflowOptions:
    """How runs of a workflow are started, unless the caller says otherwise. ``..._ns`` are durations; 0 means no limit.

    ``failure_types``: exceptions that fail the run, beside the failures of ``perdure``; any other exception is a bug,
    and the turn is tried again until the code is mended.
    """

    task_queue: str | None = None
    execution_timeout_ns: int = 0
    run_timeout_ns: int = 0
    task_timeout_ns: int = 0
    retry_policy: RetryPolicy | None = None
    failure_types: tuple[type[BaseException], ...] = ()
    affinity: Affinity | None = None


@dataclass(frozen=True)
class WorkflowDefinition:
    """A workflow type: an async function ``fn``, or a class ``cls`` with an async method ``run``.

    With neither it is only a name, for a type whose code is elsewhere. ``written`` is there if it is in another language;
    then ``fn`` only says what it takes.
    """

    name: str
    fn: Callable[..., Any] | None = None
    cls: type | None = None
    options: WorkflowOptions = WorkflowOptions()
    signals: Mapping[str, HandlerDefinition] = field(default_factory=dict)
    queries: Mapping[str, HandlerDefinition] = field(default_factory=dict)
    updates: Mapping[str, HandlerDefinition] = field(default_factory=dict)
    written: Written | None = None

    @cached_property
    def signature(self) -> Signature:
        """Its arguments and its result, read from the type hints on first use."""
        if self.cls is not None:
            return Signature.of(self.cls.run, skip_self=True)  # type: ignore[attr-defined]  # checked by define_workflow
        return Signature.of(self.fn) if self.fn is not None else Signature.unknown(self.name)

    @cached_property
    def parameter_types(self) -> tuple[Any, ...] | None:
        """As in ``Signature``."""
        return self.signature.parameter_types

    @cached_property
    def return_type(self) -> Any:
        """As in ``Signature``."""
        return self.signature.return_type

    @cached_property
    def notes(self) -> dict[str, Any]:
        """What programs have found out about the type, kept with it."""
        return {}


def define_activity(
    fn: Callable[..., Any],
    *,
    name: str | None = None,
    executor: Executor | None = None,
    options: ActivityOptions | None = None,
) -> ActivityDefinition:
    """The definition of an activity function. By default a coroutine function runs on the loop, a plain one in a
    thread.

    Raises ``InvalidArgumentError`` when the function and the executor do not go together.
    """
    is_async = inspect.iscoroutinefunction(fn)
    if executor is None:
        executor = "async" if is_async else "thread"
    if is_async != (executor == "async"):
        kind = "an async function" if is_async else "a plain function"
        raise InvalidArgumentError(f"activity {fn.__qualname__} is {kind}, so it cannot run on executor {executor!r}")
    return ActivityDefinition(name or fn.__name__, fn, is_async, executor, options or ActivityOptions())


def define_workflow(
    target: Callable[..., Any] | type, *, name: str | None = None, options: WorkflowOptions | None = None
) -> WorkflowDefinition:
    """The definition of a workflow function or class. Raises ``InvalidArgumentError`` when it is neither."""
    options = options or WorkflowOptions()
    if not isinstance(target, type):
        if not inspect.iscoroutinefunction(target):
            raise InvalidArgumentError(f"workflow {target.__qualname__} must be an async function")
        return WorkflowDefinition(name or target.__name__, fn=target, options=options)
    if not inspect.iscoroutinefunction(getattr(target, "run", None)):
        raise InvalidArgumentError(f"workflow class {target.__qualname__} needs an async method run()")
    if any(
        parameter.default is parameter.empty and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        for parameter in inspect.signature(target).parameters.values()
    ):
        raise InvalidArgumentError(f"workflow class {target.__qualname__} is made without arguments; they go to run()")
    signals: dict[str, HandlerDefinition] = {}
    queries: dict[str, HandlerDefinition] = {}
    updates: dict[str, HandlerDefinition] = {}
    for _, member in inspect.getmembers_static(target):
        if isinstance(member, SignalHandler):
            _add(signals, member, target)
        elif isinstance(member, QueryHandler):
            _add(queries, member, target)
        elif isinstance(member, UpdateHandler):
            _add(updates, member, target)
    return WorkflowDefinition(
        name or target.__name__, cls=target, options=options, signals=signals, queries=queries, updates=updates
    )


def _add(
    handlers: dict[str, HandlerDefinition],
    handler: SignalHandler[..., Any] | QueryHandler[..., Any] | UpdateHandler[..., Any],
    owner: type,
) -> None:
    if handler.name in handlers:
        raise InvalidArgumentError(f"{owner.__qualname__} has two handlers for the {handler.kind} {handler.name!r}")
    handlers[handler.name] = handler.define()


def workflow_definition_of(target: object) -> WorkflowDefinition:
    """The definition behind a decorated workflow. Raises ``InvalidArgumentError`` when ``target`` is not one."""
    definition = getattr(target, "__perdure_workflow__", None)
    if not isinstance(definition, WorkflowDefinition):
        raise InvalidArgumentError(f"{target!r} is not a workflow; decorate it with @app.workflow")
    return definition


def activity_definition_of(target: object) -> ActivityDefinition:
    """The definition behind a decorated activity. Raises ``InvalidArgumentError`` when ``target`` is not one."""
    definition = getattr(target, "__perdure_activity__", None)
    if not isinstance(definition, ActivityDefinition):
        raise InvalidArgumentError(f"{target!r} is not an activity; decorate it with @app.activity")
    return definition
