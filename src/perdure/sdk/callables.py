"""What ``@app.activity`` and ``@app.workflow`` make of a function.

Inside a workflow, calling one schedules it and gives a coroutine that waits for the result; the types are those of
the function. An activity called anywhere else is the plain function, so that it can be tested and used as one.
"""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from perdure.model.errors import InvalidArgumentError
from perdure.sdk import workflow as _workflow
from perdure.sdk.affinity import Affinity, affinity_option
from perdure.sdk.breaker import Breaker
from perdure.sdk.choices import (
    CANCELLATION,
    ID_REUSE,
    PARENT_CLOSE,
    CancellationWord,
    IdReuseWord,
    ParentCloseWord,
    choose,
)
from perdure.sdk.definitions import ActivityDefinition, ActivityOptions, ChildOptions, WorkflowDefinition
from perdure.sdk.durations import Duration, to_ns_or_zero
from perdure.sdk.names import checked_name
from perdure.sdk.priorities import changed_priority, checked_key
from perdure.sdk.retry import Retry, policy_of

if TYPE_CHECKING:
    from perdure.sdk.app import App

P = ParamSpec("P")
R = TypeVar("R")

UNSET: Any = type("UNSET", (), {"__repr__": lambda self: "..."})()
"""Says that an option was not given, where None means "no limit"."""

_NOTHING_ELSE = (UNSET,) * 11
_VARIANTS = 1_000
"""So many pairs of keys are remembered for an activity."""

DEFAULT_CHILD_OPTIONS = ChildOptions()
"""The options of a workflow on which none were set."""


