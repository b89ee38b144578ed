"""What the protocol is put together from, and what it asks of the language that state machines are written in."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import msgspec

from perdure.model.access import Gate
from perdure.model.events import Event
from perdure.model.ids import RunAddress
from perdure.model.program import PollActivity
from perdure.model.requests import StartWorkflow
from perdure.protocols.stepfunctions.calling.web import Exchange
from perdure.protocols.stepfunctions.mocks import Mocks
from perdure.protocols.stepfunctions.registry import Registry
from perdure.protocols.stepfunctions.shapes import ServiceModel


class Bounds(msgspec.Struct, frozen=True):
    """How much a caller may ask. Sizes are bytes, times seconds."""

    body_bytes: int = 4 * 1024 * 1024
    body_seconds: float = 30.0
    poll_seconds: float = 60.0
    """How long GetActivityTask waits for a task."""
    sync_seconds: float = 300.0
    """How long StartSyncExecution waits: as long as an EXPRESS execution may take."""
    trial_seconds: float = 300.0
    """How long a task may take that TestState tries."""
    token_seconds: float = 5.0
    """How long the end of a task is kept waiting that can't be ended yet."""
    clock_skew_seconds: float = 300.0
    """How old, or how far ahead, a signature may be."""


class Outcome(Protocol):
    """How an execution stands at its end, in AWS's words."""

    @property
    def status(self) -> str: ...
    @property
    def output(self) -> str | None: ...
    @property
    def error(self) -> str | None: ...
    @property
    def cause(self) -> str | None: ...


class Turn(Protocol):
    """What AWS shows of one event of a run; a turn's began at ``started_time``, in ns since 1970."""

    @property
    def event_id(self) -> int: ...
    @property
    def started_time(self) -> int: ...
    @property
    def events(self) -> list[dict[str, Any]]: ...


class Start(NamedTuple):
    """What an execution is started with. ``start_time`` is ISO 8601; ``missing`` are activities that are not there."""

    definition: str
    name: str
    arn: str
    role_arn: str
    machine_name: str
    machine_arn: str
    type: str
    region: str
    account: str
    start_time: str
    test_case: str = ""
    mocked: Sequence[str] = ()
    missing: Sequence[str] = ()


class LanguageRefusal(Exception):
    """The language can't do what was asked, and says so in AWS's words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Asked(Protocol):
    """What a tried state's task asks for."""

    @property
    def resource(self) -> str: ...
    @property
    def parameters(self) -> Any: ...
    @property
    def timeout_seconds(self) -> float | None: ...


class Tried(Protocol):
    """One state that was tried: its answer, or what its task asks for first."""

    @property
    def answer(self) -> dict[str, Any] | None: ...
    @property
    def call(self) -> Asked | None: ...

    def answered(self, result: Any) -> dict[str, Any]:
        """The answer, once the task has given a result."""
        ...

    def failed(self, error: str, cause: str) -> dict[str, Any]:
        """The answer, once the task has failed."""
        ...


class Language(Protocol):
    """The Amazon States Language, as far as this protocol needs it. All of it is pure."""

    def diagnostics(self, definition: str, type: str) -> Sequence[Mapping[str, str]]:
        """What is wrong with a definition: severity, code, message and location, as ValidateStateMachineDefinition
        shows them."""
        ...

    def refusal(self, definition: str, type: str) -> str | None:
        """The message with which a definition is refused; None for a good one."""
        ...

    def input_refusal(self, text: str) -> str | None:
        """What is wrong with an execution's input, in the words of AWS's parser; None for JSON."""
        ...

    def test_state(self, request: Mapping[str, Any], account: str, region: str, now: float, seed: str) -> "Tried":
        """Try one state, at a time in seconds since 1970; random numbers follow from the seed. Raises
        ``LanguageRefusal``."""
        ...

    def variable_references(self, definition: str) -> Mapping[str, Sequence[str]]:
        """By the name of a state, the variables that it refers to."""
        ...

    def start(self, start: Start, input: str) -> StartWorkflow:
        """The request that starts an execution."""
        ...

    def started(self, event: Event) -> tuple[Start, str]:
        """What an execution was started with, and its input, from its first event."""
        ...

    def history(self, events: Sequence[Event], number: int, started_time: int) -> "Sequence[Turn]":
        """AWS's events by turns, from the run's events from some place on: behind AWS's event of this number, in a turn that
        began at this time, in ns since 1970."""
        ...

    def begins_turn(self, event: Event) -> bool:
        """Whether a turn begins with an event of a run: ``history`` may begin there."""
        ...

    def redrive_reason(self, status: str) -> str:
        """The reason of the reset by which an execution, of this status, hears that it is redriven."""
        ...

    def outcome(self, closing: Event) -> Outcome:
        """How an execution ended, from the run's last event."""
        ...

    def task_of(self, token: str) -> tuple[RunAddress, str] | None:
        """The run that made a task token, and the id of the activity that waits for it; None for another's token."""
        ...


@dataclass
class Parts:
    """What the operations work with.

    Attributes:
        gate: knows the callers.
        model: AWS's description of the API.
        registry: state machines and activities.
        language: what definitions are written in.
        poll_activity: where activities' tasks come from.
        namespace: where executions run, and whose roles decide.
        account: of whoever's access key is no account's number.
        region: of whoever signs for none.
        mocks: the mock file.
        has_authentication: whether callers must sign.
        allowed_hosts: the names that it answers to; None for any.
        now: seconds since 1970.
        call_task: does what a task asks for, of a resource, parameters, an account and a region, and tells an exchange what
            a call of an HTTP API says and hears. Raises ``TaskFailed``.
        signal_all: sends all runs that a filter names a signal, by a job of this id that outlives the server; the same again
            is the same job.
    """

    gate: Gate
    model: ServiceModel
    registry: Registry
    language: Language
    poll_activity: PollActivity
    namespace: str
    account: str
    region: str
    mocks: Mocks
    now: Callable[[], float]
    has_authentication: bool = False
    allowed_hosts: frozenset[str] | None = None
    bounds: Bounds = field(default_factory=Bounds)
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    call_task: Callable[[str, Any, str, str, Exchange], Awaitable[Any]] | None = None
    signal_all: Callable[[str, str, str], Awaitable[None]] | None = None
