"""``App``: where a program's activities and workflows are declared.

An app is only a list. It opens nothing and runs nothing; workers and clients read it.
"""

import inspect
import json
import os
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar, overload

from perdure.model.errors import InvalidArgumentError
from perdure.model.options import DEFAULT_TASK_QUEUE
from perdure.sdk.affinity import Affinity, affinity_option
from perdure.sdk.breaker import Breaker
from perdure.sdk.build_id import digest_of
from perdure.sdk.callables import Activity, Workflow, activity_options, time_limit
from perdure.sdk.choices import CancellationWord
from perdure.sdk.converter import Converter
from perdure.sdk.definitions import (
    ActivityOptions,
    Executor,
    WorkflowDefinition,
    WorkflowOptions,
    define_activity,
    define_workflow,
)
from perdure.sdk.durations import Duration
from perdure.sdk.languages import language
from perdure.sdk.names import checked_name
from perdure.sdk.retry import Retry, policy_of

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")


class ActivityDecorator(Protocol):
    """What ``@app.activity(...)`` with options gives."""

    @overload
    def __call__(self, fn: Callable[P, Coroutine[Any, Any, R]], /) -> Activity[P, R]: ...
    @overload
    def __call__(self, fn: Callable[P, R], /) -> Activity[P, R]: ...


class WorkflowDecorator(Protocol):
    """What ``@app.workflow(...)`` with options gives."""

    @overload
    def __call__(self, target: type[C], /) -> type[C]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, target: Callable[P, Coroutine[Any, Any, R]], /) -> Workflow[P, R]: ...


