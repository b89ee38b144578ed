"""Handlers that a run's code sets itself, and what it can ask about those at work."""

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from perdure.model.errors import InvalidArgumentError
from perdure.sdk.handlers import HandlerDefinition
from perdure.sdk.mailbox import mailbox_of
from perdure.sdk.run import require_run


def all_handlers_finished() -> bool:
    """Whether no signal or update is being handled.

    To wait for that at the end of a workflow: ``await workflow.wait_condition(workflow.all_handlers_finished)``.
    """
    mailbox = require_run().mailbox
    return mailbox is None or mailbox.open_count == 0


def set_signal_handler(name: str, handler: Callable[..., Any] | None) -> None:
    """Handle the signal ``name`` with a function, plain or async, from now on; signals that wait are handled too.

    None removes the handler, and signals wait to be received.
    """
    definition = HandlerDefinition(name, handler, is_method=False) if handler is not None else None
    mailbox_of(require_run()).set_signal_handler(name, definition)


def set_query_handler(name: str, handler: Callable[..., Any] | None) -> None:
    """Answer the query ``name`` with a plain function from now on. None removes the handler."""
    queries = mailbox_of(require_run()).queries
    if handler is None:
        queries.pop(name, None)
    elif iscoroutinefunction(handler):
        raise InvalidArgumentError(
            f"the handler of query {name!r} must be a plain function, not async: it may not wait"
        )
    else:
        queries[name] = HandlerDefinition(name, handler, is_method=False)


def set_update_handler(
    name: str, handler: Callable[..., Any] | None, *, validator: Callable[..., None] | None = None
) -> None:
    """Carry out the update ``name`` with a function, plain or async, from now on. None removes the handler.

    ``validator`` is called with the same arguments first, and raises to refuse.
    """
    updates = mailbox_of(require_run()).updates
    if handler is None:
        updates.pop(name, None)
    else:
        updates[name] = HandlerDefinition(name, handler, is_method=False, validator=validator)
