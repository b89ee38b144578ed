"""What a worker tells whoever traces, if anybody does: the port that ``perdure.Tracing`` stands behind."""

from typing import Protocol

from perdure.model.failures import Failure
from perdure.model.program import ActivityTask


class AttemptSpan(Protocol):
    """One attempt of an activity, from when it is handed to its code."""

    def enter(self) -> None:
        """The code is about to run in this context: spans that it makes belong below this one."""
        ...

    def end(self, failure: Failure | None) -> None:
        """It is over; None if it succeeded, or somebody outside will end it."""
        ...


class WorkerTracing(Protocol):
    """Told of each attempt, on the worker's thread."""

    def attempt(self, task: ActivityTask) -> AttemptSpan | None:
        """An attempt begins; None if nobody traces it."""
        ...
