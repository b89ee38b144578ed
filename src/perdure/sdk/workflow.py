"""What workflow code calls: ``from perdure import workflow``.

Workflow code is plain asyncio. A replay must take the same way through it, so it must not depend on anything but its
arguments, its history and what is offered here: what else it might ask is refused, see ``guards``. One thing cannot be
refused: the order of a set of strings differs from process to process, so sort it first.

Everything here belongs to the run whose code is running, and is recorded or derived from what is recorded, so a replay
gives the same answers. Outside a workflow most of it raises ``InvalidArgumentError``; ``in_workflow()`` tells.
Durations are a ``timedelta`` or seconds, exact to the microsecond; a long one costs no more than a short one.
"""

from collections.abc import Coroutine, Sequence
from typing import Any

from perdure.sdk import calls as _calls
from perdure.sdk.children import ChildHandle, ExternalHandle, external, start_child
from perdure.sdk.children import run_child as _run_child
from perdure.sdk.continuing import continue_as_new
from perdure.sdk.definitions import ActivityDefinition, ActivityOptions, ChildOptions, WorkflowDefinition
from perdure.sdk.facts import WorkflowInfo, info, logger, now, random, uuid4
from perdure.sdk.fanout import map
from perdure.sdk.guards import unguarded
from perdure.sdk.handlers import QueryHandler, SignalHandler, UpdateHandler, query, signal, update
from perdure.sdk.listening import all_handlers_finished, set_query_handler, set_signal_handler, set_update_handler
from perdure.sdk.notes import deprecate_patch, patched, progress, side_effect, upsert_memo, upsert_search_attributes
from perdure.sdk.operations import OperationHandle, execute_operation, start_operation
from perdure.sdk.run import require_run as _require_run
from perdure.sdk.saga import Saga, saga
from perdure.sdk.state_machine import StateMachine, Transition, Walk
from perdure.sdk.turns import is_in_turn as in_workflow
from perdure.sdk.waiting import receive, sleep, wait_condition

__all__ = [
    "ChildHandle",
    "ExternalHandle",
    "OperationHandle",
    "QueryHandler",
    "Saga",
    "SignalHandler",
    "StateMachine",
    "Transition",
    "UpdateHandler",
    "Walk",
    "WorkflowInfo",
    "all_handlers_finished",
    "continue_as_new",
    "deprecate_patch",
    "execute_operation",
    "external",
    "in_workflow",
    "info",
    "logger",
    "map",
    "now",
    "patched",
    "progress",
    "query",
    "random",
    "receive",
    "saga",
    "set_query_handler",
    "set_signal_handler",
    "set_update_handler",
    "side_effect",
    "signal",
    "sleep",
    "start_child",
    "start_operation",
    "unguarded",
    "update",
    "upsert_memo",
    "upsert_search_attributes",
    "uuid4",
    "wait_condition",
]


def _schedule_activity(
    definition: ActivityDefinition, options: ActivityOptions, args: Sequence[Any]
) -> Coroutine[Any, Any, Any]:
    """What calling an activity does inside a workflow."""
    return _calls.run_activity(_require_run(), definition, options, args)


def _start_child(
    definition: WorkflowDefinition, options: ChildOptions, args: Sequence[Any]
) -> Coroutine[Any, Any, Any]:
    """What calling a workflow does inside another one."""
    return _run_child(_require_run(), definition, options, args)
