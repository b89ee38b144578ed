"""How a run ends: what its code returned or raised, as a command."""

import asyncio
import builtins

from perdure.model import commands as c
from perdure.model.errors import ActivityError, CancelledError, ChildWorkflowError, FailureError, OperationError
from perdure.sdk.failures import to_failure
from perdure.sdk.run import Run

FailureTypes = tuple[type[BaseException], ...]


class ContinueAsNew(BaseException):  # an outcome, not an error
    """Ends the run and begins the next. Not an ``Exception``, so that ``except Exception`` lets it pass."""

    def __init__(self, command: c.ContinueAsNewWorkflowExecution) -> None:
        super().__init__("the workflow continues as new")
        self.command = command


def is_failure(error: BaseException, types: FailureTypes) -> bool:
    """Whether an exception fails the run (or the update) rather than the turn."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_failure(each, types) for each in error.exceptions)
    return isinstance(error, (FailureError, builtins.TimeoutError)) or (bool(types) and isinstance(error, types))


def continuation(error: BaseException) -> ContinueAsNew | None:
    """The request to continue as new, also from inside the group that a ``TaskGroup`` made of it."""
    if isinstance(error, ContinueAsNew):
        return error
    if isinstance(error, BaseExceptionGroup):
        return next((found for each in error.exceptions if (found := continuation(each))), None)
    return None


def closing_command(run: Run) -> c.AnyCommand:
    """The command that ends a run whose code has ended. Raises what is a bug in the code and ends only the turn."""
    main, error = run.main, run.outcome
    if error is None:
        error = main.exception() if not main.cancelled() else asyncio.CancelledError("the workflow was cancelled")
    if error is None:
        result = main.result()
        return c.CompleteWorkflowExecution((run.converter.to_payload(result),) if result is not None else ())
    continued = continuation(error)
    if continued is not None:
        return continued.command
    if run.cancel_requested and _is_cancellation(error):
        return c.CancelWorkflowExecution()
    if is_failure(error, run.failure_types) or isinstance(error, asyncio.CancelledError):
        return c.FailWorkflowExecution(to_failure(error, run.converter))
    raise error


def _is_cancellation(error: BaseException | None) -> bool:
    """Whether an exception is what a request to cancel the run led to."""
    if isinstance(error, (ActivityError, ChildWorkflowError, OperationError)):
        error = error.cause
    return isinstance(error, (asyncio.CancelledError, CancelledError))
