"""A failure that says all there is to say."""

from perdure.languages.asl.failure import StateFailure


class Said(StateFailure):
    """A failure whose cause stays as it is: of a task, of a Fail state, or one that has been told where it was already."""


def said(failure: StateFailure) -> Said:
    """The same failure, with its cause as it is."""
    return failure if isinstance(failure, Said) else Said(failure.error, failure.cause, failure.location)