class App:
    """A named collection of activities and workflows that are developed and deployed together.

    Args:
        name: what people call it.
        task_queue: where its workflows run, and its activities too unless they say otherwise.
        build_id: which version of the code this is. Without it, a digest of the workflows' code, which changes when
            they do.
        converter: turns arguments and results into payloads and back; codecs and limits are its options.
        failure_types: exceptions of yours that fail a run when a workflow raises them. Any other exception, but for
            the failures of ``perdure`` itself, is taken for a bug: the run waits for mended code.
    """

    def __init__(
        self,
        name: str,
        *,
        task_queue: str = DEFAULT_TASK_QUEUE,
        build_id: str | None = None,
        converter: Converter | None = None,
        failure_types: tuple[type[BaseException], ...] = (),
    ) -> None:
        checked_name("an app's name", name)
        checked_name("task_queue", task_queue)
        if build_id is not None:
            checked_name("build_id", build_id)
        self.name = name
        self.task_queue = task_queue
        self.converter = converter if converter is not None else Converter()
        self.failure_types = tuple(failure_types)
        self.activities: dict[str, Activity[..., Any]] = {}
        self.workflows: dict[str, WorkflowDefinition] = {}
        self._build_id = build_id
        self._task_queues = {task_queue}

    @property
    def build_id(self) -> str:
        """Which version of the code this is; the same in every process that runs the same code."""
        if self._build_id is None:
            return digest_of(self.workflows.values())
        return self._build_id

    @property
    def task_queues(self) -> frozenset[str]:
        """All queues that the app names: its own, and those in the options of its activities and workflows."""
        return frozenset(self._task_queues)

    def note_task_queue(self, task_queue: str) -> None:
        """Count a queue among the app's own."""
        self._task_queues.add(task_queue)

    # --- activities

    @overload
    def activity(self, fn: Callable[P, Coroutine[Any, Any, R]], /) -> Activity[P, R]: ...
    @overload
    def activity(self, fn: Callable[P, R], /) -> Activity[P, R]: ...
    @overload
    def activity(
        self,
        *,
        name: str | None = None,
        executor: Executor | None = None,
        start_to_close: Duration | None = None,
        schedule_to_close: Duration | None = None,
        schedule_to_start: Duration | None = None,
        heartbeat: Duration | None = None,
        retry: Retry | None = None,
        task_queue: str | None = None,
        cancellation: CancellationWord = "try",
        priority: int | None = None,
        fairness_key: str | None = None,
        fairness_weight: float | None = None,
        limit_key: str = "",
        breaker: Breaker | None = None,
        affinity: Affinity | Mapping[str, str] | None = None,
    ) -> ActivityDecorator: ...
    def activity(
        self,
        fn: Callable[..., Any] | None = None,
        *,
        name: str | None = None,
        executor: Executor | None = None,
        start_to_close: Duration | None = None,
        schedule_to_close: Duration | None = None,
        schedule_to_start: Duration | None = None,
        heartbeat: Duration | None = None,
        retry: Retry | None = None,
        task_queue: str | None = None,
        cancellation: CancellationWord = "try",
        priority: int | None = None,
        fairness_key: str | None = None,
        fairness_weight: float | None = None,
        limit_key: str = "",
        breaker: Breaker | None = None,
        affinity: Affinity | Mapping[str, str] | None = None,
    ) -> Any:
        """Declare an activity: a function with effects, called by workflows, tried again when it fails.

        Use it bare, ``@app.activity``, or with options. An ``async`` function runs on the event loop, a plain one in
        a thread, or in a process of its own kind with ``executor="process"``.

        Args:
            name: the activity type in histories; without it, the function's name. Keep it when you rename the function.
            executor: "async", "thread" or "process".
            start_to_close: how long one attempt may take; a timedelta or seconds, None for no limit.
            schedule_to_close: how long all attempts may take together.
            schedule_to_start: how long it may wait for a worker.
            heartbeat: the longest silence between two calls of ``activity.heartbeat``; after it the attempt counts as
                lost.
            retry: when a failed attempt is tried again; without it, for ever, after 1 s, 2 s, 4 s ... up to 100 s.
            task_queue: where its workers are; None for the queue of the workflow that calls.
            cancellation: what the workflow does when its wait is cancelled: "try" asks the activity to stop and goes
                on (the default), "wait" asks and waits until it has stopped, "abandon" lets it run.
            priority: who goes first where more wait on the task queue than can run: 1 (first) to 5 (last); 3 without.
            fairness_key: for example a customer. Among equals, those who wait get equal shares by this key.
            fairness_weight: makes the key's share larger or smaller; 1 without.
            limit_key: what the task queue's limits by key count, for example a customer or a host.
            breaker: leaves a service alone for a while that keeps failing; None for never.
            affinity: which workers take it, by their labels, such as ``{"gpu": "a100"}``; any worker without.

        Raises:
            InvalidArgumentError: a value makes no sense, or the name is taken.
        """
        options = activity_options(
            ActivityOptions(),
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

        def declare(fn: Callable[..., Any]) -> Activity[..., Any]:
            _check_function(fn, "activity", name)
            activity: Activity[..., Any] = Activity(
                define_activity(fn, name=name, executor=executor, options=options), self
            )
            self._check_name(self.activities, activity.name, "activity")
            if executor == "process":
                _check_importable(activity)
            self.activities[activity.name] = activity
            if task_queue is not None:
                self.note_task_queue(task_queue)
            return activity

        return declare if fn is None else declare(fn)

    # --- workflows

    @overload
    def workflow(self, target: type[C], /) -> type[C]: ...  # type: ignore[overload-overlap]
    @overload
    def workflow(self, target: Callable[P, Coroutine[Any, Any, R]], /) -> Workflow[P, R]: ...
    @overload
    def workflow(
        self,
        *,
        name: str | None = None,
        task_queue: str | None = None,
        execution_timeout: Duration | None = None,
        run_timeout: Duration | None = None,
        task_timeout: Duration | None = None,
        retry: Retry | None = None,
        failure_types: tuple[type[BaseException], ...] = (),
        affinity: Affinity | Mapping[str, str] | None = None,
    ) -> WorkflowDecorator: ...
    def workflow(
        self,
        target: Any = None,
        *,
        name: str | None = None,
        task_queue: str | None = None,
        execution_timeout: Duration | None = None,
        run_timeout: Duration | None = None,
        task_timeout: Duration | None = None,
        retry: Retry | None = None,
        failure_types: tuple[type[BaseException], ...] = (),
        affinity: Affinity | Mapping[str, str] | None = None,
    ) -> Any:
        """Declare a workflow: an ``async`` function, or a class with an ``async`` method ``run``.

        Use it bare, ``@app.workflow``, or with options; whoever starts a run may choose others.

        Args:
            name: the workflow type in histories; without it, the name of the function or class.
            task_queue: where its workers are; None for the app's.
            execution_timeout: how long it may take with all its retries and continuations; a timedelta or seconds,
                None for no limit.
            run_timeout: how long one run of it may take.
            task_timeout: how long one turn of its code may take.
            retry: tries the whole workflow again when it fails; None for never.
            failure_types: exceptions that fail the run, besides the app's own.
            affinity: which workers take its turns, by their labels, such as ``{"zone": "eu"}``; any worker without.

        Raises:
            InvalidArgumentError: a value makes no sense, or the name is taken.
        """
        if task_queue is not None:
            checked_name("task_queue", task_queue)
        options = WorkflowOptions(
            task_queue=task_queue,
            execution_timeout_ns=time_limit("execution_timeout", execution_timeout),
            run_timeout_ns=time_limit("run_timeout", run_timeout),
            task_timeout_ns=time_limit("task_timeout", task_timeout),
            retry_policy=policy_of(retry),
            failure_types=(*self.failure_types, *failure_types),
            affinity=affinity_option(affinity),
        )

        def declare(target: Any) -> Any:
            if isinstance(target, type):
                _check_parameters(getattr(target, "run", None), f"workflow class {target.__qualname__}")
            else:
                _check_function(target, "workflow", name)
            definition = define_workflow(target, name=name, options=options)
            self._check_name(self.workflows, definition.name, "workflow")
            self.workflows[definition.name] = definition
            if task_queue is not None:
                self.note_task_queue(task_queue)
            if not isinstance(target, type):
                return Workflow(definition, self)
            target.__perdure_workflow__ = definition  # type: ignore[attr-defined]
            target.__perdure_app__ = self  # type: ignore[attr-defined]
            return target

        return declare if target is None else declare(target)

    # --- workflows in other languages

    def state_machine(
        self,
        source: str | os.PathLike[str] | Mapping[str, Any],
        *,
        name: str | None = None,
        task_queue: str | None = None,
        targets: Mapping[str, Activity[..., Any] | str] | None = None,
    ) -> Workflow[[Any], Any]:
        """Declare a workflow written in the Amazon States Language. It is a workflow like any other: it takes the
        execution's input as its one argument, and gives its output.

        A Task whose ``Resource`` is no ARN is the activity of that name. One whose Resource is the ARN of a Lambda
        function is the activity with the function's name, if the app has one when a run begins.

        Args:
            source: a file, or the definition itself as a dict.
            name: the workflow type in histories; without it, the file's name up to its first dot.
            task_queue: where its workers are; None for the app's.
            targets: activities, or their names, that stand for other Resources.

        Raises:
            InvalidArgumentError: the definition is wrong, and where, or the name is taken; or the app has a codec, which
                the machine's interpreter does not know.
            OSError: the file can't be read.
        """
        if self.converter.codecs:
            raise InvalidArgumentError(
                f"app {self.name!r} has codecs, and a state machine's interpreter reads values as they are: declare it in "
                "an app without codecs"
            )
        if isinstance(source, Mapping):
            if name is None:
                raise InvalidArgumentError(
                    "a state machine that is not in a file needs a name: state_machine(..., name=...)"
                )
            text, file = json.dumps(source), ""
        else:
            path = Path(source)
            text, file = path.read_text(encoding="utf-8"), str(path)
            name = name if name is not None else path.name.partition(".")[0]
        checked_name("name", name)
        if task_queue is not None:
            checked_name("task_queue", task_queue)
            self.note_task_queue(task_queue)
        chosen = {arn: _target_of(arn, activity) for arn, activity in (targets or {}).items()}
        written = language("asl").read(text, name, file, chosen)

        async def run(input: Any = None) -> Any:
            raise NotImplementedError("a state machine's code is its definition")

        run.__name__ = run.__qualname__ = name
        run.__doc__ = written.comment or f"The state machine {name}."
        options = WorkflowOptions(task_queue=task_queue, run_timeout_ns=round(written.run_timeout_seconds * 1e9))
        definition = replace(define_workflow(run, name=name, options=options), written=written)
        self._check_name(self.workflows, definition.name, "workflow")
        self.workflows[definition.name] = definition
        return Workflow(definition, self)

    def _check_name(self, taken: dict[str, Any], name: str, kind: str) -> None:
        if name in taken:
            raise InvalidArgumentError(
                f"app {self.name!r} has two {kind} types named {name!r}; give one of them another with "
                f"@app.{kind}(name=...)"
            )

    def __repr__(self) -> str:
        return f"<app {self.name!r}: {len(self.workflows)} workflows, {len(self.activities)} activities>"


def _target_of(resource: str, activity: Activity[..., Any] | str) -> tuple[str, str]:
    if isinstance(activity, str):
        return checked_name(f"targets[{resource!r}]", activity), ""
    if not isinstance(activity, Activity):
        raise InvalidArgumentError(f"targets[{resource!r}] is {activity!r}, and must be an activity or its name")
    return activity.name, activity.__perdure_options__.task_queue or ""


def _check_function(fn: Any, kind: str, name: str | None) -> None:
    """Refuse what cannot be called as an activity or workflow, as early as can be."""
    if isinstance(fn, (Activity, Workflow)):
        raise InvalidArgumentError(
            f"{fn!r} is declared already; declare the function itself, {fn.__name__}.fn, for a second app"
        )
    if not callable(fn) or isinstance(fn, type):
        raise InvalidArgumentError(f"@app.{kind} takes a function, not {fn!r}")
    if name is None and not hasattr(fn, "__name__"):
        raise InvalidArgumentError(f"{fn!r} has no name of its own; give it one with app.{kind}(name=...)(...)")
    label = f"{kind} {getattr(fn, '__qualname__', name)}"
    if inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
        raise InvalidArgumentError(f"{label} has a yield, but results are single values; return a list instead")
    _check_parameters(fn, label)


def _check_parameters(fn: Any, label: str) -> None:
    """Arguments are stored in order and without names, so every parameter must be one that can be given so."""
    if fn is None:
        return
    parameters = list(inspect.signature(fn).parameters.values())
    kinds = {parameter.kind for parameter in parameters}
    if inspect.Parameter.VAR_KEYWORD in kinds and inspect.Parameter.VAR_POSITIONAL in kinds:
        raise InvalidArgumentError(
            f"{label} takes (*args, **kwargs), so its types are unknown; if another decorator wraps it, that one needs "
            "functools.wraps"
        )
    if inspect.Parameter.VAR_KEYWORD in kinds:
        raise InvalidArgumentError(
            f"{label} takes **kwargs, but arguments are stored without names; take a dict instead"
        )
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
            raise InvalidArgumentError(
                f"{label} needs {parameter.name!r} by name, but arguments are stored without names; make it positional"
            )


def _check_importable(activity: Activity[..., Any]) -> None:
    """A worker process imports the function, so it must be found by name."""
    if "<" in activity.__qualname__:
        raise InvalidArgumentError(
            f"activity {activity.__qualname__} runs in another process, which must be able to import it: move it to "
            "the top level of its module"
        )
