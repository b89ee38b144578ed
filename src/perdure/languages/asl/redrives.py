"""RedriveExecution, as a run hears of it: a reset to its last turn, whose reason says how the execution had ended."""

from perdure.model import events as e

FAILED, ABORTED, TIMED_OUT = "Failed", "Aborted", "TimedOut"
"""As AWS's last event of an execution says it."""

OF_MAP_RUN = "OfMapRun"
"""It is a child execution, whose Map run knows only that it did not succeed."""

_REASON = "RedriveExecution"


def reason_of(ended: str) -> str:
    """The reason of the reset that redrives an execution.

    Args:
        ended: how it had ended.
    """
    return _REASON if ended == FAILED else f"{_REASON} {ended}"


def is_redrive(event: e.Event) -> bool:
    """Whether an event is that reset."""
    return (
        isinstance(event, e.WorkflowTaskFailed)
        and event.cause == "RESET_WORKFLOW"
        and event.failure is not None
        and event.failure.message in map(reason_of, (FAILED, ABORTED, TIMED_OUT, OF_MAP_RUN))
    )


def redriven_from(event: e.Event) -> str:
    """How the execution had ended that the event redrives."""
    assert isinstance(event, e.WorkflowTaskFailed) and event.failure is not None
    return event.failure.message.removeprefix(_REASON).strip() or FAILED
