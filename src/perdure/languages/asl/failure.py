"""How a state fails."""

from __future__ import annotations


class StateFailure(Exception):
    """What a state fails with; Retry and Catch see it.

    Args:
        error: the error's name, as ErrorEquals matches it ("States.Runtime").
        cause: why, in AWS's words, without the sentence that names the state; the interpreter puts that before it.
        location: the place of the expression that failed ("Output/result"), where AWS tells it.
    """

    def __init__(self, error: str, cause: str, location: str | None = None) -> None:
        super().__init__(f"{error}: {cause}")
        self.error, self.cause, self.location = error, cause, location


def runtime(cause: str) -> StateFailure:
    """States.Runtime, which no Catch and no Retry of States.ALL takes."""
    return StateFailure("States.Runtime", cause)


def query_evaluation(cause: str, location: str | None = None) -> StateFailure:
    """States.QueryEvaluationError: a JSONata expression failed, or gave what its field cannot take."""
    return StateFailure("States.QueryEvaluationError", cause, location)


def intrinsic(cause: str) -> StateFailure:
    """States.IntrinsicFailure: an intrinsic function did not accept what it was given."""
    return StateFailure("States.IntrinsicFailure", cause)
