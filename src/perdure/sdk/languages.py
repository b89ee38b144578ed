"""How workflows in other languages than Python come into an app: the port that a language fills.

``app`` says which languages there are; nothing here knows one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from perdure.model.errors import InvalidArgumentError
from perdure.model.events import WorkflowExecutionStarted
from perdure.model.ids import RunAddress
from perdure.model.program import Program

CreateProgram = Callable[[RunAddress, WorkflowExecutionStarted], Program]
"""A new program for a run, from its first event."""


@dataclass(frozen=True)
class Written:
    """A workflow in another language, read and checked.

    Args:
        text: what it is made of, as it was read.
        create_program: makes the program of a run of it.
        run_timeout_seconds: how long a run may take; 0 for any time.
        comment: what it says of itself.
    """

    text: str
    create_program: CreateProgram
    run_timeout_seconds: float = 0.0
    comment: str = ""


class Language(Protocol):
    """A language that workflows can be written in."""

    def read(self, text: str, name: str, file: str, targets: Mapping[str, tuple[str, str]]) -> Written:
        """Read and check a workflow.

        Args:
            text: of it.
            name: its workflow type.
            file: where it was read, for messages; empty if it was in no file.
            targets: by what it calls: the activity type, and the task queue, that stand for it.

        Raises:
            InvalidArgumentError: it can't be run; the message says what is wrong, and where.
        """
        ...


@dataclass(frozen=True)
class OwnQueue:
    """A task queue that the engine's own worker serves whole: workflows of any type by one interpreter, and activities of any
    type by one function.

    Args:
        name: of the queue.
        create_program: makes the program of any run on it.
        activities: the app with the one activity, named "*"; without it, its activities wait for a worker that has one.
    """

    name: str
    create_program: CreateProgram
    activities: Any = None


LANGUAGES: dict[str, Callable[[], Language]] = {}
"""By name; each is loaded when it is used first."""


def language(name: str) -> Language:
    """The language of this name. Raises ``InvalidArgumentError`` if there is none."""
    load = LANGUAGES.get(name)
    if load is None:
        known = ", ".join(sorted(LANGUAGES)) or "none"
        raise InvalidArgumentError(f"there is no workflow language {name!r} here, only: {known}")
    return load()
