"""How a start is described: its options, and the request that they make.

Whatever can be wrong with a start is found here, before anything is sent.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol, TypedDict, TypeVar

from perdure.model.errors import InvalidArgumentError
from perdure.model.options import DEFAULT_TASK_QUEUE, IdConflict, IdReuse, RetryPolicy
from perdure.model.requests import SignalWorkflow, StartWorkflow, UpdateWorkflow
from perdure.sdk.affinity import Affinity, affinity_option
from perdure.sdk.app import App
from perdure.sdk.callables import DEFAULT_CHILD_OPTIONS, time_limit
from perdure.sdk.choices import ID_CONFLICT, ID_REUSE, IdConflictWord, IdReuseWord, choose
from perdure.sdk.converter import Converter
from perdure.sdk.definitions import ChildOptions, WorkflowDefinition, WorkflowOptions
from perdure.sdk.durations import Duration, to_ns
from perdure.sdk.names import checked_name, checked_names, checked_text
from perdure.sdk.random_ids import new_id
from perdure.sdk.references import Message
from perdure.sdk.retry import Retry

A = TypeVar("A", contravariant=True)
B = TypeVar("B", contravariant=True)
R_co = TypeVar("R_co", covariant=True)

_JUST_ID = frozenset({"id"})
_NAMES = frozenset({"task_queue", "namespace"})
_BY_NAME = frozenset({"memo", "search_attributes"})


class StartOptions(TypedDict, total=False):
    """How a run is started. Durations are timedeltas or seconds.

    Keys:
        id: the workflow id; made up if not given.
        id_conflict: when a run of that id is open: "use" it (the default), "fail", or "terminate" it and start another.
        id_reuse: when the last run of that id is closed: "allow" another (the default), "allow_if_failed", or "reject".
        task_queue: where its workers are; else the workflow's own, or its app's.
        namespace: the space of the workflow id; else the client's.
        execution_timeout: how long it may take with all its retries and continuations; None for no limit.
        run_timeout: how long one run of it may take.
        task_timeout: how long one turn of its code may take.
        retry: tries the whole workflow again when it fails.
        start_delay: how long to wait before its first turn.
        cron_schedule: when another run follows one that has ended: five fields of cron, ``@hourly`` or ``@every 90m``, in
            UTC or after ``CRON_TZ=Europe/Berlin``, until one is cancelled or terminated. Schedules can do more.
        memo: notes for people, by name.
        search_attributes: values to find it by.
        request_id: makes it safe to send again; made up if not given.
        start_signal: a signal to deliver to the run, new or found: ``perdure.message(Loan.decide, decision)``.
        affinity: which workers take its turns, by their labels; the workflow's own if not given, else any.
        pin_build: the only build of the code that may take its turns, as an app's ``build_id`` names it; any if not given.
        result_type: the type of the result, for a workflow given by name.
    """

    id: str | None
    id_conflict: IdConflictWord
    id_reuse: IdReuseWord
    task_queue: str | None
    namespace: str | None
    execution_timeout: Duration | None
    run_timeout: Duration | None
    task_timeout: Duration | None
    retry: Retry | None
    start_delay: Duration | None
    cron_schedule: str
    memo: Mapping[str, Any] | None
    search_attributes: Mapping[str, Any] | None
    request_id: str
    start_signal: Message[Any] | None
    affinity: Affinity | Mapping[str, str] | None
    pin_build: str
    result_type: Any


class Runs0(Protocol[R_co]):
    """A workflow class whose ``run`` can be called without arguments."""

    def run(self) -> Coroutine[Any, Any, R_co]: ...


class Runs1(Protocol[A, R_co]):
    """A workflow class whose ``run`` can be called with one argument."""

    def run(self, first: A, /) -> Coroutine[Any, Any, R_co]: ...


class Runs2(Protocol[A, B, R_co]):
    """A workflow class whose ``run`` can be called with two arguments."""

    def run(self, first: A, second: B, /) -> Coroutine[Any, Any, R_co]: ...


class RunsAny(Protocol[R_co]):
    """A workflow class with any ``run``."""

    @property
    def run(self) -> Callable[..., Coroutine[Any, Any, R_co]]: ...


class Target:
    """What is to be started: a workflow as a client needs it, looked up once."""

    __slots__ = ("_is_plain", "_options", "_signature", "_task_queue", "converter", "name", "return_type")

    def __init__(self, name: str, definition: WorkflowDefinition | None, app: App | None, converter: Converter) -> None:
        self.name = name
        self.converter = app.converter if app is not None else converter
        self.return_type = definition.return_type if definition is not None else None
        options = definition.options if definition is not None else WorkflowOptions()
        limits = (options.execution_timeout_ns, options.run_timeout_ns, options.task_timeout_ns)
        self._options = options
        self._is_plain = not any(limits) and options.retry_policy is None and options.affinity is None
        self._signature = definition.signature if definition is not None else None
        self._task_queue = options.task_queue or (app.task_queue if app is not None else DEFAULT_TASK_QUEUE)

    def request(
        self,
        args: Sequence[Any],
        options: dict[str, Any],
        identity: str,
        update: UpdateWorkflow | None = None,
    ) -> StartWorkflow:
        """The request for a start with ``StartOptions``.

        Raises:
            InvalidArgumentError: an argument cannot become a payload, or an option makes no sense.
            LimitExceededError: an argument is too large.
            TypeError: the arguments do not fit, or there is no such option.
        """
        converter, own = self.converter, self._options
        if self._signature is not None:
            args = self._signature.bind(args, {})
        payloads = converter.to_payloads(args)
        workflow_id = options.get("id")
        workflow_id = new_id() if workflow_id is None else checked_name("id", workflow_id)
        if self._is_plain and update is None and options.keys() <= _JUST_ID:
            # By far the most starts are of this kind.
            request_id = new_id()
            return StartWorkflow(workflow_id, self.name, self._task_queue, payloads, request_id, identity=identity)
        if unknown := options.keys() - StartOptions.__annotations__.keys():
            raise TypeError(f"start() has no option {', '.join(sorted(unknown))}; see perdure.StartOptions")
        for name in _NAMES & options.keys():
            if options[name] is not None:
                checked_name(name, options[name])
        for name in _BY_NAME & options.keys():
            if options[name]:
                checked_names(name, options[name])
        return StartWorkflow(
            workflow_id=workflow_id,
            workflow_type=self.name,
            task_queue=options.get("task_queue") or self._task_queue,
            input=payloads,
            request_id=checked_text("request_id", options.get("request_id", "")) or new_id(),
            id_reuse=choose("id_reuse", ID_REUSE, options.get("id_reuse", IdReuse.ALLOW)),
            id_conflict=choose("id_conflict", ID_CONFLICT, options.get("id_conflict", IdConflict.USE)),
            execution_timeout_ns=_limit(options, "execution_timeout", own.execution_timeout_ns),
            run_timeout_ns=_limit(options, "run_timeout", own.run_timeout_ns),
            task_timeout_ns=_limit(options, "task_timeout", own.task_timeout_ns),
            retry_policy=_policy(options, own.retry_policy),
            start_delay_ns=delay_ns(options.get("start_delay")),
            cron_schedule=checked_text("cron_schedule", options.get("cron_schedule", "")),
            memo=converter.to_payload_map(options.get("memo")),
            search_attributes=converter.to_search_attributes(options.get("search_attributes")),
            identity=identity,
            signal=_signal(options.get("start_signal"), converter, identity),
            update=update,
            pinned_build_id=checked_text("pin_build", options.get("pin_build", "")),
            affinity=affinity_option(options.get("affinity", own.affinity)),
        )


def with_own_options(workflow: Any, options: dict[str, Any]) -> dict[str, Any]:
    """The options of a start, after those that were set by ``Workflow.options``, as far as they mean something here."""
    chosen = getattr(workflow, "__perdure_options__", DEFAULT_CHILD_OPTIONS)
    return options if chosen is DEFAULT_CHILD_OPTIONS else {**_start_options_of(chosen), **options}


def _start_options_of(chosen: ChildOptions) -> dict[str, Any]:
    fields = {
        "id": chosen.id,
        "task_queue": chosen.task_queue,
        "namespace": chosen.namespace or None,
        "execution_timeout": chosen.execution_timeout_ns / 1e9 or None,
        "run_timeout": chosen.run_timeout_ns / 1e9 or None,
        "task_timeout": chosen.task_timeout_ns / 1e9 or None,
        "retry": chosen.retry_policy,
        "id_reuse": chosen.id_reuse,
        "memo": chosen.memo,
        "search_attributes": chosen.search_attributes,
        "affinity": chosen.affinity,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _signal(message: Message[Any] | None, converter: Converter, identity: str) -> SignalWorkflow | None:
    if message is None:
        return None
    if not isinstance(message, Message) or message.kind not in ("signal", "message"):
        raise InvalidArgumentError(
            f"start_signal={message!r} is not a signal: pass perdure.message(Loan.decide, ...), or "
            "perdure.message('decide', ...)"
        )
    return SignalWorkflow(message.name, converter.to_payloads(message.args), None, new_id(), identity)


def _limit(options: dict[str, Any], name: str, otherwise: int) -> int:
    return time_limit(name, options[name]) if name in options else otherwise


def _policy(options: dict[str, Any], otherwise: RetryPolicy | None) -> RetryPolicy | None:
    retry = options.get("retry", otherwise)
    if isinstance(retry, Retry):
        return retry.policy
    if retry is not None and not isinstance(retry, RetryPolicy):
        raise InvalidArgumentError(f"retry={retry!r} must be a perdure.Retry, or None for never")
    return retry


def delay_ns(delay: Duration | None) -> int:
    """How long a start waits. Raises ``InvalidArgumentError``."""
    if delay is None:
        return 0
    ns = to_ns(delay)
    if ns < 0:
        raise InvalidArgumentError(f"start_delay={delay!r} must not be negative")
    return ns
