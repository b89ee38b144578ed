"""A failure that says all there is to say."""

from perdure.languages.asl.failure import StateFailure


class Said(StateFailure):
    """A failure whose cause stays as it is: of a task, of a Fail state, or one that has been told where it was already."""


def said(failure: StateFailure) -> Said:
    """The same failure, with its cause as it is."""
    return failure if isinstance(failure, Said) else Said(failure.error, failure.cause, failure.location)


def too_large(name: str) -> Said:
    """The result of a state, or of a task, is more than AWS lets pass."""
    return Said(
        "States.DataLimitExceeded",
        f"The state/task '{name}' returned a result with a size exceeding the maximum number of bytes service limit.",
    )
