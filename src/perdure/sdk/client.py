"""``Client``: starts workflows, finds them, and completes activities from outside.

It is written against the ``Service`` port, so it is the same for an engine in this process and for one behind a
server. Arguments become payloads before anything is sent: what cannot be sent fails here, at the caller.
"""

import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Self, TypeVar, TypeVarTuple, Unpack, overload

from perdure.model.errors import InvalidArgumentError
from perdure.model.failures import Failure
from perdure.model.ids import RunAddress
from perdure.model.namespaces import Quota
from perdure.model.options import DEFAULT_NAMESPACE, RunStatus
from perdure.model.requests import (
    CancelActivity,
    CompleteActivity,
    FailActivity,
    HeartbeatActivity,
    StartWorkflow,
    UpdateWorkflow,
)
from perdure.model.search import CUSTOM_TYPES
from perdure.model.service import Namespace, NamespaceDescription, RunCount, Service
from perdure.model.task_tokens import TaskToken
from perdure.sdk.app import App
from perdure.sdk.batches.client import Batches
from perdure.sdk.callables import Activity, Workflow, time_limit
from perdure.sdk.choices import STATUS, AttributeWord, choose
from perdure.sdk.converter import Converter
from perdure.sdk.definitions import workflow_definition_of
from perdure.sdk.descriptions import RunInfo, counts_by_value
from perdure.sdk.durations import Duration
from perdure.sdk.failures import to_failure
from perdure.sdk.handles import Run
from perdure.sdk.names import checked_filter, checked_name, checked_names, checked_text
from perdure.sdk.operations import named_operation
from perdure.sdk.random_ids import new_id
from perdure.sdk.references import Message
from perdure.sdk.replay import History
from perdure.sdk.results import result_of
from perdure.sdk.schedules.client import Schedules
from perdure.sdk.schedules.definition import SYSTEM_NAMESPACE
from perdure.sdk.starting import Runs0, Runs1, Runs2, RunsAny, StartOptions, Target, with_own_options
from perdure.sdk.starting_activities import StartActivityOptions, activity_request
from perdure.sdk.starting_operations import StartOperationOptions, operation_request
from perdure.sdk.task_queues import TaskQueues
from perdure.sdk.updates import STAGES, UpdateHandle, UpdateWait

A = TypeVar("A")
B = TypeVar("B")
R = TypeVar("R")
T = TypeVar("T")
Args = TypeVarTuple("Args")

LIST_PAGE = 100

Statuses = str | RunStatus | Sequence[str | RunStatus] | None


