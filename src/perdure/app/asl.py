"""The engine's own task queue for state machines: it takes their runs' turns, and makes their calls to the outside."""

from collections.abc import Awaitable, Callable
from typing import Any

from perdure.languages.asl.execution import TASK_QUEUE, TOKEN_TYPE
from perdure.languages.asl.program import MachineProgram
from perdure.model.errors import ApplicationError
from perdure.sdk import activity
from perdure.sdk.app import App
from perdure.sdk.languages import OwnQueue
from perdure.sdk.worker import ANY_ACTIVITY

Call = Callable[[str, Any, dict[str, Any]], Awaitable[Any]]
"""Makes a Task's call: the Resource, its parameters, and what else there is to know of it. It answers with the response,
or raises ``ApplicationError`` with the error's name as its type."""


async def no_call(resource: str, parameters: Any, about: dict[str, Any]) -> Any:
    """Where nobody makes calls."""
    raise ApplicationError(
        f"Nothing here calls {resource}. Let an activity stand for it: app.state_machine(..., targets={{{resource!r}: "
        "my_activity}), or start a server with --stepfunctions.",
        type="States.Runtime",
    )


def asl_queue(call: Call | None = no_call) -> OwnQueue:
    """The task queue, for the engine's own worker.

    Args:
        call: makes the calls. None leaves them waiting for a server that does.
    """
    if call is None:
        return OwnQueue(TASK_QUEUE, MachineProgram)
    app = App(TASK_QUEUE, task_queue=TASK_QUEUE)

    @app.activity(name=ANY_ACTIVITY)
    async def anything(parameters: Any = None, about: dict[str, Any] | None = None) -> Any:
        resource = activity.info().activity_type
        if resource == TOKEN_TYPE:
            activity.raise_complete_later()
        try:
            return await call(resource, parameters, about or {})
        except ApplicationError as error:
            error.non_retryable = True  # Retry is the state's to say; only a lost attempt is made again by itself
            raise
        except Exception as error:
            raise ApplicationError(
                f"{type(error).__name__}: {error}", type="States.Runtime", non_retryable=True
            ) from error

    return OwnQueue(TASK_QUEUE, MachineProgram, app)
