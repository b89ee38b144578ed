"""Histories outside the engine: kept in files, and played against today's code."""

import gzip
import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from perdure.model import events as e
from perdure.model.errors import InvalidArgumentError, NonDeterminismError, NotAllowedInWorkflowError
from perdure.model.history_json import FORMAT, VERSION, event_from_object, event_to_object
from perdure.model.ids import RunAddress
from perdure.model.options import DEFAULT_NAMESPACE
from perdure.sdk.converter import Converter
from perdure.sdk.definitions import WorkflowDefinition, workflow_definition_of
from perdure.sdk.durations import Duration, to_seconds
from perdure.sdk.program import ProgramSettings, PythonProgram

_GZIP = b"\x1f\x8b"


class _Document(msgspec.Struct):
    workflow_id: str
    run_id: str
    events: list[dict[str, object]]
    namespace: str = DEFAULT_NAMESPACE
    about: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    format: str | msgspec.UnsetType = msgspec.UNSET
    version: int | msgspec.UnsetType = msgspec.UNSET


class History:
    """Everything that happened to one run: its events in order, and which run it is.

    Args:
        workflow_id: the run's workflow id.
        run_id: the run's own id.
        events: the events, from ``WorkflowExecutionStarted`` on.
        namespace: where the run is.
        about: anything else that is worth knowing of it, for people; kept in its file.

    Raises:
        InvalidArgumentError: the events do not begin with the start of a run.
    """

    __slots__ = ("about", "events", "namespace", "run_id", "workflow_id")

    def __init__(
        self,
        workflow_id: str,
        run_id: str,
        events: Sequence[e.Event],
        *,
        namespace: str = DEFAULT_NAMESPACE,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.events = tuple(events)
        self.namespace = namespace
        self.about = dict(about or {})
        if not self.events or not isinstance(self.events[0], e.WorkflowExecutionStarted):
            raise InvalidArgumentError("a history begins with the event WorkflowExecutionStarted")

    @property
    def started(self) -> e.WorkflowExecutionStarted:
        """The first event."""
        started = self.events[0]
        assert isinstance(started, e.WorkflowExecutionStarted)
        return started

    @property
    def address(self) -> RunAddress:
        """Which run it is."""
        return RunAddress(self.namespace, self.workflow_id, self.run_id)

    def to_json(self) -> bytes:
        """As an indented JSON document, to be kept in a file; ``from_json`` reads it back exactly."""
        document = _Document(
            self.workflow_id,
            self.run_id,
            [event_to_object(event) for event in self.events],
            self.namespace,
        )
        if self.about:
            document.about, document.format, document.version = self.about, FORMAT, VERSION
        return msgspec.json.format(msgspec.json.encode(document), indent=2)

    @classmethod
    def from_json(cls, data: bytes | str) -> "History":
        """Read a document of ``to_json``. Raises ``InvalidArgumentError`` when it is something else."""
        try:
            document = msgspec.json.decode(data, type=_Document)
        except msgspec.DecodeError as error:
            raise InvalidArgumentError(f"this is not a history: {error}") from error
        if document.version and document.version > VERSION:
            raise InvalidArgumentError(
                f"this history is in version {document.version} of its format, written by a newer Perdure; "
                f"this one reads up to version {VERSION}"
            )
        about = document.about if isinstance(document.about, dict) else None
        events = [event_from_object(item) for item in document.events]
        return cls(document.workflow_id, document.run_id, events, namespace=document.namespace, about=about)

    def to_file(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file, compressed if its name ends with ``.gz``. The file appears under its name when it is whole.

        Raises:
            OSError: it can't be written.
        """
        target = Path(path)
        data = self.to_json()
        if target.name.endswith(".gz"):
            data = gzip.compress(data, mtime=0)
        unfinished = target.with_name(f".{target.name}.{os.getpid()}.new")
        try:
            with unfinished.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> "History":
        """Read a file of ``to_file`` or ``perdure export``.

        Raises:
            OSError: it can't be read.
            InvalidArgumentError: it is something else.
        """
        data = Path(path).read_bytes()
        try:
            return cls.from_json(gzip.decompress(data) if data.startswith(_GZIP) else data)
        except (InvalidArgumentError, EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InvalidArgumentError(f"{os.fspath(path)}: {error}") from error

    def __repr__(self) -> str:
        return f"<history of {self.started.workflow_type!r} {self.workflow_id}: {len(self.events)} events>"


class Workflows(Protocol):
    """An app, as far as a replay is concerned."""

    workflows: dict[str, WorkflowDefinition]
    converter: Converter


def replay(
    code: Workflows | Iterable[object],
    history: History,
    *,
    converter: Converter | None = None,
    deadlock_timeout: Duration | None = 2.0,
) -> None:
    """Play a history against today's code: every turn is taken again, and nothing else happens.

    It all happens in the calling thread, before this returns, so a debugger can step through the workflow's code; time spent
    at its prompt does not count.

    Args:
        code: an app, or the decorated workflows of which one is the run's.
        history: what happened.
        converter: how payloads are read; without it, as the app does.
        deadlock_timeout: how long one turn may take; a timedelta or seconds, None for any time.

    Raises:
        NonDeterminismError: the code does something else than what the history says; the message names the first event
            that differs.
        InvalidArgumentError: there is no workflow of the history's type.
    """
    definitions = _definitions(code)
    if converter is None:
        converter = getattr(code, "converter", None) or Converter()
    started = history.started
    definition = definitions.get(started.workflow_type)
    if definition is None:
        known = ", ".join(sorted(definitions)) or "none"
        raise InvalidArgumentError(f"there is no workflow {started.workflow_type!r} to replay it with, only: {known}")
    if definition.written is not None:
        kept = definition.written.create_program(history.address, started)
        if (failed := kept.catch_up(history.events)) is not None:
            raise NonDeterminismError(f"The history of {definition.name!r} can't be read: {failed.failure.message}")
        return
    limit = None if deadlock_timeout is None else to_seconds(deadlock_timeout)
    settings = ProgramSettings(deadlock_timeout_seconds=limit)
    program = PythonProgram(definition, history.address, started, converter, settings)
    try:
        program.catch_up(history.events)
        error, turn = program.error, program.turn_event_id
    finally:
        program.close()
    if isinstance(error, NonDeterminismError):
        if isinstance(error, NotAllowedInWorkflowError):
            error.event_id = turn
        raise error
    if error is not None:
        raise NonDeterminismError(
            f"The code of {definition.name!r} now raises what it did not raise before: {type(error).__name__}: {error}",
            event_id=turn,
        ) from error


def _definitions(code: Workflows | Iterable[object]) -> Mapping[str, WorkflowDefinition]:
    if isinstance(code, Iterable):
        found = (each if isinstance(each, WorkflowDefinition) else workflow_definition_of(each) for each in code)
        return {definition.name: definition for definition in found}
    return code.workflows