class Client:
    """Starts workflows and talks to them.

    Args:
        service: the engine, or a connection to one.
        namespace: where its workflows are.
        converter: for workflows given by name, and for whatever belongs to no workflow.
        apps: where workflows given by name are looked up for the types of their results.
        identity: who it is, in histories; process id and host name without it.
        close: lets go of the connection.
    """

    def __init__(
        self,
        service: Service,
        namespace: str = DEFAULT_NAMESPACE,
        converter: Converter | None = None,
        apps: Sequence[App] = (),
        *,
        identity: str | None = None,
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._service = service
        self._close = close
        self._namespace = namespace
        self._apps = tuple(apps)
        self._converter = converter or (self._apps[0].converter if self._apps else Converter())
        self._identity = identity if identity is not None else f"{os.getpid()}@{socket.gethostname()}"
        self._targets: dict[Any, Target] = {}

    @property
    def service(self) -> Service:
        """The engine, or the connection to one."""
        return self._service

    async def close(self) -> None:
        """Let go of the server, for a client of ``perdure.connect``; one of ``perdure.open`` has nothing to close."""
        if self._close is not None:
            await self._close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def namespace(self) -> str:
        """Where its workflows are."""
        return self._namespace

    @property
    def task_queues(self) -> TaskQueues:
        """The limits of its task queues, and how they stand."""
        return TaskQueues(self._service, self._namespace)

    def with_namespace(self, namespace: str) -> "Client":
        """The same client in another namespace."""
        return Client(self._service, namespace, self._converter, self._apps, identity=self._identity)

    @property
    def schedules(self) -> Schedules:
        """The schedules of its namespace: workflows started by the clock."""
        return Schedules(self._service, self._namespace, self._identity, self._target)

    @property
    def batches(self) -> Batches:
        """Jobs that do one thing to many runs of its namespace."""
        return Batches(self._service, self._namespace, self._identity, self._converter.to_payloads)

    # --- starting

    @overload
    async def start(
        self,
        workflow: Callable[[*Args], Coroutine[Any, Any, R]],
        /,
        *args: *Args,
        **options: Unpack[StartOptions],
    ) -> Run[R]: ...
    @overload
    async def start(self, workflow: type[Runs0[R]], /, **options: Unpack[StartOptions]) -> Run[R]: ...
    @overload
    async def start(self, workflow: type[Runs1[A, R]], first: A, /, **options: Unpack[StartOptions]) -> Run[R]: ...
    @overload
    async def start(
        self, workflow: type[Runs2[A, B, R]], first: A, second: B, /, **options: Unpack[StartOptions]
    ) -> Run[R]: ...
    @overload
    async def start(
        self,
        workflow: type[RunsAny[R]],
        first: Any,
        second: Any,
        third: Any,
        /,
        *args: Any,
        **options: Unpack[StartOptions],
    ) -> Run[R]: ...
    @overload
    async def start(self, workflow: str, /, *args: Any, **options: Unpack[StartOptions]) -> Run[Any]: ...
    async def start(self, workflow: Any, /, *args: Any, **options: Any) -> Run[Any]:  # type: ignore[misc]  # *Args
        """Start a workflow; return once that is recorded.

        Args:
            workflow: a workflow function or class, or the name of its type.
            args: its arguments.
            options: see ``StartOptions``. With ``id``, starting again gives the same run, unless ``id_conflict`` or
                ``id_reuse`` say otherwise.

        Returns:
            The run; ``is_new`` says whether this call started it.

        Raises:
            AlreadyExistsError: the workflow id is taken, and the options say that this matters.
            InvalidArgumentError: an argument cannot become a payload, or an option makes no sense; nothing was sent.
            LimitExceededError: an argument is too large.
            TypeError: the arguments do not fit the workflow, or there is no such option.
        """
        target = self._target(workflow)
        options = with_own_options(workflow, options)
        return await self._start(target, target.request(args, options, self._identity), options)

    @overload
    async def execute(
        self,
        workflow: Callable[[*Args], Coroutine[Any, Any, R]],
        /,
        *args: *Args,
        **options: Unpack[StartOptions],
    ) -> R: ...
    @overload
    async def execute(self, workflow: type[Runs0[R]], /, **options: Unpack[StartOptions]) -> R: ...
    @overload
    async def execute(self, workflow: type[Runs1[A, R]], first: A, /, **options: Unpack[StartOptions]) -> R: ...
    @overload
    async def execute(
        self, workflow: type[Runs2[A, B, R]], first: A, second: B, /, **options: Unpack[StartOptions]
    ) -> R: ...
    @overload
    async def execute(
        self,
        workflow: type[RunsAny[R]],
        first: Any,
        second: Any,
        third: Any,
        /,
        *args: Any,
        **options: Unpack[StartOptions],
    ) -> R: ...
    @overload
    async def execute(self, workflow: str, /, *args: Any, **options: Unpack[StartOptions]) -> Any: ...
    async def execute(self, workflow: Any, /, *args: Any, **options: Any) -> Any:  # type: ignore[misc]  # *Args
        """Start a workflow and wait for its result: ``start``, then ``Run.result``, in one request.

        Raises:
            AlreadyExistsError: ``id_reuse`` or ``id_conflict`` does not allow the start.
            WorkflowFailedError: it ended in another way. ``status`` says how, ``__cause__`` says why.
        """
        target = self._target(workflow)
        options = with_own_options(workflow, options)
        request = target.request(args, options, self._identity)
        run_id, closing = await self._service.execute(options.get("namespace") or self._namespace, request)
        return_type = options.get("result_type", target.return_type)
        return result_of(request.workflow_id, run_id, closing, return_type, target.converter)

    @overload
    async def update_with_start(
        self,
        update: Message[T],
        workflow: Callable[[*Args], Coroutine[Any, Any, R]],
        /,
        *args: *Args,
        wait: UpdateWait = "completed",
        update_id: str = "",
        **options: Unpack[StartOptions],
    ) -> UpdateHandle[T]: ...
    @overload
    async def update_with_start(
        self,
        update: Message[T],
        workflow: type[RunsAny[R]] | str,
        /,
        *args: Any,
        wait: UpdateWait = "completed",
        update_id: str = "",
        **options: Unpack[StartOptions],
    ) -> UpdateHandle[T]: ...
    async def update_with_start(  # type: ignore[misc]  # *Args
        self,
        update: Message[Any],
        workflow: Any,
        /,
        *args: Any,
        wait: UpdateWait = "completed",
        update_id: str = "",
        **options: Any,
    ) -> UpdateHandle[Any]:
        """Start a workflow, or find the open one of that id, and send it an update in the same breath.

        Args:
            update: the update: ``perdure.message(Loan.add_document, "passport.pdf")``.
            workflow: a workflow class, or the name of its type.
            args: the workflow's arguments.
            wait: how far the update must have come: "admitted", "accepted" or "completed".
            update_id: unique in the run; the same again gives the answer of the first. Made up if not given.
            options: see ``StartOptions``; ``id`` is what finds the run.

        Returns:
            A handle: ``result`` waits for the update's answer, ``run`` is the run.

        Raises:
            AlreadyExistsError: ``id_reuse`` or ``id_conflict`` does not allow the start.
        """
        if update.kind not in ("update", "message"):
            raise InvalidArgumentError(f"{update!r} cannot be sent as an update; use start(..., start_signal=...)")
        stage = choose("wait", STAGES, wait)
        target = self._target(workflow)
        options = with_own_options(workflow, options)
        payloads = target.converter.to_payloads(update.args)
        sent = UpdateWorkflow(
            checked_text("update_id", update_id) or new_id(), update.name, payloads, None, self._identity
        )
        run = await self._start(target, target.request(args, options, self._identity, sent), options)
        handle: UpdateHandle[Any] = UpdateHandle(run, sent, update.return_type)
        await handle.wait(stage)
        return handle

    @overload
    async def start_activity(
        self, activity: Activity[..., R], /, *args: Any, **options: Unpack[StartActivityOptions]
    ) -> Run[R]: ...
    @overload
    async def start_activity(
        self, activity: str, /, *args: Any, **options: Unpack[StartActivityOptions]
    ) -> Run[Any]: ...
    async def start_activity(self, activity: Any, /, *args: Any, **options: Any) -> Run[Any]:
        """Start an activity that no workflow asks for; return once that is recorded.

        Args:
            activity: an activity, or the name of its type.
            args: its arguments.
            options: see ``StartActivityOptions``. What an activity's own ``options(...)`` say holds unless it is said here.

        Returns:
            Its run, which ends as the activity does: ``result`` waits for that, ``cancel`` asks it to stop.

        Raises:
            AlreadyExistsError: the id is taken, and the options say that this matters.
            InvalidArgumentError: an argument cannot become a payload, or an option makes no sense; nothing was sent.
            TypeError: the arguments do not fit the activity, or there is no such option.
        """
        is_named = isinstance(activity, str)
        converter = self._converter if is_named else activity.app.converter
        request = activity_request(activity, args, options, converter, self._identity)
        namespace = options.get("namespace") or self._namespace
        return_type = None if is_named else activity.__perdure_activity__.return_type
        answer = await self._service.start(namespace, request)
        return Run(
            self._service,
            converter,
            self._identity,
            namespace,
            request.workflow_id,
            answer.run_id,
            options.get("result_type", return_type),
            answer.is_new,
        )

    @overload
    async def execute_activity(
        self, activity: Activity[..., R], /, *args: Any, **options: Unpack[StartActivityOptions]
    ) -> R: ...
    @overload
    async def execute_activity(self, activity: str, /, *args: Any, **options: Unpack[StartActivityOptions]) -> Any: ...
    async def execute_activity(self, activity: Any, /, *args: Any, **options: Any) -> Any:
        """Start an activity that no workflow asks for, and wait for its result: ``start_activity``, then ``Run.result``.

        Raises:
            AlreadyExistsError: ``id_reuse`` or ``id_conflict`` does not allow the start.
            WorkflowFailedError: it ended in another way. ``status`` says how, ``__cause__`` says why.
        """
        return await (await self.start_activity(activity, *args, **options)).result()

    @overload
    async def start_operation(
        self,
        operation: Activity[..., R] | Workflow[..., R],
        input: Any = None,
        /,
        **options: Unpack[StartOperationOptions],
    ) -> Run[R]: ...
    @overload
    async def start_operation(
        self, operation: str | type[Any], input: Any = None, /, **options: Unpack[StartOperationOptions]
    ) -> Run[Any]: ...
    async def start_operation(self, operation: Any, input: Any = None, /, **options: Any) -> Run[Any]:
        """Ask for an operation; return once that is recorded.

        Args:
            operation: ``"Service/operation"``, or the activity or workflow of that name.
            input: its one argument.
            options: see ``StartOperationOptions``.

        Returns:
            Its run, which ends as the operation does: ``result`` waits for that, ``cancel`` asks it to stop.

        Raises:
            AlreadyExistsError: the id is taken, and the options say that this matters.
            InvalidArgumentError: the input cannot become a payload, or an option makes no sense; nothing was sent.
            TypeError: there is no such option.
        """
        request = operation_request(operation, input, options, self._converter, self._identity)
        namespace = options.get("namespace") or self._namespace
        return_type = named_operation(operation, "", options.get("result_type")).return_type
        answer = await self._service.start(namespace, request)
        return Run(
            self._service,
            self._converter,
            self._identity,
            namespace,
            request.workflow_id,
            answer.run_id,
            return_type,
            answer.is_new,
        )

    async def execute_operation(
        self, operation: Any, input: Any = None, /, **options: Unpack[StartOperationOptions]
    ) -> Any:
        """Ask for an operation, and wait for its result: ``start_operation``, then ``Run.result``.

        Raises:
            AlreadyExistsError: ``id_reuse`` or ``id_conflict`` does not allow the start.
            WorkflowFailedError: it ended in another way. ``status`` says how, ``__cause__`` says why.
        """
        return await (await self.start_operation(operation, input, **options)).result()

    async def _start(self, target: Target, request: StartWorkflow, options: dict[str, Any]) -> Run[Any]:
        namespace = options.get("namespace") or self._namespace
        answer = await self._service.start(namespace, request)
        return Run(
            self._service,
            target.converter,
            self._identity,
            namespace,
            request.workflow_id,
            answer.run_id,
            options.get("result_type", target.return_type),
            answer.is_new,
        )

    # --- finding

    @overload
    def get(self, id: str, run_id: str = "") -> Run[Any]: ...
    @overload
    def get(self, id: str, run_id: str = "", *, result_type: type[R]) -> Run[R]: ...
    def get(self, id: str, run_id: str = "", *, result_type: Any = None) -> Run[Any]:
        """A handle on a run that was started elsewhere. Nothing is sent.

        Args:
            id: the workflow id.
            run_id: the exact run; empty for the current one, whichever that is.
            result_type: the type of the result; JSON's own types without it.

        Raises:
            InvalidArgumentError: the id can't be one.
        """
        return Run(
            self._service,
            self._converter,
            self._identity,
            self._namespace,
            checked_name("id", id),
            checked_text("run_id", run_id),
            result_type,
            is_exact=bool(run_id),
        )

    def list(
        self,
        filter: str = "",
        *,
        status: Statuses = None,
        workflow_type: Any = None,
    ) -> AsyncIterator[RunInfo]:
        """Runs in this namespace, in the filter's order or else the newest first.

        Runs that start meanwhile do not shift the pages: none is listed twice or left out for that.

        Args:
            filter: which runs, such as ``"Amount > 10000 AND ExecutionStatus = 'Running' ORDER BY Amount DESC"``; the
                language is in docs/search.md.
            status: only runs that are so: "running", "completed", "failed", "canceled", "terminated",
                "continued_as_new", "timed_out" or "paused"; or several of these.
            workflow_type: only runs of this workflow: a function, a class or a name.

        Raises:
            InvalidArgumentError: an argument makes no sense; for a filter, it says where and what was expected.
        """
        return self._list(checked_filter(filter), *self._narrowing(status, workflow_type))

    async def _list(self, filter: str, statuses: Sequence[RunStatus], workflow_type: str) -> AsyncIterator[RunInfo]:
        cursor = ""
        while True:
            page = await self._service.list(
                self._namespace,
                filter=filter,
                statuses=statuses,
                workflow_type=workflow_type,
                cursor=cursor,
                limit=LIST_PAGE,
            )
            for summary in page.runs:
                yield RunInfo(summary, self._converter)
            cursor = page.next_cursor
            if not cursor:
                return

    async def count(self, filter: str = "", *, status: Statuses = None, workflow_type: Any = None) -> int:
        """How many runs there are in this namespace.

        Args and errors are those of ``list``, but that a count has no order.
        """
        counted = await self._count(filter, status, workflow_type)
        if counted.attributes:
            raise InvalidArgumentError("A filter with GROUP BY has many counts: ask for them with client.count_by(...)")
        return counted.total

    async def count_by(self, filter: str, *, status: Statuses = None, workflow_type: Any = None) -> dict[Any, int]:
        """How many runs there are of each value, the most frequent first.

        Args:
            filter: with a GROUP BY: ``"ExecutionStatus = 'Running' GROUP BY BuildId"``.
            status, workflow_type: as for ``list``.

        Returns:
            The counts by value: a ``RunStatus`` for statuses, a datetime, a timedelta, a str, a number; None for runs
            without one. By several attributes, the keys are tuples.

        Raises:
            InvalidArgumentError: as ``list``.
        """
        counted = await self._count(filter, status, workflow_type)
        if not counted.attributes:
            raise InvalidArgumentError(
                'count_by needs a GROUP BY, such as "GROUP BY WorkflowType"; client.count has none'
            )
        return counts_by_value(counted)

    async def _count(self, filter: str, status: Statuses, workflow_type: Any) -> RunCount:
        statuses, name = self._narrowing(status, workflow_type)
        return await self._service.count(
            self._namespace, filter=checked_filter(filter), statuses=statuses, workflow_type=name
        )

    def _narrowing(self, status: Statuses, workflow_type: Any) -> tuple[Sequence[RunStatus], str]:
        words = () if status is None else (status,) if isinstance(status, (str, RunStatus)) else status
        statuses = [choose("status", STATUS, word) for word in words]
        return statuses, "" if workflow_type is None else self._target(workflow_type).name

    async def search_attributes(self) -> dict[str, str]:
        """The custom search attributes of this namespace, with their types, as ``add_search_attributes`` takes
        them."""
        return {name: str(type) for name, type in (await self._service.search_attributes(self._namespace)).items()}

    async def add_search_attributes(self, types: Mapping[str, AttributeWord]) -> None:
        """Fix the types of custom search attributes of this namespace; those of others are fixed by their first value.

        Args:
            types: "keyword", "text", "int", "float", "bool", "datetime" or "keyword_list", by name. The same again
                changes nothing. No first value makes a "text": strings are keywords unless this says otherwise.

        Raises:
            AlreadyExistsError: an attribute has another type.
            InvalidArgumentError: there is no such type, or the engine sets an attribute of that name.
        """
        checked_names("types", types)
        chosen = {name: choose(name, CUSTOM_TYPES, word) for name, word in types.items()}
        await self._service.add_search_attributes(self._namespace, chosen)

    async def remove_search_attributes(self, *names: str) -> None:
        """Let nobody set or filter by these any more, until they are added again, with the same type or another.

        What runs have stays in their histories. One that is not there is no error.

        Raises:
            InvalidArgumentError: the engine sets it.
        """
        await self._service.remove_search_attributes(self._namespace, names)

    # --- runs from elsewhere

    async def import_history(self, history: History) -> Run[Any]:
        """Bring in a run with the history that it had elsewhere, under its own workflow id and run id.

        A closed run comes as it was. An open one goes on from its last event as after a crash: a turn that was under way is
        taken again, and activities that had not ended begin with their first attempt; so end it there first. What it was to
        tell a parent is not told.

        Args:
            history: of ``run.fetch_history`` or ``History.from_file``.

        Raises:
            AlreadyExistsError: the workflow id has an open run here, or this very run is here.
            InvalidArgumentError: the history makes no sense, or the run waits for children, which are not here.
        """
        address = RunAddress(self._namespace, history.workflow_id, history.run_id)
        await self._service.import_run(address, history.events)
        return self.get(history.workflow_id, history.run_id)

    # --- activities that are completed from outside

    async def complete_activity(self, task_token: str, result: Any = None) -> None:
        """Hand in the result of an activity that left by ``activity.raise_complete_later``.

        Args:
            task_token: its ``activity.info().task_token``.
            result: what the workflow gets.

        Raises:
            NotFoundError, RunClosedError: the run, or this attempt, is over.
            InvalidArgumentError: the token is none, or the result cannot become a payload.
        """
        token = TaskToken.decode(task_token)
        payload = self._converter.to_payload(result)
        request = CompleteActivity(token.scheduled_event_id, token.attempt, (payload,), self._identity)
        await self._service.request(token.address, request)

    async def fail_activity(self, task_token: str, error: BaseException | str) -> None:
        """Fail such an activity, with an exception or a message; it is tried again as its retry policy says."""
        token = TaskToken.decode(task_token)
        failure = (
            Failure(checked_text("error", error)) if isinstance(error, str) else to_failure(error, self._converter)
        )
        await self._service.request(
            token.address, FailActivity(token.scheduled_event_id, token.attempt, failure, self._identity)
        )

    async def cancel_activity(self, task_token: str, *details: Any) -> None:
        """Report that such an activity has stopped because it was asked to."""
        token = TaskToken.decode(task_token)
        payloads = self._converter.to_payloads(details)
        await self._service.request(
            token.address, CancelActivity(token.scheduled_event_id, token.attempt, payloads, self._identity)
        )

    async def heartbeat_activity(self, task_token: str, *details: Any) -> bool:
        """Report that such an activity is alive, and how far it has come.

        Returns:
            Whether it was asked to stop; then call ``cancel_activity``.
        """
        token = TaskToken.decode(task_token)
        payloads = self._converter.to_payloads(details)
        await self._service.request(
            token.address, HeartbeatActivity(token.scheduled_event_id, token.attempt, payloads, self._identity)
        )
        description = await self._service.describe(token.address)
        return any(
            activity.scheduled_event_id == token.scheduled_event_id and activity.cancel_requested
            for activity in description.activities
        )

    # --- namespaces

    async def namespaces(self) -> Sequence[Namespace]:
        """All namespaces, by name, but for the engine's own."""
        return [found for found in await self._service.namespaces() if found.name != SYSTEM_NAMESPACE]

    async def set_namespace(
        self, name: str, *, retention: Duration | None = None, description: str = "", quota: Quota | None = None
    ) -> None:
        """Create a namespace, or change one: everything that is not given becomes as it is without it.

        Args:
            name: what it is called; without a colon.
            retention: how long closed runs are kept; a timedelta or seconds, None for ever.
            description: what it is for.
            quota: how much it may have of the engine; None for no limits.

        Raises:
            InvalidArgumentError: the name or a number can't be used.
        """
        checked_name("name", name)
        checked_text("description", description)
        await self._service.set_namespace(
            Namespace(name, time_limit("retention", retention), description, quota or Quota())
        )

    async def describe_namespace(self, name: str) -> NamespaceDescription:
        """What is set about a namespace, how many runs it has, and its search attributes. Raises ``NotFoundError``."""
        return await self._service.describe_namespace(name)

    async def delete_namespace(self, name: str, *, force: bool = False) -> None:
        """Remove a namespace with all that is in it. It takes nothing new from now on; its runs, and its schedules, are
        removed in the background, also after a restart, and then the namespace is gone.

        Args:
            name: which one; ``default`` is always there.
            force: also if it has open runs, which are terminated.

        Raises:
            InvalidArgumentError: it has open runs, or can't be deleted.
            NotFoundError: there is no such namespace.
        """
        await self._service.delete_namespace(name, force=force)

    # --- inside

    def _target(self, workflow: Any) -> Target:
        key = workflow if isinstance(workflow, str) else id(getattr(workflow, "__perdure_workflow__", None))
        target = self._targets.get(key)
        if target is None:
            target = self._targets[key] = self._look_up(workflow)
        return target

    def _look_up(self, workflow: Any) -> Target:
        if not isinstance(workflow, str):
            definition = workflow_definition_of(workflow)
            if definition.cls is not None and definition.cls is not workflow:
                raise InvalidArgumentError(
                    f"{workflow!r} is not a workflow itself, only its base class is; decorate it with @app.workflow too"
                )
            return Target(definition.name, definition, getattr(workflow, "__perdure_app__", None), self._converter)
        checked_name("the name of the workflow type", workflow)
        for app in self._apps:
            if workflow in app.workflows:
                return Target(workflow, app.workflows[workflow], app, self._converter)
        return Target(workflow, None, None, self._converter)