class Activity(Generic[P, R]):
    """An activity. Made by ``@app.activity``; ``await`` a call of it inside a workflow."""

    def __init__(self, definition: ActivityDefinition, app: "App", options: ActivityOptions | None = None) -> None:
        self.__perdure_activity__ = definition
        self.__perdure_options__ = options if options is not None else definition.options
        self.app = app
        self.__name__ = definition.fn.__name__ if hasattr(definition.fn, "__name__") else definition.name
        self.__qualname__ = getattr(definition.fn, "__qualname__", self.__name__)
        self.__module__ = definition.fn.__module__
        self.__doc__ = definition.fn.__doc__
        self.__wrapped__ = definition.fn
        self._with_keys: dict[tuple[str, str], Activity[P, R]] = {}

    @property
    def name(self) -> str:
        """The activity type, as histories show it."""
        return self.__perdure_activity__.name

    @property
    def fn(self) -> Callable[..., Any]:
        """The function itself."""
        return self.__perdure_activity__.fn

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """Schedule it, in a workflow; run the function here, anywhere else."""
        definition = self.__perdure_activity__
        if _workflow.in_workflow():
            return _workflow._schedule_activity(
                definition, self.__perdure_options__, definition.signature.bind(args, kwargs)
            )
        if definition.is_async:
            return definition.fn(*args, **kwargs)  # type: ignore[no-any-return]  # a coroutine function
        return self._call_plain(*args, **kwargs)

    async def _call_plain(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.__perdure_activity__.fn(*args, **kwargs)  # type: ignore[no-any-return]

    def options(
        self,
        *,
        start_to_close: Duration | None = UNSET,
        schedule_to_close: Duration | None = UNSET,
        schedule_to_start: Duration | None = UNSET,
        heartbeat: Duration | None = UNSET,
        retry: Retry = UNSET,
        task_queue: str | None = UNSET,
        cancellation: CancellationWord = UNSET,
        priority: int = UNSET,
        fairness_key: str = UNSET,
        fairness_weight: float = UNSET,
        limit_key: str = UNSET,
        breaker: Breaker | None = UNSET,
        affinity: Affinity | Mapping[str, str] | None = UNSET,
    ) -> "Activity[P, R]":
        """The same activity with other options, as in ``App.activity``; those left out stay as they are."""
        limits = (start_to_close, schedule_to_close, schedule_to_start, heartbeat)
        if (*limits, retry, task_queue, cancellation, priority, fairness_weight, breaker, affinity) == _NOTHING_ELSE:
            return self._of_keys(fairness_key, limit_key)
        changed = activity_options(
            self.__perdure_options__,
            start_to_close=start_to_close,
            schedule_to_close=schedule_to_close,
            schedule_to_start=schedule_to_start,
            heartbeat=heartbeat,
            retry=retry,
            task_queue=task_queue,
            cancellation=cancellation,
            priority=priority,
            fairness_key=fairness_key,
            fairness_weight=fairness_weight,
            limit_key=limit_key,
            breaker=breaker,
            affinity=affinity,
        )
        if changed.task_queue is not None:
            self.app.note_task_queue(changed.task_queue)
        return Activity(self.__perdure_activity__, self.app, changed)

    def _of_keys(self, fairness_key: str, limit_key: str) -> "Activity[P, R]":
        """The same activity with other keys. Runs that say for whom they work ask for the same ones again and again."""
        known, keys = self._with_keys, (fairness_key, limit_key)
        try:
            if (activity := known.get(keys)) is not None:
                return activity
        except TypeError:
            pass  # it can't be hashed, so it is no string, which is told next
        changed = activity_options(self.__perdure_options__, fairness_key=fairness_key, limit_key=limit_key)
        activity = Activity(self.__perdure_activity__, self.app, changed)
        if len(known) >= _VARIANTS:
            known.clear()
        known[keys] = activity
        return activity

    def __repr__(self) -> str:
        return f"<activity {self.name!r} of app {self.app.name!r}>"


class Workflow(Generic[P, R]):
    """A workflow function. Made by ``@app.workflow``; started by ``client.start``, or as a child by calling it in a
    workflow."""

    def __init__(self, definition: WorkflowDefinition, app: "App", options: ChildOptions | None = None) -> None:
        assert definition.fn is not None
        self.__perdure_workflow__ = definition
        self.__perdure_options__ = options if options is not None else DEFAULT_CHILD_OPTIONS
        self.__perdure_app__ = app
        self.__name__ = definition.fn.__name__
        self.__qualname__ = definition.fn.__qualname__
        self.__module__ = definition.fn.__module__
        self.__doc__ = definition.fn.__doc__
        self.__wrapped__ = definition.fn

    @property
    def name(self) -> str:
        """The workflow type, as histories show it."""
        return self.__perdure_workflow__.name

    @property
    def fn(self) -> Callable[..., Any]:
        """The function itself."""
        assert self.__perdure_workflow__.fn is not None
        return self.__perdure_workflow__.fn

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """Start it as a child of the workflow that calls, and wait for its result.

        Raises:
            InvalidArgumentError: called outside a workflow.
        """
        definition = self.__perdure_workflow__
        if not _workflow.in_workflow():
            raise InvalidArgumentError(
                f"the workflow {self.name!r} can only be called by another workflow; start it with "
                f"client.start({self.__name__}, ...), or call {self.__name__}.fn for the plain function"
            )
        return _workflow._start_child(definition, self.__perdure_options__, definition.signature.bind(args, kwargs))

    def options(
        self,
        *,
        id: str | None = UNSET,
        parent_close: ParentCloseWord = UNSET,
        task_queue: str | None = UNSET,
        namespace: str = UNSET,
        execution_timeout: Duration | None = UNSET,
        run_timeout: Duration | None = UNSET,
        task_timeout: Duration | None = UNSET,
        retry: Retry | None = UNSET,
        id_reuse: IdReuseWord = UNSET,
        cancellation: CancellationWord = UNSET,
        memo: Mapping[str, Any] | None = UNSET,
        search_attributes: Mapping[str, Any] | None = UNSET,
        affinity: Affinity | Mapping[str, str] | None = UNSET,
    ) -> "Workflow[P, R]":
        """The same workflow with options for its next start as a child; those left out stay as they are.

        Args:
            id: its workflow id; None derives one from the parent's run, the same on every replay.
            parent_close: what becomes of it when the parent closes first: "terminate" it (the default), "abandon" it,
                that is let it go on, or "cancel" it.
            task_queue: where its workers are; None for the workflow's own, or else the parent's.
            namespace: where it runs; empty for the parent's.
            execution_timeout: how long it may take with all its retries and continuations; a timedelta or seconds,
                None for no limit.
            run_timeout: how long one run of it may take.
            task_timeout: how long one turn of its code may take.
            retry: tries the whole workflow again when it fails; None for never.
            id_reuse: whether the id of a closed run may be taken: "allow", "allow_if_failed" or "reject".
            cancellation: what happens when the parent's wait is cancelled: "wait" asks the child and waits for it
                (the default), "try" asks and does not wait, "abandon" does not even ask.
            memo: notes for people, by name.
            search_attributes: values to find it by.
            affinity: which workers take its turns, by their labels; None for the workflow's own.

        Raises:
            InvalidArgumentError: a value makes no sense.
        """
        definition = self.__perdure_workflow__
        changes: dict[str, Any] = {}
        for name, value in (
            ("id", id),
            ("task_queue", task_queue),
            ("namespace", namespace),
            ("memo", memo),
            ("search_attributes", search_attributes),
        ):
            if value is not UNSET:
                changes[name] = value
                if value is not None and name in ("id", "task_queue"):
                    checked_name(name, value)
        for name, limit in (
            ("execution_timeout", execution_timeout),
            ("run_timeout", run_timeout),
            ("task_timeout", task_timeout),
        ):
            if limit is not UNSET:
                changes[f"{name}_ns"] = time_limit(name, limit)
        if retry is not UNSET:
            changes["retry_policy"] = policy_of(retry)
        if parent_close is not UNSET:
            changes["parent_close"] = choose("parent_close", PARENT_CLOSE, parent_close)
        if id_reuse is not UNSET:
            changes["id_reuse"] = choose("id_reuse", ID_REUSE, id_reuse)
        if cancellation is not UNSET:
            changes["cancellation"] = choose("cancellation", CANCELLATION, cancellation)
        if affinity is not UNSET:
            changes["affinity"] = affinity_option(affinity)
        if changes.get("task_queue"):
            self.__perdure_app__.note_task_queue(changes["task_queue"])
        return Workflow(definition, self.__perdure_app__, replace(self.__perdure_options__, **changes))

    def __repr__(self) -> str:
        return f"<workflow {self.name!r} of app {self.__perdure_app__.name!r}>"


def activity_options(
    options: ActivityOptions,
    *,
    start_to_close: Duration | None = UNSET,
    schedule_to_close: Duration | None = UNSET,
    schedule_to_start: Duration | None = UNSET,
    heartbeat: Duration | None = UNSET,
    retry: Retry | None = UNSET,
    task_queue: str | None = UNSET,
    cancellation: CancellationWord = UNSET,
    priority: int | None = UNSET,
    fairness_key: str | None = UNSET,
    fairness_weight: float | None = UNSET,
    limit_key: str = UNSET,
    breaker: Breaker | None = UNSET,
    affinity: Affinity | Mapping[str, str] | None = UNSET,
) -> ActivityOptions:
    """Options with some of them changed. Raises ``InvalidArgumentError`` for values that make no sense."""
    changes: dict[str, Any] = {}
    if start_to_close is not UNSET:
        changes["start_to_close_ns"] = time_limit("start_to_close", start_to_close)
    if schedule_to_close is not UNSET:
        changes["schedule_to_close_ns"] = time_limit("schedule_to_close", schedule_to_close)
    if schedule_to_start is not UNSET:
        changes["schedule_to_start_ns"] = time_limit("schedule_to_start", schedule_to_start)
    if heartbeat is not UNSET:
        changes["heartbeat_ns"] = time_limit("heartbeat", heartbeat)
    if retry is not UNSET and retry is not None:
        changes["retry_policy"] = policy_of(retry)
    if task_queue is not UNSET:
        changes["task_queue"] = None if task_queue is None else checked_name("task_queue", task_queue)
    if cancellation is not UNSET:
        changes["cancellation"] = choose("cancellation", CANCELLATION, cancellation)
    if priority is not UNSET or fairness_key is not UNSET or fairness_weight is not UNSET:
        changes["priority"] = changed_priority(
            options.priority,
            key=None if priority is UNSET else priority,
            fairness_key=None if fairness_key is UNSET else fairness_key,
            weight=None if fairness_weight is UNSET else fairness_weight,
        )
    if limit_key is not UNSET:
        changes["limit_key"] = checked_key("limit_key", limit_key)
    if breaker is not UNSET:
        if breaker is not None and not isinstance(breaker, Breaker):
            raise InvalidArgumentError(f"breaker={breaker!r} must be a perdure.Breaker, or None for none")
        changes["breaker"] = None if breaker is None else breaker.policy
    if affinity is not UNSET:
        changes["affinity"] = affinity_option(affinity)
    return options.changed(changes)


def time_limit(name: str, value: Duration | None) -> int:
    """A time limit in nanoseconds, 0 for none. Raises ``InvalidArgumentError``, which names the option."""
    try:
        return to_ns_or_zero(value)
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"{name}: {error}") from None
